package alert

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gatehouse/detect"
)

const (
	incidentGap   = 6 * time.Hour    // alerts of one device this close are one story
	commonWindow  = 15 * time.Minute // alerts of one class on many devices this close have one cause
	commonDevices = 3
	// crowdedIncident is how many alerts an incident has before new subjects
	// only count, on the latest alert of their kind and device.
	crowdedIncident = 20
	// maxPerIncident bounds the alerts of an incident of many devices, which
	// crowdedIncident does not; what follows is another incident.
	maxPerIncident = 256
)

// running is a device's latest incident and when it last got a new alert.
// Repetitions of an alert do not keep an incident running, or a device with
// one false alarm a day would never learn again.
type running struct {
	story  *Incident
	raised int64 // ns since the Unix epoch
}

// recentAlert is the latest alert of a device in a class.
type recentAlert struct {
	at     int64 // ns since the Unix epoch
	class  detect.Class
	device string
	story  *Incident
}

// InIncident reports whether an incident is running on a device at t (ns since
// the Unix epoch).
func (b *Book) InIncident(device string, t int64) bool {
	r, ok := b.current[device]
	return ok && within(t, r.raised, incidentGap)
}

// tell makes a new alert part of the device's running incident, or of a new
// one, and that part of a common one.
func (b *Book) tell(a *Alert, f *detect.Finding) {
	story := b.story(f)
	a.Incident = story.ID
	story.Alerts = append(story.Alerts, a.ID)
	if a.FirstSeen.Before(story.FirstSeen) {
		story.FirstSeen = a.FirstSeen
	}
	b.current[f.Device.ID] = running{story, f.Time}
	b.extend(story, a)
	b.remember(recentAlert{f.Time, f.Class, f.Device.ID, story})
	b.common(f.Class)
}

// story returns the device's running incident, or opens one.
func (b *Book) story(f *detect.Finding) *Incident {
	id := f.Device.ID
	if b.InIncident(id, f.Time) && len(b.current[id].story.Alerts) < maxPerIncident {
		return b.current[id].story
	}
	story := &Incident{
		ID: identifier("i", id, fmt.Sprint(f.Time)), FirstSeen: utc(f.First), LastSeen: utc(f.Time),
		Devices: []string{id}, Alerts: []string{}, State: Open,
	}
	b.incidents[story.ID] = story
	b.counts.Incidents++
	return story
}

// extend notes on an incident that one of its alerts is new or has changed.
func (b *Book) extend(story *Incident, a *Alert) {
	story.Revision++
	story.LastSeen = later(story.LastSeen, a.LastSeen)
	if a.Severity > story.Severity {
		story.Severity, story.Lead = a.Severity, a.ID
	}
	b.headline(story)
	b.dirtyStories[story.ID] = true
}

// headline sums an incident up by its lead. The latest alert steps in for a
// lead that is closed or forgotten.
func (b *Book) headline(story *Incident) {
	lead := b.alerts[story.Lead]
	for i := len(story.Alerts) - 1; lead == nil && i >= 0; i-- {
		lead = b.alerts[story.Alerts[i]]
	}
	if lead == nil {
		return
	}
	story.Lead, story.Summary = lead.ID, lead.Summary
	if n := len(story.Devices); n > 1 {
		story.Summary = fmt.Sprintf("%d devices at once: %s", n, lead.Summary)
	}
}

// overflow returns the alert that a finding counts on when the incident that
// it would be part of is crowded.
func (b *Book) overflow(f *detect.Finding) *Alert {
	if !b.InIncident(f.Device.ID, f.Time) {
		return nil
	}
	ids := b.current[f.Device.ID].story.Alerts
	if len(ids) < crowdedIncident {
		return nil
	}
	for _, id := range slices.Backward(ids) {
		if a := b.alerts[id]; a != nil && a.Kind == f.Kind && a.Device.ID == f.Device.ID && !b.over(a, f.Time) {
			return a
		}
	}
	return nil
}

// remember enters an alert among the recent ones, which it keeps to those that
// can have a common cause with it.
func (b *Book) remember(r recentAlert) {
	b.recent = slices.DeleteFunc(b.recent, func(o recentAlert) bool {
		return !within(o.at, r.at, commonWindow) || (o.class == r.class && o.device == r.device)
	})
	if len(b.recent) >= maxRecent {
		b.recent = slices.Delete(b.recent, 0, 1)
	}
	b.recent = append(b.recent, r)
}

// common makes one story of alerts of one class on many devices at a time:
// their cause is not in the devices.
func (b *Book) common(class detect.Class) {
	var stories []*Incident
	devices := 0
	for _, r := range b.recent {
		if r.class != class {
			continue
		}
		devices++ // each is there once
		if !slices.Contains(stories, r.story) {
			stories = append(stories, r.story)
		}
	}
	if devices < commonDevices {
		return
	}
	slices.SortFunc(stories, func(x, y *Incident) int { return compareIncidents(*x, *y) })
	into := stories[0]
	for _, from := range stories[1:] {
		if len(into.Alerts)+len(from.Alerts) > maxPerIncident {
			into = from
			continue
		}
		b.merge(into, from)
	}
}

// merge moves everything of one incident into another. Stored copies of its
// alerts that the Book has forgotten still name it; MergedInto leads on.
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
		if r := b.current[d]; r.story == from {
			b.current[d] = running{into, r.raised}
		}
	}
	for i := range b.recent {
		if b.recent[i].story == from {
			b.recent[i].story = into
		}
	}
	if from.Severity > into.Severity {
		into.Severity, into.Lead = from.Severity, from.Lead
	}
	into.LastSeen = later(into.LastSeen, from.LastSeen)
	into.Revision++
	b.headline(into)
	from.Alerts, from.State, from.MergedInto = []string{}, Closed, into.ID
	from.Summary = "Merged into incident " + into.ID + "."
	from.Revision++
	b.dirtyStories[into.ID], b.dirtyStories[from.ID] = true, true
	b.counts.Incidents--
}

// compareIncidents orders incidents by their first packet.
func compareIncidents(x, y Incident) int {
	return cmp.Or(x.FirstSeen.Compare(y.FirstSeen), cmp.Compare(x.ID, y.ID))
}
