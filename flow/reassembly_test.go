package flow

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gatehouse/capture"
	"gatehouse/wire"
)

// echo is a protocol for tests: lines that begin with "E:", each a message.
// "skip N" asks for N bytes to be passed over, "upgrade" ends the protocol,
// "done" the reading, "panic" panics. What is left at the end is flushed.
type echo struct{ skip [2]int64 }

type echoLine struct {
	dir  wire.Dir
	text string
}

func (*echoLine) Protocol() string { return "echo" }

func (e *echo) Feed(dir wire.Dir, b []byte, msgs []wire.Message) (int, []wire.Message, error) {
	n := 0
	for {
		end := bytes.IndexByte(b[n:], '\n')
		if end < 0 {
			return n, msgs, nil
		}
		line := string(b[n : n+end])
		n += end + 1
		msgs = append(msgs, &echoLine{dir, strings.TrimPrefix(line, "E:")})
		var skip int64
		switch {
		case line == "upgrade":
			return n, msgs, fmt.Errorf("echo: %w", wire.ErrUpgrade)
		case line == "done":
			return n, msgs, wire.ErrDone
		case line == "panic":
			panic("on purpose")
		case line == "bad":
			return n, msgs, wire.ErrMalformed
		}
		if k, _ := fmt.Sscanf(line, "skip %d", &skip); k == 1 {
			inside := min(skip, int64(len(b)-n))
			n += int(inside)
			e.skip[dir] = skip - inside
		}
	}
}

func (e *echo) Skip(dir wire.Dir) int64 {
	n := e.skip[dir]
	e.skip[dir] = 0
	return n
}

func (e *echo) Flush(dir wire.Dir, b []byte, msgs []wire.Message) []wire.Message {
	if len(b) > 0 {
		msgs = append(msgs, &echoLine{dir, fmt.Sprintf("flushed %d", len(b))})
	}
	return msgs
}

var echoTable = []wire.Protocol{{
	Name: "echo",
	Sniff: func(_ wire.Dir, b []byte) wire.Match {
		switch {
		case len(b) < 2:
			return wire.Maybe
		case string(b[:2]) == "E:":
			return wire.Yes
		default:
			return wire.No
		}
	},
	NewStream: func() wire.Stream { return &echo{} },
}}

var (
	_ wire.Flusher = (*echo)(nil)
	_ wire.Skipper = (*echo)(nil)
)

// tcpScript plays segments of one connection. Sequence numbers count from the
// first byte of each direction.
type tcpScript struct {
	tb    testing.TB
	shard *Shard
	base  [2]uint32
	sec   float64
	n     uint64
}

func newScript(tb testing.TB, base uint32) *tcpScript {
	cfg := DefaultConfig()
	cfg.MaxFlows = 64
	return &tcpScript{tb: tb, shard: NewShard(cfg, echoTable), base: [2]uint32{base, base + 7777}}
}

func (c *tcpScript) send(dir wire.Dir, flags uint8, offset int, payload string) {
	c.frame(c.segment(dir, flags, offset, payload))
}

func (c *tcpScript) segment(dir wire.Dir, flags uint8, offset int, payload string) *capture.Packet {
	from, to := tcpClient, tcpServer
	if dir == wire.FromServer {
		from, to = to, from
	}
	return tcpFrame(c.tb, from, to, flags, c.base[dir]+uint32(offset), 0, payload)
}

func (c *tcpScript) frame(p *capture.Packet) {
	c.n++
	c.sec += 0.001
	c.shard.Packet(p, int64(c.sec*1e9), c.n)
}

func (c *tcpScript) handshake() {
	c.send(wire.FromClient, TCPSyn, -1, "")
	c.send(wire.FromServer, TCPSyn|TCPAck, -1, "")
	c.send(wire.FromClient, TCPAck, 0, "")
}

// lines closes the shard and returns the text of all messages in order.
func (c *tcpScript) lines() []string {
	c.shard.Close(int64(c.sec * 1e9))
	events := slices.Clone(c.shard.Events())
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	checkEvents(c.tb, events)
	var out []string
	for _, e := range events {
		for _, m := range e.Messages {
			l := m.(*echoLine)
			out = append(out, fmt.Sprintf("%d %s", l.dir, l.text))
		}
	}
	return out
}

func TestReassembly(t *testing.T) {
	const up, down = wire.FromClient, wire.FromServer
	type seg struct {
		dir    wire.Dir
		offset int
		text   string
	}
	for _, c := range []struct {
		name      string
		segments  []seg
		want      []string
		gaps      uint64
		conflicts uint64
	}{
		{"in order", []seg{{up, 0, "E:a\n"}, {up, 4, "b\n"}, {down, 0, "E:c\n"}}, []string{"0 a", "0 b", "1 c"}, 0, 0},
		{"byte by byte", []seg{{up, 0, "E"}, {up, 1, ":"}, {up, 2, "a"}, {up, 3, "\n"}}, []string{"0 a"}, 0, 0},
		{"swapped", []seg{{up, 4, "b\n"}, {up, 0, "E:a\n"}}, []string{"0 a", "0 b"}, 0, 0},
		{"reversed", []seg{{up, 8, "d\n"}, {up, 6, "c\n"}, {up, 4, "b\n"}, {up, 0, "E:a\n"}}, []string{"0 a", "0 b", "0 c", "0 d"}, 0, 0},
		{"retransmitted", []seg{{up, 0, "E:a\n"}, {up, 0, "E:a\n"}, {up, 4, "b\n"}}, []string{"0 a", "0 b"}, 0, 0},
		{"partly retransmitted", []seg{{up, 0, "E:a\n"}, {up, 2, "a\nb\n"}}, []string{"0 a", "0 b"}, 0, 0},
		{"early, overlapped from both sides", []seg{{up, 6, "c"}, {up, 4, "b\nc\nd\n"}, {up, 0, "E:a\n"}}, []string{"0 a", "0 b", "0 c", "0 d"}, 0, 0},
		{"first early copy wins", []seg{{up, 4, "b\n"}, {up, 4, "X\n"}, {up, 0, "E:a\n"}}, []string{"0 a", "0 b"}, 0, 1},
		{"first waiting copy wins", []seg{{up, 0, "E:a"}, {up, 2, "XY\n"}, {up, 3, "\n"}}, []string{"0 aY"}, 0, 1},
		{"lost", []seg{{up, 0, "E:a\n"}, {up, 6, "c\n"}}, []string{"0 a"}, 1, 0},
		{"unfinished", []seg{{up, 0, "E:a\nxyz"}}, []string{"0 a", "0 flushed 3"}, 0, 0},
		{"server speaks first", []seg{{down, 0, "E:hello\n"}, {up, 0, "E:a\n"}}, []string{"1 hello", "0 a"}, 0, 0},
		{"waited for the other to be recognised", []seg{{up, 0, "E"}, {down, 0, "E:x\n"}, {up, 1, ":a\n"}}, []string{"1 x", "0 a"}, 0, 0},
		{"only the server is recognised", []seg{{up, 0, "???\n"}, {down, 0, "E:x\n"}}, []string{"1 x"}, 0, 0},
		{"nobody is recognised", []seg{{up, 0, "???\n"}, {down, 0, "???\n"}, {up, 4, "E:x\n"}}, nil, 0, 0},
		{"skipped", []seg{{up, 0, "E:a\nskip 100\n"}, {up, 13, strings.Repeat("\n", 60)}, {up, 73, strings.Repeat("\n", 40) + "b\n"}}, []string{"0 a", "0 skip 100", "0 b"}, 0, 0},
		{"lost within what is skipped", []seg{{up, 0, "E:a\nskip 100\n"}, {up, 73, strings.Repeat("\n", 40) + "b\n"}}, []string{"0 a", "0 skip 100", "0 b"}, 0, 0},
		{"upgrade", []seg{{up, 0, "E:a\nupgrade\nE:b\n"}, {up, 16, "c\n"}}, []string{"0 a", "0 upgrade", "0 b", "0 c"}, 0, 0},
		{"done", []seg{{up, 0, "E:a\ndone\n"}, {up, 9, "b\n"}, {down, 0, "E:c\n"}}, []string{"0 a", "0 done"}, 0, 0},
		{"another protocol after all", []seg{{up, 0, "E:a\nbad\n"}, {up, 8, "b\n"}}, []string{"0 a", "0 bad"}, 0, 0},
		{"too long", []seg{{up, 0, "E:a\n" + strings.Repeat("x", 16384)}, {up, 16388, "xxx\nb\n"}}, []string{"0 a", "0 flushed 16384"}, 0, 0},
	} {
		for _, base := range []uint32{1000, 0xffffffff, 0xfffffff9} {
			for _, midstream := range []bool{false, true} {
				if midstream && (c.segments[0].offset != 0 || c.segments[0].dir == down) {
					continue // the first segment seen is the start, its sender the client
				}
				s := newScript(t, base)
				if !midstream {
					s.handshake()
				}
				if midstream && len(c.segments[0].text) == 1 {
					continue // taken for a keep-alive probe
				}
				for _, g := range c.segments {
					s.send(g.dir, TCPAck, g.offset, g.text)
				}
				got := s.lines()
				st := s.shard.Stats()
				if !slices.Equal(got, c.want) || st.StreamGaps != c.gaps || st.StreamConflicts != c.conflicts || st.ParserPanics != 0 {
					t.Errorf("%s from %#x, midstream %v: %q, want %q; %v", c.name, base, midstream, got, c.want, st)
				}
				if s.shard.streams.bytes != 0 || s.shard.streams.newest != 0 {
					t.Errorf("%s: streams left: %+v", c.name, s.shard.streams)
				}
			}
		}
	}
}

func TestReassemblySnapped(t *testing.T) {
	s := newScript(t, 5)
	s.handshake()
	s.send(wire.FromClient, TCPAck, 0, "E:a\nskip 20\n")
	p := s.segment(wire.FromClient, TCPAck, 12, strings.Repeat("z", 20)+"b\n")
	p.Data = p.Data[:54+4] // 4 of 22 bytes: what was skipped is no loss, the line is
	s.frame(p)
	s.send(wire.FromClient, TCPAck, 34, "c\n")
	if got, want := s.lines(), []string{"0 a", "0 skip 20"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if st := s.shard.Stats(); st.StreamGaps != 1 {
		t.Errorf("%d gaps", st.StreamGaps)
	}
}

// TestReassemblyHeaderOnly: where no payload is captured, no parse state is
// made at all.
func TestReassemblyHeaderOnly(t *testing.T) {
	s := newScript(t, 5)
	s.handshake()
	for _, dir := range []wire.Dir{0, 1, 0, 1} {
		p := s.segment(dir, TCPAck, 0, "E:hello\n")
		p.Data = p.Data[:54]
		s.frame(p)
	}
	if n := len(s.shard.streams.all); n != 0 {
		t.Errorf("%d streams", n)
	}
	s.lines()
}

func TestParserPanicIsContained(t *testing.T) {
	s := newScript(t, 5)
	s.handshake()
	s.send(wire.FromClient, TCPAck, 0, "E:a\n")
	s.send(wire.FromClient, TCPAck, 4, "panic\n")
	s.send(wire.FromClient, TCPAck, 10, "b\n")
	if got, want := s.lines(), []string{"0 a"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if st := s.shard.Stats(); st.ParserPanics != 1 {
		t.Errorf("%d panics counted", st.ParserPanics)
	}
}

// TestFlushComesWithTheEvent: a line cut off by the end of the connection is
// reported with the packet that closes it.
func TestFlushComesWithTheEvent(t *testing.T) {
	s := newScript(t, 5)
	s.handshake()
	s.send(wire.FromClient, TCPAck, 0, "E:a\nrest")
	s.send(wire.FromServer, TCPRst, 0, "")
	s.shard.Advance(100 * second)
	events := s.shard.Events()
	last, before := events[len(events)-1], events[len(events)-2]
	if last.Kind != End || len(last.Messages) != 0 || before.Seq != 5 || len(before.Messages) != 1 {
		t.Errorf("%+v", events)
	}
}

// TestStreamBounds: many connections that all wait stay within the limits,
// and the connection in use is not the one that is dropped.
func TestStreamBounds(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxStreams, cfg.MaxStreamBytes = 100, 200_000
	s := NewShard(cfg, echoTable)
	random := rand.New(rand.NewPCG(9, 9))
	for i := range 20_000 {
		from := hostAt("10.0.0.9", uint16(1000+random.IntN(2000)))
		text, seq := "E:", uint32(0)
		if random.IntN(2) == 0 {
			text, seq = strings.Repeat("x", random.IntN(3000)), uint32(2+random.IntN(6000))
		}
		s.Packet(tcpFrame(t, from, tcpServer, TCPAck, seq, 1, text), second+int64(i), uint64(i+1))
		s.Reset()
		if p := &s.streams; len(p.all) > 100 || p.bytes > 200_000 || p.bytes < 0 {
			t.Fatalf("%d streams, %d bytes", len(p.all), p.bytes)
		}
	}
	if s.streams.dropped == 0 {
		t.Error("nothing was dropped")
	}
	s.Close(2 * second)
	if p := &s.streams; p.bytes != 0 || p.newest != 0 || p.oldest != 0 || len(p.spare) != len(p.all) {
		t.Errorf("after close: %d bytes, %d of %d spare", p.bytes, len(p.spare), len(p.all))
	}
}

// TestParsersCountTowardsTheBound: what TLS keeps of a handshake message that
// is spread over records is accounted for, as it grows and when it is dropped.
func TestParsersCountTowardsTheBound(t *testing.T) {
	const limit = 128 << 10
	s := newTestShard(t, func(c *Config) { c.MaxStreams, c.MaxStreamBytes = 1000, limit })
	record := func(text string) string {
		return "\x16\x03\x03" + string([]byte{byte(len(text) >> 8), byte(len(text))}) + text
	}
	certificate := record("\x0b\x00\xf0\x00" + strings.Repeat("c", 1400)) // of 61,440 bytes
	more := record(strings.Repeat("c", 1400))
	n := uint64(0)
	for i := range 60 {
		client := hostAt("10.0.0.9", uint16(2000+i))
		up, down := uint32(1), uint32(1)
		say := func(from, to host, seq *uint32, text string) {
			n++
			s.Packet(tcpFrame(t, from, to, TCPAck, *seq, 1, text), second+int64(n), n)
			*seq += uint32(len(text))
		}
		say(client, hostAt("10.0.0.8", 443), &up, lateHello)
		say(hostAt("10.0.0.8", 443), client, &down, lateServerHello)
		say(hostAt("10.0.0.8", 443), client, &down, certificate)
		for range 7 {
			say(hostAt("10.0.0.8", 443), client, &down, more)
		}
		held := 0
		for _, st := range s.streams.all {
			if st.retainer != nil {
				held += st.retainer.Retained()
			}
		}
		if s.streams.bytes > limit || held > s.streams.bytes {
			t.Fatalf("%d bytes accounted, %d held by parsers, limit %d", s.streams.bytes, held, limit)
		}
		s.Reset()
	}
	if st := s.Stats(); st.StreamsDropped == 0 {
		t.Errorf("nothing was dropped: %v", st)
	}
}
