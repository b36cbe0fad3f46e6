package eve

import (
	"bytes"
	"errors"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket/layers"

	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/wire"
)

var (
	gateway   = host{mac: [6]byte{2, 0, 0, 0, 0, 1}, ip: "192.168.7.1", port: 53}
	camera    = host{mac: [6]byte{2, 0, 0, 0, 0, 0x2a}, ip: "192.168.7.42", port: 49152}
	broadcast = [6]byte{255, 255, 255, 255, 255, 255}
)

func (h host) at(port uint16) host {
	h.port = port
	return h
}

// cloud is a host behind the gateway.
func cloud(port uint16) host { return host{gateway.mac, "203.0.113.80", port} }

// TestGoldenAddressing: how a device finds its way into the network.
func TestGoldenAddressing(t *testing.T) {
	s := newScenario(t)
	client := host{camera.mac, "0.0.0.0", 68}
	everyone := host{broadcast, "255.255.255.255", 67}
	message := func(op layers.DHCPOp, kind layers.DHCPMsgType, your net.IP, options ...layers.DHCPOption) *layers.DHCPv4 {
		return &layers.DHCPv4{
			Operation: op, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, Xid: 0xcafe0001,
			ClientIP: net.IPv4zero, YourClientIP: your, NextServerIP: net.IPv4zero, RelayAgentIP: net.IPv4zero,
			ClientHWAddr: camera.mac[:],
			Options:      append([]layers.DHCPOption{layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)})}, options...),
		}
	}
	s.packet(client, everyone, layers.IPProtocolUDP, &layers.UDP{SrcPort: 68, DstPort: 67},
		message(layers.DHCPOpRequest, layers.DHCPMsgTypeDiscover, net.IPv4zero,
			layers.NewDHCPOption(layers.DHCPOptHostname, []byte("camera-42")),
			layers.NewDHCPOption(layers.DHCPOptClassID, []byte("udhcp 1.36.1")),
			layers.NewDHCPOption(layers.DHCPOptParamsRequest, []byte{1, 3, 6, 12, 42})))
	s.packet(gateway.at(67), host{camera.mac, "255.255.255.255", 68}, layers.IPProtocolUDP, &layers.UDP{SrcPort: 67, DstPort: 68},
		message(layers.DHCPOpReply, layers.DHCPMsgTypeAck, net.IP{192, 168, 7, 42},
			layers.NewDHCPOption(layers.DHCPOptServerID, []byte{192, 168, 7, 1}),
			layers.NewDHCPOption(layers.DHCPOptLeaseTime, []byte{0, 0, 14, 16}),
			layers.NewDHCPOption(layers.DHCPOptSubnetMask, []byte{255, 255, 255, 0}),
			layers.NewDHCPOption(layers.DHCPOptRouter, []byte{192, 168, 7, 1}),
			layers.NewDHCPOption(layers.DHCPOptDNS, []byte{192, 168, 7, 1, 9, 9, 9, 9})))
	s.arp(1, camera, host{ip: gateway.ip})
	s.arp(2, gateway, camera)
	s.ping(camera, gateway, false)
	s.ping(gateway, camera, true)
	testkit.Golden(t, s.log(), "testdata/addressing.jsonl")
}

// TestGoldenNames: DNS, mDNS and LLMNR.
func TestGoldenNames(t *testing.T) {
	s := newScenario(t)
	question := ask("cloud.example", layers.DNSTypeA)
	s.udp(camera, gateway, s.dnsBytes(layers.DNS{ID: 0x1234, RD: true, Questions: []layers.DNSQuestion{question}}))
	s.udp(gateway, camera, s.dnsBytes(layers.DNS{
		ID: 0x1234, QR: true, RD: true, RA: true, Questions: []layers.DNSQuestion{question},
		Answers: []layers.DNSResourceRecord{
			{Name: []byte("cloud.example"), Type: layers.DNSTypeCNAME, Class: layers.DNSClassIN, TTL: 300, CNAME: []byte("edge.example")},
			{Name: []byte("edge.example"), Type: layers.DNSTypeA, Class: layers.DNSClassIN, TTL: 20, IP: net.IP{203, 0, 113, 80}},
		},
	}))
	question = ask("nowhere.example", layers.DNSTypeAAAA)
	s.udp(camera.at(49153), gateway, s.dnsBytes(layers.DNS{ID: 0x1235, RD: true, Questions: []layers.DNSQuestion{question}}))
	s.udp(gateway, camera.at(49153), s.dnsBytes(layers.DNS{
		ID: 0x1235, QR: true, AA: true, RD: true, ResponseCode: layers.DNSResponseCodeNXDomain, Questions: []layers.DNSQuestion{question},
	}))
	group := host{[6]byte{1, 0, 0x5e, 0, 0, 0xfb}, "224.0.0.251", 5353}
	s.udp(camera.at(5353), group, s.dnsBytes(layers.DNS{Questions: []layers.DNSQuestion{
		ask("_googlecast._tcp.local", layers.DNSTypePTR), ask("_ipp._tcp.local", layers.DNSTypePTR),
	}}))
	s.udp(camera.at(5353), group, s.dnsBytes(layers.DNS{
		QR: true, AA: true,
		Answers: []layers.DNSResourceRecord{
			{Name: []byte("_http._tcp.local"), Type: layers.DNSTypePTR, Class: layers.DNSClassIN, TTL: 4500, PTR: []byte("camera._http._tcp.local")},
		},
		Additionals: []layers.DNSResourceRecord{
			{
				Name: []byte("camera._http._tcp.local"), Type: layers.DNSTypeSRV, Class: layers.DNSClassIN, TTL: 120,
				SRV: layers.DNSSRV{Port: 8080, Name: []byte("camera.local")},
			},
			{
				Name: []byte("camera._http._tcp.local"), Type: layers.DNSTypeTXT, Class: layers.DNSClassIN, TTL: 120,
				TXTs: [][]byte{[]byte("model=C42"), []byte("path=/\xff")}, // not UTF-8
			},
		},
	}))
	s.udp(
		host{camera.mac, "fe80::2a", 50000}, host{[6]byte{0x33, 0x33, 0, 1, 0, 3}, "ff02::1:3", 5355},
		s.dnsBytes(layers.DNS{ID: 9, Questions: []layers.DNSQuestion{ask("WPAD", layers.DNSTypeA)}}))
	testkit.Golden(t, s.log(), "testdata/names.jsonl")
}

// TestGoldenHTTP: pipelined requests, a response in between, and a request
// that is never answered.
func TestGoldenHTTP(t *testing.T) {
	s := newScenario(t)
	server := cloud(8080)
	s.connect(camera, server)
	s.tcp(camera, server, "PA", []byte("GET /a?x=1&y=<2> HTTP/1.1\r\nHost: cloud.example:8080\r\nUser-Agent: cam/1.0\r\n\r\n"+
		"GET /b HTTP/1.1\r\nHost: cloud.example\r\nAuthorization: Basic c2VjcmV0OnNlY3JldA==\r\n\r\n"))
	s.tcp(server, camera, "PA", []byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 2\r\n\r\nok"))
	s.tcp(server, camera, "PA", []byte("HTTP/1.1 302 Found\r\nLocation: https://cloud.example/login\r\nContent-Length: 0\r\n\r\n"))
	s.tcp(camera, server, "PA", []byte("POST /upload HTTP/1.1\r\nHost: cloud.example\r\nContent-Length: 5\r\n\r\nhello"))
	s.tcp(server, camera, "PA", []byte("HTTP/1.1 100 Continue\r\n\r\n"))
	s.disconnect(camera, server)
	testkit.Golden(t, s.log(), "testdata/http.jsonl")
}

// TestGoldenTLS: one line per handshake.
func TestGoldenTLS(t *testing.T) {
	s := newScenario(t)
	for i, scene := range []func(client, server host){
		func(client, server host) { // TLS 1.2, refused by the client
			s.tcp(client, server, "PA", clientHello("cloud.example", "h2", "http/1.1"))
			s.tcp(server, client, "PA", append(serverHello(0x0303, false, "h2"), certificateMessage(t)...))
			s.tcp(client, server, "PA", alertRecord(48))
		},
		func(client, server host) { // TLS 1.3
			s.tcp(client, server, "PA", clientHello("cloud.example", "h2"))
			s.tcp(server, client, "PA", serverHello(tls13, false))
		},
		func(client, server host) { // TLS 1.3 after a HelloRetryRequest
			s.tcp(client, server, "PA", clientHello("cloud.example"))
			s.tcp(server, client, "PA", serverHello(tls13, true))
			s.tcp(client, server, "PA", clientHello("cloud.example"))
			s.tcp(server, client, "PA", serverHello(tls13, false))
		},
		func(client, server host) { // no common version
			s.tcp(client, server, "PA", clientHello("old.example"))
			s.tcp(server, client, "PA", alertRecord(70))
		},
		func(client, server host) { // never answered
			s.tcp(client, server, "PA", clientHello("silent.example"))
		},
	} {
		client, server := camera.at(50000+uint16(i)), cloud(443)
		s.connect(client, server)
		scene(client, server)
		s.disconnect(client, server)
	}
	testkit.Golden(t, s.log(), "testdata/tls.jsonl")
}

// event is a flow event with messages, of flow id.
func event(id uint64, at int64, messages ...wire.Message) *flow.Event {
	return &flow.Event{
		Kind: flow.Update, Time: at, Messages: messages,
		Record: flow.Record{
			ID: id << 11, Proto: protoTCP,
			Client: flow.Endpoint{Addr: netip.MustParseAddr("192.0.2.1"), Port: 1024},
			Server: flow.Endpoint{Addr: netip.MustParseAddr("192.0.2.2"), Port: 443},
		},
	}
}

// writeAll writes events and returns the writer and what it wrote so far.
func writeAll(t *testing.T, events ...*flow.Event) (*Writer, *bytes.Buffer) {
	t.Helper()
	out := new(bytes.Buffer)
	w := NewWriter(out)
	for _, ev := range events {
		if err := w.Write(ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return w, out
}

func TestHeldIsBoundedAndComplete(t *testing.T) {
	// given: more unfinished handshakes than are held, each of its own flow
	const flows = maxHeld + 100
	w, out := writeAll(t)
	for i := range uint64(flows) {
		hello := &wire.ClientHello{SNI: strconv.FormatUint(i, 10) + ".example"}
		if err := w.Write(event(i+1, int64(i), hello)); err != nil {
			t.Fatal(err)
		}
	}
	// then: the bound holds
	if w.held.count != maxHeld || len(w.held.byFlow) != maxHeld || w.held.order.Len() != maxHeld {
		t.Errorf("%d held of %d and %d flows, want %d", w.held.count, len(w.held.byFlow), w.held.order.Len(), maxHeld)
	}
	// when: the input ends
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// then: every handshake has its line, the oldest first
	lines := linesOf(t, out.Bytes())
	if len(lines) != flows {
		t.Fatalf("%d lines, want %d", len(lines), flows)
	}
	for i, l := range lines {
		if want := strconv.Itoa(i) + ".example"; l.TLS == nil || l.TLS.SNI != want || l.FlowID != uint64(i+1) {
			t.Fatalf("line %d: %+v, want SNI %s", i, l, want)
		}
	}
	if w.held.count != 0 || len(w.held.byFlow) != 0 {
		t.Errorf("still held after Close: %d", w.held.count)
	}
}

func TestPipelinedRequestsAreBounded(t *testing.T) {
	w, out := writeAll(t)
	for i := range maxHeld + 1 {
		request := &wire.HTTPRequest{Method: "GET", Target: "/" + strconv.Itoa(i), Version: "HTTP/1.1"}
		if err := w.Write(event(1, int64(i), request)); err != nil {
			t.Fatal(err)
		}
	}
	if w.held.count > maxHeld {
		t.Errorf("%d requests held, want at most %d", w.held.count, maxHeld)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(linesOf(t, out.Bytes())); n != maxHeld+1 {
		t.Errorf("%d lines, want %d", n, maxHeld+1)
	}
}

func TestEveryMessageHasALine(t *testing.T) {
	response := &wire.HTTPResponse{Status: 200, Version: "HTTP/1.1", Length: -1}
	upgrade := &wire.HTTPResponse{Status: 101, Version: "HTTP/1.1", Length: -1}
	chain := &wire.Certificate{Subject: "CN=device", FromClient: true}
	server12, server13 := &wire.ServerHello{Version: 0x0303}, &wire.ServerHello{Version: tls13}
	resumed := &wire.ServerHello{Version: 0x0303, Resumed: true}
	hello := &wire.ClientHello{SNI: "a.example"}
	warning, fatal := &wire.TLSAlert{Description: 112}, &wire.TLSAlert{From: wire.FromServer, Fatal: true, Description: 40}
	end := event(1, 9)
	end.Kind, end.Reason = flow.End, flow.EndClosed
	for _, c := range []struct {
		name   string
		events []*flow.Event
		want   []string // of each line, what must be in it
	}{
		{"response without request", []*flow.Event{event(1, 1, response)}, []string{`"http":{"protocol":"HTTP/1.1","status":200}`}},
		{"upgrade", []*flow.Event{event(1, 1, upgrade)}, []string{`"status":101`}},
		{"server hello alone, TLS 1.3", []*flow.Event{event(1, 1, server13)}, []string{`"version":"TLS 1.3"`}},
		{"resumed", []*flow.Event{event(1, 1, hello), event(1, 2, resumed)}, []string{`"session_resumed":true,"sni":"a.example","version":"TLS 1.2"`}},
		{
			"TLS 1.2 without a certificate, at the end of the flow",
			[]*flow.Event{event(1, 1, hello), event(1, 2, server12), end},
			[]string{`"event_type":"tls"`, `"event_type":"flow"`},
		},
		{"client certificate", []*flow.Event{event(1, 1, chain)}, []string{`"tls":{"client":{"subject":"CN=device"}}`}},
		{
			"two handshakes on a connection",
			[]*flow.Event{event(1, 1, hello), event(1, 2, &wire.ClientHello{SNI: "b.example"}), end},
			[]string{`"sni":"a.example","version":"UNDETERMINED"`, `"sni":"b.example"`, `"event_type":"flow"`},
		},
		{
			"a warning does not end the handshake",
			[]*flow.Event{event(1, 1, hello), event(1, 2, warning), event(1, 3, server13)},
			[]string{`"sni":"a.example","version":"TLS 1.3","cipher":"TLS_NULL_WITH_NULL_NULL","alert":{"from":"client","level":"warning","description":"unrecognized_name"}`},
		},
		{"a fatal alert does", []*flow.Event{event(1, 1, hello, fatal)}, []string{`"alert":{"from":"server","level":"fatal","description":"handshake_failure"}`}},
		{"an alert alone", []*flow.Event{event(1, 1, warning)}, []string{`"tls":{"alert":{`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, out := writeAll(t, c.events...)
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("%d lines, want %d:\n%s", len(lines), len(c.want), out)
			}
			for i, want := range c.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("line %d lacks %s:\n%s", i, want, lines[i])
				}
			}
			if w.held.count != 0 {
				t.Errorf("%d still held", w.held.count)
			}
		})
	}
}

// TestHeldTime: what is written late carries the time at which it was seen.
func TestHeldTime(t *testing.T) {
	end := event(1, 600e9)
	end.Kind, end.Reason = flow.End, flow.EndIdle
	_, out := writeAll(t,
		event(1, 1e9, &wire.HTTPRequest{Method: "GET"}), event(1, 2e9, &wire.ClientHello{}),
		event(1, 3e9, &wire.ServerHello{Version: 0x0303}), end)
	var got []string
	for _, l := range linesOf(t, out.Bytes()) {
		got = append(got, l.EventType+" "+l.Timestamp)
	}
	want := []string{
		"http 1970-01-01T00:00:01.000000+0000",
		"tls 1970-01-01T00:00:03.000000+0000",
		"flow 1970-01-01T00:10:00.000000+0000",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}

// TestHostileStrings: whatever was on the wire, a line is one line of valid
// UTF-8, and no reader takes its contents for structure.
func TestHostileStrings(t *testing.T) {
	const nasty = "a\n{\"event_type\":\"alert\"}\r\x00\xff\xed\xa0\x80\u2028</script>\\"
	_, out := writeAll(t,
		event(1, 1, &wire.DNS{Proto: "dns", Questions: []wire.DNSQuestion{{Name: nasty, Type: 1}}}),
		event(2, 1, &wire.HTTPRequest{Host: nasty, Target: nasty, UserAgent: nasty}, &wire.HTTPResponse{Status: 200, Server: nasty}),
		event(3, 1, &wire.ClientHello{SNI: nasty, ALPN: []string{nasty}}, &wire.ServerHello{Version: tls13, ALPN: nasty}),
		event(4, 1, &wire.Certificate{Subject: nasty, Issuer: nasty, Serial: nasty}),
		event(5, 1, &wire.DHCPv4{Hostname: nasty, Vendor: nasty, Domain: nasty, Mask: -1}))
	if !utf8.Valid(out.Bytes()) {
		t.Error("not valid UTF-8")
	}
	lines := linesOf(t, out.Bytes())
	if len(lines) != 5 {
		t.Fatalf("%d lines, want 5:\n%s", len(lines), out)
	}
	for _, l := range lines {
		if l.EventType == "alert" {
			t.Errorf("a string became structure: %+v", l)
		}
	}
}

// brokenWriter fails after some bytes.
type brokenWriter struct{ room int }

var errBroken = errors.New("disk full")

func (b *brokenWriter) Write(p []byte) (int, error) {
	if b.room -= len(p); b.room < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	w := NewWriter(&brokenWriter{room: 100 << 10})
	var err error
	for i := 0; err == nil && i < 10000; i++ {
		err = w.Write(event(1, 1, &wire.ServerHello{Version: tls13}))
	}
	if !errors.Is(err, errBroken) {
		t.Fatalf("Write: %v, want %v", err, errBroken)
	}
	if err := w.Write(event(1, 1, &wire.ServerHello{Version: tls13})); !errors.Is(err, errBroken) {
		t.Errorf("Write after an error: %v", err)
	}
	if err := w.Flush(); !errors.Is(err, errBroken) {
		t.Errorf("Flush: %v", err)
	}
	if err := w.Close(); !errors.Is(err, errBroken) {
		t.Errorf("Close: %v", err)
	}
}

// unknownMessage is of a protocol that this package has not heard of.
type unknownMessage struct{}

func (unknownMessage) Protocol() string { return "new" }

func TestUnknownMessage(t *testing.T) {
	w := NewWriter(new(bytes.Buffer))
	if err := w.Write(event(1, 1, unknownMessage{})); err == nil {
		t.Error("a message without vocabulary was dropped in silence")
	}
}

func TestInterfaceNames(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.NameInterfaces(func(i uint16) string { return []string{"lan0", ""}[i] })
	for i := range uint16(2) {
		ev := event(1, 1, &wire.ServerHello{Version: tls13})
		ev.Record.Iface = i
		if err := w.Write(ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	first, second, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(first, `"in_iface":"lan0"`) || strings.Contains(second, "in_iface") {
		t.Errorf("got\n%s", &out)
	}
}

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

func TestCertificateOrder(t *testing.T) {
	for dn, want := range map[string]string{
		"":                              "",
		"CN=a":                          "CN=a",
		"CN=a,O=Example\\, Ltd,C=NL":    "C=NL, O=Example\\, Ltd, CN=a",
		`CN=a\\,O=b`:                    `O=b, CN=a\\`,
		`CN=ends with a backslash,O=b\`: `O=b\, CN=ends with a backslash`,
	} {
		if got := certificateOrder(dn); got != want {
			t.Errorf("certificateOrder(%q) = %q, want %q", dn, got, want)
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
