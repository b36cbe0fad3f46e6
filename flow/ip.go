package flow

import "encoding/binary"

// IP protocol numbers (IANA registry) that the decoder tells apart.
const (
	protoHopByHop  = 0
	protoICMP      = 1
	protoIPv4      = 4
	protoTCP       = 6
	protoUDP       = 17
	protoIPv6      = 41
	protoRouting   = 43
	protoFragment  = 44
	protoGRE       = 47
	protoAH        = 51
	protoICMPv6    = 58
	protoDstOpts   = 60
	protoEtherIP   = 97
	protoSCTP      = 132
	protoMobility  = 135
	protoMPLSInIP  = 137
	protoHIP       = 139
	protoShim6     = 140
	ipv4Header     = 20
	ipv6Header     = 40
	maxDatagram    = 65535
	ipv4Offset     = 0x1fff
	ipv4More       = 0x2000
	ipv6FragHeader = 8
)

// ipv4 reads an IPv4 packet (RFC 791).
func (h *Headers) ipv4(s span) Reason {
	b := s.b
	if len(b) < ipv4Header {
		return TruncatedNetwork
	}
	if b[0]>>4 != 4 {
		return BadVersion
	}
	size := int(b[0]&0x0f) * 4
	if size < ipv4Header {
		return BadHeaderLength
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case total == 0 || total > s.n:
		// Segmentation offload leaves 0 (and BIG TCP has to); a length beyond
		// the frame is believed only as far as bytes crossed the wire.
		total = s.n
	case total < size:
		return BadLength
	}
	if size > total {
		return BadHeaderLength
	}
	s = s.limit(total)
	if len(s.b) < size {
		return TruncatedNetwork
	}
	h.Version, h.Length = 4, total
	mapIPv4(&h.Src, b[12:16])
	mapIPv4(&h.Dst, b[16:20])
	field := binary.BigEndian.Uint16(b[6:])
	s = s.skip(size)
	if field&(ipv4Offset|ipv4More) != 0 {
		id := uint32(binary.BigEndian.Uint16(b[4:]))
		return h.piece(b[9], s, id, int(field&ipv4Offset)*8, field&ipv4More != 0, maxExtensions)
	}
	return h.upper(b[9], s, maxExtensions)
}

// mapIPv4 stores a 4-byte address in v4-mapped form (RFC 4291, 2.5.5.2). It
// stores two words because whoever compares and hashes addresses loads two
// words: a load that spans several smaller stores waits until they have left
// the processor's store buffer, which took 6 % of a replay.
func mapIPv4(dst *[16]byte, b []byte) {
	binary.LittleEndian.PutUint64(dst[:8], 0)
	binary.LittleEndian.PutUint64(dst[8:], 0xffff<<16|uint64(binary.LittleEndian.Uint32(b))<<32)
}

// ipv6 reads an IPv6 packet (RFC 8200).
func (h *Headers) ipv6(s span) Reason {
	b := s.b
	if len(b) < ipv6Header {
		return TruncatedNetwork
	}
	if b[0]>>4 != 6 {
		return BadVersion
	}
	payload := int(binary.BigEndian.Uint16(b[4:]))
	rest := s.n - ipv6Header
	if payload > rest || (payload == 0 && rest > ethernetMinimum) {
		// Zero with more behind it than Ethernet's padding is a jumbogram
		// (RFC 2675) or BIG TCP.
		payload = rest
	}
	s = s.limit(ipv6Header + payload)
	h.Version, h.Length = 6, ipv6Header+payload
	copy(h.Src[:], b[8:24])
	copy(h.Dst[:], b[24:40])
	return h.upper(b[6], s.skip(ipv6Header), maxExtensions)
}

// upper follows the headers between IP and the transport: at most budget
// IPv6 extension headers, and AH in either version.
func (h *Headers) upper(next uint8, s span, budget int) Reason {
	for ; h.isExtension(next); budget-- {
		if budget == 0 {
			return TooManyHeaders
		}
		if len(s.b) < 8 {
			if s.n < 8 {
				return BadExtension
			}
			return TruncatedNetwork
		}
		size := (int(s.b[1]) + 1) * 8
		switch next {
		case protoAH:
			size = (int(s.b[1]) + 2) * 4 // RFC 4302 counts 32-bit words
		case protoFragment:
			field := binary.BigEndian.Uint16(s.b[2:])
			offset, more := int(field&^7), field&1 != 0
			if offset != 0 || more {
				return h.piece(s.b[0], s.skip(ipv6FragHeader), binary.BigEndian.Uint32(s.b[4:]), offset, more, budget-1)
			}
			size = ipv6FragHeader // an atomic fragment (RFC 6946) is whole
		}
		if size > s.n {
			return BadExtension
		}
		if size > len(s.b) {
			return TruncatedNetwork
		}
		next = s.b[0]
		s = s.skip(size)
	}
	h.Proto = next
	return h.transport(s)
}

// isExtension reports whether a header of this type is followed by another.
func (h *Headers) isExtension(next uint8) bool {
	switch next {
	case protoAH:
		return true
	case protoHopByHop, protoRouting, protoFragment, protoDstOpts, protoMobility, protoHIP, protoShim6:
		return h.Version == 6
	default:
		return false
	}
}

// piece describes a fragment. A first fragment is read as far as its
// transport header goes.
func (h *Headers) piece(next uint8, s span, id uint32, offset int, more bool, budget int) Reason {
	switch {
	case h.Fragment.is: // a fragment header inside a fragment
		return BadFragment
	case s.n == 0, more && s.n%8 != 0, offset+s.n > maxDatagram:
		return BadFragment
	}
	h.Proto, h.PayloadLen = next, s.n
	h.Fragment = fragment{is: true, more: more, offset: offset, id: id, next: next, data: s}
	if !h.needsSiblings(next) {
		h.Fragment.alone = true
		return Accepted
	}
	if offset > 0 {
		return Accepted
	}
	whole := *h
	if h.upper(next, s, budget) != Accepted {
		// Too small for its transport header, perhaps on purpose (RFC 1858):
		// the ports are known once the datagram is complete.
		*h = whole
		return Accepted
	}
	// A snapped tunnel can never be looked into: it counts as its outer flow.
	h.Fragment.portsSeen = !h.Fragment.tunnel || len(s.b) < s.n
	h.Payload, h.ICMP = nil, nil
	return Accepted
}

// needsSiblings reports whether fragments other than the first cannot be
// assigned to a flow by themselves.
func (h *Headers) needsSiblings(next uint8) bool {
	switch next {
	case protoTCP, protoUDP, protoSCTP, protoICMP, protoICMPv6,
		protoIPv4, protoIPv6, protoGRE, protoEtherIP, protoMPLSInIP:
		return true
	default:
		return h.isExtension(next)
	}
}

// resume reads a reassembled datagram. h keeps what the fragments had in
// common: addresses, link layer and tunnel. next is the type of its first
// header.
func (h *Headers) resume(next uint8, payload []byte) Reason {
	depth := h.Depth
	h.Fragment = fragment{}
	h.Flags, h.SrcPort, h.DstPort, h.Payload, h.ICMP = 0, 0, 0, nil, nil
	r := h.upper(next, span{payload, len(payload)}, maxExtensions)
	if h.Fragment.is && h.Depth == depth {
		return BadFragment // RFC 8200 allows one fragment header
	}
	return r
}

// transport reads the header of layer 4, or the packet inside a tunnel.
func (h *Headers) transport(s span) Reason {
	switch h.Proto {
	case protoTCP:
		return h.tcp(s)
	case protoUDP:
		return h.udp(s)
	case protoICMP, protoICMPv6:
		if h.isICMP() {
			return h.icmp(s)
		}
	case protoSCTP:
		const header = 12
		if len(s.b) < header {
			return TruncatedTransport
		}
		h.ports(s.b)
		h.payload(s, header)
		return Accepted
	case protoIPv4, protoIPv6, protoGRE, protoEtherIP, protoMPLSInIP:
		if h.Fragment.is {
			h.Fragment.tunnel = true
		} else if h.ipTunnel(s) {
			return Accepted
		}
	}
	h.payload(s, 0)
	return Accepted
}

func (h *Headers) ports(b []byte) {
	h.SrcPort = binary.BigEndian.Uint16(b)
	h.DstPort = binary.BigEndian.Uint16(b[2:])
}

// payload notes what follows a header of size bytes.
func (h *Headers) payload(s span, size int) {
	h.PayloadLen = s.n - size
	if size < len(s.b) {
		h.Payload = s.b[size:]
	}
}

// tcp reads a TCP header (RFC 9293). Fourteen captured bytes suffice.
func (h *Headers) tcp(s span) Reason {
	const header, needed = 20, 14
	b := s.b
	if len(b) < needed || s.n < header {
		return TruncatedTransport
	}
	size := int(b[12]>>4) * 4
	if size < header || size > s.n {
		return BadHeaderLength
	}
	h.ports(b)
	h.Seq = binary.BigEndian.Uint32(b[4:])
	h.Ack = binary.BigEndian.Uint32(b[8:])
	h.Flags = b[13]
	h.payload(s, size)
	return Accepted
}

// udp reads a UDP header (RFC 768). Its ports suffice where the capture was
// cut behind them.
func (h *Headers) udp(s span) Reason {
	const header, needed = 8, 4
	if len(s.b) < needed || s.n < header {
		return TruncatedTransport
	}
	if len(s.b) < header {
		h.ports(s.b)
		h.payload(s, header)
		return Accepted
	}
	length := int(binary.BigEndian.Uint16(s.b[4:]))
	switch {
	case length == 0: // a jumbogram's (RFC 2675)
	case length < header:
		return BadLength
	default:
		s = s.limit(length)
	}
	h.ports(s.b)
	h.payload(s, header)
	if port := udpTunnelPort(h.SrcPort, h.DstPort); port != 0 {
		if h.Fragment.is {
			h.Fragment.tunnel = true
		} else {
			h.udpTunnel(port, s.skip(header))
		}
	}
	return Accepted
}

// icmp reads an ICMP header of either version (RFC 792, RFC 4443).
func (h *Headers) icmp(s span) Reason {
	const header = 8
	if len(s.b) < 4 {
		return TruncatedTransport
	}
	h.ICMPType, h.ICMPCode = s.b[0], s.b[1]
	if len(s.b) >= 6 && h.isEcho() {
		h.ICMPID = binary.BigEndian.Uint16(s.b[4:])
	}
	h.ICMP = s.b
	h.payload(s, min(header, s.n))
	return Accepted
}

// isEcho reports whether the message is an echo request or reply.
func (h *Headers) isEcho() bool {
	if h.Proto == protoICMP {
		return h.ICMPType == 0 || h.ICMPType == 8
	}
	return h.ICMPType == 128 || h.ICMPType == 129
}
