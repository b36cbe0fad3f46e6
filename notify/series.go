package notify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// seriesAtOnce is how many minutes are handed over at once: those of a day of
// one device, or of a home in half an hour.
const seriesAtOnce = 1000

// tellSeries hands over minutes, if the sink takes them and there are some.
func (w *worker) tellSeries(ctx context.Context, now time.Time) (wait time.Duration, did bool) {
	sink, ok := w.Sink.(SeriesSink)
	if !ok || w.minutes == nil || now.Before(w.seriesNotBefore) {
		return 0, false
	}
	list, last, err := w.minutes.Minutes(ctx, w.at, seriesAtOnce)
	if err != nil || len(list) == 0 {
		return 0, false
	}
	err = w.guard(ctx, func(ctx context.Context) error { return sink.DeliverSeries(ctx, list) })
	switch {
	case ctx.Err() != nil:
		return 0, false
	case errors.Is(err, ErrRejected):
		w.log.Warn("minutes were rejected and left out", "minutes", len(list), "err", plainError(err))
	case err != nil:
		pause := w.seriesPause.NextBackOff()
		var retry *RetryAfterError
		if errors.As(err, &retry) {
			pause = min(max(retry.After, time.Second), time.Hour)
		}
		w.seriesNotBefore = now.Add(pause)
		w.log.Debug("minutes were not taken", "err", plainError(err))
		w.count(func(s *Status) { s.Failures++; s.Error = plainError(err) })
		return min(pause, lookEvery), true
	default:
		w.count(func(s *Status) { s.Series += uint64(len(list)) })
		w.countCapped()
	}
	w.seriesPause.Reset()
	w.at, w.unsaved.Series = last, last
	w.save(ctx, false)
	return 0, true
}

// tellHealth tells the latest health, if the sink wants it.
func (w *worker) tellHealth(ctx context.Context) {
	sink, ok := w.Sink.(HealthSink)
	h := w.health.Load()
	if !ok || h == nil || h == w.healthTold {
		return
	}
	w.healthTold = h // once, whatever becomes of it
	if err := w.guard(ctx, func(ctx context.Context) error { return sink.DeliverHealth(ctx, *h) }); err != nil {
		w.log.Debug("health was not taken", "err", plainError(err))
	}
}

// guard calls a sink with its timeout, and turns a panic into an error.
func (w *worker) guard(ctx context.Context, call func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, w.Limits.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sink failed: %v", p)
		}
	}()
	return call(ctx)
}

// countCapped notes how near a sink is to the number of series that it makes.
func (w *worker) countCapped() {
	if sink, ok := w.Sink.(CappedSink); ok {
		made, refused := sink.Capped()
		w.count(func(s *Status) { s.SeriesMade, s.SeriesRefused = made, refused })
	}
}
