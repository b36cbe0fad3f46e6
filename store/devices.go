package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/ncruces/go-sqlite3"
)

const deviceColumns = "id, name, vendor, type, device_group, first_seen, last_seen, addresses, body"

// Devices lists all devices by id.
func (s *Store) Devices(ctx context.Context) ([]DeviceRow, error) {
	return s.devices(ctx, "SELECT "+deviceColumns+" FROM device ORDER BY id")
}

// Device returns the device with an id, a name (in any case), a MAC or an IP
// address, or else the only one whose id starts with what is given. Errors
// match ErrNotFound or ErrAmbiguous (an *AmbiguousError).
func (s *Store) Device(ctx context.Context, term string) (DeviceRow, error) {
	t := parseDeviceTerm(clean(term))
	if t.text == "" {
		return DeviceRow{}, notFound("device", term)
	}
	limit := fmt.Sprintf(" ORDER BY id <> ?1, id LIMIT %d", maxCandidates+1)
	found, err := s.devices(ctx, "SELECT "+deviceColumns+` FROM device
		WHERE id = ?1 OR name = ?1 COLLATE NOCASE OR `+hasAddress+limit, t.text, t.address)
	if err == nil && len(found) == 0 {
		found, err = s.devices(ctx, "SELECT "+deviceColumns+" FROM device WHERE substr(id, 1, length(?1)) = ?1"+limit, t.text)
	}
	if err != nil {
		return DeviceRow{}, err
	}
	ids := make([]string, len(found))
	for i, d := range found {
		ids[i] = d.ID
	}
	if err := onlyOne("device", term, ids); err != nil {
		return DeviceRow{}, err
	}
	return found[0], nil
}

func (s *Store) devices(ctx context.Context, sql string, args ...any) ([]DeviceRow, error) {
	var out []DeviceRow
	err := s.list(ctx, "device", sql, args, func(row *sqlite3.Stmt) error {
		d := DeviceRow{
			ID: row.ColumnText(0), Name: row.ColumnText(1),
			Vendor: row.ColumnText(2), Type: row.ColumnText(3), Group: row.ColumnText(4),
			FirstSeen: timeOf(row.ColumnInt64(5)), LastSeen: timeOf(row.ColumnInt64(6)),
			Data: row.ColumnBlob(8, nil),
		}
		if err := json.Unmarshal(row.ColumnRawText(7), &d.Addresses); err != nil {
			s.logUnreadable(ctx, "addresses of device", d.ID, err)
		}
		out = append(out, d)
		return nil
	})
	return out, err
}

// baselinePage is how many models are read at a time: at most 1 MiB of them,
// as a device's state is bounded to 64 KiB.
const baselinePage = 16

// Baselines iterates over all baselines by device id. It stops after the first
// error. The store can be used within the loop.
func (s *Store) Baselines(ctx context.Context) iter.Seq2[BaselineRow, error] {
	sql := fmt.Sprintf("SELECT device, time, model FROM baseline WHERE device > ? ORDER BY device LIMIT %d", baselinePage)
	return func(yield func(BaselineRow, error) bool) {
		last := ""
		for {
			page, err := s.baselines(ctx, sql, last)
			if err != nil {
				yield(BaselineRow{}, err)
				return
			}
			for _, b := range page {
				if !yield(b, nil) {
					return
				}
				last = b.Device
			}
			if len(page) < baselinePage {
				return
			}
		}
	}
}

// Baseline returns the baseline of one device, by its id. The error matches
// ErrNotFound if it has none.
func (s *Store) Baseline(ctx context.Context, device string) (BaselineRow, error) {
	found, err := s.baselines(ctx, "SELECT device, time, model FROM baseline WHERE device = ?", device)
	if err != nil {
		return BaselineRow{}, err
	}
	if len(found) == 0 {
		return BaselineRow{}, notFound("baseline of device", device)
	}
	return found[0], nil
}

func (s *Store) baselines(ctx context.Context, sql, arg string) ([]BaselineRow, error) {
	var out []BaselineRow
	err := s.list(ctx, "baseline", sql, []any{arg}, func(row *sqlite3.Stmt) error {
		out = append(out, BaselineRow{
			Device: row.ColumnText(0),
			Time:   timeOf(row.ColumnInt64(1)),
			Model:  row.ColumnBlob(2, nil),
		})
		return nil
	})
	return out, err
}

// Sensor returns the state of the sensor as a whole, nil if none has been
// stored yet.
func (s *Store) Sensor(ctx context.Context) ([]byte, error) {
	var state []byte
	err := s.list(ctx, "sensor state", "SELECT state FROM sensor", nil, func(row *sqlite3.Stmt) error {
		state = row.ColumnBlob(0, []byte{})
		return nil
	})
	return state, err
}

// Runs lists the last runs, newest first; all of them if limit is 0.
func (s *Store) Runs(ctx context.Context, limit int) ([]Run, error) {
	var c clauses
	sql := c.sql("SELECT id, started, updated, body FROM run", Filter{Limit: limit}, "started", "id")
	var out []Run
	err := s.list(ctx, "run", sql, nil, func(row *sqlite3.Stmt) error {
		out = append(out, Run{
			ID:      row.ColumnText(0),
			Started: timeOf(row.ColumnInt64(1)), Updated: timeOf(row.ColumnInt64(2)),
			Data: row.ColumnBlob(3, nil),
		})
		return nil
	})
	return out, err
}
