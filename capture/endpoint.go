package capture

import (
	"encoding/binary"
	"net/netip"
)

// excludes reports whether either end is one of the endpoints. Ports of 0
// stand for all.
func excludes(list []netip.AddrPort, ends [2]netip.AddrPort) bool {
	for _, e := range list {
		for _, end := range ends {
			if e.Addr().Unmap() == end.Addr() && (e.Port() == 0 || e.Port() == end.Port()) {
				return true
			}
		}
	}
	return false
}

// ends are those of the packets that a delta counts.
func (d *Delta) ends() (out [2]netip.AddrPort) {
	for i, a := range d.Addr {
		addr := netip.AddrFrom16(a)
		if !d.IPv6 {
			addr = addr.Unmap()
		}
		out[i] = netip.AddrPortFrom(addr, d.Port[i])
	}
	return out
}

// endsOf reads the ends of a packet as far as a filter for the kernel does:
// behind VLAN tags, and without looking behind IPv6 extension headers. ok is
// false for what is not IP or is cut off.
func endsOf(b []byte, link LinkType) (out [2]netip.AddrPort, ok bool) {
	if link == LinkEthernet {
		at := 12
		for len(b) >= at+2 && (binary.BigEndian.Uint16(b[at:]) == etherVLAN || binary.BigEndian.Uint16(b[at:]) == etherQinQ) {
			at += 4
		}
		if len(b) < at+2 {
			return out, false
		}
		b = b[at+2:]
	}
	var proto byte
	var addr [2]netip.Addr
	switch {
	case len(b) >= 20 && b[0]>>4 == 4 && b[0]&15 >= 5:
		addr[0], addr[1] = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		proto = b[9]
		if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			proto = 0 // a later fragment has no ports
		}
		b = b[min(len(b), int(b[0]&15)*4):]
	case len(b) >= 40 && b[0]>>4 == 6:
		addr[0], addr[1] = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		proto = b[6]
		b = b[40:]
	default:
		return out, false
	}
	var port [2]uint16
	if (proto == 6 || proto == 17 || proto == 132) && len(b) >= 4 {
		port = [2]uint16{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}
	}
	return [2]netip.AddrPort{netip.AddrPortFrom(addr[0], port[0]), netip.AddrPortFrom(addr[1], port[1])}, true
}
