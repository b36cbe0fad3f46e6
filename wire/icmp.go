package wire

import (
	"fmt"
	"net/netip"
)

// ICMPError is an ICMP message about another packet, of which it quotes the
// head (RFC 792, RFC 4443): unreachable, redirected, too big, expired.
type ICMPError struct {
	V6         bool
	Type, Code uint8
	// Gateway is the router that a redirect of ICMPv4 names.
	Gateway netip.Addr
	MTU     uint32 // of "too big" and "fragmentation needed", bytes; 0 if it names none
	// The packet that is quoted: who sent it to whom, and its protocol. Ports
	// are 0 if the protocol has none or they were not quoted.
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	Proto            uint8
	Truncated        bool // the quoted packet was never seen up to its ports
}

// Protocol implements Message.
func (*ICMPError) Protocol() string { return "icmp" }

// Types of ICMP.
const (
	icmpUnreachable = 3
	icmpQuench      = 4
	icmpRedirect    = 5
	icmpExceeded    = 11
	icmpParameter   = 12
	icmpNeedsFrag   = 4 // a code of unreachable

	icmp6Unreachable = 1
	icmp6TooBig      = 2
	icmp6Exceeded    = 3
	icmp6Parameter   = 4
	mldQuery         = 130
	mldReport        = 131
	mldDone          = 132
	ndpRouterSolicit = 133
	ndpRouterAdvert  = 134
	ndpNeighborAsk   = 135
	ndpNeighborTell  = 136
	ndpRedirect      = 137
	mldReport2       = 143

	icmpHeader = 8
)

var (
	errICMPCut  = fmt.Errorf("read icmp: %w", ErrTruncated)
	errICMPKind = fmt.Errorf("read icmp: of no interest: %w", ErrNotMine)
)

// parseICMP4 reads an ICMPv4 message. Echoes and their like, which say nothing
// beyond their header, are ErrNotMine.
func parseICMP4(b []byte) (Message, error) {
	if len(b) < 2 {
		return nil, errICMPCut
	}
	switch b[0] {
	case icmpUnreachable, icmpQuench, icmpRedirect, icmpExceeded, icmpParameter:
	default:
		return nil, errICMPKind
	}
	if len(b) < icmpHeader {
		return nil, errICMPCut
	}
	m := &ICMPError{Type: b[0], Code: b[1]}
	switch {
	case m.Type == icmpRedirect:
		m.Gateway = netip.AddrFrom4([4]byte(b[4:8]))
	case m.Type == icmpUnreachable && m.Code == icmpNeedsFrag:
		m.MTU = uint32(b[6])<<8 | uint32(b[7])
	}
	m.quote4(b[icmpHeader:])
	return m, nil
}

// parseICMP6 reads an ICMPv6 message: errors, neighbour discovery, multicast
// listener discovery. Others are ErrNotMine.
func parseICMP6(b []byte) (Message, error) {
	if len(b) < 2 {
		return nil, errICMPCut
	}
	switch b[0] {
	case icmp6Unreachable, icmp6TooBig, icmp6Exceeded, icmp6Parameter:
	case ndpRouterSolicit, ndpRouterAdvert, ndpNeighborAsk, ndpNeighborTell, ndpRedirect:
		return parseNDP(b)
	case mldQuery, mldReport, mldDone, mldReport2:
		return parseMLD(b)
	default:
		return nil, errICMPKind
	}
	if len(b) < icmpHeader {
		return nil, errICMPCut
	}
	m := &ICMPError{V6: true, Type: b[0], Code: b[1]}
	c := cursor{b: b[4:]}
	if mtu := c.u32(); m.Type == icmp6TooBig {
		m.MTU = mtu
	}
	m.quote6(b[icmpHeader:])
	return m, nil
}

// quote4 reads the head of the IPv4 packet that a message is about.
func (m *ICMPError) quote4(b []byte) {
	const header = 20
	if len(b) < header || b[0]>>4 != 4 {
		m.Truncated = true
		return
	}
	m.Proto = b[9]
	m.Src, m.Dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	if fragment := (uint16(b[6])<<8 | uint16(b[7])) & 0x1fff; fragment != 0 {
		return // ports are in the first fragment alone
	}
	m.ports(b[min(len(b), 4*int(b[0]&15)):])
}

// quote6 reads the head of an IPv6 packet, past its extension headers (RFC 8200
// section 4).
func (m *ICMPError) quote6(b []byte) {
	const header, maxExtensions = 40, 8
	if len(b) < header || b[0]>>4 != 6 {
		m.Truncated = true
		return
	}
	m.Proto = b[6]
	m.Src, m.Dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	c := cursor{b: b[header:]}
	for range maxExtensions {
		const hopByHop, routing, fragment, authentication, destination = 0, 43, 44, 51, 60
		var next uint8
		switch m.Proto {
		case hopByHop, routing, destination:
			next = c.u8()
			c.skip(8*int(c.u8()) + 6)
		case authentication:
			next = c.u8()
			c.skip(4*int(c.u8()) + 6)
		case fragment:
			next = c.u8()
			c.skip(1)
			offset := c.u16() &^ 7
			c.skip(4)
			if offset != 0 { // ports are in the first fragment alone
				m.Proto = next
				return
			}
		default:
			m.ports(c.b)
			return
		}
		if c.short {
			m.Truncated = true
			return
		}
		m.Proto = next
	}
}

func (m *ICMPError) ports(b []byte) {
	const tcp, udp, sctp = 6, 17, 132
	switch m.Proto {
	case tcp, udp, sctp:
	default:
		return
	}
	c := cursor{b: b}
	m.SrcPort, m.DstPort = c.u16(), c.u16()
	m.Truncated = c.short
}
