package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// PostgreSQL is a request to a PostgreSQL server with what it answers (protocol
// 3, chapter "Frontend/Backend Protocol" of its documentation): of the start of
// a session every one, of statements those unlike earlier ones.
type PostgreSQL struct {
	Request    PgRequest
	Minor      uint16        // of a start: the version of the protocol is 3.Minor
	User       string        // of a start, at most 256 bytes
	Parameters []PgParameter // of a start, but for the user
	Mechanism  string        // of an authentication: of SASL, "" else
	Statement  string        // without data, see maskSQL; at most 1 KiB
	Process    uint32        // of a cancellation: whose

	Answer    PgAnswer
	Status    []PgParameter // of the server, after a login
	Backend   uint32        // process of the session, after a login
	Completed string        // what was done, such as "SELECT 3"
	Columns   int           // of the result, or of what is copied
	Rows      int           // of the result, or copied
	Size      int64         // of their values, bytes
	Copy      PgCopy        // what Rows and Size are about
	CopyDone  bool          // who sends bulk data has said that this is all
	Error     *PgError      // nil if there was none
	Truncated bool          // the end of the request was never seen
}

// Protocol implements Message.
func (*PostgreSQL) Protocol() string { return "pgsql" }

// PgRequest is what a client wants.
type PgRequest uint8

// Requests.
const (
	PgSSL      PgRequest = iota + 1 // TLS
	PgGSS                           // encryption by GSSAPI
	PgStart                         // a session
	PgSASL                          // to log in by SASL: the first message
	PgProof                         // to log in: a password, or what follows by SASL
	PgQuery                         // a simple query
	PgPrepared                      // a statement that is prepared
	PgCancel                        // to have a query of another session canceled
	PgEnd                           // the end of the session
)

// PgAnswer is what a server says to the start of a session.
type PgAnswer uint8

// Answers.
const (
	PgNone         PgAnswer = iota
	PgAccepted              // encryption follows
	PgRefused               // no encryption
	PgOK                    // logged in
	PgPassword              // asks for a password
	PgMD5                   // asks for a hash of it
	PgGSSAPI                // asks for GSSAPI
	PgSSPI                  // asks for SSPI
	PgMechanisms            // asks for SASL
	PgSASLContinue          // SASL goes on
)

// PgCopy tells bulk data from rows of a result.
type PgCopy uint8

// Directions of bulk data, as the server sees them.
const (
	PgNoCopy PgCopy = iota
	PgCopyIn
	PgCopyOut
)

// PgParameter is a parameter of a session, such as application_name. The name
// has at most 64 bytes, the value 256.
type PgParameter struct{ Name, Value string }

const (
	pgMajor       = 3
	maxPgMinor    = 9999 // 3.9999 is sent on purpose, to exercise negotiation (PostgreSQL 19)
	pgCancel      = 80877102
	pgTLSRequest  = 80877103
	pgGSSRequest  = 80877104
	maxPgLogin    = 8 << 10 // of a message before the login
	maxPgMessage  = 2 << 10 // that is looked at of a later one
	maxPgStatuses = 32
	maxPgName     = 64
	pgPassword    = "password" // authentication request 3
)

var errPgMessage = fmt.Errorf("read pgsql message: %w", ErrMalformed)

// pgStream follows a session.
type pgStream struct {
	started bool // the startup message has been read
	ready   bool // the login is over
	asked   bool // the client asked for encryption, to which one byte answers
	asking  PgRequest
	sasl    bool // the server has asked for SASL, and the client has not begun
	user    string
	attempt attempt
	login   *PostgreSQL // the request before the login that is to be answered
	queries pgQueries
	skip    [2]int64
}

func newPgStream() Stream { return &pgStream{} }

var (
	_ Flusher  = (*pgStream)(nil)
	_ Skipper  = (*pgStream)(nil)
	_ Retainer = (*pgStream)(nil)
)

// Feed implements Stream.
func (s *pgStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		rest := b[n:]
		if s.skip[dir] > 0 {
			passed := min(s.skip[dir], int64(len(rest)))
			s.skip[dir] -= passed
			n += int(passed)
			continue
		}
		if s.asked && dir != s.attempt.from && rest[0] == 'E' { // a server that does not know the request
			s.asked, s.login = false, &PostgreSQL{Request: s.asking}
		}
		if s.asked && dir != s.attempt.from {
			s.asked = false
			m := &PostgreSQL{Request: s.asking, Answer: PgRefused}
			if rest[0] == 'S' || rest[0] == 'G' {
				m.Answer = PgAccepted
				return n + 1, append(msgs, m), ErrUpgrade
			}
			msgs = append(msgs, m)
			n++
			continue
		}
		used, size, err := s.frame(dir, rest)
		if err != nil {
			return n, s.end(msgs), err
		}
		if used == 0 {
			break
		}
		if msgs, err = s.read(dir, rest[:used], used < size, msgs); err != nil {
			return n + used, s.end(msgs), err
		}
		n += used
		s.skip[dir] = int64(size - used)
	}
	return n, msgs, nil
}

// frame returns how many bytes of the message at the head of b are looked at, 0
// if they are not there yet, and how long it is.
func (s *pgStream) frame(dir Dir, b []byte) (used, size int, err error) {
	kind := 1 // the type, before the length
	switch {
	case s.started:
	case dir == FromServer:
		s.ready = s.ready || s.login == nil // joined within a session: no server speaks first
	case b[0] == 'Q': // too: no startup message is 1.3 GiB long
		s.started, s.ready, s.attempt.from = true, true, dir
	default:
		kind = 0
	}
	if len(b) < kind+4 {
		return 0, 0, nil
	}
	length := binary.BigEndian.Uint32(b[kind:])
	if length < 4 || length > math.MaxInt32 || !s.ready && length > maxPgLogin {
		return 0, 0, errPgMessage
	}
	size = kind + int(length)
	used = size
	if s.ready {
		used = min(size, s.queries.wants(b[0]))
	}
	if len(b) < used {
		return 0, 0, nil
	}
	return used, size, nil
}

// read reads one message.
func (s *pgStream) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	switch {
	case !s.started && dir == FromClient:
		return s.startup(dir, b[4:], false, msgs)
	case !s.ready:
		return s.message(dir, b[0], b[5:], msgs)
	case b[0] == 'X' && dir == s.attempt.from:
		return append(msgs, &PostgreSQL{Request: PgEnd}), ErrDone
	case dir == s.attempt.from:
		return msgs, s.queries.request(b, cut)
	}
	return s.queries.answer(b, msgs), nil
}

// Skip implements Skipper.
func (s *pgStream) Skip(dir Dir) int64 {
	n := s.skip[dir]
	s.skip[dir] = 0
	return n
}

// Retained implements Retainer.
func (s *pgStream) Retained() int { return s.queries.retained() }

// Flush implements Flusher.
func (s *pgStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if !s.started && dir == FromClient && len(b) > 8 {
		msgs, _ = s.startup(dir, b[4:], true, msgs) // what it says is all there is
	}
	if dir == s.attempt.from {
		return msgs // the server may still answer
	}
	return s.end(msgs)
}

// end tells what was not answered.
func (s *pgStream) end(msgs []Message) []Message {
	return s.queries.end(s.attempt.end(OutcomeUnknown, s.tell(msgs)))
}

// tell tells the request before the login that is answered, or will not be.
func (s *pgStream) tell(msgs []Message) []Message {
	if s.login == nil {
		return msgs
	}
	m := s.login
	s.login = nil
	return append(msgs, m)
}

func (s *pgStream) startup(dir Dir, body []byte, cut bool, msgs []Message) ([]Message, error) {
	s.attempt.from = dir
	c := cursor{b: body}
	code := c.u32()
	switch {
	case code == pgTLSRequest, code == pgGSSRequest:
		s.asked, s.asking = true, PgSSL
		if code == pgGSSRequest {
			s.asking = PgGSS
		}
		return msgs, nil
	case code == pgCancel:
		return append(msgs, &PostgreSQL{Request: PgCancel, Process: c.u32()}), ErrDone
	case code>>16 != pgMajor:
		return msgs, errPgMessage
	}
	m := &PostgreSQL{Request: PgStart, Minor: uint16(code), Truncated: cut}
	for len(m.Parameters) < maxPgStatuses {
		p, ok := pgParameter(&c)
		if !ok {
			break
		}
		if p.Name == "user" {
			m.User = p.Value
			continue
		}
		m.Parameters = append(m.Parameters, p)
	}
	s.started, s.user, s.login = true, m.User, m
	return s.attempt.begin(dir, &Login{Service: "pgsql", User: m.User}, msgs), nil
}

// pgParameter reads a name and a value, each with a zero behind it.
func pgParameter(c *cursor) (p PgParameter, ok bool) {
	name, rest, ok := bytes.Cut(c.b, []byte{0})
	value, after, complete := bytes.Cut(rest, []byte{0})
	if !ok || len(name) == 0 || !complete {
		return PgParameter{}, false
	}
	c.b = after
	return PgParameter{text(name, maxPgName), userText(value)}, true
}

// message reads a message of the login: authentication requests, answers to
// them, errors, and what the server says of itself.
func (s *pgStream) message(dir Dir, kind byte, body []byte, msgs []Message) ([]Message, error) {
	if dir == s.attempt.from {
		if kind == 'p' {
			return s.proof(body, msgs), nil
		}
		return msgs, nil
	}
	c := cursor{b: body}
	switch kind {
	case 'R':
		return s.authentication(c.u32(), msgs), nil
	case 'S':
		if p, ok := pgParameter(&c); ok && s.login != nil && len(s.login.Status) < maxPgStatuses {
			s.login.Status = append(s.login.Status, p)
		}
	case 'K':
		if s.login != nil {
			s.login.Backend = c.u32()
		}
	case 'Z':
		s.ready = true
		return s.attempt.end(OutcomeUnknown, s.tell(msgs)), nil
	case 'E':
		if s.login != nil {
			s.login.Error = pgErrorOf(body, false)
		}
		return s.attempt.end(pgOutcome(body), s.tell(msgs)), ErrDone
	}
	return msgs, nil
}

// proof reads what the client logs in with.
func (s *pgStream) proof(body []byte, msgs []Message) []Message {
	msgs = s.tell(msgs)
	s.login = &PostgreSQL{Request: PgProof}
	l := s.attempt.login
	switch {
	case l == nil:
	case l.Mechanism == pgPassword:
		secret, _, _ := bytes.Cut(body, []byte{0})
		l.Clear, l.Default = true, factoryDefault([]byte(s.user), secret)
	case s.sasl:
		name, _, _ := bytes.Cut(body, []byte{0})
		s.sasl = false
		s.login.Request, s.login.Mechanism = PgSASL, text(name, maxMechanism)
	}
	return msgs
}

// authentication reads what the server wants the client to do.
func (s *pgStream) authentication(code uint32, msgs []Message) []Message {
	const ok, clear, md5, gss, gssContinue, sspi, sasl, saslContinue = 0, 3, 5, 7, 8, 9, 10, 11
	var answer PgAnswer
	mechanism := ""
	switch code {
	case ok:
		if s.login != nil {
			s.login.Answer = PgOK
		}
		if l := s.attempt.login; l != nil && l.Mechanism == "" {
			l.Mechanism = "trust" // nothing was asked
		}
		return s.attempt.end(Succeeded, msgs) // the session is told when it is ready
	case clear:
		answer, mechanism = PgPassword, pgPassword
	case md5:
		answer, mechanism = PgMD5, "md5"
	case gss, gssContinue:
		answer, mechanism = PgGSSAPI, "GSSAPI"
	case sspi:
		answer, mechanism = PgSSPI, "GSSAPI"
	case sasl:
		answer, mechanism, s.sasl = PgMechanisms, "SCRAM-SHA-256", true
	case saslContinue:
		answer = PgSASLContinue
	default: // the end of SASL, which the outcome follows
		return msgs
	}
	if l := s.attempt.login; l != nil && mechanism != "" {
		l.Mechanism = mechanism
	}
	if s.login != nil {
		s.login.Answer = answer
	}
	return s.tell(msgs)
}
