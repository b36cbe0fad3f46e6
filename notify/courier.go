package notify

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/alert"
	"gatehouse/device"
)

// outbox is where notices wait and where it is written down what became of
// them; the store is one. Waiting returns notices behind a Seq, in order.
type outbox interface {
	Resume(ctx context.Context, sink string) (alert.Standing, error)
	Waiting(ctx context.Context, after int64, limit int) ([]alert.Notice, error)
	Settle(ctx context.Context, s alert.Settlement) error
}

// series is where minutes are kept. Minutes returns those behind a position,
// in order, and the position of the last.
type series interface {
	Minutes(ctx context.Context, after int64, limit int) ([]device.Minute, int64, error)
}

// Delivery is one sink with what goes to it and how.
type Delivery struct {
	Name   string
	Sink   Sink
	Route  Route
	Limits Limits
}

// Limits says how a sink is used.
type Limits struct {
	Batch   int           `yaml:"batch"`   // notices handed over at once, 1 to 1000
	Timeout time.Duration `yaml:"timeout"` // of one attempt, 1 s to 5 min
	// SummarizeAbove is how many notices a minute are told one by one. The rest
	// of the minute is told in one digest, but for critical ones, which are
	// always told. 0 tells everything one by one.
	SummarizeAbove int `yaml:"summarize_above"`
}

// DefaultLimits are for programs, which want everything.
func DefaultLimits() Limits { return Limits{Batch: 100, Timeout: 30 * time.Second} }

// Validate reports the first limit that makes no sense.
func (l *Limits) Validate() error {
	switch {
	case l.Batch < 1 || l.Batch > 1000:
		return &FieldError{"batch", fmt.Errorf("%d, must be 1 to 1000", l.Batch)}
	case l.Timeout < time.Second || l.Timeout > 5*time.Minute:
		return &FieldError{"timeout", fmt.Errorf("%s, must be 1s to 5m", l.Timeout)}
	case l.SummarizeAbove < 0 || l.SummarizeAbove > 10_000:
		return &FieldError{"summarize_above", fmt.Errorf("%d, must be 0 (never) to 10000 notices a minute", l.SummarizeAbove)}
	}
	return nil
}

// Courier brings every notice from the outbox to every sink. Each sink has a
// worker of its own, so none waits for another.
type Courier struct {
	workers []*worker
	health  atomic.Pointer[Health]
}

// NewCourier returns a Courier that does nothing until Run. minutes may be nil
// if no minutes are kept.
func NewCourier(box outbox, minutes series, deliveries []Delivery, log *slog.Logger) *Courier {
	c := &Courier{}
	for _, d := range deliveries {
		c.workers = append(c.workers, newWorker(box, minutes, d, log.With("sink", d.Name), &c.health))
	}
	return c
}

// Run delivers until ctx ends, then closes the sinks.
func (c *Courier) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, w := range c.workers {
		all.Go(func() { w.run(ctx) })
	}
	all.Wait()
}

// Wake says that there may be something new in the outbox. It never waits.
func (c *Courier) Wake() {
	for _, w := range c.workers {
		select {
		case w.wake <- struct{}{}:
		default: // it is going to look anyway
		}
	}
}

// SetHealth says how the sensor is, for sinks that want to know.
func (c *Courier) SetHealth(h Health) {
	c.health.Store(&h)
	c.Wake()
}

// Drain waits until every sink has been told everything, or fails, or ctx
// ends. It is for the end of a run and needs Run beside it.
func (c *Courier) Drain(ctx context.Context) {
	for _, w := range c.workers {
		done := make(chan struct{})
		select {
		case w.drains <- done:
		case <-ctx.Done():
			return
		}
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// Status is how a sink does, counted since the start.
type Status struct {
	Name      string
	Delivered uint64 // notices
	Digests   uint64 // of them
	Failures  uint64 // attempts that failed
	Dead      uint64 // notices given up
	Dropped   uint64 // notices for which there was no room while they were held
	Series    uint64 // minutes
	// SeriesMade and SeriesRefused are of a CappedSink.
	SeriesMade    int
	SeriesRefused uint64
	Held          int
	Failing       time.Time // since when; zero if the last attempt succeeded
	Error         string    // of the last attempt, "" if it succeeded
}

// Status returns how each sink does.
func (c *Courier) Status() []Status {
	out := make([]Status, len(c.workers))
	for i, w := range c.workers {
		w.mu.Lock()
		out[i] = w.status
		w.mu.Unlock()
	}
	return out
}
