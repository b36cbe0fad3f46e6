package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/alert"
	"gatehouse/detect"
)

func hours(n int) time.Time { return epoch2024.Add(time.Duration(n) * time.Hour) }

// listed is a small store to list from. The camera was called cam-1 when it
// alerted and has got another name and address since.
func listed(t *testing.T) *Store {
	t.Helper()
	cam := alert.Device{ID: "cam", Name: "cam-1", MAC: "02:00:00:00:00:01", IPs: []string{"192.0.2.1", "fe80::1"}}
	plug := alert.Device{ID: "plug", Name: "Plug", IPs: []string{"192.0.2.2"}}
	mk := func(id string, hour int, kind detect.Kind, sev detect.Severity, d alert.Device, st alert.State, incident string) alert.Alert {
		return alert.Alert{
			ID: id, Revision: 1, Time: hours(hour), LastSeen: hours(hour), Kind: kind,
			Severity: sev, Device: d, State: st, Incident: incident,
		}
	}
	s := openT(t, t.TempDir(), Options{})
	checkpoint(t, s, Batch{
		Alerts: []alert.Alert{
			mk("aa1", 1, detect.NewDestination, detect.Low, cam, alert.Closed, "i1"),
			mk("aa2", 2, detect.DNSSpike, detect.High, cam, alert.Open, "i1"),
			mk("ab", 3, detect.DNSSpike, detect.Medium, plug, alert.Acknowledged, "i2"),
			mk("aa", 3, detect.NewService, detect.Critical, plug, alert.Open, ""),
		},
		Incidents: []alert.Incident{
			{ID: "i1", FirstSeen: hours(1), LastSeen: hours(2), Severity: detect.High, State: alert.Open, Devices: []string{"cam"}},
			{ID: "i2", FirstSeen: hours(3), LastSeen: hours(9), Severity: detect.Medium, State: alert.Closed, Devices: []string{"plug", "gone"}},
		},
		Observations: []alert.Observation{
			{Time: hours(1), Kind: detect.NewDestination, Device: "cam", Subject: "x", Count: 1},
			{Time: hours(5), Kind: detect.NewDestination, Device: "cam", Subject: "x", Count: 1}, // merged with the first
			{Time: hours(2), Kind: detect.DNSSpike, Device: "plug", Subject: "y", Count: 1},
			{Time: hours(30), Kind: detect.DNSSpike, Device: "plug", Subject: "z", Count: 1},
		},
		Devices: []DeviceRow{
			{ID: "cam", Name: "Garden Camera", Addresses: []string{"02:00:00:00:00:01", "192.0.2.7"}, Data: []byte("{}")},
			{ID: "plug", Name: "Plug", Addresses: []string{"192.0.2.2", "2001:db8::2"}, Data: []byte("{}")},
			{ID: "plug2", Name: "plug", Data: []byte("{}")},
		},
	})
	return s
}

func TestListAlerts(t *testing.T) {
	s := listed(t)
	for _, c := range []struct {
		name string
		f    Filter
		want []string
	}{
		{"all, newest first", Filter{}, []string{"ab", "aa", "aa2", "aa1"}},
		{"oldest first", Filter{OldestFirst: true}, []string{"aa1", "aa2", "aa", "ab"}},
		{"limit", Filter{Limit: 2}, []string{"ab", "aa"}},
		{"oldest two", Filter{Limit: 2, OldestFirst: true}, []string{"aa1", "aa2"}},
		{"since is inside", Filter{Since: hours(2)}, []string{"ab", "aa", "aa2"}},
		{"until is outside", Filter{Until: hours(2)}, []string{"aa1"}},
		{"between", Filter{Since: hours(2), Until: hours(3)}, []string{"aa2"}},
		{"kind", Filter{Kind: string(detect.DNSSpike)}, []string{"ab", "aa2"}},
		{"severity", Filter{MinSeverity: uint8(detect.High)}, []string{"aa", "aa2"}},
		{"state", Filter{State: alert.Open}, []string{"aa", "aa2"}},
		{"incident", Filter{Incident: "i1"}, []string{"aa2", "aa1"}},
		{"device id", Filter{Device: "cam"}, []string{"aa2", "aa1"}},
		{"name then", Filter{Device: "CAM-1"}, []string{"aa2", "aa1"}},
		{"name now", Filter{Device: "garden camera"}, []string{"aa2", "aa1"}},
		{"name of two", Filter{Device: "plug"}, []string{"ab", "aa"}},
		{"address then", Filter{Device: "192.0.2.1"}, []string{"aa2", "aa1"}},
		{"address now", Filter{Device: "192.0.2.7"}, []string{"aa2", "aa1"}},
		{"address in another form", Filter{Device: "::ffff:192.0.2.2"}, []string{"ab", "aa"}},
		{"IPv6 in another form", Filter{Device: "FE80:0:0::1"}, []string{"aa2", "aa1"}},
		{"MAC in another form", Filter{Device: "02-00-00-00-00-01"}, []string{"aa2", "aa1"}},
		{"nobody", Filter{Device: "192.0.2.99"}, nil},
		{"quotes", Filter{Device: "' OR 1 --", Kind: "'", Incident: `"`}, nil},
		{"all at once", Filter{Since: hours(1), Until: hours(9), Kind: "dns_spike", MinSeverity: 3, State: alert.Open, Incident: "i1", Device: "cam", Limit: 9}, []string{"aa2"}},
	} {
		alerts, err := s.Alerts(t.Context(), c.f)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, a := range alerts {
			got = append(got, a.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestListIncidents(t *testing.T) {
	s := listed(t)
	for _, c := range []struct {
		name string
		f    Filter
		want []string
	}{
		{"all, newest first", Filter{}, []string{"i2", "i1"}},
		{"oldest first", Filter{OldestFirst: true, Limit: 1}, []string{"i1"}},
		{"going on since", Filter{Since: hours(4)}, []string{"i2"}},
		{"begun until", Filter{Until: hours(3)}, []string{"i1"}},
		{"in the middle of it", Filter{Since: hours(5), Until: hours(6)}, []string{"i2"}},
		{"kind of an alert", Filter{Kind: string(detect.NewDestination)}, []string{"i1"}},
		{"severity", Filter{MinSeverity: uint8(detect.High)}, []string{"i1"}},
		{"state", Filter{State: alert.Closed}, []string{"i2"}},
		{"id", Filter{Incident: "i2"}, []string{"i2"}},
		{"device id", Filter{Device: "gone"}, []string{"i2"}},
		{"device address", Filter{Device: "2001:DB8::2"}, []string{"i2"}},
		{"device name", Filter{Device: "garden camera"}, []string{"i1"}},
	} {
		incidents, err := s.Incidents(t.Context(), c.f)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, in := range incidents {
			got = append(got, in.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestListObservations(t *testing.T) {
	s := listed(t)
	for _, c := range []struct {
		name string
		f    Filter
		want []string // subjects
	}{
		{"all, newest first", Filter{}, []string{"z", "y", "x"}},
		{"oldest first", Filter{OldestFirst: true, Limit: 2}, []string{"x", "y"}},
		{"seen again since", Filter{Since: hours(4)}, []string{"z", "x"}},
		{"until", Filter{Until: hours(2)}, []string{"x"}},
		{"kind", Filter{Kind: string(detect.DNSSpike)}, []string{"z", "y"}},
		{"device id", Filter{Device: "cam"}, []string{"x"}},
		{"device name", Filter{Device: "PLUG"}, []string{"z", "y"}},
	} {
		observations, err := s.Observations(t.Context(), c.f)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, o := range observations {
			got = append(got, o.Subject)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestFindOne(t *testing.T) {
	s := listed(t)
	var batch Batch
	for i := range maxCandidates + 2 {
		batch.Alerts = append(batch.Alerts, alert.Alert{ID: fmt.Sprintf("many%02d", i), Severity: 1})
	}
	checkpoint(t, s, batch)

	for _, c := range []struct {
		given, want string
		err         error
	}{
		{given: "aa1", want: "aa1"},
		{given: "aa", want: "aa"}, // an id, although others start with it
		{given: "ab", want: "ab"},
		{given: "many11", want: "many11"},
		{given: "a", err: ErrAmbiguous},
		{given: "many", err: ErrAmbiguous},
		{given: "b", err: ErrNotFound},
		{given: "aa11", err: ErrNotFound},
		{given: "AA1", err: ErrNotFound},
		{given: "%", err: ErrNotFound},
		{given: "", err: ErrNotFound},
	} {
		got, err := s.Alert(t.Context(), c.given)
		if !errors.Is(err, c.err) || got.ID != c.want {
			t.Errorf("alert %q: got %q, %v", c.given, got.ID, err)
		}
	}

	_, err := s.Alert(t.Context(), "a")
	var ambiguous *AmbiguousError
	if !errors.As(err, &ambiguous) {
		t.Fatal(err)
	}
	want := &AmbiguousError{What: "alert", Given: "a", Candidates: []string{"aa", "aa1", "aa2", "ab"}}
	if diff := cmp.Diff(want, ambiguous); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err = s.Alert(t.Context(), "many"); !errors.As(err, &ambiguous) || len(ambiguous.Candidates) != maxCandidates || !ambiguous.More {
		t.Errorf("more than can be listed: %v", err)
	}

	if in, err := s.Incident(t.Context(), "i2"); err != nil || in.Severity != detect.Medium {
		t.Errorf("incident: %+v, %v", in, err)
	}
	if _, err := s.Incident(t.Context(), "i"); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("incident: %v", err)
	}
}

func TestFindDevice(t *testing.T) {
	s := listed(t)
	for _, c := range []struct {
		given, want string
		err         error
	}{
		{given: "cam", want: "cam"},
		{given: "ca", want: "cam"},
		{given: " garden camera ", want: "cam"},
		{given: "02:00:00:00:00:01", want: "cam"},
		{given: "0200.0000.0001", want: "cam"},
		{given: "2001:db8:0::2", want: "plug"},
		{given: "plug", want: "plug"}, // an id, although another device has that name
		{given: "plug2", want: "plug2"},
		{given: "Plug", err: ErrAmbiguous},
		{given: "pl", err: ErrAmbiguous},
		{given: "192.0.2.1", err: ErrNotFound}, // had it once
		{given: "", err: ErrNotFound},
	} {
		got, err := s.Device(t.Context(), c.given)
		if !errors.Is(err, c.err) || got.ID != c.want {
			t.Errorf("device %q: got %q, %v", c.given, got.ID, err)
		}
	}
}

func TestBaselinesAreReadInPages(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	for _, n := range []int{0, 1, baselinePage - 1, baselinePage, baselinePage + 1, 3 * baselinePage} {
		var batch Batch
		for i := range n {
			batch.Baselines = append(batch.Baselines, BaselineRow{Device: fmt.Sprintf("d%03d", i), Model: []byte{byte(i)}})
		}
		checkpoint(t, s, batch)
		var got []BaselineRow
		for b, err := range s.Baselines(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Baseline(t.Context(), b.Device); err != nil {
				t.Fatalf("use of the store within the loop: %v", err)
			}
			got = append(got, b)
		}
		if diff := cmp.Diff(batch.Baselines, got); diff != "" {
			t.Errorf("%d baselines (-want +got):\n%s", n, diff)
		}
	}
	read := 0
	for _, err := range s.Baselines(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		read++
		break
	}
	if read != 1 {
		t.Errorf("left the loop after %d", read)
	}
}
