package flow

import (
	"bytes"

	"gatehouse/wire"
)

const (
	// streamBudget is how many bytes of one direction are looked at without
	// finding a message, and so how many may ever wait. A TLS handshake with
	// a certificate chain fits; request heads are far smaller.
	streamBudget = 16 << 10
	maxHeld      = 16 // out-of-order segments a direction may hold
	// maxPatience is for how long the segments of a long-lived protocol wait
	// for one that is missing, nanoseconds: retransmissions come within 1 s
	// (RFC 6298), the second within 3 s.
	maxPatience = 4e9
)

// stream is the parse state of one TCP connection or UDP flow.
type stream struct {
	owner      ref
	prev, next uint32 // by use, in the pool; index + 1
	charge     int    // bytes accounted to the pool

	spoken
	upgrades int
	half     [2]half // by wire.Dir

	talks [maxTalks]talk // of a UDP flow
}

// spoken is the protocol of a connection: its parser, nil until recognised,
// and what that can do besides.
type spoken struct {
	parser    wire.Stream
	skipper   wire.Skipper
	flusher   wire.Flusher
	retainer  wire.Retainer
	reuser    wire.Reuser
	row       uint8 // plus one
	longLived bool  // wire.Protocol.LongLived
}

// half is one direction of a connection: bytes in order, without gaps, each
// given to the parser once. Of bytes that arrive twice the first copy counts,
// whatever the receiver's system may do: both are in the capture, and the
// difference is counted (Stats.StreamConflicts).
type half struct {
	synced  bool   // next is known
	stopped bool   // nothing more is fed
	foreign bool   // no recogniser wants the bytes
	lost    bool   // of a long-lived protocol: looks for the head of a message
	next    uint32 // sequence number of the next byte
	skip    int64  // bytes to pass over, seen or not
	spent   int    // bytes fed since the last message
	buf     []byte // in order, not consumed
	held    []heldSegment
	arena   []byte // bytes of held
	since   int64  // when the first of them came
}

// heldSegment is data that waits for what comes before it.
type heldSegment struct {
	seq    uint32
	length int // on the wire
	data   []byte
}

// segment takes in the payload of a TCP packet.
func (s *Shard) segment(r ref, e *entry, h *Headers, from side) {
	if e.stream == 0 {
		if x, ok := s.announced(e); ok && x.message != nil {
			s.found(e, x.message)
			e.stream = noStream
			return
		}
		if !s.attach(r, e, h, from) {
			return
		}
	}
	i := e.stream
	st := s.streams.use(i)
	dir := e.dir(from)
	hf := &st.half[dir]
	if hf.stopped {
		return
	}
	seq := h.Seq
	if h.Flags&TCPSyn != 0 {
		seq++ // data of TCP Fast Open follows the SYN
	}
	if !hf.synced {
		if e.isnKnown>>from&1 == 0 && h.PayloadLen == 1 {
			return // mid-stream, a lone byte is mostly a keep-alive probe
		}
		hf.synced, hf.next = true, seq
		if e.isnKnown>>from&1 != 0 {
			hf.next = e.isn[from] + 1
		}
	}
	s.arrive(e, st, dir, seq, h.Payload, h.PayloadLen)
	if e.stream == i {
		s.streams.settle(s, i)
	}
}

// attach gives a flow its parse state, unless no byte of it was captured.
func (s *Shard) attach(r ref, e *entry, h *Headers, from side) bool {
	if e.stopped>>from&1 != 0 {
		return false
	}
	if len(h.Payload) == 0 {
		e.stopped |= 1 << from
		s.stats.StreamGaps++
		if e.stopped == 3 {
			e.stream = noStream
		}
		return false
	}
	e.stream = s.streams.acquire(s, r)
	st := s.streams.at(e.stream)
	for i := range side(2) {
		st.half[e.dir(i)].stopped = e.stopped>>i&1 != 0
	}
	return true
}

func (e *entry) dir(from side) wire.Dir { return wire.Dir(from ^ e.client) }

// arrive sorts a segment in: old bytes are left out, later ones held, and
// what is next in order is consumed together with what waited for it.
func (s *Shard) arrive(e *entry, st *stream, dir wire.Dir, seq uint32, data []byte, length int) {
	hf := &st.half[dir]
	ahead := int64(int32(seq - hf.next))
	if ahead < 0 {
		old := int(min(-ahead, int64(length)))
		s.stats.StreamConflicts += hf.conflicts(int(-ahead), data)
		data, length, seq = data[min(old, len(data)):], length-old, hf.next
		ahead = 0
	}
	if length == 0 {
		return
	}
	if ahead > 0 && ahead <= hf.skip {
		hf.next = seq // lost, but of no interest
		hf.skip -= ahead
		ahead = 0
	}
	if ahead > 0 {
		s.early(e, st, dir, seq, data, length)
		return
	}
	for len(hf.held) > 0 && !hf.stopped && e.stream != noStream {
		first := hf.held[0]
		before := int(int32(first.seq - hf.next)) // where held bytes take over
		if before >= length {
			break
		}
		hf.held = hf.held[1:]
		s.consume(e, st, dir, data[:min(before, len(data))], before)
		if hf.stopped || e.stream == noStream {
			return
		}
		over := min(first.length, length-before)
		rest := data[min(before, len(data)):]
		s.stats.StreamConflicts += differing(first.data[:over], rest)
		s.consume(e, st, dir, first.data, first.length)
		data, length = rest[min(over, len(rest)):], length-before-over
	}
	if length > 0 && !hf.stopped && e.stream != noStream {
		s.consume(e, st, dir, data, length)
	}
	s.drain(e, st, dir)
}

// early takes in a segment that comes before bytes that are missing.
func (s *Shard) early(e *entry, st *stream, dir wire.Dir, seq uint32, data []byte, length int) {
	hf := &st.half[dir]
	if len(hf.held) == 0 {
		hf.since = s.now
	}
	held := s.hold(hf, seq, data, length)
	switch {
	case held && (!st.longLived || s.now-hf.since < maxPatience):
	case st.longLived:
		s.leap(e, st, dir, seq)
		if !held && !hf.stopped && e.stream != noStream {
			s.arrive(e, st, dir, seq, data, length) // there is room now
		}
	default:
		s.gap(e, st, dir)
	}
}

// drain consumes held segments that are next in order, or whose predecessors
// are of no interest.
func (s *Shard) drain(e *entry, st *stream, dir wire.Dir) {
	hf := &st.half[dir]
	for len(hf.held) > 0 && !hf.stopped && e.stream != noStream {
		first := hf.held[0]
		ahead := int64(int32(first.seq - hf.next))
		if ahead > hf.skip {
			return
		}
		hf.held = hf.held[1:]
		if ahead > 0 {
			hf.next, hf.skip = first.seq, hf.skip-ahead
		}
		s.consume(e, st, dir, first.data, first.length)
	}
	if len(hf.held) == 0 && hf.arena != nil {
		s.streams.giveBack(hf.arena)
		hf.held, hf.arena = nil, nil
	}
}

// conflicts compares the retransmission of bytes that are still buffered;
// back is how far before hf.next data begins.
func (hf *half) conflicts(back int, data []byte) uint64 {
	skip := max(0, back-len(hf.buf))
	if skip >= len(data) || back > len(hf.buf)+len(data) {
		return 0
	}
	have := hf.buf[len(hf.buf)-(back-skip):]
	return differing(have, data[skip:])
}

// differing counts the bytes in which a and b differ over their common length.
func differing(a, b []byte) uint64 {
	n := min(len(a), len(b))
	if bytes.Equal(a[:n], b[:n]) {
		return 0
	}
	var d uint64
	for i := range n {
		if a[i] != b[i] {
			d++
		}
	}
	return d
}

// hold keeps the parts of an early segment that no held segment covers. It
// reports whether there was room.
func (s *Shard) hold(hf *half, seq uint32, data []byte, length int) bool {
	if length > len(data) {
		return false // snapped: it would be a gap when its turn comes
	}
	at := 0
	for ; at < len(hf.held) && len(data) > 0; at++ {
		other := &hf.held[at]
		gap := int(int32(other.seq - seq))
		if gap >= len(data) {
			break
		}
		if gap > 0 {
			if !hf.insert(&s.streams, at, seq, data[:gap]) {
				return false
			}
			at++
			other = &hf.held[at]
			data, seq = data[gap:], seq+uint32(gap)
			gap = 0
		}
		if -gap >= other.length {
			continue
		}
		overlap := min(other.length+gap, len(data))
		s.stats.StreamConflicts += differing(other.data[-gap:], data[:overlap])
		data, seq = data[overlap:], seq+uint32(overlap)
	}
	return len(data) == 0 || hf.insert(&s.streams, at, seq, data)
}

// insert puts a copy of data at position at of the held segments.
func (hf *half) insert(p *streamPool, at int, seq uint32, data []byte) bool {
	if len(hf.held) == maxHeld || len(hf.arena)+len(data) > streamBudget {
		return false
	}
	if hf.arena == nil {
		hf.arena = p.buffer()
	}
	start := len(hf.arena)
	// Earlier segments keep pointing into the arena that append leaves behind.
	hf.arena = append(hf.arena, data...)
	hf.held = append(hf.held, heldSegment{})
	copy(hf.held[at+1:], hf.held[at:])
	hf.held[at] = heldSegment{seq: seq, length: len(data), data: hf.arena[start:]}
	return true
}

// consume feeds bytes that are next in order. length exceeds len(data) where
// the capture was cut.
func (s *Shard) consume(e *entry, st *stream, dir wire.Dir, data []byte, length int) {
	hf := &st.half[dir]
	hf.next += uint32(length)
	missing := length - len(data)
	for len(data) > 0 && !hf.stopped && e.stream != noStream {
		if hf.skip > 0 {
			n := int(min(hf.skip, int64(len(data))))
			hf.skip -= int64(n)
			data = data[n:]
			continue
		}
		room := streamBudget - hf.spent
		if room <= 0 {
			s.stop(e, st, dir)
			return
		}
		part := data[:min(room, len(data))]
		hf.spent += len(part)
		data = data[len(part):]
		s.feed(e, st, dir, part)
	}
	if missing > 0 && !hf.stopped && e.stream != noStream {
		if hf.skip < int64(missing) {
			if s.heads { // a head shows as much as it is meant to
				s.stop(e, st, dir)
				return
			}
			s.gap(e, st, dir)
			return
		}
		hf.skip -= int64(missing)
	}
}
