package alert

import (
	"cmp"
	"maps"
	"slices"
)

// Bounds of a Book, at most 12 MiB in all. What is forgotten is in
// the store already: what has changed since the last Take never is, and when
// that fills the Book, new alerts are counted as dropped. Nobody reads the
// 4,097th alert of one checkpoint.
const (
	maxAlerts       = 4096
	maxRunning      = 4096 // devices with a running incident
	maxRecent       = 1024
	maxObservations = 8192 // between two calls of Take
)

// room reports whether one more alert can be held, and forgets those that were
// not seen for longest to make it so.
func (b *Book) room() bool {
	if len(b.alerts) < maxAlerts {
		return true
	}
	if b.crowded {
		return false
	}
	var stored []*Alert
	for id, a := range b.alerts {
		if !b.dirtyAlerts[id] {
			stored = append(stored, a)
		}
	}
	slices.SortFunc(stored, func(x, y *Alert) int {
		return cmp.Or(x.LastSeen.Compare(y.LastSeen), cmp.Compare(x.ID, y.ID))
	})
	// A quarter at a time, so that a flood does not sort for every alert.
	enough := len(b.alerts) - maxAlerts*3/4
	b.crowded = len(stored) < enough
	for _, a := range stored[:min(len(stored), enough)] {
		delete(b.alerts, a.ID)
		delete(b.closed, a.ID)
		if key := (subjectKey{a.Device.ID, a.Subject, a.Kind}); b.bySubject[key] == a {
			delete(b.bySubject, key)
		}
	}
	b.forgetStories()
	return len(b.alerts) < maxAlerts
}

// forgetStories forgets the incidents that nothing refers to any more.
func (b *Book) forgetStories() {
	if over := len(b.current) - maxRunning; over > 0 {
		devices := slices.SortedFunc(maps.Keys(b.current), func(x, y string) int {
			return cmp.Or(cmp.Compare(b.current[x].raised, b.current[y].raised), cmp.Compare(x, y))
		})
		for _, d := range devices[:over+maxRunning/4] {
			delete(b.current, d)
		}
	}
	used := make(map[string]bool, len(b.incidents))
	for _, a := range b.alerts {
		used[a.Incident] = true
	}
	for _, r := range b.current {
		used[r.story.ID] = true
	}
	for _, r := range b.recent {
		used[r.story.ID] = true
	}
	maps.DeleteFunc(b.incidents, func(id string, _ *Incident) bool { return !used[id] && !b.dirtyStories[id] })
}

// Restore takes up alerts and incidents that were stored before, in any order,
// so that the Book goes on where the one that stored them stopped. Closed
// alerts are left out: their subject alerts again. It is for an empty Book.
func (b *Book) Restore(alerts []Alert, incidents []Incident) {
	for _, s := range incidents {
		s.Devices, s.Alerts = slices.Clone(s.Devices), slices.Clone(s.Alerts)
		b.incidents[s.ID] = &s
	}
	for _, a := range slices.SortedFunc(slices.Values(alerts), CompareAlerts) {
		if a.State == Closed {
			continue
		}
		a.Evidence, a.Attack = slices.Clone(a.Evidence), slices.Clone(a.Attack)
		b.room() // there always is: everything here is stored
		b.alerts[a.ID] = &a
		b.bySubject[subjectKey{a.Device.ID, a.Subject, a.Kind}] = &a
		if story := b.incidents[a.Incident]; story != nil && story.State != Closed {
			at := a.Time.UnixNano()
			b.current[a.Device.ID] = running{story, at}
			b.remember(recentAlert{at, a.Class, a.Device.ID, story})
		}
	}
	b.forgetStories()
}
