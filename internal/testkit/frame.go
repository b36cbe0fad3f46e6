package testkit

import (
	"encoding/binary"
	"net/netip"
)

// UDPFrame is an Ethernet frame of 60 bytes with an IPv4 datagram whose payload
// is n in network byte order (at byte 42 of the frame) and then zeros: the
// least a frame can be, told apart from others by its number.
func UDPFrame(src, dst netip.AddrPort, n uint32) []byte {
	f := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, // to, from, IPv4
		0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0) // length 46, do not fragment, UDP
	f = append(append(f, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	f = binary.BigEndian.AppendUint16(f, src.Port())
	f = binary.BigEndian.AppendUint16(f, dst.Port())
	f = binary.BigEndian.AppendUint32(f, 26<<16) // length, no checksum
	f = binary.BigEndian.AppendUint32(f, n)
	return append(f, make([]byte, 60-len(f))...)
}
