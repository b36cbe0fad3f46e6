package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/alert"
	"gatehouse/device"
)

// Batch is everything that has changed since the last checkpoint. Rows that
// are not given stay as they are.
type Batch struct {
	// Removed are ids of devices that are no more, for instance because they
	// turned out to be another one. What was learned of them goes before the
	// rest is stored; ids that are not stored are fine.
	Removed []string

	// Alerts and Incidents replace stored ones of a lower revision.
	Alerts    []alert.Alert
	Incidents []alert.Incident

	// Observations are merged by device, kind, subject and UTC day of their
	// Time: counts add up, the first time, the smallest P and its summary
	// stay. Count is the number of occurrences since Time: to correct it while
	// it grows, give the observation again with the same Time. One with an
	// earlier Time than the newest of its row has been counted already and is
	// ignored, which makes repeating a checkpoint harmless.
	Observations []alert.Observation

	// Devices and Baselines replace what is stored.
	Devices   []DeviceRow
	Baselines []BaselineRow

	// Minutes replace what is stored of the same minute and device.
	Minutes []device.Minute
	// Hours are minutes that are too many to store one by one, added up. What
	// is stored of the same hour and device stays where it is more.
	Hours []device.Minute

	Sensor []byte // state of the analyst as a whole; nil leaves the stored one
	Run    *Run   // the run that makes the checkpoint; nil for none
}

// DeviceRow is a device as far as the store knows it.
type DeviceRow struct {
	ID                  string
	Name                string
	Vendor, Type, Group string
	FirstSeen, LastSeen time.Time       // packet time
	Addresses           []string        // MAC and IP addresses by which it can be looked up
	Data                json.RawMessage // the device as its room writes it; required
}

// BaselineRow is the model of one device.
type BaselineRow struct {
	Device string    // DeviceRow.ID
	Time   time.Time // packet time up to which it has learned
	Model  []byte    // opaque, at most MaxBlob bytes
}

// Run is one run of the daemon or one replay.
type Run struct {
	ID      string
	Started time.Time
	Updated time.Time       // last checkpoint
	Data    json.RawMessage // what it read and found, as the pipeline writes it; required
}

// Checkpoint stores a batch in one transaction: after an error nothing of it
// is stored, after nil it survives the death of the process, and with an alert
// or incident in it a power cut too. Giving the same batch again changes
// nothing. When the disk is full, alerts and incidents are stored without the
// rest as long as there is room in what was set aside for them: they are told,
// so they have to be kept. The error is ErrFull then as well.
//
// Errors match ErrFull, ErrReadOnly, ErrDamaged, the context's error, or tell
// which row cannot be stored.
func (s *Store) Checkpoint(ctx context.Context, b Batch) error {
	w, err := s.writer()
	if err != nil {
		return err
	}
	forced := len(b.Alerts)+len(b.Incidents) > 0
	err = s.queueTransaction(ctx, w, forced, b.put)
	switch {
	case err == nil:
		s.reserve.hold(s.now())
		return nil
	case forced && errors.Is(err, ErrFull):
		err = s.squeeze(ctx, w, b, err)
	}
	return fmt.Errorf("store checkpoint: %w", err)
}

// squeeze stores the alerts and incidents of a batch for which the disk has no
// room, at the cost of what was set aside. It returns why the rest is not.
func (s *Store) squeeze(ctx context.Context, w *conn, b Batch, why error) error {
	b = Batch{Alerts: b.Alerts, Incidents: b.Incidents}
	for {
		err := s.queueTransaction(ctx, w, true, b.put)
		switch {
		case err == nil:
			return fmt.Errorf("%w (its alerts are kept, the rest is not)", why)
		case !errors.Is(err, ErrFull) || !s.reserve.spend():
			return why
		}
	}
}

// put stores the rows of a batch. It stops at the first error: on some of them
// SQLite has ended the transaction, and what came after would be stored alone.
func (b *Batch) put(q *queue) error {
	c := q.c
	if err := putAll(c, b.Removed, remove); err != nil {
		return err
	}
	if err := putAll(q, b.Alerts, putAlert); err != nil {
		return err
	}
	if err := putAll(q, b.Incidents, putIncident); err != nil {
		return err
	}
	if err := putAll(c, inOrder(b.Observations), putObservation); err != nil {
		return err
	}
	if err := putAll(c, b.Devices, putDevice); err != nil {
		return err
	}
	if err := putAll(c, b.Baselines, putBaseline); err != nil {
		return err
	}
	if err := putAll(c, b.Minutes, putMinute); err != nil {
		return err
	}
	if err := putAll(c, b.Hours, putHour); err != nil {
		return err
	}
	if err := putSensor(c, b.Sensor); err != nil {
		return err
	}
	return putRun(c, b.Run)
}

// putAll stores rows until one fails.
func putAll[T, To any](to To, rows []T, put func(To, *T) error) error {
	for i := range rows {
		if err := put(to, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes what was learned of a device. Alerts about it stay: they
// record what has happened.
func remove(c *conn, device *string) error {
	for _, sql := range []string{
		"DELETE FROM device WHERE id = ?",
		"DELETE FROM baseline WHERE device = ?",
		"DELETE FROM observation WHERE device = ?",
		"DELETE FROM minute WHERE device = ?",
		"DELETE FROM hour WHERE device = ?",
	} {
		if err := c.exec(sql, *device); err != nil {
			return err
		}
	}
	return nil
}

// putAlert stores an alert and, if that has changed something, queues it for
// the sinks. Who raises alerts always has them open: what a person has said
// about them since stays.
func putAlert(q *queue, a *alert.Alert) error {
	if a.ID == "" {
		return errors.New("alert without an id")
	}
	body, err := encodeAlert(*a)
	if err != nil {
		return fmt.Errorf("encode alert %s: %w", a.ID, err)
	}
	err = q.c.exec(`
		INSERT INTO alert (id, revision, time, last_seen, kind, severity, state, device_id, device_name, device_mac, incident, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET
			revision = excluded.revision, time = excluded.time, last_seen = excluded.last_seen,
			kind = excluded.kind, severity = excluded.severity, state = `+keptState+`,
			device_id = excluded.device_id, device_name = excluded.device_name, device_mac = excluded.device_mac,
			incident = excluded.incident, body = `+keptBody+`
		WHERE excluded.revision > revision`,
		a.ID, a.Revision, a.Time, a.LastSeen, string(a.Kind), int(a.Severity), string(a.State),
		a.Device.ID, a.Device.Name, a.Device.MAC, a.Incident, string(body))
	if err != nil || q.c.db.Changes() == 0 {
		return err
	}
	return q.add(a.ID, false, int(a.Severity))
}

// What a row keeps of its state when a newer revision that is open comes in.
const (
	keptState = "iif(excluded.state = 'open', state, excluded.state)"
	keptBody  = "iif(excluded.state <> 'open' OR state = 'open', excluded.body, json_set(excluded.body, '$.state', state))"
)

// encodeAlert writes an alert as JSON that can be read back. It works on its
// own copy.
func encodeAlert(a alert.Alert) ([]byte, error) {
	if err := checkSeverity(&a.Severity); err != nil {
		return nil, err
	}
	a.Time, a.FirstSeen, a.LastSeen = a.Time.UTC(), a.FirstSeen.UTC(), a.LastSeen.UTC()
	a.Score, a.Confidence, a.Visibility = finite(a.Score), finite(a.Confidence), finite(a.Visibility)
	a.Why = slices.Clone(a.Why)
	for i := range a.Why {
		a.Why[i].Surprise = finite(a.Why[i].Surprise)
	}
	a.Evidence = slices.Clone(a.Evidence)
	for i := range a.Evidence {
		a.Evidence[i].Time = a.Evidence[i].Time.UTC()
	}
	return json.Marshal(a)
}

// checkSeverity refuses a severity that could be written but not read back.
func checkSeverity(s interface {
	MarshalText() ([]byte, error)
	UnmarshalText([]byte) error
},
) error {
	text, err := s.MarshalText()
	if err != nil {
		return err
	}
	return s.UnmarshalText(text)
}

func putIncident(q *queue, in *alert.Incident) error {
	if in.ID == "" {
		return errors.New("incident without an id")
	}
	row := *in
	row.FirstSeen, row.LastSeen = row.FirstSeen.UTC(), row.LastSeen.UTC()
	err := checkSeverity(&row.Severity)
	var body []byte
	if err == nil {
		body, err = json.Marshal(row)
	}
	if err != nil {
		return fmt.Errorf("encode incident %s: %w", in.ID, err)
	}
	err = q.c.exec(`
		INSERT INTO incident (id, revision, first_seen, last_seen, severity, state, body)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET
			revision = excluded.revision, first_seen = excluded.first_seen, last_seen = excluded.last_seen,
			severity = excluded.severity, state = `+keptState+`, body = `+keptBody+`
		WHERE excluded.revision > revision`,
		in.ID, in.Revision, in.FirstSeen, in.LastSeen, int(in.Severity), string(in.State), string(body))
	if err != nil || q.c.db.Changes() == 0 {
		return err
	}
	return q.add(in.ID, true, int(in.Severity))
}

// inOrder returns the observations by time, as merging them requires.
func inOrder(obs []alert.Observation) []alert.Observation {
	byTime := func(a, b alert.Observation) int { return cmp.Compare(nanos(a.Time), nanos(b.Time)) }
	if slices.IsSortedFunc(obs, byTime) {
		return obs
	}
	obs = slices.Clone(obs)
	slices.SortStableFunc(obs, byTime)
	return obs
}

func putObservation(c *conn, o *alert.Observation) error {
	t := nanos(o.Time)
	return c.exec(`
		INSERT INTO observation (day, device, kind, subject, time, last_time, last_count, count, p, summary)
		VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?6, ?7, ?8)
		ON CONFLICT (day, device, kind, subject) DO UPDATE SET
			count = count + iif(excluded.last_time > last_time, excluded.count, max(0, excluded.count - last_count)),
			last_count = iif(excluded.last_time > last_time, excluded.count, max(last_count, excluded.count)),
			last_time = excluded.last_time,
			summary = iif(excluded.p < p, excluded.summary, summary),
			p = min(p, excluded.p)
		WHERE excluded.last_time > last_time
		   OR excluded.last_time = last_time AND (excluded.count > last_count OR excluded.p < p)`,
		dayOf(t), o.Device, string(o.Kind), o.Subject, t, o.Count, o.P, o.Summary)
}

func putDevice(c *conn, d *DeviceRow) error {
	switch {
	case d.ID == "":
		return errors.New("device without an id")
	case !json.Valid(d.Data):
		return fmt.Errorf("device %s: data is not JSON", d.ID)
	}
	addresses, err := json.Marshal(d.Addresses)
	if err != nil {
		return fmt.Errorf("encode addresses of device %s: %w", d.ID, err)
	}
	return c.exec(`
		INSERT INTO device (id, name, vendor, type, device_group, first_seen, last_seen, addresses, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET
			name = excluded.name, vendor = excluded.vendor, type = excluded.type, device_group = excluded.device_group,
			first_seen = excluded.first_seen, last_seen = excluded.last_seen,
			addresses = excluded.addresses, body = excluded.body
		WHERE (name, vendor, type, device_group, first_seen, last_seen, addresses, body)
		   IS NOT (excluded.name, excluded.vendor, excluded.type, excluded.device_group,
		           excluded.first_seen, excluded.last_seen, excluded.addresses, excluded.body)`,
		d.ID, d.Name, d.Vendor, d.Type, d.Group, d.FirstSeen, d.LastSeen, string(addresses), string(d.Data))
}

func putBaseline(c *conn, b *BaselineRow) error {
	if b.Device == "" {
		return errors.New("baseline without a device")
	}
	return c.exec(`
		INSERT INTO baseline (device, time, model) VALUES (?, ?, ?)
		ON CONFLICT (device) DO UPDATE SET time = excluded.time, model = excluded.model
		WHERE (time, model) IS NOT (excluded.time, excluded.model)`,
		b.Device, b.Time, b.Model)
}

func putSensor(c *conn, state []byte) error {
	if state == nil {
		return nil
	}
	return c.exec(`
		INSERT INTO sensor (id, state) VALUES (1, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state WHERE state IS NOT excluded.state`, state)
}

func putRun(c *conn, r *Run) error {
	if r == nil {
		return nil
	}
	switch {
	case r.ID == "":
		return errors.New("run without an id")
	case !json.Valid(r.Data):
		return fmt.Errorf("run %s: data is not JSON", r.ID)
	}
	return c.exec(`
		INSERT INTO run (id, started, updated, body) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET started = excluded.started, updated = excluded.updated, body = excluded.body
		WHERE (started, updated, body) IS NOT (excluded.started, excluded.updated, excluded.body)`,
		r.ID, r.Started, r.Updated, string(r.Data))
}
