package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// arpLen is the length of an ARP message for Ethernet and IPv4 (RFC 826).
const arpLen = 28

// ParseARP parses the payload of an Ethernet frame of type 0x0806. Padding
// after the message is ignored. It returns ErrTruncated for fewer than 28
// bytes and ErrNotMine for hardware or protocol addresses other than Ethernet
// and IPv4. Any operation is accepted: 1 is a request, 2 a reply.
func ParseARP(b []byte) (*ARP, error) {
	if len(b) < 8 {
		return nil, errARPCut
	}
	hardware, protocol := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if hardware != 1 || protocol != 0x0800 || b[4] != 6 || b[5] != 4 {
		return nil, errARPKind
	}
	if len(b) < arpLen {
		return nil, errARPCut
	}
	return &ARP{
		Op:        binary.BigEndian.Uint16(b[6:]),
		SenderMAC: [6]byte(b[8:14]),
		SenderIP:  netip.AddrFrom4([4]byte(b[14:18])),
		TargetMAC: [6]byte(b[18:24]),
		TargetIP:  netip.AddrFrom4([4]byte(b[24:28])),
	}, nil
}

// Errors on paths that a flood of bad packets can take are built once.
var (
	errARPCut  = fmt.Errorf("read arp: %w", ErrTruncated)
	errARPKind = fmt.Errorf("read arp: addresses other than Ethernet and IPv4: %w", ErrNotMine)
)
