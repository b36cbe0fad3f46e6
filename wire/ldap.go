package wire

import (
	"bytes"
	"fmt"
	"slices"
)

// LDAP is one operation with its result (RFC 4511): a bind, a search, a change,
// an extended operation. Of a connection the first 64 are told, later binds and
// extended operations alone. Values of attributes, which may be secrets, are
// never looked at.
type LDAP struct {
	ID        int    // of the message
	Operation string // "bind", "unbind", "search", "modify", "add", "del", "mod_dn", "compare", "abandon", "extended"
	Version   int    // of a bind: 2 or 3
	Name      string // DN that it is about, base of a search, OID of an extended operation, at most 256 bytes
	Mechanism string // "simple", or that of SASL
	Search    *LDAPSearch
	// Attributes of an entry that is added, or what is changed of one, at most 16.
	Changes []LDAPChange
	Rename  *LDAPRename
	Compare string   // the attribute that is compared
	Entries int      // of a search: how many were found
	Found   []string // their names, at most 8 of 256 bytes
	Result  int      // resultCode (RFC 4511 section 4.1.9), -1 if none was seen
	Matched string   // DN that was found instead, at most 256 bytes
	Message string   // diagnostic message of the server, at most 256 bytes
}

// LDAPSearch is what a search asks for.
type LDAPSearch struct {
	Scope, Deref         int // 0 base, 1 one level, 2 subtree; 0 never to 3 always
	SizeLimit, TimeLimit int // entries, seconds; 0 is none
	TypesOnly            bool
	Present              string   // attribute that a filter wants to be there, "" if it is another filter
	Attributes           []string // that are asked for, at most 16 of 256 bytes
}

// LDAPChange is one of an entry's attributes and what becomes of it.
type LDAPChange struct {
	Operation int    // 0 add, 1 delete, 2 replace, 3 increment
	Attribute string // at most 256 bytes
}

// LDAPRename is the new name of an entry.
type LDAPRename struct {
	RDN, Superior string // at most 256 bytes each
	DeleteOld     bool
}

// Protocol implements Message.
func (*LDAP) Protocol() string { return "ldap" }

// Tags of operations and result codes.
const (
	ldapBindRequest      = 0x60
	ldapBindResponse     = 0x61
	ldapExtendedRequest  = 0x77
	ldapExtendedResponse = 0x78
	ldapUnbind           = 0x42
	ldapSearch           = 0x63
	ldapSearchEntry      = 0x64
	ldapSearchDone       = 0x65
	ldapModify           = 0x66
	ldapModifyResponse   = 0x67
	ldapAdd              = 0x68
	ldapAddResponse      = 0x69
	ldapDel              = 0x4a
	ldapDelResponse      = 0x6b
	ldapModDN            = 0x6c
	ldapModDNResponse    = 0x6d
	ldapCompare          = 0x6e
	ldapCompareResponse  = 0x6f
	ldapAbandon          = 0x50
	ldapSaslBindProgress = 14
	ldapInvalidLogin     = 49
	ldapStartTLS         = "1.3.6.1.4.1.1466.20037"

	// maxLDAPMessage bounds what is read of a message: a bind with a Kerberos
	// ticket has some 4 KiB.
	maxLDAPMessage = 8 << 10
	maxLDAPPending = 16 // operations that wait for their result
	maxLDAPTold    = 64 // operations that are told whatever they are
	maxLDAPList    = 16 // attributes that are named
	maxLDAPFound   = 8  // entries that are
)

var errLDAP = fmt.Errorf("read ldap message: %w", ErrMalformed)

type ldapFraming struct {
	waits   []*LDAP // at most maxLDAPPending
	told    int
	client  Dir
	attempt attempt
	bound   bool
}

// ldapStream is LDAP over TCP.
type ldapStream struct {
	framedStream
	ldap ldapFraming
}

func newLDAPStream() Stream {
	s := &ldapStream{}
	s.framing, s.head = &s.ldap, maxLDAPMessage
	return s
}

// Retained implements Retainer.
func (s *ldapStream) Retained() int { return s.ldap.retained() }

// retained is at least what the operations that wait take: names of attributes
// and of entries.
func (s *ldapFraming) retained() int {
	const each = maxLDAPList*maxUser + maxLDAPFound*maxUser
	return each * len(s.waits)
}

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
		return matchIf(rest[1] == '1' && rest[2] == '.')
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
		return matchIf(rest[n+1] == berEnumerated && rest[n+2] == 1 && rest[n+3] <= 3)
	}
	return Yes
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
		m := &LDAP{ID: id, Operation: "bind", Version: berInt(op.want(berInteger)), Result: -1}
		m.Name = userText(op.want(berOctets))
		if op.short {
			return msgs, cutOr(cut, errLDAP)
		}
		msgs = s.asked(dir, m, msgs)
		kind, credentials := op.next()
		return s.bind(dir, m, kind, credentials, op.short, msgs), nil
	case ldapExtendedRequest:
		return s.asked(dir, &LDAP{ID: id, Operation: "extended", Name: userText(op.want(0x80)), Result: -1}, msgs), nil
	case ldapBindResponse, ldapExtendedResponse, ldapSearchDone, ldapModifyResponse, ldapAddResponse, ldapDelResponse, ldapModDNResponse, ldapCompareResponse:
		return s.answered(id, tag, op, msgs)
	case ldapSearchEntry:
		s.found(id, op)
		return msgs, nil
	}
	if s.told >= maxLDAPTold {
		return msgs, nil
	}
	if m := ldapOperation(tag, body); m != nil {
		m.ID = id
		if m.Operation == "unbind" || m.Operation == "abandon" { // not answered
			s.told++
			return append(msgs, m), nil
		}
		return s.asked(dir, m, msgs), nil
	}
	return msgs, nil
}

// asked notes an operation. What has waited longest gives way, and is told as
// it is.
func (s *ldapFraming) asked(dir Dir, m *LDAP, msgs []Message) []Message {
	if len(s.waits) == maxLDAPPending {
		msgs = append(msgs, s.waits[0])
		s.waits = slices.Delete(s.waits, 0, 1)
	}
	s.told++
	s.waits, s.client = append(s.waits, m), dir
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

// answered reads the result of an operation.
func (s *ldapFraming) answered(id int, tag byte, op *berReader, msgs []Message) ([]Message, error) {
	i := slices.IndexFunc(s.waits, func(m *LDAP) bool { return m.ID == id && ldapResponseTag(m.Operation) == tag })
	if i < 0 {
		return msgs, nil
	}
	m := s.waits[i]
	s.waits = slices.Delete(s.waits, i, i+1)
	m.Result = berInt(op.want(berEnumerated))
	m.Matched, m.Message = userText(op.want(berOctets)), plainText(cutText(op.want(berOctets), maxUser))
	msgs = append(msgs, m)
	switch {
	case m.Operation == "extended":
		if m.Name == ldapStartTLS && m.Result == 0 {
			return msgs, ErrUpgrade
		}
	case m.Operation != "bind" || m.Result == ldapSaslBindProgress:
	case m.Result == 0:
		s.bound = m.Mechanism != "simple" && m.Mechanism != "anonymous"
		return s.attempt.end(Succeeded, msgs), nil
	case m.Result == ldapInvalidLogin || m.Result == 48 || m.Result == 50 || m.Result == 53:
		return s.attempt.end(Failed, msgs), nil
	default:
		return s.attempt.end(OutcomeUnknown, msgs), nil
	}
	return msgs, nil
}

func (s *ldapFraming) ended(dir Dir, msgs []Message) []Message {
	if len(s.waits) > 0 && dir == s.client {
		return msgs // the server may still answer
	}
	for _, m := range s.waits {
		msgs = append(msgs, m)
	}
	s.waits = nil
	return s.attempt.end(OutcomeUnknown, msgs)
}
