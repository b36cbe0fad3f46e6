package wire

import "slices"

// fragments puts a message together from parts that come in any order, some
// twice. What came first stays. It is bounded: parts that reach beyond the
// limit, and those that would leave too many holes, are not taken.
type fragments struct {
	buf  []byte
	have []span // disjoint, not adjacent, ascending
}

// span is the bytes from..to-1.
type span struct{ from, to int }

// maxSpans bounds the islands of a message that wait to be joined. Chrome cuts
// a QUIC ClientHello into some twenty parts and shuffles them.
const maxSpans = 64

// add takes the bytes at offset off and reports whether it did. limit is the
// length that the message may have at most.
func (f *fragments) add(off int, b []byte, limit int) bool {
	end := off + len(b)
	if off < 0 || off > limit || end > limit {
		return false
	}
	if len(b) == 0 {
		return true
	}
	first := 0 // the first island that is not wholly before the part
	for first < len(f.have) && f.have[first].to < off {
		first++
	}
	last, joined := first, span{off, end}
	for last < len(f.have) && f.have[last].from <= end {
		joined.from, joined.to = min(joined.from, f.have[last].from), max(joined.to, f.have[last].to)
		last++
	}
	if first == last && len(f.have) >= maxSpans {
		return false
	}
	if len(f.buf) < end {
		f.buf = slices.Grow(f.buf, end-len(f.buf))[:end]
	}
	at := off // copy only what falls between the islands
	for _, s := range f.have[first:last] {
		if s.from > at {
			copy(f.buf[at:s.from], b[at-off:])
		}
		at = max(at, s.to)
	}
	if at < end {
		copy(f.buf[at:end], b[at-off:])
	}
	f.have = slices.Replace(f.have, first, last, joined)
	return true
}

// head returns the bytes from the beginning up to the first hole. They are
// valid until the next add.
func (f *fragments) head() []byte {
	if len(f.have) == 0 || f.have[0].from > 0 {
		return nil
	}
	return f.buf[:f.have[0].to]
}
