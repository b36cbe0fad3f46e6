package bench

import "net/netip"

// devices is how many devices the home has: a large one, or a small office.
const devices = 250

// cast gives the stations of a take to devices of the home.
type cast struct {
	*take
	first int // device of station 0
}

// of returns the device of a station, from 0; -1 is the gateway.
func (c cast) of(station int) int {
	if station == gateway {
		return gateway
	}
	return (c.first + station) % devices
}

// hardware is the address of a device's interface, of a range for local use.
func hardware(device int) mac { return mac{0x02, 0x47, 0x48, 0, 0, byte(device + 2)} }

// address is where a device is in the home: 192.168.1.1 is the gateway. In
// IPv6 it keeps its prefix, and its interface identifier says its hardware
// address (RFC 4291, appendix A).
func address(device int, was netip.Addr) []byte {
	if was.Is4() {
		return []byte{192, 168, 1, byte(device + 2)}
	}
	a, m := was.As16(), hardware(device)
	copy(a[8:], []byte{m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
	return a[:]
}

// play rewrites a copy of one of the take's frames.
func (c cast) play(b []byte) {
	f := parseFrame(b)
	src, dst, ok := f.ends()
	if !ok {
		c.known(b[0:6])
		c.known(b[6:12])
		if f.kind == typeARP {
			c.arp(f.b[f.l3:])
		}
		return
	}
	c.end(&f, src, f.pairAt, b[6:12])
	c.end(&f, dst, f.pairAt+f.size, b[0:6])
	switch payload := f.l4 + 8; {
	case f.l4 == 0:
	case f.proto == protoUDP && len(b) >= payload+34 && (b[f.l4+3] == 67 || b[f.l4+3] == 68) && b[f.l4+2] == 0:
		// DHCP: ciaddr, yiaddr and chaddr (RFC 2131, figure 1).
		c.inner(&f, payload+12, 4)
		c.inner(&f, payload+16, 4)
		c.innerMAC(&f, payload+28)
	case f.proto == protoICMPv6 && len(b) >= payload+24 && (b[f.l4] == 135 || b[f.l4] == 136):
		// Neighbour discovery: target, and its link-layer address (RFC 4861, 4.3 and 4.4).
		c.inner(&f, payload, 16)
		c.innerMAC(&f, payload+18)
	}
}

// end rewrites one end of a packet: who is outside is behind the gateway.
func (c cast) end(f *frame, a netip.Addr, at int, hw []byte) {
	station, home := c.stations[a]
	if home {
		f.put(at, address(c.of(station), a), f.sumL3, f.sumL4)
	}
	switch {
	case hw[0]&1 != 0:
		if a.Is4() && a.IsPrivate() && !home {
			f.put(at, []byte{192, 168, 1, 255}, f.sumL3, f.sumL4)
		}
	case home:
		m := hardware(c.of(station))
		copy(hw, m[:])
	case unicast(a):
		m := hardware(gateway)
		copy(hw, m[:])
	default:
		c.known(hw)
	}
}

// known rewrites a hardware address if it is that of a station.
func (c cast) known(hw []byte) {
	if n, ok := c.macs[mac(hw)]; ok {
		m := hardware(c.of(n))
		copy(hw, m[:])
	}
}

// inner rewrites an address in the payload.
func (c cast) inner(f *frame, at, size int) {
	a, _ := netip.AddrFromSlice(f.b[at : at+size])
	if n, ok := c.stations[a]; ok {
		f.put(at, address(c.of(n), a), f.sumL4)
	}
}

func (c cast) innerMAC(f *frame, at int) {
	m := mac(f.b[at : at+6])
	c.known(m[:])
	f.put(at, m[:], f.sumL4)
}

// arp rewrites both pairs of addresses of an ARP message (RFC 826).
func (c cast) arp(h []byte) {
	for _, at := range []int{8, 18} {
		if n, ok := c.stations[netip.AddrFrom4([4]byte(h[at+6:]))]; ok {
			copy(h[at+6:], address(c.of(n), netip.AddrFrom4([4]byte{})))
			if m := hardware(c.of(n)); mac(h[at:]) != (mac{}) {
				copy(h[at:], m[:])
			}
			continue
		}
		c.known(h[at : at+6])
	}
}
