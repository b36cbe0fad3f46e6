package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
)

// BenchmarkCheckpoint measures checkpoints of the sizes that occur. disk-B/op
// is what was passed to write calls per checkpoint: to the log, and to the
// database when the log was folded back.
func BenchmarkCheckpoint(b *testing.B) {
	rng := rand.NewChaCha8([32]byte{})
	model := func(n int) []byte {
		m := make([]byte, n)
		_, _ = rng.Read(m)
		return m
	}
	b.Run("alerts=1", func(b *testing.B) { benchCheckpoint(b, func(i int) Batch { return Batch{Alerts: benchAlerts(i, 1)} }) })
	b.Run("alerts=1000", func(b *testing.B) {
		benchCheckpoint(b, func(i int) Batch { return Batch{Alerts: benchAlerts(i, 1000)} })
	})
	b.Run("observations=100", func(b *testing.B) {
		benchCheckpoint(b, func(i int) Batch { return Batch{Observations: benchObservations(i, 100)} })
	})
	b.Run("baselines=100x16KiB", func(b *testing.B) {
		benchCheckpoint(b, func(int) Batch {
			var batch Batch
			for d := range 100 {
				batch.Baselines = append(batch.Baselines, BaselineRow{Device: fmt.Sprintf("device-%03d", d), Model: model(16 << 10)})
			}
			return batch
		})
	})
	b.Run("unchanged", func(b *testing.B) {
		same := Batch{Alerts: benchAlerts(0, 10), Observations: benchObservations(0, 10), Baselines: []BaselineRow{{Device: "d", Model: model(16 << 10)}}}
		benchCheckpoint(b, func(int) Batch { return same })
	})
}

func benchCheckpoint(b *testing.B, batch func(i int) Batch) {
	s := openT(b, b.TempDir(), Options{})
	checkpoint(b, s, batch(0))
	b.ReportAllocs()
	before := written(b)
	rows := 0
	i := 1
	for b.Loop() {
		b.StopTimer()
		next := batch(i)
		rows += len(next.Alerts) + len(next.Observations) + len(next.Baselines)
		i++
		b.StartTimer()
		checkpoint(b, s, next)
	}
	b.ReportMetric(float64(written(b)-before)/float64(b.N), "disk-B/op")
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// written is how many bytes this process has passed to write calls.
func written(tb testing.TB) (n int64) {
	tb.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		tb.Skipf("needs the byte counters of Linux: %v", err)
	}
	var read int64
	if _, err := fmt.Sscanf(string(text), "rchar: %d\nwchar: %d", &read, &n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// benchAlerts are alerts as long as real ones.
func benchAlerts(batch, n int) []alert.Alert {
	out := make([]alert.Alert, n)
	for i := range out {
		at := epoch2024.Add(time.Duration(batch*n+i) * time.Second)
		id := fmt.Sprintf("%08x", uint32(batch*n+i)*2654435761) // spread like a hash
		out[i] = alert.Alert{
			ID: id, Revision: 1, Time: at, FirstSeen: at, LastSeen: at, Count: 1,
			Kind: detect.NewDestination, Severity: detect.Medium, Score: 12.5, Confidence: .8, Visibility: 1,
			Device:  alert.Device{ID: "02:00:00:00:00:01", Name: "Garden Camera", MAC: "02:00:00:00:00:01", IPs: []string{"192.0.2.17"}, Vendor: "Example", Type: "camera"},
			Summary: "Garden Camera has contacted a server that it and its group have never contacted before",
			Why:     []detect.Why{{Feature: "destination", Observed: "203.0.113.77 port 6667", Expected: "3 known servers", Surprise: 6.6}, {Feature: "port", Observed: "6667", Expected: "443, 123", Surprise: 2.7}},
			Attack:  []string{"T1071"}, Playbook: "new-destination", Incident: id, State: alert.Open,
			Evidence: []alert.Evidence{{CommunityID: "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", Time: at}},
		}
	}
	return out
}

func benchObservations(batch, n int) []alert.Observation {
	out := make([]alert.Observation, n)
	for i := range out {
		out[i] = alert.Observation{
			Time: epoch2024.Add(time.Duration(batch) * time.Hour), Kind: detect.NewDestination,
			Device: fmt.Sprintf("02:00:00:00:00:%02x", i%256), Subject: fmt.Sprintf("tcp/443 host-%d.example.com", batch),
			P: .05, Count: 1, Summary: "a destination that was not contacted on any of 30 days",
		}
	}
	return out
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(b.Context(), dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 20 { // 20,000 alerts
		checkpoint(b, s, Batch{Alerts: benchAlerts(i, 1000), Observations: benchObservations(i, 250)})
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		b.Run(fmt.Sprintf("MiB=%d/readonly=%v", size(dir+"/"+dbName)>>20, readOnly), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := Open(b.Context(), dir, Options{ReadOnly: readOnly})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	s = openT(b, dir, Options{ReadOnly: true})
	for name, f := range map[string]Filter{"newest=50": {Limit: 50}, "device-by-address": {Device: "192.0.2.1", Limit: 50}} {
		b.Run("list/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Alerts(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
