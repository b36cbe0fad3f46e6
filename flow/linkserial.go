package flow

import "encoding/binary"

// PPP protocol numbers (IANA "PPP DLL Protocol Numbers").
const (
	pppIPv4       = 0x0021
	pppIPv6       = 0x0057
	pppMPLS       = 0x0281
	pppMPLSMulti  = 0x0283
	pppBridging   = 0x0031
	hdlcAllStns   = 0xff // RFC 1662: address and control are always FF 03
	hdlcUI        = 0x03
	ciscoUnicast  = 0x0f
	ciscoMulti    = 0x8f
	pppoeHeader   = 6
	pppoeVersion1 = 0x11 // version and type
)

// ppp reads a PPP frame (RFC 1661) with or without the HDLC address and
// control bytes, and with or without compression of the protocol field.
func (l *link) ppp(s span) (span, Reason) {
	if len(s.b) >= 2 && s.b[0] == hdlcAllStns && s.b[1] == hdlcUI {
		s = s.skip(2)
	}
	return l.pppProtocol(s, maxTags)
}

// pppProtocol reads the protocol field, which is one byte if that byte is odd
// (protocol-field compression), and what it announces.
func (l *link) pppProtocol(s span, budget int) (span, Reason) {
	if len(s.b) == 0 {
		return s, TruncatedLink
	}
	protocol, size := uint16(s.b[0]), 1
	if s.b[0]&1 == 0 {
		if len(s.b) < 2 {
			return s, TruncatedLink
		}
		protocol, size = binary.BigEndian.Uint16(s.b), 2
	}
	s = s.skip(size)
	switch protocol {
	case pppIPv4:
		l.etherType = etherIPv4
		return s, Accepted
	case pppIPv6:
		l.etherType = etherIPv6
		return s, Accepted
	case pppMPLS, pppMPLSMulti:
		return l.mpls(s, budget)
	case pppBridging:
		return l.bridgedPPP(s, budget)
	default:
		return s, NonIP
	}
}

// bridgedPPP reads BCP (RFC 3518): flags, MAC type 1 for Ethernet, the frame.
func (l *link) bridgedPPP(s span, budget int) (span, Reason) {
	const macEthernet = 1
	if len(s.b) < 2 {
		return s, TruncatedLink
	}
	if s.b[1] != macEthernet {
		return s, NonIP
	}
	return l.innerEthernet(s.skip(2), budget)
}

// pppOrCiscoHDLC reads the PPP link types, which in practice also hold Cisco
// HDLC. No PPP frame starts with its address bytes: as compressed protocol
// numbers they are not assigned.
func (l *link) pppOrCiscoHDLC(s span) (span, Reason) {
	if len(s.b) > 0 && (s.b[0] == ciscoUnicast || s.b[0] == ciscoMulti) {
		return l.ciscoHDLC(s)
	}
	return l.ppp(s)
}

// ciscoHDLC reads address, control and an EtherType.
func (l *link) ciscoHDLC(s span) (span, Reason) {
	if len(s.b) < 4 {
		return s, TruncatedLink
	}
	switch s.b[0] {
	case ciscoUnicast, ciscoMulti:
		if t := binary.BigEndian.Uint16(s.b[2:]); t >= minEtherType {
			return l.resolve(t, s.skip(4), maxTags)
		}
		return s, NonIP
	default:
		return s, NonIP // OSI network layers start with FE FE 03
	}
}

// pppoe reads a PPPoE session header (RFC 2516) and the PPP frame in it.
func (l *link) pppoe(s span, budget int) (span, Reason) {
	if len(s.b) < pppoeHeader {
		return s, TruncatedLink
	}
	if s.b[0] != pppoeVersion1 {
		return s, BadLink
	}
	if s.b[1] != 0 { // a discovery code
		return s, NonIP
	}
	length := int(binary.BigEndian.Uint16(s.b[4:]))
	return l.pppProtocol(s.skip(pppoeHeader).limit(length), budget)
}
