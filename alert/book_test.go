package alert

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
)

const (
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
	day    = 24 * hour
	// noon is a packet time: 2026-01-05 12:00 UTC.
	noon = int64(1_767_614_400) * int64(time.Second)
)

func newBook() *Book { return NewBook(Config{Budget: Balanced}) }

// finding is one that clears the default budget.
func finding(id, subject string, at int64) *detect.Finding {
	return &detect.Finding{
		Kind: detect.NewDestination, Class: detect.Novelty, Severity: detect.Medium,
		Device: &device.Device{ID: id, Name: id}, Subject: subject,
		Time: at, First: at - minute, P: 1e-4, Confidence: .5,
		Summary: id + " contacted " + subject + ".",
		Why:     []detect.Why{{Feature: "destination", Observed: subject}},
		Attack:  []string{"T1071"},
	}
}

// add adds a finding that must raise an alert.
func add(t *testing.T, b *Book, f *detect.Finding) *Alert {
	t.Helper()
	a := b.Add(f, 1)
	if a == nil {
		t.Fatalf("%s about %s raised no alert", f.Device.ID, f.Subject)
	}
	return a
}

func TestBudgetDecides(t *testing.T) {
	for _, tt := range []struct {
		class detect.Class
		p     float64
		alert bool
	}{
		{detect.Novelty, .0133, true},
		{detect.Novelty, .0134, false},
		{detect.DNS, .004, true},
		{detect.DNS, .0041, false},
		{detect.TLS, .0041, false},
		{detect.Novelty, 1, false},
		{detect.Novelty, math.NaN(), false},
		{"unheard of", 1e-300, false},
	} {
		b := newBook()
		f := finding("tv", "example.com", noon)
		f.Class, f.P = tt.class, tt.p
		flagged := false
		f.Flag = func() { flagged = true }
		if got := b.Add(f, 1) != nil; got != tt.alert || flagged != tt.alert {
			t.Errorf("%s with p = %v: alert %v, flagged %v; want %v", tt.class, tt.p, got, flagged, tt.alert)
		}
		c := b.Take()
		if got := len(c.Alerts) == 1; got != tt.alert || len(c.Observations)+len(c.Alerts) != 1 {
			t.Errorf("%s with p = %v: %d alerts and %d observations", tt.class, tt.p, len(c.Alerts), len(c.Observations))
		}
	}
}

func TestRepeats(t *testing.T) {
	b := newBook()
	a := add(t, b, finding("tv", "example.com", noon))
	b.Take()

	// Less surprising than the first: it counts, and the story stays.
	f := finding("tv", "example.com", noon+hour)
	f.P, f.Summary = 1e-3, "less"
	if b.Add(f, 1) != nil {
		t.Fatal("the same subject raised a second alert")
	}
	if a.Count != 2 || a.Revision != 2 || a.Score != 13.3 || a.Summary != "tv contacted example.com." { // -log2 1e-4 = 13.29
		t.Errorf("after a repetition: count %d, revision %d, score %v, %q", a.Count, a.Revision, a.Score, a.Summary)
	}
	// More so: the later story is told, whole.
	f = finding("tv", "example.com", noon+2*hour)
	f.P, f.Summary, f.Severity, f.Confidence = 1e-6, "more", detect.High, .8
	f.Why, f.Attack, f.Peer = []detect.Why{{Feature: "rhythm"}}, []string{"T1071", "T1571"}, detect.Peer{Port: 4444}
	b.Add(f, 1)
	want := *a
	want.Score, want.Summary, want.Severity, want.Confidence = 19.9, "more", detect.High, .8 // -log2 1e-6 = 19.93
	want.Why, want.Attack, want.Peer = f.Why, []string{"T1071", "T1571"}, f.Peer
	want.Count, want.Revision, want.LastSeen = 3, 3, utc(noon+2*hour)
	if diff := cmp.Diff(want, *a); diff != "" {
		t.Errorf("after a bigger surprise (-want +got):\n%s", diff)
	}
	// Less surprising, but more severe; and late.
	f = finding("tv", "example.com", noon+hour)
	f.Severity = detect.Critical
	b.Add(f, 1)
	if a.Severity != detect.Critical || a.Summary != "more" || !a.LastSeen.Equal(utc(noon+2*hour)) {
		t.Errorf("after a more severe one: %v, %q, last seen %v", a.Severity, a.Summary, a.LastSeen)
	}
	c := b.Take()
	if len(c.Alerts) != 1 || len(c.Incidents) != 1 {
		t.Fatalf("%d alerts and %d incidents changed, want one each", len(c.Alerts), len(c.Incidents))
	}
	if in := c.Incidents[0]; in.Severity != detect.Critical || in.Summary != "more" || !in.LastSeen.Equal(utc(noon+2*hour)) {
		t.Errorf("incident is %v, %q, last seen %v; want what its alert is", in.Severity, in.Summary, in.LastSeen)
	}
	if got, want := b.Counts(), (Counts{Findings: 4, Alerts: 1, Repeats: 3, Incidents: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	// Not worth an alert by itself, it still counts on one.
	f = finding("tv", "example.com", noon+3*hour)
	f.P = .9
	if b.Add(f, 1); a.Count != 5 {
		t.Errorf("count %d, want 5", a.Count)
	}
}

func TestSubjects(t *testing.T) {
	b := newBook()
	first := add(t, b, finding("tv", "example.com", noon))
	add(t, b, finding("tv", "example.org", noon)) // another subject
	add(t, b, finding("hub", "example.com", noon))
	f := finding("tv", "example.com", noon)
	f.Kind = detect.NewService
	add(t, b, f)
	if first.Count != 1 {
		t.Errorf("count %d, want 1", first.Count)
	}
}

func TestAlertLife(t *testing.T) {
	const life = int64(alertLife)
	for _, tt := range []struct {
		name  string
		seen  []int64 // since noon
		alert bool    // whether the last raises one
	}{
		{"after a week", []int64{life}, false},
		{"after more", []int64{life + 1}, true},
		{"each within a week of the one before", []int64{life, 2 * life, 3 * life}, false},
		{"a clock that was years ahead", []int64{-10 * 365 * day}, true},
		{"an hour back", []int64{-hour}, false},
	} {
		b := newBook()
		first := *add(t, b, finding("tv", "example.com", noon))
		var last *Alert
		for _, at := range tt.seen {
			last = b.Add(finding("tv", "example.com", noon+at), 1)
		}
		if (last != nil) != tt.alert {
			t.Errorf("%s: alert %v, want %v", tt.name, last != nil, tt.alert)
		}
		if last != nil && last.ID == first.ID {
			t.Errorf("%s: the new alert has the id of the old one", tt.name)
		}
	}
}

func TestEpisodes(t *testing.T) {
	b := newBook()
	spike := func(at int64) *detect.Finding {
		f := finding("tv", "names", at)
		f.Episode = true
		return f
	}
	first := add(t, b, spike(noon))
	if b.Add(spike(noon+hour), 1) != nil {
		t.Error("an episode within its incident raised a second alert")
	}
	if b.Add(spike(noon+2*day), 1) != nil || first.Count != 3 {
		t.Error("a later episode without another incident must count on its alert")
	}
	add(t, b, finding("tv", "example.com", noon+3*day))
	if again := add(t, b, spike(noon+3*day+hour)); again.Incident == first.Incident {
		t.Error("an episode in a new incident is part of the old one")
	}
}

func TestEvidence(t *testing.T) {
	b := newBook()
	var a *Alert
	for i := range 2 * MaxEvidence {
		f := finding("tv", "example.com", noon+int64(i))
		port := uint16(40000 + i/2) // each flow twice
		f.Flow = flow.Record{
			Client: flow.Endpoint{Addr: netip.MustParseAddr("192.0.2.1"), Port: port},
			Server: flow.Endpoint{Addr: netip.MustParseAddr("198.51.100.7"), Port: 443}, Proto: 6,
		}
		if raised := b.Add(f, 1); raised != nil {
			a = raised
		}
	}
	if len(a.Evidence) != MaxEvidence {
		t.Fatalf("%d flows as evidence, want %d", len(a.Evidence), MaxEvidence)
	}
	for i, e := range a.Evidence {
		if want := utc(noon + 2*int64(i)); !e.Time.Equal(want) || !strings.HasPrefix(e.CommunityID, "1:") {
			t.Errorf("evidence %d: %+v, want the first event of its flow, at %v", i, e, want)
		}
	}
	f := finding("tv", "example.com", noon+100)
	f.Flow.Client.Addr, f.Flow.Server.Addr = netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("192.0.2.8")
	if b.Add(f, 1); len(a.Evidence) != MaxEvidence || a.Count != 2*MaxEvidence+1 {
		t.Errorf("%d flows, count %d; want %d, %d", len(a.Evidence), a.Count, MaxEvidence, 2*MaxEvidence+1)
	}
}

func TestObservations(t *testing.T) {
	b := newBook()
	observe := func(at int64, p float64, summary string) {
		f := finding("tv", "example.com", at)
		f.P, f.Summary = p, summary
		b.Add(f, 1)
	}
	midnight := noon - noon%day
	observe(midnight+hour, .5, "first")
	observe(midnight+2*hour, .2, "second")
	observe(midnight+3*hour, .3, "third")
	observe(midnight+day-1, .9, "last of the day")
	observe(midnight+day, .4, "next day")
	want := []Observation{
		{Time: utc(midnight + hour), Kind: detect.NewDestination, Device: "tv", Subject: "example.com", P: .2, Summary: "second", Count: 4},
		{Time: utc(midnight + day), Kind: detect.NewDestination, Device: "tv", Subject: "example.com", P: .4, Summary: "next day", Count: 1},
	}
	if diff := cmp.Diff(want, b.Take().Observations); diff != "" {
		t.Errorf("observations (-want +got):\n%s", diff)
	}
	if c := b.Counts(); c.Observations != 2 || c.Alerts != 0 || c.Findings != 5 {
		t.Errorf("counts %+v", c)
	}
	// What was taken is not given again.
	observe(midnight+day+hour, .4, "later")
	if got := b.Take().Observations; len(got) != 1 || got[0].Count != 1 || !got[0].Time.Equal(utc(midnight+day+hour)) {
		t.Errorf("after Take: %+v, want one counted from there on", got)
	}
}

func TestTake(t *testing.T) {
	b := newBook()
	for i, id := range []string{"c", "a", "b"} {
		add(t, b, finding(id, "example.com", noon+int64(i)*day))
	}
	c := b.Take()
	if len(c.Alerts) != 3 || len(c.Incidents) != 3 {
		t.Fatalf("%d alerts, %d incidents; want 3 each", len(c.Alerts), len(c.Incidents))
	}
	for i, id := range []string{"c", "a", "b"} {
		if c.Alerts[i].Device.ID != id || c.Incidents[i].Devices[0] != id {
			t.Errorf("change %d is about %s and %s, want %s: in the order of time", i, c.Alerts[i].Device.ID, c.Incidents[i].Devices, id)
		}
	}
	if diff := cmp.Diff(Changes{}, b.Take()); diff != "" {
		t.Errorf("nothing changed, and yet:\n%s", diff)
	}
	b.Add(finding("a", "example.com", noon+day+1), 1)
	again := b.Take()
	if len(again.Alerts) != 1 || again.Alerts[0].Revision != 2 || len(again.Incidents) != 1 || again.Incidents[0].Revision != 2 {
		t.Errorf("after one repetition: %+v", again)
	}
	if c.Alerts[1].Count != 1 {
		t.Error("what was taken earlier has changed")
	}
}

func TestIDs(t *testing.T) {
	seen := make(map[string]bool)
	for i := range 200_000 {
		id := identifier("a", fmt.Sprint("device", i%100), "new_destination", fmt.Sprint("host", i/100), fmt.Sprint(noon))
		if seen[id] {
			t.Fatalf("%s is given twice in %d", id, i)
		}
		seen[id] = true
	}
	// Where one part ends and the next begins must matter.
	if identifier("a", "ab", "c") == identifier("a", "a", "bc") {
		t.Error("parts run into each other")
	}
	// Ids stand in stores and in people's notes: they must not change.
	b := newBook()
	a := add(t, b, finding("tv", "example.com", noon))
	// printf 2:tv15:new_destination11:example.com19:1767614400000000000 | sha256sum
	if a.ID != "a-c397d54ee664" || a.Incident != "i-e8c5338285cb" {
		t.Errorf("ids %s and %s", a.ID, a.Incident)
	}
}

func TestAlertJSON(t *testing.T) {
	b := NewBook(Config{Budget: Balanced, Playbook: func(k detect.Kind) string { return string(k) }})
	f := finding("mac:f4b85eff2b1b", "tcp/6667 to irc.example.net", noon)
	f.Kind, f.Severity, f.P = detect.NewService, detect.High, 1e-5
	f.Device = &device.Device{
		ID: "mac:f4b85eff2b1b", Name: "kitchen-cam", MAC: device.MAC{0xf4, 0xb8, 0x5e, 0xff, 0x2b, 0x1b},
		Vendor: "Example Devices", Type: "camera", Group: "cameras",
		Addresses: []device.Address{{IP: netip.MustParseAddr("192.0.2.23")}, {IP: netip.MustParseAddr("2001:db8::23")}},
	}
	f.Peer = detect.Peer{IP: "198.51.100.7", Name: "irc.example.net", Port: 6667, Proto: "tcp", Country: "NL", ASN: 64500}
	f.Summary = "kitchen-cam used IRC for the first time, to irc.example.net."
	f.Why = []detect.Why{
		{Feature: "service", Observed: "IRC (tcp/6667)", Expected: "3 known services", Surprise: 7.6},
		{Feature: "port", Observed: "6667, uncommon on the internet", Expected: "a common port (70 %)", Surprise: 1.7},
	}
	f.Attack = []string{"T1071", "T1571"}
	f.Flow = flow.Record{
		Client: flow.Endpoint{Addr: netip.MustParseAddr("192.0.2.23"), Port: 40000},
		Server: flow.Endpoint{Addr: netip.MustParseAddr("198.51.100.7"), Port: 6667}, Proto: 6,
	}
	a := b.Add(f, .993)
	encode := func(v any) []byte {
		out, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return append(out, '\n')
	}
	testkit.Golden(t, encode(a), "testdata/alert.json")
	testkit.Golden(t, encode(b.Take().Incidents[0]), "testdata/incident.json")

	var back Alert
	if err := json.Unmarshal(encode(a), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*a, back); diff != "" {
		t.Errorf("read back differently (-wrote +read):\n%s", diff)
	}
	// Lists are never null: readers in other languages go through them.
	f = finding("tv", "example.com", noon)
	f.Why, f.Attack = nil, nil
	if text := string(encode(b.Add(f, 1))); strings.Contains(text, "null") {
		t.Errorf("an alert without reasons:\n%s", text)
	}
}
