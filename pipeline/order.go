package pipeline

import (
	"cmp"
	"slices"

	"gatehouse/flow"
)

// place stands for an event while events are sorted: moving it moves 24 bytes
// instead of the event's 240, and time and ordinal settle most comparisons
// without a look at the event.
type place struct {
	time  int64
	seq   uint64
	index int
}

// arrange appends events to dst in the order of flow.Compare. scratch is
// memory to be used again; arrange returns both.
func arrange(dst, events []flow.Event, scratch []place) ([]flow.Event, []place) {
	scratch = scratch[:0]
	for i := range events {
		scratch = append(scratch, place{events[i].Time, events[i].Seq, i})
	}
	slices.SortFunc(scratch, func(a, b place) int {
		if c := cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq)); c != 0 {
			return c
		}
		return flow.Compare(&events[a.index], &events[b.index])
	})
	dst = slices.Grow(dst, len(events))
	for i := range scratch {
		dst = append(dst, events[scratch[i].index])
	}
	return dst, scratch
}

// merge appends to dst the events of runs, each of which is in order, in one
// order. There are as many runs as shards: too few for more than a linear
// search.
func merge(dst []flow.Event, runs [][]flow.Event) []flow.Event {
	var next [maxWorkers]int
	for {
		best := -1
		for i, run := range runs {
			if next[i] < len(run) && (best < 0 || flow.Compare(&run[next[i]], &runs[best][next[best]]) < 0) {
				best = i
			}
		}
		if best < 0 {
			return dst
		}
		dst = append(dst, runs[best][next[best]])
		next[best]++
	}
}
