package pipeline

import (
	"time"

	"gatehouse/capture"
)

const (
	// maxDisorder is how far a packet may be behind the one before it without
	// meaning anything: capture queues of several processors are merged with
	// less than that.
	maxDisorder = int64(time.Second)
	// maxSilence is how far ahead a packet may be without a second look.
	maxSilence = int64(time.Hour)
	// maxLonely is how far ahead the last packet of an input may be: nothing
	// follows that could confirm it.
	maxLonely = int64(24 * time.Hour)
	// witnesses is how many of the following packets are asked about a jump.
	witnesses = 8
)

// Clock turns recorded timestamps into a time that never goes back. A packet
// that claims to be from 1970 or 2106 among others that do not gets the time
// of its neighbours; a clock that was really set back goes on where it was.
type Clock struct {
	now      int64
	offset   int64 // added to recorded times since the clock was last set back
	started  bool
	Repaired uint64 // packets whose time was replaced
	Steps    uint64 // times that the recording clock was set
}

// Now is the time of the latest packet in nanoseconds since the Unix epoch.
func (c *Clock) Now() int64 { return c.now }

// Stamp appends the times of packets to dst. last says that no packets follow.
func (c *Clock) Stamp(dst []int64, packets []capture.Packet, last bool) []int64 {
	for i := range packets {
		dst = append(dst, c.stamp(packets[i:], last))
	}
	return dst
}

func (c *Clock) stamp(ps []capture.Packet, last bool) int64 {
	if !c.started {
		c.started = true
		c.now = first(ps)
	}
	t := ps[0].Time + c.offset
	switch {
	case t >= c.now && t-c.now <= maxSilence:
		c.now = t
	case t < c.now && c.now-t <= maxDisorder:
		// Disorder: the order in which packets were recorded stands.
	case !c.confirmed(t, ps[1:], last):
		c.Repaired++
	case t > c.now:
		c.now = t
	default:
		c.Steps++
		c.offset += c.now - t
	}
	return c.now
}

// confirmed reports whether more of the following packets are nearer to t than
// to the present time.
func (c *Clock) confirmed(t int64, following []capture.Packet, last bool) bool {
	following = following[:min(len(following), witnesses)]
	if len(following) == 0 {
		return t > c.now && (!last || t-c.now <= maxLonely)
	}
	votes := 0
	for i := range following {
		u := following[i].Time + c.offset
		if distance(u, t) < distance(u, c.now) {
			votes++
		} else {
			votes--
		}
	}
	return votes > 0
}

// first chooses the time at which an input begins: that of the first packet,
// unless most of those behind it are far from it and agree with each other.
func first(ps []capture.Packet) int64 {
	ps = ps[:min(len(ps), 1+witnesses)]
	best, most := ps[0].Time, 0
	for i := range ps {
		n := 0
		for j := range ps {
			if distance(ps[i].Time, ps[j].Time) <= maxLonely {
				n++
			}
		}
		if n > most {
			best, most = ps[i].Time, n
		}
	}
	return best
}

func distance(a, b int64) uint64 {
	if a > b {
		return uint64(a) - uint64(b)
	}
	return uint64(b) - uint64(a)
}
