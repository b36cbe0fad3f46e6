package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"gatehouse/alert"
	"gatehouse/notify"
	"gatehouse/pipeline"
	"gatehouse/store"
)

// drainTime is how long the end of a run waits for sinks to be told what they
// have not heard. The rest is told by the next run.
const drainTime = 10 * time.Second

// healthEvery is how often sinks hear how the sensor is.
const healthEvery = time.Minute

// deliveries opens the sinks of a configuration.
func (s *settings) deliveries(log *slog.Logger) (_ []notify.Delivery, err error) {
	var out []notify.Delivery
	defer func() {
		if err != nil {
			err = errors.Join(err, closeSinks(out))
		}
	}()
	for _, setting := range s.Sinks {
		sink, err := setting.config.Open(notify.Options{
			Name: setting.name, Site: s.Site, Version: version, Log: log.With("sink", setting.name), Now: time.Now,
		})
		if err != nil {
			return out, usageError{fmt.Errorf("sink %s: %w", setting.name, err)}
		}
		out = append(out, notify.Delivery{Name: setting.name, Sink: sink, Route: setting.route, Limits: setting.limits})
	}
	return out, nil
}

func closeSinks(list []notify.Delivery) error {
	var errs []error
	for _, d := range list {
		errs = append(errs, d.Sink.Close())
	}
	return errors.Join(errs...)
}

// outgoing is the courier of a run.
type outgoing struct {
	courier *notify.Courier
	stop    context.CancelFunc
	done    chan struct{}
	series  bool      // a sink takes the series of the devices
	told    time.Time // when the sinks last heard of the sensor's health
}

// startDelivery registers the sinks of a configuration and begins to deliver.
// Without sinks it returns nil, on which all methods do nothing.
func startDelivery(ctx context.Context, s *settings, st *store.Store, log *slog.Logger) (*outgoing, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // nothing to deliver is no error
	}
	names := make([]string, len(s.Sinks))
	for i := range s.Sinks {
		names[i] = s.Sinks[i].name
	}
	if err := st.SetSinks(ctx, names); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	list, err := s.deliveries(log)
	if err != nil {
		return nil, err
	}
	// The courier outlives the run: what is found at its end is told too.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	o := &outgoing{courier: notify.NewCourier(st, st, list, log), stop: stop, done: make(chan struct{})}
	for _, d := range list {
		if _, ok := d.Sink.(notify.SeriesSink); ok {
			o.series = true
		}
	}
	go func() {
		defer close(o.done)
		o.courier.Run(running)
	}()
	return o, nil
}

// wantsSeries reports whether a sink takes the series of the devices.
func (o *outgoing) wantsSeries() bool { return o != nil && o.series }

// finish delivers what is waiting, as far as it can be delivered now, and
// closes the sinks.
func (o *outgoing) finish(ctx context.Context) {
	if o == nil {
		return
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	o.courier.Drain(drain)
	cancel()
	o.stop()
	<-o.done
}

// status tells the sinks, once a minute, how the sensor is.
func (o *outgoing) status(now time.Time, s *pipeline.Summary) {
	if o == nil || now.Sub(o.told) < healthEvery {
		return
	}
	o.told = now
	o.courier.SetHealth(healthOf(now, s))
}

// join adds the telling of health to what else wants to know the status.
func (o *outgoing) join(next func(pipeline.Summary)) func(pipeline.Summary) {
	return func(s pipeline.Summary) {
		o.status(time.Now(), &s)
		if next != nil {
			next(s)
		}
	}
}

func healthOf(now time.Time, s *pipeline.Summary) notify.Health {
	h := notify.Health{
		Time: now.UTC(), Visibility: s.Losses.Visibility(), Packets: s.Flow.Packets, Bytes: uint64(s.Bytes),
		Lost: s.Losses.Dropped(), Flows: s.Flow.Flows, Devices: s.Known, Alerts: s.Counts.Alerts, Problems: []string{},
	}
	if !s.Store.Failing.IsZero() {
		h.Problems = append(h.Problems, "state is not being kept: "+s.Store.Error)
	}
	if s.Store.Dropped > 0 {
		h.Problems = append(h.Problems, fmt.Sprintf("%d alerts and observations could not be kept", s.Store.Dropped))
	}
	if h.Visibility < .99 {
		h.Problems = append(h.Problems, fmt.Sprintf("only %.0f %% of the frames are seen", 100*h.Visibility))
	}
	return h
}

// telling is a store that wakes the courier when there is something new in it,
// and tells it right away what cannot be stored.
type telling struct {
	*store.Store
	courier *notify.Courier
}

// Checkpoint implements pipeline.State.
func (t telling) Checkpoint(ctx context.Context, b store.Batch) error {
	err := t.Store.Checkpoint(ctx, b)
	if err == nil {
		t.courier.Wake()
		return nil
	}
	notices := make([]alert.Notice, 0, len(b.Alerts)+len(b.Incidents))
	for _, a := range b.Alerts {
		notices = append(notices, alert.Notice{Alert: &a})
	}
	for _, in := range b.Incidents {
		notices = append(notices, alert.Notice{Incident: &in})
	}
	t.courier.Tell(notices)
	return err
}

var _ pipeline.State = telling{}

// live is the courier that metrics ask; a run sets it.
type live = atomic.Pointer[notify.Courier]
