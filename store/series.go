package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"gatehouse/device"
)

// putMinute stores what a device did in a minute, and replaces what was known
// of that minute if it has become more.
func putMinute(c *conn, m *device.Minute) error {
	if m.Device == "" {
		return fmt.Errorf("minute %s without a device", m.Time)
	}
	at := m.Time.Unix()
	at -= ((at % 60) + 60) % 60
	values := []any{at, m.Device, int64(m.BytesIn), int64(m.BytesOut), int64(m.Packets), int64(m.Flows), int(m.Peers), int(m.Names), int(m.NXDomain)}
	// A new row, so that sinks which have told the old one tell the new one.
	err := c.exec(`DELETE FROM minute WHERE time = ?1 AND device = ?2
		AND (bytes_in, bytes_out, packets, flows, peers, names, nxdomain) IS NOT (?3, ?4, ?5, ?6, ?7, ?8, ?9)`, values...)
	if err != nil {
		return err
	}
	return c.exec(`INSERT INTO minute (time, device, bytes_in, bytes_out, packets, flows, peers, names, nxdomain)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (time, device) DO NOTHING`, values...)
}

// putHour stores what a device did in an hour.
func putHour(c *conn, h *device.Minute) error {
	if h.Device == "" {
		return fmt.Errorf("hour %s without a device", h.Time)
	}
	at := h.Time.Unix()
	at -= ((at % 3600) + 3600) % 3600
	return c.exec(`INSERT INTO hour (time, device, bytes_in, bytes_out, packets, flows, peers, names, nxdomain)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (time, device) DO UPDATE SET
			bytes_in = max(bytes_in, excluded.bytes_in), bytes_out = max(bytes_out, excluded.bytes_out),
			packets = max(packets, excluded.packets), flows = max(flows, excluded.flows),
			peers = max(peers, excluded.peers), names = max(names, excluded.names), nxdomain = max(nxdomain, excluded.nxdomain)`,
		at, h.Device, int64(h.BytesIn), int64(h.BytesOut), int64(h.Packets), int64(h.Flows), int(h.Peers), int(h.Names), int(h.NXDomain))
}

// seriesColumns are those of a minute or an hour m, joined with its device d.
const seriesColumns = `m.time, m.device, coalesce(d.name, ''), coalesce(d.device_group, ''),
	m.bytes_in, m.bytes_out, m.packets, m.flows, m.peers, m.names, m.nxdomain`

func scanMinute(row *sqlite3.Stmt) device.Minute {
	return device.Minute{
		Time: time.Unix(row.ColumnInt64(0), 0).UTC(), Device: row.ColumnText(1), Name: row.ColumnText(2), Group: row.ColumnText(3),
		BytesIn: uint64(row.ColumnInt64(4)), BytesOut: uint64(row.ColumnInt64(5)), Packets: uint64(row.ColumnInt64(6)), Flows: uint64(row.ColumnInt64(7)),
		Peers: uint32(row.ColumnInt64(8)), Names: uint32(row.ColumnInt64(9)), NXDomain: uint32(row.ColumnInt64(10)),
	}
}

// Minutes returns minutes that were stored behind a position, in the order in
// which they were, at most limit of them, and the position of the last.
func (s *Store) Minutes(ctx context.Context, after int64, limit int) ([]device.Minute, int64, error) {
	var out []device.Minute
	last := after
	err := s.list(ctx, "minute", "SELECT "+seriesColumns+", m.seq FROM minute m LEFT JOIN device d ON d.id = m.device WHERE m.seq > ? ORDER BY m.seq LIMIT ?",
		[]any{after, limit}, func(row *sqlite3.Stmt) error {
			out = append(out, scanMinute(row))
			last = row.ColumnInt64(11)
			return nil
		})
	return out, last, err
}

// Series lists what a device did in each minute, oldest first, or in each hour
// if hourly: Since and Until of the filter apply to when these begin, and
// Device as an id; "" is all devices. Minutes become hours after some days
// (Retention.Minutes) and are gone as minutes then; an hour has those that have
// and those that have not. Its peers and names are the most of any of its
// minutes.
func (s *Store) Series(ctx context.Context, f Filter, hourly bool) ([]device.Minute, error) {
	f.OldestFirst = true
	what, from := "minute", "minute"
	if hourly {
		what, from = "hour", wholeHours
	}
	var c clauses
	if !f.Since.IsZero() {
		c.add("m.time >= ?", f.Since.Unix())
	}
	if !f.Until.IsZero() {
		c.add("m.time < ?", f.Until.Unix())
	}
	if f.Device != "" {
		c.add("m.device = ?", f.Device)
	}
	sql := c.sql("SELECT "+seriesColumns+" FROM "+from+" m LEFT JOIN device d ON d.id = m.device", f, "m.time", "m.device")
	var out []device.Minute
	err := s.list(ctx, what, sql, c.args, func(row *sqlite3.Stmt) error {
		out = append(out, scanMinute(row))
		return nil
	})
	return out, err
}

// wholeHours is a subquery for all hours: those that minutes have become, with what
// rollUp is still going to add to them.
const wholeHours = `(
	SELECT time, device, sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out, sum(packets) AS packets, sum(flows) AS flows,
		max(peers) AS peers, max(names) AS names, max(nxdomain) AS nxdomain
	FROM (
		SELECT time, device, bytes_in, bytes_out, packets, flows, peers, names, nxdomain FROM hour
		UNION ALL
		SELECT time - (time % 3600 + 3600) % 3600, device, bytes_in, bytes_out, packets, flows, peers, names, nxdomain FROM minute)
	GROUP BY time, device)`

// rollUp turns minutes before a time into hours, whole hours only. It returns
// how many minutes went.
func rollUp(ctx context.Context, c *conn, before time.Time) (gone int, err error) {
	end := before.Truncate(time.Hour).Unix()
	for {
		n := 0
		err := c.transact(ctx, func(db *sqlite3.Conn) error {
			// The oldest hour: one at a time, so that a checkpoint never waits
			// long.
			begin, err := c.number("SELECT coalesce(min(time), 9223372036854775807) FROM minute")
			if err != nil || begin >= end {
				return err
			}
			hour := begin - ((begin%3600)+3600)%3600
			err = c.exec(`INSERT INTO hour (time, device, bytes_in, bytes_out, packets, flows, peers, names, nxdomain)
				SELECT ?1, device, sum(bytes_in), sum(bytes_out), sum(packets), sum(flows), max(peers), max(names), max(nxdomain)
				FROM minute WHERE time >= ?1 AND time < ?1 + 3600 GROUP BY device
				ON CONFLICT (time, device) DO UPDATE SET
					bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out,
					packets = packets + excluded.packets, flows = flows + excluded.flows,
					peers = max(peers, excluded.peers), names = max(names, excluded.names), nxdomain = max(nxdomain, excluded.nxdomain)`, hour)
			if err != nil {
				return err
			}
			err = c.exec("DELETE FROM minute WHERE time >= ?1 AND time < ?1 + 3600", hour)
			n = int(db.Changes())
			return err
		})
		gone += n
		if err != nil || n == 0 {
			return gone, err
		}
	}
}
