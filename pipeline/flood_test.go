package pipeline

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/baseline"
	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/notify"
	"gatehouse/store"
)

// A hundred thousand findings a minute, for five minutes: memory stays
// bounded, a program is told every alert that was stored, a person gets
// digests, and critical alerts come one by one.
func TestFloodOfFindings(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.SetSinks(t.Context(), []string{"person", "program"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list := []notify.Delivery{fileSink(t, dir, "person", 10), fileSink(t, dir, "program", 0)}
	courier := notify.NewCourier(st, st, list, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		courier.Run(ctx)
		close(done)
	}()

	cfg := DefaultConfig()
	clock := time.Unix(0, floodStart)
	cfg.Now = func() time.Time { return clock }
	a := newAnalyst(cfg, nil)
	k := newKeeper(&cfg, st, a)
	k.listen(t.Context(), a)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const perMinute, minutes, devices = 100_000, 5, 300
	for i := range perMinute * minutes {
		at := floodStart + int64(i)*int64(time.Minute)/perMinute
		a.found(floodFinding(a, i, i%devices, at))
		if i%1000 == 0 {
			a.now = at
			clock = time.Unix(0, at)
			k.round(t.Context(), a, &Summary{})
			courier.Wake()
		}
	}
	if err := k.save(t.Context(), a, &Summary{}, true); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	courier.Drain(t.Context())
	cancel()
	<-done

	c := a.book.Counts()
	t.Logf("%+v; %.1f MB of memory, %.1f MB and %d forced writes to the disk",
		c, float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, float64(st.Wear().Bytes)/1e6, st.Wear().Syncs)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("memory has grown by %d bytes", grown)
	}
	if c.Findings != perMinute*minutes || c.Incidents > devices || c.Alerts > 20*devices {
		t.Errorf("incidents do not merge: %+v", c)
	}
	if got := st.Wear().Syncs; got > 60*minutes+10 {
		t.Errorf("%d forced writes in %d minutes", got, minutes)
	}
	stored, err := st.Alerts(t.Context(), store.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	program, digests := heard(t, filepath.Join(dir, "program"))
	if digests != 0 {
		t.Errorf("the program got %d digests", digests)
	}
	for i := range stored {
		if program[stored[i].ID] != stored[i].Revision {
			t.Fatalf("%s is stored at revision %d, and the program was told %d", stored[i].ID, stored[i].Revision, program[stored[i].ID])
		}
	}
	person, digests := heard(t, filepath.Join(dir, "person"))
	if digests == 0 || len(person) > 500 {
		t.Errorf("the person was told %d things and %d digests", len(person), digests)
	}
	for i := range stored {
		if a := &stored[i]; a.Severity == detect.Critical && person[a.ID] != a.Revision {
			t.Errorf("the person was told revision %d of %s, which is critical", person[a.ID], a.ID)
		}
	}
	if len(stored) < devices {
		t.Errorf("%d alerts for %d devices", len(stored), devices)
	}
}

const floodStart = int64(1_767_614_400) * int64(time.Second)

// floodFinding is one of a kind that always alerts, each about another subject.
func floodFinding(a *analyst, i, dev int, at int64) detect.Finding {
	d := &device.Device{ID: fmt.Sprintf("mac:02000000%04x", dev), Name: fmt.Sprintf("device %d", dev)}
	if a.subjects[d.ID] == nil {
		a.subjects[d.ID] = &subject{model: baseline.NewModel(at)}
	}
	f := detect.Finding{
		Kind: detect.NewDestination, Class: detect.Novelty, Severity: detect.Low, Device: d,
		Subject: fmt.Sprintf("tcp/443 host-%d.example", i), Time: at, First: at, P: 1e-6, Confidence: 1,
		Summary: fmt.Sprintf("device %d contacted host-%d.example.", dev, i),
	}
	if i%50_000 == 7 {
		f.Severity = detect.Critical
	}
	return f
}

func fileSink(t *testing.T, dir, name string, above int) notify.Delivery {
	t.Helper()
	sink, err := (&notify.JSONLines{Path: filepath.Join(dir, name)}).Open(notify.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	limits := notify.DefaultLimits()
	limits.SummarizeAbove = above
	return notify.Delivery{Name: name, Sink: sink, Limits: limits}
}

// heard reads what a sink was told: revisions by id, and how many digests.
func heard(t *testing.T, path string) (map[string]int, int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, digests := make(map[string]int), 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var n alert.Notice
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil {
			t.Fatal(err)
		}
		if n.Digest != nil {
			digests++
			continue
		}
		out[n.ID()] = n.Revision()
	}
	return out, digests
}

// failingState is a state whose disk is full for a while.
type failingState struct {
	*store.Store
	full     bool
	attempts int
}

func (s *failingState) Checkpoint(ctx context.Context, b store.Batch) error {
	if s.full {
		s.attempts++
		return store.ErrFull
	}
	return s.Store.Checkpoint(ctx, b)
}

// While the store fails, detection goes on, says so, tries again now and then,
// and what it has found is stored when it can be.
func TestStoreThatFails(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	state := &failingState{Store: st, full: true}
	cfg := DefaultConfig()
	clock := time.Unix(0, floodStart)
	cfg.Now = func() time.Time { return clock }
	a := newAnalyst(cfg, nil)
	k := newKeeper(&cfg, state, a)
	seconds := func(n int) {
		for range n {
			clock = clock.Add(time.Second)
			k.round(t.Context(), a, &Summary{})
		}
	}
	a.found(floodFinding(a, 1, 1, floodStart))
	seconds(3600)
	if k.health.Failing.IsZero() || k.health.Error == "" || k.health.Unstored != 2 {
		t.Errorf("health: %+v", k.health)
	}
	if state.attempts < 30 || state.attempts > 70 {
		t.Errorf("%d attempts in an hour", state.attempts)
	}
	a.found(floodFinding(a, 2, 2, floodStart+int64(time.Hour)))
	a.found(floodFinding(a, 1, 1, floodStart+int64(time.Hour))) // again
	state.full = false
	seconds(61)
	if k.health.Unstored != 0 || !k.health.Failing.IsZero() || k.health.Error != "" || k.health.Dropped != 0 {
		t.Errorf("health: %+v", k.health)
	}
	got, err := st.Alerts(t.Context(), store.Filter{OldestFirst: true})
	if err != nil || len(got) != 2 || got[0].Count != 2 {
		t.Errorf("stored: %+v, %v", got, err)
	}
	// A person's word arrives within a second.
	if _, err := st.SetState(t.Context(), got[0].ID, alert.Closed); err != nil {
		t.Fatal(err)
	}
	seconds(1)
	a.found(floodFinding(a, 1, 1, floodStart+3*int64(time.Hour)))
	seconds(2)
	if got, err = st.Alerts(t.Context(), store.Filter{OldestFirst: true}); err != nil || len(got) != 3 || got[0].State != alert.Closed || got[0].Count != 2 {
		t.Errorf("after it was closed: %+v, %v", got, err)
	}
}

// What waits for a store that fails for long is bounded, and the least severe
// goes first.
func TestUnstoredIsBounded(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	state := &failingState{Store: st, full: true}
	cfg := DefaultConfig()
	clock := time.Unix(0, floodStart)
	cfg.Now = func() time.Time { return clock }
	a := newAnalyst(cfg, nil)
	k := newKeeper(&cfg, state, a)
	for i := range 20_000 {
		at := floodStart + int64(i)*int64(7*time.Hour) // an incident each
		a.found(floodFinding(a, 49_990+i, i%300, at))  // the 18th is critical
		clock = clock.Add(time.Second)
		k.round(t.Context(), a, &Summary{})
	}
	if n := len(k.unstored.Alerts); n > maxUnstored {
		t.Errorf("%d alerts wait", n)
	}
	if k.health.Dropped == 0 {
		t.Error("nothing was counted as dropped")
	}
	state.full = false
	if err := k.save(t.Context(), a, &Summary{}, true); err != nil {
		t.Fatal(err)
	}
	critical, err := st.Alerts(t.Context(), store.Filter{MinSeverity: uint8(detect.Critical)})
	if err != nil || len(critical) != 1 {
		t.Errorf("%d critical alerts, %v", len(critical), err)
	}
	if got, err := st.Alerts(t.Context(), store.Filter{}); err != nil || len(got) != maxUnstored {
		t.Errorf("%d alerts stored, %v", len(got), err)
	}
}
