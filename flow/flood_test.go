package flow

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
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

// TestFloodOfRandomFlows: given 1,000 established connections in a table of
// the default size, a flood of millions of SYNs from random addresses at
// 100,000 a second leaves memory where it was when the table was full, loses
// no packet of the connections, is told of in few events, and is reported with
// who sent it and to whom.
func TestFloodOfRandomFlows(t *testing.T) {
	flood, established := 2_000_000, 1000
	switch {
	case soak():
		flood = 10_000_000
	case testing.Short():
		flood = 300_000
	}
	const room = 64 << 20
	debug.FreeOSMemory()
	before := residentNow(t)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(heldNow() + room)))
	s := newTestShard(t, func(c *Config) { c.MaxFlows = DefaultConfig().MaxFlows })
	target := hostAt("192.168.1.5", 80)
	a := newAttacker(t, target)

	var talk []capture.Packet // up and down of each connection
	for i := range established {
		c := hostAt("192.168.1.20", uint16(40000+i))
		talk = append(talk,
			*tcpFrame(t, c, tcpServer, TCPAck, 1, 1, "x"),
			*tcpFrame(t, tcpServer, c, TCPAck, 1, 2, ""))
	}
	talkTimes := make([]int64, len(talk))
	now, seq, rounds := second, uint64(1), uint64(0)
	starts := 0
	ends := map[uint16]Record{}
	take := func() {
		for _, e := range s.Events() {
			r := e.Record
			switch {
			case e.Kind == Start:
				starts++
			case e.Kind == End && r.Server.Addr == tcpServer.addr:
				ends[r.Client.Port] = r
			}
		}
		s.Reset()
	}
	speak := func() {
		for i := range talkTimes {
			talkTimes[i] = now
		}
		s.Batch(talk, talkTimes, seq, nil)
		seq += uint64(len(talk))
		rounds++
	}
	speak()
	var full, most uint64
	for sent := 0; sent < flood; sent += len(a.times) {
		now += int64(len(a.times)) * second / 100_000
		p, times := a.batch(min(len(a.times), flood-sent), now)
		s.Batch(p, times, seq, nil)
		seq += uint64(len(p))
		if sent/len(a.times)%200 == 0 { // every second or so
			speak()
			if sent > 2*s.cfg.MaxFlows {
				m := heldNow()
				if full == 0 {
					full = m
				}
				most = max(most, m)
			}
		}
		s.Advance(now)
		take()
	}
	resident := residentNow(t) - min(before, residentNow(t))
	s.Close(now)
	take()

	if full == 0 || most > full+4<<20 {
		t.Errorf("%d MiB held with a full table, then %d", full>>20, most>>20)
	}
	if resident > room && !testing.Short() { // short runs are those of the race detector, which has memory of its own
		t.Errorf("%d MiB resident, want at most %d", resident>>20, room>>20)
	}
	for i := range established {
		r := ends[uint16(40000+i)]
		if r.Packets != [2]uint64{rounds, rounds} || r.Bytes != [2]uint64{41 * rounds, 40 * rounds} || r.Payload != [2]uint64{rounds, 0} {
			t.Fatalf("connection %d: %v packets, %v bytes, want %d each way", i, r.Packets, r.Bytes, rounds)
		}
	}
	st := s.Stats()
	if want := uint64(flood + established); st.Flows != want || uint64(starts)+st.Unannounced != want {
		t.Errorf("%d flows, %d announced, %d not; want %d", st.Flows, starts, st.Unannounced, want)
	}
	seconds := int(now/second) + 1
	if limit := s.table.pressure + seconds*newcomers; starts > limit {
		t.Errorf("%d flows announced, want at most %d", starts, limit)
	}
	checkFlood(t, &st, flood, macB, target)
	t.Logf("%d flows: %d announced, %d evicted; held %d MiB, resident %d MiB; %v", flood, starts, st.Evicted, most>>20, resident>>20, st.Flood)
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

// heldNow is what the heap holds after a collection.
func heldNow() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// residentNow is the process's memory as the kernel sees it.
func residentNow(t *testing.T) uint64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS in /proc/self/status")
	return 0
}

// TestMemoryOfFlows holds what a gateway and a factory are promised: all
// memory of a shard with so many answered flows that are alive, after as many
// that ended and are remembered, with a payload of some being parsed and the
// events of four batches outstanding.
func TestMemoryOfFlows(t *testing.T) {
	for _, c := range []struct {
		flows int
		limit uint64
	}{
		{100_000, 64 << 20},
		{1_000_000, 400 << 20},
	} {
		t.Run(fmt.Sprint(c.flows), func(t *testing.T) {
			if c.flows > 100_000 && testing.Short() {
				t.Skip("takes 400 MiB")
			}
			debug.FreeOSMemory()
			heap := heldNow()
			resident := residentNow(t)
			defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(heap + c.limit)))
			s := newTestShard(t, func(cfg *Config) { cfg.MaxFlows = c.flows })
			up := tcpFrame(t, tcpClient, tcpServer, TCPAck, 1, 1, "some bytes that nobody knows")
			down := tcpFrame(t, tcpServer, tcpClient, TCPAck, 1, 1, "")
			var outstanding [4][]Event
			now := second
			for turn := range 2 { // the flows of the first are remembered
				for i := range c.flows {
					n := uint32(turn*c.flows + i)
					binary.BigEndian.PutUint32(up.Data[ethernetHeader+12:], 0x0a000000+n)
					binary.BigEndian.PutUint32(down.Data[ethernetHeader+16:], 0x0a000000+n)
					s.Packet(up, now, uint64(2*n+1))
					s.Packet(down, now, uint64(2*n+2))
					if i%512 == 0 {
						k := i / 512 % len(outstanding)
						outstanding[k] = append(outstanding[k][:0], s.Events()...)
						s.Reset()
					}
				}
				now += second
			}
			held := heldNow() - heap
			if got := s.Stats().Active; got != uint64(c.flows) {
				t.Fatalf("%d flows are alive", got)
			}
			if held > c.limit {
				t.Errorf("%d MiB held, want at most %d", held>>20, c.limit>>20)
			}
			grown := residentNow(t) - min(resident, residentNow(t))
			if grown > c.limit && !testing.Short() {
				t.Errorf("%d MiB resident, want at most %d", grown>>20, c.limit>>20)
			}
			t.Logf("%d MiB held, %d resident", held>>20, grown>>20)
			runtime.KeepAlive(s)
			runtime.KeepAlive(&outstanding)
		})
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
