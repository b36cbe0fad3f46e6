package wire

import (
	"bytes"
	"encoding/binary"
	"math"
)

// bsonReader walks the elements of a BSON document (bsonspec.org), as far as
// its bytes go.
type bsonReader struct{ c cursor }

// bsonElement is one element. Its value aliases the document.
type bsonElement struct {
	kind  byte
	name  []byte
	value []byte
}

// Kinds of elements.
const (
	bsonDouble   = 0x01
	bsonString   = 0x02
	bsonDocument = 0x03
	bsonArray    = 0x04
	bsonBinary   = 0x05
	bsonBool     = 0x08
	bsonInt32    = 0x10
	bsonInt64    = 0x12
)

// readBSON begins a document, which may be cut off.
func readBSON(b []byte) bsonReader {
	if len(b) < 4 {
		return bsonReader{}
	}
	size := int64(binary.LittleEndian.Uint32(b))
	return bsonReader{cursor{b: b[4:max(4, min(int64(len(b)), size))]}}
}

// next returns the next element; ok is false at the end.
func (r *bsonReader) next() (e bsonElement, ok bool) {
	c := &r.c
	if e.kind = c.u8(); e.kind == 0 {
		return e, false
	}
	end := bytes.IndexByte(c.b, 0)
	if end < 0 {
		return e, false
	}
	e.name = c.take(end)
	c.skip(1)
	size := -1
	switch e.kind {
	case bsonDouble, 0x09, 0x11, bsonInt64: // and dates, timestamps
		size = 8
	case bsonString, 0x0d, 0x0e: // and code, symbols
		size = r.length(4)
	case bsonDocument, bsonArray, 0x0f: // and code with scope
		size = r.length(0)
	case bsonBinary:
		size = r.length(5)
	case 0x07: // object id
		size = 12
	case bsonBool:
		size = 1
	case 0x06, 0x0a, 0x7f, 0xff: // undefined, null, greatest, least
		size = 0
	case 0x0b: // regular expression: two texts
		first := bytes.IndexByte(c.b, 0)
		if second := bytes.IndexByte(c.b[first+1:], 0); first >= 0 && second >= 0 {
			size = first + second + 2
		}
	case bsonInt32:
		size = 4
	case 0x13: // decimal
		size = 16
	}
	if size < 0 {
		return e, false
	}
	e.value = c.upTo(size)
	return e, true
}

// length reads the length before a value, which extra bytes more belong to; -1
// if it is none.
func (r *bsonReader) length(extra int) int {
	if len(r.c.b) < 4 {
		return -1
	}
	n := binary.LittleEndian.Uint32(r.c.b)
	if n > math.MaxInt32-8 {
		return -1
	}
	return int(n) + extra
}

// text returns a string, nil if the element is none.
func (e *bsonElement) text() []byte {
	if e.kind != bsonString || len(e.value) < 5 {
		return nil
	}
	return bytes.TrimSuffix(e.value[4:], []byte{0})
}

// bytes returns binary data, or the bytes of a string.
func (e *bsonElement) bytes() []byte {
	if e.kind == bsonBinary && len(e.value) > 5 {
		return e.value[5:]
	}
	return e.text()
}

// number returns a number or truth value, 0 if the element is none.
func (e *bsonElement) number() int64 {
	switch {
	case e.kind == bsonInt32 && len(e.value) == 4:
		return int64(int32(binary.LittleEndian.Uint32(e.value)))
	case e.kind == bsonInt64 && len(e.value) == 8:
		return int64(binary.LittleEndian.Uint64(e.value))
	case e.kind == bsonBool && len(e.value) == 1:
		return int64(e.value[0])
	case e.kind == bsonDouble && len(e.value) == 8:
		if f := math.Float64frombits(binary.LittleEndian.Uint64(e.value)); math.Abs(f) < 1<<53 {
			return int64(f)
		}
	}
	return 0
}

// document returns a reader of a document within, empty if the element is none.
func (e *bsonElement) document() bsonReader {
	if e.kind != bsonDocument && e.kind != bsonArray {
		return bsonReader{}
	}
	return readBSON(e.value)
}
