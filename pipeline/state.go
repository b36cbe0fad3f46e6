package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"gatehouse/alert"
	"gatehouse/baseline"
	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/store"
)

// State is where a run keeps what must outlive it; *store.Store is one.
type State interface {
	Checkpoint(ctx context.Context, b store.Batch) error
	Prune(ctx context.Context, now time.Time, r store.Retention) (store.Pruned, error)
	Alerts(ctx context.Context, f store.Filter) ([]alert.Alert, error)
	Incidents(ctx context.Context, f store.Filter) ([]alert.Incident, error)
	Devices(ctx context.Context) ([]store.DeviceRow, error)
	Baselines(ctx context.Context) iter.Seq2[store.BaselineRow, error]
	Sensor(ctx context.Context) ([]byte, error)
	Decisions(ctx context.Context, after int64) ([]store.Decision, error)
	Series(ctx context.Context, f store.Filter, hourly bool) ([]device.Minute, error)
	Wear() store.Wear
}

// sensor is the state of the analyst that belongs to no device.
type sensor struct {
	Now     int64              `json:"now"` // ns since the Unix epoch: latest packet
	Devices json.RawMessage    `json:"inventory"`
	Names   []detect.NameEntry `json:"names"`
}

// learned adds to a batch all that was learned since the last one: devices,
// baselines, the state of the sensor.
func (a *analyst) learned(b *store.Batch) error {
	b.Removed = a.removed
	snapshot, err := a.devices.Snapshot()
	if err != nil {
		return err
	}
	for _, d := range a.devices.All() {
		s := a.subjects[d.ID]
		changed := s != nil && s.changed
		if changed || d.Gateway {
			b.Devices = append(b.Devices, deviceRow(d, snapshot.Devices[d.ID]))
		}
		if !changed {
			continue
		}
		blob, err := s.model.Snapshot()
		if err != nil {
			return fmt.Errorf("snapshot baseline of %s: %w", d.ID, err)
		}
		b.Baselines = append(b.Baselines, store.BaselineRow{Device: d.ID, Time: time.Unix(0, a.now).UTC(), Model: blob})
	}
	b.Sensor, err = json.Marshal(sensor{Now: a.now, Devices: snapshot.State, Names: a.names.Entries()})
	return err
}

// stored notes that all that was learned is.
func (a *analyst) stored() {
	a.removed = a.removed[:0]
	for _, s := range a.subjects {
		s.changed = false
	}
}

func deviceRow(d *device.Device, data json.RawMessage) store.DeviceRow {
	row := store.DeviceRow{
		ID: d.ID, Name: d.Name, Vendor: d.Vendor, Type: string(d.Type), Group: d.Group,
		FirstSeen: d.FirstSeen, LastSeen: d.LastSeen, Data: data,
	}
	if mac := d.MAC.String(); mac != "" {
		row.Addresses = append(row.Addresses, mac)
	}
	for _, addr := range d.Addresses {
		if ip := addr.IP.String(); !slices.Contains(row.Addresses, ip) {
			row.Addresses = append(row.Addresses, ip)
		}
	}
	return row
}

// restore takes up where the run that wrote st stopped.
func (a *analyst) restore(ctx context.Context, st State) error {
	raw, err := st.Sensor(ctx)
	if err != nil || len(raw) == 0 {
		return err
	}
	var s sensor
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("read state of the sensor: %w", err)
	}
	a.now = s.Now
	a.names.Restore(s.Names)
	rows, err := st.Devices(ctx)
	if err != nil {
		return err
	}
	snapshot := &device.Snapshot{State: s.Devices, Devices: make(map[string]json.RawMessage, len(rows))}
	for _, row := range rows {
		snapshot.Devices[row.ID] = row.Data
	}
	if a.devices, err = device.Restore(a.deviceConfig, snapshot); err != nil {
		return err
	}
	for row, err := range st.Baselines(ctx) {
		if err != nil {
			return err
		}
		if a.devices.Get(row.Device) == nil {
			continue
		}
		m, err := baseline.Restore(row.Model)
		if err != nil {
			// One device that starts to learn again is better than a sensor
			// that does not start.
			a.log.Warn("baseline is damaged, the device is learned anew", "device", row.Device, "err", err)
			continue
		}
		a.subjects[row.Device] = &subject{model: m}
	}
	alerts, err := st.Alerts(ctx, store.Filter{})
	if err != nil {
		return err
	}
	incidents, err := st.Incidents(ctx, store.Filter{})
	if err != nil {
		return err
	}
	a.book.Restore(alerts, incidents)
	// Minutes are stored more often than the rest, so there may be later ones.
	minutes, err := st.Series(ctx, store.Filter{Since: time.Unix(0, a.now).Add(-time.Minute)}, false)
	if err != nil {
		return err
	}
	a.meter.Resume(minutes)
	return nil
}
