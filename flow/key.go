package flow

import (
	"encoding/binary"
	"math/bits"

	"gatehouse/capture"
)

// side tells the two ends of a key apart: 0 is the lower address.
type side = uint8

// key identifies a conversation, the same in both directions. It is
// pointer-free, so that a table of a million is no work for the garbage
// collector, and has no padding, so that it compares as memory.
//
// The VLAN is not part of it: on a gateway's port the two directions of one
// conversation may differ in being tagged. See table.find.
type key struct {
	addr   [2][16]byte // lower first; IPv4 is v4-mapped
	tunnel uint32      // Headers.Tunnel: what is inside a tunnel never meets what is outside
	port   [2]uint16   // of the respective end; for ICMP type and counterpart, or type and code
	id     uint16      // ICMP echo identifier, so that each ping is its own flow
	proto  uint8
	kind   uint8 // keyIPv6, keyOneWay...
}

// Bits of key.kind.
const (
	keyIPv6       = 1 << iota // an IPv6 packet with v4-mapped addresses is not an IPv4 packet
	keyOneWay                 // ICMP without counterpart: no reply can belong to it
	keyFromHigher             // with keyOneWay: sent by the higher address
)

// set fills k from a packet and reports which side sent it.
func (k *key) set(h *Headers) side {
	k.tunnel, k.proto, k.id, k.kind = h.Tunnel, h.Proto, 0, 0
	src, dst := h.SrcPort, h.DstPort
	if h.Version == 6 {
		k.kind = keyIPv6
	}
	icmp := h.isICMP()
	if icmp {
		src = uint16(h.ICMPType)
		if reply, ok := icmpCounterpart(h.Proto, h.ICMPType); ok {
			dst = uint16(reply)
			k.id = h.ICMPID
		} else {
			dst = uint16(h.ICMPCode)
			k.kind |= keyOneWay
		}
	}
	from := k.order(&h.Src, &h.Dst, src, dst)
	if from == 1 && k.kind&keyOneWay != 0 {
		k.kind |= keyFromHigher
	}
	return from
}

// order stores the ends of a packet, the lower one first, and reports which of
// them sent it. It works on words in registers and without branches: which of
// two ends is the lower one is a coin toss that no branch predictor wins, and
// copying addresses as a whole right after they were stored in halves makes
// the processor wait (see mapIPv4).
func (k *key) order(src, dst *[16]byte, srcPort, dstPort uint16) side {
	s0, s1 := binary.BigEndian.Uint64(src[:8]), binary.BigEndian.Uint64(src[8:])
	d0, d1 := binary.BigEndian.Uint64(dst[:8]), binary.BigEndian.Uint64(dst[8:])
	// Destination less source, address before port, as one number of 144 bits:
	// it borrows if the destination is the lower end.
	_, borrow := bits.Sub64(uint64(dstPort), uint64(srcPort), 0)
	_, borrow = bits.Sub64(d1, s1, borrow)
	_, borrow = bits.Sub64(d0, s0, borrow)
	swap := -borrow // all ones or none
	x0, x1, xPort := (s0^d0)&swap, (s1^d1)&swap, (srcPort^dstPort)&uint16(swap)
	binary.BigEndian.PutUint64(k.addr[0][:8], s0^x0)
	binary.BigEndian.PutUint64(k.addr[0][8:], s1^x1)
	binary.BigEndian.PutUint64(k.addr[1][:8], d0^x0)
	binary.BigEndian.PutUint64(k.addr[1][8:], d1^x1)
	k.port[0], k.port[1] = srcPort^xPort, dstPort^xPort
	return side(borrow)
}

func (h *Headers) isICMP() bool {
	return (h.Proto == protoICMP && h.Version == 4) || (h.Proto == protoICMPv6 && h.Version == 6)
}

// icmpCounterpart returns the message type that answers, or is answered by, a
// type; the pairs are those of Community ID v1.
func icmpCounterpart(proto, icmpType uint8) (uint8, bool) {
	pairs := [...][2]uint8{
		{8, 0},   // echo
		{13, 14}, // timestamp
		{15, 16}, // information
		{10, 9},  // router solicitation, advertisement
		{17, 18}, // address mask
	}
	if proto == protoICMPv6 {
		pairs6 := [...][2]uint8{
			{128, 129}, // echo
			{133, 134}, // router solicitation, advertisement
			{135, 136}, // neighbour solicitation, advertisement
			{130, 131}, // multicast listener query, report
			{139, 140}, // node information
			{144, 145}, // home agent address discovery
		}
		return pairOf(icmpType, pairs6[:])
	}
	return pairOf(icmpType, pairs[:])
}

func pairOf(t uint8, pairs [][2]uint8) (uint8, bool) {
	for _, p := range pairs {
		switch t {
		case p[0]:
			return p[1], true
		case p[1]:
			return p[0], true
		}
	}
	return 0, false
}

// compareAddr orders addresses as byte strings.
func compareAddr(a, b *[16]byte) int {
	ah, bh := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8])
	if ah == bh {
		ah, bh = binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(b[8:])
	}
	switch {
	case ah < bh:
		return -1
	case ah > bh:
		return 1
	default:
		return 0
	}
}

// Odd constants with evenly spread bits, from the fractional parts of the
// square roots of the first primes (as SHA-512 uses them).
const (
	seedAddr   = 0x6a09e667f3bcc909
	seedTunnel = 0xbb67ae8584caa73b
	seedPorts  = 0x3c6ef372fe94f82b
	seedShard  = 0xa54ff53a5f1d36f1
)

// mix is the folded 64x64 multiplication of wyhash and its relatives: both
// halves of the product depend on all bits of both factors.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func hashAddr(seed uint64, a *[16]byte) uint64 {
	return hashHalves(seed, binary.LittleEndian.Uint64(a[:8]), binary.LittleEndian.Uint64(a[8:]))
}

func hashHalves(seed, first, second uint64) uint64 {
	return mix(first^seedAddr, second^seed^seedPorts)
}

// hash spreads keys over the table. Under an unpredictable seed nobody can
// choose flows that collide.
func (k *key) hash(seed uint64) uint64 {
	ports := uint64(k.port[0])<<48 | uint64(k.port[1])<<32 | uint64(k.tunnel)
	rest := uint64(k.id)<<16 | uint64(k.proto)<<8 | uint64(k.kind)
	a := hashAddr(seed, &k.addr[0])
	b := hashAddr(a, &k.addr[1])
	return mix(b^ports, rest^seed^seedTunnel)
}

// is reports whether two keys are equal, in 2.0 ns: the compiler's own
// comparison calls a function for memory of any size, which takes 3.1 ns.
func (k *key) is(o *key) bool {
	return k.port == o.port && k.tunnel == o.tunnel &&
		k.id == o.id && k.proto == o.proto && k.kind == o.kind &&
		binary.LittleEndian.Uint64(k.addr[0][:8]) == binary.LittleEndian.Uint64(o.addr[0][:8]) &&
		binary.LittleEndian.Uint64(k.addr[0][8:]) == binary.LittleEndian.Uint64(o.addr[0][8:]) &&
		binary.LittleEndian.Uint64(k.addr[1][:8]) == binary.LittleEndian.Uint64(o.addr[1][:8]) &&
		binary.LittleEndian.Uint64(k.addr[1][8:]) == binary.LittleEndian.Uint64(o.addr[1][8:])
}

// ShardOf tells which of n shards a frame belongs to: the same for both
// directions, all fragments and all tunnelled packets between two hosts,
// whatever the link layer around them. It looks at the outermost pair of IP
// addresses only, never at ports (later fragments have none) or VLAN tags
// (the directions may differ). Frames without IP go to shard 0.
func ShardOf(p *capture.Packet, n int) int {
	if n <= 1 {
		return 0
	}
	if b := p.Data; p.Link == capture.LinkEthernet && len(b) >= ethernetHeader+ipv4Header &&
		binary.BigEndian.Uint16(b[ethernetTypeOff:]) == etherIPv4 { // as nearly always
		return spread(
			hashHalves(seedShard, 0, uint64(binary.LittleEndian.Uint32(b[ethernetHeader+12:]))),
			hashHalves(seedShard, 0, uint64(binary.LittleEndian.Uint32(b[ethernetHeader+16:]))), n)
	}
	var l link
	s, r := l.read(p.Link, span{p.Data, max(p.Length, len(p.Data))})
	if r != Accepted {
		return 0
	}
	var src, dst uint64
	switch {
	case l.etherType == etherIPv4 && len(s.b) >= ipv4Header:
		// In registers: 16 bytes of memory that are written in pieces and read
		// as a whole make the processor wait (see mapIPv4).
		src = hashHalves(seedShard, 0, uint64(binary.LittleEndian.Uint32(s.b[12:])))
		dst = hashHalves(seedShard, 0, uint64(binary.LittleEndian.Uint32(s.b[16:])))
	case l.etherType == etherIPv6 && len(s.b) >= ipv6Header:
		src = hashAddr(seedShard, (*[16]byte)(s.b[8:]))
		dst = hashAddr(seedShard, (*[16]byte)(s.b[24:]))
	default:
		return 0
	}
	return spread(src, dst, n)
}

// ShardOfDelta tells which of n shards a delta belongs to: that of the packets
// it counts.
func ShardOfDelta(d *capture.Delta, n int) int {
	if n <= 1 {
		return 0
	}
	if d.IPv6 {
		return spread(hashAddr(seedShard, &d.Addr[0]), hashAddr(seedShard, &d.Addr[1]), n)
	}
	return spread(
		hashHalves(seedShard, 0, uint64(binary.LittleEndian.Uint32(d.Addr[0][12:]))),
		hashHalves(seedShard, 0, uint64(binary.LittleEndian.Uint32(d.Addr[1][12:]))), n)
}

// spread chooses one of n shards for two hashed addresses.
func spread(a, b uint64, n int) int {
	// A sum is symmetric; the final mix spreads what it lost.
	hi, _ := bits.Mul64(mix(a+b, seedAddr), uint64(n))
	return int(hi)
}
