package pipeline

import (
	"time"

	"gatehouse/capture"
	"gatehouse/ebpf"
	"gatehouse/flow"
)

// Losses names everything that was on the wire and is not in the flows, or
// not in full. Nothing is lost without a name.
type Losses struct {
	// Frames that reached the sensor: from files all that they hold, from live
	// interfaces all that passed the filter.
	Seen uint64

	RingFull uint64 // dropped by the kernel because they were not read in time
	Overflow uint64 // counted by the kernel, to flows for which its table had no room
	Race     uint64 // counted by the kernel, to flows that it forgot in the same moment
	Damaged  uint64 // lost in blocks of a ring that made no sense
	Unread   uint64 // left in a ring when it was closed
	Refused  uint64 // looked readable, and no decoder could read them
	Excluded uint64 // left out as told; not counted as seen

	// Packets whose content was worth reading, where the kernel counts flows,
	// by ebpf.Class: what of it was not read is in the flows, but not in full.
	Heads [capture.HeadClasses]capture.HeadStats

	FlowsEvicted     uint64 // flows ended early for want of room
	DatagramsDropped uint64 // fragmented datagrams given up
	StreamGaps       uint64 // directions of connections with bytes missing: not parsed further
	StreamsDropped   uint64 // connections not parsed further for want of room

	Outages uint64        // times that an interface went down or away
	Outage  time.Duration // how long that was in all
}

// lossesOf puts the accounts of the source and of the flow tables together.
func lossesOf(st *flow.Stats, interfaces []capture.LiveStats) Losses {
	l := Losses{
		Seen: st.Packets, Refused: st.Malformed(),
		FlowsEvicted: st.Evicted, DatagramsDropped: st.DatagramsDropped,
		StreamGaps: st.StreamGaps, StreamsDropped: st.StreamsDropped,
	}
	var kernelRefused uint64 // flow tables do not know of them
	for i := range interfaces {
		s := &interfaces[i]
		l.RingFull += s.RingFull
		l.Damaged += s.Malformed
		l.Unread += s.Unread
		l.Overflow += s.Overflow
		l.Race += s.Race
		l.Refused += s.Refused
		l.Excluded += s.Excluded
		kernelRefused += s.Refused
		for c := range s.Heads {
			l.Heads[c].Add(s.Heads[c])
		}
		l.Outages += s.Outages
		l.Outage += s.Outage
	}
	l.Seen += l.Dropped() + kernelRefused
	return l
}

// Dropped is the number of frames that never reached a decoder.
func (l *Losses) Dropped() uint64 { return l.RingFull + l.Damaged + l.Unread + l.Overflow + l.Race }

// Head sums up the packets whose content was worth reading, of all classes but
// that of frames which nobody can read anyway.
func (l *Losses) Head() (sum capture.HeadStats) {
	for c, h := range l.Heads {
		if ebpf.Class(c) != ebpf.ClassLinkOther {
			sum.Add(h)
		}
	}
	return sum
}

// Visibility is the share of the frames that ended up in flows, from 0 to 1,
// times the share of the contents worth reading that were read.
func (l *Losses) Visibility() float64 {
	if l.Seen == 0 {
		return 1
	}
	frames := float64(l.Seen-l.Dropped()-l.Refused) / float64(l.Seen)
	h := l.Head()
	return frames * share(float64(h.Sent), float64(h.Lost()))
}

// share is what part of all was seen, 1 if nothing was lost.
func share(seen, lost float64) float64 {
	if lost == 0 {
		return 1
	}
	return seen / (seen + lost)
}
