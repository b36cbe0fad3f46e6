package wire

import (
	"bytes"
	"fmt"
)

// The client protocol of NATS (https://docs.nats.io/reference/reference-protocols/nats-protocol):
// lines of text, and payloads whose length their line says.

// NATS is what a server (INFO) or a client (CONNECT) says of itself, or an
// error with which the server answers, the first of its text.
type NATS struct {
	Server       *NATSPeer // nil in other messages
	Client       *NATSPeer
	AuthRequired bool   // by the server
	TLSRequired  bool   // by the server
	Error        string // such as "Authorization Violation"; at most 256 bytes
}

// NATSPeer is how an end names itself. Each text has at most 256 bytes.
type NATSPeer struct {
	Name    string // of the server, or that the client gives its connection
	Version string // of the server, or of the client's library
	Lang    string // the client's language: "go", "python3"
	Cluster string // that the server belongs to
}

// Protocol implements Message.
func (*NATS) Protocol() string { return "nats" }

// NATSSubject is the first message with this subject of this end on this
// connection, or the first subscription to it. From the client it is published,
// from the server delivered. What the message says is passed over.
type NATSSubject struct {
	From      Dir
	Subscribe bool
	Subject   string // at most 256 bytes; in a subscription with wildcards
	Queue     string // group of subscribers that share the messages, "" if none
}

// Protocol implements Message.
func (*NATSSubject) Protocol() string { return "nats" }

const (
	// maxNATSLine is how much of a line is looked at: what servers allow by
	// default (max_control_line).
	maxNATSLine = 4 << 10
	maxNATSText = 256
	// maxNATSPayload bounds what a line may announce: servers allow 1 MiB by
	// default and 64 MiB at most.
	maxNATSPayload = 64 << 20
	maxNATSWords   = 5 // of MSG: subject, identifier, reply, size of the head, size

	natsVerbs   = "INFO CONNECT PUB HPUB SUB UNSUB MSG HMSG PING PONG +OK -ERR"
	natsCluster = "RS+ RS- RMSG LS+ LS- LMSG A+ A-" // between servers
)

var (
	errNATSVerb = fmt.Errorf("read nats line: no such operation: %w", ErrMalformed)
	errNATSSize = fmt.Errorf("read nats line: not a size: %w", ErrMalformed)
)

type natsStream struct {
	attempt  attempt
	skip     [2]int64 // bytes of a payload, still to come
	long     [2]bool  // the rest of a long line is being passed over
	asked    bool     // the client has sent its CONNECT
	greeted  bool     // the server has sent its INFO
	subjects [2]topicSet
	errors   topicSet
}

func newNATSStream() Stream { return &natsStream{} }

var (
	_ Flusher = (*natsStream)(nil)
	_ Skipper = (*natsStream)(nil)
)

// sniffNATS recognises the INFO of a server and the CONNECT of a client, each
// with a JSON object behind it.
func sniffNATS(_ Dir, b []byte) Match {
	if len(b) == 0 {
		return Maybe
	}
	if b[0] == 'I' {
		const soon = 256 // the identifier stands before what varies in length
		if m := prefix(b, []byte(`INFO {"`)); m != Yes {
			return m
		}
		head := b[:min(len(b), soon)]
		end := bytes.IndexByte(head, '\n')
		if bytes.Contains(head, []byte(`"server_id":"`)) {
			return Yes
		}
		return maybeIf(end < 0 && len(b) < soon)
	}
	const connect = "CONNECT {"
	if m := prefix(b, []byte(connect)); m != Yes || len(b) == len(connect) {
		return min(m, Maybe)
	}
	return matchIf(b[len(connect)] == '"' || b[len(connect)] == '}')
}

// sniffLateNATS recognises a message with its payload in a segment.
func sniffLateNATS(b []byte) bool {
	end := bytes.IndexByte(b[:min(len(b), maxNATSLine)], '\n')
	if end < 1 || b[end-1] != '\r' {
		return false
	}
	verb, rest := word(b[:end-1])
	switch string(verb) {
	case "PUB", "HPUB", "MSG", "HMSG":
	default:
		return false
	}
	subject, size, ok := natsMessage(verb, rest)
	if !ok || len(subject) < 2 || !plainASCII(subject) || len(b)-end-1 < size+2 {
		return false
	}
	return string(b[end+1+size:end+1+size+2]) == "\r\n"
}

// Feed implements Stream.
func (s *natsStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		rest := b[n:]
		if s.skip[dir] > 0 {
			used := min(s.skip[dir], int64(len(rest)))
			s.skip[dir] -= used
			n += int(used)
			continue
		}
		if rest[0] == recordHandshake && s.greeted && !s.asked {
			return n, msgs, ErrUpgrade // TLS
		}
		head := rest[:min(len(rest), maxNATSLine)]
		end := bytes.IndexByte(head, '\n')
		if end < 0 && len(head) < maxNATSLine {
			break
		}
		used := end + 1
		if end < 0 {
			used = len(head)
		}
		n += used
		if s.long[dir] {
			s.long[dir] = end < 0
			continue
		}
		s.long[dir] = end < 0
		var err error
		if msgs, err = s.line(dir, bytes.TrimRight(head[:used], "\r\n"), msgs); err != nil {
			return n, s.attempt.end(OutcomeUnknown, msgs), err
		}
	}
	return n, msgs, nil
}

// Skip implements Skipper.
func (s *natsStream) Skip(dir Dir) int64 {
	n := s.skip[dir]
	s.skip[dir] = 0
	return n
}

// Flush implements Flusher: of an unfinished line only what an end says of
// itself can be read.
func (s *natsStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if verb, rest := word(b); !s.long[dir] && s.skip[dir] == 0 && (isWord(verb, "CONNECT") || isWord(verb, "INFO")) {
		msgs = s.introduce(dir, isWord(verb, "INFO"), rest, msgs)
	}
	return s.attempt.flush(dir, msgs)
}

// line reads one line.
func (s *natsStream) line(dir Dir, line []byte, msgs []Message) ([]Message, error) {
	verb, rest := word(line)
	switch command(verb, natsVerbs) {
	case "INFO":
		return s.introduce(dir, true, rest, msgs), nil
	case "CONNECT":
		return s.introduce(dir, false, rest, msgs), nil
	case "PUB", "HPUB", "MSG", "HMSG":
		subject, size, ok := natsMessage(verb, rest)
		if !ok {
			return msgs, errNATSSize
		}
		s.skip[dir] = int64(size) + 2
		if dir != s.attempt.from {
			msgs = s.attempt.end(Succeeded, msgs) // what is delivered is delivered to who may read it
		}
		if s.subjects[dir].add(subject) {
			msgs = append(msgs, &NATSSubject{From: dir, Subject: text(subject, maxNATSText)})
		}
	case "SUB":
		subject, more := word(rest)
		queue, id := word(more)
		if len(id) == 0 {
			queue = nil // it was the identifier
		}
		if s.subjects[dir].add(subject, '*') {
			msgs = append(msgs, &NATSSubject{From: dir, Subscribe: true, Subject: text(subject, maxNATSText), Queue: text(queue, maxNATSText)})
		}
	case "PONG", "+OK":
		if dir != s.attempt.from {
			msgs = s.attempt.end(Succeeded, msgs)
		}
	case "-ERR":
		return s.fail(dir, bytes.Trim(rest, "'"), msgs), nil
	case "PING", "UNSUB":
	default:
		switch {
		case len(line) == 0:
			return msgs, nil
		case command(verb, natsCluster) != "":
			return msgs, ErrDone
		}
		return msgs, errNATSVerb
	}
	return msgs, nil
}

// natsMessage returns the subject of a message and how long its payload is,
// with its head of fields if it has one.
func natsMessage(verb, rest []byte) (subject []byte, size int, ok bool) {
	var room [maxNATSWords][]byte
	words := room[:0]
	for len(rest) > 0 && len(words) < maxNATSWords {
		var w []byte
		w, rest = word(rest)
		words = append(words, w)
	}
	fewest := 2
	switch {
	case len(verb) == len("HMSG"): // HPUB or HMSG: two sizes
		fewest = 3
		if verb[1]|0x20 == 'm' {
			fewest = 4
		}
	case verb[0]|0x20 == 'm':
		fewest = 3
	}
	if len(words) < fewest || len(rest) > 0 {
		return nil, 0, false
	}
	for _, c := range words[len(words)-1] {
		if !isDigit(c) || size > maxNATSPayload {
			return nil, 0, false
		}
		size = size*10 + int(c-'0')
	}
	return words[0], size, size <= maxNATSPayload
}

// fail reads an error. One that is about who logs in judges the login.
func (s *natsStream) fail(dir Dir, reason []byte, msgs []Message) []Message {
	if s.errors.add(reason) {
		msgs = append(msgs, &NATS{Error: text(reason, maxNATSText)})
	}
	if !containsFold(reason, "authorization violation") && !containsFold(reason, "authentication") {
		return msgs
	}
	if s.attempt.login == nil && s.asked {
		msgs = s.attempt.begin(dir.Other(), &Login{Service: "nats", Mechanism: "none"}, msgs)
	}
	return s.attempt.end(Failed, msgs)
}

// introduce reads what an end says of itself, once.
func (s *natsStream) introduce(dir Dir, info bool, object []byte, msgs []Message) []Message {
	if info {
		if s.greeted {
			return msgs // a server tells again when its cluster changes
		}
		s.greeted = true
		return append(msgs, natsInfo(object))
	}
	peer := &NATSPeer{}
	var user, secret, key []byte
	l := &Login{Service: "nats"}
	jsonMembers(object, func(name, value []byte) {
		switch string(name) {
		case "name":
			peer.Name = jsonText(value, maxNATSText)
		case "version":
			peer.Version = jsonText(value, maxNATSText)
		case "lang":
			peer.Lang = jsonText(value, maxNATSText)
		case "user":
			user = value
		case "pass":
			l.Mechanism, l.Clear, secret = "password", true, value
		case "auth_token":
			l.Mechanism, l.Clear, secret = "token", true, value
		case "nkey":
			key = value
		case "jwt":
			l.Mechanism = "jwt"
		}
	})
	s.asked = true
	msgs = append(msgs, &NATS{Client: peer})
	switch {
	case l.Mechanism == "" && len(key) > 0:
		l.Mechanism, user = "nkey", key
	case l.Mechanism == "" && len(user) > 0:
		l.Mechanism = "none"
	case l.Mechanism == "":
		return msgs
	}
	l.User = jsonText(user, maxUser)
	l.Default = l.Clear && factoryDefault([]byte(l.User), secret)
	return s.attempt.begin(dir, l, msgs)
}

func natsInfo(object []byte) *NATS {
	m := &NATS{Server: &NATSPeer{}}
	jsonMembers(object, func(name, value []byte) {
		switch string(name) {
		case "server_name":
			m.Server.Name = jsonText(value, maxNATSText)
		case "version":
			m.Server.Version = jsonText(value, maxNATSText)
		case "cluster":
			m.Server.Cluster = jsonText(value, maxNATSText)
		case "auth_required":
			m.AuthRequired = string(value) == "true"
		case "tls_required":
			m.TLSRequired = string(value) == "true"
		}
	})
	return m
}
