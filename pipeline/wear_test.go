package pipeline_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/capture"
	"gatehouse/pipeline"
	"gatehouse/sim"
	"gatehouse/store"
	"gatehouse/wire"
)

// realTime hands out what a live sensor would get in a quarter of a minute at
// a time, and tells the time of the packets.
type realTime struct {
	capture.Source
	batch capture.Batch
	next  int
	now   atomic.Int64
	err   error
}

const slice = int64(15 * time.Second)

func (r *realTime) Read(b *capture.Batch) error {
	if r.next == len(r.batch.Packets) {
		if r.err != nil {
			return r.err
		}
		r.batch = capture.Batch{} // the last one is still in use
		r.err = r.Source.Read(&r.batch)
		r.next = 0
	}
	rest := r.batch.Packets[r.next:]
	n := 0
	for n < len(rest) && rest[n].Time/slice == rest[0].Time/slice {
		n++
	}
	b.Packets = append(b.Packets[:0], rest[:n]...)
	r.next += n
	if n > 0 {
		r.now.Store(max(r.now.Load(), rest[n-1].Time))
	}
	if r.next == len(r.batch.Packets) {
		return r.err
	}
	return nil
}

// A home of 30 devices writes at most 50 MB a day to its flash, and forces at
// most one write a second.
func TestWearOfAHome(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s: run it without -short")
	}
	var names []string
	for _, seed := range []uint64{1, 2, 3} {
		cfg := sim.DefaultConfig()
		cfg.Days, cfg.Seed = 12, seed
		home, err := sim.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := home.WriteDir(dir, nil); err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Join(dir, sim.CaptureFile))
	}
	src := &realTime{Source: open(t, names...)}
	st, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.SetSinks(t.Context(), []string{"sink"}); err != nil {
		t.Fatal(err)
	}
	cfg := pipeline.DefaultConfig()
	if cfg.Detect.Roots, err = wire.DefaultRoots(); err != nil {
		t.Fatal(err)
	}
	start := sim.DefaultConfig().Start
	cfg.Now = func() time.Time { return time.Unix(0, max(src.now.Load(), start.UnixNano())) }
	sum, err := pipeline.Run(t.Context(), src, st, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	days := sum.Last.Sub(sum.First).Hours() / 24
	perDay := float64(sum.Store.Wear.Bytes) / days / (1 << 20)
	t.Logf("%d devices, %.1f days, %d alerts: %.1f MB and %.0f forced writes a day",
		len(sum.Devices), days, sum.Counts.Alerts, perDay, float64(sum.Store.Wear.Syncs)/days)
	if len(sum.Devices) < 30 || days < 11 {
		t.Errorf("too small a home: %d devices, %.1f days", len(sum.Devices), days)
	}
	if perDay > 50 {
		t.Errorf("%.1f MB a day", perDay)
	}
	if perDay < 1 {
		t.Errorf("%.1f MB a day: is anything stored at all?", perDay)
	}
	if got := float64(sum.Store.Wear.Syncs) / days; got > 86400 {
		t.Errorf("%.0f forced writes a day", got)
	}
}
