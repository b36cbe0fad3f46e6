package capture

import (
	"encoding/binary"
	"net/netip"
)

// tagged puts a VLAN tag into a frame.
func tagged(frame []byte, tpid, tci uint16) []byte {
	out := append([]byte{}, frame[:12]...)
	out = binary.BigEndian.AppendUint16(out, tpid)
	out = binary.BigEndian.AppendUint16(out, tci)
	return append(out, frame[12:]...)
}

// number is what testkit.UDPFrame was given as n.
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
