package store

import (
	"context"
	"encoding/json"
	"errors"
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

// SetSinks says which sinks there are. For each of them the outbox keeps what
// it has not been told. One that is new hears of what changes from now on. One
// that is no longer named keeps its dead letters; nothing more is kept for it.
func (s *Store) SetSinks(ctx context.Context, names []string) error {
	w, err := s.writer()
	if err != nil {
		return err
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	err = w.transact(ctx, func(db *sqlite3.Conn) error {
		err := w.exec("UPDATE sink SET active = name IN (SELECT value FROM json_each(?1)) WHERE active <> (name IN (SELECT value FROM json_each(?1)))", string(list))
		if err != nil {
			return err
		}
		for _, name := range names {
			err := w.exec(`INSERT INTO sink (name, active, cursor, series)
				VALUES (?, 1, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'),
				              (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'minute'))
				ON CONFLICT (name) DO NOTHING`, name)
			if err != nil {
				return err
			}
		}
		return w.exec(sweepOutbox)
	})
	if err != nil {
		return fmt.Errorf("register sinks: %w", err)
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

// SinkState is how a sink stands.
type SinkState struct {
	Name      string    `json:"name"`
	Active    bool      `json:"active"`           // it is in the configuration that was last run
	Waiting   int       `json:"waiting"`          // alerts and incidents that it has not been told, letters besides
	Oldest    time.Time `json:"oldest,omitzero"`  // when the first of them changed
	Held      int       `json:"held"`             // letters that will be tried again
	Dead      int       `json:"dead"`             // letters that were given up
	Delivered int64     `json:"delivered"`        // in all
	Dropped   int64     `json:"dropped"`          // for want of room
	Last      time.Time `json:"last,omitzero"`    // delivery
	Failing   time.Time `json:"failing,omitzero"` // since when; zero if the last attempt succeeded
	Error     string    `json:"error,omitempty"`  // of the last attempt
}

// Sinks lists all sinks, by name.
func (s *Store) Sinks(ctx context.Context) ([]SinkState, error) {
	var out []SinkState
	moment := func(ns int64) time.Time {
		if ns == 0 {
			return time.Time{}
		}
		return timeOf(ns)
	}
	err := s.list(ctx, "sink", `SELECT name, active, delivered, dropped, last, failing, error,
			(SELECT count(*) FROM letter l WHERE l.sink = name AND NOT dead),
			(SELECT count(*) FROM letter l WHERE l.sink = name AND dead),
			iif(active, (SELECT count(*) FROM outbox WHERE seq > cursor), 0),
			iif(active, (SELECT coalesce(min(queued), 0) FROM outbox WHERE seq > cursor), 0)
		FROM sink ORDER BY name`, nil, func(row *sqlite3.Stmt) error {
		out = append(out, SinkState{
			Name: row.ColumnText(0), Active: row.ColumnBool(1),
			Delivered: row.ColumnInt64(2), Dropped: row.ColumnInt64(3), Last: moment(row.ColumnInt64(4)),
			Failing: moment(row.ColumnInt64(5)), Error: row.ColumnText(6),
			Held: row.ColumnInt(7), Dead: row.ColumnInt(8),
			Waiting: row.ColumnInt(9), Oldest: moment(row.ColumnInt64(10)),
		})
		return nil
	})
	return out, err
}

// Retry lets the dead letters of a sink be tried again, and returns how many.
// A daemon beside it takes them up within seconds.
func (s *Store) Retry(ctx context.Context, sink string) (n int, err error) {
	w, err := s.writer()
	if err != nil {
		return 0, err
	}
	err = w.transact(ctx, func(db *sqlite3.Conn) error {
		known, err := w.number("SELECT count(*) FROM sink WHERE name = ?", sink)
		if err != nil {
			return err
		}
		if known == 0 {
			return notFound("sink", sink)
		}
		err = w.exec("UPDATE letter SET dead = 0, attempts = 0, next = 0 WHERE sink = ? AND dead", sink)
		n = int(db.Changes())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retry dead letters: %w", err)
	}
	return n, nil
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

// Decision is what somebody has said about an alert or incident.
type Decision struct {
	Seq      int64
	Ref      string // id of an alert or incident
	Revision int    // of it with the decision
	State    alert.State
	Time     time.Time // wall-clock
}

// Decisions lists decisions behind a position, in order.
func (s *Store) Decisions(ctx context.Context, after int64) ([]Decision, error) {
	var out []Decision
	err := s.list(ctx, "decision", "SELECT seq, ref, revision, state, time FROM decision WHERE seq > ? ORDER BY seq", []any{after}, func(row *sqlite3.Stmt) error {
		d := Decision{Seq: row.ColumnInt64(0), Ref: row.ColumnText(1), Revision: row.ColumnInt(2), Time: timeOf(row.ColumnInt64(4))}
		setText(&d.State, row.ColumnText(3))
		out = append(out, d)
		return nil
	})
	return out, err
}

// keptDecisions is how many decisions stay: a daemon that runs reads each
// within seconds, and one that starts reads the states themselves.
const keptDecisions = 1000

// SetState writes down that an alert, or an incident with all of its alerts,
// is open, acknowledged or closed, and lets the sinks know. It returns the ids
// of what has changed. A checkpoint does not open again what was closed. The
// id may be abbreviated as for Alert; errors are those of Alert.
func (s *Store) SetState(ctx context.Context, id string, state alert.State) (changed []string, err error) {
	w, err := s.writer()
	if err != nil {
		return nil, err
	}
	if state != alert.Open && state != alert.Acknowledged && state != alert.Closed {
		return nil, fmt.Errorf("unknown state %q: use open, acknowledged or closed", state)
	}
	var in alert.Incident
	a, err := s.Alert(ctx, id)
	if errors.Is(err, ErrNotFound) {
		if in, err = s.Incident(ctx, id); errors.Is(err, ErrNotFound) {
			return nil, notFound("alert or incident", id)
		}
	}
	if err != nil {
		return nil, err
	}
	err = s.queueTransaction(ctx, w, true, func(q *queue) error {
		if in.ID == "" {
			changed, err = q.decide("alert", "id", a.ID, state)
			return err
		}
		if changed, err = q.decide("incident", "id", in.ID, state); err != nil {
			return err
		}
		more, err := q.decide("alert", "incident", in.ID, state)
		changed = append(changed, more...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("set state: %w", err)
	}
	return changed, nil
}

// decide sets the state of the rows that are not in it already.
func (q *queue) decide(table, column, value string, state alert.State) (ids []string, err error) {
	type decided struct {
		id                 string
		revision, severity int
	}
	var all []decided
	err = query(q.c.db, fmt.Sprintf(`UPDATE %s SET state = ?1, revision = revision + 1,
			body = json_set(body, '$.state', ?1, '$.revision', revision + 1)
		WHERE %s = ?2 AND state <> ?1 RETURNING id, revision, severity`, table, column),
		[]any{string(state), value}, func(row *sqlite3.Stmt) error {
			all = append(all, decided{row.ColumnText(0), row.ColumnInt(1), row.ColumnInt(2)})
			return nil
		})
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if err := q.add(d.id, table == "incident", d.severity); err != nil {
			return nil, err
		}
		err := q.c.exec("INSERT INTO decision (ref, revision, state, time) VALUES (?, ?, ?, ?)", d.id, d.revision, string(state), q.now)
		if err != nil {
			return nil, err
		}
		ids = append(ids, d.id)
	}
	return ids, q.c.exec("DELETE FROM decision WHERE seq <= (SELECT max(seq) FROM decision) - ?", keptDecisions)
}
