package eve

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gatehouse/capture"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/wire"
)

// TestSameLogFromAnyNumberOfShards: the log depends on the packets alone.
func TestSameLogFromAnyNumberOfShards(t *testing.T) {
	for _, name := range []string{"ja4/tls-handshake.pcapng", "nDPI/fuzz-2006-06-26-2594.pcap", "ICS-Security-Tools/Profinet_Failed.pcap"} {
		t.Run(name, func(t *testing.T) {
			path := testkit.Corpus(t, "protocols", name)
			var want []byte
			for _, shards := range []int{1, 3, 8} {
				events, err := shardedEventsOf(t, path, shards)
				if err != nil {
					t.Fatal(err)
				}
				got := logOf(t, events)
				if want == nil {
					want = got
				}
				if len(got) == 0 || !bytes.Equal(got, want) {
					t.Errorf("%d shards write %d bytes, one writes %d, or they differ", shards, len(got), len(want))
				}
			}
		})
	}
}

// FuzzWrite: whatever the parsers make of hostile bytes becomes lines of JSON.
func FuzzWrite(f *testing.F) {
	f.Add([]byte("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03a\xffb\x00\x00\x10\x00\x01\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x03\x02\xc3\x28"))
	f.Add([]byte("GET /\xed\xa0\x80 HTTP/1.1\r\nHost: a\x00\xff:80\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 302 Found\r\nLocation: \xff\r\n\r\n"))
	f.Add(append(clientHello("\xc3\x28.example", "\x80"), alertRecord(255)...))
	f.Add(append(serverHello(0x0303, false, "\xff"), certificateMessage(f)...))
	for _, b := range firstPayloads(f) {
		f.Add(b)
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		w := NewWriter(&out)
		write := func(messages []wire.Message) {
			for i, m := range messages {
				if x, ok := m.(*wire.Expectation); ok { // the flow table's
					messages[i] = &wire.FTPData{}
					if x.Message != nil {
						messages[i] = x.Message
					}
				}
			}
			if err := w.Write(event(1, 1, messages...)); err != nil {
				t.Fatal(err)
			}
		}
		eachReading(b, write)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(out.Bytes()) {
			t.Fatalf("not UTF-8: %q", out.Bytes())
		}
		for _, l := range linesOf(t, out.Bytes()) {
			if l.EventType == "" || l.Timestamp == "" {
				t.Fatalf("incomplete line %+v", l)
			}
		}
		validate(t, schema, "fuzz", out.Bytes())
	})
}

// firstPayloads returns the first three payloads of each capture of the corpus,
// if it is there: about one of every protocol.
func firstPayloads(tb testing.TB) (list [][]byte) {
	tb.Helper()
	var h flow.Headers
	for _, path := range testkit.CorpusSeeds(tb, "protocols/*/*.pcap*") {
		src, err := capture.Open([]string{path})
		if err != nil {
			continue // not every file is a capture
		}
		var batch capture.Batch
		found := 0
		for err == nil && found < 3 {
			err = src.Read(&batch)
			for i := range batch.Packets {
				if h.Decode(&batch.Packets[i]) == flow.Accepted && len(h.Payload) > 0 && found < 3 {
					found++
					list = append(list, slices.Clone(h.Payload))
				}
			}
		}
		_ = src.Close()
	}
	return list
}

// eachReading gives b to every parser there is, as what the client sends and
// as what the server sends, and calls f for what each makes of it.
func eachReading(b []byte, f func([]wire.Message)) {
	one := func(parse func([]byte) (wire.Message, error)) {
		if parse == nil {
			return
		}
		if m, err := parse(b); err == nil && m != nil { // nil: recognised, and nothing to tell
			f([]wire.Message{m})
		}
	}
	flush := func(parser any, dir wire.Dir, rest []byte) {
		if fl, ok := parser.(wire.Flusher); ok {
			f(fl.Flush(dir, rest, nil))
		}
	}
	one(func(b []byte) (wire.Message, error) {
		m, err := wire.ParseARP(b)
		return m, err
	})
	for _, p := range wire.Table() {
		one(p.Datagram)
		one(p.Frame)
		one(p.Packet)
		if p.NewDatagrams != nil {
			d := p.NewDatagrams()
			for dir := range wire.Dir(2) {
				messages, _ := d.Datagram(dir, b, nil) // an error does not take back what came before it
				f(messages)
			}
			flush(d, wire.FromClient, nil)
			flush(d, wire.FromServer, nil)
		}
		if p.NewStream == nil {
			continue
		}
		for dir := range wire.Dir(2) { // each may be the one that speaks first
			s := p.NewStream()
			for _, turn := range []wire.Dir{dir, dir.Other()} {
				n, messages, err := s.Feed(turn, b, nil)
				f(messages)
				if err != nil {
					break
				}
				flush(s, turn, b[n:])
			}
		}
	}
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
	retry := &wire.ServerHello{Version: tls13, Retry: true}
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
		{
			"response without request",
			[]*flow.Event{event(1, 1, &wire.HTTPResponse{Status: 200, Length: 3}), event(1, 2, &wire.HTTPBody{Length: 2})},
			[]string{`"http":{"status":200,"length":2}`},
		},
		{
			"response without request, perhaps to a HEAD",
			[]*flow.Event{event(1, 1, &wire.HTTPResponse{Status: 200, Length: 3}), end},
			[]string{`"http":{"status":200}`, `"event_type":"flow"`},
		},
		{
			"a request whose response was lost, before one that was answered",
			[]*flow.Event{event(1, 1, &wire.HTTPRequest{Target: "/a"}, &wire.HTTPRequest{Target: "/b"}), event(1, 2, &wire.HTTPResponse{Status: 204, Waiting: 1})},
			[]string{`"http":{"url":"/a"}`, `"http":{"url":"/b","status":204,"length":0}`},
		},
		{
			"a response to a request that was lost, behind one that is held",
			[]*flow.Event{event(1, 1, &wire.HTTPRequest{Target: "/a"}), event(1, 2, &wire.HTTPResponse{Status: 204})},
			[]string{`"http":{"url":"/a"}`, `"http":{"status":204,"length":0}`},
		},
		{
			"a body whose end was not seen",
			[]*flow.Event{event(1, 1, response), event(1, 2, &wire.HTTPResponse{Status: 204}), event(1, 3, &wire.HTTPBody{Length: 5})},
			[]string{`"http":{"protocol":"HTTP/1.1","status":200}`, `"http":{"status":204,"length":0}`},
		},
		{
			"a body that was counted",
			[]*flow.Event{event(1, 1, response), event(1, 2, &wire.HTTPBody{Length: 5})},
			[]string{`"http":{"protocol":"HTTP/1.1","status":200,"length":5}`},
		},
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
		{
			"a second hello like the first",
			[]*flow.Event{event(1, 1, hello), event(1, 2, retry), event(1, 3, hello), event(1, 4, server13)},
			[]string{`"tls":{"sni":"a.example","version":"TLS 1.3","cipher":"TLS_NULL_WITH_NULL_NULL"}`},
		},
		{
			"a second hello of another shape",
			[]*flow.Event{event(1, 1, hello), event(1, 2, retry), event(1, 3, &wire.ClientHello{SNI: "a.example", JA4: "x"}), event(1, 4, server13)},
			[]string{`"hello_retry":true}`, `"ja4":"x"}`},
		},
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
		event(2, 1, &wire.HTTPRequest{Host: nasty, Target: nasty, UserAgent: nasty}, &wire.HTTPResponse{Status: 200, Server: nasty, Waiting: 1}),
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
