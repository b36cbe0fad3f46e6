package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Limit bounds rows of a kind by age and number. A zero field does not bound.
type Limit struct {
	Age  time.Duration
	Rows int
}

// Retention says what Prune keeps. Open and acknowledged alerts, incidents
// that are not closed, devices and baselines are kept whatever it says.
type Retention struct {
	Alerts       Limit // closed alerts, by when they were last seen
	Incidents    Limit // closed incidents without stored alerts, by when they were last seen
	Observations Limit // by when they were first made
	Runs         Limit // runs but the newest, by when they started
	Minutes      Limit // of the series; then they become hours. Rows does not apply
	Hours        Limit // of the series
	// Size bounds the database, in bytes; 0 does not. It is the last resort,
	// and holds for open alerts too: see shrink.
	Size int64
}

// DefaultRetention keeps a year and a month of alerts, so that one can be
// compared with the same month of last year, and 90 days of observations. At
// some 1.1 kB an alert and 200 bytes an observation, the row limits bound
// these to 75 MB. Three days of minutes take 10 MB for 30 devices, and a year
// of hours 15 MB.
func DefaultRetention() Retention {
	const day = 24 * time.Hour
	return Retention{
		Alerts:       Limit{Age: 396 * day, Rows: 50_000},
		Incidents:    Limit{Age: 396 * day, Rows: 50_000},
		Observations: Limit{Age: 90 * day, Rows: 100_000},
		Runs:         Limit{Age: 396 * day, Rows: 1000},
		Minutes:      Limit{Age: 3 * day},
		Hours:        Limit{Age: 396 * day, Rows: 1_000_000},
		Size:         512 << 20,
	}
}

// Pruned counts the rows that were deleted.
type Pruned struct {
	Alerts, Incidents, Observations, Runs int
	Minutes, Hours                        int // minutes that became hours, and hours that were deleted
	// Open counts the alerts among them that were not closed: they had to go
	// for want of room.
	Open int
}

// pruneStep is how many rows are deleted in one transaction, so that a
// checkpoint never waits long and the log stays short.
const pruneStep = 2000

// Prune deletes what is older than r allows at the time now, then the oldest
// rows beyond the allowed number, and gives the space back to the file system.
// It works in small transactions: when it fails or ctx ends, what it has
// deleted stays deleted.
func (s *Store) Prune(ctx context.Context, now time.Time, r Retention) (Pruned, error) {
	w, err := s.writer()
	if err != nil {
		return Pruned{}, err
	}
	var done Pruned
	for _, job := range []struct {
		prunable
		limit Limit
		count *int
	}{
		{closedAlerts, r.Alerts, &done.Alerts},
		{closedIncidents, r.Incidents, &done.Incidents},
		{observations, r.Observations, &done.Observations},
		{pastRuns, r.Runs, &done.Runs},
		{pastHours, r.Hours, &done.Hours},
	} {
		n, err := job.prune(ctx, w, now, job.limit)
		*job.count = n
		if err != nil {
			return done, fmt.Errorf("prune %ss: %w", job.table, err)
		}
	}
	if r.Minutes.Age > 0 {
		if done.Minutes, err = rollUp(ctx, w, now.Add(-r.Minutes.Age)); err != nil {
			return done, fmt.Errorf("turn minutes into hours: %w", err)
		}
	}
	if r.Size > 0 {
		if err := shrink(ctx, w, r.Size, &done); err != nil {
			return done, fmt.Errorf("keep the database within %d bytes: %w", r.Size, err)
		}
	}
	if done == (Pruned{}) {
		return done, nil
	}
	return done, w.do(ctx, func(db *sqlite3.Conn) error { return db.Exec("PRAGMA incremental_vacuum") })
}

// prunable is rows of a table that may be deleted, oldest first.
type prunable struct {
	table string
	key   string // of a row
	age   string // column of the time that counts
	order string // by age, as an index has it
	where string
}

var (
	// Whole seconds are enough for hours, so their age is another kind of number.
	pastHours       = prunable{"hour", "time, device", "time * 1000000000", "time", "true"}
	closedAlerts    = prunable{"alert", "rowid", "last_seen", "last_seen", "state = 'closed'"}
	closedIncidents = prunable{"incident", "rowid", "last_seen", "last_seen", "state = 'closed' AND NOT EXISTS (SELECT 1 FROM alert WHERE alert.incident = incident.id)"}
	observations    = prunable{"observation", "day, device, kind, subject", "time", "day, time", "true"}
	pastRuns        = prunable{"run", "rowid", "started", "started", "started < (SELECT max(started) FROM run)"}
)

// prune applies a limit and returns the number of rows deleted.
func (p prunable) prune(ctx context.Context, c *conn, now time.Time, l Limit) (deleted int, err error) {
	if l.Age > 0 {
		before := now.Add(-l.Age)
		deleted, err = p.delete(ctx, c, before, math.MaxInt)
		if err != nil {
			return deleted, err
		}
	}
	if l.Rows <= 0 {
		return deleted, nil
	}
	excess := -l.Rows
	err = c.do(ctx, func(db *sqlite3.Conn) error {
		sql := fmt.Sprintf("SELECT count(*) FROM %s WHERE %s", p.table, p.where)
		return query(db, sql, nil, func(row *sqlite3.Stmt) error {
			excess += row.ColumnInt(0)
			return nil
		})
	})
	if err != nil {
		return deleted, err
	}
	n, err := p.delete(ctx, c, maxTime, excess)
	return deleted + n, err
}

// delete deletes up to limit rows older than a time, oldest first.
func (p prunable) delete(ctx context.Context, c *conn, before time.Time, limit int) (deleted int, err error) {
	sql := fmt.Sprintf("DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s AND %[4]s < ? ORDER BY %[5]s LIMIT ?)",
		p.table, p.key, p.where, p.age, p.order)
	for deleted < limit {
		step := min(limit-deleted, pruneStep)
		var n int
		err := c.transact(ctx, func(db *sqlite3.Conn) error {
			err := c.exec(sql, before, step)
			n = int(db.Changes())
			return err
		})
		if err != nil {
			return deleted, err
		}
		deleted += n
		if n < step {
			break
		}
	}
	return deleted, nil
}

// What shrink deletes before it touches the next, oldest first; of alerts that
// are not closed the lowest severity first, critical ones last.
func expendable(done *Pruned) []struct {
	prunable
	count *int
} {
	return []struct {
		prunable
		count *int
	}{
		{observations, &done.Observations},
		{closedAlerts, &done.Alerts},
		{prunable{"minute", "seq", "time", "seq", "true"}, &done.Minutes},
		{pastHours, &done.Hours},
		{prunable{"alert", "rowid", "last_seen", "severity, last_seen", "true"}, &done.Open},
		{prunable{"incident", "rowid", "last_seen", "last_seen", "NOT EXISTS (SELECT 1 FROM alert WHERE alert.incident = incident.id)"}, &done.Incidents},
	}
}

// shrink deletes rows until the pages in use fit into limit bytes.
func shrink(ctx context.Context, c *conn, limit int64, done *Pruned) error {
	for _, job := range expendable(done) {
		for {
			var used int64
			err := c.do(ctx, func(*sqlite3.Conn) (err error) {
				used, err = c.number("SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size")
				return err
			})
			if err != nil || used <= limit {
				return err
			}
			n, err := job.delete(ctx, c, maxTime, pruneStep)
			*job.count += n
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
	}
	return nil
}

// Forget deletes what was learned of a device, by its id: the device, its
// baseline and its observations. Unlike Batch.Removed it overwrites the bytes,
// also those in the log. Alerts about the device stay: they record what has
// happened. Whoever still holds the device in memory must let go of it first,
// or the next checkpoint brings it back. Nothing happens if it is unknown.
func (s *Store) Forget(ctx context.Context, device string) error {
	w, err := s.writer()
	if err != nil {
		return err
	}
	err = w.do(ctx, func(db *sqlite3.Conn) error {
		if err := db.Exec("PRAGMA secure_delete = ON"); err != nil {
			return err
		}
		err := w.inTransaction(func() error { return remove(w, &device) })
		err = errors.Join(err, db.Exec("PRAGMA secure_delete = FAST"))
		if err != nil {
			return err
		}
		// Free pages hold earlier models, and so does the log: give the pages
		// back, then fold the log back and cut it to nothing.
		if err := db.Exec("PRAGMA incremental_vacuum"); err != nil {
			return err
		}
		_, _, err = db.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget device: %w", err)
	}
	return nil
}
