package capture

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Layout of a TPACKET_V3 block, see struct tpacket_block_desc and struct
// tpacket3_hdr in linux/if_packet.h. Numbers are in the machine's byte order.
const (
	blockStatusAt  = 8
	blockPacketsAt = 12 // number of packets
	blockFirstAt   = 16 // offset of the first packet header
	blockTimeAt    = 32 // seconds and nanoseconds of the first packet
	blockDescLen   = 48

	frameNextAt   = 0 // offset of the next packet header from this one
	frameSecAt    = 4
	frameNsecAt   = 8
	frameSnapAt   = 12 // captured bytes
	frameLenAt    = 16 // bytes on the wire
	frameStatusAt = 20
	frameMACAt    = 24 // offset of the frame from the packet header, 16 bits
	frameTCIAt    = 32
	frameTPIDAt   = 36 // 16 bits
	frameHdrLen   = 48
)

// nativeTime reads seconds and nanoseconds, 32 bits each.
func nativeTime(b []byte) int64 {
	ne := binary.NativeEndian
	return int64(ne.Uint32(b))*1e9 + int64(ne.Uint32(b[4:]))
}

// parseBlock appends the packets of a block that the kernel filled to pkts,
// without copying their bytes; proto holds what is the same for all of them.
// It returns how many of the packets the block is said to hold could not be
// read, and why. Nothing in the block is trusted: a wrong offset must not
// reach other memory, nor make the walk endless.
func parseBlock(block []byte, proto Packet, pkts []Packet) (out []Packet, lost int, err error) {
	ne := binary.NativeEndian
	if len(block) < blockDescLen {
		return pkts, 0, fmt.Errorf("%w: ring block of %d bytes", ErrDamaged, len(block))
	}
	count := int(ne.Uint32(block[blockPacketsAt:]))
	// A hostile count is cut to what could have been there at all.
	count = min(count, (len(block)-blockDescLen)/frameHdrLen)
	at := uint64(ne.Uint32(block[blockFirstAt:]))
	for i := range count {
		if at < blockDescLen || at+frameHdrLen > uint64(len(block)) {
			return pkts, count - i, fmt.Errorf("%w: packet %d of a ring block at offset %d of %d", ErrDamaged, i, at, len(block))
		}
		h := block[at:]
		snap, mac := uint64(ne.Uint32(h[frameSnapAt:])), uint64(ne.Uint16(h[frameMACAt:]))
		if mac < frameHdrLen || mac+snap > uint64(len(h)) {
			return pkts, count - i, fmt.Errorf("%w: packet %d of a ring block has %d bytes at %d of %d", ErrDamaged, i, snap, mac, len(h))
		}
		p := proto
		p.Data = h[mac : mac+snap : mac+snap]
		p.Time = nativeTime(h[frameSecAt:])
		p.Length = max(int(ne.Uint32(h[frameLenAt:])&0x7fffffff), len(p.Data))
		if status := ne.Uint32(h[frameStatusAt:]); status&unix.TP_STATUS_VLAN_VALID != 0 {
			p.VLAN, p.TPID = uint16(ne.Uint32(h[frameTCIAt:])), etherVLAN
			if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
				p.TPID = ne.Uint16(h[frameTPIDAt:])
			}
		}
		pkts = append(pkts, p)
		next := uint64(ne.Uint32(h[frameNextAt:]))
		if next < frameHdrLen && i+1 < count { // would go in circles
			return pkts, count - i - 1, fmt.Errorf("%w: packet %d of a ring block is %d bytes before the next", ErrDamaged, i, next)
		}
		at += next
	}
	return pkts, 0, nil
}
