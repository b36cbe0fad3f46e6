package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/flow"
	"gatehouse/notify"
	"gatehouse/pipeline"
	"gatehouse/store"
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

// nowhere is a sink that takes everything.
type nowhere struct{}

func (nowhere) Deliver(_ context.Context, n []alert.Notice) (int, error) { return len(n), nil }
func (nowhere) Close() error                                             { return nil }

// BenchmarkAlerts stores alerts, a batch in each checkpoint, and delivers them
// through the outbox to one sink. An operation is one alert; disk-B/op is what
// was written for it in all, and amplification that in proportion to its JSON.
func BenchmarkAlerts(b *testing.B) {
	for _, size := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) { benchAlerts(b, size) })
	}
}

func benchAlerts(b *testing.B, size int) {
	st, err := store.Open(b.Context(), b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	if err := st.SetSinks(b.Context(), []string{"nowhere"}); err != nil {
		b.Fatal(err)
	}
	courier := notify.NewCourier(st, st, []notify.Delivery{{Name: "nowhere", Sink: nowhere{}, Limits: notify.DefaultLimits()}}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		courier.Run(ctx)
		close(done)
	}()
	one := benchAlert(0)
	body, err := json.Marshal(one)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	before := st.Wear().Bytes
	b.ResetTimer()
	for i := 0; i < b.N; i += size {
		batch := store.Batch{Alerts: make([]alert.Alert, min(size, b.N-i))}
		for j := range batch.Alerts {
			batch.Alerts[j] = benchAlert(i + j)
		}
		if err := st.Checkpoint(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		courier.Wake()
	}
	courier.Drain(b.Context())
	b.StopTimer()
	cancel()
	<-done
	if got := courier.Status()[0].Delivered; got != uint64(b.N) {
		b.Fatalf("%d of %d were delivered", got, b.N)
	}
	wrote := float64(st.Wear().Bytes-before) / float64(b.N)
	b.ReportMetric(wrote, "disk-B/op")
	b.ReportMetric(wrote/float64(len(body)), "amplification")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

// benchAlert is an alert as long as real ones.
func benchAlert(i int) alert.Alert {
	at := time.Unix(1_767_614_400+int64(i), 0).UTC()
	id := fmt.Sprintf("a-%012x", uint64(i)*0x9e3779b97f4a7c15>>16) // spread like a hash
	return alert.Alert{
		ID: id, Revision: 1, Time: at, FirstSeen: at, LastSeen: at, Count: 1, State: alert.Open,
		Kind: detect.NewDestination, Class: detect.Novelty, Severity: detect.Medium, Score: 12.5, Confidence: .8, Visibility: 1,
		Device:  alert.Device{ID: "mac:020000000001", Name: "Garden Camera", Group: "cameras", MAC: "02:00:00:00:00:01", IPs: []string{"192.0.2.17"}, Vendor: "Example", Type: "camera"},
		Subject: "tcp/6667 203.0.113.77", Peer: detect.Peer{IP: "203.0.113.77", Port: 6667, Proto: "tcp"},
		Summary: "Garden Camera has contacted a server that it and its group have never contacted before",
		Why:     []detect.Why{{Feature: "destination", Observed: "203.0.113.77 port 6667", Expected: "3 known servers", Surprise: 6.6}, {Feature: "port", Observed: "6667", Expected: "443, 123", Surprise: 2.7}},
		Attack:  []string{"T1071"}, Playbook: "new_destination", Incident: "i-0123456789ab",
		Evidence: []alert.Evidence{{CommunityID: "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", Time: at}},
	}
}
