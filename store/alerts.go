package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"gatehouse/alert"
)

// Alerts lists alerts by the time at which they were raised.
func (s *Store) Alerts(ctx context.Context, f Filter) ([]alert.Alert, error) {
	var c clauses
	if !f.Since.IsZero() {
		c.add("time >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		c.add("time < ?", f.Until)
	}
	if f.Kind != "" {
		c.add("kind = ?", f.Kind)
	}
	if f.MinSeverity > 0 {
		c.add("severity >= ?", int(f.MinSeverity))
	}
	if f.State != "" {
		c.add("state = ?", string(f.State))
	}
	if f.Incident != "" {
		c.add("incident = ?", f.Incident)
	}
	if f.Device != "" {
		t := parseDeviceTerm(f.Device)
		c.add(`device_id = ? OR device_name = ? COLLATE NOCASE OR device_mac = ? COLLATE NOCASE
			OR EXISTS (SELECT 1 FROM json_each(iif(json_valid(body), body, '{}'), '$.device.ips') WHERE value = ?)
			OR device_id IN (`+knownDevices+`)`,
			append([]any{t.text, t.text, t.address, t.address}, t.args()...)...)
	}
	return listBodies[alert.Alert](ctx, s, "alert", c.sql("SELECT id, body FROM alert", f, "time", "id"), c.args)
}

// Alert returns the alert whose id is given, or the only one whose id starts
// with what is given. Errors match ErrNotFound or ErrAmbiguous (an
// *AmbiguousError).
func (s *Store) Alert(ctx context.Context, id string) (alert.Alert, error) {
	return oneBody[alert.Alert](ctx, s, "alert", id)
}

// Incidents lists incidents by the time at which they were last seen. Since
// and Until ask for those that were going on in between, Kind for those with
// an alert of that kind.
func (s *Store) Incidents(ctx context.Context, f Filter) ([]alert.Incident, error) {
	var c clauses
	if !f.Since.IsZero() {
		c.add("last_seen >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		c.add("first_seen < ?", f.Until)
	}
	if f.Kind != "" {
		c.add("EXISTS (SELECT 1 FROM alert WHERE alert.incident = incident.id AND alert.kind = ?)", f.Kind)
	}
	if f.MinSeverity > 0 {
		c.add("severity >= ?", int(f.MinSeverity))
	}
	if f.State != "" {
		c.add("state = ?", string(f.State))
	}
	if f.Incident != "" {
		c.add("id = ?", f.Incident)
	}
	if f.Device != "" {
		t := parseDeviceTerm(f.Device)
		c.add("EXISTS (SELECT 1 FROM json_each(iif(json_valid(body), body, '{}'), '$.devices') WHERE value = ? OR value IN ("+knownDevices+"))",
			append([]any{t.text}, t.args()...)...)
	}
	return listBodies[alert.Incident](ctx, s, "incident", c.sql("SELECT id, body FROM incident", f, "last_seen", "id"), c.args)
}

// Incident returns the incident whose id is given, or the only one whose id
// starts with what is given. Errors are those of Alert.
func (s *Store) Incident(ctx context.Context, id string) (alert.Incident, error) {
	return oneBody[alert.Incident](ctx, s, "incident", id)
}

// Observations lists observations, one per device, kind, subject and UTC day,
// by the time at which they were first made that day. Since and Until ask for
// those that were made in between at least once. MinSeverity, State and
// Incident do not apply.
func (s *Store) Observations(ctx context.Context, f Filter) ([]alert.Observation, error) {
	var c clauses
	if !f.Since.IsZero() {
		c.add("last_time >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		c.add("time < ?", f.Until)
	}
	if f.Kind != "" {
		c.add("kind = ?", f.Kind)
	}
	if f.Device != "" {
		t := parseDeviceTerm(f.Device)
		c.add("device = ? OR device IN ("+knownDevices+")", append([]any{t.text}, t.args()...)...)
	}
	sql := c.sql("SELECT time, kind, device, subject, p, summary, count FROM observation", f, "day", "time", "device", "kind", "subject")

	var out []alert.Observation
	err := s.list(ctx, "observation", sql, c.args, func(row *sqlite3.Stmt) error {
		var o alert.Observation
		setText(&o.Kind, row.ColumnText(1))
		o.Time = timeOf(row.ColumnInt64(0))
		o.Device, o.Subject = row.ColumnText(2), row.ColumnText(3)
		o.P, o.Summary, o.Count = row.ColumnFloat(4), row.ColumnText(5), row.ColumnInt(6)
		out = append(out, o)
		return nil
	})
	return out, err
}

// setText sets a string of a type that this room need not name.
func setText[S ~string](to *S, s string) { *to = S(s) }

// list reads rows of what is called by its singular. The queries are sound:
// if one is not understood, the schema is damaged.
func (s *Store) list(ctx context.Context, what, sql string, args []any, scan func(*sqlite3.Stmt) error) error {
	err := s.read.do(ctx, func(db *sqlite3.Conn) error { return asDamage(query(db, sql, args, scan)) })
	if err != nil {
		return fmt.Errorf("read %ss: %w", what, err)
	}
	return nil
}

// listBodies reads rows of an id and a JSON body. A row that the medium has
// bent is left out and logged: it must not hide the others.
func listBodies[T any](ctx context.Context, s *Store, what, sql string, args []any) ([]T, error) {
	var out []T
	err := s.list(ctx, what, sql, args, func(row *sqlite3.Stmt) error {
		var v T
		if err := json.Unmarshal(row.ColumnRawText(1), &v); err != nil {
			s.logUnreadable(ctx, what, row.ColumnText(0), err)
			return nil
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

func (s *Store) logUnreadable(ctx context.Context, what, id string, err error) {
	s.log.WarnContext(ctx, "row of the store cannot be read", "dir", s.dir, "what", what, "id", id, "error", err)
}

// oneBody reads the row of a table whose id is, or starts with, what is given.
func oneBody[T any](ctx context.Context, s *Store, table, given string) (T, error) {
	var none T
	given = clean(given)
	if given == "" {
		return none, notFound(table, given)
	}
	// The id itself sorts before everything that it is a prefix of.
	sql := fmt.Sprintf("SELECT id, body FROM %s WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT %d", table, maxCandidates+1)
	var ids []string
	var first []byte
	err := s.list(ctx, table, sql, []any{given}, func(row *sqlite3.Stmt) error {
		if len(ids) == 0 {
			first = row.ColumnBlob(1, nil)
		}
		ids = append(ids, row.ColumnText(0))
		return nil
	})
	if err != nil {
		return none, err
	}
	if err := onlyOne(table, given, ids); err != nil {
		return none, err
	}
	var v T
	if err := json.Unmarshal(first, &v); err != nil {
		return none, explain(fmt.Sprintf("%s %s is damaged in the store: %v", table, ids[0], err), ErrDamaged, err)
	}
	return v, nil
}

// onlyOne says what is wrong with a list of candidates of which the first is
// to be taken: at most maxCandidates+1, sorted.
func onlyOne(what, given string, ids []string) error {
	switch {
	case len(ids) == 0:
		return notFound(what, given)
	case len(ids) == 1 || ids[0] == given:
		return nil
	}
	e := &AmbiguousError{What: what, Given: given, Candidates: ids}
	if len(ids) > maxCandidates {
		e.Candidates, e.More = ids[:maxCandidates], true
	}
	return e
}
