package wire

import (
	"errors"
	"fmt"
)

var errResync = fmt.Errorf("look for the next message: none in 2 KiB: %w", ErrMalformed)

// framing is a protocol over TCP whose messages say how long they are.
type framing interface {
	// size returns the length of the message at the head of b, 0 if more
	// bytes are needed to tell. An error ends the stream.
	size(b []byte) (int, error)
	// read appends what one message says. b is the message, or its first
	// bytes if cut is set. An error ends the stream.
	read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error)
}

// parted is a framing that reads more of some messages than of others.
type parted interface {
	framing
	// part returns how much of the message of size bytes at the head of b is to
	// be read, 0 if more bytes are needed to tell: it takes the place of
	// framedStream.head. An error ends the stream.
	part(b []byte, size int) (int, error)
}

// ender is a framing that has something to say when nothing more of a
// direction can be read, such as a login that was not answered.
type ender interface {
	ended(dir Dir, msgs []Message) []Message
}

// resyncing is a framing that finds its next message again behind bytes that
// are none: a damaged length must not hide the commands behind it.
type resyncing interface {
	framing
	// begins judges whether a message begins with b, as Protocol.Sniff does.
	begins(b []byte) Match
}

// maxResync is how many bytes are searched for the next message: more than
// the largest one of the protocols that are resyncing.
const maxResync = 2 << 10

// framedStream takes a connection apart into the messages of a framing. Of a
// message longer than head bytes only those are looked at, and the rest is
// passed over.
type framedStream struct {
	framing framing
	parted  parted // the framing if it is one, else nil
	head    int
	left    [2]int // bytes of a message that has been read, still to come
	lost    [2]int // bytes in which the next message is still searched for
	spoken  bool   // a message has been read
}

var (
	_ Flusher = (*framedStream)(nil)
	_ Skipper = (*framedStream)(nil)
)

// Feed implements Stream.
func (s *framedStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		rest := b[n:]
		if left := s.left[dir]; left > 0 {
			used := min(left, len(rest))
			s.left[dir] -= used
			n += used
			continue
		}
		if s.lost[dir] > 0 {
			passed := s.seek(dir, rest)
			if n += passed; passed < len(rest) && s.lost[dir] == 0 {
				continue
			}
			if s.lost[dir] == 0 {
				return n, s.ended(msgs), errResync
			}
			break
		}
		size, err := s.framing.size(rest)
		if err != nil {
			if _, ok := s.framing.(resyncing); ok && s.spoken {
				n++ // whatever begins here is no message
				s.lost[dir] = maxResync
				continue
			}
			return n, s.ended(msgs), err
		}
		need := min(size, s.head)
		if s.parted != nil && size > 0 {
			if need, err = s.parted.part(rest, size); err != nil {
				return n, s.ended(msgs), err
			}
		}
		if need == 0 || len(rest) < need {
			break
		}
		if msgs, err = s.framing.read(dir, rest[:need:need], need < size, msgs); err != nil {
			if errors.Is(err, ErrUpgrade) {
				n += need // the message itself is not of the protocol that follows
			}
			return n, s.ended(msgs), err
		}
		n += need
		s.left[dir] = size - need
		s.spoken = true
	}
	return n, msgs, nil
}

// seek looks for the head of a message. It returns how many bytes are in front
// of it, or of what may become one; lost is 0 when it was found, and when it
// was given up.
func (s *framedStream) seek(dir Dir, b []byte) int {
	f := s.framing.(resyncing)
	for i := range b {
		switch f.begins(b[i:]) {
		case Yes:
			s.lost[dir] = 0
			return i
		case Maybe:
			return i
		case No:
		}
		if s.lost[dir]--; s.lost[dir] == 0 {
			return len(b)
		}
	}
	return len(b)
}

// Skip implements Skipper.
func (s *framedStream) Skip(dir Dir) int64 {
	left := s.left[dir]
	s.left[dir] = 0
	return int64(left)
}

// Flush implements Flusher: it reads an unfinished message as far as it goes.
func (s *framedStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if len(b) > 0 && s.left[dir] == 0 && s.lost[dir] == 0 {
		if size, err := s.framing.size(b); err == nil && size > len(b) {
			msgs, _ = s.framing.read(dir, b, true, msgs) // what it says of a message without an end is all there is
		}
	}
	if e, ok := s.framing.(ender); ok {
		msgs = e.ended(dir, msgs)
	}
	return msgs
}

// ended is for a stream that cannot be read any further.
func (s *framedStream) ended(msgs []Message) []Message {
	if e, ok := s.framing.(ender); ok {
		for dir := range Dir(2) {
			msgs = e.ended(dir, msgs)
		}
	}
	return msgs
}
