package device

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// snapshotVersion changes when a stored inventory must not be read as before.
const snapshotVersion = 1

// ErrSnapshot is wrapped by what is wrong with a snapshot.
var ErrSnapshot = errors.New("inventory snapshot")

// savedDevice is a Device with what only the Inventory knows of it.
type savedDevice struct {
	*Device
	// Order is the place in the order of last use: among equals in time it
	// decides who is evicted first.
	Order       int    `json:"order"`
	Last        int64  `json:"last"` // LastSeen, ns since the Unix epoch
	Provisional bool   `json:"provisional,omitempty"`
	Established bool   `json:"established,omitempty"`
	Source      *saved `json:"source,omitempty"`
}

// saved is a source in a snapshot.
type saved struct {
	MAC  MAC          `json:"mac"`
	Nets []netip.Addr `json:"nets"`
	N    uint8        `json:"n"`
}

// savedState is what an Inventory knows besides its devices.
type savedState struct {
	Version    int               `json:"version"`
	Prefixes   []netip.Prefix    `json:"prefixes,omitempty"`
	Routers    []netip.Addr      `json:"routers,omitempty"`
	Gateways   map[uint16]string `json:"gateways,omitempty"` // VLAN to device ID
	Sources    []saved           `json:"sources,omitempty"`  // of MACs that are no devices
	Anchor     netip.Addr        `json:"anchor,omitzero"`
	AnchorPeer netip.Addr        `json:"anchor_peer,omitzero"`
	Stats      Stats             `json:"stats"`
}

// Snapshot is a stored Inventory: JSON, one value for each device and one for
// everything else. Devices are independent of each other, so that a store may
// keep each in a row of its own.
type Snapshot struct {
	State   json.RawMessage            `json:"state"`
	Devices map[string]json.RawMessage `json:"devices"` // by ID
}

// Snapshot returns the whole state. An Inventory restored from it treats all
// later events exactly as this one would.
func (v *Inventory) Snapshot() (*Snapshot, error) {
	st := savedState{
		Version:    snapshotVersion,
		Prefixes:   v.prefixes,
		Routers:    v.routers,
		Gateways:   make(map[uint16]string, len(v.gateways)),
		Anchor:     v.anchor.ip,
		AnchorPeer: v.anchor.peer,
		Stats:      v.stats,
	}
	for vlan, d := range v.gateways {
		st.Gateways[vlan] = d.ID
	}
	for _, mac := range slices.Sorted(maps.Keys(v.sources)) {
		if v.byMAC[mac] == nil {
			st.Sources = append(st.Sources, v.saveSource(mac))
		}
	}
	out := &Snapshot{Devices: make(map[string]json.RawMessage, len(v.devices))}
	var err error
	if out.State, err = json.Marshal(st); err != nil {
		return nil, fmt.Errorf("encode inventory: %w", err)
	}

	order := 0
	save := func(d *Device) error {
		order++
		s := savedDevice{Device: d, Order: order, Last: d.last, Provisional: d.provisional, Established: d.established}
		if _, ok := v.sources[d.MAC.key()]; ok {
			src := v.saveSource(d.MAC.key())
			s.Source = &src
		}
		b, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("encode device %s: %w", d.ID, err)
		}
		out.Devices[d.ID] = b
		return nil
	}
	for _, l := range []*list{&v.old, &v.young} {
		for d := l.head; d != nil; d = d.next {
			if err := save(d); err != nil {
				return nil, err
			}
		}
	}
	for _, g := range v.Gateways() {
		if err := save(g); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (v *Inventory) saveSource(mac uint64) saved {
	src := v.sources[mac]
	s := saved{MAC: macOf(mac), N: src.count}
	for _, n := range src.nets[:min(int(src.count), 2)] {
		s.Nets = append(s.Nets, netip.AddrFrom16(n))
	}
	return s
}

// Restore returns an Inventory that goes on where the snapshot was taken. If
// the snapshot holds more devices than cfg allows, those idle for longest are
// left out and counted as evicted. Errors wrap ErrSnapshot.
func Restore(cfg Config, snap *Snapshot) (*Inventory, error) {
	v := New(cfg)
	var st savedState
	if err := json.Unmarshal(snap.State, &st); err != nil {
		return nil, fmt.Errorf("%w: decode state: %w", ErrSnapshot, err)
	}
	if st.Version != snapshotVersion {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrSnapshot, st.Version, snapshotVersion)
	}
	v.prefixes, v.routers, v.stats = st.Prefixes, st.Routers, st.Stats
	v.anchor = anchor{st.Anchor, st.AnchorPeer}

	devices := make([]savedDevice, 0, len(snap.Devices))
	for _, id := range slices.Sorted(maps.Keys(snap.Devices)) {
		s := savedDevice{Device: &Device{}}
		if err := json.Unmarshal(snap.Devices[id], &s); err != nil {
			return nil, fmt.Errorf("%w: decode device %q: %w", ErrSnapshot, id, err)
		}
		if s.ID != id {
			return nil, fmt.Errorf("%w: device %q is filed as %q", ErrSnapshot, s.ID, id)
		}
		devices = append(devices, s)
	}
	slices.SortStableFunc(devices, func(a, b savedDevice) int {
		return cmp.Or(-cmpBool(a.Gateway, b.Gateway), -cmpBool(a.Established, b.Established), cmp.Compare(b.Order, a.Order))
	})
	if extra := len(devices) - cfg.MaxDevices; extra > 0 {
		devices = devices[:cfg.MaxDevices]
		v.stats.Evicted += uint64(extra)
	}
	slices.Reverse(devices) // least recently used first
	for i := range devices {
		v.readmit(&devices[i])
	}
	for vlan, id := range st.Gateways {
		if d := v.devices[id]; d != nil && d.Gateway {
			v.gateways[vlan] = d
		}
	}
	for _, s := range st.Sources {
		v.restoreSource(s)
	}
	return v, nil
}

// readmit enters a stored device into all tables.
func (v *Inventory) readmit(s *savedDevice) {
	d := s.Device
	d.last, d.established = s.Last, s.Established
	d.Addresses = d.Addresses[:min(len(d.Addresses), maxAddresses)]
	d.Services = d.Services[:min(len(d.Services), maxServices)]
	v.guess(d, s.Provisional)
	v.devices[d.ID] = d
	if d.MAC != (MAC{}) {
		v.byMAC[d.MAC.key()] = d
	}
	switch {
	case d.Gateway:
	case d.established:
		v.old.push(d)
	default:
		v.young.push(d)
	}
	for _, e := range d.Addresses {
		v.link(d, e.IP, e.VLAN)
		if v.foreign(e.IP) {
			v.public++
		}
	}
	if s.Source != nil {
		v.restoreSource(*s.Source)
	}
}

func (v *Inventory) restoreSource(s saved) {
	var src source
	for i, n := range s.Nets[:min(len(s.Nets), 2)] {
		src.nets[i] = n.As16()
	}
	src.count = min(s.N, spoofTolerance)
	v.sources[s.MAC.key()] = src
}

func cmpBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
