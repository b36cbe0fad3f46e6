package device

import (
	"cmp"
	"slices"
	"time"
)

// Minute is what one device did in one minute of packet time: the unit of all
// time series. Counts are of flow events as they came; a flow that is still
// running is counted as far as it was reported.
type Minute struct {
	Time     time.Time `json:"time"`            // its first second, UTC
	Device   string    `json:"device"`          // Device.ID
	Name     string    `json:"name"`            // Device.Name, as it was then
	Group    string    `json:"group,omitempty"` // Device.Group, as it was then; "" if none
	BytesIn  uint64    `json:"bytes_in"`        // of IP datagrams to the device, headers included
	BytesOut uint64    `json:"bytes_out"`       // of IP datagrams from the device
	Packets  uint64    `json:"packets"`         // both ways
	Flows    uint64    `json:"flows"`           // that began
	Peers    uint32    `json:"peers"`           // different addresses that it dealt with
	Names    uint32    `json:"names"`           // different names that it looked up
	NXDomain uint32    `json:"nxdomain"`        // different names among them that do not exist
}

// Hours adds minutes up to hours, of which it returns all, sorted by time and
// device. Peers and names of an hour are the most of any of its minutes: how
// many different ones the hour had cannot be told from them.
func Hours(hours, minutes []Minute) []Minute {
	type key struct {
		hour   int64
		device string
	}
	at := make(map[key]int, len(hours))
	for i := range hours {
		at[key{hours[i].Time.Unix(), hours[i].Device}] = i
	}
	for i := range minutes {
		m := minutes[i]
		m.Time = m.Time.Truncate(time.Hour)
		k := key{m.Time.Unix(), m.Device}
		j, ok := at[k]
		if !ok {
			at[k] = len(hours)
			hours = append(hours, m)
			continue
		}
		h := &hours[j]
		h.BytesIn += m.BytesIn
		h.BytesOut += m.BytesOut
		h.Packets += m.Packets
		h.Flows += m.Flows
		h.Peers, h.Names, h.NXDomain = max(h.Peers, m.Peers), max(h.Names, m.Names), max(h.NXDomain, m.NXDomain)
	}
	slices.SortFunc(hours, func(x, y Minute) int { return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Device, y.Device)) })
	return hours
}
