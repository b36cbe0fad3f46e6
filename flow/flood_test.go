package flow

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"gatehouse/capture"
)

// attacker writes SYNs with random sources, all sent by one MAC address, over
// one another in a few frames.
type attacker struct {
	frames []capture.Packet
	times  []int64
	n      uint64
}

func newAttacker(tb testing.TB, target host) *attacker {
	tb.Helper()
	a := &attacker{times: make([]int64, 512)}
	for range a.times {
		p := tcpFrame(tb, host{netip.MustParseAddr("198.51.100.7"), 1, macB}, target, TCPSyn, 1, 0, "")
		a.frames = append(a.frames, *p)
	}
	return a
}

// batch is the next n SYNs, valid until the one after.
func (a *attacker) batch(n int, now int64) ([]capture.Packet, []int64) {
	for i := range n {
		a.n++
		r := mix(a.n^seedAddr, seedPorts)
		b := a.frames[i].Data[ethernetHeader:]
		binary.BigEndian.PutUint32(b[12:], uint32(r)|0x80000000)
		binary.BigEndian.PutUint16(b[ipv4Header:], uint16(r>>32))
		binary.BigEndian.PutUint32(b[ipv4Header+4:], uint32(r>>20))
		a.times[i] = now
	}
	return a.frames[:n], a.times[:n]
}

// soak reports whether there is time for everything: make soak.
func soak() bool { return os.Getenv("GATEHOUSE_SOAK") != "" }

// talkers are established connections that go on.
type talkers struct {
	frames []capture.Packet // up and down of each
	times  []int64
	rounds uint64 // packets each way so far
	ends   map[uint16]Record
	starts int // of any flow
}

const firstTalker = 40000 // port of the first connection's client

func newTalkers(tb testing.TB, n int) *talkers {
	tb.Helper()
	k := &talkers{times: make([]int64, 2*n), ends: make(map[uint16]Record)}
	for i := range n {
		c := hostAt("192.168.1.20", uint16(firstTalker+i))
		k.frames = append(k.frames,
			*tcpFrame(tb, c, tcpServer, TCPAck, 1, 1, "x"),
			*tcpFrame(tb, tcpServer, c, TCPAck, 1, 2, ""))
	}
	return k
}

// speak lets every connection exchange a packet. It returns the next ordinal.
func (k *talkers) speak(s *Shard, now int64, seq uint64) uint64 {
	for i := range k.times {
		k.times[i] = now
	}
	s.Batch(k.frames, k.times, seq, nil)
	k.rounds++
	return seq + uint64(len(k.frames))
}

// listen takes the events of a shard.
func (k *talkers) listen(s *Shard) {
	for _, e := range s.Events() {
		switch {
		case e.Kind == Start:
			k.starts++
		case e.Kind == End && e.Record.Server.Addr == tcpServer.addr:
			k.ends[e.Record.Client.Port] = e.Record
		}
	}
	s.Reset()
}

// check holds that no packet of any connection was lost.
func (k *talkers) check(t *testing.T) {
	t.Helper()
	for i := range len(k.frames) / 2 {
		r, n := k.ends[uint16(firstTalker+i)], k.rounds
		if r.Packets != [2]uint64{n, n} || r.Bytes != [2]uint64{41 * n, 40 * n} || r.Payload != [2]uint64{n, 0} {
			t.Fatalf("connection %d: %v packets, %v bytes, want %d each way", i, r.Packets, r.Bytes, n)
		}
	}
}

// TestFloodOfRandomFlows: given 1,000 established connections in a table of
// the default size, a flood of millions of SYNs from random addresses at
// 100,000 a second leaves memory where it was when the table was full, loses
// no packet of the connections, is told of in few events, and is reported with
// who sent it and to whom.
func TestFloodOfRandomFlows(t *testing.T) {
	const rate, established, room = 100_000, 1000, 64 << 20
	flood := 2_000_000
	switch {
	case soak():
		flood = 10_000_000
	case testing.Short():
		flood = 300_000
	}
	debug.FreeOSMemory()
	before := residentNow(t)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(heldNow() + room)))
	s := newTestShard(t, func(c *Config) { c.MaxFlows = DefaultConfig().MaxFlows })
	target := hostAt("192.168.1.5", 80)
	a, k := newAttacker(t, target), newTalkers(t, established)
	now := second
	seq := k.speak(s, now, 1)
	var full, most uint64 // held when the table was full, and later
	for sent := 0; sent < flood; sent += len(a.times) {
		now += int64(len(a.times)) * second / rate
		p, times := a.batch(min(len(a.times), flood-sent), now)
		s.Batch(p, times, seq, nil)
		seq += uint64(len(p))
		if sent/len(a.times)%200 == 0 { // about every second
			seq = k.speak(s, now, seq)
			if sent > 2*s.cfg.MaxFlows {
				most = max(most, heldNow())
				if full == 0 {
					full = most
				}
			}
		}
		s.Advance(now)
		k.listen(s)
	}
	resident := residentNow(t) - min(before, residentNow(t))
	s.Close(now)
	k.listen(s)

	if full == 0 || most > full+4<<20 {
		t.Errorf("%d MiB held with a full table, then %d", full>>20, most>>20)
	}
	if resident > room && !testing.Short() { // short runs are those of the race detector, which has memory of its own
		t.Errorf("%d MiB resident, want at most %d", resident>>20, room>>20)
	}
	k.check(t)
	st := s.Stats()
	if want := uint64(flood + established); st.Flows != want || uint64(k.starts)+st.Unannounced != want {
		t.Errorf("%d flows, %d announced, %d not; want %d", st.Flows, k.starts, st.Unannounced, want)
	}
	if limit := s.table.pressure + (int(now/second)+1)*newcomers; k.starts > limit {
		t.Errorf("%d flows announced, want at most %d", k.starts, limit)
	}
	checkFlood(t, &st, flood, macB, target)
	t.Logf("%d flows: %d announced, %d evicted; held %d MiB, resident %d MiB", flood, k.starts, st.Evicted, most>>20, resident>>20)
}

// checkFlood: nearly all flows of a flood are reported. Those that were
// announced and timed out by themselves, or that the table held at the end,
// are not.
func checkFlood(t *testing.T, st *Stats, flood int, mac [6]byte, target host) {
	t.Helper()
	f := &st.Flood
	least := uint64(flood - DefaultConfig().MaxFlows)
	if f.Flows < least || f.Flows > uint64(flood) || f.Last <= f.First {
		t.Errorf("flood of %d flows reported as %d, from %d to %d", flood, f.Flows, f.First, f.Last)
	}
	if len(f.Senders) != 1 || f.Senders[0].MAC != mac || f.Senders[0].Flows != f.Flows {
		t.Errorf("senders %+v", f.Senders)
	}
	if len(f.Targets) != 1 || f.Targets[0] != (Flooder{Addr: target.addr, Port: target.port, Proto: protoTCP, Flows: f.Flows}) {
		t.Errorf("targets %+v", f.Targets)
	}
	if len(f.Sources) != 0 {
		t.Errorf("sources %+v, but none stands out", f.Sources)
	}
}

// TestPressure: given a table near its capacity, flows of which nothing comes
// are announced only as far as the allowance goes, and all others at the
// moment that something comes of them.
func TestPressure(t *testing.T) {
	const capacity = 4000
	server := hostAt("10.0.0.5", 80)
	start := func(t *testing.T, flows int) (*Shard, func(p *capture.Packet) []Event) {
		s := newTestShard(t, func(c *Config) { c.MaxFlows = capacity })
		a, seq := newAttacker(t, tcpServer), uint64(1)
		for flows > 0 {
			p, times := a.batch(min(flows, 500), second)
			s.Batch(p, times, seq, nil)
			seq += uint64(len(p))
			flows -= len(p)
		}
		s.Reset()
		return s, func(p *capture.Packet) []Event {
			s.Reset()
			seq++
			s.Packet(p, second, seq)
			return slices.DeleteFunc(slices.Clone(s.Events()), func(e Event) bool { return e.Kind == End })
		}
	}
	syn := tcpFrame(t, tcpClient, server, TCPSyn, 1, 0, "")
	synAck := tcpFrame(t, server, tcpClient, TCPSyn|TCPAck, 9, 2, "")
	ack := tcpFrame(t, tcpClient, server, TCPAck, 2, 10, "")
	rst := tcpFrame(t, server, tcpClient, TCPRst|TCPAck, 0, 2, "")
	query := udpFrame(t, tcpClient, hostAt("10.0.0.5", 53), "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01")
	ping, pong := icmpFrame(t, tcpClient, server, 8, 0, 7), icmpFrame(t, server, tcpClient, 0, 0, 7)
	const crowded, busy = capacity, capacity*7/8 - 10
	for _, c := range []struct {
		name   string
		flows  int
		frames []*capture.Packet
		want   string // kinds of the events that each frame causes
	}{
		{"below pressure", busy, []*capture.Packet{syn, synAck, ack}, "[start] [] []"},
		{"handshake", crowded, []*capture.Packet{syn, synAck, ack}, "[] [] [start]"},
		{"refused", crowded, []*capture.Packet{syn, rst}, "[] []"},
		{"ping without answer", crowded, []*capture.Packet{ping}, "[]"},
		{"ping", crowded, []*capture.Packet{ping, pong}, "[] [start]"},
		{"message", crowded, []*capture.Packet{query}, "[start update]"},
	} {
		s, play := start(t, c.flows)
		var got []string
		for _, p := range c.frames {
			var kinds []EventKind
			for _, e := range play(p) {
				kinds = append(kinds, e.Kind)
			}
			got = append(got, fmt.Sprint(kinds))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if st := s.Stats(); (c.flows == busy) != (st.Evicted == 0) {
			t.Errorf("%s: %d evicted", c.name, st.Evicted)
		}
	}
}

// TestPressureDoesNotDependOnAdvance: flows that are over exert no pressure,
// whether the shard was told of the time or not.
func TestPressureDoesNotDependOnAdvance(t *testing.T) {
	var want []string
	for i, every := range []int{1, 7, 1 << 30} {
		s := newTestShard(t, func(c *Config) { c.MaxFlows = 64 })
		a := newAttacker(t, tcpServer)
		for n := range 5000 {
			now := second + int64(n)*second/3 // 180 in the time a half-open flow lives
			if n > 2500 {
				now += int64(n-2500) * 2 * second // 26
			}
			p, times := a.batch(1, now)
			s.Batch(p, times, uint64(n+1), nil)
			if n%every == 0 {
				s.Advance(now)
			}
		}
		s.Close(s.now)
		events := slices.Clone(s.Events())
		slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
		checkEvents(t, events)
		got := append(fingerprint(events), fmt.Sprint(s.Stats()), fmt.Sprint(s.Stats().Flood))
		if i == 0 {
			want = got
		} else if !slices.Equal(got, want) {
			t.Errorf("told every %d frames: %d lines, want %d", every, len(got), len(want))
		}
	}
}

// TestHitters: whoever has more than one in 32 is listed, with a count that is
// never too high and at most one in 32 too low.
func TestHitters(t *testing.T) {
	var h hitters
	name := func(i int) floodKey {
		return floodKey{addr: [16]byte{15: byte(i), 14: byte(i >> 8), 13: byte(i >> 16), 0: 1}}
	}
	const total = 100_000
	for i := range total {
		switch {
		case i%2 == 0:
			h.add(name(1))
		case i%10 == 1:
			h.add(name(2))
		default:
			h.add(name(1000 + i))
		}
	}
	top := h.top(total)
	for i, want := range []uint64{total / 2, total / 10} {
		if got := top[i].Flows; top[i].Addr != netip.AddrFrom16(name(i+1).addr) || got > want || got < want-total/maxHitters {
			t.Errorf("place %d: %+v, want %d", i, top[i], want)
		}
	}
	if len(top) != 2 {
		t.Errorf("%+v", top)
	}
}

// TestFloodAdds: shards that saw parts of a flood together saw it whole.
func TestFloodAdds(t *testing.T) {
	at := func(addr string, flows uint64) Flooder { return Flooder{Addr: netip.MustParseAddr(addr), Flows: flows} }
	var sum Flood
	sum.add(&Flood{})
	sum.add(&Flood{Flows: 10, First: 5, Last: 9, Sources: []Flooder{at("10.0.0.1", 6), at("10.0.0.2", 4)}})
	sum.add(&Flood{Flows: 7, First: 3, Last: 8, Sources: []Flooder{at("10.0.0.2", 5), at("10.0.0.3", 2)}})
	want := []Flooder{at("10.0.0.2", 9), at("10.0.0.1", 6), at("10.0.0.3", 2)}
	if sum.Flows != 17 || sum.First != 3 || sum.Last != 9 || !slices.Equal(sum.Sources, want) {
		t.Errorf("%+v", sum)
	}
}
