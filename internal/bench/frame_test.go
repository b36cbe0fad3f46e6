package bench

import (
	"encoding/binary"
	"net/netip"
)

const (
	ethernetHeader = 14

	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd

	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// frame is an Ethernet frame and where its parts are. A part that is not there
// in full is not there.
type frame struct {
	b      []byte
	kind   uint16 // EtherType behind VLAN tags, 0 if it is cut off or unknown
	l3     int    // offset of the network header
	l4     int    // offset of the transport header, 0 if there is none in this packet
	proto  byte   // of the transport header
	sumL3  int    // offset of the IPv4 header's checksum, 0 if there is none
	sumL4  int    // offset of the transport checksum, 0 if there is none
	pairAt int    // offset of the source address; the destination's is behind it
	size   int    // of an address
}

func parseFrame(b []byte) frame {
	f := frame{b: b, l3: ethernetHeader}
	kind := binary.BigEndian.Uint16(b[12:])
	for (kind == 0x8100 || kind == 0x88a8) && len(b) >= f.l3+4 {
		kind = binary.BigEndian.Uint16(b[f.l3+2:])
		f.l3 += 4
	}
	switch h := b[f.l3:]; {
	case kind == typeARP && len(h) >= 28 && binary.BigEndian.Uint32(h) == 1<<16|typeIPv4:
		f.kind = typeARP
	case kind == typeIPv4 && len(h) >= 20 && h[0]>>4 == 4:
		f.kind, f.proto, f.sumL3, f.pairAt, f.size = typeIPv4, h[9], f.l3+10, f.l3+12, 4
		if binary.BigEndian.Uint16(h[6:])&0x1fff == 0 {
			f.l4 = f.l3 + 4*int(h[0]&15)
		}
	case kind == typeIPv6 && len(h) >= 40:
		f.kind, f.proto, f.pairAt, f.size = typeIPv6, h[6], f.l3+8, 16
		f.l4 = f.l3 + 40 // extension headers are left alone
	}
	if at, ok := map[byte]int{protoTCP: 16, protoUDP: 6, protoICMPv6: 2}[f.proto]; ok && f.l4 != 0 && len(b) >= f.l4+at+2 {
		f.sumL4 = f.l4 + at
		if f.proto == protoUDP && b[f.sumL4] == 0 && b[f.sumL4+1] == 0 {
			f.sumL4 = 0 // sent without
		}
	}
	return f
}

func (f *frame) dst() mac { return mac(f.b[0:6]) }
func (f *frame) src() mac { return mac(f.b[6:12]) }

func (m mac) group() bool { return m[0]&1 != 0 }

// ends returns the addresses of an IP packet.
func (f *frame) ends() (src, dst netip.Addr, ok bool) {
	if f.size == 0 {
		return src, dst, false
	}
	src, _ = netip.AddrFromSlice(f.b[f.pairAt:][:f.size])
	dst, _ = netip.AddrFromSlice(f.b[f.pairAt+f.size:][:f.size])
	return src, dst, true
}

// pair names the flow of an IP packet, the same both ways.
func (f *frame) pair(src, dst netip.Addr) [2]netip.AddrPort {
	var a, b uint16
	if (f.proto == protoTCP || f.proto == protoUDP) && f.l4 != 0 && len(f.b) >= f.l4+4 {
		a, b = binary.BigEndian.Uint16(f.b[f.l4:]), binary.BigEndian.Uint16(f.b[f.l4+2:])
	}
	p := [2]netip.AddrPort{netip.AddrPortFrom(src, a), netip.AddrPortFrom(dst, b)}
	if p[1].Compare(p[0]) < 0 {
		p[0], p[1] = p[1], p[0]
	}
	return p
}

// put overwrites an address and keeps checksums as right or wrong as they were
// (RFC 1624, equation 3). at is even, counted from the network header.
func (f *frame) put(at int, value []byte, sums ...int) {
	old := f.b[at : at+len(value)]
	for _, sum := range sums {
		if sum == 0 {
			continue
		}
		acc := uint32(^binary.BigEndian.Uint16(f.b[sum:]))
		for i := 0; i < len(value); i += 2 {
			acc += uint32(^binary.BigEndian.Uint16(old[i:])) + uint32(binary.BigEndian.Uint16(value[i:]))
		}
		for acc > 0xffff {
			acc = acc&0xffff + acc>>16
		}
		binary.BigEndian.PutUint16(f.b[sum:], ^uint16(acc))
	}
	copy(old, value)
}
