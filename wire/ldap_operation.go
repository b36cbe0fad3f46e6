package wire

import "fmt"

var errLDAPDatagram = fmt.Errorf("read ldap datagram: %w", ErrNotMine)

// ldapResponseTag is the tag of the response that ends an operation.
func ldapResponseTag(operation string) byte {
	switch operation {
	case "bind":
		return ldapBindResponse
	case "search":
		return ldapSearchDone
	case "modify":
		return ldapModifyResponse
	case "add":
		return ldapAddResponse
	case "del":
		return ldapDelResponse
	case "mod_dn":
		return ldapModDNResponse
	case "compare":
		return ldapCompareResponse
	}
	return ldapExtendedResponse
}

// ldapOperation reads a request that is neither a bind nor extended, nil if it
// is none.
func ldapOperation(tag byte, body []byte) *LDAP {
	op := inner(body)
	m := &LDAP{Result: -1}
	switch tag {
	case ldapUnbind:
		m.Operation = "unbind"
	case ldapAbandon:
		m.Operation = "abandon"
	case ldapDel:
		m.Operation, m.Name = "del", userText(body)
	case ldapSearch:
		m.Operation, m.Name, m.Search = "search", userText(op.want(berOctets)), &LDAPSearch{}
		m.Search.read(op)
	case ldapModify:
		m.Operation, m.Name = "modify", userText(op.want(berOctets))
		m.modifications(inner(op.want(berSequence)))
	case ldapAdd:
		m.Operation, m.Name = "add", userText(op.want(berOctets))
		for list := inner(op.want(berSequence)); len(list.b) > 0 && len(m.Changes) < maxLDAPList; {
			m.change(0, inner(list.want(berSequence)))
		}
	case ldapModDN:
		m.Operation, m.Name = "mod_dn", userText(op.want(berOctets))
		m.Rename = &LDAPRename{RDN: userText(op.want(berOctets)), DeleteOld: berBool(op.want(berBoolean))}
		m.Rename.Superior = userText(op.maybe(0x80))
	case ldapCompare:
		m.Operation, m.Name = "compare", userText(op.want(berOctets))
		m.Compare = userText(inner(op.want(berSequence)).want(berOctets))
	default:
		return nil
	}
	return m
}

const berBoolean = 0x01

func berBool(v []byte) bool { return len(v) == 1 && v[0] != 0 }

// read reads what is behind the base of a search (RFC 4511 section 4.5.1).
func (m *LDAPSearch) read(op *berReader) {
	const present = 0x87
	m.Scope, m.Deref = berInt(op.want(berEnumerated)), berInt(op.want(berEnumerated))
	m.SizeLimit, m.TimeLimit = berInt(op.want(berInteger)), berInt(op.want(berInteger))
	m.TypesOnly = berBool(op.want(berBoolean))
	if tag, filter := op.next(); tag == present {
		m.Present = userText(filter)
	}
	for list := inner(op.maybe(berSequence)); len(list.b) > 0 && len(m.Attributes) < maxLDAPList; {
		m.Attributes = append(m.Attributes, userText(list.want(berOctets)))
	}
}

// modifications reads what is changed (section 4.6), without the values.
func (m *LDAP) modifications(list *berReader) {
	for len(list.b) > 0 && len(m.Changes) < maxLDAPList {
		change := inner(list.want(berSequence))
		operation := berInt(change.want(berEnumerated))
		m.change(operation, inner(change.want(berSequence)))
	}
}

// change notes an attribute, whose values are passed over.
func (m *LDAP) change(operation int, attribute *berReader) {
	if name := attribute.want(berOctets); name != nil {
		m.Changes = append(m.Changes, LDAPChange{operation, userText(name)})
	}
}

// found notes an entry that a search has found.
func (s *ldapFraming) found(id int, op *berReader) {
	for _, m := range s.waits {
		if m.ID != id || m.Search == nil {
			continue
		}
		if m.Entries++; len(m.Found) < maxLDAPFound {
			m.Found = append(m.Found, userText(op.want(berOctets)))
		}
	}
}

// cutText is at most n bytes of b.
func cutText(b []byte, n int) []byte { return b[:min(len(b), n)] }

// ldapFlow is LDAP over UDP ([MS-ADTS] section 6.3.3), with which Windows looks
// for domain controllers: the messages of a datagram.
type ldapFlow struct{ framing ldapFraming }

var _ Flusher = (*ldapFlow)(nil)

func newLDAPFlow() Datagrams { return &ldapFlow{} }

// sniffLDAPDatagram recognises a message that fills a datagram.
func sniffLDAPDatagram(b []byte) bool {
	_, size, ok := berHeader(b)
	return ok && size == len(b) && sniffLDAP(FromClient, b) == Yes
}

// Datagram implements Datagrams.
func (f *ldapFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	for n := 0; len(b) > 0; n++ {
		header, size, ok := berHeader(b)
		if !ok || header == 0 || b[0] != berSequence || header >= len(b) || b[header] != berInteger {
			if n > 0 {
				return msgs, nil // what follows a message is not ours to judge
			}
			return msgs, errLDAPDatagram
		}
		end := min(size, len(b))
		read, err := f.framing.read(dir, b[:end:end], end < size, msgs)
		if msgs = read; err != nil {
			return msgs, err
		}
		b = b[end:]
	}
	return msgs, nil
}

// Retained implements Retainer.
func (f *ldapFlow) Retained() int { return f.framing.retained() }

// Flush implements Flusher.
func (f *ldapFlow) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	return f.framing.ended(dir, msgs)
}
