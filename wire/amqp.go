package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// AMQP 0-9-1 (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf), which
// 0-8 and 0-9 are close enough to; 1.0 is in amqp1.go.

// AMQP is the start of a connection to a message broker, up to its opening or
// its refusal.
type AMQP struct {
	Version     string // "0-8", "0-9", "0-9-1", "0-10", "1.0"; "" if the client's header was not seen
	Client      AMQPPeer
	Server      AMQPPeer
	VirtualHost string // what the client opens, in 1.0 the host name; at most 256 bytes
	Code        int    // reply code of connection.close, such as 403; 0 if there was none
	Condition   string // of the error with which 1.0 closes, such as "amqp:unauthorized-access"
}

// AMQPPeer is how one end names itself. Each text has at most 256 bytes.
type AMQPPeer struct {
	Product, Version, Platform string
	Container                  string // container-id, of 1.0
}

// Protocol implements Message.
func (*AMQP) Protocol() string { return "amqp" }

// AMQPPublish is the first message with this exchange and routing key, of this
// end on this connection. From the client it is published, from the server
// delivered. What the message says is passed over.
type AMQPPublish struct {
	From                 Dir
	Exchange, RoutingKey string // at most 255 bytes
}

// Protocol implements Message.
func (*AMQPPublish) Protocol() string { return "amqp" }

const (
	maxAMQPFrame = 64 << 20 // brokers allow 128 KiB if they are not told otherwise
	maxAMQPHead  = 8 << 10  // a start-ok with its properties has some 500 bytes
	maxAMQPText  = 256
	amqpFrameEnd = 0xce

	// Types of frames (section 2.3.5); RabbitMQ and others send heartbeats as 8.
	amqpMethod    = 1
	amqpHeader    = 2
	amqpBody      = 3
	amqpHeartbeat = 8

	// Class and method, in one number.
	amqpStart    = 10<<16 | 10
	amqpStartOK  = 10<<16 | 11
	amqpSecureOK = 10<<16 | 21
	amqpTune     = 10<<16 | 30
	amqpOpen     = 10<<16 | 40
	amqpOpenOK   = 10<<16 | 41
	amqpClose    = 10<<16 | 50
	amqpPublish  = 60<<16 | 40
	amqpDeliver  = 60<<16 | 60
	amqpGetOK    = 60<<16 | 71

	amqpAccessRefused = 403
)

var (
	errAMQPHeader = fmt.Errorf("read amqp protocol header: %w", ErrMalformed)
	errAMQPFrame  = fmt.Errorf("read amqp frame: %w", ErrMalformed)
)

// amqpVersion names the version of a protocol header, "" if there is none like
// it. The byte before the version of 1.0 tells the layer.
func amqpVersion(b []byte) string {
	switch string(b[4:8]) {
	case "\x00\x00\x09\x01":
		return "0-9-1"
	case "\x01\x01\x00\x09":
		return "0-9"
	case "\x01\x01\x08\x00":
		return "0-8"
	case "\x01\x01\x00\x0a":
		return "0-10"
	case "\x00\x01\x00\x00", "\x02\x01\x00\x00", "\x03\x01\x00\x00":
		return "1.0"
	}
	return ""
}

// sniffAMQP recognises a protocol header, and in the middle of a connection of
// 0-9-1 a heartbeat or a method.
func sniffAMQP(_ Dir, b []byte) Match {
	switch {
	case len(b) == 0:
		return Maybe
	case b[0] == 'A':
		m := prefix(b, []byte("AMQP"))
		if m == Yes && len(b) < 8 {
			return Maybe
		}
		if m == Yes {
			return matchIf(amqpVersion(b) != "")
		}
		return m
	case b[0] == amqpHeartbeat:
		return prefix(b, []byte("\x08\x00\x00\x00\x00\x00\x00\xce"))
	case b[0] == amqpMethod:
		return sniffAMQPMethod(b)
	}
	return No
}

// sniffAMQPMethod recognises a method by its number, and by the end of its
// frame where its length says. Methods other than those of tables are short.
func sniffAMQPMethod(b []byte) Match {
	if len(b) > 3 && b[3] != 0 || len(b) > 4 && b[4] != 0 || len(b) > 5 && b[5] > 4 {
		return No
	}
	if len(b) < 11 {
		return Maybe
	}
	size := int(binary.BigEndian.Uint32(b[3:]))
	class, method := binary.BigEndian.Uint16(b[7:]), binary.BigEndian.Uint16(b[9:])
	switch {
	case size < 4 || method < 10 || method > 120:
		return No
	case class != 10 && class != 20 && class != 40 && class != 50 && class != 60 && class != 85 && class != 90:
		return No
	case len(b) < 8+size:
		return Maybe
	}
	return matchIf(b[7+size] == amqpFrameEnd)
}

// amqpFraming follows a connection of any version.
type amqpFraming struct {
	one     bool // frames are those of 1.0
	begun   bool // the session below has been begun, and was not told yet
	told    bool
	opened  [2]bool // of 1.0: the end has opened the connection
	client  Dir
	session AMQP
	sasl    sasl
	attempt attempt
	topics  [2]topicSet
}

func newAMQPStream() Stream { return &framedStream{framing: &amqpFraming{}, head: maxAMQPHead} }

func (s *amqpFraming) size(b []byte) (int, error) {
	switch {
	case b[0] == 'A':
		return 8, nil
	case s.one:
		return amqp1Size(b)
	case b[0] != amqpMethod && b[0] != amqpHeader && b[0] != amqpBody && b[0] != amqpHeartbeat:
		return 0, errAMQPFrame
	case len(b) < 7:
		return 0, nil
	}
	size := binary.BigEndian.Uint32(b[3:])
	if size > maxAMQPFrame {
		return 0, errAMQPFrame
	}
	return 8 + int(size), nil
}

func (s *amqpFraming) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	switch {
	case len(b) > 0 && b[0] == 'A':
		return s.header(dir, b, cut, msgs)
	case s.one:
		return s.frame1(dir, b, cut, msgs)
	case len(b) < 7:
		return msgs, nil
	case !cut && b[len(b)-1] != amqpFrameEnd:
		return msgs, errAMQPFrame
	case b[0] != amqpMethod:
		return msgs, nil
	}
	body := b[7:]
	if !cut {
		body = body[:len(body)-1]
	}
	return s.method(dir, body, cut, msgs)
}

// header reads a protocol header. A server answers with one if it speaks
// another version, in 1.0 always.
func (s *amqpFraming) header(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if cut || len(b) < 8 || string(b[:4]) != "AMQP" {
		return msgs, cutOr(cut, errAMQPHeader)
	}
	version := amqpVersion(b)
	if version == "" {
		return msgs, errAMQPHeader
	}
	s.one = version == "1.0"
	if !s.begun && !s.told {
		s.begun, s.client, s.session.Version = true, dir, version
	}
	switch {
	case version == "0-10":
		return msgs, ErrDone // frames of another kind
	case s.one && b[4] == 2 && dir != s.client:
		return msgs, ErrUpgrade // TLS
	}
	return msgs, nil
}

// method reads a method frame from its class on.
func (s *amqpFraming) method(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	r := amqpReader{cursor{b: b}}
	switch r.u32() {
	case amqpStart:
		s.begin(dir.Other())
		r.take(2) // version
		s.session.Server = r.peer()
	case amqpStartOK:
		s.begin(dir)
		s.session.Client = r.peer()
		mechanism, response := r.str(), r.long()
		if len(mechanism) == 0 {
			break
		}
		s.sasl.begin("amqp", mechanism)
		l := s.sasl.login
		if l.Mechanism == "AMQPLAIN" {
			s.plainTable(response)
		} else if !r.short {
			s.sasl.read(response)
		}
		msgs = s.attempt.begin(dir, l, msgs)
	case amqpSecureOK:
		if response := r.long(); !r.short && s.attempt.login != nil {
			s.sasl.read(response)
		}
	case amqpTune: // it follows a login that was accepted
		if dir != s.attempt.from {
			msgs = s.attempt.end(Succeeded, msgs)
		}
	case amqpOpen:
		s.session.VirtualHost = string(r.str())
	case amqpOpenOK:
		return s.tell(msgs), nil
	case amqpClose:
		if code := int(r.u16()); !r.short && s.begun {
			s.session.Code = code
			msgs = s.attempt.end(amqpOutcome(code, dir == s.client), msgs)
		}
		return s.tell(msgs), nil
	case amqpPublish:
		r.take(2)
		msgs = s.publish(dir, &r, msgs)
	case amqpDeliver:
		r.str() // consumer tag
		r.take(8 + 1)
		msgs = s.publish(dir, &r, msgs)
	case amqpGetOK: // what was asked for, one by one
		r.take(8 + 1)
		msgs = s.publish(dir, &r, msgs)
	}
	if r.short {
		return msgs, cutOr(cut, errAMQPFrame)
	}
	return msgs, nil
}

// begin notes who is the client.
func (s *amqpFraming) begin(client Dir) {
	if !s.told {
		s.begun, s.client = true, client
	}
}

// amqpOutcome reads the code with which an end closes instead of going on.
func amqpOutcome(code int, client bool) Outcome {
	if code == amqpAccessRefused && !client {
		return Failed
	}
	return OutcomeUnknown
}

// plainTable reads the response of AMQPLAIN: a table without its length.
func (s *amqpFraming) plainTable(b []byte) {
	var user, secret []byte
	found := false
	r := amqpReader{cursor{b: b}}
	r.fields(func(name, value []byte) {
		switch string(name) {
		case "LOGIN":
			user = value
		case "PASSWORD":
			secret, found = value, true
		}
	})
	s.sasl.login.User = userText(user)
	if found {
		s.sasl.secret(user, secret)
	}
}

func (s *amqpFraming) publish(dir Dir, r *amqpReader, msgs []Message) []Message {
	exchange, key := r.str(), r.str()
	if r.short {
		return msgs
	}
	var room [2*255 + 1]byte
	if !s.topics[dir].add(append(append(append(room[:0], exchange...), 0), key...)) {
		return msgs
	}
	return append(msgs, &AMQPPublish{From: dir, Exchange: string(exchange), RoutingKey: string(key)})
}

// tell reports the session, once.
func (s *amqpFraming) tell(msgs []Message) []Message {
	if !s.begun {
		return msgs
	}
	s.begun, s.told = false, true
	m := s.session
	return append(msgs, &m)
}

func (s *amqpFraming) ended(dir Dir, msgs []Message) []Message {
	msgs = s.attempt.flush(dir, msgs)
	if dir == s.client {
		return msgs // the server may still answer
	}
	return s.tell(msgs)
}

// amqpReader reads the fields of a method (section 4.2.5).
type amqpReader struct{ cursor }

// str returns a short string, long a long one.
func (r *amqpReader) str() []byte  { return r.take(int(r.u8())) }
func (r *amqpReader) long() []byte { return r.take(int(r.u32())) }

// peer reads a table of properties.
func (r *amqpReader) peer() AMQPPeer {
	var p AMQPPeer
	t := amqpReader{cursor{b: r.upTo(int(r.u32()))}}
	t.fields(p.set)
	return p
}

// set notes a property. Those of 0-9-1 and of 1.0 have the same names.
func (p *AMQPPeer) set(name, value []byte) {
	switch string(bytes.ToLower(name)) {
	case "product":
		p.Product = text(value, maxAMQPText)
	case "version":
		p.Version = text(value, maxAMQPText)
	case "platform":
		p.Platform = text(value, maxAMQPText)
	}
}

// fields calls f for the long strings of a table (section 4.2.5.5, with the
// types that RabbitMQ uses), up to a field that cannot be read.
func (r *amqpReader) fields(f func(name, value []byte)) {
	for len(r.b) > 0 {
		name, kind := r.str(), r.u8()
		switch kind {
		case 'S':
			if value := r.long(); !r.short {
				f(name, value)
			}
		case 'A', 'F', 'x':
			r.long()
		case 't', 'b', 'B':
			r.take(1)
		case 's', 'u', 'U':
			r.take(2)
		case 'I', 'i', 'f':
			r.take(4)
		case 'D':
			r.take(5)
		case 'L', 'l', 'd', 'T':
			r.take(8)
		case 'V':
		default:
			return
		}
	}
}
