package flow

import (
	"gatehouse/capture"
)

// Limits on how deep a frame is followed.
const (
	maxTags       = 8 // VLAN, MPLS and PPPoE headers in front of IP
	maxExtensions = 8 // IPv6 extension headers (RFC 8200 names six kinds, each once; destination options twice)
	maxTunnels    = 4 // tunnels around the innermost packet
)

// EtherTypes that the decoder tells apart (IEEE 802 numbers, IANA registry).
const (
	etherIPv4         = 0x0800
	etherARP          = 0x0806
	etherBridge       = 0x6558 // transparent Ethernet bridging
	etherVLAN         = 0x8100 // 802.1Q
	etherIPv6         = 0x86dd
	etherPPP          = 0x880b
	etherMPLS         = 0x8847
	etherMPLSMulti    = 0x8848
	etherPPPoE        = 0x8864 // session stage; discovery is 0x8863
	etherQinQ         = 0x88a8 // 802.1ad
	etherERSPAN       = 0x88be // type I and II
	etherERSPANIII    = 0x22eb
	etherQinQLegacy   = 0x9100
	minEtherType      = 0x0600 // below: an 802.3 length
	ethernetHeader    = 14
	ethernetMinimum   = 46 // smallest payload: shorter ones are padded
	ethernetTypeOff   = 12
	vlanHeader        = 4
	vlanIDMask        = 0x0fff
	mplsBottomOfStack = 0x01
)

// span is a run of bytes on the wire of which the head was captured. n is
// what crossed the wire, len(b) what can be read; len(b) <= n.
type span struct {
	b []byte
	n int
}

// skip drops the first k bytes; k must not exceed len(b).
func (s span) skip(k int) span { return span{s.b[k:], s.n - k} }

// limit cuts the span to n bytes on the wire: it removes padding and trailers.
func (s span) limit(n int) span {
	if n >= s.n {
		return s
	}
	return span{s.b[:min(n, len(s.b))], n}
}

// Headers is what one frame says up to layer 4. The caller owns it and
// decodes into it again and again. Inside tunnels it describes the innermost
// packet that could be read.
type Headers struct {
	SrcMAC, DstMAC [6]byte // innermost Ethernet or 802.11 addresses; zero if the link has none
	VLAN           uint16  // outermost non-zero VLAN id, 0 if untagged
	EtherType      uint16  // 0x0800, 0x86dd; any other, or wire.EtherLLC, if Payload is what a frame holds that is not IP
	Version        uint8   // IP version, 4 or 6; 0 for ARP
	Proto          uint8   // IP protocol number behind all extension headers
	Depth          uint8   // tunnels around the packet
	Flags          uint8   // TCP flags, CWR to FIN
	Tunnel         uint32  // hash of what surrounds the packet, 0 outside tunnels, equal both ways

	Src, Dst           [16]byte // IPv4 addresses are v4-mapped
	SrcPort, DstPort   uint16   // TCP, UDP and SCTP
	ICMPType, ICMPCode uint8
	ICMPID             uint16 // identifier of echo messages
	Seq, Ack           uint32 // TCP

	// Length counts the bytes of the IP datagram, headers included, as on
	// the wire; PayloadLen the bytes above layer 4. Payload is the captured
	// part of the latter; it aliases the frame.
	Length     int
	PayloadLen int
	Payload    []byte
	ICMP       []byte // the captured part of an ICMP message, from its first byte on; aliases the frame

	// Fragment describes the packet if it is a fragment; Payload is then empty.
	Fragment fragment
}

// fragment describes one piece of an IP datagram.
type fragment struct {
	is        bool
	more      bool
	alone     bool // its flow is known without its siblings: a protocol without ports
	portsSeen bool // a first fragment whose transport header is complete
	tunnel    bool // a first fragment of what may hold a tunnelled packet
	next      uint8
	offset    int // bytes
	id        uint32
	data      span // the piece, without the headers that every fragment repeats
}

// Decode reads the frame p into h. It returns Accepted when h describes an IP
// packet or an ARP message, otherwise why not; h is then partly filled. It
// never allocates and never panics. h.Payload is valid as long as p.Data.
func (h *Headers) Decode(p *capture.Packet) Reason {
	if h.usual(p) {
		return Accepted
	}
	return h.decode(p)
}

// decode reads a frame layer by layer.
func (h *Headers) decode(p *capture.Packet) Reason {
	*h = Headers{}
	l := link{}
	if p.TPID != 0 { // the outermost tag, taken off by the network interface
		l.vlan = p.VLAN & vlanIDMask
	}
	s, r := l.read(p.Link, span{p.Data, max(p.Length, len(p.Data))})
	if r != Accepted {
		return r
	}
	h.SrcMAC, h.DstMAC, h.VLAN = l.src, l.dst, l.vlan
	return h.network(l.etherType, s)
}

// network reads a layer 3 packet.
func (h *Headers) network(etherType uint16, s span) Reason {
	h.EtherType = etherType
	switch etherType {
	case etherIPv4:
		return h.ipv4(s)
	case etherIPv6:
		return h.ipv6(s)
	case etherARP:
		h.Payload, h.PayloadLen = s.b, s.n
		return Accepted
	default:
		h.Payload, h.PayloadLen = s.b, s.n
		return NonIP
	}
}
