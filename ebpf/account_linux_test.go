//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"
)

// given a table that holds fewer flows than come
// when it is full
// then every packet is in a delta or in an overflow counter, what must always
// be seen still goes up, and a sweep is asked for
func TestTableFull(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Flows = minFlows
	cfg.HeadDatagrams = 0
	cfg.Ports = []PortRule{{Port: 20_223, UDP: true, Class: ClassDNS}} // 0x4eff: not among the random ones, whose low byte is below 0x40
	r := newRunner(t, cfg)
	const sent = 20_000
	run(t, spreader(t, r.p, 0x3fff, 0), udpFrame(), sent)
	r.run(t, withPorts(udpFrame(), 20_000, 20_223), 1)

	var inDeltas uint64
	s := sweep(t, r.c, func(d *Delta) { inDeltas += d.Packets[0] + d.Packets[1] })
	if s.Flows != cfg.Flows || s.Next >= sweepEvery {
		t.Errorf("swept %+v, want a full table and haste", s)
	}
	stats := statsOf(t, r.c)
	want := Overflow{Packets: sent + 1 - inDeltas, Bytes: 46 * (sent + 1 - inDeltas)}
	if got := stats.Overflow[Ingress][OverflowUDP]; got != want || stats.Full != want.Packets || want.Packets == 0 {
		t.Errorf("overflow %+v, full %d, want %+v", got, stats.Full, want)
	}
	if h := heads(t, r.c); len(h) != 1 || h[0].Class != ClassDNS {
		t.Errorf("heads %+v, want a query", h)
	}
	select {
	case <-r.c.Early():
	default:
		t.Error("no sweep asked for")
	}
}

// given a full table
// when its flows have been silent for the short time that is then left to them
// then a sweep makes room, and their last packets are in its deltas
func TestTableFullMakesRoom(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Flows = minFlows
	r := newRunner(t, cfg)
	run(t, spreader(t, r.p, 0x3fff, 0), udpFrame(), 20_000)
	var out Swept
	removed := 0
	count := func(d *Delta) {
		switch d.Removed {
		case Kept: // by the first pass, which did not know yet how full it is
		case GoneForRoom:
			removed++
		default:
			t.Fatalf("flow %+v removed as %d", d.Key, d.Removed)
		}
	}
	in3s := r.c.clock.read() + uint64(3*time.Second)
	if err := r.c.sweep.run(&r.c.clock, in3s, &out, count); err != nil {
		t.Fatal(err)
	}
	if removed != cfg.Flows || out.Flows != 0 || out.Removed != cfg.Flows {
		t.Errorf("%d flows removed: %+v", removed, out)
	}
}

// given a ring that is full
// when payloads want to go up
// then each is counted as dropped, the budget of their flow is not spent, and
// they go up once there is room
func TestRingFull(t *testing.T) {
	cfg := DefaultConfig()
	cfg.RingBytes = minRing
	cfg.HeadDatagrams = 10
	cfg.Ports = []PortRule{{Port: 53, UDP: true, Class: ClassDNS}}
	r := newRunner(t, cfg)
	query := withPorts(udpFrame(), 20_000, 53)
	const fits = minRing / (256 + 8)
	r.run(t, query, 2*fits) // within the class's burst
	r.run(t, udpFrame(), 7)
	stats := statsOf(t, r.c)
	if stats.Heads[ClassDNS] != fits || stats.Dropped[ClassDNS] != fits || stats.Dropped[ClassUDP] != 7 || stats.Heads[ClassUDP] != 0 {
		t.Errorf("sent %v, dropped %v, want %d queries and nothing else", stats.Heads, stats.Dropped, fits)
	}
	if got := len(heads(t, r.c)); got != fits {
		t.Errorf("%d heads, want %d", got, fits)
	}
	r.run(t, udpFrame(), 20)
	if got := heads(t, r.c); len(got) != 10 || got[0].Class != ClassUDP {
		t.Errorf("%d heads of the flow, want its budget of 10: %+v", len(got), got)
	}
	sweep(t, r.c, func(d *Delta) {
		if d.Always {
			return
		}
		if d.Packets != [2]uint64{27, 0} || d.Heads != [2]uint16{10, 0} || d.HeadsLost != [2]uint16{7, 0} || d.HeadsDone != [2]bool{true, false} {
			t.Errorf("delta %+v", d)
		}
	})
}

// given classes with few tokens
// when one is flooded
// then as many heads go up as its burst, the rest is counted, and another class
// has its own tokens still
func TestTokenBucket(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Ports = []PortRule{{Port: 53, UDP: true, Class: ClassDNS}, {Port: 67, UDP: true, Class: ClassDHCP}, {Port: 99, UDP: true, Class: ClassPort}}
	cfg.Rates = map[Class]Rate{ClassDNS: {PerSecond: 1, Burst: 5}, ClassDHCP: {PerSecond: 1, Burst: 1}}
	r := newRunner(t, cfg)
	r.run(t, withPorts(udpFrame(), 20_000, 53), 1000)
	r.run(t, withPorts(udpFrame(), 68, 67), 2)
	r.run(t, withPorts(udpFrame(), 99, 20_000), 3) // a class without a rate
	stats := statsOf(t, r.c)
	// A second token comes only if the runs take more than a second.
	if n := stats.Heads[ClassDNS]; n < 5 || n > 6 || n+stats.Limited[ClassDNS] != 1000 {
		t.Errorf("%d queries sent and %d refused, want 5 and 995", n, stats.Limited[ClassDNS])
	}
	if n := stats.Heads[ClassDHCP]; n < 1 || n > 2 || n+stats.Limited[ClassDHCP] != 2 {
		t.Errorf("%d leases sent, want 1", n)
	}
	if stats.Heads[ClassPort] != 0 || stats.Limited[ClassPort] != 3 {
		t.Errorf("%d sent of a class without a rate", stats.Heads[ClassPort])
	}
	if got, want := uint64(len(heads(t, r.c))), stats.Heads[ClassDNS]+stats.Heads[ClassDHCP]; got != want {
		t.Errorf("%d heads, want %d", got, want)
	}
}

// given traffic that never stops
// when flows that were silent for a few milliseconds are removed all the time,
// and come back
// then no packet is lost, but for those that found their flow a few nanoseconds
// before it was removed: one in 400,000 removals when each flow gets 250 packets
// a second, and so in practice none, since flows are silent for 2 s or more
func TestSweepRace(t *testing.T) {
	cfg := DefaultConfig()
	cfg.HeadDatagrams = 0
	cfg.Timeouts.Other = 20 * time.Millisecond
	r := newRunner(t, cfg)
	p := spreader(t, r.p, 0x3fff, 0x3)
	var traffic sync.WaitGroup
	done := make(chan struct{})
	traffic.Go(func() {
		defer close(done)
		for range 40 {
			run(t, p, udpFrame(), 100_000)
		}
	})
	sweeps, removed := 0, 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		s, err := r.c.Sweep(func(*Delta) {})
		if err != nil {
			t.Fatal(err)
		}
		if s.Implausible != 0 {
			t.Errorf("%d counters went back", s.Implausible)
		}
		sweeps, removed = sweeps+1, removed+s.Removed
	}
	traffic.Wait()
	if _, err := r.c.Sweep(func(*Delta) {}); err != nil {
		t.Fatal(err)
	}
	a, err := r.c.Account()
	if err != nil {
		t.Fatal(err)
	}
	if a.Seen != 4_000_000 || removed < 1000 || sweeps < 3 {
		t.Errorf("%d packets, %d sweeps, %d flows removed: not the race it should be", a.Seen, sweeps, removed)
	}
	if lost := a.Unattributed(); lost < 0 || lost > int64(1+removed/50_000) {
		t.Errorf("%d packets lost in %d removals: %+v", lost, removed, a)
	}
	t.Logf("%d sweeps removed %d flows: %+v", sweeps, removed, a)
}

// given a million packets of random flows within about two seconds
// when the table is full early
// then totals add up, and flows from before keep theirs
func TestFloodKeepsFlows(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Flows = 16_384
	cfg.HeadDatagrams = 0
	r := newRunner(t, cfg)
	flood := spreader(t, r.p, 0xffff, 0xff)
	old := withPorts(udpFrame(), 1, 2)
	r.run(t, old, 10)
	got := Delta{}
	note := func(d *Delta) {
		if d.Key.Port == [2]uint16{1, 2} {
			got.Packets[0] += d.Packets[0]
			got.Incarnation = d.Incarnation
		}
	}
	sweep(t, r.c, note)
	first := got.Incarnation
	for range 10 {
		run(t, flood, udpFrame(), 100_000)
		r.run(t, old, 10)
		sweep(t, r.c, note)
	}
	if got.Packets[0] != 110 || got.Incarnation != first {
		t.Errorf("%d packets of the old flow, incarnation %d, was %d", got.Packets[0], got.Incarnation, first)
	}
	a, err := r.c.Account()
	if err != nil {
		t.Fatal(err)
	}
	if a.Seen != 1_000_110 || a.Full == 0 || a.Race != 0 {
		t.Errorf("account %+v", a)
	}
}

// heads reads all that is pending.
func heads(tb testing.TB, c *Collector) []Head {
	tb.Helper()
	c.SetDeadline(time.Now())
	var out []Head
	for {
		var h Head
		switch err := c.ReadHead(&h); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return out
		case err != nil:
			tb.Fatal(err)
		}
		h.Data = append([]byte(nil), h.Data...)
		out = append(out, h)
	}
}

// statsOf returns the counters of the one interface of a collector.
func statsOf(tb testing.TB, c *Collector) InterfaceStats {
	tb.Helper()
	all, err := c.Stats()
	if err != nil {
		tb.Fatal(err)
	}
	if len(all) != 1 {
		tb.Fatalf("counters of %d interfaces", len(all))
	}
	return all[0]
}

// given flows that come and go
// when each is reported and forgotten
// then what is remembered of them does not grow
func TestSweepForgets(t *testing.T) {
	cfg := DefaultConfig()
	cfg.HeadDatagrams = 0
	cfg.Timeouts.Other = time.Nanosecond
	r := newRunner(t, cfg)
	p := spreader(t, r.p, 0x3ff, 0)
	const rounds, each = 20, 5000
	var packets uint64
	for range rounds {
		run(t, p, udpFrame(), each)
		s := sweep(t, r.c, func(d *Delta) {
			packets += d.Packets[0]
			if !d.New || d.Removed != GoneIdle {
				t.Fatalf("delta %+v", d)
			}
		})
		if s.Flows != 0 || s.Removed == 0 {
			t.Fatalf("swept %+v", s)
		}
	}
	if s := &r.c.sweep; len(s.index) != 0 || len(s.known) > 1+1024 || packets != rounds*each {
		t.Errorf("%d flows remembered in room for %d after %d packets", len(s.index), len(s.known), packets)
	}
}

// A sweep of flows that it knows allocates per system call, not per flow.
func TestSweepAllocates(t *testing.T) {
	cfg := DefaultConfig()
	cfg.HeadDatagrams = 0
	r := newRunner(t, cfg)
	p := spreader(t, r.p, 0x3ff, 0x7)
	run(t, p, udpFrame(), 200_000)
	flows := sweep(t, r.c, func(*Delta) {}).Flows
	allocs := testing.AllocsPerRun(5, func() {
		run(t, p, udpFrame(), 10_000)
		if _, err := r.c.Sweep(func(*Delta) {}); err != nil {
			t.Fatal(err)
		}
	})
	if calls := float64(flows/sweepBatch + 2); allocs > 30+4*calls {
		t.Errorf("%.0f allocations in a sweep of %d flows", allocs, flows)
	}
}

// Reading a head into the same Head does not allocate.
func TestReadHeadAllocates(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Ports = []PortRule{{Port: 30_000, UDP: true, Class: ClassPort}}
	r := newRunner(t, cfg)
	r.run(t, udpFrame(), 1200)
	r.c.SetDeadline(time.Now())
	var h Head
	if allocs := testing.AllocsPerRun(1000, func() {
		if err := r.c.ReadHead(&h); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%.0f allocations a head", allocs)
	}
}
