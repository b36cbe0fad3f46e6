package pipeline

import (
	"slices"
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
	// maxLonely is how far ahead a packet may be that no other follows to
	// confirm it, because the input ends or nothing more has arrived yet.
	maxLonely = int64(24 * time.Hour)
	// witnesses is how many of the following packets are asked about a jump.
	witnesses = 8
	// insistence is how many packets without witnesses must agree on a time
	// before they are believed.
	insistence = 4
)

// Clock turns recorded timestamps into a time that never goes back. A packet
// that claims to be from 1970 or 2106 among others that do not gets the time
// of its neighbours; a clock that was really set back goes on where it was.
type Clock struct {
	now      int64
	offset   int64 // added to recorded times since the clock was last set back
	started  bool
	claimed  int64  // time of the latest packet that was not believed for want of witnesses
	claims   int    // such packets in a row that agree
	Repaired uint64 // packets whose time was replaced
	Steps    uint64 // times that the recording clock was set
}

// Now is the time of the latest packet in nanoseconds since the Unix epoch.
func (c *Clock) Now() int64 { return c.now }

// Stamp appends the times of packets to dst.
func (c *Clock) Stamp(dst []int64, packets []capture.Packet) []int64 {
	dst = slices.Grow(dst, len(packets))
	for i := range packets {
		if t := packets[i].Time + c.offset; c.started && t >= c.now && t-c.now <= maxSilence {
			c.now = t // as nearly always
		} else {
			c.stamp(packets[i:])
		}
		dst = append(dst, c.now)
	}
	return dst
}

// Idle moves the clock on to a time before which nothing was left to read from
// a live source. It is believed like a packet that claims that time, so that a
// system clock that was set does not end every flow; it is not counted as one.
func (c *Clock) Idle(now int64) {
	repaired := c.Repaired
	c.stamp([]capture.Packet{{Time: now}})
	c.Repaired = repaired
}

// Past converts a time that a source tells of the past as Stamp does, but moves
// nothing: what has happened did so before the present.
func (c *Clock) Past(t int64) int64 { return min(t+c.offset, c.now) }

// stamp moves the clock on to the first of some packets.
func (c *Clock) stamp(ps []capture.Packet) {
	if !c.started {
		c.started = true
		c.now = first(ps)
	}
	t := ps[0].Time + c.offset
	if c.claims >= insistence {
		c.claims = 0
	}
	switch {
	case t >= c.now && t-c.now <= maxSilence:
		c.now = t
	case t < c.now && c.now-t <= maxDisorder:
		// Disorder: the order in which packets were recorded stands.
	case !c.confirmed(t, ps[1:]):
		c.Repaired++
	case t > c.now:
		c.now = t
	default:
		c.Steps++
		c.offset += c.now - t
	}
}

// confirmed reports whether more of the following packets are nearer to t than
// to the present time.
func (c *Clock) confirmed(t int64, following []capture.Packet) bool {
	following = following[:min(len(following), witnesses)]
	if len(following) == 0 {
		if t > c.now && t-c.now <= maxLonely {
			return true
		}
		if c.claims == 0 || distance(t, c.claimed) > uint64(maxSilence) {
			c.claims = 0
		}
		c.claimed = t
		c.claims++
		return c.claims >= insistence
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
// unless it stands alone and most of those behind it agree on another.
func first(ps []capture.Packet) int64 {
	ps = ps[:min(len(ps), 1+witnesses)]
	best, most := ps[0].Time, 1
	for i := range ps {
		n := 0
		for j := range ps {
			if distance(ps[i].Time, ps[j].Time) <= uint64(maxLonely) {
				n++
			}
		}
		if i == 0 && n > 1 {
			return best
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
