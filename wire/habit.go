package wire

import "math/bits"

// Habitual is a Message that long conversations say again and again: what a
// controller is asked for ten times a second.
type Habitual interface {
	Message
	// Habit stands for what is said, the same for messages that differ only
	// in their number, in measured values or in time; 0 if this message is
	// never a mere repetition. Under a seed that nobody knows nobody can make
	// a message that is taken for another one.
	Habit(seed uint64) uint64
}

// habit mixes the parts of a message that make it what it is, beginning with a
// seed. Two different messages of one conversation have the same habit once in
// 2^64.
type habit uint64

// with returns h with one more part, which may be 0: as many parts of 0 as one
// likes are as many different habits.
func (h habit) with(part uint64) habit { return h.withTwo(part, 0) }

// withTwo does so for two parts, with one multiplication.
func (h habit) withTwo(a, b uint64) habit {
	// Multiply and fold, as wyhash does; the constants are of no meaning.
	// What came before is in both factors: with a part alone in one of them, it
	// could be chosen to make the product 0 whatever the other is.
	hi, lo := bits.Mul64(uint64(h)^a^0x9e3779b97f4a7c15, bits.RotateLeft64(uint64(h), 32)^b^0xd1342543de82ef95)
	return habit(hi^lo) ^ h
}

// withText mixes in a name and its length.
func (h habit) withText(s string) habit { return withAll(h, s) }

// withBytes does so for bytes.
func (h habit) withBytes(b []byte) habit { return withAll(h, b) }

func withAll[T string | []byte](h habit, s T) habit {
	size := uint64(len(s))
	for len(s) > 0 {
		var part uint64
		n := min(len(s), 8)
		for i := range n {
			part |= uint64(s[i]) << (8 * i)
		}
		h = h.withTwo(part, size)
		s = s[n:]
	}
	return h.withTwo(0, size)
}

// value is the habit as Habitual wants it, never 0.
func (h habit) value() uint64 { return max(1, uint64(h)) }

func habitBit(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}
