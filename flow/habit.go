package flow

import (
	"math"

	"gatehouse/wire"
)

// maxHabits bounds the messages that are remembered as said before: a
// conversation of a controller has some ten, so that hundreds of controllers
// fit into 1 MiB.
const maxHabits = 16384

// habits knows which messages a conversation has said not long ago. A
// controller is asked for the same registers ten times a second, for years:
// the judges downstream need to hear of it now and then, not every time.
type habits struct {
	every int64            // ns; 0: nothing is a habit
	said  map[uint64]int64 // when; by conversation and message
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
	what := r.Habit()
	if what == 0 {
		return false
	}
	// In one word, because maps of words are twice as fast: two messages are
	// taken for one once in 2^64.
	key := mix(who^seedAddr, what^seedPorts)
	if at, known := h.said[key]; known && now-at < h.every {
		return true
	}
	if len(h.said) >= maxHabits {
		h.forget(now)
	}
	if h.said == nil {
		h.said = make(map[uint64]int64)
	}
	h.said[key] = now
	return false
}

// forget drops what was said too long ago to count, and everything if that is
// not half of it: who says thousands of different things has no habits.
func (h *habits) forget(now int64) {
	for k, at := range h.said {
		if now-at >= h.every {
			delete(h.said, k)
		}
	}
	if len(h.said) > maxHabits/2 {
		clear(h.said)
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
