package wire

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tlv is a value in BER; parts as for join.
func tlv(tag int, parts ...any) []byte {
	b := join(parts...)
	if len(b) < 0x80 {
		return join(tag, len(b), b)
	}
	return join(tag, 0x82, len(b)>>8, len(b), b)
}

func TestBERHeader(t *testing.T) {
	for _, c := range []struct {
		in           string
		header, size int
		ok           bool
	}{
		{"", 0, 0, true},
		{"\x30", 0, 0, true},
		{"\x30\x05", 2, 7, true},
		{"\x30\x84\x00\x00\x00\x05", 6, 11, true}, // as Windows writes it
		{"\x30\x84\x00", 0, 0, true},
		{"\x30\x80", 0, 0, false}, // indefinite
		{"\x30\x85\x00\x00\x00\x00\x01", 0, 0, false},
		{"\x30\x84\xff\xff\xff\xff", 0, 0, false},
		{"\x1f\x81\x01\x00", 0, 0, false}, // a long tag
	} {
		header, size, ok := berHeader([]byte(c.in))
		if header != c.header || size != c.size || ok != c.ok {
			t.Errorf("%x: %d %d %v", c.in, header, size, ok)
		}
	}
	for in, want := range map[string]int{"": -1, "\x00": 0, "\xff": -1, "\x01\x00": 256, "\x00\x80": 128, "12345": -1} {
		if got := berInt([]byte(in)); got != want {
			t.Errorf("%x: %d, want %d", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"": "", "\x2b\x06\x01": "1.3.6.1", "\x88\x37": "2.999", "\x2b\x86\x8d\x1f": "1.3.99999",
		"\x2b\x80": "1.3", // cut within a number
	} {
		if got := oidText([]byte(in)); got != want {
			t.Errorf("%x: %q, want %q", in, got, want)
		}
	}
}

// flowCase plays datagrams through the parser of a UDP flow.
type flowCase struct {
	name string
	in   []chunk
	want []Message
	err  error // of the last datagram
}

func playFlows(t *testing.T, newFlow func() Datagrams, cases []flowCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFlow()
			var got []Message
			var err error
			for _, in := range c.in {
				got, err = f.Datagram(in.dir, in.b, got)
			}
			if fl, ok := f.(Flusher); ok {
				got = fl.Flush(FromServer, nil, fl.Flush(FromClient, nil, got))
			}
			if !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if diff := cmp.Diff(c.want, got, equateAddrs); diff != "" {
				t.Errorf("messages differ (-want +got):\n%s", diff)
			}
		})
	}
}

// fuzzFlow: hostile datagrams give messages or one of our errors, and what is
// recognised can be read.
func fuzzFlow(f *testing.F, newFlow func() Datagrams, sniff func([]byte) bool, port uint16, seeds ...[]byte) {
	f.Helper()
	for _, s := range seeds {
		f.Add(s)
	}
	corpusPayloads(f, func(p transport) {
		if p.udp && (p.srcPort == port || p.dstPort == port) {
			f.Add(p.payload)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newFlow()
		msgs, err := s.Datagram(FromClient, b, nil)
		checkError(t, nil, err)
		if sniff(b) && err != nil {
			t.Errorf("recognised, but not read: %v", err)
		}
		msgs, err = s.Datagram(FromServer, b, msgs)
		checkError(t, nil, err)
		if fl, ok := s.(Flusher); ok {
			fl.Flush(FromServer, nil, fl.Flush(FromClient, nil, msgs))
		}
	})
}

// snmp2 is a message of version 2c about sysName.
func snmp2(community string, pdu, status int) []byte {
	return tlv(0x30, tlv(2, 1), tlv(4, community), tlv(0xa0+pdu, tlv(2, 7), tlv(2, status), tlv(2, 0),
		tlv(0x30, tlv(0x30, tlv(6, "\x2b\x06\x01\x02\x01\x01\x05\x00"), tlv(5)))))
}

// snmp3 is a message of version 3 with a PDU about usmStats 3.
func snmp3(user string, flags, pdu, statistic int) []byte {
	return tlv(0x30, tlv(2, 3), tlv(0x30, tlv(2, 1), tlv(2, 5, 0xdc), tlv(4, flags), tlv(2, 3)),
		tlv(4, tlv(0x30, tlv(4, "engine"), tlv(2, 1), tlv(2, 2), tlv(4, user), tlv(4), tlv(4))),
		tlv(0x30, tlv(4, "engine"), tlv(4), tlv(0xa0+pdu, tlv(2, 7), tlv(2, 0), tlv(2, 0),
			tlv(0x30, tlv(0x30, tlv(6, "\x2b\x06\x01\x06\x03\x0f\x01\x01", statistic, 0), tlv(0x41, 1))))))
}

func TestSNMPFlow(t *testing.T) {
	vars := []string{"1.3.6.1.2.1.1.5.0"}
	get := &SNMP{Version: 2, PDU: "get_request", Vars: vars}
	response := &SNMP{Version: 2, PDU: "response", Vars: vars}
	report := &SNMP{Version: 3, PDU: "report", User: "anna", Vars: []string{"1.3.6.1.6.3.15.1.1.5.0"}}
	playFlows(t, newSNMPFlow, []flowCase{
		{"polling with a default community", []chunk{
			{FromClient, snmp2("public", 0, 0)},
			{FromServer, snmp2("public", 2, 0)},
			{FromClient, snmp2("public", 0, 0)},
			{FromServer, snmp2("public", 2, 0)},
		}, []Message{
			get, response,
			&Login{Service: "snmp", Mechanism: "community", Outcome: Succeeded, Inferred: true, Clear: true, Default: true},
		}, nil},
		{"guessing: each community is news", []chunk{{FromClient, snmp2("a", 0, 0)}, {FromClient, snmp2("b", 0, 0)}}, []Message{
			get, get, &Login{Service: "snmp", Mechanism: "community", Clear: true}, &Login{Service: "snmp", Mechanism: "community", Clear: true},
		}, nil},
		{"guessing: the answer is to the community that it has", []chunk{
			{FromClient, snmp2("public", 0, 0)}, {FromClient, snmp2("b", 0, 0)}, {FromServer, snmp2("b", 2, 0)}, {FromServer, snmp2("c", 2, 0)},
		}, []Message{
			get, get, response, &Login{Service: "snmp", Mechanism: "community", Outcome: Succeeded, Inferred: true, Clear: true}, response,
			&Login{Service: "snmp", Mechanism: "community", Clear: true, Default: true},
		}, nil},
		{"a trap logs in nowhere", []chunk{{FromClient, snmp2("public", 7, 0)}}, []Message{
			&SNMP{Version: 2, PDU: "trap_v2", Vars: vars},
		}, nil},
		{"a trap of version 1", []chunk{{FromClient, tlv(0x30, tlv(2, 0), tlv(4, "public"), tlv(0xa4,
			tlv(6, "\x2b\x06\x01\x04\x01\x09"), tlv(0x40, 192, 0, 2, 1), tlv(2, 4), tlv(2, 0), tlv(0x43, 1), tlv(0x30)))}}, []Message{
			&SNMP{Version: 1, PDU: "trap_v1", Trap: &SNMPTrap{Enterprise: "1.3.6.1.4.1.9", Agent: netip.MustParseAddr("192.0.2.1"), Generic: 4}},
		}, nil},
		{"3, wrong digest", []chunk{{FromClient, snmp3("anna", 5, 0, 1)}, {FromServer, snmp3("anna", 0, 8, 5)}}, []Message{
			&SNMP{Version: 3, PDU: "get_request", User: "anna", Vars: []string{"1.3.6.1.6.3.15.1.1.1.0"}},
			report,
			&Login{Service: "snmp", User: "anna", Mechanism: "USM", Outcome: Failed},
		}, nil},
		{"3, encrypted", []chunk{{FromClient, snmp3("anna", 7, 0, 1)}}, []Message{
			&SNMP{Version: 3, User: "anna", Encrypted: true},
			&Login{Service: "snmp", User: "anna", Mechanism: "USM"},
		}, nil},
		{"3, refused, and let in", []chunk{
			{FromClient, snmp3("anna", 5, 0, 1)}, {FromServer, snmp3("anna", 0, 8, 5)}, {FromClient, snmp3("anna", 7, 0, 1)}, {FromServer, snmp3("anna", 3, 0, 1)},
		}, []Message{
			&SNMP{Version: 3, PDU: "get_request", User: "anna", Vars: []string{"1.3.6.1.6.3.15.1.1.1.0"}},
			report,
			&Login{Service: "snmp", User: "anna", Mechanism: "USM", Outcome: Failed},
			&SNMP{Version: 3, User: "anna", Encrypted: true}, &SNMP{Version: 3, User: "anna", Encrypted: true},
			&Login{Service: "snmp", User: "anna", Mechanism: "USM", Outcome: Succeeded, Inferred: true},
		}, nil},
		{"3, an encrypted trap logs in nowhere", []chunk{{FromClient, snmp3("anna", 3, 0, 1)}}, []Message{
			&SNMP{Version: 3, User: "anna", Encrypted: true},
		}, nil},
		{"cut", []chunk{{FromClient, snmp2("public", 0, 0)[:30]}}, []Message{
			&SNMP{Version: 2, PDU: "get_request", Truncated: true},
			&Login{Service: "snmp", Mechanism: "community", Clear: true, Default: true},
		}, nil},
		{"version 9", []chunk{{FromClient, tlv(0x30, tlv(2, 9), tlv(4, "a"))}}, nil, ErrNotMine},
		{"LDAP", []chunk{{FromClient, tlv(0x30, tlv(2, 1), tlv(0x60, tlv(2, 3)))}}, nil, ErrNotMine},
		{"nothing", []chunk{{FromClient, nil}}, nil, ErrNotMine},
	})
	if !sniffSNMP(snmp2("x", 0, 0)) || sniffSNMP(append(snmp2("x", 0, 0), 0)) || sniffSNMP(snmp2("x", 9, 0)) {
		t.Error("recognition is not exact")
	}
}

func TestLDAPStream(t *testing.T) {
	bind := func(id int, name string, credentials []byte) []byte {
		return tlv(0x30, tlv(2, id), tlv(0x60, tlv(2, 3), tlv(4, name), credentials))
	}
	result := func(id, op, code int) []byte {
		return tlv(0x30, tlv(2, id), tlv(op, tlv(10, code), tlv(4), tlv(4)))
	}
	playAll(t, newLDAPStream, []dialogue{
		{"simple, wrong then right", []chunk{
			{FromClient, bind(1, "cn=admin,dc=lan", tlv(0x80, "x"))},
			{FromServer, result(1, 0x61, 49)},
			{FromClient, bind(2, "cn=admin,dc=lan", tlv(0x80, "password"))},
			{FromServer, result(2, 0x61, 0)},
		}, []Message{
			&LDAP{ID: 1, Operation: "bind", Version: 3, Name: "cn=admin,dc=lan", Mechanism: "simple", Result: 49},
			&Login{Service: "ldap", User: "cn=admin,dc=lan", Mechanism: "simple", Outcome: Failed, Clear: true},
			&LDAP{ID: 2, Operation: "bind", Version: 3, Name: "cn=admin,dc=lan", Mechanism: "simple"},
			&Login{Service: "ldap", User: "cn=admin,dc=lan", Mechanism: "simple", Outcome: Succeeded, Clear: true, Default: true},
		}, nil},
		{"NTLM in two steps", []chunk{
			{FromClient, bind(1, "", tlv(0xa3, tlv(4, "GSS-SPNEGO"), tlv(4, "NTLMSSP\x00\x01\x00\x00\x00")))},
			{FromServer, result(1, 0x61, 14)},
			{FromClient, bind(2, "", tlv(0xa3, tlv(4, "GSS-SPNEGO"), tlv(4, ntlmAuth("D", "u", "H"))))},
			{FromServer, result(2, 0x61, 0)},
			{FromClient, []byte{0, 0, 0, 9, 1, 2, 3}}, // sealed
		}, []Message{
			&LDAP{ID: 1, Operation: "bind", Version: 3, Mechanism: "GSS-SPNEGO", Result: 14},
			&LDAP{ID: 2, Operation: "bind", Version: 3, Mechanism: "GSS-SPNEGO"},
			&Login{Service: "ldap", User: `D\u`, Mechanism: "GSS-SPNEGO", Outcome: Succeeded},
		}, ErrDone},
		{"TLS follows", []chunk{
			{FromClient, tlv(0x30, tlv(2, 1), tlv(0x77, tlv(0x80, ldapStartTLS)))},
			{FromServer, result(1, 0x78, 0)},
		}, []Message{&LDAP{ID: 1, Operation: "extended", Name: ldapStartTLS}}, ErrUpgrade},
		{"no answer", []chunk{{FromClient, bind(1, "", tlv(0x80))}}, []Message{
			&LDAP{ID: 1, Operation: "bind", Version: 3, Mechanism: "anonymous", Result: -1},
			&Login{Service: "ldap", Mechanism: "anonymous"},
		}, nil},
		{"something else", []chunk{{FromClient, []byte("GET /")}}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffLDAP, FromClient, []opening{
		{string(bind(1, "cn=a", tlv(0x80, "x"))), Yes},
		{string(result(1, 0x61, 0)), Yes},
		{"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x60\x84\x00\x00\x00\x07\x02\x01\x03", Yes},
		{string(tlv(0x30, tlv(2, 1), tlv(0x63, tlv(4, ""), tlv(10, 0), tlv(10, 0)))), Yes}, // search
		{string(snmp2("public", 0, 0)), No},
		{"\x30\x82\x01\x0a\x02\x82\x01\x01", No}, // a DER key
		{"0\r\nX-Y: z", No},
	})
}

func TestKerberos(t *testing.T) {
	name := func(parts ...string) []byte {
		var list []any
		for _, p := range parts {
			list = append(list, tlv(0x1b, p))
		}
		return tlv(0x30, tlv(0xa0, tlv(2, 1)), tlv(0xa1, tlv(0x30, list...)))
	}
	ask := func(padata []byte) []byte {
		return tlv(0x6a, tlv(0x30, tlv(0xa1, tlv(2, 5)), tlv(0xa2, tlv(2, 10)), padata, tlv(0xa4, tlv(0x30,
			tlv(0xa0, tlv(3, 0, 0, 0, 0, 0)), tlv(0xa1, name("anna")), tlv(0xa2, tlv(0x1b, "LAN")), tlv(0xa3, name("krbtgt", "LAN"))))))
	}
	padata := func(kinds ...byte) []byte { // of types with a value that says nothing
		var list []any
		for _, k := range kinds {
			list = append(list, tlv(0x30, tlv(0xa1, tlv(2, 0, k)), tlv(0xa2, tlv(4, "x"))))
		}
		return tlv(0xa3, tlv(0x30, list...))
	}
	request := ask(nil)
	reply := tlv(0x6b, tlv(0x30, tlv(0xa0, tlv(2, 5)), tlv(0xa1, tlv(2, 11)), tlv(0xa3, tlv(0x1b, "LAN")), tlv(0xa4, name("anna")),
		tlv(0xa5, tlv(0x61, tlv(0x30, tlv(0xa0, tlv(2, 5)), tlv(0xa1, tlv(0x1b, "LAN")), tlv(0xa2, name("krbtgt", "LAN")),
			tlv(0xa3, tlv(0x30, tlv(0xa0, tlv(2, 23)), tlv(0xa2, tlv(4, "x"))))))),
		tlv(0xa6, tlv(0x30, tlv(0xa0, tlv(2, 18)), tlv(0xa2, tlv(4, "x"))))))
	failure := func(code int) []byte {
		return tlv(0x7e, tlv(0x30, tlv(0xa0, tlv(2, 5)), tlv(0xa1, tlv(2, 30)), tlv(0xa4, tlv(0x18, "Z")), tlv(0xa5, tlv(2, 0)),
			tlv(0xa6, tlv(2, code)), tlv(0xa8, name("anna")), tlv(0xa9, tlv(0x1b, "LAN")), tlv(0xaa, name("krbtgt", "LAN"))))
	}
	msg := func(kind string) *Kerberos {
		return &Kerberos{Type: kind, CName: "anna", Realm: "LAN", SName: "krbtgt/LAN"}
	}
	granted, required, refused := msg("KRB_AS_REP"), msg("KRB_ERROR"), msg("KRB_ERROR")
	granted.Encryption, granted.Ticket, required.ErrorCode, refused.ErrorCode = 18, 23, 25, 24
	required.Failed = "KRB_AS_REQ"
	asked, given := msg("KRB_AS_REQ"), *granted
	asked.NoProof, given.NoProof = true, true
	login := func(o Outcome) *Login {
		return &Login{Service: "krb5", User: "anna", Mechanism: "Kerberos", Outcome: o}
	}
	playFlows(t, newKerberosFlow, []flowCase{
		{"a login", []chunk{{FromClient, request}, {FromServer, failure(25)}, {FromClient, ask(padata(133, 2, 150, 149))}, {FromServer, reply}}, []Message{
			asked, required, msg("KRB_AS_REQ"), granted, login(Succeeded),
		}, nil},
		{"a login within FAST", []chunk{{FromClient, ask(padata(136))}, {FromServer, reply}}, []Message{
			msg("KRB_AS_REQ"), granted, login(Succeeded),
		}, nil},
		{"without a proof", []chunk{{FromClient, request}, {FromServer, reply}}, []Message{asked, &given, login(OutcomeUnknown)}, nil},
		{"only with what the client wants", []chunk{{FromClient, ask(padata(128, 149, 150, 165, 167))}, {FromServer, reply}}, []Message{
			asked, &given, login(OutcomeUnknown),
		}, nil},
		{"of which the request was not seen", []chunk{{FromServer, reply}}, []Message{granted, login(Succeeded)}, nil},
		{"refused", []chunk{{FromServer, failure(24)}}, []Message{refused, login(Failed)}, nil},
		{"of a client in another realm", []chunk{{FromServer, tlv(0x7e, tlv(0x30, tlv(0xa0, tlv(2, 5)), tlv(0xa1, tlv(2, 30)), tlv(0xa4, tlv(0x18, "Z")),
			tlv(0xa5, tlv(2, 0)), tlv(0xa6, tlv(2, 68)), tlv(0xa7, tlv(0x1b, "HOME")), tlv(0xa9, tlv(0x1b, "LAN")), tlv(0xaa, name("krbtgt", "LAN"))))}}, []Message{
			&Kerberos{Type: "KRB_ERROR", Realm: "HOME", SName: "krbtgt/LAN", ErrorCode: 68},
		}, nil},
		{"version 4", []chunk{{FromClient, join(request[:8], 4, request[9:])}}, nil, ErrNotMine},
		{"another tag", []chunk{{FromClient, tlv(0x30, tlv(2, 1))}}, nil, ErrNotMine},
	})
	for etype, want := range map[string]int{"\x12": 18, "\xff\x7b": -133, "": -1} {
		if got := krbEncryption(tlv(0x30, tlv(0xa0, tlv(2, etype)), tlv(0xa2, tlv(4, "x")))); got != want {
			t.Errorf("encryption %x: got %d, want %d", etype, got, want)
		}
	}
	if got := krbEncryption(nil); got != 0 {
		t.Errorf("no encryption: got %d", got)
	}
	for _, c := range []struct {
		name   string
		padata []byte
		proves bool
	}{
		{"none", nil, false},
		{"an empty list", padata()[2:], false},
		{"a type that is not known", padata(250)[2:], true},
		{"cut off", padata(149, 2)[2:12], true},
		{"no list", tlv(4, "x"), true},
	} {
		if got := krbProves(c.padata); got != c.proves {
			t.Errorf("padata %s: proves %v, want %v", c.name, got, c.proves)
		}
	}
	framed := join(0, 0, 0, len(request), request)
	playAll(t, newKerberosStream, []dialogue{
		{"over TCP", []chunk{{FromClient, framed}}, []Message{asked}, nil},
		{"a length of 0", []chunk{{FromClient, make([]byte, 8)}}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffKerberosTCP, FromClient, []opening{
		{string(framed), Yes},
		{string(join(0, 0, 0, len(request)+1, request)), No},
		{"\x00\x00\x00\x20\xffSMB", No},
	})
	if !sniffKerberos(request) || sniffKerberos(request[:20]) {
		t.Error("recognition is not exact")
	}
}

func TestCoAPFlow(t *testing.T) {
	get := []byte("\x41\x01\x00\x01T\x39h.example\x31\x00\x57sensors\x04temp\x42a=\x02b1")
	parsed := &CoAP{Code: 1, ID: 1, Host: "h.example", Observe: 0, Path: "/sensors/temp", Query: "a=&b1", Format: -1}
	playFlows(t, newCoAPFlow, []flowCase{
		{"observed", []chunk{
			{FromClient, get},
			{FromServer, []byte("\x61\x45\x00\x01T\x61\x05\x61\x32\xff21")}, // 2.05, observe 5, content format 50
			{FromServer, []byte("\x51\x45\x00\x02T\x61\x06\xff22")},
			{FromClient, []byte("\x60\x00\x00\x02")}, // acknowledgement
			{FromClient, get},
		}, []Message{parsed, &CoAP{Type: 2, Code: 0x45, ID: 1, Observe: 5, Format: 50}}, nil},
		{"version 2", []chunk{{FromClient, []byte("\x81\x01\x00\x01")}}, nil, ErrNotMine},
		{"nine bytes of token", []chunk{{FromClient, []byte("\x49\x01\x00\x01123456789")}}, nil, ErrNotMine},
		{"an option beyond the end", []chunk{{FromClient, []byte("\x40\x01\x00\x01\xb9abc")}}, nil, ErrTruncated},
		{"a marker without payload", []chunk{{FromClient, []byte("\x40\x01\x00\x01\xff")}}, nil, ErrNotMine},
	})
	long := &CoAP{}
	for range 400 {
		long.Path = addPart(long.Path, "/", "/", []byte("part"))
	}
	if len(long.Path) != maxCoAPText {
		t.Errorf("%d bytes of path kept", len(long.Path))
	}
	for in, want := range map[string]bool{
		string(get):                    true,
		"\x40\x01\x00\x01":             false, // names nothing
		"\x40\x01\x00\x01\xb1\x01":     false, // not printable
		"\x60\x45\x00\x01\xff21":       false,
		"\x40\x01\x00\x01\xb4temp\xf0": false,
	} {
		if got := sniffCoAP([]byte(in)); got != want || want && !leadsCoAP(in[0]) {
			t.Errorf("%x: %v", in, got)
		}
	}
	for in, want := range map[string]bool{
		"\x40\x00\x12\x34":      true,  // a ping
		"\x60\x45\x12\x34\xffx": true,  // a response without options
		"\x40\x01\x12\x34":      true,  // GET /
		"\x60\x01\x12\x34":      false, // an acknowledgement that asks
		"\x40\x00\x12\x34\x00":  false, // an empty message that is not empty
		"\x80\x01\x12\x34":      false, // version 2
		// Before RFC 7252: a port and two parts of a path.
		"\x43\x01\x05\xca\x72\x16\x33\x2b.well-known\x04core":  true,
		"\x43\x01\x05\xca\x72\x16\x33\x2b.well-known\x04core!": false,
		"\x43\x01\x05\xca\x72\x16\x33\x2b.well-known\x04cor":   false,
	} {
		if got := isCoAP([]byte(in)); got != want {
			t.Errorf("%x on its port: %v", in, got)
		}
	}
	playFlows(t, newCoAPFlow, []flowCase{{"before RFC 7252", []chunk{{FromClient, []byte("\x42\x01\x05\xca\x9b.well-known\x04core")}}, []Message{
		&CoAP{Code: 1, ID: 0x5ca, Path: "/.well-known/core", Observe: -1, Format: -1},
	}, nil}})
}

func FuzzSNMP(f *testing.F) {
	fuzzFlow(f, newSNMPFlow, sniffSNMP, 161, snmp2("public", 0, 0), snmp3("a", 1, 8, 3))
}

func FuzzKerberos(f *testing.F) {
	fuzzFlow(f, newKerberosFlow, sniffKerberos, 88, tlv(0x6a, tlv(0x30, tlv(0xa1, tlv(2, 5)), tlv(0xa2, tlv(2, 10)), tlv(0xa4, tlv(0x30, tlv(0xa0), tlv(0xa2, tlv(0x1b, "R")))))))
}

func FuzzCoAP(f *testing.F) {
	fuzzFlow(f, newCoAPFlow, sniffCoAP, 5683, []byte("\x41\x01\x00\x01T\x39h.example\x31\x00\x57sensors\x04temp"))
}

func FuzzLDAP(f *testing.F) {
	fuzzLines(f, newLDAPStream, 389, ldapSearchBytes(1), tlv(0x30, tlv(2, 1), tlv(0x60, tlv(2, 3), tlv(4, "cn=a"), tlv(0x80, "x"))), tlv(0x30, tlv(2, 1), tlv(0x61, tlv(10, 0), tlv(4), tlv(4))))
}

func FuzzKerberosTCP(f *testing.F) {
	fuzzLines(f, newKerberosStream, 88, []byte("\x00\x00\x00\x04\x6a\x02\x30\x00"))
}

func BenchmarkSNMPPoll(b *testing.B) {
	in := snmp2("public", 0, 0)
	s := newSNMPFlow()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Datagram(FromClient, in, nil); err != nil {
			b.Fatal(err)
		}
	}
}
