package wire

import (
	"net/netip"
	"testing"
)

// radiusPacket is a packet with its length; attributes are kind, value pairs.
func radiusPacket(code, id int, attributes ...any) []byte {
	var body []byte
	for i := 0; i < len(attributes); i += 2 {
		value := join(attributes[i+1])
		body = join(body, attributes[i], len(value)+2, value)
	}
	return join(code, id, (len(body)+20)>>8, len(body)+20, make([]byte, 16), body)
}

func TestRadiusFlow(t *testing.T) {
	login := func(mechanism string, o Outcome) *Login {
		return &Login{Service: "radius", User: "anna", Mechanism: mechanism, Outcome: o}
	}
	pap := radiusPacket(1, 7, 1, "anna", 2, make([]byte, 16), 4, "\xc0\x00\x02\x01", 31, "02-00-00-00-00-2A", 30, "02-00-00-00-00-01:plant")
	asked := &Radius{Code: 1, ID: 7, User: "anna", Method: "PAP", NASAddr: netip.MustParseAddr("192.0.2.1"), Calling: "02-00-00-00-00-2A", Called: "02-00-00-00-00-01:plant"}
	eap := func(id int) []byte { return radiusPacket(1, id, 1, "anna", 79, "\x02\x01\x00\x09\x01anna", 32, "ap1") }
	start := radiusPacket(4, 9, 40, "\x00\x00\x00\x01", 44, "5A1", 1, "anna", 8, "\x0a\x00\x00\x09")
	playFlows(t, newRadiusFlow, []flowCase{
		{"accepted; a repetition is none", []chunk{{FromClient, pap}, {FromClient, pap}, {FromServer, radiusPacket(2, 7, 8, "\x0a\x00\x00\x09")}}, []Message{
			asked, &Radius{Code: 2, ID: 7, Framed: netip.MustParseAddr("10.0.0.9")}, login("PAP", Succeeded),
		}, nil},
		{"rejected", []chunk{{FromClient, pap}, {FromServer, radiusPacket(3, 7)}}, []Message{asked, &Radius{Code: 3, ID: 7}, login("PAP", Failed)}, nil},
		{"EAP asks several times", []chunk{
			{FromClient, eap(1)},
			{FromServer, radiusPacket(11, 1, 79, "x")},
			{FromClient, eap(2)},
			{FromServer, radiusPacket(3, 2, 79, "x")},
		}, []Message{
			&Radius{Code: 1, ID: 1, User: "anna", Method: "EAP", NAS: "ap1"},
			&Radius{Code: 11, ID: 1, Method: "EAP"}, &Radius{Code: 3, ID: 2, Method: "EAP"}, login("EAP", Failed),
		}, nil},
		{"another's answer", []chunk{{FromClient, pap}, {FromServer, radiusPacket(2, 8, 18, "hi")}}, []Message{asked, &Radius{Code: 2, ID: 8}, login("PAP", OutcomeUnknown)}, nil},
		{"accounting", []chunk{{FromClient, start}, {FromClient, start}}, []Message{
			&Radius{Code: 4, ID: 9, User: "anna", Session: "5A1", Accounting: 1, Framed: netip.MustParseAddr("10.0.0.9")},
		}, nil},
		{"MS-CHAP", []chunk{{FromClient, radiusPacket(1, 1, 26, "\x00\x00\x01\x37\x19\x34"+string(make([]byte, 50)))}}, []Message{&Radius{Code: 1, ID: 1, Method: "MS-CHAP"}}, nil},
		{"cut", []chunk{{FromClient, pap[:40]}}, nil, ErrTruncated},
		{"only a header's beginning", []chunk{{FromClient, pap[:10]}}, nil, ErrTruncated},
		{"an attribute of no length", []chunk{{FromClient, join(1, 1, 0, 22, make([]byte, 16), 1, 0)}}, nil, ErrNotMine},
		{"an attribute beyond the end", []chunk{{FromClient, join(1, 1, 0, 22, make([]byte, 16), 1, 9)}}, nil, ErrNotMine},
		{"an unknown code", []chunk{{FromClient, radiusPacket(6, 1, 1, "a")}}, nil, ErrNotMine},
		{"too short a length", []chunk{{FromClient, join(1, 1, 0, 19, make([]byte, 16))}}, nil, ErrNotMine},
	})
	for _, c := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"a request", pap, true},
		{"padded", join(pap, 0, 0), true},
		{"an answer", radiusPacket(2, 7, 18, "welcome"), true},
		{"an answer without attributes may be anything", radiusPacket(2, 7), false},
		{"a request by nobody", radiusPacket(1, 7, 18, "x"), false},
		{"cut", pap[:40], false},
	} {
		if got := sniffRadius(c.in); got != c.want {
			t.Errorf("%s: recognised %v", c.name, got)
		}
	}
}

// TestRadiusBounds: of many users at once, the oldest are told without an
// outcome, and no more than a few kinds of packets.
func TestRadiusBounds(t *testing.T) {
	f := newRadiusFlow()
	var msgs []Message
	for i := range 200 {
		msgs, _ = f.Datagram(FromClient, radiusPacket(1, i, 1, join("u", i)), msgs)
	}
	msgs = f.(Flusher).Flush(FromServer, nil, msgs)
	logins := 0
	for _, m := range msgs {
		if _, ok := m.(*Login); ok {
			logins++
		}
	}
	if logins != 200 || len(msgs)-logins != maxRadiusKinds {
		t.Errorf("%d logins, %d messages", logins, len(msgs))
	}
}

func FuzzRadius(f *testing.F) {
	fuzzFlow(f, newRadiusFlow, sniffRadius, 1812, radiusPacket(1, 7, 1, "a", 2, make([]byte, 16), 26, "\x00\x00\x01\x37\x01"), radiusPacket(2, 7, 8, "abcd"), radiusPacket(4, 1, 40, "\x00\x00\x00\x02", 44, "x"))
}

func BenchmarkRadius(b *testing.B) {
	in, f := radiusPacket(4, 1, 40, "\x00\x00\x00\x03", 44, "x", 1, "anna"), newRadiusFlow()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = f.Datagram(FromClient, in, nil)
	}
}
