package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"time"
)

// stream is a source of reproducible randomness. Every program on every device
// has its own, derived from the seed and a name, so that adding one program
// (an attack, say) leaves the traffic of all others as it was.
//
// It computes with integers only: fused multiply-add and the assembly behind
// package math give other last digits on other processors, and the output
// must be the same on all of them.
type stream struct{ src rand.PCG }

func newStream(seed uint64, name string) *stream {
	sum := digest(seed, name)
	s := &stream{}
	s.src.Seed(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16]))
	return s
}

// digest is the root of everything derived from the seed.
func digest(seed uint64, name string) [32]byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(name)), seed)
	return sha256.Sum256(append(b, name...))
}

// n returns a number in [0, limit); limit must be positive.
func (s *stream) n(limit int) int {
	hi, _ := bits.Mul64(s.src.Uint64(), uint64(limit))
	return int(hi)
}

// between returns a number in [lo, hi].
func (s *stream) between(lo, hi int) int { return lo + s.n(hi-lo+1) }

// chance is true permille times out of a thousand.
func (s *stream) chance(permille int) bool { return s.n(1000) < permille }

// span returns a duration in [lo, hi].
func (s *stream) span(lo, hi time.Duration) time.Duration {
	off, _ := bits.Mul64(s.src.Uint64(), uint64(hi-lo)+1)
	return lo + time.Duration(off)
}

// jitter returns d moved by up to percent/100 of itself either way.
func (s *stream) jitter(d time.Duration, percent int) time.Duration {
	w := d / 100 * time.Duration(percent)
	return s.span(d-w, d+w)
}

// expo returns an exponentially distributed duration, drawn by von Neumann's
// method of 1951, which needs nothing but comparisons of uniform numbers.
func (s *stream) expo(mean time.Duration) time.Duration {
	for whole := 0; ; whole++ {
		first := s.src.Uint64()
		run := 1
		for last := first; ; run++ {
			next := s.src.Uint64()
			if next >= last {
				break
			}
			last = next
		}
		if run%2 == 1 {
			part, _ := bits.Mul64(first, uint64(mean))
			return time.Duration(whole)*mean + time.Duration(part)
		}
	}
}

// size returns a heavy-tailed number of bytes: at least base, doubling with
// probability one in four, never more than limit. (A Pareto tail of index 2,
// which is about what file sizes on the web follow.)
func (s *stream) size(base, limit int) int {
	for base < limit && s.n(4) == 0 {
		base *= 2
	}
	return min(base+s.n(base), limit)
}

// pick returns one of the given values.
func pick[T any](s *stream, from []T) T { return from[s.n(len(from))] }

// shuffle permutes v in place.
func shuffle[T any](s *stream, v []T) {
	for i := len(v) - 1; i > 0; i-- {
		j := s.n(i + 1)
		v[i], v[j] = v[j], v[i]
	}
}

// fill overwrites b with random bytes.
func (s *stream) fill(b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, s.src.Uint64())
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], s.src.Uint64())
		copy(b, last[:])
	}
}

// bytes returns n random bytes.
func (s *stream) bytes(n int) []byte {
	b := make([]byte, n)
	s.fill(b)
	return b
}

// letters returns n letters drawn from an alphabet.
func (s *stream) letters(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[s.n(len(alphabet))]
	}
	return string(b)
}

// addrIn returns a host address in an IPv4 prefix of at most 27 bits: any but
// its first 16 and its last 15.
func (s *stream) addrIn(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	room := 1<<(32-p.Bits()) - 31
	v := binary.BigEndian.Uint32(a[:]) + uint32(16+s.n(room))
	binary.BigEndian.PutUint32(a[:], v)
	return netip.AddrFrom4(a)
}

// zipf draws ranks with P(k) proportional to 1/(k+1), the law that site
// popularity follows (Adamic and Huberman, 2002).
type zipf struct{ cumulative []int }

func newZipf(n int) zipf {
	z := zipf{cumulative: make([]int, n)}
	sum := 0
	for i := range z.cumulative {
		sum += 1_000_000 / (i + 1)
		z.cumulative[i] = sum
	}
	return z
}

func (z zipf) rank(s *stream) int {
	v := s.n(z.cumulative[len(z.cumulative)-1])
	lo, hi := 0, len(z.cumulative)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if v < z.cumulative[mid] {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
