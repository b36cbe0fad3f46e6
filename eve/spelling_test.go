package eve

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/flow"
	"gatehouse/wire"
)

func TestTimestamp(t *testing.T) {
	for at, want := range map[int64]string{
		0:                     "1970-01-01T00:00:00.000000+0000",
		1_741_944_413_589_793: "1970-01-21T03:52:24.413589+0000",
		math.MaxInt64:         "2262-04-11T23:47:16.854775+0000",
	} {
		if got := timestamp(at); got != want {
			t.Errorf("timestamp(%d) = %s, want %s", at, got, want)
		}
	}
}

func TestSNMPErrors(t *testing.T) {
	for status, want := range map[int]string{0: "", 2: "NoSuchName", 5: "GenErr", 6: "ErrorStatus(6)", 17: "ErrorStatus(17)", -1: "ErrorStatus(-1)"} {
		if got := snmpError(status); got != want {
			t.Errorf("%d: got %s, want %s", status, got, want)
		}
	}
}

func TestKerberosNames(t *testing.T) {
	for etype, want := range map[int]string{
		18: "aes256-cts-hmac-sha1-96", 26: "camellia256-cts-cmac", 23: "rc4-hmac (weak)", 16: "des3-cbc-sha1-kd (weak)",
		-133: "rc4-hmac-OLD (weak)", 4: "4 (weak)", -1: "-1 (weak)", 65: "subkey-keymaterial (weak)",
	} {
		name, weak := kerberosEncryption(etype)
		if weak {
			name += " (weak)"
		}
		if name != want {
			t.Errorf("encryption %d: got %s, want %s", etype, name, want)
		}
	}
	for code, want := range map[int]string{
		0: "KDC_ERR_NONE", 25: "KDC_ERR_PREAUTH_REQUIRED", 30: "30", 52: "KRB_ERR_RESPONSE_TOO_BIG", 59: "59",
		60: "KRB_ERR_GENERIC", 68: "KDC_ERR_WRONG_REALM", 76: "KDC_ERR_KDC_NAME_MISMATCH", 77: "77", -1: "-1",
	} {
		if got := kerberosError(code); got != want {
			t.Errorf("error %d: got %s, want %s", code, got, want)
		}
	}
}

// TestQUICExtensions: what Suricata shows of each, also of one that is empty,
// damaged or unknown.
func TestQUICExtensions(t *testing.T) {
	m := &wire.ClientHello{
		SNI: "a.example", ALPN: []string{"h3", "hq"}, SignatureSchemes: []uint16{0x0403, 0x0804},
		Versions:   []uint16{0x0304, 0x0300, 0x0301, 0x7f12, 0x7f1c},
		Extensions: []uint16{0, 16, 13, 43, 51, 40, 0xff01, 0x4469},
	}
	want := []quicExtension{
		{"server_name", 0, []string{"a.example"}},
		{"alpn", 16, []string{"h3", "hq"}},
		{"signature_algorithms", 13, []string{"1027", "2052"}},
		{"supported_versions", 43, []string{"Tls13", "Ssl30", "Tls10", "Tls13Draft18", "TlsVersion(32540 / 0x7f1c)"}},
		{Name: "key_share", Type: 51},
		{Type: 40},
		{Name: "renegotiation_info", Type: 0xff01},
		{Type: 0x4469},
	}
	if diff := cmp.Diff(want, quicExtensions(m)); diff != "" {
		t.Errorf("extensions differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]quicExtension{{Name: "server_name"}}, quicExtensions(&wire.ClientHello{Extensions: []uint16{0}})); diff != "" {
		t.Errorf("of an empty server_name (-want +got):\n%s", diff)
	}
}

func TestRequestHost(t *testing.T) {
	for _, c := range []struct{ method, target, host, want string }{
		{"GET", "/", "a.example", "a.example"},
		{"GET", "/", "", ""},
		{"GET", "http://b.example:8080/x?y", "a.example", "b.example:8080"},
		{"GET", "http://user:secret@b.example?x", "", "b.example"},
		{"GET", "http://b.example", "", "b.example"},
		{"GET", "/redirect?to=http://b.example/", "a.example", "a.example"},
		{"GET", "http:///", "a.example", "a.example"},
		{"CONNECT", "b.example:443", "a.example", "b.example:443"},
	} {
		if got := requestHost(&wire.HTTPRequest{Method: c.method, Target: c.target, Host: c.host}); got != c.want {
			t.Errorf("%s %s, Host %q: got %q, want %q", c.method, c.target, c.host, got, c.want)
		}
	}
}

func TestContentRange(t *testing.T) {
	at := func(n int64) *int64 { return &n }
	for raw, want := range map[string]*contentRange{
		"":                           nil,
		"bytes 0-1/10":               {Start: at(0), End: at(1), Size: at(10)},
		"bytes 5-6/*":                {Start: at(5), End: at(6)},
		"bytes */10":                 {Size: at(10)},
		"bytes=0-1/10":               {}, // as of a request
		"bytes 0-/10":                {Size: at(10)},
		"bytes -1--2/-3":             {},
		"bytes 0-1":                  {},
		"bytes 0-1/1e3":              {Start: at(0), End: at(1)},
		"x 0-1/99999999999999999999": {Start: at(0), End: at(1)},
	} {
		if want != nil {
			want.Raw = raw
		}
		if diff := cmp.Diff(want, rangeOf(raw)); diff != "" {
			t.Errorf("%q: differs (-want +got):\n%s", raw, diff)
		}
	}
}

func TestSplitHost(t *testing.T) {
	for _, c := range []struct {
		host, name string
		port       uint16
	}{
		{"", "", 0},
		{"cloud.example", "cloud.example", 0},
		{"cloud.example:8080", "cloud.example", 8080},
		{"192.0.2.1:80", "192.0.2.1", 80},
		{"[2001:db8::1]", "[2001:db8::1]", 0},
		{"[2001:db8::1]:443", "[2001:db8::1]", 443},
		{"2001:db8::1", "2001:db8::1", 0},         // against RFC 9110, as some devices send it
		{"cloud.example:", "cloud.example:", 0},   // no port
		{"cloud.example:0", "cloud.example:0", 0}, // not a port
		{"cloud.example:65536", "cloud.example:65536", 0},
		{":80", ":80", 0},
	} {
		if name, port := splitHost(c.host); name != c.name || port != c.port {
			t.Errorf("splitHost(%q) = %q, %d, want %q, %d", c.host, name, port, c.name, c.port)
		}
	}
}

func TestCertificateName(t *testing.T) {
	for dn, want := range map[string]string{
		"":                            "",
		"CN=a":                        "CN=a",
		`CN=a,O=Example\, Ltd,C=NL`:   "C=NL, O=Example, Ltd, CN=a",
		`CN=a\\,O=b`:                  `O=b, CN=a\`,
		`CN=a=b\=c`:                   "CN=a=b=c",
		`CN=a\0Db`:                    "CN=a\rb",
		`emailAddress=a@b+2.5.4.41=x`: "Email=a@b + name=x",
		`2.5.4.15=Private\+,1.3.6.1.4.1.311.60.2.1.3=US,STREET=1 A St`: "streetAddress=1 A St, msJurisdictionCountry=US, businessCategory=Private+",
		`CN=ends with a backslash,O=b\`:                                `O=b\, CN=ends with a backslash`,
		`CN=ends with one\A`:                                           "CN=ends with oneA",
		",,":                                                           ", ",
		"no attribute":                                                 "no attribute",
	} {
		if got := certificateName(dn); got != want {
			t.Errorf("certificateName(%q) = %q, want %q", dn, got, want)
		}
	}
}

func TestVersionName(t *testing.T) {
	for v, want := range map[uint16]string{
		0x0002: "SSLv2", 0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3",
		0x7f1c: "TLS 1.3 draft-28", 0xfb1a: "TLS 1.3 draft-26-fb", 0x1234: "0x1234",
	} {
		if got := versionName(v); got != want {
			t.Errorf("versionName(%#04x) = %s, want %s", v, got, want)
		}
	}
}

// TestFlowStates: state and reason as Suricata tells them.
func TestFlowStates(t *testing.T) {
	const syn, ack, fin, rst = flow.TCPSyn, flow.TCPAck, flow.TCPFin, flow.TCPRst
	for _, c := range []struct {
		name   string
		record flow.Record
		reason flow.EndReason
		want   [3]string // flow.state, flow.reason, tcp.state
	}{
		{"scanned, no answer", flow.Record{Proto: protoTCP, Flags: [2]uint8{syn}}, flow.EndIdle, [3]string{"new", "timeout", "syn_sent"}},
		{"half open", flow.Record{Proto: protoTCP, Flags: [2]uint8{syn, syn | ack}}, flow.EndIdle, [3]string{"new", "timeout", "syn_recv"}},
		{"refused", flow.Record{Proto: protoTCP, Flags: [2]uint8{syn, rst | ack}}, flow.EndClosed, [3]string{"closed", "timeout", "closed"}},
		{"open", flow.Record{Proto: protoTCP, Flags: [2]uint8{syn | ack, syn | ack}}, flow.EndInput, [3]string{"established", "shutdown", "established"}},
		{"half closed", flow.Record{Proto: protoTCP, Flags: [2]uint8{syn | ack | fin, syn | ack}}, flow.EndEvicted, [3]string{"established", "forced", "established"}},
		{"closed", flow.Record{Proto: protoTCP, Flags: [2]uint8{syn | ack | fin, syn | ack | fin}}, flow.EndClosed, [3]string{"closed", "timeout", "closed"}},
		{"joined late", flow.Record{Proto: protoTCP, Midstream: true, Flags: [2]uint8{ack}}, flow.EndIdle, [3]string{"established", "timeout", "established"}},
		{"UDP without answer", flow.Record{Proto: protoUDP, Packets: [2]uint64{3, 0}}, flow.EndIdle, [3]string{"new", "timeout"}},
		{"UDP", flow.Record{Proto: protoUDP, Packets: [2]uint64{3, 1}}, flow.EndIdle, [3]string{"established", "timeout"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev := flow.Event{Kind: flow.End, Reason: c.reason, Record: c.record}
			got := [3]string{flowState(&ev), flowReason(ev.Reason)}
			if c.record.Proto == protoTCP {
				got[2] = tcpOf(&ev).State
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestDHCPDirection: events tell who sent a message, although the flow's
// client is the DHCP client.
func TestDHCPDirection(t *testing.T) {
	for _, c := range []struct {
		name           string
		client, server uint16
		reply          bool
		answered       uint64
		want           bool
	}{
		{"request", 68, 67, false, 0, false},
		{"reply", 68, 67, true, 1, true},
		{"reply, oriented by first packet", 67, 68, true, 0, false},
		{"request, oriented by a reply", 67, 68, false, 1, true},
		{"relayed request", 67, 67, false, 0, false},
		{"relayed reply", 67, 67, true, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := flow.Record{Client: flow.Endpoint{Port: c.client}, Server: flow.Endpoint{Port: c.server}, Packets: [2]uint64{1, c.answered}}
			if got := sentByServer(&r, c.reply); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestBodiless: what a response announces counts only where it may have a body.
func TestBodiless(t *testing.T) {
	for _, c := range []struct {
		method string
		status int
		want   bool
	}{
		{"GET", 200, false},
		{"HEAD", 200, true},
		{"HEAD", 404, true},
		{"GET", 101, true},
		{"POST", 204, true},
		{"GET", 304, true},
		{"CONNECT", 200, true},
		{"CONNECT", 407, false},
		{"", 200, false},
	} {
		if got := bodiless(c.method, c.status); got != c.want {
			t.Errorf("bodiless(%q, %d) = %v", c.method, c.status, got)
		}
	}
}

// TestDNSKeyPrint: the fingerprint of a host key, also among the grouped data.
func TestDNSKeyPrint(t *testing.T) {
	got := answers([]wire.DNSRecord{{Name: "a.example", Type: typeSSHFP, TTL: 60, Target: "4 2 3ca901"}})
	want := []answer{{RRName: "a.example", RRType: "SSHFP", TTL: 60, SSHFP: &sshfp{"3c:a9:01", 4, 2}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&grouped{SSHFP: []sshfp{{"3c:a9:01", 4, 2}}}, group(got)); diff != "" {
		t.Errorf("grouped (-want +got):\n%s", diff)
	}
}
