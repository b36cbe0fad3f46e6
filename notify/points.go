package notify

import (
	"cmp"
	"encoding/json"
	"errors"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"gatehouse/alert"
	"gatehouse/device"
	"gatehouse/notify/format"
)

// Measurements. The only tags are site, group, device, kind and severity;
// everything else is a field, because each combination of tags is a series
// that the server keeps in memory.
const (
	alertMeasurement    = "gatehouse_alert"
	incidentMeasurement = "gatehouse_incident"
	digestMeasurement   = "gatehouse_digest"
	minuteMeasurement   = "gatehouse_device"
	sensorMeasurement   = "gatehouse_sensor"
)

// points renders what InfluxDB is told, within a number of series.
type points struct {
	site   string
	byName bool // the tag device is the name and not the id
	noText bool // fields are numbers alone
	precision
	limit   int
	seen    map[string]struct{} // series that were written
	refused int64               // points that would have made one more
}

// newPoints reads the settings that are about points.
func newPoints(site string, c *Influx) *points {
	return &points{site: tagValue(site), byName: c.DeviceTag == "name", noText: !c.Texts, precision: precisions[c.Precision], limit: c.MaxSeries, seen: map[string]struct{}{}}
}

// tags is the closed set.
type tags struct{ group, device, kind, severity string }

// otherSeries stands for the device of an alert beyond the limit.
const otherSeries = "other"

// admit reports whether a series exists or may be made.
func (p *points) admit(measurement string, t tags) bool {
	key := strings.Join([]string{measurement, t.group, t.device, t.kind, t.severity}, "\x00")
	if _, ok := p.seen[key]; ok {
		return true
	}
	if len(p.seen) >= p.limit {
		p.refused++
		return false
	}
	p.seen[key] = struct{}{}
	return true
}

// errTime says that a time is none that InfluxDB has: nanoseconds in 64 bits.
var errTime = errors.New("its time is not between the years 1678 and 2261")

// notice renders an alert at the moment when it was raised, so that each
// revision takes the place of the one before (as long as its tags stay the
// same: a new severity is a new series); incidents likewise. An alert is never
// left out: beyond the limit of series its device becomes "other".
func (p *points) notice(n *alert.Notice) (*write.Point, error) {
	at := n.Time()
	switch {
	case n.Alert != nil:
		at = n.Alert.Time
	case n.Incident != nil:
		at = n.Incident.FirstSeen
	case n.Digest == nil:
		return nil, errors.New("it is empty")
	}
	if y := at.Year(); y < 1678 || y > 2261 {
		return nil, errTime
	}
	at = p.spread(at, n.ID())
	switch {
	case n.Alert != nil:
		return p.alert(n.Alert, at)
	case n.Incident != nil:
		i := n.Incident
		return p.point(incidentMeasurement, tags{severity: i.Severity.String()}, at).
			fields(map[string]any{
				"id": i.ID, "revision": i.Revision, "alerts": len(i.Alerts), "devices": len(i.Devices), "lead": i.Lead,
				"summary": i.Summary, "state": string(i.State), "merged_into": i.MergedInto, "last_seen": nanos(i.LastSeen),
			})
	default:
		d := n.Digest
		return p.point(digestMeasurement, tags{severity: d.Severity.String()}, at).
			fields(map[string]any{
				"id": d.ID, "alerts": d.Alerts, "incidents": d.Incidents, "summary": d.Summary,
				"devices": strings.Join(d.Devices, ", "), "from": nanos(d.From),
			})
	}
}

// spread puts a hash in the place of the finest part of a time: two alerts of
// the same packet must not become one point. Of 30 alerts of one device and
// kind in one millisecond, two would in one case of 2,300 with nanoseconds.
func (p precision) spread(t time.Time, id string) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash does not fail
	slot := h.Sum64() % uint64(p.within/p.unit)
	return t.Truncate(p.within).Add(time.Duration(slot * uint64(p.unit)))
}

func (p *points) alert(a *alert.Alert, at time.Time) (*write.Point, error) {
	t := tags{group: a.Device.Group, device: p.deviceTag(a.Device.ID, a.Device.Name), kind: string(a.Kind), severity: a.Severity.String()}
	if !p.admit(alertMeasurement, t) {
		t.group, t.device = "", otherSeries
	}
	why, err := json.Marshal(a.Why)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(a.Evidence))
	for i, e := range a.Evidence {
		ids[i] = e.CommunityID
	}
	return p.point(alertMeasurement, t, at).fields(map[string]any{
		"id": a.ID, "revision": a.Revision, "count": a.Count, "score": a.Score, "confidence": a.Confidence, "visibility": a.Visibility,
		"class": string(a.Class), "state": string(a.State), "incident": a.Incident, "playbook": a.Playbook,
		"summary": a.Summary, "subject": a.Subject, "why": string(why), "attack": strings.Join(a.Attack, " "),
		"device_id": a.Device.ID, "device_name": a.Device.Name, "device_mac": a.Device.MAC, "device_ip": format.DeviceIP(a),
		"device_vendor": a.Device.Vendor, "device_type": a.Device.Type,
		"peer_ip": a.Peer.IP, "peer_name": a.Peer.Name, "peer_port": int(a.Peer.Port), "peer_proto": a.Peer.Proto,
		"peer_country": a.Peer.Country, "peer_asn": int64(a.Peer.ASN), "community_id": strings.Join(ids, " "),
		"raised": nanos(a.Time), "first_seen": nanos(a.FirstSeen), "last_seen": nanos(a.LastSeen),
	})
}

// minute renders a minute of a device, nil beyond the limit of series: summed
// up under one name they would overwrite each other.
func (p *points) minute(m *device.Minute) *write.Point {
	t := tags{group: m.Group, device: p.deviceTag(m.Device, m.Name)}
	if y := m.Time.Year(); y < 1678 || y > 2261 || !p.admit(minuteMeasurement, t) {
		return nil
	}
	pt, err := p.point(minuteMeasurement, t, m.Time).fields(map[string]any{
		"bytes_in": count(m.BytesIn), "bytes_out": count(m.BytesOut), "packets": count(m.Packets), "flows": count(m.Flows),
		"peers": int64(m.Peers), "names": int64(m.Names), "nxdomain": int64(m.NXDomain), "device_name": m.Name,
	})
	if err != nil {
		return nil // there is no number in it that could be none
	}
	return pt
}

// health renders how the sensor is, and how near the limit of series.
func (p *points) health(h Health) *write.Point {
	visibility := h.Visibility
	if math.IsNaN(visibility) || math.IsInf(visibility, 0) {
		visibility = 0 // nothing was on the wire
	}
	pt, err := p.point(sensorMeasurement, tags{}, h.Time).fields(map[string]any{
		"visibility": visibility, "packets": count(h.Packets), "bytes": count(h.Bytes), "lost": count(h.Lost), "flows": count(h.Flows),
		"devices": h.Devices, "alerts": count(h.Alerts), "problems": len(h.Problems), "problem": strings.Join(h.Problems, " "),
		"series": len(p.seen), "series_limit": p.limit, "series_refused": p.refused,
	})
	if err != nil {
		return nil // as above
	}
	return pt
}

func (p *points) deviceTag(id, name string) string {
	if p.byName {
		return cmp.Or(name, id)
	}
	return id
}

// builder is a point without fields.
type builder struct {
	p      *write.Point
	noText bool
}

func (p *points) point(measurement string, t tags, at time.Time) builder {
	pt := write.NewPointWithMeasurement(measurement).SetTime(at)
	for _, tag := range []struct{ key, value string }{
		{"device", t.device}, {"group", t.group}, {"kind", t.kind}, {"severity", t.severity}, {"site", p.site},
	} {
		if v := tagValue(tag.value); v != "" {
			pt.AddTag(tag.key, v)
		}
	}
	return builder{pt, p.noText}
}

// maxFieldText is how long a text may be: InfluxDB takes up to 64 KiB.
const maxFieldText = 16 << 10

// fields adds numbers as they are and texts that are not empty, by name.
func (b builder) fields(all map[string]any) (*write.Point, error) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		switch v := all[key].(type) {
		case string:
			if v != "" && !b.noText {
				b.p.AddField(key, format.Cut(printable(v), maxFieldText))
			}
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, errors.New(key + " is no number")
			}
			b.p.AddField(key, v)
		default:
			b.p.AddField(key, v)
		}
	}
	return b.p, nil
}

// printable makes spaces of control characters: the library writes a line
// break in a text as a backslash and an n, which is how it would read back.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// tagValue keeps to what a tag may hold: no line break, and no backslash, which
// the line protocol cannot end a value with.
func tagValue(s string) string {
	return format.Cut(strings.ReplaceAll(printable(s), `\`, "/"), 256)
}

// count is an unsigned number as an integer of InfluxDB, which has no unsigned
// ones before version 2.
func count(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// nanos is a time as a number, for dashboards to calculate with; a text where
// that has no room.
func nanos(t time.Time) any {
	if y := t.Year(); y < 1678 || y > 2261 {
		return ""
	}
	return t.UnixNano()
}
