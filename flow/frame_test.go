package flow

import (
	"bytes"
	"fmt"
	"testing"

	"gatehouse/capture"
	"gatehouse/wire"
)

// uttered is a message of the protocols in frameTable.
type uttered string

func (uttered) Protocol() string { return "spoken" }

// frameTable reads one protocol above Ethernet, one above 802.2 and IGMP: what
// begins with 'y' is a message, with 'n' another protocol, with 'p' a panic.
func frameTable() []wire.Protocol {
	parse := func(b []byte) (wire.Message, error) {
		switch {
		case len(b) == 0:
			return nil, wire.ErrTruncated
		case b[0] == 'y':
			return uttered(bytes.TrimRight(b, "\x00")), nil
		case b[0] == 'n':
			return nil, wire.ErrNotMine
		case b[0] == 'p':
			panic("on purpose")
		}
		return nil, wire.ErrMalformed
	}
	llc := func(b []byte) (wire.Message, error) {
		if len(b) < 3 || b[0] != 0x42 {
			return nil, wire.ErrNotMine
		}
		return uttered("stp"), nil
	}
	return []wire.Protocol{
		{Name: "spoken", EtherTypes: []uint16{0x88cc}, Frame: parse, IPProtos: []uint8{2, 1}, Packet: parse},
		{Name: "stp", EtherTypes: []uint16{wire.EtherLLC}, Frame: llc},
	}
}

// TestMessagesWithoutTransport: frames without IP go to the row of their
// EtherType and are counted as messages or refused, ICMP and its like to the
// row of their IP protocol.
func TestMessagesWithoutTransport(t *testing.T) {
	const lldp, ip4 = macs + "88 cc ", macs + "08 00 "
	icmp := func(body string) string { return ip4 + within(t, 1, 0, body) }
	for _, c := range []struct {
		name, frame string
		want        string // messages
		frames      uint64
		errors      uint64
		panics      uint64
		inFlow      bool
	}{
		{"LLDP", lldp + "79 31 00 00", "frame y1", 1, 0, 0, false},
		{"tagged LLDP", macs + "81 00 00 07 88 cc 79 32", "frame y2", 1, 0, 0, false},
		{"not its own", lldp + "6e", "", 0, 0, 0, false},
		{"malformed", lldp + "78", "", 0, 1, 0, false},
		{"cut off", lldp, "", 0, 1, 0, false},
		{"panic", lldp + "70", "", 0, 1, 1, false},
		{"spanning tree", macs + "00 03 42 42 03", "frame stp", 1, 0, 0, false},
		{"IPX, which nobody reads", macs + "00 03 e0 e0 03", "", 0, 0, 0, false},
		{"unknown EtherType", macs + "12 34 79", "", 0, 0, 0, false},
		{"ICMP", icmp("79 01 00 00 00 00 00 00 41"), "update y\x01\x00\x00\x00\x00\x00\x00A", 0, 0, 0, true},
		{"ICMP not of interest", icmp("6e 01 00 00 00 00 00 00 41"), "", 0, 0, 0, true},
		{"ICMP malformed", icmp("78 01 00 00 00 00 00 00 41"), "", 0, 1, 0, true},
		{"ICMP panic", icmp("70 01 00 00 00 00 00 00 41"), "", 0, 1, 1, true},
		{"IGMP", ip4 + within(t, 2, 0, "79 69"), "update yi", 0, 0, 0, true},
		{"OSPF, which nobody reads", ip4 + within(t, 89, 0, "79 69"), "", 0, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.MaxFlows = 16
			s := NewShard(cfg, frameTable())
			b := unhex(t, c.frame)
			s.Packet(&capture.Packet{Data: b, Length: len(b), Link: capture.LinkEthernet}, second, 1)
			got := ""
			for _, e := range s.Events() {
				for _, m := range e.Messages {
					got += fmt.Sprintf("%s %s", e.Kind, m)
				}
			}
			st := s.Stats()
			if got != c.want || st.Frames != c.frames || st.ParseErrors != c.errors || st.ParserPanics != c.panics {
				t.Errorf("messages %q, want %q; %+v", got, c.want, st)
			}
			if (st.InFlows == 1) != c.inFlow || st.InFlows+st.Frames+st.Refused[NonIP] != 1 {
				t.Errorf("not accounted for: %+v", st)
			}
		})
	}
}

// TestNamedPacket: a protocol that is recognised and not read names its flow.
func TestNamedPacket(t *testing.T) {
	for payload, want := range map[string]string{
		"02 01 00 2c 0a 01 00 01 00 00 00 00 00 00 00 00": "ospf",
		"02 09 00 2c 0a 01 00 01 00 00 00 00 00 00 00 00": "", // no such type
	} {
		s := newTestShard(t, nil)
		b := unhex(t, macs+"08 00 "+within(t, 89, 0, payload))
		last := Record{}
		for _, e := range play(s, at{1, &capture.Packet{Data: b, Length: len(b), Link: capture.LinkEthernet}}) {
			last = e.Record
			if len(e.Messages) > 0 {
				t.Errorf("%s: %d messages", payload, len(e.Messages))
			}
		}
		if st := s.Stats(); last.App != want || st.ParseErrors != 0 {
			t.Errorf("%s: recognised as %q, want %q, with %d parse errors", payload, last.App, want, st.ParseErrors)
		}
	}
}
