package device

import (
	"net/netip"
	"slices"
)

// Scope says where an address lies as seen from our network.
type Scope uint8

// Scopes.
const (
	Unspecified Scope = iota // 0.0.0.0, :: and the invalid address
	LAN                      // ours
	WAN                      // everybody else's
	Multicast                // RFC 5771, RFC 4291 section 2.7
	Broadcast                // 255.255.255.255 and directed broadcasts
	Loopback                 // 127.0.0.0/8, ::1
)

var scopeNames = [...]string{"unspecified", "lan", "wan", "multicast", "broadcast", "loopback"}

func (s Scope) String() string {
	if int(s) < len(scopeNames) {
		return scopeNames[s]
	}
	return "scope?"
}

// maxPrefixes bounds the prefixes learned from DHCP; a home has one or two, a
// factory one a VLAN. The oldest gives way.
const maxPrefixes = 64

// Scope classifies an address. Ours is what Config.Local lists or, without
// such a list, private, unique local, shared (RFC 6598) and link-local
// addresses; besides, in both cases, the prefixes that DHCP assigned from and
// the public addresses that devices of ours hold.
func (v *Inventory) Scope(a netip.Addr) Scope {
	if !a.IsValid() {
		return Unspecified
	}
	a = a.Unmap()
	s := v.byRange(a)
	if s != WAN || v.public == 0 {
		return s
	}
	if d := v.lookup(a, 0); d != nil {
		return LAN
	}
	return WAN
}

// foreign reports whether an address would count as the WAN's if nobody of ours
// held it and DHCP had taught us nothing. It depends on Config alone.
func (v *Inventory) foreign(a netip.Addr) bool {
	if a.IsLinkLocalUnicast() {
		return false
	}
	if len(v.cfg.Local) > 0 {
		return !slices.ContainsFunc(v.cfg.Local, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	if a.Is4() {
		return !privateV4(a.As4())
	}
	return a.As16()[0]&0xfe != 0xfc
}

// byRange classifies by the address itself and what is known of our prefixes.
func (v *Inventory) byRange(a netip.Addr) Scope {
	if a.Is4() {
		b := a.As4()
		switch {
		case b == [4]byte{}:
			return Unspecified
		case b[0] == 127:
			return Loopback
		case b[0]>>4 == 14:
			return Multicast
		case b == [4]byte{255, 255, 255, 255}:
			return Broadcast
		case b[0] == 169 && b[1] == 254: // RFC 3927
			if b[2] == 255 && b[3] == 255 {
				return Broadcast
			}
			return LAN
		}
		return v.byPrefix(a, len(v.cfg.Local) == 0 && privateV4(b), b[3] == 255)
	}
	switch {
	case a.IsUnspecified():
		return Unspecified
	case a.IsLoopback():
		return Loopback
	case a.IsMulticast():
		return Multicast
	case a.IsLinkLocalUnicast():
		return LAN
	}
	unique := a.As16()[0]&0xfe == 0xfc // RFC 4193
	return v.byPrefix(a, len(v.cfg.Local) == 0 && unique, false)
}

// byPrefix applies the learned and configured prefixes. lastByte says that an
// IPv4 address ends in 255, which is the directed broadcast of the /24 that we
// assume of a private network until DHCP has told us its mask.
func (v *Inventory) byPrefix(a netip.Addr, local, lastByte bool) Scope {
	for _, p := range v.prefixes {
		if !p.Contains(a) {
			continue
		}
		if a.Is4() && p.Bits() < 31 && a == lastAddr(p) {
			return Broadcast
		}
		return LAN
	}
	if !local {
		for _, p := range v.cfg.Local {
			if p.Contains(a) {
				local = true
				break
			}
		}
	}
	switch {
	case local && lastByte:
		return Broadcast
	case local:
		return LAN
	}
	return WAN
}

// privateV4 tells RFC 1918 and RFC 6598 addresses.
func privateV4(b [4]byte) bool {
	return b[0] == 10 || b[0] == 192 && b[1] == 168 || b[0] == 172 && b[1]>>4 == 1 || b[0] == 100 && b[1]>>6 == 1
}

// lastAddr is the directed broadcast address of an IPv4 prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

// Shortest masks believed from DHCP. A rogue server must not make the Internet
// local: networks of foreign addresses on one segment are /20 or so at the
// largest access providers, private ones are /8 at most.
const (
	minPrivateBits = 8
	minForeignBits = 16
)

// learnPrefix notes that p is a segment of ours.
func (v *Inventory) learnPrefix(p netip.Prefix) {
	p = p.Masked()
	if !p.IsValid() || p.Bits() < minPrivateBits || v.foreign(p.Addr()) && p.Bits() < minForeignBits ||
		p.Addr().IsMulticast() || p.Addr().IsLoopback() || slices.Contains(v.prefixes, p) {
		return
	}
	if len(v.prefixes) == maxPrefixes {
		v.prefixes = slices.Delete(v.prefixes, 0, 1)
	}
	v.prefixes = append(v.prefixes, p)
}

// onLink reports whether an address is on a segment of ours: in a prefix known
// from DHCP, or next to peer, which is.
func (v *Inventory) onLink(a, peer netip.Addr) bool {
	for _, p := range v.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return v.sameLink(a, peer)
}

// sameLink reports whether two addresses reach each other without a router.
// Where no mask is known, a /24 is assumed: it holds for nearly every home, and
// errs towards "routed", which only costs a name.
func (v *Inventory) sameLink(a, peer netip.Addr) bool {
	if a.IsLinkLocalUnicast() {
		return true
	}
	if a.Is4() != peer.Is4() {
		return false
	}
	for _, p := range v.prefixes {
		if p.Contains(a) {
			return p.Contains(peer)
		}
	}
	bits := 24
	if !a.Is4() {
		bits = 64
	}
	p, err := peer.Prefix(bits)
	return err == nil && p.Contains(a)
}
