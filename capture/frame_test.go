package capture

import (
	"encoding/binary"
	"net/netip"
)

// udpFrame is an Ethernet frame with an IPv4 UDP datagram whose payload is n
// and then zeros, 60 bytes in all.
func udpFrame(src, dst netip.AddrPort, n uint32) []byte {
	f := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, // to, from, IPv4
		0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0) // length 46, do not fragment, UDP
	f = append(append(f, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	f = binary.BigEndian.AppendUint16(f, src.Port())
	f = binary.BigEndian.AppendUint16(f, dst.Port())
	f = binary.BigEndian.AppendUint32(f, 26<<16) // length, no checksum
	f = binary.BigEndian.AppendUint32(f, n)
	return append(f, make([]byte, 60-len(f))...)
}

// tagged puts a VLAN tag into a frame.
func tagged(frame []byte, tpid, tci uint16) []byte {
	out := append([]byte{}, frame[:12]...)
	out = binary.BigEndian.AppendUint16(out, tpid)
	out = binary.BigEndian.AppendUint16(out, tci)
	return append(out, frame[12:]...)
}

// number is what udpFrame was given as n.
func number(p *Packet) uint32 {
	const at = 14 + 20 + 8
	if len(p.Data) < at+4 {
		return 1<<32 - 1
	}
	return binary.BigEndian.Uint32(p.Data[at:])
}

var (
	hostA = netip.MustParseAddrPort("192.0.2.1:1111")
	hostB = netip.MustParseAddrPort("192.0.2.2:2222")
)
