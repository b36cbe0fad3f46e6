// Package pipeline composes the rooms: shards that turn packets into flow
// events, and one analyst that turns events into alerts. Run, replay, demo and
// the tests all go through it.
//
// It promises that the same input gives the same alerts whatever the number of
// workers, that offline input is never dropped, and that what a checkpoint has
// stored is where the next run goes on. It must not know where alerts are
// shown or sent.
package pipeline

import (
	"context"
	"fmt"
	"time"

	"gatehouse/alert"
	"gatehouse/capture"
	"gatehouse/device"
	"gatehouse/flow"
)

// Summary is what a run did.
type Summary struct {
	First, Last time.Time // packet time; zero if there was no packet
	Flow        flow.Stats
	Losses      Losses
	Repaired    uint64 // packets whose time was implausible and replaced
	ClockSteps  uint64 // times that the recording clock was set
	Events      uint64 // flow events judged
	Bytes       int64  // of input
	Counts      alert.Counts
	Store       StoreHealth // zero without a state
	Budget      alert.Budget
	DeviceDays  int              // active days of this run, of all devices, begun ones included
	Known       int              // devices in the inventory, gateways included
	Devices     []*device.Device // without gateways, first seen first
	Gateways    []*device.Device
	Changes     alert.Changes // alerts, incidents and observations of this run, if it had no state
}

// Run reads src to its end, judges everything in it and keeps the outcome in
// st, which may be nil. onAlert is told of each alert as it is raised; it may
// be nil. The summary is right even beside an error: what was read before a
// file broke off has been analysed and stored.
func Run(ctx context.Context, src capture.Source, st State, cfg Config, onAlert func(*alert.Alert)) (*Summary, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Flow.Habits = habitsEvery
	a := newAnalyst(cfg, onAlert)
	r := &runner{cfg: cfg, analyst: a, sum: &Summary{}}
	if st != nil {
		r.keeper = newKeeper(&r.cfg, st, a)
		if err := a.restore(ctx, st); err != nil {
			return nil, fmt.Errorf("take up earlier state: %w", err)
		}
		r.keeper.listen(ctx, a)
	}
	err := Flows(ctx, src, cfg, func(events []flow.Event, p Progress) error { return r.round(ctx, events, p) })
	r.finish()
	if st == nil {
		r.sum.Changes = a.book.Take()
		return r.sum, err
	}
	// A run that is interrupted keeps what it has learned.
	a.meter.Finish()
	saveErr := r.keeper.save(context.WithoutCancel(ctx), a, r.sum, true)
	r.sum.Store = r.keeper.health
	r.sum.Store.Wear = st.Wear()
	if saveErr != nil {
		return r.sum, fmt.Errorf("keep what was found: %w", saveErr)
	}
	return r.sum, err
}

// habitsEvery is how often the analyst hears of what a conversation says over
// and over. Judging depends on what is said, seldom on how often; the flow's
// counters tell that too, every half minute.
const habitsEvery = 30 * time.Second

// pruneEvery is how much wall-clock time passes between two looks for what has
// been kept for long enough; a run that is shorter looks once.
const pruneEvery = 24 * time.Hour

type runner struct {
	cfg     Config
	analyst *analyst
	keeper  *keeper   // nil without a state
	told    time.Time // when Status was
	sum     *Summary
}

// tell gives a copy of how the run stands to Config.Status.
func (r *runner) tell() {
	r.told = r.cfg.Now()
	s := *r.sum
	s.Counts, s.Budget = r.analyst.book.Counts(), r.cfg.Alert.Budget
	s.Known = r.analyst.devices.Len()
	s.Devices, s.Gateways, s.Changes = nil, nil, alert.Changes{}
	if r.keeper != nil {
		s.Store = r.keeper.health
	}
	r.cfg.Status(s)
}

func (r *runner) round(ctx context.Context, events []flow.Event, p Progress) error {
	if r.sum.First.IsZero() && len(events) > 0 {
		r.sum.First = time.Unix(0, events[0].Time).UTC()
	}
	r.analyst.round(events, p)
	r.sum.Last = time.Unix(0, p.Now).UTC()
	r.sum.Flow, r.sum.Repaired, r.sum.ClockSteps, r.sum.Bytes = p.Flow, p.Repaired, p.ClockSteps, p.Read
	r.sum.Losses = lossesOf(&p.Flow, p.Live)
	if r.cfg.Progress != nil {
		r.cfg.Progress(p.Read, p.Total)
	}
	if r.cfg.Status != nil && r.cfg.Now().Sub(r.told) >= time.Second {
		r.tell()
	}
	if r.keeper != nil {
		r.keeper.round(ctx, r.analyst, r.sum)
	}
	return nil
}

func (r *runner) finish() {
	a := r.analyst
	a.tick(a.now + int64(time.Hour)) // nothing more will come that could be waited for
	r.sum.Events = a.events
	r.sum.Counts, r.sum.Budget, r.sum.DeviceDays = a.book.Counts(), r.cfg.Alert.Budget, a.days()
	r.sum.Devices, r.sum.Gateways = a.devices.Devices(), a.devices.Gateways()
	if r.cfg.Status != nil {
		r.tell()
	}
}
