package wire

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ldapMessage is an operation with its number (RFC 4511 section 4.1.1).
func ldapMessage(id, op int, parts ...any) []byte {
	return tlv(0x30, tlv(2, id), tlv(op, parts...))
}

func ldapResultBytes(id, op, code int) []byte {
	return ldapMessage(id, op, tlv(10, code), tlv(4), tlv(4, "done"))
}

// ldapSearchBytes asks for two attributes of what has a class.
func ldapSearchBytes(id int) []byte {
	return ldapMessage(id, ldapSearch, tlv(4, "dc=lan"), tlv(10, 2), tlv(10, 3), tlv(2, 100), tlv(2, 15), tlv(1, 0xff),
		tlv(0x87, "objectClass"), tlv(0x30, tlv(4, "cn"), tlv(4, "mail")))
}

func TestLDAPOperations(t *testing.T) {
	attribute := func(name, value string) []byte { return tlv(0x30, tlv(4, name), tlv(0x31, tlv(4, value))) }
	search := &LDAP{ID: 1, Operation: "search", Name: "dc=lan", Message: "done", Entries: 2, Found: []string{"cn=a", "cn=b"}, Search: &LDAPSearch{
		Scope: 2, Deref: 3, SizeLimit: 100, TimeLimit: 15, TypesOnly: true, Present: "objectClass", Attributes: []string{"cn", "mail"},
	}}
	entry := func(name string) []byte {
		return ldapMessage(1, ldapSearchEntry, tlv(4, name), tlv(0x30, attribute("userPassword", "secret")))
	}
	for _, c := range []struct {
		name        string
		ask, answer []byte
		want        *LDAP
	}{
		{"search", ldapSearchBytes(1), join(entry("cn=a"), entry("cn=b"), ldapResultBytes(1, ldapSearchDone, 0)), search},
		{
			"modify", ldapMessage(2, ldapModify, tlv(4, "cn=a"), tlv(0x30,
				tlv(0x30, tlv(10, 2), attribute("userPassword", "secret")), tlv(0x30, tlv(10, 1), attribute("mail", "")))),
			ldapResultBytes(2, ldapModifyResponse, 50),
			&LDAP{ID: 2, Operation: "modify", Name: "cn=a", Changes: []LDAPChange{{2, "userPassword"}, {1, "mail"}}, Result: 50, Message: "done"},
		},
		{
			"add", ldapMessage(3, ldapAdd, tlv(4, "cn=b"), tlv(0x30, attribute("objectClass", "user"))), ldapResultBytes(3, ldapAddResponse, 68),
			&LDAP{ID: 3, Operation: "add", Name: "cn=b", Changes: []LDAPChange{{0, "objectClass"}}, Result: 68, Message: "done"},
		},
		{
			"del", ldapMessage(4, ldapDel, "cn=b"), ldapResultBytes(4, ldapDelResponse, 0),
			&LDAP{ID: 4, Operation: "del", Name: "cn=b", Message: "done"},
		},
		{
			"mod_dn", ldapMessage(5, ldapModDN, tlv(4, "cn=a"), tlv(4, "cn=z"), tlv(1, 0xff), tlv(0x80, "dc=x")), ldapResultBytes(5, ldapModDNResponse, 0),
			&LDAP{ID: 5, Operation: "mod_dn", Name: "cn=a", Rename: &LDAPRename{"cn=z", "dc=x", true}, Message: "done"},
		},
		{
			"compare", ldapMessage(6, ldapCompare, tlv(4, "cn=a"), tlv(0x30, tlv(4, "userPassword"), tlv(4, "secret"))), ldapResultBytes(6, ldapCompareResponse, 5),
			&LDAP{ID: 6, Operation: "compare", Name: "cn=a", Compare: "userPassword", Result: 5, Message: "done"},
		},
		{"unbind, not answered", ldapMessage(7, ldapUnbind), nil, &LDAP{ID: 7, Operation: "unbind", Result: -1}},
		{"the answer to another message", ldapMessage(8, ldapDel, "cn=b"), ldapResultBytes(9, ldapDelResponse, 0), &LDAP{ID: 8, Operation: "del", Name: "cn=b", Result: -1}},
		{"an answer of another kind", ldapMessage(8, ldapDel, "cn=b"), ldapResultBytes(8, ldapAddResponse, 0), &LDAP{ID: 8, Operation: "del", Name: "cn=b", Result: -1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var in []chunk
			for _, part := range []chunk{{FromClient, c.ask}, {FromServer, c.answer}} {
				if part.b != nil {
					in = append(in, part)
				}
			}
			got, err := playFlushed(t, newLDAPStream(), in, 1)
			if diff := cmp.Diff([]Message{c.want}, got); diff != "" || err != nil {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestLDAPIsBounded: searches without an end are not told for ever, logins are.
func TestLDAPIsBounded(t *testing.T) {
	s := newLDAPStream()
	told := 0
	for i := range 1000 {
		_, msgs, err := s.Feed(FromClient, ldapSearchBytes(i&0x7f), nil)
		if err != nil {
			t.Fatal(err)
		}
		told += len(msgs)
	}
	if kept := len(s.(*ldapStream).ldap.waits); kept > maxLDAPPending || told > maxLDAPTold || s.(Retainer).Retained() == 0 {
		t.Errorf("%d kept, %d told", kept, told)
	}
	_, msgs, err := s.Feed(FromClient, ldapMessage(1, 0x60, tlv(2, 3), tlv(4, "cn=a"), tlv(0x80, "x")), nil)
	_, msgs, _ = s.Feed(FromServer, ldapResultBytes(1, 0x61, 49), msgs)
	if err != nil || !slices.ContainsFunc(msgs, func(m Message) bool { l, ok := m.(*Login); return ok && l.Outcome == Failed }) {
		t.Errorf("no login in %d messages, %v", len(msgs), err)
	}
}

func TestLDAPDatagrams(t *testing.T) {
	ask, answer := ldapSearchBytes(1), join(ldapMessage(1, ldapSearchEntry, tlv(4), tlv(0x30)), ldapResultBytes(1, ldapSearchDone, 0))
	f := newLDAPFlow()
	msgs, err := playDatagrams(t, f, []chunk{{FromClient, ask}, {FromServer, answer}})
	if m, ok := msgs[0].(*LDAP); err != nil || len(msgs) != 1 || !ok || m.Entries != 1 || m.Result != 0 {
		t.Errorf("got %v, %v", msgs, err)
	}
	if !sniffLDAPDatagram(ask) {
		t.Error("a search is not recognised")
	}
	for _, b := range [][]byte{nil, ask[:20], join(ask, 0), []byte("0\x03\x02\x01\x01"), []byte("hello")} {
		if sniffLDAPDatagram(b) {
			t.Errorf("recognised % x", b)
		}
	}
	if _, err := f.Datagram(FromClient, []byte("hello"), nil); err == nil {
		t.Error("read what is no LDAP")
	}
}

func FuzzLDAPDatagrams(f *testing.F) {
	f.Add(ldapSearchBytes(1), join(ldapMessage(1, ldapSearchEntry, tlv(4, "cn=a"), tlv(0x30)), ldapResultBytes(1, ldapSearchDone, 0)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		flow := newLDAPFlow()
		for _, c := range []chunk{{FromClient, a}, {FromServer, b}} {
			_, err := flow.Datagram(c.dir, c.b, nil)
			checkError(t, nil, err)
			if sniffLDAPDatagram(c.b) && errors.Is(err, ErrNotMine) {
				t.Errorf("recognised, but: %v", err)
			}
		}
		flow.(Flusher).Flush(FromServer, nil, nil)
	})
}
