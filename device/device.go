// Package device answers "who is it?": it turns flow events into an inventory
// of devices with stable identities, names, vendors, types and groups, from
// ranked evidence (ARP and DHCP before addresses, DHCP and mDNS names before
// vendors).
//
// It promises that the inventory depends on the events alone, that its memory
// is bounded by Config.MaxDevices whatever arrives, that an established device
// is never displaced by a flood of new ones, and that observing a known device
// allocates nothing. It must not judge: spoofing and new devices are findings
// of package detect; what is counted here (Conflicts) is only why an identity
// was not changed.
package device

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// MAC is a 48-bit hardware address. The zero value means "none".
type MAC [6]byte

// String gives the usual colon form, or "" for none.
func (m MAC) String() string {
	if m == (MAC{}) {
		return ""
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// MarshalText implements encoding.TextMarshaler with the colon form.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It takes six bytes of hex
// with or without ":" or "-" between them, and nothing at all for none.
func (m *MAC) UnmarshalText(b []byte) error {
	digits := make([]byte, 0, 12)
	for _, c := range b {
		if c != ':' && c != '-' {
			digits = append(digits, c)
		}
	}
	if len(digits) == 0 {
		*m = MAC{}
		return nil
	}
	if len(digits) != 12 {
		return fmt.Errorf("parse MAC address %q: want six bytes of hex", b)
	}
	if _, err := hex.Decode(m[:], digits); err != nil {
		return fmt.Errorf("parse MAC address %q: %w", b, err)
	}
	return nil
}

// Random reports whether the address is locally administered (bit 1 of the
// first byte, IEEE 802-2014 section 8.2): chosen by software, as phones do for
// privacy and virtual machines do for want of a registered prefix.
func (m MAC) Random() bool { return m[0]&2 != 0 }

// key packs the address for maps; 0 is none.
func (m MAC) key() uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}

// unicastKey is the key of an address that can belong to one station, and 0
// for none and for group addresses, which no honest frame has as its source.
func unicastKey(b [6]byte) uint64 {
	if b[0]&1 != 0 {
		return 0
	}
	return MAC(b).key()
}

func macOf(key uint64) MAC {
	return MAC{byte(key >> 40), byte(key >> 32), byte(key >> 24), byte(key >> 16), byte(key >> 8), byte(key)}
}

// Address is one IP address that a device has or had.
type Address struct {
	IP        netip.Addr `json:"ip"`
	VLAN      uint16     `json:"vlan,omitempty"`    // 0 if seen untagged only
	Claimed   bool       `json:"claimed,omitempty"` // by ARP or DHCP, not only by sending from it
	FirstSeen time.Time  `json:"first_seen"`
	LastSeen  time.Time  `json:"last_seen"`
}

// Hostname is the latest name from one source, sanitised.
type Hostname struct {
	Name   string     `json:"name"`
	Source NameSource `json:"source"`
}

// Fingerprint is what a device's own DHCP requests say about its software.
type Fingerprint struct {
	Params  string `json:"params,omitempty"`  // option 55 in order, decimal with commas ("1,3,6"), as Fingerbank writes it
	Options string `json:"options,omitempty"` // option codes in the order sent
	Vendor  string `json:"vendor,omitempty"`  // option 60, sanitised
}

// Traffic counts one direction of the flows that have ended.
type Traffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"` // of IP datagrams, headers included
}

// Device is one device of ours. Its exported fields are for reading; they
// belong to the Inventory and change as it observes. Use Clone to hand a
// Device to another goroutine.
type Device struct {
	// ID is stable for the life of the device: "mac:f4b85eff2b1b" for a
	// station on an attached segment, "ip:10.0.0.5" or "ip:10.0.0.5@20" (VLAN
	// 20) for an address behind a router or on a link without addresses.
	ID   string `json:"id"`
	MAC  MAC    `json:"mac,omitzero"`
	Via  MAC    `json:"via,omitzero"` // of the router that an "ip:" device was last seen behind
	VLAN uint16 `json:"vlan,omitempty"`

	Name         string     `json:"name"` // printable, 1 to 63 runes
	NameSource   NameSource `json:"name_source"`
	Vendor       string     `json:"vendor,omitempty"` // from the OUI; "" if unknown or random
	Model        string     `json:"model,omitempty"`  // as advertised over mDNS
	Type         Type       `json:"type"`
	TypeEvidence string     `json:"type_evidence,omitempty"` // what Type rests on: "mDNS _ipp._tcp"
	Group        string     `json:"group,omitempty"`         // suggested group of like devices, "" if too little is known

	Gateway   bool `json:"gateway,omitempty"`    // forwards between us and the WAN
	Router    bool `json:"router,omitempty"`     // forwards for addresses other than its own
	RandomMAC bool `json:"random_mac,omitempty"` // locally administered

	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"` // last packet from it, to the accuracy of flow events

	Addresses []Address    `json:"addresses,omitempty"` // at most 16, most recently used are kept
	Hostnames []Hostname   `json:"hostnames,omitempty"` // one a source
	Services  []string     `json:"services,omitempty"`  // advertised over mDNS, at most 16, sorted
	DHCP      *Fingerprint `json:"dhcp,omitempty"`
	In        Traffic      `json:"in"`
	Out       Traffic      `json:"out"`
	// Conflicts counts uses of an address that is another live device's.
	Conflicts uint64 `json:"conflicts,omitempty"`

	provisional bool  // a guess on a link where nothing is local by address
	established bool  // seen over a span of establishAfter
	gone        bool  // removed from the inventory
	last        int64 // LastSeen, ns
	prev, next  *Device
}

// IPs returns the addresses, most recently used first.
func (d *Device) IPs() []netip.Addr {
	sorted := slices.Clone(d.Addresses)
	slices.SortStableFunc(sorted, func(a, b Address) int { return b.LastSeen.Compare(a.LastSeen) })
	ips := make([]netip.Addr, len(sorted))
	for i, a := range sorted {
		ips[i] = a.IP
	}
	return ips
}

// Clone returns a copy that shares nothing with d.
func (d *Device) Clone() *Device {
	c := *d
	c.Addresses = slices.Clone(d.Addresses)
	c.Hostnames = slices.Clone(d.Hostnames)
	c.Services = slices.Clone(d.Services)
	if d.DHCP != nil {
		f := *d.DHCP
		c.DHCP = &f
	}
	c.prev, c.next = nil, nil
	return &c
}

// carrier reports whether addresses seen with the device's MAC may be others'.
func (d *Device) carrier() bool { return d.Gateway || d.Router }

// address finds ip among the device's addresses.
func (d *Device) address(ip netip.Addr) *Address {
	for i := range d.Addresses {
		if d.Addresses[i].IP == ip {
			return &d.Addresses[i]
		}
	}
	return nil
}
