package notify

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gatehouse/alert"
)

// letterPause is how long a letter waits after a failure: from 10 s to 10 min.
func letterPause(attempts int) time.Duration {
	return min(10*time.Second<<min(attempts-1, 10), 10*time.Minute)
}

// hold sets a notice aside. What it is about is not told until it was taken or
// given up, so that the order is kept.
func (w *worker) hold(l alert.Letter) *heldLetter {
	h := &heldLetter{Letter: l}
	w.letters[l.Ref] = append(w.letters[l.Ref], h)
	w.held++
	w.unsaved.Hold = append(w.unsaved.Hold, l)
	return h
}

// release forgets letters.
func (w *worker) release(list []*heldLetter) {
	for _, h := range slices.Clone(list) {
		w.forget(h)
		w.unsaved.Hold = slices.DeleteFunc(w.unsaved.Hold, func(l alert.Letter) bool { return l.Seq == h.Seq })
		w.unsaved.Release = append(w.unsaved.Release, h.Seq)
	}
}

// forget takes a letter from memory.
func (w *worker) forget(h *heldLetter) {
	left := slices.DeleteFunc(w.letters[h.Ref], func(x *heldLetter) bool { return x.Seq == h.Seq })
	w.held--
	if len(left) == 0 {
		delete(w.letters, h.Ref)
		return
	}
	w.letters[h.Ref] = left
}

// giveUp makes a dead letter of a notice.
func (w *worker) giveUp(n *alert.Notice, attempts int, now time.Time, why error) {
	w.bury(alert.Letter{Seq: n.Seq, Ref: n.ID(), Attempts: attempts, Since: now.UTC(), Notice: *n}, why)
}

func (w *worker) bury(l alert.Letter, why error) {
	l.Dead, l.Error = true, plainError(why)
	w.unsaved.Hold = append(w.unsaved.Hold, l)
	w.count(func(s *Status) { s.Dead++ })
	w.log.Warn("notice given up; bring it back with: gatehouse sinks retry "+w.Name, "notice", l.Ref, "attempts", l.Attempts, "err", l.Error)
}

// due returns the letters whose time has come, by Seq: of each alert the
// earliest only.
func (w *worker) due(now time.Time) []*heldLetter {
	var out []*heldLetter
	if now.Before(w.lettersNotBefore) {
		return nil
	}
	for _, list := range w.letters {
		// Quiet hours are shorter than a day: what seems further away was
		// written down before the clock was set.
		if wait := list[0].Next.Sub(now); wait <= 0 || wait > 25*time.Hour {
			out = append(out, list[0])
		}
	}
	slices.SortFunc(out, func(a, b *heldLetter) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// untilDue is how long there is nothing to do.
func (w *worker) untilDue(now time.Time) time.Duration {
	wait := lookEvery
	for _, list := range w.letters {
		wait = min(wait, max(list[0].Next.Sub(now), w.lettersNotBefore.Sub(now)))
	}
	return max(wait, time.Millisecond)
}

// tryLetters delivers letters whose time has come.
func (w *worker) tryLetters(ctx context.Context, due []*heldLetter) time.Duration {
	now := time.Now()
	var gone []*heldLetter
	due = slices.DeleteFunc(due, func(h *heldLetter) bool {
		obsolete := h.Notice.ID() == "" || !w.Route.Admits(&h.Notice)
		if obsolete {
			gone = append(gone, h)
		}
		return obsolete
	})
	if w.release(gone); len(due) == 0 {
		w.save(ctx, false)
		return 0
	}
	if limit := w.Limits.SummarizeAbove; limit > 0 && len(due) > limit {
		return w.tellLetterDigest(ctx, due, now)
	}
	// One that has failed before goes alone, so that it does not hold up others.
	n := 1
	for due[0].Attempts == 0 && n < min(len(due), w.size) && due[n].Attempts == 0 {
		n++
	}
	notices := make([]alert.Notice, n)
	for i := range notices {
		notices[i] = due[i].Notice
	}
	taken, err := w.attempt(ctx, notices)
	w.took(notices[:taken])
	w.release(due[:taken])
	if err != nil && ctx.Err() == nil {
		w.letterFails(due[taken], now, err)
	}
	w.save(ctx, false)
	return 0
}

// letterFails decides what becomes of a letter that was not taken. It counts
// against the letter only if the sink has taken something else since the last
// time: otherwise it may be the sink that is down.
func (w *worker) letterFails(h *heldLetter, now time.Time, err error) {
	if errors.Is(err, ErrRejected) {
		w.works(now)
		h.Attempts++
		w.forget(h)
		w.bury(h.Letter, err)
		return
	}
	if h.Attempts == 0 && w.failures+1 < suspectAfter {
		w.size = 1
		w.fails(now, err, false) // it has only waited: first suspect the sink
		return
	}
	if h.Attempts == 0 || w.successes > h.successes {
		h.Attempts++
	}
	h.successes = w.successes
	w.lettersNotBefore = now.Add(time.Second)
	if h.Attempts >= maxStrikes {
		w.forget(h)
		w.bury(h.Letter, err)
		return
	}
	h.Next, h.Error = now.Add(letterPause(h.Attempts)).UTC(), plainError(err)
	w.unsaved.Hold = append(w.unsaved.Hold, h.Letter)
	w.count(func(s *Status) { s.Failures++ })
}
