package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/device"
)

// box is an outbox in memory with one reader, which forgets nothing.
type box struct {
	mu       sync.Mutex
	notices  []alert.Notice
	standing map[string]alert.Standing
	dead     map[string][]alert.Letter
	settled  map[string]alert.Settlement // the last
	writes   int
	broken   error // of every write
	minutes  []device.Minute
}

func newBox() *box {
	return &box{standing: map[string]alert.Standing{}, dead: map[string][]alert.Letter{}, settled: map[string]alert.Settlement{}}
}

// put queues notices "id/revision", with "~" behind if it is acknowledged and
// "!" if it is critical.
func (b *box) put(keys ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range keys {
		a := &alert.Alert{Severity: detect.Low, State: alert.Open, Summary: k, LastSeen: time.Now(), Kind: detect.DNSSpike, Device: alert.Device{Name: "tv"}}
		if strings.HasSuffix(k, "!") {
			a.Severity = detect.Critical
		}
		if strings.Contains(k, "~") {
			a.State = alert.Acknowledged
		}
		id, rev, _ := strings.Cut(strings.TrimRight(k, "~!"), "/")
		a.ID = id
		if _, err := fmt.Sscan(rev, &a.Revision); err != nil {
			panic(err)
		}
		b.notices = append(b.notices, alert.Notice{Seq: int64(len(b.notices) + 1), Alert: a})
	}
}

func (b *box) Resume(_ context.Context, sink string) (alert.Standing, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := b.standing[sink]
	st.Letters = slices.Clone(st.Letters)
	return st, nil
}

func (b *box) Waiting(_ context.Context, after int64, limit int) ([]alert.Notice, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.notices[min(after, int64(len(b.notices))):]
	return slices.Clone(list[:min(limit, len(list))]), nil
}

func (b *box) Settle(_ context.Context, s alert.Settlement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return b.broken
	}
	b.writes++
	st := b.standing[s.Place]
	st.Cursor, st.Series = max(st.Cursor, s.Cursor), max(st.Series, s.Series)
	for _, l := range s.Hold {
		st.Letters = slices.DeleteFunc(st.Letters, func(x alert.Letter) bool { return x.Seq == l.Seq })
		if l.Dead {
			b.dead[s.Place] = append(b.dead[s.Place], l)
			continue
		}
		st.Letters = append(st.Letters, l)
	}
	st.Letters = slices.DeleteFunc(st.Letters, func(x alert.Letter) bool { return slices.Contains(s.Release, x.Seq) })
	slices.SortFunc(st.Letters, func(x, y alert.Letter) int { return int(x.Seq - y.Seq) })
	b.standing[s.Place], b.settled[s.Place] = st, s
	return nil
}

func (b *box) Minutes(_ context.Context, after int64, limit int) ([]device.Minute, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.minutes[min(after, int64(len(b.minutes))):]
	list = slices.Clone(list[:min(limit, len(list))])
	return list, after + int64(len(list)), nil
}

func (b *box) locked(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// listener is a sink that writes down what it takes, and answers as answer
// says for one notice.
type listener struct {
	mu     sync.Mutex
	got    []string
	when   []time.Time
	answer func(*alert.Notice) error
	calls  int
	closed bool
}

func (l *listener) Deliver(ctx context.Context, notices []alert.Notice) (int, error) {
	l.mu.Lock()
	answer := l.answer
	l.calls++
	l.mu.Unlock()
	for i := range notices {
		if answer != nil {
			if err := answer(&notices[i]); err != nil {
				return i, err
			}
		}
		l.mu.Lock()
		key := notices[i].Key()
		if d := notices[i].Digest; d != nil {
			key = fmt.Sprintf("digest of %d", d.Alerts)
		}
		l.got, l.when = append(l.got, key), append(l.when, time.Now())
		l.mu.Unlock()
	}
	return len(notices), ctx.Err()
}

func (l *listener) Close() error {
	l.closed = true
	return nil
}

func (l *listener) answers(f func(*alert.Notice) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = f
}

func (l *listener) taken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

// at is when the i-th notice was taken.
func (l *listener) at(i int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.when[i]
}

func (l *listener) attempts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// start runs a courier within a bubble; stop ends it.
func start(t *testing.T, b *box, deliveries ...Delivery) (c *Courier, stop func()) {
	t.Helper()
	for i := range deliveries {
		if deliveries[i].Limits == (Limits{}) {
			deliveries[i].Limits = DefaultLimits()
		}
	}
	c = NewCourier(b, b, deliveries, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		c.Run(ctx)
		close(done)
	}()
	return c, func() {
		cancel()
		<-done
	}
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %d %q, want %d %q", what, len(got), got[:min(len(got), 20)], len(want), want[:min(len(want), 20)])
	}
}

var errDown = errors.New("connection refused")

func down(*alert.Notice) error { return errDown }

func TestEverythingIsDeliveredInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink := newBox(), &listener{}
		b.put("a/1", "b/1")
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink})
		synctest.Wait()
		b.put("a/2", "a/2", "c/1")
		c.Wake()
		synctest.Wait()
		stop()
		same(t, "taken", sink.taken(), "a/1", "b/1", "a/2", "c/1") // the same revision once
		if got := b.standing["s"].Cursor; got != 5 {
			t.Errorf("cursor is %d, want 5", got)
		}
		if !sink.closed {
			t.Error("the sink was not closed")
		}
		if b.writes > 3 {
			t.Errorf("%d writes for two deliveries", b.writes)
		}
	})
}

func TestRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink := newBox(), &listener{}
		b.put("a/1", "b/1!", "c/1")
		_, stop := start(t, b, Delivery{Name: "s", Sink: sink, Route: Route{Severity: detect.High}})
		time.Sleep(lookEvery + time.Second)
		stop()
		same(t, "taken", sink.taken(), "b/1")
		if got := b.standing["s"].Cursor; got != 3 {
			t.Errorf("cursor is %d, want 3: what is not for the sink must not be kept for it", got)
		}
	})
}

func TestImportantUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink := newBox(), &listener{}
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink, Route: Route{Updates: ImportantUpdates}})
		for rev := range 9 {
			b.put(fmt.Sprintf("a/%d%s%s", rev+1, strings.Repeat("~", rev/3%2), strings.Repeat("!", rev/7)))
			c.Wake()
			synctest.Wait()
		}
		stop()
		// Raised, acknowledged, opened again, critical.
		same(t, "taken", sink.taken(), "a/1", "a/4", "a/7", "a/8")
	})
}

// A sink that is down for a day gets everything within a minute of its return,
// and is not asked more often than needed; another is not delayed at all.
func TestDayOfOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink, other := newBox(), &listener{answer: down}, &listener{}
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink}, Delivery{Name: "other", Sink: other})
		var want []string
		for i := range 1440 {
			key := fmt.Sprintf("a%d/1", i)
			want = append(want, key)
			b.put(key)
			c.Wake()
			time.Sleep(time.Minute)
		}
		same(t, "taken while down", sink.taken())
		if got := other.taken(); len(got) != len(want) || other.at(7).Sub(other.at(6)) != time.Minute {
			t.Errorf("the other sink got %d of %d, or late", len(got), len(want))
		}
		// Two attempts every half a minute: one with the notice, one to see
		// whether it is its fault.
		if n := sink.attempts(); n > 2*2*1440+100 || n < 1440 {
			t.Errorf("%d attempts in a day", n)
		}
		b.locked(func() {
			if b.writes > 3*1440 {
				t.Errorf("%d writes in a day", b.writes)
			}
			if b.settled["s"].Error != errDown.Error() {
				t.Errorf("settled: %+v", b.settled["s"])
			}
		})
		if st := c.Status()[0]; st.Failing.IsZero() || st.Error != errDown.Error() {
			t.Errorf("status: %+v", st)
		}
		sink.answers(nil)
		back := time.Now()
		time.Sleep(time.Minute)
		same(t, "taken after it", sink.taken(), want...)
		if last := sink.at(len(want) - 1); last.Sub(back) > time.Minute {
			t.Errorf("the last came %s after the return", last.Sub(back))
		}
		if st := c.Status()[0]; !st.Failing.IsZero() || st.Error != "" || st.Dead+uint64(st.Held) != 0 {
			t.Errorf("status: %+v", st)
		}
		stop()
	})
}

// One notice that a sink can never take does not hold up the others, whether
// the sink says so or not, and becomes a dead letter with its reason.
func TestPoison(t *testing.T) {
	for name, tc := range map[string]struct {
		err      error
		attempts int
	}{
		"rejected": {Rejected(errors.New("413 too large")), 1},
		"fails":    {errors.New("500 internal error"), maxStrikes},
		"panics":   {nil, maxStrikes},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, sink := newBox(), &listener{}
				sink.answer = func(n *alert.Notice) error {
					if n.ID() == "bad" {
						if tc.err == nil {
							panic("index out of range")
						}
						return tc.err
					}
					return nil
				}
				b.put("a/1", "bad/1", "b/1", "bad/2", "c/1")
				c, stop := start(t, b, Delivery{Name: "s", Sink: sink})
				time.Sleep(time.Minute)
				// Who panics cannot say that he took the first: it comes again.
				same(t, "taken", slices.Compact(sink.taken()), "a/1", "b/1", "c/1")
				before := len(sink.taken())
				var want []string
				for i := range 600 { // others go on meanwhile
					key := fmt.Sprintf("x%d/1", i)
					want = append(want, key)
					b.put(key)
					if i == 5 {
						b.put("bad/3")
					}
					c.Wake()
					time.Sleep(time.Minute)
				}
				stop()
				same(t, "taken later", sink.taken()[before:], want...)
				dead := b.dead["s"]
				if len(dead) != 2 || dead[0].Notice.Key() != "bad/2" || dead[1].Notice.Key() != "bad/3" {
					t.Fatalf("dead letters: %+v", dead)
				}
				if dead[0].Attempts != tc.attempts || dead[0].Error == "" {
					t.Errorf("dead after %d attempts: %q", dead[0].Attempts, dead[0].Error)
				}
				if got := b.standing["s"]; len(got.Letters) != 0 || got.Cursor != int64(len(b.notices)) {
					t.Errorf("left: %+v", got)
				}
			})
		})
	}
}

// While the sink itself is down, no notice is blamed for it.
func TestOutageMakesNoDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink := newBox(), &listener{}
		sink.answer = func(n *alert.Notice) error {
			if n.ID() == "bad" {
				return errors.New("500")
			}
			return nil
		}
		b.put("bad/1", "a/1")
		_, stop := start(t, b, Delivery{Name: "s", Sink: sink})
		time.Sleep(time.Minute) // bad is a letter now
		sink.answers(down)
		time.Sleep(7 * 24 * time.Hour)
		b.locked(func() {
			if len(b.dead["s"]) != 0 {
				t.Errorf("given up while the sink was down: %+v", b.dead["s"])
			}
		})
		sink.answers(nil)
		time.Sleep(11 * time.Minute)
		stop()
		same(t, "taken", sink.taken(), "a/1", "bad/1")
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink := newBox(), &listener{}
		sink.answer = func(*alert.Notice) error { return &RetryAfterError{After: 7 * time.Minute, Err: errors.New("429")} }
		b.put("a/1")
		begin := time.Now()
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink})
		synctest.Wait()
		sink.answers(nil)
		for range 100 { // nothing new makes it come earlier
			time.Sleep(time.Second)
			c.Wake()
		}
		time.Sleep(10 * time.Minute)
		stop()
		same(t, "taken", sink.taken(), "a/1")
		if got := sink.when[0].Sub(begin); got < 7*time.Minute || got > 7*time.Minute+lookEvery {
			t.Errorf("came back after %s", got)
		}
	})
}

// A sink that hangs is given up on after its timeout and delays no other.
func TestHangingSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, fast := newBox(), &listener{}
		slow := hanging{}
		b.put("a/1")
		c, stop := start(t, b, Delivery{Name: "slow", Sink: slow}, Delivery{Name: "fast", Sink: fast})
		synctest.Wait()
		same(t, "fast", fast.taken(), "a/1")
		time.Sleep(DefaultLimits().Timeout)
		synctest.Wait()
		if st := c.Status()[0]; st.Failures != 1 || !strings.Contains(st.Error, "deadline") {
			t.Errorf("status: %+v", st)
		}
		stop()
	})
}

type hanging struct{}

func (hanging) Deliver(ctx context.Context, _ []alert.Notice) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}
func (hanging) Close() error { return nil }

func TestQuietHours_HoldAndTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The bubble's clock begins on 2000-01-01 at midnight UTC.
		now := time.Now()
		quiet, err := ParseQuiet(now.Add(-time.Hour).Format("15:04") + "-" + now.Add(7*time.Hour).Format("15:04"))
		if err != nil {
			t.Fatal(err)
		}
		b, sink := newBox(), &listener{}
		b.put("a/1", "b/1!", "c/1")
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink, Route: Route{Quiet: quiet}})
		synctest.Wait()
		b.put("a/2!", "d/1") // a becomes critical
		c.Wake()
		time.Sleep(time.Minute)
		same(t, "at night", sink.taken(), "b/1", "a/2")
		stop()

		// The next morning, after a restart.
		c, stop = start(t, b, Delivery{Name: "s", Sink: sink, Route: Route{Quiet: quiet}})
		time.Sleep(8 * time.Hour)
		same(t, "in the morning", sink.taken(), "b/1", "a/2", "c/1", "d/1")
		stop()
		if st := b.standing["s"]; len(st.Letters) != 0 {
			t.Errorf("letters are left: %+v", st.Letters)
		}
		if st := c.Status()[0]; st.Dead != 0 {
			t.Errorf("status: %+v", st)
		}
	})
}

// A letter from a time when the clock was years ahead does not wait for years.
func TestClockThatWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink := newBox(), &listener{}
		b.put("a/1")
		b.standing["s"] = alert.Standing{Cursor: 1, Letters: []alert.Letter{
			{Seq: 1, Ref: "a", Attempts: 1, Next: time.Now().AddDate(3, 0, 0), Notice: b.notices[0]},
		}}
		_, stop := start(t, b, Delivery{Name: "s", Sink: sink})
		synctest.Wait()
		stop()
		same(t, "taken", sink.taken(), "a/1")
	})
}

func TestDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink := newBox(), &listener{}
		limits := DefaultLimits()
		limits.SummarizeAbove = 5
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink, Limits: limits})
		b.put("a/1", "b/1", "c/1")
		c.Wake()
		synctest.Wait()
		same(t, "few", sink.taken(), "a/1", "b/1", "c/1")
		for i := range 3000 {
			b.put(fmt.Sprintf("x%d/1", i))
		}
		c.Wake()
		synctest.Wait()
		same(t, "a flood begins", sink.taken()[3:], "x0/1", "x1/1")
		b.put("y/1!", "z/1")
		c.Wake()
		time.Sleep(2 * time.Minute)
		same(t, "a flood", sink.taken()[5:], "digest of 2998", "y/1", "z/1")
		stop()
		if got := b.standing["s"].Cursor; got != int64(len(b.notices)) {
			t.Errorf("cursor is %d of %d", got, len(b.notices))
		}
		if st := c.Status()[0]; st.Digests != 1 || st.Delivered != uint64(len(b.notices)) {
			t.Errorf("status: %+v", st)
		}
	})
}

// A sink that rejects digests must not be left without what they stand for.
func TestDigestIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		sink := &listener{answer: func(n *alert.Notice) error {
			if n.Digest != nil {
				return Rejected(errors.New("answered 400"))
			}
			return nil
		}}
		limits := DefaultLimits()
		limits.SummarizeAbove = 2
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink, Limits: limits})
		b.put("a/1", "b/1", "c/1", "d/1", "e/1")
		c.Wake()
		time.Sleep(2 * time.Minute)
		same(t, "taken", sink.taken(), "a/1", "b/1", "c/1", "d/1", "e/1")
		stop()
		if st := c.Status()[0]; st.Dead != 0 || !st.Failing.IsZero() || b.standing["s"].Cursor != 5 {
			t.Errorf("status %+v, cursor %d", st, b.standing["s"].Cursor)
		}
	})
}

func TestDigestSaysWhatItStandsFor(t *testing.T) {
	d := newDigest()
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 30 {
		a := &alert.Alert{
			ID: fmt.Sprint(i), Severity: detect.Low, Kind: detect.DNSSpike, Summary: fmt.Sprintf("low %d", i),
			LastSeen: begin.Add(time.Duration(i) * time.Second), Device: alert.Device{ID: fmt.Sprintf("d%d", i%12)},
		}
		if i == 29 {
			a.Severity, a.Summary, a.Kind = detect.High, "high", detect.DNSTunnel
		}
		d.add(&alert.Notice{Seq: int64(i + 5), Alert: a})
	}
	d.add(&alert.Notice{Seq: 40, Incident: &alert.Incident{ID: "i", Severity: detect.Medium, LastSeen: begin}})
	n := d.notice()
	got := n.Digest
	switch {
	case got.ID != "d-5-40" || got.Alerts != 30 || got.Incidents != 1 || got.Severity != detect.High,
		!got.From.Equal(begin) || !got.To.Equal(begin.Add(29*time.Second)),
		got.Counts[detect.Low] != 29 || got.Counts[detect.High] != 1 || got.Kinds[detect.DNSTunnel] != 1,
		len(got.Devices) != alert.MaxDigestNames || len(got.Examples) != alert.MaxDigestNames,
		got.Examples[0] != "high" || got.Examples[1] != "low 0":
		t.Errorf("got %+v", got)
	}
	if want := "30 alerts (1 high, 29 low) and 1 incidents"; !strings.HasPrefix(got.Summary, want) {
		t.Errorf("summary: %q", got.Summary)
	}
}

// While the store cannot be written, delivery goes on, and is written down
// when it can be again.
func TestStoreThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink := newBox(), &listener{}
		b.broken = errors.New("disk full")
		b.put("a/1", "b/1")
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink})
		time.Sleep(time.Minute)
		b.put("c/1")
		c.Wake()
		time.Sleep(time.Minute)
		same(t, "taken", sink.taken(), "a/1", "b/1", "c/1")
		b.mu.Lock()
		b.broken = nil
		b.mu.Unlock()
		time.Sleep(time.Minute)
		stop()
		if got := b.standing["s"].Cursor; got != 3 {
			t.Errorf("cursor is %d, want 3", got)
		}
		if got := b.settled["s"]; got.Delivered != 3 {
			t.Errorf("settled: %+v", got)
		}
	})
}

// What cannot be stored is told all the same, and not a second time when it
// is stored at last.
func TestTellWithoutAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink, person, broken := newBox(), &listener{}, &listener{}, &listener{answer: down}
		b.broken = errors.New("disk full")
		limits := DefaultLimits()
		limits.SummarizeAbove = 2
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink}, Delivery{Name: "person", Sink: person, Limits: limits},
			Delivery{Name: "high", Sink: &listener{}, Route: Route{Severity: detect.Critical}}, Delivery{Name: "broken", Sink: broken})
		other := newBox()
		other.put("a/1", "b/1!", "c/1")
		for range 3 { // each attempt to store them hands them over again
			c.Tell(other.notices)
			time.Sleep(time.Minute)
		}
		same(t, "taken", sink.taken(), "a/1", "b/1", "c/1")
		same(t, "in short", person.taken(), "b/1", "digest of 2")
		if st := c.Status()[2]; st.Delivered != 1 {
			t.Errorf("a route for critical alerts: %+v", st)
		}
		broken.answers(nil)
		time.Sleep(time.Minute)
		same(t, "taken later", broken.taken(), "a/1", "b/1", "c/1")

		b.locked(func() { b.broken = nil })
		b.put("a/1", "b/1!", "c/2")
		c.Wake()
		time.Sleep(time.Minute)
		stop()
		same(t, "taken when stored", sink.taken()[3:], "c/2")
		if got := b.standing["s"].Cursor; got != 3 {
			t.Errorf("cursor is %d, want 3", got)
		}
	})
}

func TestUrgentIsBounded(t *testing.T) {
	w := newWorker(nil, nil, Delivery{Name: "s"}, slog.New(slog.DiscardHandler), nil)
	b := newBox()
	b.put("critical/1!")
	for i := range 5000 {
		b.put(fmt.Sprintf("a%d/1", i))
	}
	w.addUrgent(b.notices)
	if len(w.urgent) != maxUrgent || w.urgent[0].ID() != "critical" {
		t.Errorf("%d wait, the first is %s", len(w.urgent), w.urgent[0].ID())
	}
}

type seriesListener struct {
	listener
	minutes []device.Minute
	health  []Health
	err     error
}

func (l *seriesListener) DeliverSeries(_ context.Context, m []device.Minute) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.minutes = append(l.minutes, m...)
	}
	return l.err
}

// Capped is a count of what was taken, and three points beyond the cap.
func (l *seriesListener) Capped() (int, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.minutes), 3
}

func (l *seriesListener) DeliverHealth(_ context.Context, h Health) error {
	l.health = append(l.health, h)
	return nil
}

func TestSeriesAndHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink := newBox(), &seriesListener{err: errDown}
		for i := range 2500 {
			b.minutes = append(b.minutes, device.Minute{Device: fmt.Sprint(i)})
		}
		b.put("a/1")
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink}, Delivery{Name: "plain", Sink: &listener{}})
		c.SetHealth(Health{Visibility: .5})
		time.Sleep(time.Hour)
		same(t, "alerts go on while the series fails", sink.taken(), "a/1")
		sink.mu.Lock()
		sink.err = nil
		sink.mu.Unlock()
		time.Sleep(time.Minute)
		stop()
		if len(sink.minutes) != 2500 || sink.minutes[2499].Device != "2499" || b.standing["s"].Series != 2500 {
			t.Errorf("got %d minutes, settled up to %d", len(sink.minutes), b.standing["s"].Series)
		}
		if st := c.Status(); st[0].SeriesMade != 2500 || st[0].SeriesRefused != 3 || st[1].SeriesMade != 0 {
			t.Errorf("status: %+v", st)
		}
		if len(sink.health) != 1 || sink.health[0].Visibility != .5 {
			t.Errorf("health: %+v", sink.health)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sink, broken := newBox(), &listener{}, &listener{answer: down}
		limits := DefaultLimits()
		limits.SummarizeAbove = 5
		c, stop := start(t, b, Delivery{Name: "s", Sink: sink, Limits: limits}, Delivery{Name: "broken", Sink: broken})
		synctest.Wait()
		for i := range 500 {
			b.put(fmt.Sprintf("a%d/1", i))
		}
		begin := time.Now()
		c.Drain(t.Context())
		if got := time.Since(begin); got > time.Second {
			t.Errorf("took %s", got)
		}
		same(t, "taken", sink.taken(), "digest of 500")
		stop()
	})
}

// The Courier does not trust what a sink says it took.
func TestSinkThatMiscounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		b.put("a/1", "b/1")
		c, stop := start(t, b, Delivery{Name: "s", Sink: miscounting{}})
		time.Sleep(time.Minute)
		if st := c.Status()[0]; st.Delivered != 0 || st.Failures == 0 {
			t.Errorf("status: %+v", st)
		}
		stop()
	})
}

type miscounting struct{}

func (miscounting) Deliver(context.Context, []alert.Notice) (int, error) { return -3, nil }
func (miscounting) Close() error                                         { return nil }
