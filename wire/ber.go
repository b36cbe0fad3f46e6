package wire

// ber is one element of ASN.1's basic encoding (ITU-T X.690).
type ber struct {
	class   uint8  // 0 universal, 1 application, 2 context-specific, 3 private
	nested  bool   // constructed: content holds elements
	tag     uint32 // number
	content []byte // as far as it is there
	cut     bool   // content is longer than what is there
}

// maxBERDepth bounds how deep elements are followed into one another.
const maxBERDepth = 16

// nextBER splits the first element off b. It reports false at the end and
// where b is no element. Lengths are definite ones of up to four bytes; of the
// indefinite form, which MMS and GOOSE do not use, nothing is read.
func nextBER(b []byte) (e ber, rest []byte, ok bool) {
	c := cursor{b: b}
	id := c.u8()
	e.class, e.nested, e.tag = id>>6, id&0x20 != 0, uint32(id&0x1f)
	if e.tag == 0x1f {
		e.tag = 0
		for range 4 {
			v := c.u8()
			e.tag = e.tag<<7 | uint32(v&0x7f)
			if v&0x80 == 0 {
				break
			}
		}
	}
	n := int64(c.u8())
	if n == 0x80 {
		return ber{}, nil, false
	}
	if n > 0x80 {
		size := n & 0x7f
		if size > 4 {
			return ber{}, nil, false
		}
		n = 0
		for range size {
			n = n<<8 | int64(c.u8())
		}
	}
	if c.short {
		return ber{}, nil, false
	}
	if n > int64(len(c.b)) {
		e.content, e.cut = c.b, true
		return e, nil, true
	}
	e.content = c.take(int(n))
	return e, c.b, true
}

// uint reads an integer of up to eight bytes as one without sign.
func (e *ber) uint() uint64 {
	var v uint64
	for _, c := range e.content[:min(len(e.content), 9)] {
		v = v<<8 | uint64(c)
	}
	return v
}

// child returns the first element within content of a class and number.
func (e *ber) child(class uint8, tag uint32) (ber, bool) {
	for b := e.content; ; {
		c, rest, ok := nextBER(b)
		if !ok {
			return ber{}, false
		}
		if c.class == class && c.tag == tag {
			return c, true
		}
		b = rest
	}
}

// berTag names an element by its class and number.
type berTag struct {
	class uint8
	tag   uint32
}

// at returns the content of the element that path leads to from e, each the
// first of its name within the one before; nil if there is none.
func (e *ber) at(path ...berTag) []byte {
	found := *e
	for _, step := range path {
		next, ok := found.child(step.class, step.tag)
		if !ok {
			return nil
		}
		found = next
	}
	return found.content
}
