package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/detect"
)

func TestIncidentWindow(t *testing.T) {
	const gap = int64(incidentGap)
	b := newBook()
	if b.InIncident("tv", noon) {
		t.Error("a device without alerts is in an incident")
	}
	first := add(t, b, finding("tv", "one.example", noon))
	for _, tt := range []struct {
		at   int64
		want bool
	}{{0, true}, {gap, true}, {gap + 1, false}, {-hour, true}, {-gap - 1, false}, {-50 * 365 * day, false}} {
		if got := b.InIncident("tv", noon+tt.at); got != tt.want {
			t.Errorf("%s after the alert: in incident %v, want %v", time.Duration(tt.at), got, tt.want)
		}
	}
	if b.InIncident("hub", noon) {
		t.Error("another device is in the incident too")
	}
	// Repetitions do not extend it: else a daily false alarm stops learning.
	b.Add(finding("tv", "one.example", noon+gap), 1)
	if b.InIncident("tv", noon+gap+1) {
		t.Error("a repetition keeps the incident running")
	}
	// A new alert does.
	second := add(t, b, finding("tv", "two.example", noon+gap))
	if second.Incident != first.Incident || !b.InIncident("tv", noon+2*gap) {
		t.Error("an alert six hours later is not part of the incident")
	}
	third := add(t, b, finding("tv", "three.example", noon+2*gap+1))
	if third.Incident == first.Incident {
		t.Error("an alert more than six hours later is part of the incident")
	}
	in := b.incidents[first.Incident]
	if !slices.Equal(in.Alerts, []string{first.ID, second.ID}) || !in.LastSeen.Equal(utc(noon+gap)) {
		t.Errorf("incident %+v", in)
	}
}

func TestIncidentLead(t *testing.T) {
	b := newBook()
	early := finding("tv", "one.example", noon)
	early.Severity = detect.Medium
	a := add(t, b, early)
	in := b.incidents[a.Incident]

	low := finding("tv", "two.example", noon+1)
	low.Severity, low.First = detect.Low, noon-hour
	add(t, b, low)
	if in.Severity != detect.Medium || in.Summary != early.Summary || !in.FirstSeen.Equal(utc(noon-hour)) {
		t.Errorf("after a lesser alert: %v, %q, first seen %v", in.Severity, in.Summary, in.FirstSeen)
	}
	high := finding("tv", "three.example", noon+2)
	high.Severity = detect.High
	add(t, b, high)
	if in.Severity != detect.High || in.Summary != high.Summary {
		t.Errorf("after a greater alert: %v, %q", in.Severity, in.Summary)
	}
	// A repetition that makes the second alert the gravest makes it the lead.
	low.Time, low.Severity = noon+3, detect.Critical
	b.Add(low, 1)
	if in.Severity != detect.Critical || in.Summary != low.Summary {
		t.Errorf("after a repetition became critical: %v, %q", in.Severity, in.Summary)
	}
}

func TestOverflow(t *testing.T) {
	b := newBook()
	var last *Alert
	for i := range crowdedIncident {
		last = add(t, b, finding("tv", fmt.Sprint("host", i), noon+int64(i)))
	}
	flagged := false
	f := finding("tv", "one more", noon+hour)
	f.P, f.Flag, f.Severity = 1e-30, func() { flagged = true }, detect.Critical
	if b.Add(f, 1) != nil {
		t.Fatal("a crowded incident got another alert of a kind that it has")
	}
	if !flagged {
		t.Error("what only counts on an alert was not kept from being learned")
	}
	if last.Count != 2 || last.Severity != detect.Critical {
		t.Errorf("the latest alert: count %d, %v; want 2, critical", last.Count, last.Severity)
	}
	if last.Subject != "host19" || last.Summary != "tv contacted host19." || last.Score > 20 {
		t.Errorf("the latest alert tells the story of another subject: %q, %v bits", last.Summary, last.Score)
	}
	// Another kind of thing is still news, as is another device.
	f = finding("tv", "one more", noon+hour)
	f.Kind, f.Class = detect.DNSTunnel, detect.DNS
	if a := add(t, b, f); a.Incident != last.Incident {
		t.Error("another kind opened another incident")
	}
	add(t, b, finding("hub", "host0", noon+hour))
	// And so is the same kind when the incident is over.
	if a := add(t, b, finding("tv", "one more", noon+2*int64(incidentGap))); a.Incident == last.Incident {
		t.Error("the incident is over, and yet")
	}
}

func TestCommonCause(t *testing.T) {
	spread := int64(commonWindow) / 2
	type event struct {
		device string
		class  detect.Class
		at     int64
	}
	tests := []struct {
		name   string
		events []event
		want   int // incidents
	}{
		{"three devices, one class, within 15 minutes", []event{{"a", "dns", 0}, {"b", "dns", spread}, {"c", "dns", 2 * spread}}, 1},
		{"two devices", []event{{"a", "dns", 0}, {"b", "dns", 1}}, 2},
		{"one of them twice", []event{{"a", "dns", 0}, {"b", "dns", 1}, {"a", "dns", 2}}, 2},
		{"too far apart", []event{{"a", "dns", 0}, {"b", "dns", spread}, {"c", "dns", 2*spread + 1}}, 3},
		{"different classes", []event{{"a", "dns", 0}, {"b", "tls", 1}, {"c", "dns", 2}}, 3},
		{"a fourth joins", []event{{"a", "dns", 0}, {"b", "dns", 1}, {"c", "dns", 2}, {"d", "dns", 3}}, 1},
		{"the clock is set back", []event{{"a", "dns", 0}, {"b", "dns", -day}, {"c", "dns", 1 - day}}, 3},
	}
	for _, tt := range tests {
		b := newBook()
		for i, e := range tt.events {
			f := finding(e.device, fmt.Sprint("host", i), noon+e.at)
			f.Class = e.class
			add(t, b, f)
		}
		stories := make(map[string]bool)
		for _, a := range b.alerts {
			stories[a.Incident] = true
		}
		if len(stories) != tt.want || b.Counts().Incidents != uint64(tt.want) {
			t.Errorf("%s: %d incidents, counted %d; want %d", tt.name, len(stories), b.Counts().Incidents, tt.want)
		}
	}
}

// TestMerge follows three incidents that ran and were stored on their own
// before it showed that they are one.
func TestMerge(t *testing.T) {
	b := newBook()
	at := map[string]int64{"a": noon, "b": noon + hour, "c": noon + 2*hour}
	before := make(map[string]string) // device to incident
	for _, id := range []string{"b", "a", "c"} {
		f := finding(id, "own.example", at[id])
		f.Class = detect.TLS
		before[id] = add(t, b, f).Incident
	}
	stored := b.Take()

	for i, id := range []string{"a", "b"} {
		add(t, b, finding(id, "common.example", noon+3*hour+int64(i)))
	}
	if b.Counts().Incidents != 3 {
		t.Fatal("two devices are enough")
	}
	worst := finding("c", "common.example", noon+3*hour+2)
	worst.Severity = detect.High
	add(t, b, worst)
	c := b.Take()

	into := before["a"] // the earliest
	if len(c.Incidents) != 3 || len(c.Alerts) != 5 {
		t.Fatalf("%d incidents and %d alerts changed, want three, and five of six: one stays where it was", len(c.Incidents), len(c.Alerts))
	}
	for _, a := range c.Alerts {
		if a.Incident != into {
			t.Errorf("alert of %s about %s is in incident %s, want %s", a.Device.ID, a.Subject, a.Incident, into)
		}
	}
	// Each stored copy is replaced by one of a higher revision.
	for _, old := range stored.Alerts[1:] {
		i := slices.IndexFunc(c.Alerts, func(a Alert) bool { return a.ID == old.ID })
		if i < 0 || c.Alerts[i].Revision <= old.Revision {
			t.Errorf("stored alert of %s is not replaced", old.Device.ID)
		}
	}
	for _, in := range c.Incidents {
		if in.ID == into {
			if !slices.Equal(in.Devices, []string{"a", "b", "c"}) || len(in.Alerts) != 6 || in.State != Open || in.MergedInto != "" {
				t.Errorf("the incident that is left: %+v", in)
			}
			if want := "3 devices at once: c contacted common.example."; in.Summary != want || in.Severity != detect.High {
				t.Errorf("summed up as %q, %v; want %q, high", in.Summary, in.Severity, want)
			}
			if !in.FirstSeen.Equal(utc(noon-minute)) || !in.LastSeen.Equal(utc(noon+3*hour+2)) {
				t.Errorf("from %v to %v", in.FirstSeen, in.LastSeen)
			}
			continue
		}
		if in.MergedInto != into || in.State != Closed || len(in.Alerts) != 0 || !strings.Contains(in.Summary, into) || in.Revision < 2 {
			t.Errorf("an incident that is part of another: %+v", in)
		}
	}
	for id := range before {
		if !b.InIncident(id, noon+4*hour) || b.current[id].story.ID != into {
			t.Errorf("%s is not in the incident", id)
		}
	}
	// What follows joins it, and keeps its headline.
	more := finding("d", "common.example", noon+3*hour+3)
	if a := add(t, b, more); a.Incident != into {
		t.Errorf("a fourth device is in incident %s, want %s", a.Incident, into)
	}
	if got := b.incidents[into].Summary; got != "4 devices at once: c contacted common.example." {
		t.Errorf("summed up as %q", got)
	}
	grave := finding("b", "worse.example", noon+3*hour+4)
	grave.Severity = detect.Critical
	add(t, b, grave)
	if got := b.incidents[into].Summary; got != "4 devices at once: b contacted worse.example." {
		t.Errorf("summed up as %q", got)
	}
}

// TestCommonCauseAfterClosing: the first alert of an incident may be gone when
// it shows that the incident is a part of a bigger one.
func TestCommonCauseAfterClosing(t *testing.T) {
	b := newBook()
	add(t, b, finding("a", "host", noon))
	add(t, b, finding("b", "host", noon+1))
	c := b.Take()
	c.Alerts[0].State = Closed
	b = newBook()
	b.Restore(c.Alerts, c.Incidents)
	add(t, b, finding("c", "host", noon+2))
	add(t, b, finding("d", "host", noon+3))
	in := b.incidents[b.current["d"].story.ID]
	if want := "3 devices at once: b contacted host."; in.Summary != want || len(in.Devices) != 3 {
		t.Errorf("%q with %v, want %q", in.Summary, in.Devices, want)
	}
}

func TestIncidentOfManyDevicesIsBounded(t *testing.T) {
	b := newBook()
	for i := range 2*maxPerIncident + 10 {
		add(t, b, finding(fmt.Sprint("device", i), "host", noon+int64(i)))
	}
	open := 0
	for id, in := range b.incidents {
		if len(in.Alerts) > maxPerIncident || len(in.Devices) > maxPerIncident {
			t.Errorf("incident %s has %d alerts on %d devices", id, len(in.Alerts), len(in.Devices))
		}
		if in.State == Open {
			open++
		}
	}
	if open != 3 || b.Counts().Incidents != 3 {
		t.Errorf("%d open incidents, counted %d; want three, two of them full", open, b.Counts().Incidents)
	}
}
