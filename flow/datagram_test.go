package flow

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"gatehouse/wire"
)

// chat is a protocol of datagrams for tests. Those that begin with its letter
// are its own: "=" says nothing yet, "." ends it, "!" panics, "x" is damaged;
// anything else is a message together with what was said before.
type chat struct {
	letter byte
	before []byte
}

type chatLine struct {
	letter byte
	text   string
}

func (c *chatLine) Protocol() string { return "chat-" + string(c.letter) }

func (c *chat) Datagram(dir wire.Dir, b []byte, msgs []wire.Message) ([]wire.Message, error) {
	if b[0] != c.letter {
		return msgs, wire.ErrNotMine
	}
	switch what := b[1:]; {
	case len(what) == 0:
		return msgs, wire.ErrTruncated
	case what[0] == '=':
		c.before = append(c.before, what[1:]...)
		return msgs, nil
	case what[0] == '.':
		return msgs, wire.ErrDone
	case what[0] == '!':
		panic("on purpose")
	case what[0] == 'x':
		return msgs, wire.ErrMalformed
	default:
		text := fmt.Sprintf("%d %s%s", dir, c.before, what)
		c.before = nil
		return append(msgs, &chatLine{c.letter, text}), nil
	}
}

func (c *chat) Flush(dir wire.Dir, _ []byte, msgs []wire.Message) []wire.Message {
	if dir == wire.FromServer && len(c.before) > 0 {
		msgs = append(msgs, &chatLine{c.letter, "flushed " + string(c.before)})
	}
	return msgs
}

func (c *chat) Retained() int { return cap(c.before) }

// chatTable has three chats, of which a has port 1000 and is told by content,
// b has port 2000 and cannot be told, and z, without state, has port 3000.
func chatTable() []wire.Protocol {
	starts := func(letter byte) func([]byte) bool {
		return func(b []byte) bool { return len(b) > 1 && b[0] == letter && b[1] != 'x' }
	}
	row := func(letter byte) wire.Protocol {
		return wire.Protocol{
			Name:          "chat-" + string(letter),
			NewDatagrams:  func() wire.Datagrams { return &chat{letter: letter} },
			SniffDatagram: starts(letter),
		}
	}
	a, b := row('a'), row('b')
	a.UDPPorts, b.UDPPorts, b.SniffDatagram = []uint16{1000}, []uint16{2000}, nil
	z := wire.Protocol{
		Name: "chat-z", UDPPorts: []uint16{3000}, SniffDatagram: starts('z'),
		Datagram: func(b []byte) (wire.Message, error) {
			if b[0] != 'z' {
				return nil, wire.ErrNotMine
			}
			return &chatLine{'z', string(b[1:])}, nil
		},
	}
	return []wire.Protocol{a, b, row('c'), row('d'), row('e'), z}
}

// TestDatagramsWithState plays datagrams to one port, "<" from the server.
func TestDatagramsWithState(t *testing.T) {
	for _, c := range []struct {
		name     string
		port     uint16
		said     []string
		want     []string // messages
		app      string
		expected string
		streams  int // parse states that the flow ever had
	}{
		{"state across datagrams and directions", 1000, []string{"a=one,", "<a=two,", "athree"}, []string{"0 one,two,three"}, "chat-a", "", 1},
		{"flushed at the end", 1000, []string{"a=one"}, []string{"flushed one"}, "chat-a", "", 1},
		{"nothing to tell", 1000, []string{"a=", "<a="}, nil, "chat-a", "", 1},
		{"told by content on any port", 4444, []string{"ahello", "<awelcome"}, []string{"0 hello", "1 welcome"}, "chat-a", "", 1},
		{"its port is no proof", 1000, []string{"ahem", "qqq", "<qqq"}, []string{"0 hem"}, "chat-a", "", 1},
		{"its port is no proof of the first", 1000, []string{"ax", "qqq"}, nil, "", "", 0},
		{"its port is all there is", 2000, []string{"bhello", "qqq", "bagain"}, []string{"0 hello", "0 again"}, "chat-b", "", 1},
		{"done", 1000, []string{"aone", "a.", "atwo"}, []string{"0 one"}, "chat-a", "", 1},
		{"multiplexed", 4444, []string{"aone", "ctwo", "<athree", "<cfour", "dfive"}, []string{"0 one", "0 two", "1 three", "1 four", "0 five"}, "chat-a", "", 1},
		{"one of two is done", 4444, []string{"aone", "ctwo", "a.", "cthree"}, []string{"0 one", "0 two", "0 three"}, "chat-a", "", 1},
		{"more than a flow may have", 4444, []string{"aone", "ctwo", "dthree", "efour", "afive"}, []string{"0 one", "0 two", "0 three", "0 five"}, "chat-a", "", 1},
		{"with another without state", 4444, []string{"aone", "ztwo"}, []string{"0 one", "two"}, "chat-a", "", 1},
		{"on the port of another", 3000, []string{"aone", "<atwo"}, []string{"0 one", "1 two"}, "chat-a", "chat-z", 1},
		{"without state on the port of another", 1000, []string{"zone", "<ztwo"}, []string{"one", "two"}, "chat-z", "chat-a", 0},
		{"not what the port says", 3000, []string{"qone", "<qtwo"}, nil, "", "chat-z", 0},
		{"not what the port says at first", 3000, []string{"qone", "<ztwo"}, []string{"two"}, "chat-z", "", 0},
		{"given up", 2000, slices.Concat([]string{"bone"}, slices.Repeat([]string{"qqq"}, maxMisses), []string{"btwo"}), []string{"0 one"}, "chat-b", "", 1},
		{"not given up yet", 2000, slices.Concat([]string{"bone"}, slices.Repeat([]string{"qqq"}, maxMisses-1), []string{"b=", "qqq", "btwo"}), []string{"0 one", "0 two"}, "chat-b", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shardOf(t, chatTable(), nil)
			client, server := hostAt("10.0.0.9", 50000), hostAt("10.0.0.8", c.port)
			var frames []at
			for i, text := range c.said {
				from, to := client, server
				if text[0] == '<' {
					from, to, text = server, client, text[1:]
				}
				frames = append(frames, at{float64(1 + i), udpFrame(t, from, to, text)})
			}
			var got []string
			var last Record
			for _, e := range play(s, frames...) {
				last = e.Record
				for _, m := range e.Messages {
					got = append(got, m.(*chatLine).text)
				}
			}
			if !slices.Equal(got, c.want) || last.App != c.app || last.Expected != c.expected {
				t.Errorf("%q, app %q, expected %q; want %q, %q, %q", got, last.App, last.Expected, c.want, c.app, c.expected)
			}
			if n := len(s.streams.all); n != c.streams || len(s.streams.spare) != n || s.streams.bytes != 0 {
				t.Errorf("%d parse states, %d given back, %d bytes; want %d", n, len(s.streams.spare), s.streams.bytes, c.streams)
			}
			if st := s.Stats(); st.ParserPanics != 0 {
				t.Errorf("%d panics", st.ParserPanics)
			}
		})
	}
}

// TestDatagramStateIsBounded: what parsers of datagrams keep counts towards
// the limit of all flows, and the flow that was quiet longest pays.
func TestDatagramStateIsBounded(t *testing.T) {
	s := shardOf(t, chatTable(), func(c *Config) { c.MaxStreamBytes, c.MaxStreams = 64<<10, 100 })
	server := hostAt("10.0.0.8", 1000)
	text := "a=" + string(bytes.Repeat([]byte{'.'}, 1000))
	for i := range 300 {
		s.Packet(udpFrame(t, hostAt("10.0.0.9", uint16(2001+i)), server, text), second+int64(i), uint64(i+1))
		if p := &s.streams; p.bytes > 64<<10 || len(p.all) > 100 {
			t.Fatalf("%d bytes in %d states", p.bytes, len(p.all))
		}
	}
	if s.Stats().StreamsDropped == 0 {
		t.Error("nothing was dropped")
	}
	s.Close(2 * second)
	if p := &s.streams; p.bytes != 0 || len(p.spare) != len(p.all) {
		t.Errorf("after close: %d bytes, %d of %d spare", p.bytes, len(p.spare), len(p.all))
	}
}

// TestPanicsAreContained plants a panic in every kind of call into a parser.
func TestPanicsAreContained(t *testing.T) {
	boom := func() { panic("on purpose") }
	client := hostAt("10.0.0.9", 50000)
	for name, row := range map[string]wire.Protocol{
		"datagram": {UDPPorts: []uint16{7}, Datagram: func([]byte) (wire.Message, error) { boom(); return nil, nil }},
		"sniff datagram": {
			SniffDatagram: func([]byte) bool { boom(); return false },
			Datagram:      func([]byte) (wire.Message, error) { return nil, wire.ErrNotMine },
		},
		"datagrams": {UDPPorts: []uint16{7}, NewDatagrams: func() wire.Datagrams { return &chat{letter: 'x'} }},
		"sniff": {
			TCPPorts: []uint16{7}, NewStream: func() wire.Stream { return &echo{} },
			Sniff: func(_ wire.Dir, b []byte) wire.Match {
				if len(b) > 1 {
					boom()
				}
				return wire.Maybe
			},
		},
		"sniff late": {
			NewStream: func() wire.Stream { return &echo{} },
			Sniff:     func(wire.Dir, []byte) wire.Match { return wire.No },
			SniffLate: func([]byte) bool { boom(); return false },
		},
		"feed": {
			NewStream: func() wire.Stream { return &echo{} },
			Sniff:     func(wire.Dir, []byte) wire.Match { return wire.Yes },
		},
	} {
		t.Run(name, func(t *testing.T) {
			row.Name = "boom"
			s := shardOf(t, []wire.Protocol{row}, nil)
			server := hostAt("10.0.0.8", 7)
			events := play(s,
				at{1, udpFrame(t, client, server, "x!")},
				at{1, tcpFrame(t, client, server, TCPSyn, 9, 0, "")},
				at{1, tcpFrame(t, client, server, TCPAck, 10, 0, "panic\n")},
				at{2, tcpFrame(t, client, server, TCPAck, 16, 0, "more\n")},
			)
			checkEvents(t, events)
			if st := s.Stats(); st.ParserPanics == 0 || st.InFlows != 4 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// shardOf is newTestShard with other protocols.
func shardOf(tb testing.TB, protocols []wire.Protocol, change func(*Config)) *Shard {
	tb.Helper()
	s := newTestShard(tb, change)
	return NewShard(s.cfg, protocols)
}
