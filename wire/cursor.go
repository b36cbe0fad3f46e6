package wire

import "encoding/binary"

// cursor reads a message field by field. A read beyond the end yields zeros,
// leaves nothing to read and sets short, which is asked for once in the end
// instead of after every field.
type cursor struct {
	b     []byte
	short bool
}

// take returns the next n bytes, which alias the message; nil if they are not
// all there.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.short = nil, true
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

// upTo returns the next n bytes or as many of them as there are.
func (c *cursor) upTo(n int) []byte {
	have := min(max(n, 0), len(c.b))
	v := c.take(have)
	if have < n {
		c.b, c.short = nil, true
	}
	return v
}

func (c *cursor) skip(n int) { c.take(n) }

func (c *cursor) u8() uint8 {
	if v := c.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if v := c.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if v := c.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// le16, le24 and le32 read little-endian integers.

func (c *cursor) le16() uint16 {
	if v := c.take(2); v != nil {
		return binary.LittleEndian.Uint16(v)
	}
	return 0
}

func (c *cursor) le24() uint32 {
	if v := c.take(3); v != nil {
		return uint32(v[0]) | uint32(v[1])<<8 | uint32(v[2])<<16
	}
	return 0
}

func (c *cursor) le32() uint32 {
	if v := c.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}
