package device

import (
	"net/netip"
	"slices"
	"time"

	"gatehouse/flow"
)

const (
	// spoofTolerance is how many WAN networks a station must have forwarded
	// from before it counts as a router while another gateway is alive: a
	// forged source address or two are a conflict, not a change of topology.
	spoofTolerance = 3
	// gatewayAbsence is the silence after which another station may take the
	// gateway's place: longer than an outage, shorter than a house move.
	gatewayAbsence = 24 * time.Hour
	maxGateways    = 64   // one a VLAN
	maxRouters     = 64   // router addresses learned from DHCP
	maxSources     = 1024 // stations seen sending from foreign addresses
)

// source remembers the foreign networks that a MAC has sent from: IPv4
// addresses, IPv6 /64s. Two are kept; a third differs from both.
type source struct {
	nets  [2][16]byte
	count uint8 // 0 to spoofTolerance
}

// noteSource adds the network of a foreign address to what a MAC has sent
// from, and returns how many it has been, at most spoofTolerance.
func (v *Inventory) noteSource(mac uint64, a netip.Addr) int {
	src, ok := v.sources[mac]
	if !ok && len(v.sources) >= maxSources {
		return 1
	}
	if src.count == spoofTolerance {
		return spoofTolerance
	}
	net := a.As16()
	if !a.Is4() {
		clear(net[8:])
	}
	if slices.Contains(src.nets[:min(int(src.count), 2)], net) {
		return int(src.count)
	}
	if src.count < 2 {
		src.nets[src.count] = net
	}
	src.count++
	v.sources[mac] = src
	return int(src.count)
}

// carries takes note that d sent a frame with somebody else's foreign address
// as its source. Without a gateway, this is it. Beside one, a single station
// that forwards is a man in the middle, a second uplink or a forger: it stays
// in the listings, as a router once it has done so for several networks.
func (v *Inventory) carries(d *Device, a netip.Addr, vlan uint16, now time.Time) {
	if d.Gateway {
		return
	}
	if g := v.gateway(vlan); g == nil || now.Sub(g.LastSeen) > gatewayAbsence {
		v.becomeGateway(d, vlan)
		return
	}
	if v.noteSource(d.MAC.key(), a) >= spoofTolerance {
		v.becomeRouter(d)
		return
	}
	v.conflict(d)
}

// gateway returns the gateway of a VLAN; untagged and tagged match each other.
func (v *Inventory) gateway(vlan uint16) *Device {
	if g := v.gateways[vlan]; g != nil {
		return g
	}
	if vlan != 0 {
		return v.gateways[0]
	}
	var best *Device
	lowest := 1 << 16
	for tag, g := range v.gateways {
		if int(tag) < lowest {
			lowest, best = int(tag), g
		}
	}
	return best
}

// becomeGateway makes d the gateway of a VLAN if there is none or the old one
// is gone; otherwise d is a router. What d was thought to own on the strength
// of having sent from it alone was somebody else's.
func (v *Inventory) becomeGateway(d *Device, vlan uint16) {
	if g := v.gateway(vlan); g != nil && g != d {
		if d.LastSeen.Sub(g.LastSeen) <= gatewayAbsence {
			return
		}
		v.retire(g)
	}
	if _, ok := v.gateways[vlan]; !ok && len(v.gateways) >= maxGateways {
		return
	}
	v.gateways[vlan] = d
	if d.Gateway {
		return
	}
	if d.established {
		v.old.drop(d)
	} else {
		v.young.drop(d)
	}
	d.Gateway, d.established = true, true
	v.guess(d, false)
	v.disown(d)
	v.classify(d)
	v.rename(d)
	v.regroup(d)
}

// retire makes a gateway an ordinary device again.
func (v *Inventory) retire(g *Device) {
	for vlan, d := range v.gateways {
		if d == g {
			delete(v.gateways, vlan)
		}
	}
	g.Gateway = false
	v.old.push(g)
	v.classify(g)
	v.regroup(g)
}

// becomeRouter marks d as forwarding for others.
func (v *Inventory) becomeRouter(d *Device) {
	if d.carrier() {
		return
	}
	d.Router = true
	v.disown(d)
	v.classify(d)
	v.regroup(d)
}

// disown takes from d the addresses that it never claimed and could have
// forwarded from.
func (v *Inventory) disown(d *Device) {
	var own netip.Addr
	for _, e := range d.Addresses {
		if e.Claimed && e.IP.Is4() {
			own = e.IP
		}
	}
	for _, e := range slices.Clone(d.Addresses) {
		switch {
		case e.Claimed, e.IP.IsLinkLocalUnicast(), v.routerIP(e.IP):
		case d.Gateway && own.IsValid() && v.onLink(e.IP, own):
		default:
			v.unbind(d, e.IP)
		}
	}
}

// routes reports whether a station sends from so many addresses that they
// cannot be its own.
func (v *Inventory) routes(d *Device, now time.Time) bool {
	n := 0
	for i := range d.Addresses {
		e := &d.Addresses[i]
		if e.IP.Is4() && !e.Claimed && !e.IP.IsLinkLocalUnicast() && now.Sub(e.LastSeen) < routerWindow {
			n++
		}
	}
	return n >= routerAddrs
}

// learnRouter notes that DHCP names an address as a router of ours.
func (v *Inventory) learnRouter(a netip.Addr, vlan uint16) {
	a = a.Unmap()
	if !a.IsValid() || a.IsUnspecified() {
		return
	}
	if !v.routerIP(a) {
		if len(v.routers) == maxRouters {
			v.routers = slices.Delete(v.routers, 0, 1)
		}
		v.routers = append(v.routers, a)
	}
	if d := v.lookup(a, vlan); d != nil && d.MAC != (MAC{}) {
		v.becomeGateway(d, vlan)
	}
}

func (v *Inventory) routerIP(a netip.Addr) bool { return slices.Contains(v.routers, a) }

// anchor is the address that a capture of one host on a link without link
// addresses seems to be about.
type anchor struct {
	ip, peer netip.Addr // peer is zero once there have been several
}

// role is what a station is to a flow between two foreign addresses.
type role uint8

const (
	unknown role = iota // silent, never seen, or a guess
	host                // a device of ours
	transit             // forwards for others
)

// global resolves a flow between two addresses that are both foreign: IPv6
// hosts talking to the WAN, hosts on a segment with public addresses, and
// captures of a lone host. Whoever talks to a station that forwards is ours.
// Where neither does so far and nothing else is known to be ours, the client
// is taken for the device that the capture is about, until its MAC turns out
// to send from several networks.
func (v *Inventory) global(c, s *side, r *flow.Record, now time.Time, ns int64) Ends {
	if c.mac == 0 && s.mac == 0 {
		return v.anchored(c, s, r, now, ns)
	}
	sides := [2]*side{c, s}
	var roles [2]role
	var nets [2]int
	for i, x := range sides {
		roles[i] = v.role(x)
		if x.mac != 0 {
			nets[i] = v.noteSource(x.mac, x.ip)
			if nets[i] > 1 && roles[i] != transit && !(roles[i] == host && x.ip.Is4()) {
				roles[i] = transit
			}
		}
	}
	var out [2]*Device
	for i, x := range sides {
		out[i] = v.globalEnd(x, roles[i], roles[1-i], i == 0 || !c.sent, r.VLAN, now, ns)
	}
	if roles[0] == transit != (roles[1] == transit) {
		i := 0
		if roles[1] == transit {
			i = 1
		}
		v.globalGateway(sides[i], out[1-i], r.VLAN, now, ns)
	}
	return Ends{out[0], out[1]}
}

// role says what is known of a station.
func (v *Inventory) role(s *side) role {
	d := v.byMAC[s.mac]
	switch {
	case s.mac == 0, d == nil, d.provisional:
		return unknown
	case d.carrier():
		return transit
	}
	return host
}

// globalEnd resolves one end of a flow between foreign addresses; first says
// that this end is the one to guess if a guess must be made.
func (v *Inventory) globalEnd(s *side, mine, other role, first bool, vlan uint16, now time.Time, ns int64) *Device {
	d := v.byMAC[s.mac]
	if s.mac == 0 {
		return v.lookup(s.ip, vlan)
	}
	switch {
	case mine == transit:
		if d != nil && d.provisional {
			v.stats.Retracted++
			v.remove(d)
		}
		return nil
	case mine == host && s.ip.Is4():
		// Not an address of its own, but its own frame: a forged source.
		v.touch(d, now, ns)
		if owner := v.lookup(s.ip, vlan); owner != nil && owner != d {
			v.conflict(d)
		}
		return d
	case mine == unknown && other != transit && (v.ours() || !first):
		if d != nil {
			v.touch(d, now, ns) // a guess still stands
		}
		return d
	}
	if d == nil {
		if d = v.station(s.mac, now); d == nil {
			return nil
		}
		v.guess(d, other != transit)
	} else if other == transit {
		v.guess(d, false)
	}
	if owner := v.lookup(s.ip, vlan); owner == nil {
		v.bind(d, s.ip, vlan, now)
	} else if owner != d {
		return v.contested(owner, d, s, vlan, now, ns)
	}
	v.touch(d, now, ns)
	return d
}

// globalGateway notes that a station forwards for the WAN to d.
func (v *Inventory) globalGateway(s *side, d *Device, vlan uint16, now time.Time, ns int64) {
	if d == nil || s.mac == 0 {
		return
	}
	g := v.station(s.mac, now)
	if g == nil || g == d {
		return
	}
	v.touch(g, now, ns)
	v.carries(g, s.ip, vlan, now)
}

// ours reports whether anything is known to be ours for a better reason than
// a guess.
func (v *Inventory) ours() bool { return len(v.devices) > v.guesses }

// guess marks d as ours for want of anything better, or confirms it.
func (v *Inventory) guess(d *Device, provisional bool) {
	if d.provisional == provisional {
		return
	}
	d.provisional = provisional
	if provisional {
		v.guesses++
	} else {
		v.guesses--
	}
}

// anchored resolves a flow between foreign addresses on a link without link
// addresses: one address is taken for the host that the capture is about, the
// client of the first flow, or its server once that has a second client.
func (v *Inventory) anchored(c, s *side, r *flow.Record, now time.Time, ns int64) Ends {
	ends := Ends{v.lookup(c.ip, r.VLAN), v.lookup(s.ip, r.VLAN)}
	if r.Tunnel || !c.sent && !s.sent {
		return ends
	}
	a := &v.anchor
	switch {
	case !a.ip.IsValid():
		if v.ours() {
			return ends
		}
		a.ip, a.peer = c.ip, s.ip
		if !c.sent {
			a.ip, a.peer = s.ip, c.ip
		}
	case a.ip == c.ip || a.ip == s.ip:
		if a.peer.IsValid() && a.peer != c.ip && a.peer != s.ip {
			a.peer = netip.Addr{}
		}
	case a.peer.IsValid() && (a.peer == c.ip || a.peer == s.ip):
		if d := v.lookup(a.ip, r.VLAN); d != nil && d.provisional {
			v.stats.Retracted++
			v.remove(d)
		}
		a.ip, a.peer = a.peer, netip.Addr{}
	default:
		return Ends{v.lookup(c.ip, r.VLAN), v.lookup(s.ip, r.VLAN)}
	}

	for _, x := range []struct {
		*side
		out **Device
	}{{c, &ends.Client}, {s, &ends.Server}} {
		d := v.lookup(x.ip, r.VLAN)
		if d == nil && x.ip == a.ip && x.sent {
			if d = v.create(MAC{}, x.ip, r.VLAN, now); d != nil {
				v.guess(d, true)
			}
		}
		if d != nil && x.sent {
			v.touch(d, now, ns)
		}
		*x.out = d
	}
	return ends
}
