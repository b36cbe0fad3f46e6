package flow

import (
	"encoding/binary"

	"gatehouse/capture"
)

// Where things are in the usual frame: Ethernet II, IPv4 without options, TCP
// or UDP, not a fragment.
const (
	usualIPv4      = ethernetHeader
	usualTransport = usualIPv4 + ipv4Header
	usualNeeded    = usualTransport + 20 // a TCP header; a padded frame has as much
)

// usual reads the frame that nine of ten are, and reports false for every
// other without having read anything, and so for one with anything wrong with
// it: the layers read those one by one. It finds what they would find (a test
// holds that) in 6.5 ns instead of 15 for a TCP packet, as nothing is handed
// from layer to layer.
func (h *Headers) usual(p *capture.Packet) bool {
	b := p.Data
	if len(b) < usualNeeded || p.Link != capture.LinkEthernet || p.TPID != 0 {
		return false
	}
	// EtherType IPv4, version 4, five words of header, whatever the class.
	if binary.BigEndian.Uint32(b[ethernetTypeOff:])>>8 != etherIPv4<<8|0x45 ||
		binary.BigEndian.Uint16(b[usualIPv4+6:])&(ipv4Offset|ipv4More) != 0 {
		return false
	}
	total := int(binary.BigEndian.Uint16(b[usualIPv4+2:]))
	if total > max(p.Length, len(b))-ethernetHeader {
		return false
	}
	t := b[usualTransport:usualNeeded]
	proto := b[usualIPv4+9]
	size := 8
	switch proto {
	case protoTCP:
		size = int(t[12]>>4) * 4
		if size < 20 || ipv4Header+size > total {
			return false
		}
	case protoUDP:
		if int(binary.BigEndian.Uint16(t[4:])) != total-ipv4Header || total < ipv4Header+size {
			return false
		}
	default:
		return false
	}
	ports := binary.BigEndian.Uint32(t)
	src, dst := uint16(ports>>16), uint16(ports)
	if proto == protoUDP && udpTunnelPort(src, dst) != 0 {
		return false
	}
	// Field by field: a literal is put together elsewhere first, and copying it
	// from there in wide words right after it was written in narrow ones makes
	// the processor wait (see mapIPv4).
	*h = Headers{}
	h.DstMAC, h.SrcMAC = [6]byte(b[0:6]), [6]byte(b[6:12])
	h.EtherType, h.Version, h.Proto = etherIPv4, 4, proto
	h.SrcPort, h.DstPort = src, dst
	h.Length, h.PayloadLen = total, total-ipv4Header-size
	mapIPv4(&h.Src, b[usualIPv4+12:])
	mapIPv4(&h.Dst, b[usualIPv4+16:])
	if proto == protoTCP {
		h.Seq, h.Ack, h.Flags = binary.BigEndian.Uint32(t[4:]), binary.BigEndian.Uint32(t[8:]), t[13]
	}
	if start, end := usualTransport+size, min(ethernetHeader+total, len(b)); start < end {
		h.Payload = b[start:end]
	}
	return true
}
