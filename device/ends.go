package device

import (
	"net/netip"
	"time"

	"gatehouse/flow"
)

// routerAddrs private IPv4 addresses that nobody claimed, sent from by one MAC
// within routerWindow, make it a router. Hosts with two or three are common in
// real captures (a factory address besides the leased one, two controllers on
// one card); four were only ever seen behind routers.
const (
	routerAddrs  = 4
	routerWindow = 10 * time.Minute
)

// ends tells who is at the two ends of a flow.
func (v *Inventory) ends(r *flow.Record, now time.Time, ns int64) Ends {
	c := side{ip: r.Client.Addr.Unmap(), sent: r.Packets[0] > 0}
	s := side{ip: r.Server.Addr.Unmap(), sent: r.Packets[1] > 0}
	// Inside a tunnel the frames are those of its ends. Equal addresses mean a
	// link without any, or one leg in and one leg out of a router.
	if !r.Tunnel && (r.Client.MAC != r.Server.MAC || !c.sent || !s.sent) {
		c.station(r.Client.MAC)
		s.station(r.Server.MAC)
	}

	client, okClient := v.known(&c, r.VLAN, now, ns)
	server, okServer := v.known(&s, r.VLAN, now, ns)
	switch {
	case okClient && okServer:
	case (okClient || v.Scope(c.ip) == WAN) && (okServer || v.Scope(s.ip) == WAN) &&
		v.unsettled(&c, client, okClient) && v.unsettled(&s, server, okServer):
		return v.global(&c, &s, r, now, ns)
	default:
		if !okClient {
			client = v.resolve(&c, &s, r, now, ns)
		}
		if !okServer {
			server = v.resolve(&s, &c, r, now, ns)
		}
	}
	return Ends{client, server}
}

// station takes the MAC of an end that has spoken. Frames from a group address
// are forged: such an end counts as silent.
func (s *side) station(mac [6]byte) {
	if !s.sent {
		return
	}
	s.mac = unicastKey(mac)
	s.sent = mac[0]&1 == 0
}

// unsettled reports whether an end may be either side of a flow between two
// foreign addresses. Not so where a host claimed its IPv4 address: whoever
// talks to it from the WAN then passes through a gateway.
func (v *Inventory) unsettled(s *side, d *Device, known bool) bool {
	return !known || d != nil && v.foreign(s.ip) && (d.provisional || !s.ip.Is4())
}

// known is the way that nearly every end takes: a MAC that uses an address
// known to be its own, or a WAN address from the gateway.
func (v *Inventory) known(s *side, vlan uint16, now time.Time, ns int64) (*Device, bool) {
	if s.mac == 0 {
		return nil, false
	}
	d := v.byMAC[s.mac]
	if d == nil {
		return nil, false
	}
	if e := d.address(s.ip); e != nil {
		v.seenAt(e, vlan, now)
		v.touch(d, now, ns)
		return d, true
	}
	if d.Gateway && v.Scope(s.ip) == WAN {
		v.touch(d, now, ns)
		return nil, true
	}
	return nil, false
}

// resolve tells who is at one end where at least one address of the flow is
// ours, and learns who holds it.
func (v *Inventory) resolve(s, peer *side, r *flow.Record, now time.Time, ns int64) *Device {
	scope := v.Scope(s.ip)
	switch scope {
	case Multicast, Broadcast, Loopback:
		return nil
	case Unspecified:
		// A device that has no address yet, asking for one.
		if s.mac == 0 {
			return nil
		}
		d := v.station(s.mac, now)
		if d != nil {
			v.touch(d, now, ns)
		}
		return d
	}
	if s.mac == 0 {
		return v.byAddress(s, peer, scope, r, now, ns)
	}

	d := v.byMAC[s.mac]
	if owner := v.lookup(s.ip, r.VLAN); owner != nil {
		return v.contested(owner, d, s, r.VLAN, now, ns)
	}
	if d != nil && d.carrier() {
		if owner := v.elsewhere(s.ip, peer.ip, r.VLAN); owner != nil {
			return owner
		}
	}
	if scope == WAN {
		return v.fromOutside(d, s, peer, r.VLAN, now, ns)
	}
	if d == nil {
		if d = v.station(s.mac, now); d == nil {
			return nil
		}
	}
	v.touch(d, now, ns)
	switch {
	case d.Gateway && v.onLink(s.ip, peer.ip):
		v.bind(d, s.ip, r.VLAN, now)
		return d
	case d.Gateway && len(v.cfg.Local) == 0:
		return nil // a private network beyond the gateway is not ours
	case d.carrier():
		return v.behind(d, s, peer, r.VLAN, now, ns)
	}
	v.bind(d, s.ip, r.VLAN, now)
	if v.routes(d, now) {
		v.becomeRouter(d)
		if d.address(s.ip) == nil {
			return v.behind(d, s, peer, r.VLAN, now, ns)
		}
	}
	return d
}

// byAddress resolves an end without a usable link address: an end that has
// not spoken, or a link that has none.
func (v *Inventory) byAddress(s, peer *side, scope Scope, r *flow.Record, now time.Time, ns int64) *Device {
	if scope == WAN {
		return nil
	}
	d := v.lookup(s.ip, r.VLAN)
	if d == nil {
		d = v.elsewhere(s.ip, peer.ip, r.VLAN)
	}
	if d == nil {
		// Only who has spoken is a device, or a scan would fill the inventory;
		// inside a tunnel, who has been answered, too.
		if !s.sent || r.Tunnel && (r.Packets[0] == 0 || r.Packets[1] == 0) {
			return nil
		}
		d = v.create(MAC{}, s.ip, r.VLAN, now)
	}
	if d != nil && s.sent {
		if e := d.address(s.ip); e != nil {
			v.seenAt(e, r.VLAN, now)
		}
		v.touch(d, now, ns)
	}
	return d
}

// elsewhere finds the holder of an address in another VLAN, for traffic that
// is routed between VLANs. Neighbours of the peer are not looked for there:
// isolated VLANs may use the same addresses.
func (v *Inventory) elsewhere(a, peer netip.Addr, vlan uint16) *Device {
	if vlan == 0 || v.sameLink(a, peer) {
		return nil
	}
	return v.lookup(a, 0)
}

// contested resolves an end whose address is held by owner, while the frame
// came from another MAC, that of d if it is a device.
func (v *Inventory) contested(owner, d *Device, s *side, vlan uint16, now time.Time, ns int64) *Device {
	e := owner.address(s.ip)
	switch {
	case owner.MAC == MAC{}:
		owner.Via = macOf(s.mac) // wherever the route leads now
		v.seenAt(e, vlan, now)
		v.touch(owner, now, ns)
		return owner
	case d != nil && d.carrier():
		return owner // forwarded: a hairpin, a bridge, a wireless repeater
	case owner.carrier() && !e.Claimed && !v.routerIP(s.ip):
		// It was forwarded; this is the host itself.
	case now.Sub(e.LastSeen) < liveFor:
		// Two at once: a man in the middle forwards with the address of its
		// victim, and a forger uses it. The holder keeps it; the other is
		// known as the station that it is.
		if d == nil {
			d = v.station(s.mac, now)
		}
		if d != nil {
			v.conflict(d)
			v.touch(d, now, ns)
		}
		return owner
	}
	if d == nil {
		if d = v.station(s.mac, now); d == nil {
			return nil
		}
	}
	v.rebind(d, s.ip, vlan, now)
	v.touch(d, now, ns)
	return d
}

// fromOutside resolves a WAN address in a frame from the MAC s.mac to one of
// ours or to a group: whoever sends that forwards for others, or lies.
func (v *Inventory) fromOutside(d *Device, s, peer *side, vlan uint16, now time.Time, ns int64) *Device {
	local := v.Scope(peer.ip) == LAN && !v.provisional(peer.ip, vlan)
	if !local {
		if d == nil || d.carrier() {
			return nil
		}
		v.touch(d, now, ns)
		return d
	}
	if !s.ip.Is4() {
		// Global IPv6 addresses are a host's own, several at a time; they
		// share one /64 though (RFC 8981), and the WAN's do not.
		if v.noteSource(s.mac, s.ip) < 2 && (d == nil || !d.carrier()) {
			if d == nil {
				if d = v.station(s.mac, now); d == nil {
					return nil
				}
			}
			v.bind(d, s.ip, vlan, now)
			v.touch(d, now, ns)
			return d
		}
	}
	if d == nil {
		if d = v.station(s.mac, now); d == nil {
			return nil
		}
	}
	v.touch(d, now, ns)
	v.carries(d, s.ip, vlan, now)
	return nil
}

// behind resolves an address behind a router: a device of its own once it has
// been answered, so that forged sources make none.
func (v *Inventory) behind(router *Device, s, peer *side, vlan uint16, now time.Time, ns int64) *Device {
	if !s.sent || !peer.sent || v.byRange(s.ip) != LAN || s.ip.IsLinkLocalUnicast() {
		return nil
	}
	d := v.create(MAC{}, s.ip, vlan, now)
	if d != nil {
		d.Via = router.MAC
		v.touch(d, now, ns)
	}
	return d
}

// station returns the device with a MAC, making it if need be; nil if there is
// no room.
func (v *Inventory) station(mac uint64, now time.Time) *Device {
	if d := v.byMAC[mac]; d != nil {
		return d
	}
	return v.create(macOf(mac), netip.Addr{}, 0, now)
}

// conflict counts the use of an address that is another live device's.
func (v *Inventory) conflict(d *Device) {
	d.Conflicts++
	v.stats.Conflicts++
}

// provisional reports whether an address is held by a guess.
func (v *Inventory) provisional(a netip.Addr, vlan uint16) bool {
	d := v.lookup(a, vlan)
	return d != nil && d.provisional
}
