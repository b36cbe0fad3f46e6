package wire

import "math/bits"

// Habitual is a Message that long conversations say again and again: what a
// controller is asked for ten times a second.
type Habitual interface {
	Message
	// Habit stands for what is said, the same for messages that differ only
	// in their number, in measured values or in time; 0 if this message is
	// never a mere repetition.
	Habit() uint64
}

// habitOf mixes the parts of a message that make it what it is. Two different
// messages of one conversation have the same habit once in 2^64.
func habitOf(parts ...uint64) uint64 {
	h := uint64(len(parts))
	for _, p := range parts {
		// Multiply and fold, as wyhash does; the constants are of no meaning.
		hi, lo := bits.Mul64(h^p^0x9e3779b97f4a7c15, 0xd1342543de82ef95+p)
		h = hi ^ lo ^ bits.RotateLeft64(p, 31)
	}
	return max(1, h)
}
