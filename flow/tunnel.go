package flow

import (
	"encoding/binary"
)

// UDP ports that announce a tunnel (IANA, but for Linux's old VXLAN default).
const (
	portL2TP       = 1701
	portGTPU       = 2152
	portTeredo     = 3544
	portVXLAN      = 4789
	portVXLANGPE   = 4790
	portGeneve     = 6081
	portMPLSInUDP  = 6635
	portVXLANLinux = 8472
)

// udpTunnelPort returns the port that says which tunnel a UDP packet may
// belong to, 0 for none. VXLAN and Geneve put a flow hash in the source port,
// so only the destination counts; Teredo, GTP-U and L2TP answer from their port.
func udpTunnelPort(src, dst uint16) uint16 {
	switch dst {
	case portVXLAN, portVXLANLinux, portVXLANGPE, portGeneve, portGTPU, portTeredo, portMPLSInUDP, portL2TP:
		return dst
	}
	switch src {
	case portTeredo, portGTPU, portL2TP:
		return src
	}
	return 0
}

// udpTunnel enters the tunnel of that port. If it is none after all, h still
// describes the UDP packet.
func (h *Headers) udpTunnel(port uint16, s span) bool {
	switch port {
	case portVXLAN, portVXLANLinux:
		return h.vxlan(s)
	case portVXLANGPE:
		return h.vxlanGPE(s)
	case portGeneve:
		return h.geneve(s)
	case portGTPU:
		return h.gtpu(s)
	case portTeredo:
		return h.teredo(s)
	case portL2TP:
		return h.l2tp(s)
	default:
		return h.mplsTunnel(s)
	}
}

// enter reads the packet inside a tunnel. If that fails, h is left as it was,
// so that whatever claims to be a tunnel and is none counts as what it is
// outside. network identifies the virtual network where the header does so in
// both directions alike, else 0.
func (h *Headers) enter(l *link, network uint32, s span) bool {
	if h.Depth >= maxTunnels {
		return false
	}
	outer := *h
	*h = Headers{
		SrcMAC: outer.SrcMAC, DstMAC: outer.DstMAC, VLAN: outer.VLAN,
		Depth: outer.Depth + 1, Tunnel: tunnelHash(&outer, network),
	}
	if l.src != ([6]byte{}) || l.dst != ([6]byte{}) {
		h.SrcMAC, h.DstMAC = l.src, l.dst
	}
	if h.VLAN == 0 {
		h.VLAN = l.vlan
	}
	if h.network(l.etherType, s) != Accepted {
		*h = outer
		return false
	}
	return true
}

// tunnelHash condenses what surrounds a packet; it is equal both ways.
func tunnelHash(outer *Headers, network uint32) uint32 {
	lo, hi := &outer.Src, &outer.Dst
	if compareAddr(lo, hi) > 0 {
		lo, hi = hi, lo
	}
	seed := uint64(outer.Tunnel)<<32 | uint64(network)
	return max(1, uint32(mix(hashAddr(seed, lo)^seedTunnel, hashAddr(seed, hi))))
}

// enterIP enters a tunnel that holds a bare IP packet.
func (h *Headers) enterIP(network uint32, s span) bool {
	var l link
	s, r := l.bareIP(s)
	return r == Accepted && h.enter(&l, network, s)
}

// enterEthernet enters a tunnel that holds an Ethernet frame.
func (h *Headers) enterEthernet(network uint32, s span) bool {
	var l link
	s, r := l.ethernet(s)
	return r == Accepted && h.enter(&l, network, s)
}

// enterType enters a tunnel whose header names an EtherType.
func (h *Headers) enterType(etherType uint16, network uint32, s span) bool {
	if etherType == etherBridge {
		return h.enterEthernet(network, s)
	}
	var l link
	s, r := l.resolve(etherType, s, maxTags)
	return r == Accepted && h.enter(&l, network, s)
}

// ipTunnel enters the tunnels that have an IP protocol number: IP in IP
// (RFC 2003, 2473, 4213), GRE, EtherIP (RFC 3378) and MPLS (RFC 4023).
func (h *Headers) ipTunnel(s span) bool {
	switch h.Proto {
	case protoIPv4:
		return h.enter(&link{etherType: etherIPv4}, 0, s)
	case protoIPv6:
		return h.enter(&link{etherType: etherIPv6}, 0, s)
	case protoGRE:
		return h.gre(s)
	case protoEtherIP:
		const version3 = 0x30
		return len(s.b) >= 2 && s.b[0] == version3 && s.b[1] == 0 && h.enterEthernet(0, s.skip(2))
	default:
		return h.mplsTunnel(s)
	}
}

// mplsTunnel enters MPLS in IP or UDP (RFC 4023, RFC 7510).
func (h *Headers) mplsTunnel(s span) bool {
	var l link
	s, r := l.mpls(s, maxTags)
	return r == Accepted && h.enter(&l, 0, s)
}

// gre enters GRE (RFC 2784, RFC 2890), PPTP's version of it (RFC 2637) and
// ERSPAN.
func (h *Headers) gre(s span) bool {
	const (
		checksum, routing, key, sequence = 0x8000, 0x4000, 0x2000, 0x1000
		ack                              = 0x0080 // version 1 only
		versionMask                      = 0x0007
	)
	if len(s.b) < 4 {
		return false
	}
	flags, protocol := binary.BigEndian.Uint16(s.b), binary.BigEndian.Uint16(s.b[2:])
	version := flags & versionMask
	if version > 1 || flags&routing != 0 {
		return false
	}
	size := 4
	if version == 0 && flags&checksum != 0 {
		size += 4
	}
	if flags&key != 0 {
		size += 4
	}
	if flags&sequence != 0 {
		size += 4
	}
	if version == 1 && flags&ack != 0 {
		size += 4
	}
	if size > len(s.b) {
		return false
	}
	length := s.n - size
	if version == 1 {
		if protocol != etherPPP || flags&key == 0 || flags&sequence == 0 {
			return false // an acknowledgement without payload, or not PPTP
		}
		length = int(binary.BigEndian.Uint16(s.b[4:]))
	}
	s = s.skip(size).limit(length)
	switch protocol {
	case etherPPP:
		var l link
		s, r := l.ppp(s)
		return r == Accepted && h.enter(&l, 0, s)
	case etherERSPAN:
		return h.erspan2(s, flags&sequence != 0)
	case etherERSPANIII:
		return h.erspan3(s)
	default:
		return h.enterType(protocol, 0, s)
	}
}

// erspan2 enters ERSPAN type II, whose 8-byte header is there when GRE has a
// sequence number, or type I, which has none (draft-foschiano-erspan).
func (h *Headers) erspan2(s span, header bool) bool {
	if header {
		if len(s.b) < 8 {
			return false
		}
		s = s.skip(8)
	}
	return h.enterEthernet(0, s)
}

// erspan3 enters ERSPAN type III: 12 bytes and an optional subheader.
func (h *Headers) erspan3(s span) bool {
	const header, subheader, optional = 12, 8, 0x01
	if len(s.b) < header {
		return false
	}
	size := header
	if s.b[11]&optional != 0 {
		size += subheader
	}
	if size > len(s.b) {
		return false
	}
	return h.enterEthernet(0, s.skip(size))
}

// vxlan enters VXLAN (RFC 7348).
func (h *Headers) vxlan(s span) bool {
	const header, validVNI = 8, 0x08
	if len(s.b) < header || s.b[0]&validVNI == 0 {
		return false
	}
	return h.enterEthernet(binary.BigEndian.Uint32(s.b[4:])>>8, s.skip(header))
}

// vxlanGPE enters the generic protocol extension of VXLAN
// (draft-ietf-nvo3-vxlan-gpe), whose header says what follows.
func (h *Headers) vxlanGPE(s span) bool {
	const header, validVNI, hasProtocol = 8, 0x08, 0x04
	if len(s.b) < header || s.b[0]&validVNI == 0 || s.b[0]&hasProtocol == 0 {
		return false
	}
	network, next := binary.BigEndian.Uint32(s.b[4:])>>8, s.b[3]
	s = s.skip(header)
	switch next {
	case 1, 2: // IPv4, IPv6
		return h.enterIP(network, s)
	case 3:
		return h.enterEthernet(network, s)
	default:
		return false
	}
}

// geneve enters Geneve (RFC 8926).
func (h *Headers) geneve(s span) bool {
	const header = 8
	if len(s.b) < header || s.b[0]>>6 != 0 {
		return false
	}
	size := header + int(s.b[0]&0x3f)*4
	if size > len(s.b) {
		return false
	}
	network := binary.BigEndian.Uint32(s.b[4:]) >> 8
	return h.enterType(binary.BigEndian.Uint16(s.b[2:]), network, s.skip(size))
}

// teredo enters Teredo (RFC 4380, 5.1.1): optional authentication and origin
// indications, then an IPv6 packet that fills the datagram and has a Teredo
// or a link-local address, because port 3544 alone proves nothing.
func (h *Headers) teredo(s span) bool {
	if len(s.b) >= 4 && s.b[0] == 0 && s.b[1] == 1 { // authentication
		size := 13 + int(s.b[2]) + int(s.b[3])
		if size > len(s.b) {
			return false
		}
		s = s.skip(size)
	}
	if len(s.b) >= 8 && s.b[0] == 0 && s.b[1] == 0 { // origin
		s = s.skip(8)
	}
	if len(s.b) < ipv6Header || s.b[0]>>4 != 6 ||
		ipv6Header+int(binary.BigEndian.Uint16(s.b[4:])) != s.n ||
		!teredoAddr(s.b[8:24]) && !teredoAddr(s.b[24:40]) {
		return false
	}
	return h.enter(&link{etherType: etherIPv6}, 0, s)
}

// teredoAddr reports whether a is in 2001::/32 or fe80::/10.
func teredoAddr(a []byte) bool {
	return binary.BigEndian.Uint32(a) == 0x20010000 || a[0] == 0xfe && a[1]&0xc0 == 0x80
}

// gtpu enters a GTP-U user packet (3GPP TS 29.281). Tunnel endpoint ids differ
// by direction and so cannot identify the network.
func (h *Headers) gtpu(s span) bool {
	const (
		header, optional = 8, 4
		version1         = 0x30 // version 1, protocol type GTP
		extension        = 0x04
		anyOptional      = 0x07
		userPacket       = 0xff
		maxGTPExtensions = 4
	)
	if len(s.b) < header || s.b[0]&0xf0 != version1 || s.b[1] != userPacket {
		return false
	}
	flags := s.b[0]
	s = s.limit(header + int(binary.BigEndian.Uint16(s.b[2:]))).skip(header)
	if flags&anyOptional == 0 {
		return h.enterIP(0, s)
	}
	if len(s.b) < optional {
		return false
	}
	next := byte(0)
	if flags&extension != 0 {
		next = s.b[3]
	}
	s = s.skip(optional)
	for i := 0; next != 0; i++ {
		if len(s.b) == 0 || i == maxGTPExtensions {
			return false
		}
		size := int(s.b[0]) * 4
		if size == 0 || size > len(s.b) {
			return false
		}
		next = s.b[size-1]
		s = s.skip(size)
	}
	return h.enterIP(0, s)
}

// l2tp enters a data message of L2TP version 2 (RFC 2661 section 3.1), which
// holds a PPP frame. Tunnel and session have other numbers in each direction.
func (h *Headers) l2tp(s span) bool {
	const (
		header                                      = 6 // flags, tunnel, session
		control, hasLength, hasSequence, hasPadding = 0x80, 0x40, 0x08, 0x02
		version, versionMask                        = 2, 0x0f
	)
	if len(s.b) < header || s.b[0]&control != 0 || s.b[1]&versionMask != version {
		return false
	}
	flags, skip := s.b[0], header
	if flags&hasLength != 0 {
		s = s.limit(int(binary.BigEndian.Uint16(s.b[2:])))
		skip += 2
	}
	if flags&hasSequence != 0 {
		skip += 4
	}
	if flags&hasPadding != 0 {
		if len(s.b) < skip+2 {
			return false
		}
		skip += 2 + int(binary.BigEndian.Uint16(s.b[skip:]))
	}
	if skip > len(s.b) {
		return false
	}
	var l link
	inside, r := l.ppp(s.skip(skip))
	return r == Accepted && h.enter(&l, 0, inside)
}
