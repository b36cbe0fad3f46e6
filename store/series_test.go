package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/alert"
	"gatehouse/device"
)

func minuteOf(n int, dev string, bytes uint64) device.Minute {
	return device.Minute{
		Time: epoch2024.Add(time.Duration(n) * time.Minute), Device: dev,
		BytesIn: bytes, BytesOut: 2 * bytes, Packets: 3, Flows: 1, Peers: uint32(n%7 + 1), Names: 2, NXDomain: 1,
	}
}

func series(t *testing.T, s *Store, f Filter, hourly bool) []device.Minute {
	t.Helper()
	list, err := s.Series(t.Context(), f, hourly)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestMinutes(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	first := minuteOf(0, "cam", 100)
	checkpoint(t, s, Batch{
		Devices: []DeviceRow{{ID: "cam", Name: "Garden Camera", Group: "cameras", Data: []byte("{}")}},
		Minutes: []device.Minute{first, minuteOf(0, "tv", 5), minuteOf(1, "cam", 7)},
	})
	first.Name, first.Group = "Garden Camera", "cameras"
	list, last, err := s.Minutes(t.Context(), 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]device.Minute{first, minuteOf(0, "tv", 5)}, list); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if list, last, err = s.Minutes(t.Context(), last, 10); err != nil || len(list) != 1 || list[0].BytesIn != 7 {
		t.Errorf("the rest: %+v, %v", list, err)
	}
	// The same again is nothing new; more of the same minute is.
	more := minuteOf(0, "tv", 50)
	checkpoint(t, s, Batch{Minutes: []device.Minute{minuteOf(1, "cam", 7), more}})
	list, _, err = s.Minutes(t.Context(), last, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]device.Minute{more}, list); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := series(t, s, Filter{Device: "cam", Since: epoch2024.Add(time.Minute)}, false); len(got) != 1 || got[0].BytesIn != 7 {
		t.Errorf("of one device since a minute: %+v", got)
	}
	if err := s.Checkpoint(t.Context(), Batch{Minutes: []device.Minute{{}}}); err == nil {
		t.Error("a minute of no device: no error")
	}
}

func TestMinutesBecomeHours(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	var all []device.Minute
	for n := range 300 { // five hours
		all = append(all, minuteOf(n, "cam", 10), minuteOf(n, "tv", 1))
	}
	checkpoint(t, s, Batch{Minutes: all})
	now := epoch2024.Add(5 * time.Hour)
	// Two and a half hours ago: the hour that was then begun stays whole.
	keep := Retention{Minutes: Limit{Age: 150 * time.Minute}}
	done, err := s.Prune(t.Context(), now, keep)
	if err != nil || done.Minutes != 240 {
		t.Fatalf("got %+v, %v", done, err)
	}
	if got := series(t, s, Filter{}, false); len(got) != 360 || !got[0].Time.Equal(epoch2024.Add(2*time.Hour)) {
		t.Errorf("%d minutes are left, from %v", len(got), got[0].Time)
	}
	// Two of the hours are made of minutes that are gone, three of those left.
	if diff := cmp.Diff(fiveHours(), series(t, s, Filter{Device: "cam"}, true)); diff != "" {
		t.Errorf("hours (-want +got):\n%s", diff)
	}
	// A minute that comes late joins its hour, before and after it is folded.
	checkpoint(t, s, Batch{Minutes: []device.Minute{minuteOf(61, "cam", 10)}})
	for range 2 {
		if got := series(t, s, Filter{Device: "cam"}, true); len(got) != 5 || got[1].BytesIn != 610 || got[1].Flows != 61 {
			t.Errorf("with a late minute: %+v", got)
		}
		if _, err := s.Prune(t.Context(), now, keep); err != nil {
			t.Fatal(err)
		}
	}
	done, err = s.Prune(t.Context(), now.Add(time.Hour), Retention{Hours: Limit{Age: 5 * time.Hour}})
	if err != nil || done.Hours != 2 {
		t.Errorf("hours by age: %+v, %v", done, err)
	}
}

// fiveHours is what 300 of minuteOf become.
func fiveHours() []device.Minute {
	out := make([]device.Minute, 5)
	for i := range out {
		out[i] = device.Minute{
			Time: epoch2024.Add(time.Duration(i) * time.Hour), Device: "cam",
			BytesIn: 600, BytesOut: 1200, Packets: 180, Flows: 60, Peers: 7, Names: 2, NXDomain: 1,
		}
	}
	return out
}

// Hours are the same before anything is folded, and a filter takes whole ones:
// by when they begin.
func TestHoursOfMinutes(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	var all []device.Minute
	for n := range 300 {
		all = append(all, minuteOf(n, "cam", 10), minuteOf(n, "tv", 1))
	}
	checkpoint(t, s, Batch{Minutes: all, Devices: []DeviceRow{{ID: "cam", Name: "Garden Camera", Data: []byte("{}")}}})
	want := fiveHours()
	for i := range want {
		want[i].Name = "Garden Camera"
	}
	at := func(d time.Duration) time.Time { return epoch2024.Add(d) }
	for _, tc := range []struct {
		name   string
		filter Filter
		want   []device.Minute
	}{
		{"all of a device", Filter{}, want},
		{"since a minute later than an hour began", Filter{Since: at(61 * time.Minute)}, want[2:]},
		{"since an hour", Filter{Since: at(time.Hour)}, want[1:]},
		{"until an hour", Filter{Until: at(2 * time.Hour)}, want[:2]},
		{"until a minute later than an hour began", Filter{Until: at(121 * time.Minute)}, want[:3]},
		{"the first", Filter{Limit: 1}, want[:1]},
	} {
		tc.filter.Device = "cam"
		if diff := cmp.Diff(tc.want, series(t, s, tc.filter, true)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	if got := series(t, s, Filter{}, true); len(got) != 10 || got[1].Device != "tv" || got[1].BytesOut != 120 {
		t.Errorf("of both devices: %+v", got)
	}
}

// Minutes from before 1970 end up in the right hour too.
func TestMinutesBeforeTheEpoch(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	m := minuteOf(0, "cam", 1)
	m.Time = time.Unix(-90, 0)
	checkpoint(t, s, Batch{Minutes: []device.Minute{m}})
	for _, when := range []string{"as a minute", "folded"} {
		if got := series(t, s, Filter{}, true); len(got) != 1 || got[0].Time.Unix() != -3600 {
			t.Errorf("%s: got %+v", when, got)
		}
		if _, err := s.Prune(t.Context(), epoch2024, Retention{Minutes: Limit{Age: time.Hour}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	for i := range 40 {
		b := Batch{Alerts: benchAlerts(i, 200), Observations: benchObservations(i, 100)}
		for k := range b.Alerts {
			a := &b.Alerts[k]
			a.Severity, a.Incident = a.Severity-1, "" // low
			switch {
			case k%4 == 0:
				a.State = alert.Closed
			case k%4 == 1:
				a.Severity += 3 // critical
			}
		}
		checkpoint(t, s, b)
	}
	// 8,000 alerts take some 12 MB. Those that are critical and open fit.
	const limit = 6 << 20
	done, err := s.Prune(t.Context(), epoch2024, Retention{Size: limit})
	if err != nil {
		t.Fatal(err)
	}
	if got := size(s.write.path); got > limit+walLimit {
		t.Errorf("the file has %d bytes", got)
	}
	if done.Observations != 4000 || done.Alerts != 2000 || done.Open == 0 {
		t.Errorf("got %+v", done)
	}
	critical, err := s.Alerts(t.Context(), Filter{MinSeverity: 4})
	if err != nil || len(critical) != 2000 {
		t.Errorf("%d critical alerts are left of 2000, %v", len(critical), err)
	}
	all, err := s.Alerts(t.Context(), Filter{OldestFirst: true, Limit: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.Prune(t.Context(), epoch2024, Retention{Size: limit}); err != nil || done != (Pruned{}) {
		t.Errorf("again: %+v, %v", done, err)
	}
	for _, a := range all[:100] {
		if a.Severity < 4 {
			t.Errorf("an old low alert is left: %s of %s", a.ID, a.Time)
			break
		}
	}
}

func TestWear(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	run := func(n int, batch func(i int) Batch) Wear {
		before := s.Wear()
		for i := range n {
			checkpoint(t, s, batch(i))
		}
		after := s.Wear()
		return Wear{after.Bytes - before.Bytes, after.Syncs - before.Syncs}
	}
	before := written(t)
	quiet := run(50, func(i int) Batch { return Batch{Observations: benchObservations(i, 1)} })
	wrote := written(t) - before
	// The system counts what is beside the database too: shared memory, locks.
	if quiet.Bytes == 0 || int64(quiet.Bytes) > wrote || int64(quiet.Bytes) < wrote*9/10 {
		t.Errorf("counted %d bytes, the system %d", quiet.Bytes, wrote)
	}
	if quiet.Syncs > 1 {
		t.Errorf("%d forced writes for 50 checkpoints without an alert", quiet.Syncs)
	}
	alerts := run(50, func(i int) Batch { return Batch{Alerts: benchAlerts(i, 1)} })
	if alerts.Syncs < 50 || alerts.Syncs > 55 {
		t.Errorf("%d forced writes for 50 checkpoints with an alert", alerts.Syncs)
	}
	if got := run(50, func(int) Batch { return Batch{Alerts: benchAlerts(0, 1)} }); got.Bytes != 0 || got.Syncs != 0 {
		t.Errorf("nothing new: %+v", got)
	}
	t.Logf("per checkpoint: %d bytes with an observation, %d with an alert", quiet.Bytes/50, alerts.Bytes/50)
}

func TestSeriesOfABigHome(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	var all []device.Minute
	for n := range 15 {
		for d := range 30 {
			all = append(all, minuteOf(n, fmt.Sprintf("mac:0200000000%02x", d), uint64(n*d)))
		}
	}
	before := s.Wear()
	checkpoint(t, s, Batch{Minutes: all})
	if got := s.Wear().Bytes - before.Bytes; got > 150_000 {
		t.Errorf("15 minutes of 30 devices took %d bytes", got)
	}
}
