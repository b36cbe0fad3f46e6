//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// costOf runs p n times and returns what a run takes, in nanoseconds. The
// kernel measures it, in whole nanoseconds on average.
func costOf(b *testing.B, p *ebpf.Program, frame []byte, n int) float64 {
	b.Helper()
	_, d, err := p.Benchmark(frame, n, nil)
	if err != nil {
		b.Fatal(err)
	}
	return float64(d)
}

// reportNet reports what the program takes beyond an empty one that is called
// in the same way, both measured alternately.
func reportNet(b *testing.B, p, empty *ebpf.Program) {
	b.Helper()
	const rounds = 10
	n := max(b.N/rounds, 1)
	var with, without float64
	for range rounds {
		without += costOf(b, empty, udpFrame(), n)
		with += costOf(b, p, udpFrame(), n)
	}
	b.ReportMetric(0, "ns/op") // includes the empty program
	b.ReportMetric((with-without)/rounds, "net-ns/packet")
	b.ReportMetric(without/rounds, "empty-ns/packet")
}

// BenchmarkKnown measures a packet of a known flow, of so many at random.
func BenchmarkKnown(b *testing.B) {
	for _, bm := range []struct {
		name        string
		ports, addr int32
	}{
		{"1", 0, 0},
		{"1k", 0x3ff, 0},
		{"64k", 0x3ff, 0x3f},
	} {
		b.Run(bm.name, func(b *testing.B) {
			cfg := DefaultConfig()
			cfg.Flows = 1 << 17
			cfg.HeadDatagrams = 0
			r := newRunner(b, cfg)
			p, empty := spreader(b, r.p, bm.ports, bm.addr), spreader(b, nil, bm.ports, bm.addr)
			costOf(b, p, udpFrame(), 1_000_000) // meet all flows
			reportNet(b, p, empty)
		})
	}
}

// BenchmarkInsert measures the first packet of a flow.
func BenchmarkInsert(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Flows = 1 << 20
	cfg.HeadDatagrams = 0
	r := newRunner(b, cfg)
	p, empty := spreader(b, r.p, 0xffff, 0xffff), spreader(b, nil, 0xffff, 0xffff)
	const n = 200_000
	var with, without float64
	rounds := 0
	for b.Loop() {
		without += costOf(b, empty, udpFrame(), n)
		with += costOf(b, p, udpFrame(), n)
		rounds++
		b.StopTimer()
		clear(b, r.c)
		b.StartTimer()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric((with-without)/float64(rounds), "net-ns/packet")
}

// BenchmarkFull measures a packet whose flow finds no room.
func BenchmarkFull(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Flows = minFlows
	cfg.HeadDatagrams = 0
	r := newRunner(b, cfg)
	p, empty := spreader(b, r.p, 0xffff, 0xffff), spreader(b, nil, 0xffff, 0xffff)
	costOf(b, p, udpFrame(), 10*minFlows)
	reportNet(b, p, empty)
}

// BenchmarkHead measures a packet of a known flow that goes up; once without
// room in the ring, which then is full, and once without tokens.
func BenchmarkHead(b *testing.B) {
	for _, bm := range []struct {
		name string
		rate Rate
		ring int
	}{
		{"ring full", Rate{maxPerSecond, maxPerSecond}, minRing},
		{"no token", Rate{1, 1}, minRing},
	} {
		b.Run(bm.name, func(b *testing.B) {
			cfg := DefaultConfig()
			cfg.RingBytes = bm.ring
			cfg.Ports = []PortRule{{Port: 10000, UDP: true, Class: ClassPort}}
			cfg.Rates = map[Class]Rate{ClassPort: bm.rate}
			r := newRunner(b, cfg)
			quiet := DefaultConfig()
			quiet.HeadDatagrams = 0
			known := newRunner(b, quiet)
			r.run(b, udpFrame(), 10_000)
			known.run(b, udpFrame(), 1)
			reportNet(b, r.p, known.p)
		})
	}
	b.Run("sent", func(b *testing.B) {
		cfg := DefaultConfig()
		cfg.RingBytes = maxRing
		cfg.Ports = []PortRule{{Port: 10000, UDP: true, Class: ClassPort}}
		cfg.Rates = map[Class]Rate{ClassPort: {maxPerSecond, maxPerSecond}}
		r := newRunner(b, cfg)
		quiet := DefaultConfig()
		quiet.HeadDatagrams = 0
		known := newRunner(b, quiet)
		known.run(b, udpFrame(), 1)
		const n = 100_000 // fits the ring
		var with, without float64
		rounds := 0
		var h Head
		for b.Loop() {
			without += costOf(b, known.p, udpFrame(), n)
			with += costOf(b, r.p, udpFrame(), n)
			rounds++
			b.StopTimer()
			r.c.SetDeadline(time.Now())
			for r.c.ReadHead(&h) == nil {
			}
			b.StartTimer()
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric((with-without)/float64(rounds), "net-ns/packet")
	})
}

// BenchmarkSweep measures reading the table, by flow: with and without
// something new in each.
func BenchmarkSweep(b *testing.B) {
	for _, bm := range []struct {
		name   string
		change bool
	}{{"changed", true}, {"unchanged", false}} {
		b.Run(bm.name, func(b *testing.B) {
			cfg := DefaultConfig()
			cfg.HeadDatagrams = 0
			r := newRunner(b, cfg)
			p := spreader(b, r.p, 0x3ff, 0x1f)
			costOf(b, p, udpFrame(), 1_000_000)
			flows := 0
			for range 2 {
				flows = sweep(b, r.c, func(*Delta) {}).Flows
			}
			b.ReportAllocs()
			for b.Loop() {
				if bm.change {
					b.StopTimer()
					costOf(b, p, udpFrame(), 1_000_000)
					b.StartTimer()
				}
				if _, err := r.c.Sweep(func(*Delta) {}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(flows), "ns/flow")
		})
	}
}

// clear empties the table of flows.
func clear(tb testing.TB, c *Collector) {
	tb.Helper()
	keys := make([]kernelFlowKey, 4096)
	values := make([]kernelFlowRecord, 4096)
	for {
		var cursor ebpf.MapBatchCursor
		n, err := c.maps[kernelMapFlows].BatchLookupAndDelete(&cursor, keys, values, nil)
		if n == 0 {
			return
		}
		_ = err
	}
}
