package notify

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"gatehouse/alert"
)

const (
	// errorEvery is how often the error of a sink that is down is written down
	// anew, for the wear of flash.
	errorEvery = time.Minute
	// maxError bounds the text of an error that is kept: it may be whatever a
	// server has answered.
	maxError = 500
)

// took notes that notices were delivered.
func (w *worker) took(list []alert.Notice) {
	if len(list) == 0 {
		return
	}
	if len(w.told) > 4096 {
		clear(w.told) // it only saves telling some things twice
	}
	w.remember(list)
	w.unsaved.Delivered += len(list)
	w.count(func(s *Status) { s.Delivered += uint64(len(list)) })
	w.countCapped()
	w.works(time.Now())
}

// works notes that the sink does.
func (w *worker) works(now time.Time) {
	w.successes++
	w.failures, w.notBefore = 0, time.Time{}
	w.pause.Reset()
	if !w.failing.IsZero() {
		w.log.Info("sink works again", "after", now.Sub(w.failing).Round(time.Second))
	}
	w.failing = time.Time{}
	w.unsaved.Failing, w.unsaved.Error, w.unsaved.Idle, w.unsaved.At = time.Time{}, "", false, now.UTC()
	w.count(func(s *Status) { s.Failing, s.Error = time.Time{}, "" })
}

// fails notes that an attempt failed, and when to try again.
func (w *worker) fails(now time.Time, err error, partly bool) {
	if partly {
		w.failures = 0
	}
	w.failures++
	wait := w.pause.NextBackOff()
	var retry *RetryAfterError
	if errors.As(err, &retry) {
		wait = min(max(retry.After, time.Second), time.Hour)
	}
	w.notBefore = now.Add(wait)
	if w.failing.IsZero() {
		w.failing, w.noted = now, time.Time{}
		w.log.Warn("sink fails, it is tried again", "err", plainError(err))
	}
	w.unsaved.Failing, w.unsaved.Error, w.unsaved.Idle, w.unsaved.At = w.failing.UTC(), plainError(err), false, now.UTC()
	w.count(func(s *Status) { s.Failures++; s.Failing, s.Error = w.failing, plainError(err) })
}

// dirty reports whether there is something to write down beside the cursor.
func (w *worker) dirty() bool {
	u := &w.unsaved
	return u.Delivered > 0 || u.Dropped > 0 || len(u.Hold) > 0 || len(u.Release) > 0 || u.Series > 0
}

// save writes down what became of notices. Where only the cursor has moved, or
// the same sink still fails, it can wait for a better occasion (idle).
func (w *worker) save(ctx context.Context, idle bool) {
	u := &w.unsaved
	cursor := w.after
	if len(w.pending) > 0 {
		cursor = w.pending[0].Seq - 1
	}
	now := time.Now()
	moved := idle && cursor > u.Cursor
	failed := !u.At.IsZero() && !u.Failing.IsZero() && now.Sub(w.noted) >= errorEvery
	if !w.resumed || !w.dirty() && !moved && !failed {
		return
	}
	u.Cursor = cursor
	u.Idle = u.At.IsZero()
	if err := w.box.Settle(ctx, *u); err != nil {
		if ctx.Err() == nil && now.Sub(w.noted) >= errorEvery {
			w.noted = now
			w.log.Warn("cannot write down what was delivered: it may be delivered again", "err", err)
		}
		return
	}
	if !u.Failing.IsZero() {
		w.noted = now
	}
	w.unsaved = alert.Settlement{Place: w.Name, Cursor: cursor}
	w.count(func(s *Status) { s.Held = w.held })
}

func (w *worker) count(change func(*Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.status)
}

// plainError is an error on one line that fits into a table.
func plainError(err error) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, err.Error())
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return text
}
