package flow

import (
	"math"

	"gatehouse/wire"
)

// maxHabits bounds the messages that are remembered as said before, to 512 KiB:
// a conversation of a controller has some ten, so that there is room for
// hundreds of controllers.
const maxHabits = 16384

// habits knows which messages a conversation has said not long ago. A
// controller is asked for the same registers ten times a second, for years:
// the judges downstream need to hear of it now and then, not every time.
//
// It is asked about most messages of a factory, so it is a table of its own:
// open addressing with linear probing, at most half full, without deletion.
// With a thousand messages an answer takes 6 ns, from a map of words 11.
type habits struct {
	every int64 // ns; 0: nothing is a habit
	seed  uint64
	said  []saying // as many as a power of two, or none yet
	count int
}

// saying is one message of one conversation. Both are in one word, because two
// messages are then taken for one once in 2^64. 0 is a free place.
type saying struct {
	key uint64
	at  int64 // when it was said and reported
}

// repeats reports whether m was said by the same conversation less than
// h.every before now, and if not, notes that it is said now. who is the flow's
// id, or for frames without a flow one made of their addresses.
func (h *habits) repeats(who uint64, m wire.Message, now int64) bool {
	if h.every == 0 {
		return false
	}
	r, ok := m.(wire.Habitual)
	if !ok {
		return false
	}
	what := r.Habit(h.seed)
	if what == 0 {
		return false
	}
	key := max(1, mix(who^h.seed^seedAddr, what^seedPorts))
	if 2*h.count >= len(h.said) {
		h.makeRoom(now)
	}
	s := h.find(key)
	if s.key == key && now-s.at < h.every {
		return true
	}
	if s.key == 0 {
		h.count++
	}
	*s = saying{key, now}
	return false
}

// find returns the place of a key, or the free one that it belongs to.
func (h *habits) find(key uint64) *saying {
	mask := uint64(len(h.said) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		if s := &h.said[i]; s.key == key || s.key == 0 {
			return s
		}
	}
}

// makeRoom drops what was said too long ago to count, and everything if that
// is not half of what may be remembered: who says thousands of different things
// has no habits.
func (h *habits) makeRoom(now int64) {
	old, full := h.said, h.count >= maxHabits
	h.count = 0
	for _, s := range old {
		if s.key != 0 && now-s.at < h.every {
			h.count++
		}
	}
	if full && h.count > maxHabits/2 {
		h.count = 0
		clear(h.said)
		return
	}
	size := 64
	for size < 2*maxHabits && size < 4*h.count {
		size *= 2
	}
	h.said = make([]saying, size)
	for _, s := range old {
		if s.key != 0 && now-s.at < h.every {
			*h.find(s.key) = s
		}
	}
}

// conversation stands for the ends of a frame without a flow.
func (h *Headers) conversation() uint64 {
	word := func(mac [6]byte) uint64 {
		var w uint64
		for _, b := range mac {
			w = w<<8 | uint64(b)
		}
		return w
	}
	return max(1, mix(word(h.SrcMAC)^seedAddr, word(h.DstMAC)^seedPorts)) & math.MaxInt64
}
