package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/flow"
)

// Config sets up a Book.
type Config struct {
	Budget Budget
	// Playbook names the playbook of a kind; it may be nil.
	Playbook func(detect.Kind) string
}

// alertLife is how long after it was last seen a subject counts on its alert.
// One that comes back later is a new alert.
const alertLife = 7 * 24 * time.Hour

// Book keeps alerts and incidents: it decides which findings become alerts,
// merges repetitions and tells stories. It is not safe for concurrent use.
type Book struct {
	cfg          Config
	alerts       map[string]*Alert // by id
	bySubject    map[subjectKey]*Alert
	incidents    map[string]*Incident
	current      map[string]running // the latest incident of a device
	recent       []recentAlert      // the latest of a device and class, oldest first
	observations map[observationKey]*Observation
	dirtyAlerts  map[string]bool
	dirtyStories map[string]bool
	closed       map[string]int64 // when a closed alert was last seen then, ns since the Unix epoch
	crowded      bool             // there is nothing to forget until the next Take
	counts       Counts
}

// Counts says what became of the findings.
type Counts struct {
	Findings     uint64 `json:"findings"`
	Observations uint64 `json:"observations"`
	Alerts       uint64 `json:"alerts"`    // raised
	Repeats      uint64 `json:"repeats"`   // counted on an alert that was open
	Incidents    uint64 `json:"incidents"` // opened, less those that turned out to be parts of others
	Dropped      uint64 `json:"dropped"`   // alerts and observations for which there was no room
}

type subjectKey struct {
	device, subject string
	kind            detect.Kind
}

type observationKey struct {
	subjectKey
	day int64
}

// NewBook returns an empty Book.
func NewBook(cfg Config) *Book {
	return &Book{
		cfg:          cfg,
		alerts:       make(map[string]*Alert),
		bySubject:    make(map[subjectKey]*Alert),
		incidents:    make(map[string]*Incident),
		current:      make(map[string]running),
		observations: make(map[observationKey]*Observation),
		dirtyAlerts:  make(map[string]bool),
		dirtyStories: make(map[string]bool),
		closed:       make(map[string]int64),
	}
}

// Counts returns what became of the findings so far.
func (b *Book) Counts() Counts { return b.counts }

// Add takes a finding, with its p-value as corrected by the device's
// calibration and the visibility of the device's traffic. It returns the alert
// if one was raised, nil if the finding was counted or only observed. The alert
// is the Book's own and changes with the next call.
func (b *Book) Add(f *detect.Finding, visibility float64) *Alert {
	b.counts.Findings++
	makePlain(f)
	key := subjectKey{f.Device.ID, f.Subject, f.Kind}
	// Written so that a p-value that is not a number does not alert.
	surprising := f.P <= b.cfg.Budget.Threshold(f.Class)
	a := b.bySubject[key]
	repeated := a != nil && b.repeats(a, f)
	if !repeated && !surprising {
		b.observe(key, f)
		return nil
	}
	if surprising && f.Flag != nil {
		f.Flag() // what an alert counts is not normal either
	}
	if repeated {
		b.repeat(a, f)
		return nil
	}
	if a := b.overflow(f); a != nil {
		b.count(a, f)
		return nil
	}
	if !b.room() {
		b.counts.Dropped++
		return nil
	}
	a = b.raise(f, visibility)
	b.bySubject[key] = a
	b.tell(a, f)
	return a
}

// repeats reports whether a finding only counts on an alert of its subject.
func (b *Book) repeats(a *Alert, f *detect.Finding) bool {
	if b.over(a, f.Time) {
		return false
	}
	if f.Episode && b.InIncident(f.Device.ID, f.Time) && b.current[f.Device.ID].story.ID != a.Incident {
		return false // part of the story that is running now
	}
	return within(f.Time, a.LastSeen.UnixNano(), alertLife)
}

// repeat counts a finding on the alert of its subject.
func (b *Book) repeat(a *Alert, f *detect.Finding) {
	if s := detect.Bits(f.P); s > a.Score {
		// What was a surprise became a bigger one: tell the later story.
		a.Score, a.Confidence, a.Peer, a.Summary, a.Why = s, f.Confidence, f.Peer, f.Summary, f.Why
		for _, technique := range f.Attack {
			if !slices.Contains(a.Attack, technique) {
				a.Attack = append(slices.Clip(a.Attack), technique)
			}
		}
	}
	b.count(a, f)
}

// count notes on an alert that a finding of its subject, or of one for which
// the incident has no room, was made.
func (b *Book) count(a *Alert, f *detect.Finding) {
	b.counts.Repeats++
	a.Count++
	a.Revision++
	a.LastSeen = later(a.LastSeen, utc(f.Time))
	a.Severity = max(a.Severity, f.Severity)
	b.cite(a, f)
	b.dirtyAlerts[a.ID] = true
	if story := b.incidents[a.Incident]; story != nil {
		b.extend(story, a)
	}
}

func (b *Book) raise(f *detect.Finding, visibility float64) *Alert {
	a := &Alert{
		ID:       identifier("a", f.Device.ID, string(f.Kind), f.Subject, fmt.Sprint(f.Time)),
		Revision: 1, Time: utc(f.Time), FirstSeen: utc(f.First), LastSeen: utc(f.Time), Count: 1,
		Kind: f.Kind, Class: f.Class, Severity: f.Severity, Score: detect.Bits(f.P), Confidence: f.Confidence,
		Device: describe(f.Device), Subject: f.Subject, Peer: f.Peer, Summary: f.Summary,
		// A list without entries is [] in JSON, not null.
		Why: append([]detect.Why{}, f.Why...), Attack: append([]string{}, f.Attack...), Evidence: []Evidence{},
		State: Open, Visibility: visibility,
	}
	if b.cfg.Playbook != nil {
		a.Playbook = b.cfg.Playbook(f.Kind)
	}
	b.cite(a, f)
	b.alerts[a.ID] = a
	b.dirtyAlerts[a.ID] = true
	b.counts.Alerts++
	return a
}

// cite adds the finding's flow to the evidence, once each.
func (b *Book) cite(a *Alert, f *detect.Finding) {
	if len(a.Evidence) >= MaxEvidence || !f.Flow.Client.Addr.IsValid() {
		return
	}
	id := flow.CommunityID(&f.Flow)
	for _, e := range a.Evidence {
		if e.CommunityID == id {
			return
		}
	}
	a.Evidence = append(a.Evidence, Evidence{CommunityID: id, Time: utc(f.Time)})
}

// observe keeps a finding that did not clear the budget.
func (b *Book) observe(key subjectKey, f *detect.Finding) {
	k := observationKey{key, f.Time / int64(24*time.Hour)}
	o := b.observations[k]
	if o == nil {
		if len(b.observations) >= maxObservations {
			b.counts.Dropped++
			return
		}
		o = &Observation{Time: utc(f.Time), Kind: f.Kind, Device: f.Device.ID, Subject: f.Subject, P: f.P, Summary: f.Summary}
		b.observations[k] = o
		b.counts.Observations++
	}
	o.Count++
	if f.P < o.P {
		o.P, o.Summary = f.P, f.Summary
	}
}

// Changes is everything that changed since the last call of Take.
type Changes struct {
	Alerts       []Alert
	Incidents    []Incident
	Observations []Observation
}

// Take returns copies of what changed since the last call, in a fixed order.
func (b *Book) Take() Changes {
	var c Changes
	for id := range b.dirtyAlerts {
		c.Alerts = append(c.Alerts, *b.alerts[id])
	}
	for id := range b.dirtyStories {
		c.Incidents = append(c.Incidents, *b.incidents[id])
	}
	for _, o := range b.observations {
		c.Observations = append(c.Observations, *o)
	}
	clear(b.dirtyAlerts)
	clear(b.dirtyStories)
	clear(b.observations)
	b.crowded = false
	slices.SortFunc(c.Alerts, CompareAlerts)
	slices.SortFunc(c.Incidents, compareIncidents)
	slices.SortFunc(c.Observations, func(x, y Observation) int {
		return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Device, y.Device), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Subject, y.Subject))
	})
	return c
}

// CompareAlerts orders alerts by the time at which they were raised.
func CompareAlerts(x, y Alert) int {
	return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.ID, y.ID))
}

func describe(d *device.Device) Device {
	out := Device{ID: d.ID, Name: d.Name, Group: d.Group, MAC: d.MAC.String(), Vendor: d.Vendor, Type: string(d.Type)}
	for _, a := range d.Addresses {
		out.IPs = append(out.IPs, a.IP.String())
	}
	return out
}

// identifier derives a short stable id from what a thing is about. Of a
// million with 48 bits, two are the same with a probability of 0.2 %.
func identifier(prefix string, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return prefix + "-" + hex.EncodeToString(h.Sum(nil)[:6])
}

func utc(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// within reports whether two times (ns since the Unix epoch) are at most d
// apart, whichever is the later: a clock may have been set back by years.
func within(a, b int64, d time.Duration) bool {
	return max(a, b)-min(a, b) <= int64(d)
}
