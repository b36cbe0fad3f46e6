package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// PostgreSQL is the start of a session with a PostgreSQL server (protocol 3,
// chapter "Frontend/Backend Protocol" of its documentation). What follows the
// login is not read.
type PostgreSQL struct {
	User, Database, Application string // at most 256 bytes each
	Truncated                   bool   // the end of the message was never seen
}

// Protocol implements Message.
func (*PostgreSQL) Protocol() string { return "pgsql" }

const (
	pgVersion3   = 3 << 16
	pgCancel     = 80877102
	pgTLSRequest = 80877103
	pgGSSRequest = 80877104
	maxPgMessage = 8 << 10
	pgPassword   = "password" // authentication request 3
)

var errPgMessage = fmt.Errorf("read pgsql message: %w", ErrMalformed)

// pgStream follows a session up to the end of the login.
type pgStream struct {
	started bool // the startup message has been read
	asked   bool // the client asked for encryption, to which one byte answers
	user    string
	attempt attempt
}

func newPgStream() Stream { return &pgStream{} }

var _ Flusher = (*pgStream)(nil)

// sniffPostgreSQL recognises a startup message by its length, its version and
// its first parameter, or a request for encryption.
func sniffPostgreSQL(_ Dir, b []byte) Match {
	n := min(len(b), 8)
	request := [8]byte{0, 0, 0, 8, 4, 210, 22, 47} // length 8, code 80877103 or ...104
	if n > 0 && b[0] != 0 || n > 1 && b[1] != 0 {
		return No
	}
	if n < 8 {
		startup := n < 5 || b[4] == 0 && (n < 6 || b[5] == 3)
		return maybeIf(startup || bytes.Equal(b[:n], request[:n]))
	}
	size, code := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	switch {
	case size == 8 && (code == pgTLSRequest || code == pgGSSRequest):
		return Yes
	case code != pgVersion3 || size < 16:
		return No
	}
	for _, name := range [...]string{"user\x00", "database\x00", "application_name\x00", "client_encoding\x00"} {
		if m := prefix(b[8:], []byte(name)); m != No {
			return m
		}
	}
	return No
}

// Feed implements Stream.
func (s *pgStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		rest := b[n:]
		if s.asked && dir != s.attempt.from {
			s.asked = false
			if rest[0] == 'S' || rest[0] == 'G' {
				return n + 1, msgs, ErrUpgrade
			}
			n++
			continue
		}
		head := 1 // type, before the length
		if !s.started && dir == FromClient {
			head = 0
		}
		if len(rest) < head+4 {
			break
		}
		size := binary.BigEndian.Uint32(rest[head:])
		if size < 4 || size > maxPgMessage {
			return n, s.attempt.end(OutcomeUnknown, msgs), errPgMessage
		}
		end := head + int(size)
		if len(rest) < end {
			break
		}
		var err error
		if head == 0 {
			msgs, err = s.startup(dir, rest[4:end], false, msgs)
		} else {
			msgs, err = s.message(dir, rest[0], rest[5:end], msgs)
		}
		n += end
		if err != nil {
			return n, s.attempt.end(OutcomeUnknown, msgs), err
		}
	}
	return n, msgs, nil
}

// Flush implements Flusher.
func (s *pgStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if !s.started && dir == FromClient && len(b) > 8 {
		msgs, _ = s.startup(dir, b[4:], true, msgs) // what it says is all there is
	}
	return s.attempt.flush(dir, msgs)
}

func (s *pgStream) startup(dir Dir, body []byte, cut bool, msgs []Message) ([]Message, error) {
	s.attempt.from = dir
	c := cursor{b: body}
	switch c.u32() {
	case pgTLSRequest, pgGSSRequest:
		s.asked = true
		return msgs, nil
	case pgCancel:
		return msgs, ErrDone
	case pgVersion3:
	default:
		return msgs, errPgMessage
	}
	m := &PostgreSQL{Truncated: cut}
	for range 32 {
		name, rest, ok := bytes.Cut(c.b, []byte{0})
		value, after, complete := bytes.Cut(rest, []byte{0})
		if !ok || len(name) == 0 || !complete {
			break
		}
		c.b = after
		switch string(name) {
		case "user":
			m.User = userText(value)
		case "database":
			m.Database = userText(value)
		case "application_name":
			m.Application = userText(value)
		}
	}
	s.started, s.user = true, m.User
	return s.attempt.begin(dir, &Login{Service: "pgsql", User: m.User}, append(msgs, m)), nil
}

// message reads a message after the start: authentication requests, passwords
// and errors.
func (s *pgStream) message(dir Dir, kind byte, body []byte, msgs []Message) ([]Message, error) {
	l := s.attempt.login
	switch {
	case l == nil:
		return msgs, ErrDone
	case kind == 'p' && dir == s.attempt.from && l.Mechanism == pgPassword:
		secret, _, _ := bytes.Cut(body, []byte{0})
		l.Clear, l.Default = true, factoryDefault([]byte(s.user), secret)
	case kind == 'R' && len(body) >= 4:
		switch code := binary.BigEndian.Uint32(body); code {
		case 0:
			if l.Mechanism == "" {
				l.Mechanism = "trust" // nothing was asked
			}
			return s.attempt.end(Succeeded, msgs), ErrDone
		case 3:
			l.Mechanism = pgPassword
		case 5:
			l.Mechanism = "md5"
		case 7, 9:
			l.Mechanism = "GSSAPI"
		case 10:
			l.Mechanism = "SCRAM-SHA-256"
		}
	case kind == 'E':
		return s.attempt.end(pgOutcome(body), msgs), ErrDone
	}
	return msgs, nil
}

// pgOutcome reads the SQLSTATE of an error: class 28 is about who logs in.
func pgOutcome(body []byte) Outcome {
	for field := range bytes.SplitSeq(body, []byte{0}) {
		if len(field) == 6 && field[0] == 'C' && string(field[1:3]) == "28" {
			return Failed
		}
	}
	return OutcomeUnknown
}
