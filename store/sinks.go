package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
)

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
