package alert

import (
	"maps"
	"slices"
	"time"
)

// closedGrace is how long after the last packet of a closed alert the same
// thing still counts on it: connections that are ending, a device that is just
// being taken off the network. What comes later is a new alert.
const closedGrace = time.Hour

// SetState takes over what somebody has decided about an alert or incident,
// and at which revision that was stored. A decision about what the Book does
// not hold changes nothing. It opens nothing again by itself: an acknowledged
// alert counts on silently, a closed one ends with its subject, and on the
// devices of a closed incident nothing more is part of it.
func (b *Book) SetState(id string, revision int, s State) {
	if a := b.alerts[id]; a != nil {
		a.State = s
		a.Revision = agreed(a.Revision, revision, b.dirtyAlerts[id])
		delete(b.closed, id)
		if s == Closed {
			b.closed[id] = a.LastSeen.UnixNano()
		}
	}
	story := b.incidents[id]
	if story == nil || story.MergedInto != "" {
		return
	}
	story.State = s
	story.Revision = agreed(story.Revision, revision, b.dirtyStories[id])
	if s != Closed {
		return
	}
	maps.DeleteFunc(b.current, func(_ string, r running) bool { return r.story == story })
	b.recent = slices.DeleteFunc(b.recent, func(r recentAlert) bool { return r.story == story })
}

// agreed is the revision to go on with, so that a change which is not stored
// yet is newer than the decision.
func agreed(own, stored int, changed bool) int {
	if changed {
		return max(own, stored+1)
	}
	return max(own, stored)
}

// over reports whether something at t (ns since the Unix epoch) comes too late
// for an alert that was closed.
func (b *Book) over(a *Alert, t int64) bool {
	if a.State != Closed {
		return false
	}
	last, ok := b.closed[a.ID]
	return !ok || !within(t, last, closedGrace)
}

// Dirty reports whether an alert or incident has changed since the last Take.
func (b *Book) Dirty() bool { return len(b.dirtyAlerts)+len(b.dirtyStories) > 0 }
