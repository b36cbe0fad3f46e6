package detect

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/baseline"
	"gatehouse/device"
	"gatehouse/flow"
	"gatehouse/wire"
)

// A detector's file is named after it, its Spec is complete and the Table
// holds it: a file with a detector that is not in the Table fails here.
func TestEveryDetectorIsInTheTable(t *testing.T) {
	inTable := map[string]bool{}
	for _, d := range Table(Config{}) {
		s := d.Spec()
		if inTable[s.Name] {
			t.Errorf("two detectors are called %q", s.Name)
		}
		inTable[s.Name] = true
		if len(s.Kinds) == 0 || s.Class == "" || !strings.HasSuffix(s.Summary, ".") || len(s.Attack) == 0 {
			t.Errorf("%s: the Spec is incomplete: %+v", s.Name, s)
		}
		for _, id := range s.Attack {
			if len(id) < 5 || id[0] != 'T' {
				t.Errorf("%s: %q is no ATT&CK technique", s.Name, id)
			}
		}
		if _, err := os.Stat(s.Name + ".go"); err != nil {
			t.Errorf("detector %s is not in a file of its name: %v", s.Name, err)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(file, ".go")
		if !strings.HasSuffix(name, "_test") && strings.Contains(string(text), ") Spec() Spec {") && !inTable[name] {
			t.Errorf("%s holds a detector that has no line in Table (detect.go)", file)
		}
	}
}

func TestBits(t *testing.T) {
	for _, tt := range []struct{ p, want float64 }{
		{1, 0}, {2, 0}, {.5, 1}, {.01, 6.6}, {0, 300}, {-1, 300}, {math.SmallestNonzeroFloat64, 300}, {1e-80, 265.8},
	} {
		if got := Bits(tt.p); got != tt.want {
			t.Errorf("Bits(%g) = %v, want %v", tt.p, got, tt.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc…"}, {"aüb", 2, "a…"}, {"ü", 1, "…"}, {"", 0, ""}} {
		if got := shorten(tt.in, tt.n); got != tt.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

// u names and b bytes below one domain: (1+u/8)^-3 (1+b/400)^-1.5.
func TestTunnelP(t *testing.T) {
	for _, tt := range []struct {
		got, want float64
		what      string
	}{
		{DomainTunnelP(0, 0), 1, "nothing is no surprise"},
		{DomainTunnelP(8, 0), 1. / 8, "8 names: 2^-3"},
		{DomainTunnelP(8, 1200), 1. / 64, "and 1,200 bytes: 4^-1.5 more"},
		{DomainTunnelP(100, 0), math.Pow(13.5, -3), "RITA's 100 subdomains"},
		{DeviceTunnelP(15, 3600), 1. / 64, "the same for 15 names and 3,600 bytes of a device"},
	} {
		if math.Abs(tt.got-tt.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", tt.what, tt.got, tt.want)
		}
	}
}

func TestServiceTable(t *testing.T) {
	seen := map[[2]int]string{}
	for _, s := range wellKnown {
		key := [2]int{int(s.proto), int(s.port)}
		if other, ok := seen[key]; ok {
			t.Errorf("%d/%d is both %s and %s", s.proto, s.port, other, s.name)
		}
		seen[key] = s.name
		if s.name == "" || s.remote && s.internet {
			t.Errorf("%+v: wants a name, and not to be both an intruder's way and common on the internet", s)
		}
	}
	for _, tt := range []struct {
		scope baseline.Scope
		proto uint8
		port  uint16
		want  string
	}{
		{baseline.WAN, protoTCP, 443, "HTTPS (tcp/443)"},
		{baseline.WAN, protoUDP, 443, "QUIC (udp/443)"},
		{baseline.WAN, protoTCP, 4444, "tcp/4444"},
		{baseline.WAN, protoUDP, 51413, "udp on a dynamic port"},
		{baseline.WAN, 47, 0, "ip-47/0"},
	} {
		if got := serviceLabel(baseline.NewServiceKey(tt.scope, tt.proto, tt.port)); got != tt.want {
			t.Errorf("label of %d/%d: %q, want %q", tt.proto, tt.port, got, tt.want)
		}
	}
}

func TestLeftOut(t *testing.T) {
	gateway := &device.Device{Gateway: true}
	dev := &device.Device{ID: "d"}
	for _, tt := range []struct {
		name string
		in   Input
		r    flow.Record
		want bool
	}{
		{"TCP with a handshake", Input{Client: dev}, flow.Record{Proto: protoTCP, Initiator: flow.BySYN, Flags: [2]uint8{flagSYN, flagSYN | flagACK}}, false},
		{"TCP joined late at a known port", Input{Client: dev}, flow.Record{Proto: protoTCP, Initiator: flow.ByPort, Flags: [2]uint8{flagACK, flagACK}}, false},
		{"TCP of unknown direction", Input{Client: dev}, flow.Record{Proto: protoTCP, Initiator: flow.ByFirstSeen}, true},
		{"a bare RST", Input{Client: dev}, flow.Record{Proto: protoTCP, Initiator: flow.ByPort, Flags: [2]uint8{flagRST, 0}}, true},
		{"mDNS", Input{Client: dev}, flow.Record{Proto: protoUDP, Server: flow.Endpoint{Port: 5353}}, true},
		{"DNS at the gateway", Input{Client: dev, Server: gateway}, flow.Record{Proto: protoUDP, Server: flow.Endpoint{Port: 53}}, true},
		{"DNS elsewhere", Input{Client: dev}, flow.Record{Proto: protoUDP, Server: flow.Endpoint{Port: 53}}, false},
		{"late UDP from outside", Input{Server: dev}, flow.Record{Proto: protoUDP, Initiator: flow.ByFirstSeen, Server: flow.Endpoint{Port: 40000}}, true},
		{"a ping", Input{Client: dev}, flow.Record{Proto: protoICMP, ICMPType: 8}, false},
		{"unreachable", Input{Client: dev}, flow.Record{Proto: protoICMP, ICMPType: 3}, true},
		{"a ping over IPv6", Input{Client: dev}, flow.Record{Proto: protoICMPv6, ICMPType: 128}, false},
		{"neighbour discovery", Input{Client: dev}, flow.Record{Proto: protoICMPv6, ICMPType: 135}, true},
	} {
		in := tt.in
		in.Event = &flow.Event{Record: tt.r}
		if got := leftOut(&in); got != tt.want {
			t.Errorf("%s: left out %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestConns(t *testing.T) {
	start := flow.Event{Kind: flow.Start, Record: flow.Record{ID: 7}}
	for _, tt := range []struct {
		name     string
		messages []wire.Message
		want     string
	}{
		{"SNI", []wire.Message{&wire.ClientHello{SNI: "Cloud.example.com"}}, "cloud.example.com"},
		{"the first name counts", []wire.Message{&wire.ClientHello{SNI: "a.example"}, &wire.HTTPRequest{Host: "b.example"}}, "a.example"},
		{"Host with a port", []wire.Message{&wire.HTTPRequest{Method: "GET", Host: "Cam.example:8080"}}, "cam.example"},
		{"Host is an address", []wire.Message{&wire.HTTPRequest{Method: "GET", Host: "192.0.2.1:80"}}, ""},
		{"Host is an IPv6 address", []wire.Message{&wire.HTTPRequest{Method: "GET", Host: "[2001:db8::1]:8080"}}, ""},
		{"a proxy is not what it connects to", []wire.Message{&wire.HTTPRequest{Method: "CONNECT", Host: "b.example:443"}}, ""},
		{"hostile", []wire.Message{&wire.HTTPRequest{Method: "GET", Host: "a\x1b]0;pwned\a.example"}}, ""},
		{"no SNI", []wire.Message{&wire.ClientHello{}}, ""},
	} {
		c := NewConns()
		first := c.Of(&start)
		conn := c.Of(&flow.Event{Kind: flow.Update, Record: start.Record, Messages: tt.messages})
		if conn != first || conn.Name != tt.want || conn.Spoken != (tt.want != "") {
			t.Errorf("%s: %+v, want name %q in the memory of the flow", tt.name, conn, tt.want)
		}
		if end := c.Of(&flow.Event{Kind: flow.End, Record: start.Record}); end != first || len(c.m) != 0 {
			t.Errorf("%s: the End must see the memory and forget it; %d are left", tt.name, len(c.m))
		}
	}
	if conn := NewConns().Of(&flow.Event{Kind: flow.Frame}); conn != nil {
		t.Errorf("a frame has a memory: %+v", conn)
	}
}

func TestConnsAreBounded(t *testing.T) {
	c := NewConns()
	for id := range uint64(2 * maxConns) {
		if c.Of(&flow.Event{Kind: flow.Start, Record: flow.Record{ID: id + 1}}) == nil {
			t.Fatal("a flow has no memory at all")
		}
	}
	if len(c.m) != maxConns {
		t.Errorf("%d flows are remembered, want %d", len(c.m), maxConns)
	}
}

func addr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func TestNames(t *testing.T) {
	n := NewNames()
	n.Learn("a", answer("One.example.com.", addr(1), addr(2)))
	n.Learn("b", answer("two.example.com", addr(1)))
	n.Learn("b", answer("bad name\x1b.example.com", addr(3)))
	n.Learn("b", query("three.example.com", 1))
	mdns := answer("printer.local", addr(4))
	mdns.Proto = "mdns"
	n.Learn("b", mdns)
	for _, tt := range []struct {
		device string
		addr   int
		want   string
	}{
		{"a", 1, "one.example.com"}, // each by the name that it asked for
		{"b", 1, "two.example.com"},
		{"c", 1, "two.example.com"}, // else the last to ask
		{"b", 2, "one.example.com"},
		{"b", 3, ""}, {"b", 4, ""}, {"b", 5, ""},
	} {
		if got := n.Lookup(tt.device, addr(tt.addr)); got != tt.want {
			t.Errorf("%s knows %v as %q, want %q", tt.device, addr(tt.addr), got, tt.want)
		}
	}
	mapped := netip.AddrFrom16(addr(1).As16())
	if got := n.Lookup("a", mapped); got != "one.example.com" {
		t.Errorf("mapped into IPv6: %q", got)
	}
	n.Forget("b")
	if got := n.Lookup("b", addr(1)); got != "one.example.com" {
		t.Errorf("after b was forgotten its address is %q, want what a calls it", got)
	}
	for _, e := range n.Entries() {
		if e.Device == "b" {
			t.Errorf("b is forgotten, and yet %+v", e)
		}
	}
}

func TestNamesAreBounded(t *testing.T) {
	n := NewNames()
	var many []netip.Addr
	for i := range 1000 {
		many = append(many, addr(i))
	}
	n.Learn("victim", answer("keep.example.com", addr(1<<20)))
	n.Learn("a", answer("flood.example.com", many...))
	if got := len(n.Entries()); got != 1+maxAnswerAddrs {
		t.Fatalf("an answer of 1,000 addresses fills %d places, want %d", got-1, maxAnswerAddrs)
	}
	for i := range 3 * maxNames {
		n.put(nameKey{fmt.Sprint("d", i%3), addr(i / 2)}, "x.example.com")
	}
	if len(n.order) != maxNames || len(n.byDevice) != maxNames || len(n.latest) > maxNames {
		t.Errorf("%d keys, %d names, %d addresses, want at most %d", len(n.order), len(n.byDevice), len(n.latest), maxNames)
	}
	for a, d := range n.latest {
		if n.byDevice[nameKey{d, a}] == "" {
			t.Fatalf("the last to ask for %v was %s, who does not know it", a, d)
		}
	}

	// What is restored answers as the original does, and forgets in the same order.
	again := NewNames()
	again.Restore(n.Entries())
	for i := range 100 {
		key := nameKey{"new", addr(1<<21 + i)}
		n.put(key, "y.example.com")
		again.put(key, "y.example.com")
	}
	for i := range 3 * maxNames {
		if x, y := n.Lookup("z", addr(i/2)), again.Lookup("z", addr(i/2)); x != y {
			t.Fatalf("%v: %q, after a restart %q", addr(i/2), x, y)
		}
	}
}

// A flood of names costs a device's hour a fixed amount, does not push out what
// looks like a tunnel, and is forgotten an hour later.
func TestTunnelHoursAreBounded(t *testing.T) {
	d := newTunnels()
	var found []Finding
	in := &Input{Event: &flow.Event{Kind: flow.Update, Time: epoch.UnixNano()}, Client: &device.Device{ID: "d", Name: "d"}}
	ask := func(name string) {
		in.Event.Messages = []wire.Message{query(name, 16)}
		d.Observe(in, func(f Finding) { found = append(found, f) })
	}
	for i := range 20 {
		ask(noise(i, 50, "0123456789abcdef") + ".tunnel.example.com")
	}
	for i := range 20000 {
		ask(fmt.Sprintf("www.%s.com", noise(i, 14, "abcdefghij")))
	}
	h := d.devices["d"]
	total := 0
	for _, o := range h.domains {
		total += len(o.names)
	}
	if len(h.domains) > maxTunnelDomains || h.names > maxTunnelNames || h.names != total {
		t.Errorf("%d domains, %d names counted as %d", len(h.domains), total, h.names)
	}
	before := len(found)
	ask(noise(99, 50, "0123456789abcdef") + ".tunnel.example.com")
	if len(found) == before || found[before].Subject != "example.com" || !strings.Contains(found[before].Summary, " 21 different") {
		t.Errorf("the tunnel was pushed out by browsing: %+v", found[before:])
	}
	for i := range 3000 {
		ask(noise(100+i, 50, "0123456789abcdef") + ".tunnel.example.com")
	}
	if h.names != maxTunnelNames || len(h.domains) != 1 {
		t.Errorf("a tunnel of 3,000 names takes %d places in %d domains, want %d in 1", h.names, len(h.domains), maxTunnelNames)
	}
	d.Tick(in.Now()+int64(tunnelWindow)+1, nil)
	if len(d.devices) != 0 {
		t.Errorf("%d hours are kept after they are over", len(d.devices))
	}
}

// Whatever a thousand devices do at a time, what waits is bounded, and all of it
// is reported in the end.
func TestPendingCertificatesAreBounded(t *testing.T) {
	w := newWorld(t)
	c := newCertificates(Config{Roots: w.authority.roots})
	message, err := w.authority.message(map[string]string{"by": "self", "name": "x.example.com", "from": "-1", "to": "9"})
	if err != nil {
		t.Fatal(err)
	}
	reported := 0
	report := func(f Finding) {
		reported++
		if f.Device == nil {
			t.Error("a finding without a device")
		}
	}
	const flood = 10 * maxPending
	for i := range flood {
		in := &Input{
			Event: &flow.Event{Kind: flow.Update, Time: epoch.UnixNano(), Messages: message, Record: flow.Record{ID: uint64(i + 1), Server: flow.Endpoint{Addr: addr(i), Port: 443}}},
			Conn:  &Conn{Name: fmt.Sprintf("s%d.example.com", i), Spoken: true}, Client: &device.Device{ID: "d", Name: "d"},
			ClientModel: baseline.NewModel(epoch.UnixNano()), Names: w.names,
		}
		c.Observe(in, report)
	}
	if len(c.pending) > maxPending || len(c.verdicts) > maxVerdicts || len(c.strikes) > clockServers {
		t.Errorf("%d pending, %d verdicts, %d strikes", len(c.pending), len(c.verdicts), len(c.strikes))
	}
	c.Tick(epoch.UnixNano()+int64(verdictWait)-1, report)
	if len(c.pending) != maxPending {
		t.Errorf("%d wait after less than %v, want %d", len(c.pending), verdictWait, maxPending)
	}
	c.Tick(epoch.UnixNano()+int64(verdictWait), report)
	if len(c.pending) != 0 || reported != flood {
		t.Errorf("%d still wait, %d of %d are reported", len(c.pending), reported, flood)
	}
}

// The cache must not answer for a renewed certificate, another name or another time.
func TestVerdictCache(t *testing.T) {
	w := newWorld(t)
	c := newCertificates(Config{Roots: w.authority.roots})
	in := &Input{Event: &flow.Event{Time: epoch.UnixNano()}}
	cert := func(by string) *wire.Certificate {
		m, err := w.authority.message(map[string]string{"by": by, "name": "x.example.com", "from": "-1", "to": "9"})
		if err != nil {
			t.Fatal(err)
		}
		return m[0].(*wire.Certificate)
	}
	good, bad := cert("trusted"), cert("private")
	bad.SPKI = good.SPKI // as if it were the same key
	for _, tt := range []struct {
		name string
		m    *wire.Certificate
		host string
		at   time.Duration
		want wire.CertStatus
	}{
		{"valid", good, "x.example.com", 0, wire.CertValid},
		{"from the cache", good, "x.example.com", 0, wire.CertValid},
		{"another certificate for the same key", bad, "x.example.com", 0, wire.CertUnknownAuthority},
		{"another name", good, "y.example.com", 0, wire.CertNameMismatch},
		{"later", good, "x.example.com", 10 * 24 * time.Hour, wire.CertExpired},
	} {
		in.Event.Time = epoch.Add(tt.at).UnixNano()
		if v := c.verify(in, tt.m, tt.host); v.Status != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, v.Status, tt.want)
		}
	}
	if len(c.verdicts) != 4 {
		t.Errorf("%d verdicts are kept, want 4", len(c.verdicts))
	}
}

// A chain that was cut off is not blamed for a missing intermediate, and a
// certificate after which the client sends nothing was refused.
func TestCertificateReactions(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name      string
		truncated bool
		sent      uint64 // payload of the client by the end
		alert     bool
		want      string
	}{
		{"went on", false, 300, false, "went on regardless."},
		{"sent nothing more", false, 100, false, "refused it."},
		{"refused with an alert", false, 107, true, "refused it."},
		{"cut off", true, 300, false, ""},
	} {
		c := newCertificates(Config{Roots: w.authority.roots})
		message, err := w.authority.message(map[string]string{"by": "private", "name": "x.example.com", "from": "-1", "to": "9"})
		if err != nil {
			t.Fatal(err)
		}
		cert := *message[0].(*wire.Certificate)
		cert.Truncated = tt.truncated
		ev := &flow.Event{Kind: flow.Update, Time: epoch.UnixNano(), Messages: []wire.Message{&cert}, Record: flow.Record{ID: 1, Server: flow.Endpoint{Addr: addr(1), Port: 443}, Payload: [2]uint64{100, 3000}}}
		in := &Input{Event: ev, Conn: &Conn{Name: "x.example.com", Spoken: true}, Client: &device.Device{ID: "d", Name: "d"}, ClientModel: baseline.NewModel(epoch.UnixNano()), Names: w.names}
		var found []string
		report := func(f Finding) { found = append(found, f.Summary) }
		c.Observe(in, report)
		if len(found) != 0 {
			t.Errorf("%s: reported before the reaction was known: %q", tt.name, found)
		}
		ev.Messages, ev.Kind, ev.Record.Payload[0] = nil, flow.End, tt.sent
		if tt.alert {
			ev.Messages = []wire.Message{&wire.TLSAlert{From: wire.FromClient, Fatal: true}}
		}
		c.Observe(in, report)
		if tt.want == "" && len(found) == 0 {
			continue
		}
		if len(found) != 1 || !strings.HasSuffix(found[0], tt.want) {
			t.Errorf("%s: %q, want one that ends in %q", tt.name, found, tt.want)
		}
	}
}

// What several TLS stacks agreed on does not depend on the order of a map.
func TestLowestIsDeterministic(t *testing.T) {
	e := baseline.Endpoint{Name: "x.example.com", Port: 443}
	m := baseline.NewModel(0)
	for i := range 20 {
		m.Handshakes.Put(baseline.Client{Endpoint: e, JA4: fmt.Sprint(i)}, baseline.Handshakes{
			Count: uint16(i), Version: 0x0303, Cipher: uint8(wire.ClassAEAD), Suite: uint16(0xc02b + i%3),
		})
	}
	m.Handshakes.Put(baseline.Client{Endpoint: e, JA4: "unknown"}, baseline.Handshakes{Count: 9, Version: 0x0304, Cipher: uint8(wire.ClassUnknown), Suite: 1})
	// Stacks with fewer than two handshakes do not count: 9 + (2 + 3 + ... + 19) = 198.
	want := baseline.Handshakes{Count: 198, Version: 0x0303, Cipher: uint8(wire.ClassAEAD), Suite: 0xc02b}
	for range 20 {
		if got := lowest(m, e); got != want {
			t.Fatalf("lowest is %+v, want %+v", got, want)
		}
	}
}

// BenchmarkEvent shows events of a known device's HTTPS flow to all detectors.
func BenchmarkEvent(b *testing.B) {
	w := newWorld(b)
	if _, err := w.line("device cam 192.168.1.20"); err != nil {
		b.Fatal(err)
	}
	var history []flow.Event
	for _, line := range []string{
		"0-9 06:00+1h*12 cam > cloud.vista.com=198.51.100.7:443/tcp | tls hello ja4=A | tls server version=1.3 cipher=1301",
	} {
		events, err := w.line(line)
		if err != nil {
			b.Fatal(err)
		}
		history = append(history, events...)
	}
	for i := range history {
		w.event(&history[i])
	}
	flowEvents, err := w.line("10 06:00 cam > cloud.vista.com=198.51.100.7:443/tcp | tls hello ja4=A | tls server version=1.3 cipher=1301")
	if err != nil {
		b.Fatal(err)
	}
	report := func(Finding) {}
	var in Input
	cam := w.devices[netip.MustParseAddr("192.168.1.20")]
	for name, events := range map[string][]flow.Event{
		"flow":   flowEvents,                                                                    // lookup, hello, server hello: 8 events
		"update": {{Kind: flow.Update, Time: flowEvents[4].Time, Record: flowEvents[4].Record}}, // every 30 s
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range events {
					ev := &events[i]
					in = Input{Event: ev, Conn: w.conns.Of(ev), Client: cam, ClientModel: w.models[cam.ID], Scope: baseline.WAN, Names: w.names, Learn: true}
					if ev.Record.Server.Port == 53 {
						in.Scope = baseline.LAN
					}
					for _, d := range w.detectors {
						d.Observe(&in, report)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(events)), "ns/event")
		})
	}
}
