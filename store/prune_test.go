package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/alert"
)

func days(n int) time.Time { return epoch2024.AddDate(0, 0, n) }

// daily is one alert, incident, observation and run on each of the first days
// of 2024. Every third alert is open, every third acknowledged.
func daily(n int) Batch {
	states := []alert.State{alert.Open, alert.Acknowledged, alert.Closed}
	var b Batch
	for i := range n {
		name := fmt.Sprintf("%03d", i)
		state := states[i%3]
		b.Alerts = append(b.Alerts, alert.Alert{ID: "a" + name, Revision: 1, Severity: 1, Time: days(i), LastSeen: days(i), State: state, Incident: "i" + name})
		b.Incidents = append(b.Incidents, alert.Incident{ID: "i" + name, Revision: 1, Severity: 1, LastSeen: days(i), State: state})
		b.Observations = append(b.Observations, alert.Observation{Device: "d", Subject: "s", Time: days(i), Count: 1})
	}
	return b
}

func TestPrune(t *testing.T) {
	const day = 24 * time.Hour
	now := days(60)
	for _, c := range []struct {
		name string
		keep Retention
		want Pruned
	}{
		{"nothing is bounded", Retention{}, Pruned{}},
		{"all is young enough", DefaultRetention(), Pruned{}},
		// Older than 30 days: 0 to 29, of which 2, 5 ... 29 are closed.
		{"closed alerts by age", Retention{Alerts: Limit{Age: 30 * day}}, Pruned{Alerts: 10}},
		// The incidents of deleted alerts go, the others have an alert left.
		{"incidents of deleted alerts", Retention{Alerts: Limit{Age: 30 * day}, Incidents: Limit{Age: 15 * day}}, Pruned{Alerts: 10, Incidents: 10}},
		{"incidents with alerts", Retention{Incidents: Limit{Age: day}}, Pruned{}},
		{"observations by age", Retention{Observations: Limit{Age: 30 * day}}, Pruned{Observations: 30}},
		{"observations by number", Retention{Observations: Limit{Rows: 7}}, Pruned{Observations: 53}},
		{"observations by both", Retention{Observations: Limit{Age: 30 * day, Rows: 7}}, Pruned{Observations: 53}},
		{"observations by age after number", Retention{Observations: Limit{Age: 5 * day, Rows: 7}}, Pruned{Observations: 55}},
		{"closed alerts by number", Retention{Alerts: Limit{Rows: 4}}, Pruned{Alerts: 16}},
		{"runs by number", Retention{Runs: Limit{Rows: 1}}, Pruned{Runs: 4}},
		{"the newest run stays", Retention{Runs: Limit{Age: 1}}, Pruned{Runs: 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openT(t, t.TempDir(), Options{})
			checkpoint(t, s, daily(60))
			for i := range 6 {
				checkpoint(t, s, Batch{Run: &Run{ID: fmt.Sprint(i), Started: days(i), Data: []byte("1")}})
			}
			before := readAll(t, s)
			got, err := s.Prune(t.Context(), now, c.keep)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			after := readAll(t, s)
			gone := Pruned{
				Alerts: len(before.Alerts) - len(after.Alerts), Incidents: len(before.Incidents) - len(after.Incidents),
				Observations: len(before.Observations) - len(after.Observations), Runs: len(before.Runs) - len(after.Runs),
			}
			if gone != got {
				t.Errorf("says %+v, deleted %+v", got, gone)
			}
			checkKept(t, before, after)
			if again, err := s.Prune(t.Context(), now, c.keep); err != nil || again != (Pruned{}) {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}

// checkKept checks that what is left are the newest rows, and all alerts that
// are not closed.
func checkKept(t *testing.T, before, after contents) {
	t.Helper()
	for _, a := range before.Alerts {
		left := slices.ContainsFunc(after.Alerts, func(b alert.Alert) bool { return a.ID == b.ID })
		if a.State != alert.Closed && !left {
			t.Errorf("%s alert %s is gone", a.State, a.ID)
		}
	}
	closed := func(a alert.Alert) bool { return a.State != alert.Closed }
	was, is := slices.DeleteFunc(before.Alerts, closed), slices.DeleteFunc(after.Alerts, closed)
	if len(is) > 0 && is[0].ID != was[len(was)-len(is)].ID {
		t.Errorf("oldest closed alert left is %s, want the newest %d", is[0].ID, len(is))
	}
	if n := len(after.Observations); n > 0 && !after.Observations[0].Time.Equal(before.Observations[len(before.Observations)-n].Time) {
		t.Errorf("oldest observation left is of %v, want the newest %d", after.Observations[0].Time, n)
	}
	if after.Runs[0].ID != before.Runs[0].ID {
		t.Error("the newest run is gone")
	}
}

func TestPruneInStepsGivesSpaceBack(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, dir, Options{})
	const n = 2*pruneStep + 10
	var b Batch
	for i := range n {
		b.Observations = append(b.Observations, alert.Observation{Device: fmt.Sprint(i), Subject: "a subject of some length", Time: hours(i), Count: 1})
	}
	checkpoint(t, s, b)
	got, err := s.Prune(t.Context(), hours(n), Retention{Observations: Limit{Rows: 1}})
	if err != nil || got.Observations != n-1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := size(filepath.Join(dir, dbName)); got > 40*pageSize {
		t.Errorf("the file still has %d bytes", got)
	}
}

func TestForget(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, dir, Options{})
	secret := []byte("learned-in-the-bedroom")
	for _, times := range []int{1000, 3000, 10} { // earlier models lie about
		checkpoint(t, s, Batch{Baselines: []BaselineRow{{Device: "gone", Model: bytes.Repeat(secret, times)}}})
	}
	checkpoint(t, s, Batch{
		Alerts:       []alert.Alert{{ID: "a", Severity: 1, Device: alert.Device{ID: "gone"}}},
		Observations: []alert.Observation{{Device: "gone", Subject: string(secret)}, {Device: "stays"}},
		Devices:      []DeviceRow{{ID: "gone", Name: string(secret), Data: []byte("{}")}, {ID: "stays", Data: []byte("{}")}},
		Baselines: []BaselineRow{
			{Device: "gone", Model: bytes.Repeat(secret, 1000)},
			{Device: "stays", Model: []byte("m")},
		},
	})
	if err := s.Forget(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	got := readAll(t, s)
	if len(got.Devices) != 1 || len(got.Baselines) != 1 || len(got.Observations) != 1 || got.Devices[0].ID != "stays" {
		t.Errorf("left: %d devices, %d baselines, %d observations", len(got.Devices), len(got.Baselines), len(got.Observations))
	}
	if len(got.Alerts) != 1 {
		t.Error("the alert is gone")
	}
	for _, name := range []string{dbName, dbName + "-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, secret) {
			t.Errorf("%s still holds what was learned", name)
		}
	}
	if err := s.Forget(t.Context(), "gone"); err != nil {
		t.Errorf("again: got %v", err)
	}
	if diff := cmp.Diff(got, readAll(t, s)); diff != "" {
		t.Errorf("again (-before +after):\n%s", diff)
	}
}

// A device that turned out to be another one is replaced in one transaction.
func TestRemovedDevices(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	known := func(id string) Batch {
		return Batch{
			Alerts:       []alert.Alert{{ID: "alert-of-" + id, Severity: 1, Device: alert.Device{ID: id}}},
			Observations: []alert.Observation{{Device: id, Time: epoch2024}},
			Devices:      []DeviceRow{{ID: id, Data: []byte("1")}},
			Baselines:    []BaselineRow{{Device: id, Model: []byte{1}}},
		}
	}
	checkpoint(t, s, known("old"))
	checkpoint(t, s, known("other"))

	next := known("new")
	next.Removed = []string{"old", "never stored", "new"}
	next.Baselines[0].Device = "" // fails, at the end
	if err := s.Checkpoint(t.Context(), next); err == nil {
		t.Fatal("stored")
	}
	if _, err := s.Device(t.Context(), "old"); err != nil {
		t.Errorf("after a failure: %v", err)
	}

	next.Baselines[0].Device = "new"
	checkpoint(t, s, next)
	want := known("new")
	other := known("other")
	want.Observations = append(want.Observations, other.Observations...)
	want.Devices = append(want.Devices, other.Devices...)
	want.Baselines = append(want.Baselines, BaselineRow{Device: "other", Model: []byte{1}})
	got := readAll(t, s)
	if len(got.Alerts) != 3 {
		t.Errorf("%d alerts left of 3", len(got.Alerts))
	}
	got.Alerts, want.Alerts = nil, nil
	if diff := cmp.Diff(want, got.Batch); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
