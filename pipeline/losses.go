package pipeline

import (
	"time"

	"gatehouse/capture"
	"gatehouse/flow"
)

// Losses names everything that was on the wire and is not in the flows, or
// not in full. Nothing is lost without a name.
type Losses struct {
	// Frames that reached the sensor: from files all that they hold, from live
	// interfaces all that passed the filter.
	Seen uint64

	RingFull uint64 // dropped by the kernel because they were not read in time
	Damaged  uint64 // lost in blocks of a ring that made no sense
	Unread   uint64 // left in a ring when it was closed
	Refused  uint64 // looked readable, and no decoder could read them

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
	for i := range interfaces {
		s := &interfaces[i]
		l.RingFull += s.RingFull
		l.Damaged += s.Malformed
		l.Unread += s.Unread
		l.Outages += s.Outages
		l.Outage += s.Outage
	}
	l.Seen += l.Dropped()
	return l
}

// Dropped is the number of frames that never reached a decoder.
func (l *Losses) Dropped() uint64 { return l.RingFull + l.Damaged + l.Unread }

// Visibility is the share of the frames that ended up in flows, from 0 to 1.
func (l *Losses) Visibility() float64 {
	if l.Seen == 0 {
		return 1
	}
	return float64(l.Seen-l.Dropped()-l.Refused) / float64(l.Seen)
}
