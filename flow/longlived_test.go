package flow

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/wire"
)

// poll is a long-lived protocol for tests: '@', a length, and as many bytes.
// What begins with 'm' is a message, anything else is passed over.
type poll struct{}

type polled struct {
	dir  wire.Dir
	text string
}

func (*polled) Protocol() string { return "poll" }

func (*poll) Feed(dir wire.Dir, b []byte, msgs []wire.Message) (int, []wire.Message, error) {
	n := 0
	for len(b)-n >= 2 {
		if b[n] != '@' {
			return n, msgs, wire.ErrMalformed
		}
		size := 2 + int(b[n+1])
		if len(b)-n < size {
			break
		}
		if body := b[n+2 : n+size]; len(body) > 0 && body[0] == 'm' {
			msgs = append(msgs, &polled{dir, string(body)})
		}
		n += size
	}
	return n, msgs, nil
}

func (*poll) Flush(dir wire.Dir, b []byte, msgs []wire.Message) []wire.Message {
	if len(b) > 2 && b[2] == 'm' {
		msgs = append(msgs, &polled{dir, string(b[2:]) + " (cut)"})
	}
	return msgs
}

func pollTable(longLived bool) []wire.Protocol {
	return []wire.Protocol{{
		Name: "poll", TCPPorts: []uint16{8765}, LongLived: longLived,
		NewStream: func() wire.Stream { return &poll{} },
		Sniff: func(_ wire.Dir, b []byte) wire.Match {
			switch {
			case b[0] != '@':
				return wire.No
			case len(b) < 3:
				return wire.Maybe
			}
			return wire.Yes
		},
	}}
}

func frameOfPoll(body string) string { return "@" + string(rune(len(body))) + body }

// TestLongLived: the budget of bytes does not end a connection whose protocol
// is followed for as long as it lives, and neither do losses.
func TestLongLived(t *testing.T) {
	const up, down = wire.FromClient, wire.FromServer
	quiet := frameOfPoll(strings.Repeat("q", 100))
	type seg struct {
		dir  wire.Dir
		sec  float64 // since the one before
		text string
		lost bool
		snap int // bytes of it that were captured, 0 all
	}
	many := func(n int, g seg) (out []seg) { return slices.Repeat([]seg{g}, n) }
	message := func(i int) seg { return seg{dir: up, text: frameOfPoll(fmt.Sprint("m", i))} }
	lost := func(g seg) seg { g.lost = true; return g }
	for _, c := range []struct {
		name      string
		short     bool // the protocol is not long-lived
		midstream bool
		segments  []seg
		want      []string
		gaps      uint64
	}{
		{"a megabyte without a message", false, false, append(many(10_000, seg{dir: up, text: quiet}), message(1)), []string{"0 m1"}, 0},
		{"the same, but not long-lived", true, false, append(many(10_000, seg{dir: up, text: quiet}), message(1)), nil, 0},
		{"a loss, and little that follows", false, false, []seg{message(1), lost(message(2)), message(3), message(4)}, []string{"0 m1", "0 m3", "0 m4"}, 1},
		{"a loss, and a long wait", false, false, []seg{message(1), lost(message(2)), message(3), {dir: up, sec: 5, text: frameOfPoll("m4")}, message(5)}, []string{"0 m1", "0 m3", "0 m4", "0 m5"}, 1},
		{"two losses", false, false, []seg{message(1), lost(message(2)), message(3), lost(message(4)), message(5)}, []string{"0 m1", "0 m3", "0 m5"}, 2},
		{"a loss within a frame", false, false, []seg{
			message(1), {dir: up, text: "@\x08m2"}, lost(seg{dir: up, text: "2222"}), {dir: up, text: "22"}, message(3), message(4),
		}, []string{"0 m1", "0 m2 (cut)", "0 m3", "0 m4"}, 1},
		{"a loss, and the other direction goes on", false, false, []seg{
			message(1), {dir: down, text: frameOfPoll("ma")}, lost(message(2)), {dir: down, text: frameOfPoll("mb")}, message(3), {dir: down, text: frameOfPoll("mc")},
		}, []string{"0 m1", "1 ma", "1 mb", "1 mc", "0 m3"}, 1},
		{"many behind a loss", false, false, slices.Concat([]seg{message(1), lost(message(2))}, many(maxHeld+4, message(3))), slices.Concat([]string{"0 m1"}, slices.Repeat([]string{"0 m3"}, maxHeld+4)), 1},
		{"every packet snapped", false, false, []seg{
			{dir: up, text: frameOfPoll("m1") + quiet, snap: 30},
			{dir: up, text: frameOfPoll("m2") + quiet, snap: 30},
			{dir: up, text: frameOfPoll("m345678"), snap: 5},
			{dir: up, text: frameOfPoll("m4")},
		}, []string{"0 m1", "0 m2", "0 m34 (cut)", "0 m4"}, 3},
		{"joined within a frame", false, true, []seg{{dir: up, text: "qqqqqqq"}, message(1), {dir: down, text: frameOfPoll("ma")}, message(2)}, []string{"0 m1", "1 ma", "0 m2"}, 0},
		{"joined within frames of both", false, true, []seg{{dir: up, text: "qqqqqqq"}, {dir: down, text: "qqqqq"}, message(1), {dir: down, text: "qqq"}, {dir: down, text: frameOfPoll("ma")}, message(2)}, []string{"0 m1", "1 ma", "0 m2"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t, 0xfffff000)
			s.shard = shardOf(t, pollTable(!c.short), nil)
			if !c.midstream {
				s.handshake()
			}
			offset := [2]int{}
			for _, g := range c.segments {
				s.sec += g.sec
				p := s.segment(g.dir, TCPAck, offset[g.dir], g.text)
				if g.snap > 0 {
					p.Data = p.Data[:54+g.snap]
				}
				if !g.lost {
					s.frame(p)
				}
				offset[g.dir] += len(g.text)
			}
			var got []string
			s.shard.Close(int64(s.sec * 1e9))
			events := slices.Clone(s.shard.Events())
			slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
			for _, e := range events {
				for _, m := range e.Messages {
					got = append(got, fmt.Sprintf("%d %s", m.(*polled).dir, m.(*polled).text))
				}
			}
			st := s.shard.Stats()
			if !slices.Equal(got, c.want) || st.StreamGaps != c.gaps || st.ParserPanics != 0 {
				t.Errorf("%q with %d gaps, want %q with %d; %v", got, st.StreamGaps, c.want, c.gaps, st)
			}
			if p := &s.shard.streams; p.bytes != 0 || len(p.spare) != len(p.all) {
				t.Errorf("%d bytes, %d of %d parse states spare", p.bytes, len(p.spare), len(p.all))
			}
		})
	}
}

// TestUpgradeBehindALoss: a direction that looks for the head of a message
// when the other one changes the protocol is recognised anew.
func TestUpgradeBehindALoss(t *testing.T) {
	table := slices.Clone(echoTable)
	table[0].LongLived = true
	s := newScript(t, 5)
	s.shard = shardOf(t, table, nil)
	s.handshake()
	s.send(wire.FromClient, TCPAck, 0, "E:a\n")
	s.send(wire.FromServer, TCPAck, 0, "E:b\n")
	for i := range maxHeld + 1 { // behind two lost bytes, and none the head of a message
		s.send(wire.FromClient, TCPAck, 6+2*i, "x\n")
	}
	s.send(wire.FromServer, TCPAck, 4, "E:upgrade\n")
	s.send(wire.FromClient, TCPAck, 6+2*(maxHeld+1), "E:c\n")
	got := s.lines()
	if want := []string{"0 a", "1 b", "1 upgrade", "0 c"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q; %v", got, want, s.shard.Stats())
	}
}

// TestRequestsBehindLongBodies: on a connection that is kept alive, requests
// and responses are found behind bodies of any length and framing.
func TestRequestsBehindLongBodies(t *testing.T) {
	chunk := "5dc\r\n" + strings.Repeat("c", 1500) + "\r\n"
	plain := strings.Repeat("p", 3_000_000)
	get := func(path string) string { return "GET /" + path + " HTTP/1.1\r\nHost: a.example\r\n\r\n" }
	turns := []struct {
		server bool
		text   string
	}{
		{false, get("1") + get("2") + get("3") + get("4")},
		{true, "HTTP/1.1 201 A\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 2000) + "0\r\n\r\n"},
		{true, fmt.Sprintf("HTTP/1.1 202 B\r\nContent-Length: %d\r\n\r\n", len(plain)) + plain},
		{true, "HTTP/1.1 203 C\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 50_000) + "0\r\n\r\n"},
		{true, "HTTP/1.1 204 D\r\n\r\n"},
		{false, "POST /5 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 2000) + "0\r\n\r\n" + get("6")},
	}
	s := newTestShard(t, nil)
	client, server := hostAt("192.168.1.20", 40000), hostAt("198.51.100.9", 80)
	seq, n := [2]uint32{100, 900}, uint64(2)
	s.Packet(tcpFrame(t, client, server, TCPSyn, 99, 0, ""), second, 1)
	s.Packet(tcpFrame(t, server, client, TCPSyn|TCPAck, 899, 100, ""), second, 2)
	for _, turn := range turns {
		from, to, dir := client, server, 0
		if turn.server {
			from, to, dir = server, client, 1
		}
		for text := turn.text; text != ""; n++ {
			part := text[:min(1460, len(text))]
			s.Packet(tcpFrame(t, from, to, TCPAck, seq[dir], 1, part), second+int64(n), n+1)
			seq[dir] += uint32(len(part))
			text = text[len(part):]
			if waiting := s.streams.bytes; waiting > 2*streamBudget {
				t.Fatalf("%d bytes wait", waiting)
			}
		}
	}
	s.Close(2 * second)
	var got []string
	events := slices.Clone(s.Events())
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	for _, e := range events {
		for _, m := range e.Messages {
			switch m := m.(type) {
			case *wire.HTTPRequest:
				got = append(got, m.Target)
			case *wire.HTTPResponse:
				got = append(got, fmt.Sprint(m.Status))
			}
		}
	}
	want := []string{"/1", "/2", "/3", "/4", "201", "202", "203", "204", "/5", "/6"}
	if !slices.Equal(got, want) || s.Stats().ParseErrors != 0 {
		t.Errorf("%q, want %q; %v", got, want, s.Stats())
	}
}
