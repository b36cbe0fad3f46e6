package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"

	"gatehouse/alert"
)

// DefaultMaxWaiting bounds the outbox, in alerts and incidents that have
// changed and that not every sink has heard of. A row takes some 100 bytes.
const DefaultMaxWaiting = 50_000

// maxDead bounds the dead letters of a sink. Of more, the oldest go.
const maxDead = 10_000

// queue enters changed alerts and incidents into the outbox. It belongs to one
// transaction.
type queue struct {
	c     *conn
	taken int64     // rows up to this one may be on their way to a sink
	now   time.Time // wall-clock
	added bool
	sinks int // active ones; -1 if not asked yet
}

// add notes that an alert or incident has changed. A row that nobody has taken
// yet serves: what is told is read when it is taken.
func (q *queue) add(ref string, story bool, severity int) error {
	if q.sinks < 0 {
		n, err := q.c.number("SELECT count(*) FROM sink WHERE active")
		if err != nil {
			return err
		}
		q.sinks = int(n)
	}
	if q.sinks == 0 {
		return nil
	}
	err := q.c.exec("UPDATE outbox SET severity = max(severity, ?3) WHERE ref = ?1 AND seq > ?2", ref, q.taken, severity)
	if err != nil || q.c.db.Changes() > 0 {
		return err
	}
	// A sink that is behind tells the first waiting row, with what is known by
	// then, and the last: rows in between say nothing new.
	err = q.c.exec("DELETE FROM outbox WHERE ref = ?1 AND seq > (SELECT min(seq) FROM outbox WHERE ref = ?1)", ref)
	if err != nil {
		return err
	}
	q.added = true
	return q.c.exec("INSERT INTO outbox (ref, story, severity, queued) VALUES (?, ?, ?, ?)", ref, flag(story), severity, q.now)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// bound drops what the outbox has no room for: the lowest severity first, of
// that the oldest. What is dropped is counted for every sink that has not
// passed it; the alert itself stays in the store.
func (q *queue) bound(limit int) error {
	if !q.added {
		return nil
	}
	n, err := q.c.number("SELECT count(*) FROM outbox")
	if err != nil || n <= int64(limit) {
		return err
	}
	// A tenth more than needed, so that a flood does not sort every time.
	excess := n - int64(limit) + int64(limit/10)
	var gone []int64
	err = query(q.c.db, "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox ORDER BY severity, seq LIMIT ?) RETURNING seq",
		[]any{excess}, func(row *sqlite3.Stmt) error {
			gone = append(gone, row.ColumnInt64(0))
			return nil
		})
	if err != nil {
		return err
	}
	slices.Sort(gone)
	cursors := make(map[string]int64)
	err = query(q.c.db, "SELECT name, cursor FROM sink WHERE active", nil, func(row *sqlite3.Stmt) error {
		cursors[row.ColumnText(0)] = row.ColumnInt64(1)
		return nil
	})
	if err != nil {
		return err
	}
	for name, cursor := range cursors {
		i, _ := slices.BinarySearch(gone, cursor+1)
		if err := q.c.exec("UPDATE sink SET dropped = dropped + ? WHERE name = ?", len(gone)-i, name); err != nil {
			return err
		}
	}
	return nil
}

// sweepOutbox deletes what all sinks have settled.
const sweepOutbox = "DELETE FROM outbox WHERE seq <= (SELECT coalesce(min(cursor), 9223372036854775807) FROM sink WHERE active)"

// Waiting returns notices behind a position in the outbox, in order, at most
// limit of them. What they are about is as it is stored now.
func (s *Store) Waiting(ctx context.Context, after int64, limit int) ([]alert.Notice, error) {
	newest, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	var out []alert.Notice
	err = s.list(ctx, "outbox row", `SELECT o.seq, o.story, o.ref, coalesce(a.body, i.body, '')
		FROM outbox o
		LEFT JOIN alert a ON NOT o.story AND a.id = o.ref
		LEFT JOIN incident i ON o.story AND i.id = o.ref
		WHERE o.seq > ? AND o.seq <= ? ORDER BY o.seq LIMIT ?`,
		[]any{after, newest, limit}, func(row *sqlite3.Stmt) error {
			out = append(out, s.notice(ctx, row.ColumnInt64(0), row.ColumnBool(1), row.ColumnText(2), row.ColumnRawText(3)))
			return nil
		})
	return out, err
}

// take says that rows up to the newest may be on their way to a sink from now
// on, and returns its number. It waits for a checkpoint that may still take
// such a row for one that nobody has read.
func (s *Store) take(ctx context.Context) (newest int64, err error) {
	s.queueing.Lock()
	defer s.queueing.Unlock()
	err = s.list(ctx, "outbox row", "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'", nil, func(row *sqlite3.Stmt) error {
		newest = row.ColumnInt64(0)
		return nil
	})
	s.taken = max(s.taken, newest)
	return newest, err
}

// notice puts a row of the outbox together. A body that is gone or bent gives
// a notice of nothing, which still has its place in the order.
func (s *Store) notice(ctx context.Context, seq int64, story bool, ref string, body []byte) alert.Notice {
	n := alert.Notice{Seq: seq}
	if len(body) == 0 {
		return n // not kept any more
	}
	var err error
	if story {
		var in alert.Incident
		if err = json.Unmarshal(body, &in); err == nil {
			n.Incident = &in
		}
	} else {
		var a alert.Alert
		if err = json.Unmarshal(body, &a); err == nil {
			n.Alert = &a
		}
	}
	if err != nil {
		s.logUnreadable(ctx, "notice", ref, err)
	}
	return n
}

// Resume returns where a sink is. The error matches ErrNotFound if it has not
// been named to SetSinks.
func (s *Store) Resume(ctx context.Context, sink string) (alert.Standing, error) {
	var out alert.Standing
	found := false
	err := s.list(ctx, "sink", "SELECT cursor, series FROM sink WHERE name = ?", []any{sink}, func(row *sqlite3.Stmt) error {
		out.Cursor, out.Series, found = row.ColumnInt64(0), row.ColumnInt64(1), true
		return nil
	})
	if err != nil {
		return out, err
	}
	if !found {
		return out, notFound("sink", sink)
	}
	out.Letters, err = s.letters(ctx, sink, false)
	return out, err
}

// DeadLetters lists the notices that a sink has not taken and that are not
// tried any more, by Seq.
func (s *Store) DeadLetters(ctx context.Context, sink string) ([]alert.Letter, error) {
	return s.letters(ctx, sink, true)
}

func (s *Store) letters(ctx context.Context, sink string, dead bool) ([]alert.Letter, error) {
	var out []alert.Letter
	err := s.list(ctx, "letter", `SELECT l.seq, l.ref, l.story, l.attempts, l.since, l.next, l.error, coalesce(a.body, i.body, '')
		FROM letter l
		LEFT JOIN alert a ON NOT l.story AND a.id = l.ref
		LEFT JOIN incident i ON l.story AND i.id = l.ref
		WHERE l.sink = ? AND l.dead = ? ORDER BY l.seq`,
		[]any{sink, flag(dead)}, func(row *sqlite3.Stmt) error {
			l := alert.Letter{
				Seq: row.ColumnInt64(0), Ref: row.ColumnText(1), Dead: dead, Attempts: row.ColumnInt(3),
				Since: timeOf(row.ColumnInt64(4)), Next: timeOf(row.ColumnInt64(5)), Error: row.ColumnText(6),
			}
			l.Notice = s.notice(ctx, l.Seq, row.ColumnBool(2), l.Ref, row.ColumnRawText(7))
			out = append(out, l)
			return nil
		})
	return out, err
}

// Settle writes down what became of notices at a sink, in one transaction.
func (s *Store) Settle(ctx context.Context, st alert.Settlement) error {
	w, err := s.writer()
	if err != nil {
		return err
	}
	err = w.transact(ctx, func(*sqlite3.Conn) error { return settle(w, &st) })
	if err != nil {
		return fmt.Errorf("write down what was delivered: %w", err)
	}
	return nil
}

func settle(c *conn, st *alert.Settlement) error {
	for _, l := range st.Hold {
		err := c.exec(`INSERT INTO letter (sink, seq, ref, story, dead, attempts, since, next, error)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (sink, seq) DO UPDATE SET dead = excluded.dead, attempts = excluded.attempts, next = excluded.next, error = excluded.error`,
			st.Place, l.Seq, l.Ref, flag(l.Notice.Incident != nil), flag(l.Dead), l.Attempts, l.Since, l.Next, l.Error)
		if err != nil {
			return err
		}
	}
	for _, seq := range st.Release {
		if err := c.exec("DELETE FROM letter WHERE sink = ? AND seq = ?", st.Place, seq); err != nil {
			return err
		}
	}
	if len(st.Hold) > 0 {
		err := c.exec(`DELETE FROM letter WHERE sink = ?1 AND dead AND seq IN
			(SELECT seq FROM letter WHERE sink = ?1 AND dead ORDER BY seq DESC LIMIT -1 OFFSET ?2)`, st.Place, maxDead)
		if err != nil {
			return err
		}
		if n := c.db.Changes(); n > 0 {
			if err := c.exec("UPDATE sink SET dropped = dropped + ? WHERE name = ?", n, st.Place); err != nil {
				return err
			}
		}
	}
	err := c.exec("UPDATE sink SET cursor = max(cursor, ?), series = max(series, ?), delivered = delivered + ?, dropped = dropped + ? WHERE name = ?",
		st.Cursor, st.Series, st.Delivered, st.Dropped, st.Place)
	if err != nil {
		return err
	}
	if c.db.Changes() == 0 {
		return notFound("sink", st.Place)
	}
	if !st.Idle {
		failing := int64(0)
		if !st.Failing.IsZero() {
			failing = nanos(st.Failing)
		}
		err := c.exec("UPDATE sink SET failing = ?, error = ?, last = iif(?, ?, last) WHERE name = ?",
			failing, st.Error, flag(st.Delivered > 0), st.At, st.Place)
		if err != nil {
			return err
		}
	}
	return c.exec(sweepOutbox)
}

// queueTransaction runs fn in a transaction that may enter rows into the
// outbox. A forced one is on the disk when it returns.
func (s *Store) queueTransaction(ctx context.Context, w *conn, forced bool, fn func(*queue) error) error {
	s.queueing.Lock()
	defer s.queueing.Unlock()
	q := &queue{c: w, taken: s.taken, now: s.now(), sinks: -1}
	if s.lock == nil {
		q.taken = math.MaxInt64 // the daemon beside us may have taken any row
	}
	return w.do(ctx, func(db *sqlite3.Conn) error {
		err := w.force(forced)
		if err != nil {
			return err
		}
		return w.inTransaction(func() error {
			if err := fn(q); err != nil {
				return err
			}
			return q.bound(s.maxWaiting)
		})
	})
}
