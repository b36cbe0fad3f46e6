package sim

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// instant is a moment of simulated time in nanoseconds since the Unix epoch.
type instant int64

func at(t time.Time) instant                      { return instant(t.UnixNano()) }
func (t instant) add(d time.Duration) instant     { return t + instant(d) }
func (t instant) sub(u instant) time.Duration     { return time.Duration(t - u) }
func (t instant) time() time.Time                 { return time.Unix(0, int64(t)).UTC() }
func (t instant) within(from, until instant) bool { return t >= from && t < until }

// agenda runs actions in the order of their times; equal times in the order in
// which they were booked.
type agenda struct {
	entries entryHeap
	booked  uint64
}

type entry struct {
	when  instant
	order uint64
	do    func(now instant)
}

// book lets do run at the given time.
func (a *agenda) book(when instant, do func(now instant)) {
	a.booked++
	heap.Push(&a.entries, entry{when, a.booked, do})
}

// next takes the earliest action before end off the agenda.
func (a *agenda) next(end instant) (entry, bool) {
	if len(a.entries) == 0 || a.entries[0].when >= end {
		return entry{}, false
	}
	return heap.Pop(&a.entries).(entry), true
}

type entryHeap []entry

func (h entryHeap) Len() int { return len(h) }
func (h entryHeap) Less(i, j int) bool {
	if h[i].when != h[j].when {
		return h[i].when < h[j].when
	}
	return h[i].order < h[j].order
}
func (h entryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *entryHeap) Push(x any)   { *h = append(*h, x.(entry)) }
func (h *entryHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = entry{}
	*h = old[:len(old)-1]
	return last
}

// Frame is one simulated Ethernet frame as a capture would have recorded it.
type Frame struct {
	Time   time.Time // nanosecond precision, UTC
	Data   []byte    // as captured: bulk data is cut off behind its headers
	Length int       // bytes on the wire, at least len(Data)
}

// tape holds frames that were laid down ahead of simulated time and gives them
// out in order. An action may write frames into its future (the reply that
// comes 40 ms later), never into its past.
type tape struct {
	pending []laid
	played  instant // everything before this has been given out
	order   uint64
	chunk   []byte
}

type laid struct {
	when   instant
	order  uint64
	data   []byte
	length int
}

// chunkSize is how much frame memory is allocated at once. Chunks are freed by
// the garbage collector when the last frame in them has been given out.
const chunkSize = 256 << 10

// lay puts a copy of data on the tape.
func (t *tape) lay(when instant, data []byte, length int) {
	if len(data) > cap(t.chunk)-len(t.chunk) {
		t.chunk = make([]byte, 0, max(chunkSize, len(data)))
	}
	from := len(t.chunk)
	t.chunk = append(t.chunk, data...)
	t.order++
	t.pending = append(t.pending, laid{when, t.order, t.chunk[from:len(t.chunk):len(t.chunk)], length})
}

// play hands every frame before end to fn, in time order, and forgets it.
func (t *tape) play(end instant, fn func(Frame) error) error {
	slices.SortFunc(t.pending, func(a, b laid) int {
		if a.when != b.when {
			return cmp.Compare(a.when, b.when)
		}
		return cmp.Compare(a.order, b.order)
	})
	t.played = end
	n := 0
	for ; n < len(t.pending) && t.pending[n].when < end; n++ {
		f := &t.pending[n]
		if err := fn(Frame{Time: f.when.time(), Data: f.data, Length: f.length}); err != nil {
			return err
		}
	}
	rest := copy(t.pending, t.pending[n:])
	clear(t.pending[rest:])
	t.pending = t.pending[:rest]
	return nil
}
