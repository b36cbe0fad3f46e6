package device

import (
	"fmt"
	"net/netip"
	"time"
)

// Bounds and spans of the device table.
const (
	maxAddresses = 16
	maxServices  = 16

	// establishAfter is how long a device must have been around to be safe
	// from eviction by newcomers: longer than a MAC flood of any rate needs to
	// fill the table, shorter than anybody's patience with a new device.
	establishAfter = 10 * time.Minute
	// abandonAfter is how long an established device must have been silent
	// before a newcomer may take its place in a full table.
	abandonAfter = 24 * time.Hour
	// liveFor is how long an address stays its holder's against other
	// claimants: the garbage collection of common ARP caches (Linux keeps an
	// unconfirmed neighbour for about a minute, Windows and Cisco up to 4 h)
	// on the generous side of a reboot.
	liveFor = 5 * time.Minute
)

// list is an intrusive list of devices, least recently seen first.
type list struct {
	head, tail *Device
	n          int
}

func (l *list) push(d *Device) {
	d.prev, d.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = d
	} else {
		l.head = d
	}
	l.tail = d
	l.n++
}

func (l *list) drop(d *Device) {
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		l.head = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		l.tail = d.prev
	}
	d.prev, d.next = nil, nil
	l.n--
}

// toBack makes d the most recently seen.
func (l *list) toBack(d *Device) {
	if l.tail != d {
		l.drop(d)
		l.push(d)
	}
}

// binding ties an address to the device that holds it. Bindings mirror
// Device.Addresses: one for each, and no other. Overlapping address space in
// several VLANs makes a chain, sorted by VLAN.
type binding struct {
	dev  *Device
	vlan uint16
	next *binding
}

// lookup finds the holder of an address. VLAN 0 on either side matches any:
// a mirror port may show one direction tagged and the other not.
func (v *Inventory) lookup(a netip.Addr, vlan uint16) *Device {
	b := v.bindings[a.As16()]
	if b == nil {
		return nil
	}
	if vlan == 0 {
		return b.dev
	}
	var wild *Device
	for ; b != nil; b = b.next {
		switch b.vlan {
		case vlan:
			return b.dev
		case 0:
			wild = b.dev
		}
	}
	return wild
}

// bind gives an address to d, which must not hold it yet, and which nobody
// else may hold in that VLAN. It returns the new entry.
func (v *Inventory) bind(d *Device, a netip.Addr, vlan uint16, now time.Time) *Address {
	if len(d.Addresses) == maxAddresses {
		oldest := 0
		for i := range d.Addresses {
			if d.Addresses[i].LastSeen.Before(d.Addresses[oldest].LastSeen) {
				oldest = i
			}
		}
		v.unbind(d, d.Addresses[oldest].IP)
	}
	d.Addresses = append(d.Addresses, Address{IP: a, VLAN: vlan, FirstSeen: now, LastSeen: now})
	v.link(d, a, vlan)
	if v.foreign(a) {
		v.public++
	}
	if len(d.Addresses) == 1 || d.NameSource == ByAddress {
		v.rename(d)
	}
	if v.routerIP(a) {
		v.becomeGateway(d, vlan)
	}
	return d.address(a)
}

// link enters a binding into its chain.
func (v *Inventory) link(d *Device, a netip.Addr, vlan uint16) {
	key := a.As16()
	n := &binding{dev: d, vlan: vlan}
	head := v.bindings[key]
	if head == nil || head.vlan > vlan {
		n.next = head
		v.bindings[key] = n
		return
	}
	b := head
	for b.next != nil && b.next.vlan <= vlan {
		b = b.next
	}
	n.next = b.next
	b.next = n
}

// unbind takes an address from d.
func (v *Inventory) unbind(d *Device, a netip.Addr) {
	for i := range d.Addresses {
		if d.Addresses[i].IP == a {
			d.Addresses = append(d.Addresses[:i], d.Addresses[i+1:]...)
			break
		}
	}
	key := a.As16()
	var before *binding
	for b := v.bindings[key]; b != nil; before, b = b, b.next {
		if b.dev != d {
			continue
		}
		switch {
		case before != nil:
			before.next = b.next
		case b.next != nil:
			v.bindings[key] = b.next
		default:
			delete(v.bindings, key)
		}
		break
	}
	if v.foreign(a) {
		v.public--
	}
	if d.NameSource == ByAddress {
		v.rename(d) // whoever has the address next may be called by it
	}
}

// create makes a device unless the table is full of established ones; it
// returns nil then.
func (v *Inventory) create(mac MAC, ip netip.Addr, vlan uint16, now time.Time) *Device {
	if len(v.devices) >= v.cfg.MaxDevices && !v.evict(now) {
		v.stats.Refused++
		return nil
	}
	d := &Device{FirstSeen: now, LastSeen: now, last: now.UnixNano(), Type: Unknown, VLAN: vlan}
	if mac != (MAC{}) {
		d.MAC = mac
		d.ID = fmt.Sprintf("mac:%012x", mac.key())
		d.RandomMAC = mac.Random()
		d.Vendor = v.vendor(mac)
		v.byMAC[mac.key()] = d
	} else {
		d.ID = "ip:" + ip.String()
		if vlan != 0 {
			d.ID = fmt.Sprintf("ip:%s@%d", ip, vlan)
		}
		if old := v.devices[d.ID]; old != nil {
			// It lost its address to a claimant that is gone: same device.
			v.rebind(old, ip, vlan, now)
			return old
		}
	}
	v.devices[d.ID] = d
	v.young.push(d)
	v.stats.Created++
	if ip.IsValid() {
		v.bind(d, ip, vlan, now)
	}
	v.classify(d)
	v.rename(d)
	v.regroup(d)
	return d
}

// rebind makes sure that d holds the address and nobody else does.
func (v *Inventory) rebind(d *Device, a netip.Addr, vlan uint16, now time.Time) *Address {
	if owner := v.lookup(a, vlan); owner != nil && owner != d {
		v.unbind(owner, a)
	}
	if e := d.address(a); e != nil {
		v.seenAt(e, vlan, now)
		return e
	}
	return v.bind(d, a, vlan, now)
}

// seenAt notes the use of an address; an untagged entry learns its tag.
func (v *Inventory) seenAt(e *Address, vlan uint16, now time.Time) {
	if now.After(e.LastSeen) {
		e.LastSeen = now
	}
	if e.VLAN == 0 && vlan != 0 {
		v.retag(e, vlan)
	}
}

// retag moves a binding to the VLAN that its address turned out to be in.
func (v *Inventory) retag(e *Address, vlan uint16) {
	key := e.IP.As16()
	var before *binding
	for b := v.bindings[key]; b != nil; before, b = b, b.next {
		if b.vlan == vlan {
			return // somebody else's; leave the wildcard alone
		}
		if b.vlan != 0 || b.dev.address(e.IP) != e {
			continue
		}
		d := b.dev
		if before == nil && b.next == nil {
			b.vlan = vlan
		} else {
			if before == nil {
				v.bindings[key] = b.next
			} else {
				before.next = b.next
			}
			v.link(d, e.IP, vlan)
		}
		e.VLAN = vlan
		return
	}
}

// touch notes that d has just sent something.
func (v *Inventory) touch(d *Device, now time.Time, ns int64) {
	if ns > d.last {
		d.last, d.LastSeen = ns, now
	}
	switch {
	case d.Gateway: // pinned
	case d.established:
		v.old.toBack(d)
	case d.last-d.FirstSeen.UnixNano() >= int64(establishAfter):
		v.young.drop(d)
		d.established = true
		v.old.push(d)
	default:
		v.young.toBack(d)
	}
}

// evict makes room for one device: the young one that has been silent for
// longest, else an abandoned one. It reports whether there was any.
func (v *Inventory) evict(now time.Time) bool {
	victim := v.young.head
	if victim == nil {
		victim = v.old.head
		if victim == nil || now.Sub(victim.LastSeen) < abandonAfter {
			return false
		}
	}
	v.stats.Evicted++
	v.remove(victim)
	return true
}

// remove forgets a device.
func (v *Inventory) remove(d *Device) {
	for len(d.Addresses) > 0 {
		v.unbind(d, d.Addresses[len(d.Addresses)-1].IP)
	}
	switch {
	case d.Gateway:
		for vlan, g := range v.gateways {
			if g == d {
				delete(v.gateways, vlan)
			}
		}
	case d.established:
		v.old.drop(d)
	default:
		v.young.drop(d)
	}
	retracted := d.provisional // what it forwarded is the reason, and stays known
	v.guess(d, false)
	d.gone = true
	delete(v.devices, d.ID)
	if d.MAC != (MAC{}) {
		delete(v.byMAC, d.MAC.key())
		if !retracted {
			delete(v.sources, d.MAC.key())
		}
	}
	if v.cfg.Removed != nil {
		v.cfg.Removed(d)
	}
}
