package wire

import (
	"fmt"
)

// CoAP over TCP (RFC 8323): messages with their length in front, without types
// and message ids, which both ends begin with a signal of what they can do.

const (
	coapCSM = 7<<5 | 1 // capabilities and settings (section 5.3)
	// maxCoAPHead is how much of a message is looked at: more than the options
	// of any request that a path fits into.
	maxCoAPHead = 1 << 10
	// maxCoAPMessage bounds the length of a message; ends agree on 1,152 bytes
	// if they say nothing (section 5.3.1), and transfer what is larger in
	// blocks.
	maxCoAPMessage = 16 << 20
)

var (
	errCoAPLength  = fmt.Errorf("read coap length: too large: %w", ErrMalformed)
	errCoAPMessage = fmt.Errorf("read coap message: %w", ErrMalformed)
)

type coapStream struct {
	framedStream
	coapFlow
}

func newCoAPStream() Stream {
	s := &coapStream{}
	s.framing, s.head = s, maxCoAPHead
	return s
}

// sniffCoAPStream recognises the signal that every connection begins with, by
// the two options that it may have.
func sniffCoAPStream(_ Dir, b []byte) Match {
	const maxSize, blockwise = 2, 4
	switch {
	case len(b) == 0:
		return Maybe
	case b[0]&15 != 0 || b[0]>>4 == 0 || b[0]>>4 > 12: // a token, no options, or many
		return No
	case len(b) == 1:
		return Maybe
	case b[1] != coapCSM:
		return No
	}
	c := cursor{b: b[2:min(len(b), 2+int(b[0]>>4))]}
	whole := len(c.b) == int(b[0]>>4)
	for number := 0; len(c.b) > 0; {
		first := c.u8()
		number += int(first >> 4)
		size := int(first & 15)
		if number != maxSize && number != blockwise || size > 4 || number == blockwise && size > 0 {
			return No
		}
		if c.take(size); c.short {
			return maybeIf(!whole)
		}
	}
	if !whole {
		return Maybe
	}
	return Yes
}

// size implements framing (section 3.2).
func (s *coapStream) size(b []byte) (int, error) {
	length, more := s.lengths(b)
	if length < 0 {
		return 0, nil
	}
	if length > maxCoAPMessage {
		return 0, errCoAPLength
	}
	return 1 + more + 1 + int(b[0]&15) + length, nil
}

// lengths returns how long options and payload are, -1 if more bytes are needed
// to tell, and how many bytes of the head say so.
func (*coapStream) lengths(b []byte) (length, more int) {
	c := cursor{b: b[1:]}
	switch length = int(b[0] >> 4); length {
	case 13:
		length, more = 13+int(c.u8()), 1
	case 14:
		length, more = 269+int(c.u16()), 2
	case 15:
		length, more = 65805+int(min(c.u32(), maxCoAPMessage)), 4
	}
	if c.short {
		length = -1
	}
	return length, more
}

// read implements framing. Signals (class 7) tell nothing of interest.
func (s *coapStream) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	length, more := s.lengths(b)
	tokens := int(b[0] & 15)
	if length < 0 || len(b) < 2+more+tokens {
		return msgs, cutOr(cut, errCoAPMessage)
	}
	code := b[1+more]
	class := code >> 5
	switch {
	case tokens > 8 || class == 1 || class == 3 || class == 6 || class == 0 && code > 7:
		return msgs, errCoAPMessage
	case class == 7 || code == 0:
		return msgs, nil
	}
	m := &CoAP{Code: code, OverTCP: true, Observe: -1, Format: -1}
	c := cursor{b: b[2+more+tokens:]}
	if _, err := m.options(&c); err != nil {
		return msgs, cutOr(cut, errCoAPMessage)
	}
	return s.tell(dir, m, msgs), nil
}
