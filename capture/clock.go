package capture

import (
	"math"
	"math/bits"
)

// clock converts the time stamps of one pcapng interface to nanoseconds since
// the Unix epoch: ts * mul / div / 2^shift + offset.
type clock struct {
	mul, div uint64
	shift    uint
	offset   int64 // nanoseconds
}

// newClock returns the clock for the options if_tsresol and if_tsoffset
// (draft-ietf-opsawg-pcapng, section 4.2). resolution is the negative power
// of 10, or of 2 if its top bit is set, of one unit in seconds; offset is in
// seconds.
func newClock(resolution uint8, offset int64) clock {
	c := clock{mul: 1, div: 1, offset: mulSaturated(offset, 1e9)}
	exp := uint(resolution &^ 0x80)
	switch {
	case resolution&0x80 != 0:
		c.mul, c.shift = 1e9, exp
	case exp <= 9:
		c.mul = pow10(9 - exp)
	default:
		c.div = pow10(exp - 9)
	}
	return c
}

// nanos converts a time stamp. A time outside [0, 1<<63-1] (1970 to 2262)
// becomes the nearer bound, so that the difference of two times never
// overflows.
func (c *clock) nanos(ts uint64) int64 {
	hi, lo := bits.Mul64(ts, c.mul)
	if c.shift != 0 {
		hi, lo = shiftRight(hi, lo, c.shift)
	}
	if c.div != 1 { // then mul is 1 and hi is 0
		lo /= c.div
	}
	if hi != 0 || lo > math.MaxInt64 {
		lo = math.MaxInt64
	}
	t := int64(lo)
	if c.offset > math.MaxInt64-t {
		return math.MaxInt64
	}
	return max(t+c.offset, 0)
}

// shiftRight shifts a 128-bit number; n may be anything, as shifts by 64 or
// more give 0 in Go.
func shiftRight(hi, lo uint64, n uint) (uint64, uint64) {
	if n >= 64 {
		return 0, hi >> (n - 64)
	}
	return hi >> n, lo>>n | hi<<(64-n)
}

// pow10 returns 10^n, or the greatest uint64 where that does not fit: as a
// divisor both make every time stamp 0.
func pow10(n uint) uint64 {
	p := uint64(1)
	for range n {
		if p > math.MaxUint64/10 {
			return math.MaxUint64
		}
		p *= 10
	}
	return p
}

// mulSaturated returns a*b for b > 0, or the nearer bound of int64.
func mulSaturated(a, b int64) int64 {
	switch {
	case a > math.MaxInt64/b:
		return math.MaxInt64
	case a < math.MinInt64/b:
		return math.MinInt64
	default:
		return a * b
	}
}
