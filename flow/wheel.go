package flow

import "math"

// The wheel has slots of 2^26 ns (67 ms) and spans 2^13 of them (550 s), a
// little more than the longest default timeout; later deadlines wait in the
// last slot and are put back.
const (
	wheelShift = 26
	wheelBits  = 13
	wheelSize  = 1 << wheelBits
)

// wheel is a timing wheel over table entries, linked through their indexes. It
// is lazy: a packet does not move its flow. When a slot comes due, flows that
// were active in the meantime are put where their deadline now is, so a flow
// is touched once per timeout instead of once per packet.
type wheel struct {
	head    [wheelSize]ref
	tick    int64 // current slot, in units of 2^wheelShift ns
	nextDue int64 // no entry of the current slot is due before
}

// link puts an entry into the slot of its deadline.
func (t *table) link(r ref, e *entry) {
	deadline := t.deadline(e)
	w := &t.wheel
	tick := min(max(deadline>>wheelShift, w.tick), w.tick+wheelSize-1)
	if tick == w.tick {
		w.nextDue = min(w.nextDue, deadline)
	}
	e.tick = uint32(tick & (wheelSize - 1))
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
	target := now >> wheelShift
	if t.count == 0 {
		w.tick, w.nextDue = max(w.tick, target), math.MaxInt64
		return
	}
	if target > w.tick {
		// After a long silence every slot is visited once, not once a turn.
		w.tick = max(w.tick, target-wheelSize)
		for ; w.tick < target; w.tick++ {
			t.sweep(now, end)
		}
		w.nextDue = math.MinInt64
	}
	if now >= w.nextDue {
		w.nextDue = math.MaxInt64
		t.sweep(now, end)
	}
}

// sweep visits the entries of the current slot.
func (t *table) sweep(now int64, end func(ref)) {
	i := t.wheel.tick & (wheelSize - 1)
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
