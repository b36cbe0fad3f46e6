package flow

import (
	"fmt"
	"slices"
	"strings"
)

// Stats counts what a shard did. Every frame is accounted for exactly once:
//
//	Packets = InFlows + ARP + Frames + FragmentsHeld + sum of Refused
type Stats struct {
	Packets uint64 // frames given to Shard.Packet, and those that deltas count
	Bytes   uint64 // their bytes on the wire; of deltas those of the IP datagrams
	InFlows uint64 // frames counted in a flow
	ARP     uint64 // frames that were ARP messages
	Frames  uint64 // frames that held another message without IP, such as LLDP
	Refused [numReasons]uint64
	Tunnel  uint64 // frames whose flow was found inside a tunnel

	Fragments         uint64 // frames that were IP fragments
	FragmentsHeld     uint64 // fragments of no flow: their first one never came, or has not yet
	FragmentConflicts uint64 // 8-byte blocks that arrived twice with different bytes
	Reassembled       uint64 // datagrams
	DatagramsDropped  uint64 // given up for age, lack of room or contradictions

	Heads     uint64 // packets given to Shard.Heads: deltas count them
	HeadsLost uint64 // packets worth reading that the kernel could not hand out

	Flows   uint64 // started
	Active  uint64 // in the table now
	Evicted uint64 // ended for lack of room

	// What a table under pressure did not tell of one by one; see Event.
	Unannounced         uint64 // flows that ended without any event
	MessagesUnannounced uint64 // messages in flows of which nothing else came
	Flood               Flood

	Messages        MessageCounts // parsed
	Repeats         uint64        // of these, not reported: Config.Habits
	ParseErrors     uint64        // payloads and streams that turned out not to be what they seemed
	ParserPanics    uint64        // recovered; expected to stay 0
	StreamGaps      uint64        // TCP directions given up, or taken up again later, because bytes were lost or not captured
	StreamConflicts uint64        // TCP bytes that arrived twice with different content
	StreamsDropped  uint64        // connections and UDP flows no longer parsed for lack of room
}

// MessageCounts tells how many messages of each protocol were parsed, in no
// particular order. It is asked for with every round of packets: a map took a
// hundredth of a replay.
type MessageCounts []MessageCount

// MessageCount is the number of messages of one protocol.
type MessageCount struct {
	Protocol string // wire.Message.Protocol
	N        uint64
}

func (c MessageCount) compare(o MessageCount) int { return strings.Compare(c.Protocol, o.Protocol) }

// Of returns the number of messages of a protocol.
func (c MessageCounts) Of(protocol string) uint64 {
	for i := range c {
		if c[i].Protocol == protocol {
			return c[i].N
		}
	}
	return 0
}

func (c MessageCounts) add(o MessageCounts) MessageCounts {
	if len(c) == 0 {
		return slices.Clone(o)
	}
	for _, n := range o {
		i := slices.IndexFunc(c, func(m MessageCount) bool { return m.Protocol == n.Protocol })
		if i < 0 {
			c = append(c, n)
			continue
		}
		c[i].N += n.N
	}
	return c
}

// Malformed sums the frames that were refused although they looked readable.
func (s *Stats) Malformed() uint64 {
	var sum uint64
	for r := UnknownLink; r < numReasons; r++ {
		sum += s.Refused[r]
	}
	return sum
}

// Add merges the counters of another shard.
func (s *Stats) Add(o *Stats) {
	s.Packets += o.Packets
	s.Bytes += o.Bytes
	s.InFlows += o.InFlows
	s.ARP += o.ARP
	s.Frames += o.Frames
	for i := range s.Refused {
		s.Refused[i] += o.Refused[i]
	}
	s.Tunnel += o.Tunnel
	s.Fragments += o.Fragments
	s.FragmentsHeld += o.FragmentsHeld
	s.FragmentConflicts += o.FragmentConflicts
	s.Reassembled += o.Reassembled
	s.DatagramsDropped += o.DatagramsDropped
	s.Heads += o.Heads
	s.HeadsLost += o.HeadsLost
	s.Flows += o.Flows
	s.Active += o.Active
	s.Evicted += o.Evicted
	s.Unannounced += o.Unannounced
	s.MessagesUnannounced += o.MessagesUnannounced
	s.Flood.add(&o.Flood)
	s.Messages = s.Messages.add(o.Messages)
	s.Repeats += o.Repeats
	s.ParseErrors += o.ParseErrors
	s.ParserPanics += o.ParserPanics
	s.StreamGaps += o.StreamGaps
	s.StreamConflicts += o.StreamConflicts
	s.StreamsDropped += o.StreamsDropped
}

// String is a summary on one line; counters that are zero and usually are
// stay out.
func (s Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d packets, %d bytes, %d flows", s.Packets, s.Bytes, s.Flows)
	for _, c := range slices.SortedFunc(slices.Values(s.Messages), MessageCount.compare) {
		fmt.Fprintf(&b, ", %d %s", c.N, c.Protocol)
	}
	for r, n := range s.Refused {
		if n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, Reason(r))
		}
	}
	for _, c := range []struct {
		name string
		n    uint64
	}{
		{"in tunnels", s.Tunnel},
		{"fragments", s.Fragments},
		{"fragments without flow", s.FragmentsHeld},
		{"conflicting fragments", s.FragmentConflicts},
		{"reassembled", s.Reassembled},
		{"datagrams dropped", s.DatagramsDropped},
		{"heads", s.Heads},
		{"heads lost", s.HeadsLost},
		{"flows evicted", s.Evicted},
		{"flows unannounced", s.Unannounced},
		{"messages unannounced", s.MessagesUnannounced},
		{"messages repeated", s.Repeats},
		{"parse errors", s.ParseErrors},
		{"parser panics", s.ParserPanics},
		{"stream gaps", s.StreamGaps},
		{"stream conflicts", s.StreamConflicts},
		{"streams dropped", s.StreamsDropped},
	} {
		if c.n > 0 {
			fmt.Fprintf(&b, ", %d %s", c.n, c.name)
		}
	}
	return b.String()
}
