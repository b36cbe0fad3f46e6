package flow

import (
	"encoding/binary"
	"math/bits"

	"gatehouse/capture"
	"gatehouse/wire"
)

// link is what the layers below IP say: the frame's addresses and what it
// carries once VLAN tags, MPLS labels and PPPoE are taken off. The decoder and
// ShardOf share it, so that both find the same packet.
type link struct {
	src, dst  [6]byte
	vlan      uint16
	etherType uint16
}

// read takes the link layer off a frame. It returns the layer 3 packet.
func (l *link) read(t capture.LinkType, s span) (span, Reason) {
	switch t {
	case capture.LinkEthernet:
		return l.ethernet(s)
	case capture.LinkLinuxSLL:
		return l.cooked(s)
	case capture.LinkLinuxSLL2:
		return l.cooked2(s)
	case capture.LinkRawIP, dltRaw, dltRawOpenBSD:
		return l.bareIP(s)
	case capture.LinkIPv4:
		l.etherType = etherIPv4
		return s, Accepted
	case capture.LinkIPv6:
		l.etherType = etherIPv6
		return s, Accepted
	case capture.LinkNull, capture.LinkLoop:
		return l.loopback(s)
	case capture.LinkPPP, capture.LinkPPPHDLC:
		return l.pppOrCiscoHDLC(s)
	case capture.LinkPPPoE:
		return l.pppoe(s, maxTags)
	case capture.LinkCiscoHDLC:
		return l.ciscoHDLC(s)
	case capture.LinkIEEE80211:
		return l.wifi(s, false)
	case capture.LinkIEEE80211Radiotap:
		return l.radiotap(s)
	default:
		return s, UnknownLink
	}
}

// DLT_RAW as the BSDs number it; package capture maps both to LinkRawIP, other
// sources need not.
const (
	dltRaw        capture.LinkType = 12
	dltRawOpenBSD capture.LinkType = 14
)

func (l *link) ethernet(s span) (span, Reason) {
	if len(s.b) < ethernetHeader {
		return s, TruncatedLink
	}
	copy(l.dst[:], s.b[0:6])
	copy(l.src[:], s.b[6:12])
	return l.typeOrLength(binary.BigEndian.Uint16(s.b[ethernetTypeOff:]), s.skip(ethernetHeader), maxTags)
}

// typeOrLength follows the field that is an EtherType in Ethernet II and a
// length in 802.3. At most budget further headers are taken off.
func (l *link) typeOrLength(v uint16, s span, budget int) (span, Reason) {
	if v >= minEtherType {
		return l.resolve(v, s, budget)
	}
	return l.llc(s.limit(int(v)), budget)
}

// resolve takes off VLAN tags, MPLS labels and PPPoE until something else
// comes, normally IP or ARP.
func (l *link) resolve(etherType uint16, s span, budget int) (span, Reason) {
	for ; budget > 0; budget-- {
		switch etherType {
		case etherVLAN, etherQinQ, etherQinQLegacy:
			if len(s.b) < vlanHeader {
				return s, TruncatedLink
			}
			if id := binary.BigEndian.Uint16(s.b) & vlanIDMask; l.vlan == 0 {
				l.vlan = id
			}
			etherType = binary.BigEndian.Uint16(s.b[2:])
			s = s.skip(vlanHeader)
			if etherType < minEtherType {
				return l.llc(s.limit(int(etherType)), budget-1)
			}
		case etherMPLS, etherMPLSMulti:
			return l.mpls(s, budget)
		case etherPPPoE:
			return l.pppoe(s, budget-1)
		default:
			l.etherType = etherType
			return s, Accepted
		}
	}
	return s, TooManyTags
}

// llc reads an 802.2 header: SNAP with an EtherType, or the SAP of IP.
func (l *link) llc(s span, budget int) (span, Reason) {
	const sapIP, sapSNAP, unnumbered = 0x06, 0xaa, 0x03
	if len(s.b) < 3 {
		if s.n < 3 {
			return s, NonIP
		}
		return s, TruncatedLink
	}
	switch {
	case s.b[0] == sapSNAP && s.b[1] == sapSNAP && s.b[2] == unnumbered:
		if len(s.b) < 8 {
			return s, TruncatedLink
		}
		// OUI 0 is RFC 1042; 00-00-F8 the bridge-tunnel form of 802.1H.
		if s.b[3] != 0 || s.b[4] != 0 || (s.b[5] != 0 && s.b[5] != 0xf8) {
			return l.bareLLC(s)
		}
		return l.resolve(binary.BigEndian.Uint16(s.b[6:]), s.skip(8), budget)
	case s.b[0] == sapIP && s.b[1] == sapIP && s.b[2] == unnumbered:
		l.etherType = etherIPv4
		return s.skip(3), Accepted
	default:
		return l.bareLLC(s)
	}
}

// bareLLC leaves an 802.2 frame to whoever reads it from its DSAP on.
func (l *link) bareLLC(s span) (span, Reason) {
	l.etherType = wire.EtherLLC
	return s, Accepted
}

// mpls takes off a label stack (RFC 3032). Nothing in it says what follows:
// the first nibble is IP's version, or 0 for the control word of an Ethernet
// pseudowire (RFC 4448); an Ethernet frame without one is recognised by its
// EtherType.
func (l *link) mpls(s span, budget int) (span, Reason) {
	for bottom := false; !bottom; budget-- {
		if budget == 0 {
			return s, TooManyTags
		}
		if len(s.b) < 4 {
			return s, TruncatedLink
		}
		bottom = s.b[2]&mplsBottomOfStack != 0
		s = s.skip(4)
	}
	if len(s.b) == 0 {
		return s, TruncatedLink
	}
	switch first := s.b[0]; {
	case looksLikeIP(s):
		return l.bareIP(s)
	case first == 0 && len(s.b) >= 4+ethernetHeader && s.b[1]>>6 == 0:
		return l.innerEthernet(s.skip(4), budget)
	case len(s.b) >= ethernetHeader && knownEtherType(binary.BigEndian.Uint16(s.b[ethernetTypeOff:])):
		return l.innerEthernet(s, budget)
	default:
		return s, NonIP
	}
}

// innerEthernet is ethernet with what is left of the tag budget.
func (l *link) innerEthernet(s span, budget int) (span, Reason) {
	if budget <= 0 {
		return s, TooManyTags
	}
	if len(s.b) < ethernetHeader {
		return s, TruncatedLink
	}
	copy(l.dst[:], s.b[0:6])
	copy(l.src[:], s.b[6:12])
	return l.typeOrLength(binary.BigEndian.Uint16(s.b[ethernetTypeOff:]), s.skip(ethernetHeader), budget-1)
}

// looksLikeIP tells an IP packet from an Ethernet frame whose destination
// address happens to begin with 4 or 6.
func looksLikeIP(s span) bool {
	switch {
	case len(s.b) >= 4 && s.b[0]>>4 == 4:
		return s.b[0]&0x0f >= 5 && int(binary.BigEndian.Uint16(s.b[2:])) <= s.n
	case len(s.b) >= 6 && s.b[0]>>4 == 6:
		return ipv6Header+int(binary.BigEndian.Uint16(s.b[4:])) <= s.n
	default:
		return false
	}
}

func knownEtherType(t uint16) bool {
	switch t {
	case etherIPv4, etherIPv6, etherARP, etherVLAN, etherQinQ, etherQinQLegacy, etherMPLS, etherPPPoE:
		return true
	default:
		return false
	}
}

// bareIP tells IPv4 from IPv6 by the version nibble.
func (l *link) bareIP(s span) (span, Reason) {
	if len(s.b) == 0 {
		return s, TruncatedNetwork
	}
	switch s.b[0] >> 4 {
	case 4:
		l.etherType = etherIPv4
	case 6:
		l.etherType = etherIPv6
	default:
		return s, BadVersion
	}
	return s, Accepted
}

// cooked reads Linux cooked capture v1: packet type, ARPHRD type, address
// length, address, protocol.
func (l *link) cooked(s span) (span, Reason) {
	if len(s.b) < 16 {
		return s, TruncatedLink
	}
	hardware, addrLen := binary.BigEndian.Uint16(s.b[2:]), binary.BigEndian.Uint16(s.b[4:])
	if addrLen == 6 {
		copy(l.src[:], s.b[6:12])
	}
	return l.cookedProtocol(hardware, binary.BigEndian.Uint16(s.b[14:]), s.skip(16))
}

// cooked2 reads Linux cooked capture v2, which leads with the protocol.
func (l *link) cooked2(s span) (span, Reason) {
	if len(s.b) < 20 {
		return s, TruncatedLink
	}
	if s.b[11] == 6 {
		copy(l.src[:], s.b[12:18])
	}
	return l.cookedProtocol(binary.BigEndian.Uint16(s.b[8:]), binary.BigEndian.Uint16(s.b), s.skip(20))
}

// cookedProtocol interprets the protocol field of a cooked header, whose
// meaning depends on the device's hardware type.
func (l *link) cookedProtocol(hardware, protocol uint16, s span) (span, Reason) {
	const (
		arphrdNetlink  = 824 // protocol is a netlink family
		arphrdRadiotap = 803 // protocol is meaningless, radiotap follows
		ethP8022       = 4   // an LLC header follows
	)
	switch {
	case hardware == arphrdNetlink:
		return s, NonIP
	case hardware == arphrdRadiotap:
		return l.radiotap(s)
	case protocol >= minEtherType:
		return l.resolve(protocol, s, maxTags)
	case protocol == ethP8022:
		return l.llc(s, maxTags)
	default:
		return s, NonIP
	}
}

// loopback reads the 4-byte address family of BSD loopback, which is in the
// byte order of the machine that captured. AF_INET6 differs between systems.
func (l *link) loopback(s span) (span, Reason) {
	const afInet = 2
	if len(s.b) < 4 {
		return s, TruncatedLink
	}
	family := binary.BigEndian.Uint32(s.b)
	if family > 0xffff {
		family = bits.ReverseBytes32(family)
	}
	switch family {
	case afInet:
		l.etherType = etherIPv4
	case 10, 24, 28, 30: // Linux; NetBSD, OpenBSD; FreeBSD; Darwin
		l.etherType = etherIPv6
	default:
		return s, NonIP
	}
	return s.skip(4), Accepted
}
