package wire

import (
	"encoding/binary"
	"fmt"
)

// MQTT within WebSocket (section 6; RFC 6455), as browsers speak it. What a
// frame holds is a piece of the stream: packets need not begin with frames.

// mqttFrames takes frames apart, of both directions.
type mqttFrames [2]struct {
	left  int    // bytes of a frame, still to come
	pass  bool   // they are of a control frame, which is passed over
	mask  uint32 // big-endian, turned so that its first byte is for the next of the frame; 0 from a server
	inner []byte // bytes of the stream that were not consumed yet
}

const (
	frameBinary  = 0x82 // the last frame of a message of bytes
	frameControl = 0x08
	// maxFrameInner bounds what is kept of the stream: whatever the parser wants
	// at once is less.
	maxFrameInner = maxMQTTPacket + 1<<10
)

var (
	errFrameFlags = fmt.Errorf("read websocket frame: compressed: %w", ErrDone)
	errFrameSize  = fmt.Errorf("read websocket frame: not a length: %w", ErrMalformed)
)

// sniffMQTTFrame recognises the first frame of a client by the CONNECT in it.
func sniffMQTTFrame(b []byte) Match {
	head, size, mask, ok := frameHead(b)
	switch {
	case b[0] != frameBinary, len(b) > 1 && b[1] < 0x80, !ok:
		return No
	case head == 0:
		return Maybe
	}
	var room [16]byte // more than sniffMQTT looks at
	inner := room[:copy(room[:min(size, len(room))], b[head:])]
	unmask(inner, mask)
	m := sniffMQTT(FromClient, inner)
	if m == Maybe && len(inner) == min(size, len(room)) {
		return No // nothing more of it comes in this frame
	}
	return m
}

// frameHead reads the head of a frame (RFC 6455 section 5.2): its length is 0
// if more bytes are needed; ok is false if it announces more than 2 GiB.
func frameHead(b []byte) (head, size int, mask uint32, ok bool) {
	if len(b) < 2 {
		return 0, 0, 0, true
	}
	c := cursor{b: b[2:]}
	switch size = int(b[1] & 0x7f); size {
	case 126:
		size = int(c.u16())
	case 127:
		high, low := c.u32(), c.u32()
		if high != 0 || low > 1<<31-1 {
			return 0, 0, 0, false
		}
		size = int(low)
	}
	if b[1]&0x80 != 0 {
		mask = c.u32()
	}
	if c.short {
		return 0, 0, 0, true
	}
	return len(b) - len(c.b), size, mask, true
}

// unmask undoes the masking of a client (RFC 6455 section 5.3) and returns the
// mask for what follows.
func unmask(b []byte, mask uint32) uint32 {
	if mask == 0 {
		return 0
	}
	var key [4]byte
	binary.BigEndian.PutUint32(key[:], mask)
	for i := range b {
		b[i] ^= key[i&3]
	}
	turn := len(b) & 3 * 8
	return mask<<turn | mask>>(32-turn)
}

// feedFrames is Feed where packets come in frames.
func (s *mqttStream) feedFrames(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	f := &s.frames[dir]
	n := 0
	for n < len(b) {
		if f.left == 0 {
			head, size, mask, ok := frameHead(b[n:])
			switch {
			case !ok:
				return n, s.ended(FromServer, s.ended(FromClient, msgs)), errFrameSize
			case head == 0:
				return n, msgs, nil
			case b[n]&0x70 != 0:
				return n, s.ended(FromServer, s.ended(FromClient, msgs)), errFrameFlags
			}
			f.pass, f.left, f.mask = b[n]&frameControl != 0, size, mask
			n += head
			continue
		}
		part := b[n:min(len(b), n+min(f.left, maxFrameInner-len(f.inner)))]
		if f.pass {
			part = b[n:min(len(b), n+f.left)]
		}
		n += len(part)
		f.left -= len(part)
		if f.pass {
			continue
		}
		f.inner = append(f.inner, part...)
		f.mask = unmask(f.inner[len(f.inner)-len(part):], f.mask)
		used, out, err := s.framedStream.Feed(dir, f.inner, msgs)
		msgs = out
		if err != nil {
			return n, msgs, err
		}
		f.inner = f.inner[:copy(f.inner, f.inner[used:])]
		if len(f.inner) == maxFrameInner {
			return n, msgs, errMQTTFields // the parser never wants that much
		}
	}
	return n, msgs, nil
}
