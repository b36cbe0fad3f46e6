package device

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

//go:generate go run ./internal/ouigen -out oui.bin

// ouiData is the IEEE registry of hardware addresses (MA-L, MA-M, MA-S, IAB),
// as of Debian's ieee-data 20220827.1, in the format of internal/ouigen.
//
//go:embed oui.bin
var ouiData []byte

// ouiFormat is the version of the format that this reader knows.
const ouiFormat = 1

// maxOUIBytes bounds the decompressed table; it has 0.6 MB.
const maxOUIBytes = 8 << 20

var errOUITable = errors.New("vendor table is damaged")

// ouiTable maps prefixes of 24, 28 and 36 bits to vendors. Prefixes are sorted
// by value; the names lie in one string.
type ouiTable struct {
	names   string
	ends    []uint32 // where each name ends
	large   []uint32
	medium  []uint32
	small   []uint64
	indexes [3][]uint16 // index of the name, per prefix
}

// vendor names the maker of an interface, "" if the address is random or its
// prefix unassigned.
func (v *Inventory) vendor(mac MAC) string {
	if mac.Random() {
		return ""
	}
	if v.ouis == nil {
		t, err := readOUI(ouiData)
		if err != nil {
			// The table is part of the program and a test reads it; without
			// it devices have no vendor, and the rest works.
			t = &ouiTable{}
		}
		v.ouis = t
	}
	return v.ouis.lookup(mac)
}

// lookup finds the longest prefix. It does not allocate.
func (t *ouiTable) lookup(mac MAC) string {
	key := mac.key()
	if i, ok := slices.BinarySearch(t.small, key>>12); ok {
		return t.name(t.indexes[2][i])
	}
	if i, ok := slices.BinarySearch(t.medium, uint32(key>>20)); ok {
		return t.name(t.indexes[1][i])
	}
	if i, ok := slices.BinarySearch(t.large, uint32(key>>24)); ok {
		return t.name(t.indexes[0][i])
	}
	return ""
}

func (t *ouiTable) name(i uint16) string {
	start := uint32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.names[start:t.ends[i]]
}

// readOUI decompresses a table; the format is described in internal/ouigen.
func readOUI(data []byte) (*ouiTable, error) {
	r := flate.NewReader(bytes.NewReader(data))
	raw, err := io.ReadAll(io.LimitReader(r, maxOUIBytes))
	if err != nil {
		return nil, fmt.Errorf("decompress vendor table: %w", err)
	}
	in := ouiReader{b: raw}
	if version := in.uvarint(); version != ouiFormat {
		return nil, fmt.Errorf("%w: format %d", errOUITable, version)
	}
	t := &ouiTable{}
	names := in.count()
	t.ends = make([]uint32, 0, names)
	text := make([]byte, 0, len(raw))
	for range names {
		text = append(text, in.bytes(in.count())...)
		t.ends = append(t.ends, uint32(len(text)))
	}
	t.names = string(text)
	for i := range t.indexes {
		n := in.count()
		t.indexes[i] = make([]uint16, 0, n)
		var prefix uint64
		for range n {
			prefix += in.uvarint()
			index := in.uvarint()
			if index >= uint64(names) {
				return nil, fmt.Errorf("%w: name %d of %d", errOUITable, index, names)
			}
			t.indexes[i] = append(t.indexes[i], uint16(index))
			switch i {
			case 0:
				t.large = append(t.large, uint32(prefix))
			case 1:
				t.medium = append(t.medium, uint32(prefix))
			case 2:
				t.small = append(t.small, prefix)
			}
		}
	}
	if in.bad || len(in.b) > 0 {
		return nil, errOUITable
	}
	return t, nil
}

// ouiReader reads varints; what does not fit makes it bad and reads as zero.
type ouiReader struct {
	b   []byte
	bad bool
}

func (r *ouiReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

// count reads the number of things that follow, each of at least a byte.
func (r *ouiReader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return 0
	}
	return int(n)
}

func (r *ouiReader) bytes(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}
