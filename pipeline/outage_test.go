package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/notify"
	"gatehouse/store"
)

// switched is a sink that can be down.
type switched struct {
	mu   sync.Mutex
	down bool
	got  []string
	last time.Time
}

func (s *switched) Deliver(_ context.Context, notices []alert.Notice) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return 0, errors.New("connection refused")
	}
	for i := range notices {
		s.got = append(s.got, notices[i].Key())
	}
	s.last = time.Now()
	return len(notices), nil
}

func (*switched) Close() error { return nil }

// A sink is down for a day, in which the process restarts: within a minute of
// its return it knows of every alert, each as it is by then, and before that
// the other sink was told each change.
func TestDayOfOutage(t *testing.T) {
	dir := t.TempDir()
	minutes := 1440
	if testing.Short() {
		minutes = 240
	}
	alerts := minutes / 10
	synctest.Test(t, func(t *testing.T) {
		sink, other := &switched{down: true}, &switched{}
		var st *store.Store
		var courier *notify.Courier
		begin := func() (stop func()) {
			var err error
			if st, err = store.Open(t.Context(), dir, store.Options{}); err != nil {
				t.Fatal(err)
			}
			if err := st.SetSinks(t.Context(), []string{"sink", "other"}); err != nil {
				t.Fatal(err)
			}
			list := []notify.Delivery{
				{Name: "sink", Sink: sink, Limits: notify.DefaultLimits()},
				{Name: "other", Sink: other, Limits: notify.DefaultLimits()},
			}
			courier = notify.NewCourier(st, st, list, slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				courier.Run(ctx)
				close(done)
			}()
			return func() {
				cancel()
				<-done
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		stop := begin()
		for minute := range minutes {
			if minute == minutes/2 {
				stop()
				stop = begin()
			}
			// A new alert every ten minutes, and each minute one more count on it.
			a := alert.Alert{
				ID: fmt.Sprintf("a-%03d", minute/10), Revision: minute%10 + 1, Count: minute%10 + 1, State: alert.Open,
				Severity: detect.Low, Time: time.Now(), LastSeen: time.Now(),
			}
			if err := st.Checkpoint(t.Context(), store.Batch{Alerts: []alert.Alert{a}}); err != nil {
				t.Fatal(err)
			}
			courier.Wake()
			time.Sleep(time.Minute)
		}
		sinks, err := st.Sinks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := sinks[1]; s.Name != "sink" || s.Failing.IsZero() || s.Waiting < alerts || s.Waiting > 2*alerts || s.Dead != 0 {
			t.Errorf("after the day: %+v", s)
		}
		sink.mu.Lock()
		sink.down = false
		sink.mu.Unlock()
		back := time.Now()
		time.Sleep(time.Minute)
		stop()
		if took := sink.last.Sub(back); took > time.Minute {
			t.Errorf("the last came after %s", took)
		}
		known := make(map[string]bool)
		for _, key := range sink.got {
			known[key] = true
		}
		for i := range alerts {
			if key := fmt.Sprintf("a-%03d/10", i); !known[key] {
				t.Errorf("the sink does not know of %s", key)
			}
		}
		if len(sink.got) != alerts {
			t.Errorf("the sink was told %d things of %d alerts", len(sink.got), alerts)
		}
		if len(other.got) != minutes {
			t.Errorf("the other sink was told %d changes of %d", len(other.got), minutes)
		}
	})
}
