package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"gatehouse/alert"
)

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
