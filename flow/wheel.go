package flow

import "math"

// The wheel has slots of 2^26 ns (67 ms) and spans 2^13 of them (550 s), a
// little more than the longest default timeout; later deadlines wait in the
// last slot and are put back. The current slot is divided into 2^8 fine ones
// (262 us), so that a table that looks for room at every packet does not visit
// everyone who is due soon for each that is due now.
const (
	wheelShift = 26
	wheelBits  = 13
	wheelSize  = 1 << wheelBits
	fineBits   = 8
	fineShift  = wheelShift - fineBits
	fineSize   = 1 << fineBits
)

// wheel is a timing wheel over table entries, linked through their indexes. It
// is lazy: a packet does not move its flow. When a slot comes due, flows that
// were active in the meantime are put where their deadline now is, so a flow
// is touched once or twice per timeout instead of once per packet.
type wheel struct {
	head    [wheelSize + fineSize]ref // coarse slots, then those of the current one
	tick    int64                     // current slot, in units of 2^wheelShift ns; what is in it is in fine slots
	fine    int64                     // current fine slot, in units of 2^fineShift ns
	nextDue int64                     // no entry of the current fine slot is due before
}

// start sets the time from which the wheel turns.
func (w *wheel) start(now int64) { w.tick, w.fine = now>>wheelShift, now>>fineShift }

// slot returns where an entry with this deadline waits.
func (w *wheel) slot(deadline int64) uint32 {
	tick := min(max(deadline>>wheelShift, w.tick), w.tick+wheelSize-1)
	if tick != w.tick {
		return uint32(tick & (wheelSize - 1))
	}
	fine := max(deadline>>fineShift, w.fine)
	if fine == w.fine {
		w.nextDue = min(w.nextDue, deadline)
	}
	return uint32(wheelSize + fine&(fineSize-1))
}

// link puts an entry into the slot of its deadline.
func (t *table) link(r ref, e *entry) {
	w := &t.wheel
	e.tick = w.slot(t.deadline(e))
	e.prev, e.next = 0, w.head[e.tick]
	if e.next != 0 {
		t.at(e.next).prev = r
	}
	w.head[e.tick] = r
}

func (t *table) unlink(r ref, e *entry) {
	if e.prev != 0 {
		t.at(e.prev).next = e.next
	} else {
		t.wheel.head[e.tick] = e.next
	}
	if e.next != 0 {
		t.at(e.next).prev = e.prev
	}
	e.prev, e.next = 0, 0
}

// relink moves an entry whose deadline has come nearer.
func (t *table) relink(r ref, e *entry) {
	t.unlink(r, e)
	t.link(r, e)
}

// advance calls end, which must remove the entry, for every flow whose
// deadline is at or before now.
func (t *table) advance(now int64, end func(ref)) {
	w := &t.wheel
	if t.count == 0 {
		w.tick, w.fine = max(w.tick, now>>wheelShift), max(w.fine, now>>fineShift)
		w.nextDue = math.MaxInt64
		return
	}
	if target := now >> wheelShift; target > w.tick {
		t.turnFine((w.tick+1)<<fineBits, now, end)
		// After a long silence every slot is visited once, not once a turn.
		w.tick = max(w.tick, target-wheelSize)
		for w.tick < target {
			// What is not due any more has its deadline behind now, and so in
			// a later slot. The last one visited is spread over the fine slots.
			w.tick++
			w.fine = w.tick << fineBits
			t.sweep(uint32(w.tick&(wheelSize-1)), now, end)
		}
	}
	t.turnFine(now>>fineShift, now, end)
	if now >= w.nextDue {
		w.nextDue = math.MaxInt64
		t.sweep(uint32(wheelSize+w.fine&(fineSize-1)), now, end)
	}
}

// turnFine visits the fine slots before target.
func (t *table) turnFine(target, now int64, end func(ref)) {
	w := &t.wheel
	if w.fine >= target {
		return
	}
	for ; w.fine < target; w.fine++ {
		t.sweep(uint32(wheelSize+w.fine&(fineSize-1)), now, end)
	}
	w.nextDue = math.MinInt64
}

// sweep visits the entries of a slot: those that are due end, the others move
// to where their deadline is.
func (t *table) sweep(i uint32, now int64, end func(ref)) {
	r := t.wheel.head[i]
	for r != 0 {
		e := t.at(r)
		next := e.next
		if now >= t.deadline(e) {
			end(r)
		} else {
			t.relink(r, e)
		}
		r = next
	}
}
