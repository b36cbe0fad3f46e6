package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"gatehouse/alert"
	"gatehouse/device"
	"gatehouse/store"
)

const (
	// promptEvery is the least time between two checkpoints for the sake of
	// new alerts, and so between two forced writes.
	promptEvery = time.Second
	// tiredEvery is that time when the medium has had its share, and
	// exhaustedEvery when it has had far more: alerts of a flood.
	tiredEvery     = 10 * time.Second
	exhaustedEvery = time.Minute
	// smallAtMost and fullAtMost are how long a checkpoint of what happened,
	// and one of all that was learned, is put off to spare the medium.
	smallAtMost = 10 * time.Minute
	fullAtMost  = 6 * time.Hour
	// maxUnstored bounds the alerts and the incidents that wait for a store
	// that fails. The lowest severity goes first, of that the oldest.
	maxUnstored = 8192
)

// StoreHealth is how the keeping of state goes.
type StoreHealth struct {
	Failing  time.Time // wall-clock time since when nothing can be stored; zero if it can
	Error    string    // why
	Unstored int       // alerts and incidents that wait for it
	Dropped  uint64    // alerts, incidents and observations that could not wait any more
	Wear     store.Wear
}

// keeper decides when what has changed is stored. A store that fails does not
// stop the detection: what it would hold waits, within bounds.
type keeper struct {
	cfg     *Config
	state   State
	started time.Time

	saved, full, pruned, polled time.Time
	decision                    int64       // position in the decisions of people
	unstored                    store.Batch // taken from the analyst, not stored
	health                      StoreHealth
	logged                      time.Time

	// What may be written is saved up like money, in bytes.
	allowance float64
	counted   uint64    // Wear.Bytes that the allowance has paid for
	paid      time.Time // when it last grew
	cost      float64   // of the last full checkpoint
}

// newKeeper returns the keeper of an analyst, who from now on counts what each
// device does in each minute.
func newKeeper(cfg *Config, st State, a *analyst) *keeper {
	a.meter = device.NewMeter()
	now := cfg.Now()
	k := &keeper{cfg: cfg, state: st, started: now, saved: now, full: now, paid: now}
	k.allowance = k.most() / 2
	return k
}

// most bounds the allowance: three hours' worth, so that after a quiet night
// not everything is written in one morning.
func (k *keeper) most() float64 { return float64(k.cfg.WearPerDay) / 8 }

// planned is the share of the daily limit that grows back; the rest is for
// what is written whatever the allowance says.
const planned = .9

// budget lets the allowance grow, and takes from it what was written.
func (k *keeper) budget(now time.Time) {
	if d := now.Sub(k.paid); d > 0 {
		k.allowance = min(k.most(), k.allowance+planned*float64(k.cfg.WearPerDay)*d.Hours()/24)
	}
	k.paid = now
	wear := k.state.Wear()
	k.allowance -= float64(wear.Bytes - k.counted)
	k.counted, k.health.Wear = wear.Bytes, wear
}

// due reports whether something is to be stored now, and whether all of it.
func (k *keeper) due(now time.Time, news bool) (save, all bool) {
	since, sinceFull := now.Sub(k.saved), now.Sub(k.full)
	if since < promptEvery {
		return false, false
	}
	k.budget(now)
	if !k.health.Failing.IsZero() {
		return since >= k.cfg.CheckpointEvery, false // the next attempt
	}
	free := k.cfg.WearPerDay == 0
	if sinceFull >= k.cfg.CheckpointEvery && (free || k.allowance > k.cost || sinceFull >= fullAtMost) {
		return true, true
	}
	switch {
	case free || k.allowance > 0:
		return news || since >= k.cfg.CheckpointEvery, false
	case k.allowance > -k.most():
		return news && since >= tiredEvery || since >= smallAtMost, false
	}
	return news && since >= exhaustedEvery || since >= smallAtMost, false
}

// round stores what is due.
func (k *keeper) round(ctx context.Context, a *analyst, sum *Summary) {
	now := k.cfg.Now()
	if now.Sub(k.polled) >= promptEvery {
		k.polled = now
		k.listen(ctx, a)
	}
	if a.meter.Waiting() > maxUnstored/2 {
		if k.cfg.EveryMinute {
			_ = k.save(ctx, a, sum, false)
		} else {
			k.minutes(a)
		}
	}
	if save, all := k.due(now, a.book.Dirty()); save {
		// The end of the run stores it once more if ctx has just ended.
		_ = k.save(ctx, a, sum, all)
	}
}

// listen takes over what people have decided since the last time.
func (k *keeper) listen(ctx context.Context, a *analyst) {
	decisions, err := k.state.Decisions(ctx, k.decision)
	if err != nil {
		return // the store fails: save says so
	}
	for _, d := range decisions {
		a.book.SetState(d.Ref, d.Revision, d.State)
		k.decision = d.Seq
	}
}

// save stores what has changed, with all that was learned or without it. What
// cannot be stored waits for the next time.
func (k *keeper) save(ctx context.Context, a *analyst, sum *Summary, all bool) error {
	now := k.cfg.Now()
	k.collect(a)
	batch := k.unstored
	if all {
		if err := a.learned(&batch); err != nil {
			return err
		}
		run, err := k.run(a, sum, now)
		if err != nil {
			return err
		}
		batch.Run = run
	}
	before := k.state.Wear().Bytes
	err := k.state.Checkpoint(ctx, batch)
	k.saved = now
	if err != nil {
		k.fails(ctx, now, err)
		return err
	}
	k.works(now)
	k.unstored = store.Batch{}
	if !all {
		return nil
	}
	k.full = now
	k.cost = float64(k.state.Wear().Bytes - before)
	a.stored()
	return k.prune(ctx, a, now)
}

func (k *keeper) run(a *analyst, sum *Summary, now time.Time) (*store.Run, error) {
	data, err := json.Marshal(map[string]any{
		"first": sum.First, "last": sum.Last, "packets": sum.Flow.Packets, "counts": a.book.Counts(),
	})
	if err != nil {
		return nil, err
	}
	return &store.Run{ID: k.started.UTC().Format(time.RFC3339Nano), Started: k.started, Updated: now, Data: data}, nil
}

// prune looks, once a day, for what has been kept for long enough.
func (k *keeper) prune(ctx context.Context, a *analyst, now time.Time) error {
	if !k.pruned.IsZero() && now.Sub(k.pruned) < pruneEvery {
		return nil
	}
	k.pruned = now
	// By packet time: a replay of old captures throws nothing of theirs away.
	_, err := k.state.Prune(ctx, time.Unix(0, a.now), k.cfg.Retention)
	if err != nil {
		k.fails(ctx, now, err)
	}
	return err
}

// collect takes what has changed from the analyst.
func (k *keeper) collect(a *analyst) {
	changes := a.book.Take()
	u := &k.unstored
	u.Alerts = newest(append(u.Alerts, changes.Alerts...), func(x *alert.Alert) string { return x.ID })
	u.Incidents = newest(append(u.Incidents, changes.Incidents...), func(x *alert.Incident) string { return x.ID })
	u.Observations = append(u.Observations, changes.Observations...)
	k.minutes(a)
	if len(u.Alerts) > maxUnstored {
		slices.SortStableFunc(u.Alerts, func(x, y alert.Alert) int {
			return cmp.Or(cmp.Compare(y.Severity, x.Severity), y.LastSeen.Compare(x.LastSeen))
		})
	}
	if len(u.Incidents) > maxUnstored {
		slices.SortStableFunc(u.Incidents, func(x, y alert.Incident) int {
			return cmp.Or(cmp.Compare(y.Severity, x.Severity), y.LastSeen.Compare(x.LastSeen))
		})
	}
	u.Alerts = cut(k, u.Alerts)
	u.Incidents = cut(k, u.Incidents)
	u.Observations = cut(k, u.Observations)
}

// minutes takes minutes from the analyst. A replay brings those of hours in a
// second: unless a sink wants each of them, they become hours right away.
func (k *keeper) minutes(a *analyst) {
	u := &k.unstored
	u.Minutes = append(u.Minutes, a.meter.Take()...)
	if len(u.Minutes) <= maxUnstored || len(u.Hours) > 8*maxUnstored {
		if over := len(u.Minutes) - 2*maxUnstored; over > 0 {
			u.Minutes = slices.Delete(u.Minutes, 0, over)
			k.health.Dropped += uint64(over)
		}
		return
	}
	latest := u.Minutes[len(u.Minutes)-1].Time.Truncate(time.Hour)
	done := 0
	for done < len(u.Minutes) && u.Minutes[done].Time.Before(latest) {
		done++
	}
	u.Hours = device.Hours(u.Hours, u.Minutes[:done])
	u.Minutes = slices.Delete(u.Minutes, 0, done)
}

// newest leaves the last entry of each id, where the first one was.
func newest[T any](list []T, id func(*T) string) []T {
	at := make(map[string]int, len(list))
	out := list[:0]
	for i := range list {
		if j, ok := at[id(&list[i])]; ok {
			out[j] = list[i]
			continue
		}
		at[id(&list[i])] = len(out)
		out = append(out, list[i])
	}
	return out
}

// cut drops what is beyond maxUnstored, and counts it.
func cut[T any](k *keeper, list []T) []T {
	if over := len(list) - maxUnstored; over > 0 {
		k.health.Dropped += uint64(over)
		return list[:maxUnstored]
	}
	return list
}

// logEvery is how often a store that goes on failing is logged.
const logEvery = time.Hour

func (k *keeper) fails(ctx context.Context, now time.Time, err error) {
	if ctx.Err() != nil {
		return // the run ends: the last checkpoint is another one
	}
	if k.health.Failing.IsZero() {
		k.health.Failing, k.logged = now, time.Time{}
	}
	k.health.Error = err.Error()
	k.health.Unstored = len(k.unstored.Alerts) + len(k.unstored.Incidents)
	if now.Sub(k.logged) >= logEvery {
		k.logged = now
		k.cfg.Log.Error("state cannot be kept; detection goes on, and what it finds is kept in memory for now", "err", err)
	}
}

func (k *keeper) works(now time.Time) {
	if !k.health.Failing.IsZero() {
		k.cfg.Log.Warn("state is kept again", "after", now.Sub(k.health.Failing).Round(time.Second), "dropped", k.health.Dropped)
	}
	k.health.Failing, k.health.Error, k.health.Unstored = time.Time{}, "", 0
}
