package bench

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"gatehouse/capture"
	"gatehouse/flow"
	"gatehouse/pipeline"
	"gatehouse/wire"
)

var stagesFlag = flag.Bool("stages", false, "measure the stages of Gatehouse and write docs/performance.md")

// stage is a part of Gatehouse that starts with the reader.
type stage struct {
	name string
	does string
	run  func(b *testing.B, src capture.Source) (packets uint64)
}

func stages() []stage {
	return []stage{
		{"read", "read the file", func(b *testing.B, src capture.Source) uint64 {
			return eachBatch(b, src, func([]capture.Packet) {})
		}},
		{"decode", "and decode layers 2 to 4", func(b *testing.B, src capture.Source) uint64 {
			var h flow.Headers
			return eachBatch(b, src, func(ps []capture.Packet) {
				for i := range ps {
					h.Decode(&ps[i])
				}
			})
		}},
		{"flow", "and keep the flow table, with events and timeouts", func(b *testing.B, src capture.Source) uint64 {
			return flows(b, src, nil)
		}},
		{"wire", "and reassemble and parse payloads", func(b *testing.B, src capture.Source) uint64 {
			return flows(b, src, wire.Table())
		}},
		{"judge", "and order events, know devices, learn, detect, keep alerts", func(b *testing.B, src capture.Source) uint64 {
			cfg := pipeline.DefaultConfig()
			cfg.Workers = 1
			var err error
			if cfg.Detect.Roots, err = wire.DefaultRoots(); err != nil {
				b.Fatal(err)
			}
			sum, err := pipeline.Run(b.Context(), src, nil, cfg, nil)
			if err != nil {
				b.Fatal(err)
			}
			return sum.Flow.Packets
		}},
	}
}

// bench runs the benchmark capture through a stage again and again.
func (s *stage) bench(b *testing.B, file built) {
	b.ReportAllocs()
	for b.Loop() {
		src, err := capture.Open([]string{file.Path})
		if err != nil {
			b.Fatal(err)
		}
		if n := s.run(b, src); n != uint64(file.Packets) {
			b.Fatalf("%d packets, want %d", n, file.Packets)
		}
		if err := src.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(file.Packets), perPacket)
}

const perPacket = "ns/packet"

// oneProcessor makes the whole process, garbage collector included, run on one
// at a time. Unless it is bound to one (make bench-stages does that), it moves
// between them with every longer system call, and its data from cache to cache.
func oneProcessor(tb testing.TB) {
	before := runtime.GOMAXPROCS(1)
	tb.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// BenchmarkStages runs the benchmark capture through ever more of Gatehouse on
// one processor, the reader included: a room costs the difference to the stage
// before.
func BenchmarkStages(b *testing.B) {
	file := benchCapture(b)
	oneProcessor(b)
	for _, s := range stages() {
		b.Run(s.name, func(b *testing.B) { s.bench(b, file) })
	}
}

// TestStages writes what BenchmarkStages measures into docs/performance.md.
func TestStages(t *testing.T) {
	if !*stagesFlag {
		t.Skip("takes a minute; make bench-stages runs it")
	}
	file := benchCapture(t)
	publish(t, "operations", operations(t))
	oneProcessor(t)
	all := stages()
	results := make([][]testing.BenchmarkResult, len(all))
	for range *rounds {
		for i := range all {
			results[i] = append(results[i], testing.Benchmark(func(b *testing.B) { all[i].bench(b, file) }))
		}
	}
	var rows [][]string
	before := 0.0
	for i := range all {
		slices.SortFunc(results[i], func(a, b testing.BenchmarkResult) int {
			return cmp.Compare(a.Extra[perPacket], b.Extra[perPacket])
		})
		r := results[i][(*rounds-1)/2]
		ns := r.Extra[perPacket]
		rows = append(rows, []string{
			all[i].does, fmt.Sprintf("%.0f", ns), fmt.Sprintf("%.0f", ns-before),
			fmt.Sprintf("%.3f", float64(r.AllocsPerOp())/float64(file.Packets)),
		})
		before = ns
	}
	publish(t, "stages", markdown([]string{"stage", "ns a packet", "of these in the stage", "allocations a packet"}, rows))
}

// eachBatch reads a source to its end.
func eachBatch(b *testing.B, src capture.Source, visit func([]capture.Packet)) (n uint64) {
	var batch capture.Batch
	for {
		err := src.Read(&batch)
		visit(batch.Packets)
		n += uint64(len(batch.Packets))
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// flows keeps the flow table with the given parsers; its events go nowhere.
func flows(b *testing.B, src capture.Source, parsers []wire.Protocol) uint64 {
	cfg := flow.DefaultConfig()
	cfg.Habits = 30 * time.Second // as the analyst wants it
	shard := flow.NewShard(cfg, parsers)
	var clock pipeline.Clock
	var times []int64
	seq := uint64(1)
	return eachBatch(b, src, func(ps []capture.Packet) {
		times = clock.Stamp(times[:0], ps)
		shard.Batch(ps, times, seq, nil)
		shard.Advance(clock.Now())
		shard.Reset()
		seq += uint64(len(ps))
	})
}
