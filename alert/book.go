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

// Bounds of a Book. What is beyond them is in the store already.
const (
	incidentGap     = 6 * time.Hour      // alerts of one device this close are one story
	alertLife       = 7 * 24 * time.Hour // a subject that comes back after longer is a new alert
	commonWindow    = 15 * time.Minute   // alerts of one class on many devices this close have one cause
	commonDevices   = 3
	maxOpenAlerts   = 4096
	maxObservations = 8192 // waiting for the next checkpoint
	// maxPerIncident bounds the alerts of one device's incident: beyond it,
	// new subjects count on the last alert of their kind.
	maxPerIncident = 20
)

// Book keeps alerts and incidents: it decides which findings become alerts,
// merges repetitions and tells stories. It is not safe for concurrent use.
type Book struct {
	cfg          Config
	alerts       map[string]*Alert // open ones by id
	bySubject    map[subjectKey]*Alert
	incidents    map[string]*Incident
	current      map[string]running // the latest incident of a device
	recent       []recentAlert      // raised within commonWindow, oldest first
	observations map[observationKey]*Observation
	dirtyAlerts  map[string]bool
	dirtyStories map[string]bool
	counts       Counts
}

// Counts says what became of the findings.
type Counts struct {
	Findings     uint64 `json:"findings"`
	Observations uint64 `json:"observations"`
	Alerts       uint64 `json:"alerts"`    // raised
	Repeats      uint64 `json:"repeats"`   // counted on an alert that was open
	Incidents    uint64 `json:"incidents"` // opened
}

type subjectKey struct {
	device, subject string
	kind            detect.Kind
}

type observationKey struct {
	subjectKey
	day int64
}

// running is a device's latest incident and when it last got a new alert.
// Repetitions of an alert do not keep an incident running, or a device with
// one false alarm a day would never learn again.
type running struct {
	story  *Incident
	raised int64 // ns since the Unix epoch
}

type recentAlert struct {
	at     time.Time
	class  detect.Class
	device string
	story  *Incident
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
	}
}

// Counts returns what became of the findings so far.
func (b *Book) Counts() Counts { return b.counts }

// InIncident reports whether an incident is running on a device at t (ns since
// the Unix epoch).
func (b *Book) InIncident(device string, t int64) bool {
	r, ok := b.current[device]
	return ok && t-r.raised <= int64(incidentGap)
}

// Add takes a finding, with its p-value as corrected by the device's
// calibration and the visibility of the device's traffic. It returns the alert
// if one was raised, nil if the finding was counted or only observed.
func (b *Book) Add(f *detect.Finding, visibility float64) *Alert {
	b.counts.Findings++
	key := subjectKey{f.Device.ID, f.Subject, f.Kind}
	if a := b.bySubject[key]; a != nil && b.repeats(a, f) {
		if f.Flag != nil && f.P <= b.cfg.Budget.Threshold(f.Class) {
			f.Flag() // what an alert counts is not normal either
		}
		b.repeat(a, f)
		return nil
	}
	if f.P > b.cfg.Budget.Threshold(f.Class) {
		b.observe(key, f)
		return nil
	}
	if f.Flag != nil {
		f.Flag()
	}
	story := b.story(f)
	if a := b.overflow(story, f); a != nil {
		b.repeat(a, f)
		return nil
	}
	a := b.raise(f, visibility)
	a.Incident = story.ID
	story.Alerts = append(story.Alerts, a.ID)
	b.extend(story, f)
	b.current[f.Device.ID] = running{story, f.Time}
	if f.Severity > story.Severity || len(story.Alerts) == 1 {
		story.Severity, story.Summary = max(f.Severity, story.Severity), a.Summary
	}
	b.common(story, f)
	b.bySubject[key] = a
	b.counts.Alerts++
	b.evict()
	return a
}

// repeats reports whether a finding only counts on an alert of its subject.
func (b *Book) repeats(a *Alert, f *detect.Finding) bool {
	if f.Episode && b.InIncident(f.Device.ID, f.Time) && b.current[f.Device.ID].story.ID != a.Incident {
		return false // part of the story that is running now
	}
	return f.Time-a.LastSeen.UnixNano() <= int64(alertLife)
}

func (b *Book) repeat(a *Alert, f *detect.Finding) {
	b.counts.Repeats++
	a.Count++
	a.Revision++
	a.LastSeen = utc(max(f.Time, a.LastSeen.UnixNano()))
	if s := detect.Bits(f.P); s > a.Score {
		// What was a surprise became a bigger one: tell the later story.
		a.Score, a.Why, a.Summary = s, f.Why, f.Summary
		a.Severity = max(a.Severity, f.Severity)
	}
	b.cite(a, f)
	b.dirtyAlerts[a.ID] = true
	if story := b.incidents[a.Incident]; story != nil {
		b.extend(story, f)
		if len(story.Alerts) == 1 {
			story.Summary = a.Summary
		}
	}
}

func (b *Book) raise(f *detect.Finding, visibility float64) *Alert {
	a := &Alert{
		ID:       identifier("a", f.Device.ID, string(f.Kind), f.Subject, fmt.Sprint(f.Time)),
		Revision: 1, Time: utc(f.Time), FirstSeen: utc(f.First), LastSeen: utc(f.Time), Count: 1,
		Kind: f.Kind, Severity: f.Severity, Score: detect.Bits(f.P), Confidence: f.Confidence,
		Device: describe(f.Device), Subject: f.Subject, Peer: f.Peer, Summary: f.Summary, Why: f.Why, Attack: f.Attack,
		State: Open, Visibility: visibility,
	}
	if b.cfg.Playbook != nil {
		a.Playbook = b.cfg.Playbook(f.Kind)
	}
	b.cite(a, f)
	b.alerts[a.ID] = a
	b.dirtyAlerts[a.ID] = true
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

// story returns the device's running incident, or opens one.
func (b *Book) story(f *detect.Finding) *Incident {
	id := f.Device.ID
	if b.InIncident(id, f.Time) {
		return b.current[id].story
	}
	story := &Incident{
		ID: identifier("i", id, fmt.Sprint(f.Time)), FirstSeen: utc(f.First), LastSeen: utc(f.Time),
		Devices: []string{id}, State: Open,
	}
	b.incidents[story.ID] = story
	b.counts.Incidents++
	return story
}

func (b *Book) extend(story *Incident, f *detect.Finding) {
	story.Revision++
	story.LastSeen = utc(max(f.Time, story.LastSeen.UnixNano()))
	if !slices.Contains(story.Devices, f.Device.ID) {
		story.Devices = append(story.Devices, f.Device.ID)
	}
	b.dirtyStories[story.ID] = true
}

// overflow returns the alert that a finding counts on when its incident is full.
func (b *Book) overflow(story *Incident, f *detect.Finding) *Alert {
	if len(story.Alerts) < maxPerIncident {
		return nil
	}
	for i := len(story.Alerts) - 1; i >= 0; i-- {
		if a := b.alerts[story.Alerts[i]]; a != nil && a.Kind == f.Kind && a.Device.ID == f.Device.ID {
			return a
		}
	}
	return nil
}

// common makes one story of alerts of one class on many devices at a time:
// their cause is not in the devices.
func (b *Book) common(story *Incident, f *detect.Finding) {
	at := utc(f.Time)
	for len(b.recent) > 0 && at.Sub(b.recent[0].at) > commonWindow {
		b.recent = b.recent[1:]
	}
	b.recent = append(b.recent, recentAlert{at, f.Class, f.Device.ID, story})
	var stories []*Incident
	var devices []string
	for _, r := range b.recent {
		if r.class != f.Class {
			continue
		}
		if !slices.Contains(devices, r.device) {
			devices = append(devices, r.device)
		}
		if !slices.Contains(stories, r.story) {
			stories = append(stories, r.story)
		}
	}
	if len(devices) < commonDevices || len(stories) < 2 {
		return
	}
	first := stories[0]
	for _, s := range stories[1:] {
		b.merge(first, s)
	}
	first.Summary = fmt.Sprintf("%d devices at once: %s", len(first.Devices), b.alerts[first.Alerts[0]].Summary)
}

// merge moves everything of one incident into another.
func (b *Book) merge(into, from *Incident) {
	for _, id := range from.Alerts {
		into.Alerts = append(into.Alerts, id)
		if a := b.alerts[id]; a != nil {
			a.Incident = into.ID
			a.Revision++
			b.dirtyAlerts[id] = true
		}
	}
	for _, d := range from.Devices {
		if !slices.Contains(into.Devices, d) {
			into.Devices = append(into.Devices, d)
		}
	}
	for d, r := range b.current {
		if r.story == from {
			b.current[d] = running{into, r.raised}
		}
	}
	for i := range b.recent {
		if b.recent[i].story == from {
			b.recent[i].story = into
		}
	}
	into.Severity = max(into.Severity, from.Severity)
	if from.LastSeen.After(into.LastSeen) {
		into.LastSeen = from.LastSeen
	}
	into.Revision++
	from.Alerts, from.State = nil, Closed
	from.Summary = "Merged into incident " + into.ID + "."
	from.Revision++
	b.dirtyStories[into.ID], b.dirtyStories[from.ID] = true, true
	b.counts.Incidents--
}

// observe keeps a finding that did not clear the budget.
func (b *Book) observe(key subjectKey, f *detect.Finding) {
	k := observationKey{key, f.Time / int64(24*time.Hour)}
	o := b.observations[k]
	if o == nil {
		if len(b.observations) >= maxObservations {
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

// evict forgets the alerts that were not seen for longest; the store keeps them.
func (b *Book) evict() {
	if len(b.bySubject) <= maxOpenAlerts {
		return
	}
	type item struct {
		key subjectKey
		a   *Alert
	}
	list := make([]item, 0, len(b.bySubject))
	for k, a := range b.bySubject {
		list = append(list, item{k, a})
	}
	slices.SortFunc(list, func(x, y item) int {
		return cmp.Or(x.a.LastSeen.Compare(y.a.LastSeen), cmp.Compare(x.a.ID, y.a.ID))
	})
	for _, it := range list[:len(list)/4] {
		if b.dirtyAlerts[it.a.ID] {
			continue
		}
		delete(b.bySubject, it.key)
		delete(b.alerts, it.a.ID)
	}
}

// Restore takes up alerts and incidents that were stored before, so that a
// subject that comes back goes on counting on its alert.
func (b *Book) Restore(alerts []Alert, incidents []Incident) {
	for _, s := range incidents {
		b.incidents[s.ID] = &s
	}
	for _, a := range alerts {
		if a.State == Closed {
			continue
		}
		b.alerts[a.ID] = &a
		b.bySubject[subjectKey{a.Device.ID, a.Subject, a.Kind}] = &a
		if story := b.incidents[a.Incident]; story != nil && a.Time.UnixNano() >= b.current[a.Device.ID].raised {
			b.current[a.Device.ID] = running{story, a.Time.UnixNano()}
		}
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
		if a := b.alerts[id]; a != nil {
			c.Alerts = append(c.Alerts, *a)
		}
	}
	for id := range b.dirtyStories {
		if s := b.incidents[id]; s != nil {
			c.Incidents = append(c.Incidents, *s)
		}
	}
	for _, o := range b.observations {
		c.Observations = append(c.Observations, *o)
	}
	clear(b.dirtyAlerts)
	clear(b.dirtyStories)
	clear(b.observations)
	slices.SortFunc(c.Alerts, CompareAlerts)
	slices.SortFunc(c.Incidents, func(x, y Incident) int {
		return cmp.Or(x.FirstSeen.Compare(y.FirstSeen), cmp.Compare(x.ID, y.ID))
	})
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

// identifier derives a short stable id from what a thing is about.
func identifier(prefix string, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return prefix + "-" + hex.EncodeToString(h.Sum(nil)[:5])
}

func utc(ns int64) time.Time { return time.Unix(0, ns).UTC() }
