package wire

import (
	"bytes"
	"fmt"
)

// LDAP is a bind or an extended operation with its result (RFC 4511).
type LDAP struct {
	Operation string // "bind", "extended"
	Version   int    // of a bind: 2 or 3
	Name      string // DN of a bind, OID of an extended operation, at most 256 bytes
	Mechanism string // "simple", or that of SASL
	Result    int    // resultCode (RFC 4511 section 4.1.9), -1 if none was seen
}

// Protocol implements Message.
func (*LDAP) Protocol() string { return "ldap" }

// Tags of operations and result codes.
const (
	ldapBindRequest      = 0x60
	ldapBindResponse     = 0x61
	ldapExtendedRequest  = 0x77
	ldapExtendedResponse = 0x78
	ldapSaslBindProgress = 14
	ldapInvalidLogin     = 49
	ldapStartTLS         = "1.3.6.1.4.1.1466.20037"

	// maxLDAPMessage bounds what is read of a message: a bind with a Kerberos
	// ticket has some 4 KiB.
	maxLDAPMessage = 8 << 10
)

var errLDAP = fmt.Errorf("read ldap message: %w", ErrMalformed)

type ldapFraming struct {
	waits   *LDAP
	id      int
	client  Dir
	attempt attempt
	bound   bool
}

func newLDAPStream() Stream { return &framedStream{framing: &ldapFraming{}, head: maxLDAPMessage} }

// sniffLDAP recognises a message by its structure: a sequence with a message
// id and an operation that opens connections.
func sniffLDAP(_ Dir, b []byte) Match {
	if len(b) > 0 && b[0] != berSequence {
		return No
	}
	header, size, ok := berHeader(b)
	switch {
	case !ok || header > 0 && (size-header > 1<<20 || len(b) > header && b[header] != berInteger):
		return No
	case header == 0 || len(b) < header+3:
		return Maybe
	}
	id := b[header:]
	n := int(id[1])
	if n < 1 || n > 4 || n > 1 && id[2] == 0 && len(id) > 3 && id[3] < 0x80 {
		return No
	}
	if len(id) < 2+n+2 {
		return Maybe
	}
	return sniffLDAPOperation(id[2+n:])
}

// sniffLDAPOperation judges the operation: a bind must have its version next,
// a result its code, a search its base and scope, an extended operation an OID.
func sniffLDAPOperation(op []byte) Match {
	header, _, ok := berHeader(op)
	if !ok {
		return No
	}
	var want []byte
	switch op[0] {
	case ldapBindRequest:
		want = []byte{berInteger, 1}
	case ldapBindResponse, ldapExtendedResponse:
		want = []byte{berEnumerated, 1}
	case ldapExtendedRequest:
		want = []byte{0x80}
	case 0x63: // search
		want = []byte{berOctets}
	default:
		return No
	}
	if header == 0 {
		return Maybe
	}
	m := prefix(op[header:], want)
	if m != Yes {
		return m
	}
	rest := op[header+len(want):]
	switch op[0] {
	case ldapBindRequest:
		if len(rest) == 0 {
			return Maybe
		}
		if rest[0] != 2 && rest[0] != 3 {
			return No
		}
	case ldapExtendedRequest:
		if len(rest) < 3 {
			return Maybe
		}
		return maybeYes(rest[1] == '1' && rest[2] == '.')
	case 0x63:
		if len(rest) == 0 {
			return Maybe
		}
		n := int(rest[0])
		if n >= 0x80 {
			return No
		}
		if len(rest) < n+4 {
			return Maybe
		}
		return maybeYes(rest[n+1] == berEnumerated && rest[n+2] == 1 && rest[n+3] <= 3)
	}
	return Yes
}

func maybeYes(ok bool) Match {
	if ok {
		return Yes
	}
	return No
}

func (s *ldapFraming) size(b []byte) (int, error) {
	header, size, ok := berHeader(b)
	if !ok || b[0] != berSequence {
		if s.bound {
			return 0, ErrDone // SASL may go on signed or encrypted (RFC 4513 section 5.2.1.3)
		}
		return 0, errLDAP
	}
	if header == 0 {
		return 0, nil
	}
	return size, nil
}

func (s *ldapFraming) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	r := inner(inner(b).want(berSequence))
	id := berInt(r.want(berInteger))
	tag, body := r.next()
	op := inner(body)
	switch tag {
	case ldapBindRequest:
		m := &LDAP{Operation: "bind", Version: berInt(op.want(berInteger)), Result: -1}
		m.Name = userText(op.want(berOctets))
		if op.short {
			return msgs, cutOr(cut, errLDAP)
		}
		msgs = s.asked(dir, id, m, msgs)
		kind, credentials := op.next()
		return s.bind(dir, m, kind, credentials, op.short, msgs), nil
	case ldapExtendedRequest:
		return s.asked(dir, id, &LDAP{Operation: "extended", Name: userText(op.want(0x80)), Result: -1}, msgs), nil
	case ldapBindResponse, ldapExtendedResponse:
		if s.waits == nil || id != s.id {
			return msgs, nil
		}
		return s.answered(berInt(op.want(berEnumerated)), msgs)
	}
	return msgs, nil
}

func (s *ldapFraming) asked(dir Dir, id int, m *LDAP, msgs []Message) []Message {
	if s.waits != nil {
		msgs = append(msgs, s.waits)
	}
	s.waits, s.id, s.client = m, id, dir
	return msgs
}

// bind reads the credentials of a bind request (RFC 4511 section 4.2; Windows
// has three tags of its own for NTLM, [MS-ADTS] 5.1.1.1.3).
func (s *ldapFraming) bind(dir Dir, m *LDAP, kind byte, credentials []byte, short bool, msgs []Message) []Message {
	l := &Login{Service: "ldap", User: m.Name}
	switch kind {
	case 0x80:
		m.Mechanism = "simple"
		if m.Name == "" && len(credentials) == 0 {
			m.Mechanism = "anonymous"
		}
		l.Clear = len(credentials) > 0
		l.Default = l.Clear && !short && factoryDefault([]byte(accountOf(m.Name)), credentials)
	case 0xa3:
		r := inner(credentials)
		m.Mechanism = userText(r.want(berOctets))
		s.ntlm(l, r.maybe(berOctets))
	case 0x89, 0x8a, 0x8b:
		m.Mechanism = "NTLM"
		s.ntlm(l, credentials)
	}
	l.Mechanism = m.Mechanism
	if s.attempt.login != nil { // a further step of SASL
		if l.User != "" {
			s.attempt.login.User = l.User
		}
		return msgs
	}
	return s.attempt.begin(dir, l, msgs)
}

func (s *ldapFraming) ntlm(l *Login, blob []byte) {
	if token, kind := findNTLM(blob); kind == ntlmAuthenticate {
		if who := parseNTLM(token); who != nil {
			l.User = who.login("").User
		}
	}
}

// accountOf is the value of the first part of a DN: "admin" of "cn=admin,dc=x".
func accountOf(dn string) string {
	b, _, _ := bytes.Cut([]byte(dn), []byte(","))
	if _, value, ok := bytes.Cut(b, []byte("=")); ok {
		return string(value)
	}
	return dn
}

func (s *ldapFraming) answered(result int, msgs []Message) ([]Message, error) {
	m := s.waits
	s.waits = nil
	m.Result = result
	msgs = append(msgs, m)
	switch {
	case m.Operation == "extended":
		if m.Name == ldapStartTLS && result == 0 {
			return msgs, ErrUpgrade
		}
	case result == ldapSaslBindProgress:
	case result == 0:
		s.bound = m.Mechanism != "simple" && m.Mechanism != "anonymous"
		return s.attempt.end(Succeeded, msgs), nil
	case result == ldapInvalidLogin || result == 48 || result == 50 || result == 53:
		return s.attempt.end(Failed, msgs), nil
	default:
		return s.attempt.end(OutcomeUnknown, msgs), nil
	}
	return msgs, nil
}

func (s *ldapFraming) ended(dir Dir, msgs []Message) []Message {
	if s.waits != nil && dir == s.client {
		return msgs // the server may still answer
	}
	if s.waits != nil {
		msgs = append(msgs, s.waits)
		s.waits = nil
	}
	return s.attempt.end(OutcomeUnknown, msgs)
}
