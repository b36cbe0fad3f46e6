package notify

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gatehouse/alert"
)

// maxUrgent bounds what waits in memory for one sink. Of more, the least
// severe and oldest go: they are stored, and told, when that is possible again.
const maxUrgent = 1000

// Tell hands over notices that cannot be stored, and so do not come through
// the outbox: a full disk must not keep an alert from its readers. They are
// told once, if the sink takes them, and those that it has not taken are lost
// with the process. Given again, or coming through the outbox later, a revision
// is not told twice by this process; the next one does not know of it. The
// notices are only read.
func (c *Courier) Tell(notices []alert.Notice) {
	for _, w := range c.workers {
		w.addUrgent(notices)
	}
	c.Wake()
}

func (w *worker) addUrgent(notices []alert.Notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range notices {
		n := notices[i]
		j := slices.IndexFunc(w.urgent, func(u alert.Notice) bool { return u.ID() == n.ID() })
		if j < 0 {
			w.urgent = append(w.urgent, n)
		} else if w.urgent[j].Revision() < n.Revision() {
			w.urgent[j] = n
		}
	}
	if len(w.urgent) > maxUrgent {
		slices.SortStableFunc(w.urgent, func(x, y alert.Notice) int {
			return cmp.Or(cmp.Compare(y.Severity(), x.Severity()), y.Time().Compare(x.Time()))
		})
		w.urgent = slices.Clone(w.urgent[:maxUrgent])
	}
}

// takeUrgent returns what the sink is to hear of it now.
func (w *worker) takeUrgent(now time.Time) []alert.Notice {
	w.mu.Lock()
	list := w.urgent
	w.urgent = nil
	w.mu.Unlock()
	return slices.DeleteFunc(list, func(n alert.Notice) bool {
		// What quiet hours hold back is stored before they end, or lost.
		return n.ID() == "" || !w.Route.Admits(&n) || w.toldEnough(&n) || w.Route.Quiet.Until(now, n.Severity()).After(now)
	})
}

// tellUrgent tells what cannot be stored. It reports whether there was any.
func (w *worker) tellUrgent(ctx context.Context, now time.Time) bool {
	list := w.takeUrgent(now)
	if len(list) == 0 {
		return false
	}
	notices := list
	if limit := w.Limits.SummarizeAbove; limit > 0 && len(list) > limit {
		notices = shortened(list)
	}
	for len(notices) > 0 {
		batch := notices[:min(len(notices), w.Limits.Batch)]
		n, err := w.attempt(ctx, batch)
		w.took(batch[:n])
		notices = notices[n:]
		if ctx.Err() != nil {
			return true
		}
		if err == nil {
			continue
		}
		if errors.Is(err, ErrRejected) {
			notices = notices[1:] // it comes through the outbox too, and is buried there
			continue
		}
		w.fails(now, err, n > 0)
		w.addUrgent(list) // but for what was told, which is known
		return true
	}
	if len(list) > w.Limits.SummarizeAbove && w.Limits.SummarizeAbove > 0 {
		w.remember(list)
	}
	return true
}

// shortened is a list with all that is not critical in one digest.
func shortened(list []alert.Notice) []alert.Notice {
	d := newDigest()
	var out []alert.Notice
	for i := range list {
		if critical(&list[i]) {
			out = append(out, list[i])
			continue
		}
		d.add(&list[i])
	}
	if d.Alerts+d.Incidents > 0 {
		out = append(out, d.notice())
	}
	return out
}

// remember notes that notices were told, if only in a digest.
func (w *worker) remember(list []alert.Notice) {
	for i := range list {
		w.told[list[i].ID()] = tellingOf(&list[i])
	}
}
