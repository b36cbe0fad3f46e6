package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"gatehouse/alert"
	"gatehouse/detect"
)

const (
	// lookEvery is how often a worker looks for what nobody has woken it for:
	// letters that a person wants tried again, a store that was full.
	lookEvery = 10 * time.Second
	// maxPause bounds the pauses of a sink that is down, jitter of a half left
	// aside: when it is back, everything arrives within a minute.
	maxPause = 30 * time.Second
	// suspectAfter is how many times in a row a notice fails before another is
	// tried in its place, to tell a bad notice from a sink that is down.
	suspectAfter = 3
	// maxStrikes is how many times a notice fails, while the sink takes others,
	// before it is given up.
	maxStrikes = 8
	// maxHeld bounds the letters that a worker holds. Beyond it, what quiet
	// hours hold back is dropped, unless it is critical, and counted.
	maxHeld = 5000
)

// worker delivers to one sink.
type worker struct {
	Delivery
	box     outbox
	minutes series
	log     *slog.Logger
	health  *atomic.Pointer[Health]
	wake    chan struct{}
	drains  chan chan struct{}

	resumed bool
	looked  time.Time                // when the letters were last read
	after   int64                    // read up to here
	pending []alert.Notice           // read, to be delivered next
	letters map[string][]*heldLetter // by Notice.ID, in order
	held    int                      // letters in all
	told    map[string]telling       // the latest, by Notice.ID
	size    int                      // notices to hand over at once
	unsaved alert.Settlement         // what is not written down yet
	at      int64                    // series is delivered up to here

	failures  int // in a row
	failing   time.Time
	noted     time.Time // when the error was last written down
	notBefore time.Time
	// lettersNotBefore lets a letter that fails not be followed by the next at once.
	lettersNotBefore time.Time
	pause            *backoff.ExponentialBackOff
	successes        uint64

	minuteBegan time.Time // of SummarizeAbove
	inMinute    int       // notices told one by one in it
	hurry       bool      // somebody waits for the end: no digest waits for its minute

	seriesNotBefore time.Time
	seriesPause     *backoff.ExponentialBackOff
	healthTold      *Health

	mu     sync.Mutex
	status Status
	urgent []alert.Notice // what cannot be stored
}

// telling is what a sink was last told of an alert or incident.
type telling struct {
	revision int
	severity detect.Severity
	state    alert.State
}

func tellingOf(n *alert.Notice) telling {
	t := telling{revision: n.Revision(), severity: n.Severity()}
	switch {
	case n.Alert != nil:
		t.state = n.Alert.State
	case n.Incident != nil:
		t.state = n.Incident.State
	}
	return t
}

// heldLetter is a letter with how much the sink had taken when it last failed.
type heldLetter struct {
	alert.Letter
	successes uint64
}

func newWorker(box outbox, minutes series, d Delivery, log *slog.Logger, health *atomic.Pointer[Health]) *worker {
	return &worker{
		Delivery: d, box: box, minutes: minutes, log: log, health: health,
		wake: make(chan struct{}, 1), drains: make(chan chan struct{}),
		letters: make(map[string][]*heldLetter), told: make(map[string]telling),
		size: d.Limits.Batch, pause: newPause(), seriesPause: newPause(),
		status: Status{Name: d.Name}, unsaved: alert.Settlement{Place: d.Name},
	}
}

func newPause() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: time.Second, RandomizationFactor: .5, Multiplier: 2, MaxInterval: maxPause,
	}
}

func (w *worker) run(ctx context.Context) {
	var waiting []chan struct{}
	for ctx.Err() == nil {
		w.hurry = len(waiting) > 0
		wait := w.step(ctx)
		if wait <= 0 {
			continue
		}
		if w.pendingDone() {
			for _, done := range waiting {
				close(done)
			}
			waiting = nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-w.wake:
		case done := <-w.drains:
			waiting = append(waiting, done)
		case <-timer.C:
		}
		timer.Stop()
	}
	for _, done := range waiting {
		close(done)
	}
	// What was taken is written down even if the daemon is told to stop.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	w.save(last, true)
	if err := w.Sink.Close(); err != nil {
		w.log.Warn("close sink", "err", err)
	}
}

// pendingDone reports whether all that can be delivered now was.
func (w *worker) pendingDone() bool { return !w.failing.IsZero() || len(w.pending) == 0 }

// step does one thing and returns how long to wait for the next, 0 for not.
func (w *worker) step(ctx context.Context) time.Duration {
	now := time.Now()
	if err := w.look(ctx, now); err != nil {
		if ctx.Err() == nil {
			w.log.Warn("read the outbox", "err", err)
		}
		return lookEvery
	}
	if wait := w.notBefore.Sub(now); wait > 0 {
		return min(wait, lookEvery)
	}
	if w.tellUrgent(ctx, now) {
		return 0
	}
	if err := w.fill(ctx, now); err != nil {
		if ctx.Err() == nil {
			w.log.Warn("read the outbox", "err", err)
		}
		return lookEvery
	}
	// Whether a sink works again is found out with what it has not refused yet.
	if due := w.due(now); len(due) > 0 && (w.failing.IsZero() || len(w.pending) == 0) {
		return w.tryLetters(ctx, due)
	}
	if len(w.pending) > 0 {
		return w.deliver(ctx, now)
	}
	if wait, did := w.tellSeries(ctx, now); did {
		return wait
	}
	w.tellHealth(ctx)
	w.save(ctx, true)
	return w.untilDue(now)
}

// look reads where the sink is, at first and then for what others have changed.
func (w *worker) look(ctx context.Context, now time.Time) error {
	if w.resumed && now.Sub(w.looked) < lookEvery {
		return nil
	}
	w.save(ctx, false)
	if w.resumed && w.dirty() {
		return nil // the store cannot be written: what we know is newer
	}
	st, err := w.box.Resume(ctx, w.Name)
	if err != nil {
		return err
	}
	if !w.resumed {
		w.after, w.at, w.resumed = st.Cursor, st.Series, true
	}
	w.looked = now
	before := w.letters
	w.letters, w.held = make(map[string][]*heldLetter), len(st.Letters)
	for _, l := range st.Letters {
		h := &heldLetter{Letter: l}
		for _, old := range before[l.Ref] {
			if old.Seq == l.Seq {
				h.successes = old.successes
			}
		}
		w.letters[l.Ref] = append(w.letters[l.Ref], h)
	}
	return nil
}

// fill reads what waits in the outbox.
func (w *worker) fill(ctx context.Context, now time.Time) error {
	want := max(w.Limits.Batch, w.Limits.SummarizeAbove+1)
	for len(w.pending) < want {
		list, err := w.box.Waiting(ctx, w.after, want)
		if err != nil {
			return err
		}
		for i := range list {
			w.triage(&list[i], now)
			w.after = list[i].Seq
		}
		if len(list) < want {
			return nil
		}
	}
	return nil
}

// triage decides what is done with a notice.
func (w *worker) triage(n *alert.Notice, now time.Time) {
	ref := n.ID()
	if ref == "" || !w.Route.Admits(n) || w.toldEnough(n) {
		return // gone, not for this sink, or told already
	}
	if i := slices.IndexFunc(w.pending, func(p alert.Notice) bool { return p.ID() == ref }); i >= 0 {
		// About to be told: in its place in the order, and as it is now.
		if p := &w.pending[i]; p.Revision() < n.Revision() {
			p.Alert, p.Incident = n.Alert, n.Incident
		}
		return
	}
	until := w.Route.Quiet.Until(now, n.Severity())
	earlier := w.letters[ref]
	if slices.ContainsFunc(earlier, func(h *heldLetter) bool { return h.Seq == n.Seq }) {
		return // read a second time
	}
	if len(earlier) > 0 && until.Equal(now) && earlier[0].Attempts == 0 {
		// It has become critical: it does not wait for the end of quiet hours.
		w.release(earlier)
		earlier = nil
	}
	switch {
	case len(earlier) > 0:
		l := *earlier[0]
		w.hold(alert.Letter{Seq: n.Seq, Ref: ref, Since: now, Next: l.Next, Error: "waits for an earlier notice of the same alert", Notice: *n})
	case until.After(now):
		if w.held >= maxHeld {
			w.unsaved.Dropped++
			w.count(func(s *Status) { s.Dropped++ })
			return
		}
		w.hold(alert.Letter{Seq: n.Seq, Ref: ref, Since: now, Next: until.UTC(), Error: "quiet hours", Notice: *n})
	default:
		w.pending = append(w.pending, *n)
	}
}

// toldEnough reports whether a notice says nothing that the sink wants to hear
// and has not heard.
func (w *worker) toldEnough(n *alert.Notice) bool {
	last, known := w.told[n.ID()]
	now := tellingOf(n)
	return known && (last.revision >= now.revision ||
		w.Route.Updates == ImportantUpdates && now.severity <= last.severity && now.state == last.state)
}

// attempt hands notices to the sink. It returns how many were taken, and an
// error unless it is all of them.
func (w *worker) attempt(ctx context.Context, notices []alert.Notice) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.Limits.Timeout)
	defer cancel()
	// A sink that panics must not take the daemon down.
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, fmt.Errorf("sink failed: %v", p)
		}
	}()
	n, err = w.Sink.Deliver(ctx, notices)
	n = min(max(n, 0), len(notices))
	switch {
	case n == len(notices):
		return n, nil
	case err == nil:
		return n, errors.New("took only a part, and did not say why")
	}
	return n, err
}

// deliver hands over the first of what is pending.
func (w *worker) deliver(ctx context.Context, now time.Time) time.Duration {
	n := min(w.size, len(w.pending))
	if w.Limits.SummarizeAbove > 0 {
		var wait time.Duration
		if n, wait = w.individually(now, n); wait > 0 {
			w.save(ctx, true)
			return wait
		}
		if n == 0 {
			return w.tellDigest(ctx, now)
		}
	}
	taken, err := w.attempt(ctx, w.pending[:n])
	w.took(w.pending[:taken])
	w.inMinute += taken
	w.pending = w.pending[taken:]
	if err == nil {
		w.size = min(2*w.size, w.Limits.Batch)
		w.save(ctx, false)
		return 0
	}
	if ctx.Err() != nil {
		return lookEvery // told to stop: nobody has failed
	}
	if errors.Is(err, ErrRejected) {
		w.works(now)
		w.giveUp(&w.pending[0], 1, now, err)
		w.pending = w.pending[1:]
		w.save(ctx, false)
		return 0
	}
	w.size = 1
	w.fails(now, err, taken > 0)
	if w.failures >= suspectAfter && !isRetryAfter(err) {
		w.suspect(ctx, now, err)
	}
	w.save(ctx, false)
	return 0
}

// suspect tries the next notice of something else. If the sink takes that, it
// is the first notice that is bad: it becomes a letter, and the others go on.
func (w *worker) suspect(ctx context.Context, now time.Time, why error) {
	first := w.pending[0].ID()
	k := 1
	for k < len(w.pending) && w.pending[k].ID() == first {
		k++
	}
	if k == len(w.pending) {
		return // nothing else waits, so nothing is held up
	}
	if _, err := w.attempt(ctx, w.pending[k:k+1]); err != nil {
		if errors.Is(err, ErrRejected) { // then the sink can answer
			w.giveUp(&w.pending[k], 1, now, err)
			w.pending = append(w.pending[:k:k], w.pending[k+1:]...)
		}
		return
	}
	w.took(w.pending[k : k+1])
	for i := range w.pending[:k] {
		n := w.pending[i]
		l := w.hold(alert.Letter{Seq: n.Seq, Ref: first, Attempts: 1, Since: now, Next: now.Add(letterPause(1)).UTC(), Error: plainError(why), Notice: n})
		l.successes = w.successes
	}
	w.log.Warn("one notice is not taken, the others are: it is set aside and tried again", "notice", first, "err", plainError(why))
	w.pending = w.pending[k+1:]
	w.works(now)
}

func isRetryAfter(err error) bool {
	var retry *RetryAfterError
	return errors.As(err, &retry)
}

// critical reports whether a notice is told whatever else is going on.
func critical(n *alert.Notice) bool { return n.Severity() >= detect.Critical }
