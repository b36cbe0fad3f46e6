package capture

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Layout of pcap files: draft-ietf-opsawg-pcap, and pcap-savefile(5) for what
// came before it.
const (
	pcapHeaderLen         = 24
	pcapRecordLen         = 16
	pcapModifiedRecordLen = 24 // interface index, protocol and packet type follow

	magicMicros   = 0xa1b2c3d4
	magicNanos    = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Alexey Kuznetzov's libpcap of the 1990s
)

// maxPacket is the largest capture length that is believed. It is libpcap's
// MAXIMUM_SNAPLEN; nothing that Gatehouse decodes comes near it, so a bigger
// value means that the reader is no longer at the start of a record.
const maxPacket = 256 << 10

// pcapLengths says in which order a file holds the two lengths of a record.
type pcapLengths uint8

const (
	lengthsNormal  pcapLengths = iota // captured, original: version 2.4
	lengthsSwapped                    // original, captured: before version 2.3
	lengthsEither                     // version 2.3 was written both ways; the smaller is the captured length
)

// pcapFormat parses one pcap file, or several that were concatenated.
type pcapFormat struct {
	table     *interfaceTable
	bigEndian bool
	nanos     int64 // nanoseconds in one unit of the time's fraction
	recordLen int   // bytes of a record header
	lengths   pcapLengths
	link      LinkType
	iface     uint16
}

// isPcap reports whether head starts with a pcap magic number.
func isPcap(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	_, _, ok := pcapMagic(head)
	return ok
}

// pcapMagic reads the magic number in whichever byte order makes it one.
func pcapMagic(head []byte) (magic uint32, bigEndian, ok bool) {
	for _, bigEndian := range []bool{false, true} {
		magic := order(bigEndian, binary.LittleEndian.Uint32(head))
		switch magic {
		case magicMicros, magicNanos, magicModified:
			return magic, bigEndian, true
		}
	}
	return 0, false, false
}

// header starts a file: it reads the pcapHeaderLen bytes of head, which begin
// with a pcap magic number.
func (f *pcapFormat) header(head []byte) error {
	magic, bigEndian, _ := pcapMagic(head)
	f.bigEndian = bigEndian
	f.nanos = 1000
	f.recordLen = pcapRecordLen
	switch magic {
	case magicNanos:
		f.nanos = 1
	case magicModified:
		f.recordLen = pcapModifiedRecordLen
	}

	version := order(bigEndian, binary.LittleEndian.Uint32(head[4:]))
	major, minor := uint16(version), uint16(version>>16)
	if bigEndian {
		major, minor = minor, major
	}
	if major != 2 {
		return fmt.Errorf("%w: pcap %d.%d", ErrVersion, major, minor)
	}
	switch {
	case minor < 3:
		f.lengths = lengthsSwapped
	case minor == 3:
		f.lengths = lengthsEither
	default:
		f.lengths = lengthsNormal
	}

	snap := order(bigEndian, binary.LittleEndian.Uint32(head[16:]))
	f.link = linkTypeOf(order(bigEndian, binary.LittleEndian.Uint32(head[20:])))
	var err error
	f.iface, err = f.table.add(Interface{Link: f.link, Snap: snap})
	return err
}

func (f *pcapFormat) parse(data []byte, pkts []Packet) ([]Packet, int, error) {
	off := 0
	for len(data)-off >= f.recordLen {
		h := data[off : off+pcapRecordLen]
		captured := binary.LittleEndian.Uint32(h[8:])
		original := binary.LittleEndian.Uint32(h[12:])
		if captured|original == 0 && isPcap(h) {
			// zcat *.pcap.gz and cat make one stream of several files. A file
			// header reads as an empty packet from 2055 or later.
			if len(data)-off < pcapHeaderLen {
				break
			}
			if err := f.header(data[off:]); err != nil {
				return pkts, off, err
			}
			off += pcapHeaderLen
			continue
		}
		sec := binary.LittleEndian.Uint32(h)
		frac := binary.LittleEndian.Uint32(h[4:])
		if f.bigEndian {
			sec, frac = bits.ReverseBytes32(sec), bits.ReverseBytes32(frac)
			captured, original = bits.ReverseBytes32(captured), bits.ReverseBytes32(original)
		}
		if f.lengths != lengthsNormal {
			captured, original = f.orderLengths(captured, original)
		}
		if captured > maxPacket {
			return pkts, off, fmt.Errorf("%w: packet of %d bytes, more than the possible %d", ErrDamaged, captured, maxPacket)
		}
		start := off + f.recordLen
		end := start + int(captured)
		if end > len(data) {
			break
		}
		// Field by field: a literal is put together elsewhere first, and copying
		// it from there right after it was written makes the processor wait.
		pkts = append(pkts, Packet{})
		p := &pkts[len(pkts)-1]
		p.Data = data[start:end:end]
		p.Time = int64(sec)*1e9 + int64(frac)*f.nanos
		p.Length = wireLength(captured, original)
		p.Link, p.Iface = f.link, f.iface
		off = end
	}
	return pkts, off, nil
}

// wireLength returns the length on the wire as Packet.Length promises it: not
// less than what was captured, and an int on 32-bit machines too.
func wireLength(captured, original uint32) int {
	return int(min(max(captured, original), math.MaxInt32))
}

// orderLengths sorts the lengths of a record of an old file into captured and
// original length.
func (f *pcapFormat) orderLengths(a, b uint32) (captured, original uint32) {
	if f.lengths == lengthsSwapped || a > b {
		return b, a
	}
	return a, b
}

func (f *pcapFormat) incomplete(rest []byte) error {
	if len(rest) < f.recordLen {
		return fmt.Errorf("%w: %d of %d bytes of a record header", ErrTruncated, len(rest), f.recordLen)
	}
	captured := order(f.bigEndian, binary.LittleEndian.Uint32(rest[8:]))
	if f.lengths != lengthsNormal {
		captured, _ = f.orderLengths(captured, order(f.bigEndian, binary.LittleEndian.Uint32(rest[12:])))
	}
	return fmt.Errorf("%w: %d of %d bytes of a packet", ErrTruncated, len(rest)-f.recordLen, captured)
}

// order turns a value that was read as little-endian into what the file means.
func order(bigEndian bool, v uint32) uint32 {
	if bigEndian {
		return bits.ReverseBytes32(v)
	}
	return v
}
