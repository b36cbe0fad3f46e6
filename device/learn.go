package device

import (
	"net/netip"
	"strconv"
	"time"

	"gatehouse/flow"
	"gatehouse/wire"
)

// DHCP message types (RFC 2132 section 9.6).
const (
	dhcpDiscover = 1
	dhcpRequest  = 3
	dhcpACK      = 5
	dhcpInform   = 8
)

// observeFrame learns from link-layer messages.
func (v *Inventory) observeFrame(ev *flow.Event, now time.Time, ns int64) Ends {
	var ends Ends
	if ev.Record.Tunnel {
		return ends // some other segment's
	}
	for _, m := range ev.Messages {
		if arp, ok := m.(*wire.ARP); ok {
			ends = v.learnARP(arp, ev.Record.VLAN, now, ns)
		}
	}
	return ends
}

// learnARP takes the sender of an ARP message at its word about its own
// address, unless that is another live device's (RFC 826; probes with an
// unspecified sender, RFC 5227, claim nothing).
func (v *Inventory) learnARP(m *wire.ARP, vlan uint16, now time.Time, ns int64) Ends {
	var ends Ends
	if mac := unicastKey(m.SenderMAC); mac != 0 {
		if d := v.station(mac, now); d != nil {
			v.claim(d, m.SenderIP.Unmap(), vlan, now, false)
			v.touch(d, now, ns)
			ends.Client = d
		}
	}
	if m.TargetIP.IsValid() && m.TargetIP != m.SenderIP {
		ends.Server = v.lookup(m.TargetIP.Unmap(), vlan)
	}
	return ends
}

// claim gives d an address on evidence better than having sent from it. A
// lease moves it even from a live holder; anything else is a conflict then.
func (v *Inventory) claim(d *Device, a netip.Addr, vlan uint16, now time.Time, lease bool) {
	switch {
	case !a.IsValid(), a.IsUnspecified(), a.IsMulticast(), a.IsLoopback(), v.byRange(a) == Broadcast:
		return
	}
	owner := v.lookup(a, vlan)
	if owner != nil && owner != d && owner.MAC != (MAC{}) {
		e := owner.address(a)
		if e.Claimed && now.Sub(e.LastSeen) < liveFor {
			v.conflict(d)
			if !lease {
				return
			}
		}
	}
	v.rebind(d, a, vlan, now).Claimed = true
	v.guess(d, false)
}

// learn takes what the messages of an event say about the devices at its ends.
// It reports whether an end may have to be told anew.
func (v *Inventory) learn(ev *flow.Event, ends Ends, now time.Time, ns int64) (again bool) {
	for _, m := range ev.Messages {
		switch m := m.(type) {
		case *wire.DHCPv4:
			v.learnDHCP(m, &ev.Record, now, ns)
			again = true
		case *wire.DNS:
			if m.Proto == "mdns" || m.Proto == "llmnr" {
				v.learnNames(m, &ev.Record, ends)
			}
		}
	}
	return again
}

// learnDHCP learns from one DHCP message. What a client says of itself is
// believed only in a frame of its own: starvation tools invent a client
// address a packet, and relays speak for other segments.
func (v *Inventory) learnDHCP(m *wire.DHCPv4, r *flow.Record, now time.Time, ns int64) {
	mac := unicastKey(m.ClientMAC)
	if mac == 0 {
		return
	}
	if m.Reply {
		v.learnLease(m, r.VLAN, now)
		return
	}
	from := unicastKey(r.Client.MAC)
	if from != 0 && from != mac {
		return
	}
	d := v.byMAC[mac]
	if d == nil {
		if from == 0 {
			return // a link without addresses: its devices are told by theirs
		}
		if d = v.station(mac, now); d == nil {
			return
		}
	}
	v.touch(d, now, ns)
	v.nameFrom(d, ByDHCP, m.Hostname)
	if m.Type != dhcpDiscover && m.Type != dhcpRequest && m.Type != dhcpInform {
		return
	}
	// A renewal leaves out option 55, and says less than the first request.
	if len(m.Params) > 0 {
		d.DHCP = &Fingerprint{
			Params:  codes(m.Params),
			Options: codes(m.Options),
			Vendor:  Sanitize(m.Vendor),
		}
		v.classify(d)
		v.regroup(d)
	}
}

// learnLease learns from a server's reply: who holds which address, which
// prefix is ours, and who routes.
func (v *Inventory) learnLease(m *wire.DHCPv4, vlan uint16, now time.Time) {
	if m.Type != dhcpACK || !m.YourIP.IsValid() {
		return
	}
	if m.Mask > 0 && m.Mask <= 32 {
		if p, err := m.YourIP.Unmap().Prefix(m.Mask); err == nil {
			v.learnPrefix(p)
		}
	}
	for _, a := range m.Routers[:min(len(m.Routers), 2)] {
		v.learnRouter(a, vlan)
	}
	if d := v.byMAC[unicastKey(m.ClientMAC)]; d != nil {
		v.claim(d, m.YourIP.Unmap(), vlan, now, true)
		// The name in a reply is the one that the owner set at the server,
		// else an echo of the client's.
		v.nameFrom(d, ByLease, m.Hostname)
	}
}

// codes writes option codes as Fingerbank does: decimal, with commas.
func codes(options []uint8) string {
	if len(options) > 64 {
		options = options[:64]
	}
	b := make([]byte, 0, 4*len(options))
	for i, o := range options {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(o), 10)
	}
	return string(b)
}
