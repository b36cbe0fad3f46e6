package store

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/alert"
	"gatehouse/detect"
)

// openT opens a store that is closed at the end of the test.
func openT(tb testing.TB, dir string, opts Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), dir, opts)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

func checkpoint(tb testing.TB, s *Store, b Batch) {
	tb.Helper()
	if err := s.Checkpoint(tb.Context(), b); err != nil {
		tb.Fatal(err)
	}
}

// contents is all that a store holds.
type contents struct {
	Batch
	Runs []Run
}

func readAll(tb testing.TB, s *Store) contents {
	tb.Helper()
	ctx := tb.Context()
	var all contents
	var errs [6]error
	oldest := Filter{OldestFirst: true}
	all.Alerts, errs[0] = s.Alerts(ctx, oldest)
	all.Incidents, errs[1] = s.Incidents(ctx, oldest)
	all.Observations, errs[2] = s.Observations(ctx, oldest)
	all.Devices, errs[3] = s.Devices(ctx)
	all.Sensor, errs[4] = s.Sensor(ctx)
	all.Runs, errs[5] = s.Runs(ctx, 0)
	for b, err := range s.Baselines(ctx) {
		if err != nil {
			tb.Fatal(err)
		}
		all.Baselines = append(all.Baselines, b)
	}
	if err := errors.Join(errs[:]...); err != nil {
		tb.Fatal(err)
	}
	return all
}

// fullBatch fills every field of everything, two rows each.
func fullBatch(t *testing.T) Batch {
	t.Helper()
	f := &filler{}
	var b Batch
	for range 2 {
		b.Alerts = append(b.Alerts, filled[alert.Alert](t, f))
		b.Incidents = append(b.Incidents, filled[alert.Incident](t, f))
		b.Observations = append(b.Observations, filled[alert.Observation](t, f))
		b.Devices = append(b.Devices, filled[DeviceRow](t, f))
		b.Baselines = append(b.Baselines, filled[BaselineRow](t, f))
	}
	run := filled[Run](t, f)
	b.Sensor, b.Run = []byte{0, 1, 2, 0xff}, &run
	return b
}

func TestEveryFieldComesBack(t *testing.T) {
	dir := t.TempDir()
	want := fullBatch(t)
	s := openT(t, dir, Options{})
	checkpoint(t, s, want)

	check := func(when string, s *Store) {
		t.Helper()
		got := readAll(t, s)
		if diff := cmp.Diff([]Run{*want.Run}, got.Runs); diff != "" {
			t.Errorf("%s: runs (-want +got):\n%s", when, diff)
		}
		got.Run = want.Run
		if diff := cmp.Diff(want, got.Batch); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	check("after the checkpoint", s)

	checkpoint(t, s, want)
	check("after the same checkpoint again", s)

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("after opening it again", openT(t, dir, Options{}))
	check("read-only beside a writer", openT(t, dir, Options{ReadOnly: true}))
}

func TestEmptyValuesComeBack(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	want := Batch{
		Alerts:       []alert.Alert{{ID: "a", Severity: 1}},
		Incidents:    []alert.Incident{{ID: "i", Severity: 1}},
		Observations: []alert.Observation{{}},
		Devices:      []DeviceRow{{ID: "d", Data: []byte("null")}},
		Baselines:    []BaselineRow{{Device: "d"}},
		Sensor:       []byte{},
	}
	checkpoint(t, s, want)
	if diff := cmp.Diff(want, readAll(t, s).Batch); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := s.Baseline(t.Context(), "d"); err != nil {
		t.Errorf("a device with an empty baseline: %v", err)
	}
	if _, err := s.Baseline(t.Context(), "other"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a device without baseline: got %v", err)
	}
}

// Names and numbers come from the network: whatever they are, the row is
// stored and can be read by every JSON parser.
func TestHostileValuesAreStored(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	huge := strings.Repeat("\x00\xff'\"", 1<<16)
	far := time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)
	checkpoint(t, s, Batch{
		Alerts: []alert.Alert{{
			ID: "nan", Severity: 4, Time: far, Summary: huge, Score: math.Inf(1), Confidence: math.NaN(),
			Why: []detect.Why{{Surprise: math.Inf(-1)}}, Device: alert.Device{ID: "\xff", Name: huge, IPs: []string{"\xfe"}},
		}},
		Observations: []alert.Observation{
			{Device: "\xff", Subject: huge, P: math.NaN(), Time: far, Count: math.MaxInt},
			{Device: "old", Time: time.Unix(-1, 0).UTC(), P: math.Inf(-1), Count: -1},
		},
		Devices: []DeviceRow{{ID: "\xff", Name: huge, Addresses: []string{"\xfe"}, Data: []byte(`"\u0000"`)}},
	})
	got := readAll(t, s)
	if a := got.Alerts[0]; a.Score != math.MaxFloat64 || a.Confidence != 0 || a.Why[0].Surprise != -math.MaxFloat64 {
		t.Errorf("numbers: got %v %v %v", a.Score, a.Confidence, a.Why[0].Surprise)
	}
	if want := strings.ToValidUTF8(huge, "\uFFFD"); got.Alerts[0].Summary != want || got.Devices[0].Name != want || got.Observations[1].Subject != want {
		t.Error("a long text with zero bytes and invalid UTF-8 came back changed otherwise than in its invalid bytes")
	}
	if got := got.Observations[0].Time; !got.Equal(time.Unix(-1, 0)) {
		t.Errorf("time before 1970: got %v", got)
	}
	if got, err := s.Alerts(t.Context(), Filter{Device: "\xff"}); err != nil || len(got) != 1 {
		t.Errorf("device with an invalid id is found by it: got %d, %v", len(got), err)
	}
}

func TestRowsThatCannotBeStored(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	good := Batch{Sensor: []byte("before"), Devices: []DeviceRow{{ID: "d", Data: []byte("{}")}}}
	checkpoint(t, s, good)
	before := readAll(t, s)

	for name, bad := range map[string]Batch{
		"alert without id":    {Alerts: []alert.Alert{{ID: "ok", Severity: 1}, {Severity: 1}}},
		"alert severity":      {Alerts: []alert.Alert{{ID: "ok", Severity: 1}, {ID: "bad"}}},
		"incident without id": {Alerts: []alert.Alert{{ID: "ok", Severity: 1}}, Incidents: []alert.Incident{{Severity: 1}}},
		"incident severity":   {Incidents: []alert.Incident{{ID: "bad", Severity: 9}}},
		"device without id":   {Devices: []DeviceRow{{ID: "ok", Data: []byte("{}")}, {Data: []byte("{}")}}},
		"device data":         {Devices: []DeviceRow{{ID: "bad", Data: []byte("{")}}},
		"baseline device":     {Baselines: []BaselineRow{{Model: []byte("m")}}},
		"baseline size":       {Baselines: []BaselineRow{{Device: "d", Model: make([]byte, MaxBlob+1)}}},
		"run id":              {Sensor: []byte("after"), Run: &Run{Data: []byte("{}")}},
		"run data":            {Sensor: []byte("after"), Run: &Run{ID: "r"}},
	} {
		if err := s.Checkpoint(t.Context(), bad); err == nil {
			t.Errorf("%s: stored", name)
		}
		if diff := cmp.Diff(before, readAll(t, s)); diff != "" {
			t.Errorf("%s: a part was stored (-before +after):\n%s", name, diff)
		}
	}
}

func TestLargestSensorState(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	want := bytes.Repeat([]byte("0123456789abcdef"), MaxBlob/16)
	for i := range 3 {
		want[0] = byte(i)
		checkpoint(t, s, Batch{Sensor: want})
		got, err := s.Sensor(t.Context())
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("round %d: got %d bytes, %v", i, len(got), err)
		}
	}
}

func TestNewerRevisionWins(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	version := func(rev int, summary string) Batch {
		return Batch{
			Alerts:    []alert.Alert{{ID: "a", Revision: rev, Summary: summary, Severity: 2}},
			Incidents: []alert.Incident{{ID: "i", Revision: rev, Summary: summary, Severity: 2}},
		}
	}
	for _, step := range []struct {
		rev  int
		text string
		want string
	}{
		{2, "second", "second"},
		{1, "late first", "second"},
		{2, "second again", "second"},
		{3, "third", "third"},
		{2, "late second", "third"},
	} {
		checkpoint(t, s, version(step.rev, step.text))
		a, err1 := s.Alert(t.Context(), "a")
		in, err2 := s.Incident(t.Context(), "i")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if a.Summary != step.want || in.Summary != step.want {
			t.Errorf("after %q: got alert %q, incident %q, want %q", step.text, a.Summary, in.Summary, step.want)
		}
	}
}

func TestObservationsMergeByDay(t *testing.T) {
	at := func(hour int) time.Time { return epoch2024.Add(time.Duration(hour) * time.Hour) }
	obs := func(hour, count int, p float64, summary string) alert.Observation {
		return alert.Observation{Time: at(hour), Device: "d", Kind: "k", Subject: "s", Count: count, P: p, Summary: summary}
	}
	steps := []struct {
		give []alert.Observation
		want []alert.Observation
	}{
		{ // one
			give: []alert.Observation{obs(1, 2, .5, "first")},
			want: []alert.Observation{obs(1, 2, .5, "first")},
		},
		{ // it has grown since
			give: []alert.Observation{obs(1, 5, .4, "grown")},
			want: []alert.Observation{obs(1, 5, .4, "grown")},
		},
		{ // two more the same day, out of order; the least probable one speaks
			give: []alert.Observation{obs(9, 10, .9, "late"), obs(3, 1, .1, "odd")},
			want: []alert.Observation{obs(1, 16, .1, "odd")},
		},
		{ // known ones again
			give: []alert.Observation{obs(9, 10, .9, "late"), obs(3, 1, .1, "odd"), obs(1, 2, .5, "first")},
			want: []alert.Observation{obs(1, 16, .1, "odd")},
		},
		{ // the next day is a row of its own
			give: []alert.Observation{obs(24, 1, .3, "tomorrow"), obs(23, 4, .2, "midnight")},
			want: []alert.Observation{obs(1, 20, .1, "odd"), obs(24, 1, .3, "tomorrow")},
		},
	}
	s := openT(t, t.TempDir(), Options{})
	for i, step := range steps {
		for range 2 { // repeating a checkpoint changes nothing
			checkpoint(t, s, Batch{Observations: step.give})
			got, err := s.Observations(t.Context(), Filter{OldestFirst: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("step %d (-want +got):\n%s", i, diff)
			}
		}
	}
}

func TestDayOf(t *testing.T) {
	const day = int64(24 * time.Hour)
	for ns, want := range map[int64]int64{
		0: 0, day - 1: 0, day: 1, -1: -1, -day: -1, -day - 1: -2,
		math.MinInt64: -106752, math.MaxInt64: 106751,
	} {
		if got := dayOf(ns); got != want {
			t.Errorf("day of %d ns: got %d, want %d", ns, got, want)
		}
	}
}
