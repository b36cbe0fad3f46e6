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

// arrange brings events into the order of flow.Compare. It returns scratch,
// memory to be used again.
func arrange(events []flow.Event, scratch []place) []place {
	scratch = scratch[:0]
	inOrder := true
	for i := range events {
		at := place{events[i].Time, events[i].Seq, i}
		if i > 0 {
			last := &scratch[i-1]
			inOrder = inOrder && (at.time > last.time || at.time == last.time && at.seq > last.seq)
		}
		scratch = append(scratch, at)
	}
	if inOrder {
		return scratch // as in most rounds: only timeouts come late
	}
	slices.SortFunc(scratch, func(a, b place) int {
		if c := cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq)); c != 0 {
			return c
		}
		return flow.Compare(&events[a.index], &events[b.index])
	})
	// Follow each cycle of the permutation, so that every event moves once.
	for i := range scratch {
		if scratch[i].index == i {
			continue
		}
		first, to := events[i], i
		for {
			from := scratch[to].index
			scratch[to].index = to
			if from == i {
				events[to] = first
				break
			}
			events[to] = events[from]
			to = from
		}
	}
	return scratch
}

// merger brings runs of events, each of which is in order, into one order.
// There are as many runs as shards: too few for more than a linear search.
type merger struct {
	runs [][]flow.Event
	next [maxWorkers]int
	buf  []flow.Event
}

// reset begins with new runs.
func (m *merger) reset(runs [][]flow.Event) {
	m.runs = runs
	clear(m.next[:])
}

// take returns the next events, at most n and none at the end. They are valid
// until the call after.
func (m *merger) take(n int) []flow.Event {
	if len(m.runs) == 1 {
		from := m.next[0]
		m.next[0] = min(from+n, len(m.runs[0]))
		return m.runs[0][from:m.next[0]]
	}
	clear(m.buf) // drops the messages
	m.buf = m.buf[:0]
	for len(m.buf) < n {
		best := -1
		for i, run := range m.runs {
			if m.next[i] < len(run) && (best < 0 || flow.Compare(&run[m.next[i]], &m.runs[best][m.next[best]]) < 0) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		m.buf = append(m.buf, m.runs[best][m.next[best]])
		m.next[best]++
	}
	return m.buf
}
