package capture

import (
	"encoding/binary"
	"fmt"
)

// Layout of pcapng files: draft-ietf-opsawg-pcapng.
const (
	blockSection   = 0x0a0d0d0a // the same in either byte order
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6

	byteOrderMagic = 0x1a2b3c4d

	blockFrameLen = 12 // type and total length in front, total length behind
)

// maxBlock is the largest block that is held in memory to be parsed: the
// largest packet with room for its options. Blocks of other types are skipped
// at any length.
const maxBlock = 1 << 20

// minBlockLen is the least total length that a block of the type can have.
func minBlockLen(blockType uint32) uint32 {
	switch blockType {
	case blockSection:
		return 28
	case blockInterface:
		return 20
	case blockPacket, blockEnhanced:
		return 32
	case blockSimple:
		return 16
	default:
		return blockFrameLen
	}
}

// pcapngInterface is an interface of the current section.
type pcapngInterface struct {
	id    uint16 // index in the interface table
	link  LinkType
	snap  uint32
	clock clock
}

// pcapngFormat parses a pcapng file with any number of sections.
type pcapngFormat struct {
	table     *interfaceTable
	bigEndian bool
	ifaces    []pcapngInterface // of the current section
	last      int64             // time of the last packet: simple packet blocks have none

	// A block that is skipped and not all there yet.
	skipLen  uint32 // its total length, 0 if there is none
	skipLeft uint32 // bytes before its second length field that are still to come
}

func (f *pcapngFormat) uint16(b []byte) uint16 {
	if f.bigEndian {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (f *pcapngFormat) uint32(b []byte) uint32 {
	if f.bigEndian {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (f *pcapngFormat) uint64(b []byte) uint64 {
	if f.bigEndian {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

func (f *pcapngFormat) parse(data []byte, pkts []Packet) ([]Packet, int, error) {
	off := 0
	for {
		if f.skipLen != 0 {
			n := int(min(int64(f.skipLeft), int64(len(data)-off)))
			off += n
			f.skipLeft -= uint32(n)
			if f.skipLeft > 0 || len(data)-off < 4 {
				return pkts, off, nil
			}
			if err := f.checkTrailer(data[off:], f.skipLen); err != nil {
				return pkts, off, err
			}
			off += 4
			f.skipLen = 0
		}
		rest := data[off:]
		if len(rest) < blockFrameLen {
			return pkts, off, nil
		}
		blockType := f.uint32(rest)
		if blockType == blockSection {
			// The byte order may change here, before the length is read.
			if err := f.startSection(rest); err != nil {
				return pkts, off, err
			}
		}
		total := f.uint32(rest[4:])
		if total%4 != 0 || total < minBlockLen(blockType) {
			return pkts, off, fmt.Errorf("%w: block of type %#x has an impossible length of %d bytes", ErrDamaged, blockType, total)
		}
		switch blockType {
		case blockSection, blockInterface, blockPacket, blockSimple, blockEnhanced:
		default:
			f.skipLen, f.skipLeft = total, total-4
			continue
		}
		if total > maxBlock {
			return pkts, off, fmt.Errorf("%w: block of type %#x has %d bytes, more than the possible %d", ErrDamaged, blockType, total, maxBlock)
		}
		if int(total) > len(rest) {
			return pkts, off, nil
		}
		block := rest[:total:total]
		if err := f.checkTrailer(block[total-4:], total); err != nil {
			return pkts, off, err
		}
		var err error
		if pkts, err = f.block(blockType, block[:total-4], pkts); err != nil {
			return pkts, off, err
		}
		off += int(total)
	}
}

func (f *pcapngFormat) checkTrailer(b []byte, total uint32) error {
	if second := f.uint32(b); second != total {
		return fmt.Errorf("%w: lengths before and after a block differ (%d, %d)", ErrDamaged, total, second)
	}
	return nil
}

// block parses one complete block; b lacks only the second length field.
func (f *pcapngFormat) block(blockType uint32, b []byte, pkts []Packet) ([]Packet, error) {
	switch blockType {
	case blockEnhanced:
		return f.packet(b, f.uint32(b[8:]), pkts)
	case blockPacket:
		return f.packet(b, uint32(f.uint16(b[8:])), pkts)
	case blockSimple:
		return f.simplePacket(b, pkts)
	case blockInterface:
		return pkts, f.addInterface(b)
	default: // blockSection, dealt with when its first bytes were seen
		return pkts, nil
	}
}

// startSection reads the byte order and version of a section header block of
// which at least 12 bytes are there. It is called again, to the same effect,
// when more of the block has come.
func (f *pcapngFormat) startSection(b []byte) error {
	switch {
	case binary.LittleEndian.Uint32(b[8:]) == byteOrderMagic:
		f.bigEndian = false
	case binary.BigEndian.Uint32(b[8:]) == byteOrderMagic:
		f.bigEndian = true
	default:
		return fmt.Errorf("%w: section without byte-order magic", ErrDamaged)
	}
	f.ifaces = f.ifaces[:0]
	if len(b) < 16 {
		return nil
	}
	// Version 1.2 was written by mistake for 1.0 and means the same.
	major, minor := f.uint16(b[12:]), f.uint16(b[14:])
	if major != 1 || minor != 0 && minor != 2 {
		return fmt.Errorf("%w: pcapng %d.%d", ErrVersion, major, minor)
	}
	return nil
}

// packet parses an enhanced packet block or an obsolete packet block, which
// differ only in how they write the interface.
func (f *pcapngFormat) packet(b []byte, iface uint32, pkts []Packet) ([]Packet, error) {
	if uint64(iface) >= uint64(len(f.ifaces)) {
		return pkts, fmt.Errorf("%w: packet on interface %d of %d", ErrDamaged, iface, len(f.ifaces))
	}
	in := &f.ifaces[iface]
	captured := f.uint32(b[20:])
	original := f.uint32(b[24:])
	if captured > maxPacket || int(captured) > len(b)-28 {
		return pkts, fmt.Errorf("%w: packet of %d bytes in a block with room for %d", ErrDamaged, captured, len(b)-28)
	}
	end := 28 + int(captured)
	f.last = in.clock.nanos(uint64(f.uint32(b[12:]))<<32 | uint64(f.uint32(b[16:])))
	return append(pkts, Packet{
		Data:   b[28:end:end],
		Time:   f.last,
		Length: wireLength(captured, original),
		Link:   in.link,
		Iface:  in.id,
	}), nil
}

// simplePacket parses a simple packet block: interface 0, no time, so that of
// the packet before it is taken.
func (f *pcapngFormat) simplePacket(b []byte, pkts []Packet) ([]Packet, error) {
	if len(f.ifaces) == 0 {
		return pkts, fmt.Errorf("%w: packet on interface 0 of 0", ErrDamaged)
	}
	in := &f.ifaces[0]
	original := f.uint32(b[8:])
	captured := original
	if in.snap != 0 {
		captured = min(captured, in.snap)
	}
	if captured > maxPacket || int(captured) > len(b)-12 {
		return pkts, fmt.Errorf("%w: packet of %d bytes in a block with room for %d", ErrDamaged, captured, len(b)-12)
	}
	end := 12 + int(captured)
	return append(pkts, Packet{
		Data:   b[12:end:end],
		Time:   f.last,
		Length: wireLength(captured, original),
		Link:   in.link,
		Iface:  in.id,
	}), nil
}

// Options of an interface description block.
const (
	optEnd      = 0
	optName     = 2
	optTSResol  = 9
	optTSOffset = 14
)

func (f *pcapngFormat) addInterface(b []byte) error {
	in := pcapngInterface{
		link: linkTypeOf(uint32(f.uint16(b[8:]))),
		snap: f.uint32(b[12:]),
	}
	name := ""
	resolution, offset := uint8(6), int64(0) // microseconds unless an option says otherwise
	for opts := b[16:]; len(opts) >= 4; {
		code, size := f.uint16(opts), int(f.uint16(opts[2:]))
		if code == optEnd || size > len(opts)-4 {
			break
		}
		value := opts[4 : 4+size]
		switch {
		case code == optName:
			name = string(value[:min(size, maxInterfaceName)])
		case code == optTSResol && size == 1:
			resolution = value[0]
		case code == optTSOffset && size == 8:
			offset = int64(f.uint64(value))
		}
		opts = opts[min(4+(size+3)&^3, len(opts)):]
	}
	in.clock = newClock(resolution, offset)
	id, err := f.table.add(Interface{Name: name, Link: in.link, Snap: in.snap})
	if err != nil {
		return err
	}
	in.id = id
	f.ifaces = append(f.ifaces, in)
	return nil
}

func (f *pcapngFormat) incomplete(rest []byte) error {
	if f.skipLen != 0 {
		return fmt.Errorf("%w: %d of %d bytes of a block are missing", ErrTruncated, int64(f.skipLeft)+4-int64(len(rest)), f.skipLen)
	}
	if len(rest) < blockFrameLen {
		return fmt.Errorf("%w: %d bytes of a block header", ErrTruncated, len(rest))
	}
	return fmt.Errorf("%w: %d of %d bytes of a block", ErrTruncated, len(rest), f.uint32(rest[4:]))
}
