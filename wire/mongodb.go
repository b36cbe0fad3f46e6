package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// MongoDB is a command to a MongoDB server with its outcome, unlike those
// before it on its connection (MongoDB wire protocol). What is stored or found
// is never kept.
type MongoDB struct {
	Command    string // "hello", "find", "insert" ...; at most 64 bytes, as all names
	Database   string
	Collection string // that the command is about
	// What a client says of itself in a hello.
	Application, Driver, DriverVersion, System string
	// What a server says of itself in answer to a hello.
	ReplicaSet  string
	WireVersion int    // greatest that it speaks: 21 is MongoDB 7.0
	Version     string // of the server, in answer to buildInfo
	Error       int    // code of an error, 0 if none: 13 unauthorized, 18 authentication failed
	Compressed  bool   // the command cannot be read
}

// Protocol implements Message.
func (*MongoDB) Protocol() string { return "mongodb" }

// Operations.
const (
	mongoReply      = 1
	mongoQuery      = 2004
	mongoCompressed = 2012
	mongoMessage    = 2013

	mongoHeader     = 16
	maxMongoRead    = 4 << 10  // of a message
	maxMongoMessage = 48000000 // as servers announce in maxMessageSizeBytes
	maxMongoName    = 64
	maxMongoWaiting = 16 // commands that wait for their answer
	maxMongoTold    = 64
)

var errMongo = fmt.Errorf("read mongodb message: %w", ErrMalformed)

// mongoFraming follows the messages of a connection.
type mongoFraming struct {
	waiting []mongoWaiting // oldest first
	told    []uint64       // hashes of commands
	sasl    sasl
	begun   bool
	client  Dir
}

// mongoWaiting is a command that waits for its answer.
type mongoWaiting struct {
	id      uint32
	message *MongoDB // nil if it was told
	login   bool     // it is part of one
}

func newMongoStream() Stream { return &framedStream{framing: &mongoFraming{}, head: maxMongoRead} }

// sniffMongo recognises a message by its operation and by what that demands:
// flags, and a document as long as the message.
func sniffMongo(_ Dir, b []byte) Match {
	switch {
	case len(b) > 3 && b[3] != 0, len(b) > 2 && b[2] != 0: // the first message of either end is small
		return No
	case len(b) > 13 && (b[13] != mongoQuery>>8 && b[13] != 0 || b[13] == 0 && b[12] != mongoReply), len(b) > 15 && (b[14] != 0 || b[15] != 0):
		return No
	case len(b) < mongoHeader+4:
		return Maybe
	}
	size := int(binary.LittleEndian.Uint32(b))
	body := b[mongoHeader:]
	flags := binary.LittleEndian.Uint32(body)
	switch op := binary.LittleEndian.Uint32(b[12:]); op {
	case mongoMessage:
		const known = 1<<16 | 3
		if flags&^known != 0 {
			return No
		}
		if len(body) < 4+1+4 {
			return Maybe
		}
		rest := size - mongoHeader - 5
		if flags&1 != 0 {
			rest -= 4 // a checksum
		}
		return matchIf(body[4] == 0 && int(binary.LittleEndian.Uint32(body[5:])) <= rest && binary.LittleEndian.Uint32(body[5:]) >= 5)
	case mongoQuery:
		if flags > 0xff || binary.LittleEndian.Uint32(b[8:]) != 0 {
			return No
		}
		return sniffMongoName(body[4:])
	case mongoReply:
		const fixed = 20
		if len(body) < fixed+4 {
			return maybeIf(flags < 16)
		}
		return matchIf(flags < 16 && binary.LittleEndian.Uint32(body[fixed-4:]) == 1 &&
			int(binary.LittleEndian.Uint32(body[fixed:])) == size-mongoHeader-fixed)
	}
	return No
}

// sniffMongoName: the name of the collection that commands are sent to.
func sniffMongoName(b []byte) Match {
	i := bytes.IndexByte(b, '.')
	if i < 0 {
		return maybeIf(len(b) <= maxMongoName && plainASCII(b))
	}
	if !plainASCII(b[:i]) || i == 0 || i > maxMongoName {
		return No
	}
	return prefix(b[i:], []byte(".$cmd\x00"))
}

func (s *mongoFraming) size(b []byte) (int, error) {
	if len(b) < mongoHeader {
		return 0, nil
	}
	size := binary.LittleEndian.Uint32(b)
	if size < mongoHeader || size > maxMongoMessage {
		return 0, errMongo
	}
	return int(size), nil
}

func (s *mongoFraming) read(dir Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	id, to, op := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	c := cursor{b: b[mongoHeader:]}
	var namespace []byte
	switch op {
	case mongoMessage:
		c.skip(4)
		if c.u8() != 0 { // a section of the second kind comes first: rare, and what it is for comes last
			return msgs, nil
		}
	case mongoQuery:
		c.skip(4)
		namespace, c.b, _ = bytes.Cut(c.b, []byte{0})
		c.skip(4 + 4)
	case mongoReply:
		c.skip(4 + 8 + 4 + 4)
	case mongoCompressed:
		return s.compressed(dir, msgs), nil
	default:
		return msgs, nil // operations of old that are not answered
	}
	doc := readBSON(c.b)
	if to == 0 && op != mongoReply {
		s.client, s.begun = dir, true
		return s.command(id, namespace, doc, msgs), nil
	}
	return s.answer(to, doc, msgs), nil
}

// compressed tells once that a connection cannot be read.
func (s *mongoFraming) compressed(dir Dir, msgs []Message) []Message {
	if s.begun && dir != s.client || !s.isNew(habit(0).with(mongoCompressed)) {
		return msgs
	}
	return append(msgs, &MongoDB{Compressed: true})
}

// command reads a command: its first element names it.
func (s *mongoFraming) command(id uint32, namespace []byte, doc bsonReader, msgs []Message) []Message {
	first, ok := doc.next()
	if !ok || len(first.name) > maxMongoName || !plainASCII(first.name) {
		return msgs
	}
	w := mongoWaiting{id: id}
	w.login = s.authenticates(&first, doc)
	var database []byte
	for walk := doc; ; {
		e, ok := walk.next()
		if !ok {
			break
		}
		if string(e.name) == "$db" {
			database = e.text()
		}
	}
	if database == nil {
		database, _, _ = bytes.Cut(namespace, []byte("."))
	}
	collection := first.text()
	if s.isNew(habit(0).withBytes(first.name).withBytes(database).withBytes(collection)) {
		w.message = &MongoDB{Command: string(first.name), Database: text(database, maxMongoName), Collection: text(collection, maxMongoName)}
		if isMongoHello(first.name) {
			w.message.hello(doc)
		}
	}
	if len(s.waiting) == maxMongoWaiting {
		if m := s.waiting[0].message; m != nil {
			msgs = append(msgs, m)
		}
		s.waiting = append(s.waiting[:0], s.waiting[1:]...)
	}
	if w.message != nil || w.login {
		s.waiting = append(s.waiting, w)
	}
	return msgs
}

// isNew reports whether nothing of this kind was told.
func (s *mongoFraming) isNew(kind habit) bool {
	if len(s.told) == maxMongoTold || slices.Contains(s.told, uint64(kind)) {
		return false
	}
	s.told = append(s.told, uint64(kind))
	return true
}

// isMongoHello tells the command by which either end introduces itself.
func isMongoHello(name []byte) bool {
	return isWord(name, "HELLO") || isWord(name, "ISMASTER")
}

// authenticates reads a command that logs in, also one within a hello.
func (s *mongoFraming) authenticates(first *bsonElement, doc bsonReader) bool {
	switch string(first.name) {
	case "saslStart":
		s.start(doc)
		return true
	case "saslContinue", "authenticate":
		if string(first.name) == "authenticate" {
			s.sasl.begin("mongodb", []byte("MONGODB-CR"))
		}
		s.proceed(doc)
		return true
	}
	if !isMongoHello(first.name) {
		return false
	}
	for {
		e, ok := doc.next()
		if !ok {
			return false
		}
		if string(e.name) == "speculativeAuthenticate" {
			s.start(e.document())
			return true
		}
	}
}

// start begins a login.
func (s *mongoFraming) start(doc bsonReader) {
	var mechanism []byte
	for walk := doc; ; {
		e, ok := walk.next()
		if !ok {
			break
		}
		if string(e.name) == "mechanism" {
			mechanism = e.text()
		}
	}
	s.sasl.begin("mongodb", mechanism)
	s.proceed(doc)
}

// proceed reads what the client logs in with.
func (s *mongoFraming) proceed(doc bsonReader) {
	for s.sasl.login != nil {
		e, ok := doc.next()
		if !ok {
			return
		}
		switch string(e.name) {
		case "payload":
			s.sasl.read(e.bytes())
		case "user":
			s.sasl.login.User = userText(e.text())
		}
	}
}

// answer reads what the server says to a command.
func (s *mongoFraming) answer(to uint32, doc bsonReader, msgs []Message) []Message {
	i := 0
	for i < len(s.waiting) && s.waiting[i].id != to {
		i++
	}
	if i == len(s.waiting) {
		return msgs
	}
	w := s.waiting[i]
	s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
	done, failed, code, spoken := false, false, 0, false
	for {
		e, ok := doc.next()
		if !ok {
			break
		}
		switch string(e.name) {
		case "ok":
			failed = e.number() == 0
		case "code":
			code = int(e.number())
		case "done":
			done = e.number() != 0
		case "speculativeAuthenticate":
			spoken = true
			for inner := e.document(); ; {
				e, ok := inner.next()
				if !ok {
					break
				}
				done = done || string(e.name) == "done" && e.number() != 0
			}
		}
		if w.message != nil {
			w.message.said(&e)
		}
	}
	if m := w.message; m != nil {
		m.Error = code
		msgs = append(msgs, m)
	}
	if w.login {
		msgs = s.outcome(&w, done, failed, spoken, msgs)
	}
	return msgs
}

// outcome ends a login that is over. A hello whose login is not answered did
// not begin one.
func (s *mongoFraming) outcome(w *mongoWaiting, done, failed, spoken bool, msgs []Message) []Message {
	if s.sasl.login == nil {
		return msgs
	}
	old := s.sasl.login.Mechanism == "MONGODB-CR"
	switch {
	case failed:
		return append(msgs, s.sasl.end(Failed))
	case done || old:
		return append(msgs, s.sasl.end(Succeeded))
	case w.message != nil && isMongoHello([]byte(w.message.Command)) && !spoken:
		s.sasl.end(OutcomeUnknown)
	}
	return msgs
}

// hello reads what a client says of itself.
func (m *MongoDB) hello(doc bsonReader) {
	for {
		e, ok := doc.next()
		if !ok {
			return
		}
		if string(e.name) != "client" {
			continue
		}
		for client := e.document(); ; {
			part, ok := client.next()
			if !ok {
				return
			}
			for inner := part.document(); ; {
				e, ok := inner.next()
				if !ok {
					break
				}
				m.clientPart(string(part.name)+"."+string(e.name), e.text())
			}
		}
	}
}

func (m *MongoDB) clientPart(path string, value []byte) {
	switch path {
	case "application.name":
		m.Application = text(value, maxMongoName)
	case "driver.name":
		m.Driver = text(value, maxMongoName)
	case "driver.version":
		m.DriverVersion = text(value, maxMongoName)
	case "os.type":
		m.System = text(value, maxMongoName)
	}
}

// said reads what a server says of itself.
func (m *MongoDB) said(e *bsonElement) {
	switch string(e.name) {
	case "setName":
		m.ReplicaSet = text(e.text(), maxMongoName)
	case "maxWireVersion":
		m.WireVersion = int(e.number())
	case "version":
		if isWord([]byte(m.Command), "BUILDINFO") {
			m.Version = text(e.text(), maxMongoName)
		}
	}
}

// ended tells what was not answered.
func (s *mongoFraming) ended(dir Dir, msgs []Message) []Message {
	if dir == s.client && s.begun {
		return msgs // the server may still answer
	}
	for _, w := range s.waiting {
		if w.message != nil {
			msgs = append(msgs, w.message)
		}
	}
	s.waiting = nil
	if l := s.sasl.end(OutcomeUnknown); l != nil {
		msgs = append(msgs, l)
	}
	return msgs
}
