package pipeline_test

import (
	"fmt"
	"testing"

	"gatehouse/flow"
	"gatehouse/pipeline"
)

// BenchmarkFlows reads twelve simulated days through the shards, to nobody:
// what is left is decoding, flows, payloads, and the order of events.
func BenchmarkFlows(b *testing.B) {
	name, cfg := home(b)
	for _, workers := range []int{1, 2, 8} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			cfg.Workers = workers
			b.ReportAllocs()
			var packets uint64
			for b.Loop() {
				err := pipeline.Flows(b.Context(), open(b, name), cfg, func(_ []flow.Event, p pipeline.Progress) error {
					packets = p.Flow.Packets
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(packets), "ns/packet")
		})
	}
}
