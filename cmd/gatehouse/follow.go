package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gatehouse/alert"
)

// followEvery is how often a listing that follows looks, and followed is how
// many of the newest alerts it looks at.
const (
	followEvery = time.Second
	followed    = 500
)

// followAlerts prints alerts as they are stored.
func (a *app) followAlerts(ctx context.Context, l *listing) (err error) {
	f, err := l.filter()
	if err != nil {
		return err
	}
	write, err := printer(a.stdout, l, alertRows().columns)
	if err != nil {
		return err
	}
	st, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	f.Limit, f.OldestFirst = cmp.Or(f.Limit, followed), false
	shown := make(map[string]int) // revisions
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		rows, err := st.Alerts(ctx, f)
		if ctx.Err() != nil {
			return nil // interrupted, which is how it ends
		}
		if err != nil {
			return err
		}
		slices.Reverse(rows)
		latest := make(map[string]int, len(rows))
		rows = slices.DeleteFunc(rows, func(r alert.Alert) bool {
			latest[r.ID] = r.Revision
			return shown[r.ID] == r.Revision
		})
		shown = latest
		if len(rows) > 0 {
			if err := write(rows); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
