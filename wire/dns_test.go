package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/dns/dnsmessage"
)

var equateAddrs = cmpopts.EquateComparable(netip.Addr{})

// join builds a message from commented parts: bytes, numbers below 256, and
// strings.
func join(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case byte:
			b = append(b, p)
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

func dnsHead(flags1, flags2, qd, an, ns, ar int) []byte {
	return join(0x12, 0x34, flags1, flags2, 0, qd, 0, an, 0, ns, 0, ar)
}

var (
	questionA = join(7, "example", 3, "com", 0, 0, 1, 0, 1) // at offset 12, 17 bytes
	pointer12 = join(0xc0, 12)                              // the question's name
	ttl60     = join(0, 0, 0, 60)
)

func TestParseDNS(t *testing.T) {
	question := []DNSQuestion{{Name: "example.com", Type: 1, Class: 1}}
	tests := []struct {
		name  string
		parse func([]byte) (Message, error)
		in    []byte
		want  *DNS
		err   error
	}{
		{
			name: "query", parse: new(dnsParser).dns,
			in:   join(dnsHead(1, 0, 1, 0, 0, 0), questionA),
			want: &DNS{Proto: "dns", ID: 0x1234, Flags: 0x0100, Questions: question},
		},
		{
			name: "answer with a compressed name", parse: new(dnsParser).dns,
			in: join(dnsHead(0x81, 0x80, 1, 1, 0, 0), questionA,
				pointer12, 0, 1, 0, 1, ttl60, 0, 4, 192, 0, 2, 7),
			want: &DNS{
				Proto: "dns", ID: 0x1234, Response: true, Flags: 0x8180, Questions: question,
				Answers: []DNSRecord{{Name: "example.com", Type: 1, TTL: 60, Addr: netip.MustParseAddr("192.0.2.7")}},
			},
		},
		{
			name: "fingerprint of a host key", parse: new(dnsParser).dns,
			in: join(dnsHead(0x81, 0x80, 1, 2, 0, 0), questionA,
				pointer12, 0, 44, 0, 1, ttl60, 0, 5, 4, 2, 0x3c, 0xa9, 0x01,
				pointer12, 0, 44, 0, 1, ttl60, 0, 2, 4, 2), // without one
			want: &DNS{
				Proto: "dns", ID: 0x1234, Response: true, Flags: 0x8180, Questions: question,
				Answers: []DNSRecord{
					{Name: "example.com", Type: 44, TTL: 60, Target: "4 2 3ca901"},
					{Name: "example.com", Type: 44, TTL: 60},
				},
			},
		},
		{
			name: "alias, then its address under the name at offset 41", parse: new(dnsParser).dns,
			in: join(dnsHead(0x81, 0x80, 1, 2, 0, 0), questionA,
				pointer12, 0, 5, 0, 1, ttl60, 0, 4, 1, "a", pointer12,
				0xc0, 41, 0, 28, 0, 1, ttl60, 0, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
			want: &DNS{
				Proto: "dns", ID: 0x1234, Response: true, Flags: 0x8180, Questions: question,
				Answers: []DNSRecord{
					{Name: "example.com", Type: 5, TTL: 60, Target: "a.example.com"},
					{Name: "a.example.com", Type: 28, TTL: 60, Addr: netip.MustParseAddr("2001:db8::1")},
				},
			},
		},
		{
			name: "TXT without its empty string, MX; who has authority", parse: new(dnsParser).dns,
			in: join(dnsHead(0x81, 0x80, 1, 2, 2, 0), questionA,
				pointer12, 0, 16, 0, 1, ttl60, 0, 7, 0, 2, "hi", 2, "yo",
				pointer12, 0, 15, 0, 1, ttl60, 0, 4, 0, 10, pointer12,
				pointer12, 0, 6, 0, 1, ttl60, 0, 27, 2, "ns", pointer12, pointer12,
				0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5,
				pointer12, 0, 2, 0, 1, ttl60, 0, 2, pointer12),
			want: &DNS{
				Proto: "dns", ID: 0x1234, Response: true, Flags: 0x8180, Questions: question,
				Answers: []DNSRecord{
					{Name: "example.com", Type: 16, TTL: 60, Text: []string{"hi", "yo"}},
					{Name: "example.com", Type: 15, TTL: 60, Target: "example.com"},
				},
				Authority: []DNSRecord{
					{Name: "example.com", Type: 6, TTL: 60, SOA: &DNSSOA{"ns.example.com", "example.com", 1, 2, 3, 4, 5}},
					{Name: "example.com", Type: 2, TTL: 60, Target: "example.com"},
				},
			},
		},
		{
			name: "mDNS: unicast-response bit, service with a blank, SRV among the additional", parse: new(dnsParser).mdns,
			in: join(dnsHead(0x84, 0, 1, 1, 0, 1), 4, "_ipp", 4, "_tcp", 5, "local", 0, 0, 12, 0x80, 1,
				pointer12, 0, 12, 0, 1, ttl60, 0, 10, 7, "My \xc3\xa4.\\", pointer12,
				0xc0, 45, 0, 33, 0x80, 1, ttl60, 0, 10, 0, 1, 0, 9, 2, 0x77, 1, "h", 0xc0, 22),
			want: &DNS{
				Proto: "mdns", ID: 0x1234, Response: true, Flags: 0x8400,
				Questions: []DNSQuestion{{Name: "_ipp._tcp.local", Type: 12, Class: 1}},
				Answers: []DNSRecord{{
					Name: "_ipp._tcp.local", Type: 12, TTL: 60, Target: `My \195\164\046\092._ipp._tcp.local`,
				}},
				Additional: []DNSRecord{{
					Name: `My \195\164\046\092._ipp._tcp.local`, Type: 33, TTL: 60, Priority: 1, Weight: 9, Port: 631, Target: "h.local",
				}},
			},
		},
		{
			name: "LLMNR query", parse: new(dnsParser).llmnr,
			in: join(dnsHead(0, 0, 1, 0, 0, 0), 4, "wpad", 0, 0, 1, 0, 1),
			want: &DNS{
				Proto: "llmnr", ID: 0x1234, Questions: []DNSQuestion{{Name: "wpad", Type: 1, Class: 1}},
			},
		},
		{
			name: "extended rcode 23 in OPT", parse: new(dnsParser).dns,
			in: join(dnsHead(0x81, 0x87, 1, 0, 0, 1), questionA, 0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0),
			want: &DNS{
				Proto: "dns", ID: 0x1234, Response: true, Flags: 0x8187, RCode: 23, Questions: question,
			},
		},
		{
			name: "second answer cut off by the snap length", parse: new(dnsParser).dns,
			in: join(dnsHead(0x81, 0x80, 1, 2, 0, 0), questionA,
				pointer12, 0, 1, 0, 1, ttl60, 0, 4, 192, 0, 2, 7, pointer12, 0, 1, 0),
			want: &DNS{
				Proto: "dns", ID: 0x1234, Response: true, Flags: 0x8180, Questions: question, Truncated: true,
				Answers: []DNSRecord{{Name: "example.com", Type: 1, TTL: 60, Addr: netip.MustParseAddr("192.0.2.7")}},
			},
		},
		{
			name: "update that deletes a set has no data", parse: new(dnsParser).dns,
			in: join(dnsHead(0x28, 0, 1, 1, 0, 0), questionA, pointer12, 0, 1, 0, 255, 0, 0, 0, 0, 0, 0),
			want: &DNS{
				Proto: "dns", ID: 0x1234, Opcode: 5, Flags: 0x2800, Questions: question,
				Answers: []DNSRecord{{Name: "example.com", Type: 1}},
			},
		},
		{name: "empty", parse: new(dnsParser).dns, in: nil, err: ErrTruncated},
		{name: "header cut", parse: new(dnsParser).dns, in: make([]byte, 11), err: ErrTruncated},
		{name: "question cut", parse: new(dnsParser).dns, in: join(dnsHead(1, 0, 1, 0, 0, 0), questionA[:8]), err: ErrTruncated},
		{name: "class cut", parse: new(dnsParser).dns, in: join(dnsHead(1, 0, 1, 0, 0, 0), questionA[:16]), err: ErrTruncated},
		{name: "opcode 15", parse: new(dnsParser).dns, in: join(dnsHead(0x79, 0, 1, 0, 0, 0), questionA), err: ErrNotMine},
		{name: "no entries but bytes", parse: new(dnsParser).dns, in: join(dnsHead(0, 0, 0, 0, 0, 0), "x"), err: ErrNotMine},
		{name: "pointer to itself", parse: new(dnsParser).dns, in: join(dnsHead(1, 0, 1, 0, 0, 0), pointer12, 0, 1, 0, 1), err: ErrMalformed},
		{name: "pointer ahead", parse: new(dnsParser).dns, in: join(dnsHead(1, 0, 1, 0, 0, 0), 0xc0, 14, 0, 0, 1, 0, 1), err: ErrMalformed},
		{name: "label type 0x40", parse: new(dnsParser).dns, in: join(dnsHead(1, 0, 1, 0, 0, 0), 0x41, 0, 0, 1, 0, 1), err: ErrMalformed},
		{
			name: "name of 256 bytes", parse: new(dnsParser).dns, err: ErrMalformed,
			in: join(dnsHead(1, 0, 1, 0, 0, 0), strings.Repeat("\x3f"+strings.Repeat("a", 63), 4), 0, 0, 1, 0, 1),
		},
		{
			name: "address of five bytes", parse: new(dnsParser).dns, err: ErrMalformed,
			in: join(dnsHead(0x81, 0x80, 1, 1, 0, 0), questionA, pointer12, 0, 1, 0, 1, ttl60, 0, 5, 1, 2, 3, 4, 5),
		},
		{
			name: "SOA with four numbers", parse: new(dnsParser).dns, err: ErrMalformed,
			in: join(dnsHead(0x81, 0x83, 1, 0, 1, 0), questionA, pointer12, 0, 6, 0, 1, ttl60, 0, 20, pointer12, pointer12, make([]byte, 16)),
		},
		{
			name: "SOA whose names fill it", parse: new(dnsParser).dns, err: ErrMalformed,
			in: join(dnsHead(0x81, 0x83, 1, 0, 1, 0), questionA, pointer12, 0, 6, 0, 1, ttl60, 0, 2, pointer12, pointer12, make([]byte, 20)),
		},
		{
			name: "target beyond its record", parse: new(dnsParser).dns, err: ErrMalformed,
			in: join(dnsHead(0x81, 0x80, 1, 1, 0, 0), questionA, pointer12, 0, 5, 0, 1, ttl60, 0, 2, 3, "comm", 0),
		},
		{
			name: "65,535 questions", parse: new(dnsParser).dns, err: ErrMalformed,
			in: join(0, 0, 1, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, questionA),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(tt.in)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if tt.want == nil {
				if got != nil {
					t.Errorf("got a message with an error: %+v", got)
				}
				return
			}
			if diff := cmp.Diff(Message(tt.want), got, equateAddrs, cmpopts.EquateEmpty(), cmp.Transformer("value", func(m *DNS) DNS { return *m })); diff != "" {
				t.Errorf("message differs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDNSPointerChain: names of the largest message must not take quadratic
// time through pointers to pointers.
func TestDNSPointerChain(t *testing.T) {
	b := join(dnsHead(0x81, 0x80, 0, 1, 0, 0))
	b = append(b, 0)                         // the root at offset 12
	for at := 12; len(b) < 12+1+2*40; at++ { // each pointer points to the one before
		to := 12
		if len(b) > 13 {
			to = len(b) - 2
		}
		b = append(b, 0xc0, byte(to))
	}
	if _, _, err := appendDNSName(nil, b, len(b)-2); !errors.Is(err, ErrMalformed) {
		t.Errorf("chain of 40 pointers: got %v, want ErrMalformed", err)
	}
	if _, next, err := appendDNSName(nil, b, 12+1+2*10); err != nil || next != 12+1+2*11 {
		t.Errorf("chain of 11 pointers: got next %d, %v", next, err)
	}
}

func TestDNSRecordCap(t *testing.T) {
	b := join(0, 1, 0x81, 0x80, 0, 1, 0x10, 0, 0, 0, 0, 0, questionA) // 4,096 answers
	for range 4096 {
		b = append(b, join(pointer12, 0, 1, 0, 1, ttl60, 0, 4, 1, 2, 3, 4)...)
	}
	m, err := new(dnsParser).dns(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := m.(*DNS); len(d.Answers) != maxDNSRecords || !d.Truncated {
		t.Errorf("got %d answers, truncated %v; want %d, true", len(d.Answers), d.Truncated, maxDNSRecords)
	}
}

// TestDNSMemory holds the promises that known names cost nothing, that no
// message shares memory that can be written, and that what is remembered is
// bounded.
func TestDNSMemory(t *testing.T) {
	p := new(dnsParser)
	in := dnsAnswerBytes(t)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := p.dns(in); err != nil {
			t.Fatal(err)
		}
	})
	if allocs >= 1 { // runs of messages and records, counted by parts
		t.Errorf("%v allocations for an answer without a new name", allocs)
	}

	first, err := p.dns(in)
	if err != nil {
		t.Fatal(err)
	}
	a := first.(*DNS)
	want := fmt.Sprintf("%+v", *a)
	for i := range 3 * maxInterned {
		name := fmt.Sprintf("n%05d", i)
		m, err := p.mdns(join(dnsHead(0x84, 0, 0, 1, 0, 1),
			6, name, 0, 0, 12, 0, 1, ttl60, 0, 2, 0xc0, 12,
			6, name, 0, 0, 16, 0, 1, ttl60, 0, 9, 3, "a=1", 4, "b=22"))
		if err != nil {
			t.Fatal(err)
		}
		d := m.(*DNS)
		if len(d.Answers) != 1 || d.Answers[0].Target != name || len(d.Additional) != 1 || len(d.Additional[0].Text) != 2 {
			t.Fatalf("%+v", d)
		}
		d.Answers = append(d.Answers, DNSRecord{Name: "written"})
		d.Additional[0].Text = append(d.Additional[0].Text, "written")
		if len(p.names.known) > maxInterned {
			t.Fatalf("%d names are remembered", len(p.names.known))
		}
	}
	if got := fmt.Sprintf("%+v", *a); got != want {
		t.Errorf("a message changed:\n%s\n%s", want, got)
	}
}

// dnsAnswerBytes is a typical answer, packed by an independent encoder: an
// alias of an alias of two addresses.
func dnsAnswerBytes(tb testing.TB) []byte {
	tb.Helper()
	name := dnsmessage.MustNewName
	head := func(n string) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: name(n), Class: dnsmessage.ClassINET, TTL: 300}
	}
	msg := dnsmessage.Message{
		Header: dnsmessage.Header{ID: 7, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{
			{Name: name("www.example.com."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
		},
		Answers: []dnsmessage.Resource{
			{Header: head("www.example.com."), Body: &dnsmessage.CNAMEResource{CNAME: name("www.example.com.edge.example.net.")}},
			{Header: head("www.example.com.edge.example.net."), Body: &dnsmessage.CNAMEResource{CNAME: name("e1.example.net.")}},
			{Header: head("e1.example.net."), Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}},
			{Header: head("e1.example.net."), Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 2}}},
		},
	}
	b, err := msg.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestDNSStream(t *testing.T) {
	query := join(dnsHead(1, 0, 1, 0, 0, 0), questionA)
	framed := join(0, len(query), query)
	two := join(framed, framed)

	for _, step := range []int{len(two), 1, 7} {
		msgs, rest, err := feedInSteps(t, new(dnsParser).newStream(), FromClient, two, step)
		if err != nil || len(rest) != 0 || len(msgs) != 2 {
			t.Errorf("in steps of %d: got %d messages, %d bytes left, %v; want 2, 0, nil", step, len(msgs), len(rest), err)
		}
	}
	if _, _, err := feedInSteps(t, new(dnsParser).newStream(), FromClient, join(0, 5, "xxxxx"), 7); !errors.Is(err, ErrMalformed) {
		t.Errorf("length 5: got %v, want ErrMalformed", err)
	}
	if _, _, err := feedInSteps(t, new(dnsParser).newStream(), FromClient, join(0, 20, query), 99); !errors.Is(err, ErrMalformed) {
		t.Errorf("length shorter than the message: got %v, want ErrMalformed", err)
	}

	s := new(dnsParser).newStream().(Flusher)
	msgs := s.Flush(FromServer, join(1, 0, dnsHead(0x81, 0x80, 1, 9, 0, 0), questionA), nil)
	if len(msgs) != 1 || !msgs[0].(*DNS).Truncated {
		t.Errorf("flush of an unfinished answer: got %+v, want one truncated message", msgs)
	}
}

func TestSniffDNS(t *testing.T) {
	query := join(dnsHead(1, 0, 1, 0, 0, 0), questionA)
	answer := join(dnsHead(0x81, 0x80, 1, 1, 0, 0), questionA, pointer12, 0, 1, 0, 1, ttl60, 0, 4, 192, 0, 2, 7)
	netbios := join(dnsHead(1, 0x10, 1, 0, 0, 0), 32, "FHFAEBEECACACACACACACACACACACAAA", 0, 0, 32, 0, 1)
	// Its type damaged to 54. One such packet must not open a flow to DNS.
	damaged := join(netbios[:len(netbios)-4], 0, 54, 0, 1)
	hexLabel := join(dnsHead(1, 0, 1, 0, 0, 0), 32, "d41d8cd98f00b204e9800998ecf8427e", 0, 0, 1, 0, 1)
	frame := func(msg []byte) []byte { return join(len(msg)>>8, len(msg), msg) }
	tests := []struct {
		name     string
		msg      []byte
		datagram bool
		stream   Match
	}{
		{"query", query, true, Yes},
		{"answer", answer, true, Yes},
		{"two bytes behind the query", join(query, "MS"), false, Yes},
		{"three bytes behind the query", join(query, "MSX"), false, No},
		{"NetBIOS name query", netbios, false, No},
		{"NetBIOS name query of another type", damaged, false, No},
		{"name of 32 bytes", hexLabel, true, Yes},
		{"no question", dnsHead(1, 0, 0, 0, 0, 0), false, No},
		{"reserved bit", join(dnsHead(1, 0x40, 1, 0, 0, 0), questionA), false, No},
		{"query with an rcode", join(dnsHead(1, 3, 1, 0, 0, 0), questionA), false, No},
		{"update", join(dnsHead(0x28, 0, 1, 0, 1, 0), 3, "com", 0, 0, 6, 0, 1, 1, "a", 0xc0, 12, 0, 1, 0, 1, ttl60, 0, 4, 192, 0, 2, 7), false, Yes},
		{"update of no zone", join(dnsHead(0x28, 0, 1, 0, 0, 0), 3, "com", 0, 0, 1, 0, 1), false, No},
		{"update with a record beyond the end", join(dnsHead(0x28, 0, 1, 0, 1, 0), 3, "com", 0, 0, 6, 0, 1, 1, "a", 0xc0, 12, 0, 1), false, No},
		{"refused notify", join(dnsHead(0xa4, 5, 1, 0, 0, 0), 3, "com", 0, 0, 6, 0, 1), false, Yes},
		{"opcode 2", join(dnsHead(0x11, 0, 1, 0, 0, 0), questionA), false, No},
		{"class 7", join(dnsHead(1, 0, 1, 0, 0, 0), 1, "a", 0, 0, 1, 0, 7), false, No},
		{"answers in a query", join(dnsHead(1, 0, 1, 3, 0, 0), questionA), false, No},
		{"record beyond the end", answer[:len(answer)-1], false, No},
	}
	for _, tt := range tests {
		if got := sniffDNSDatagram(tt.msg); got != tt.datagram {
			t.Errorf("%s: datagram: got %v, want %v", tt.name, got, tt.datagram)
		}
		if got := sniffDNSStream(FromClient, frame(tt.msg)); got != tt.stream {
			t.Errorf("%s: stream: got %v, want %v", tt.name, got, tt.stream)
		}
	}
	for n := range frame(query) {
		if got := sniffDNSStream(FromClient, frame(query)[:n]); got != Maybe {
			t.Errorf("first %d bytes of a query: got %v, want Maybe", n, got)
		}
	}
}

// feedInSteps gives a stream the bytes of one direction, step at a time, the
// way reassembly does, and returns what it has not consumed.
func feedInSteps(tb testing.TB, s Stream, dir Dir, b []byte, step int) (msgs []Message, rest []byte, err error) {
	tb.Helper()
	for from := 0; from < len(b); from += step {
		rest = append(rest, b[from:min(from+step, len(b))]...)
		given := slices.Clone(rest)
		n, out, err := s.Feed(dir, given, msgs)
		msgs = out
		if n < 0 || n > len(rest) {
			tb.Fatalf("Feed consumed %d of %d bytes", n, len(rest))
		}
		rest = bytes.Clone(rest[n:])
		for i := range given { // the stream must not hold on to what it was given
			given[i] = 0xaa
		}
		if err != nil {
			return msgs, rest, err
		}
	}
	return msgs, rest, nil
}
