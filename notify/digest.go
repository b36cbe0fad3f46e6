package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
)

// maxFolded bounds the notices that one digest stands for, and so how long it
// takes to read them.
const maxFolded = 20_000

// digest adds up notices.
type digest struct {
	alert.Digest
	first, last int64
	examples    []example
}

type example struct {
	severity detect.Severity
	text     string
}

func newDigest() *digest {
	return &digest{Digest: alert.Digest{Counts: map[detect.Severity]int{}, Kinds: map[detect.Kind]int{}}}
}

// add folds a notice in.
func (d *digest) add(n *alert.Notice) {
	if d.first == 0 {
		d.first = n.Seq
	}
	d.last = n.Seq
	at := n.Time()
	if d.From.IsZero() || at.Before(d.From) {
		d.From = at
	}
	if at.After(d.To) {
		d.To = at
	}
	d.Severity = max(d.Severity, n.Severity())
	if n.Incident != nil {
		d.Incidents++
		return
	}
	a := n.Alert
	d.Alerts++
	d.Counts[a.Severity]++
	d.Kinds[a.Kind]++
	if name := cmp.Or(a.Device.Name, a.Device.ID); len(d.Devices) < alert.MaxDigestNames && !slices.Contains(d.Devices, name) {
		d.Devices = append(d.Devices, name)
	}
	d.examples = append(d.examples, example{a.Severity, a.Summary})
	if len(d.examples) >= 2*alert.MaxDigestNames {
		d.best()
	}
}

// best keeps the examples that matter most, the earliest first among equals.
func (d *digest) best() {
	slices.SortStableFunc(d.examples, func(x, y example) int { return cmp.Compare(y.severity, x.severity) })
	d.examples = d.examples[:min(len(d.examples), alert.MaxDigestNames)]
}

// notice is the digest as it is told.
func (d *digest) notice() alert.Notice {
	d.ID = fmt.Sprintf("d-%d-%d", d.first, d.last)
	d.best()
	d.Examples, d.Devices = []string{}, append([]string{}, d.Devices...)
	for _, e := range d.examples {
		d.Examples = append(d.Examples, e.text)
	}
	var parts []string
	for s := detect.Critical; s >= detect.Low; s-- {
		if n := d.Counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	what := fmt.Sprintf("%d alerts", d.Alerts)
	if len(parts) > 0 {
		what += " (" + strings.Join(parts, ", ") + ")"
	}
	if d.Incidents > 0 {
		what += fmt.Sprintf(" and %d incidents", d.Incidents)
	}
	d.Summary = what + " in short, because they came faster than they are told one by one."
	out := d.Digest
	return alert.Notice{Digest: &out}
}

// individually returns how many of the next n notices are told one by one, 0
// if a digest is due, and how long to wait if neither.
func (w *worker) individually(now time.Time, n int) (int, time.Duration) {
	limit := w.Limits.SummarizeAbove
	if now.Sub(w.minuteBegan) >= time.Minute {
		w.minuteBegan, w.inMinute = now, 0
	}
	ordinary := slices.IndexFunc(w.pending, func(n alert.Notice) bool { return critical(&n) })
	switch {
	case ordinary == 0:
		return 1, 0
	case ordinary < 0:
		ordinary = len(w.pending)
	}
	room := limit - w.inMinute
	switch {
	case room > 0 && (w.inMinute > 0 || ordinary <= limit):
		return min(n, ordinary, room), 0
	case room > 0, ordinary < len(w.pending), w.hurry:
		return 0, 0 // more than a minute's worth has gathered, or a critical one waits behind
	}
	return 0, w.minuteBegan.Add(time.Minute).Sub(now)
}

// tellDigest tells all that waits, up to the next critical notice, in one.
func (w *worker) tellDigest(ctx context.Context, now time.Time) time.Duration {
	d := newDigest()
	rest := slices.IndexFunc(w.pending, func(n alert.Notice) bool { return critical(&n) })
	if rest < 0 {
		rest = len(w.pending)
	}
	for i := range w.pending[:rest] {
		d.add(&w.pending[i])
	}
	// Read on as long as there is nothing that has to be told by itself.
	w.pending = w.pending[rest:]
	for len(w.pending) == 0 && d.Alerts+d.Incidents < maxFolded {
		before := w.after
		if err := w.fill(ctx, now); err != nil || w.after == before {
			break
		}
		rest := slices.IndexFunc(w.pending, func(n alert.Notice) bool { return critical(&n) })
		if rest < 0 {
			rest = len(w.pending)
		}
		for i := range w.pending[:rest] {
			d.add(&w.pending[i])
		}
		w.pending = w.pending[rest:]
	}
	if _, err := w.attempt(ctx, []alert.Notice{d.notice()}); err != nil {
		// Nothing is settled: what it stood for is read again.
		w.pending, w.after = nil, d.first-1
		w.digestFails(ctx, now, err)
		return 0
	}
	w.digestTold(d, now)
	w.save(ctx, false)
	return 0
}

// tellLetterDigest tells letters in one.
func (w *worker) tellLetterDigest(ctx context.Context, due []*heldLetter, now time.Time) time.Duration {
	d := newDigest()
	for _, h := range due {
		d.add(&h.Notice)
	}
	if _, err := w.attempt(ctx, []alert.Notice{d.notice()}); err != nil {
		w.digestFails(ctx, now, err)
		return 0
	}
	w.release(due)
	w.digestTold(d, now)
	w.save(ctx, false)
	return 0
}

// digestFails notes that a digest was not taken. A sink that rejects it, and
// would reject it again, gets what it stands for one by one.
func (w *worker) digestFails(ctx context.Context, now time.Time, err error) {
	switch {
	case ctx.Err() != nil:
		return // told to stop: nobody has failed
	case errors.Is(err, ErrRejected):
		w.Limits.SummarizeAbove = 0
		w.log.Warn("a digest is rejected: from now on everything is told one by one", "err", plainError(err))
		w.works(now)
	default:
		w.fails(now, err, false)
	}
	w.save(ctx, false)
}

func (w *worker) digestTold(d *digest, now time.Time) {
	n := d.Alerts + d.Incidents
	w.inMinute++
	w.unsaved.Delivered += n
	w.count(func(s *Status) { s.Delivered += uint64(n); s.Digests++ })
	w.works(now)
}
