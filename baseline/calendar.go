package baseline

import (
	"fmt"
	"math/bits"
	"time"
)

const (
	activeDay = int64(24 * time.Hour)
	// clockSet is a gap after which the first day of a device is thought to
	// have been dated by a clock that was not set yet: a gateway without a
	// battery starts up in 1970, or at the date of its firmware.
	clockSet = 365 * activeDay
	// activeHours is in how many different hours of a day a device must have
	// been active for the day to count: a few minutes of a game, or of a lone
	// capture, tell nothing about what a day of the device is like.
	activeHours = 3
)

// Calendar counts active days: 24 hours that begin with the first activity
// after the previous day's end, and that saw activity in at least three
// different hours. A device that is switched on for one evening
// a week grows one day older a week.
type Calendar struct {
	First  int64  `json:"first"`  // ns since the Unix epoch: first activity
	Start  int64  `json:"start"`  // ns: start of the current active day
	Latest int64  `json:"latest"` // ns: latest activity
	Day    uint16 `json:"day"`    // ordinal of the current active day, from 0, saturating
	// Behind is when activity began on a clock that is a day or more behind
	// Latest, in ns; 0 if it is not.
	Behind int64 `json:"behind,omitempty"`
	// Hours is a set of the hours since Start in which there was activity.
	Hours uint32 `json:"hours,omitempty"`
}

// Advance notes activity at t (ns since the Unix epoch) and reports whether a
// day that counts is over. A time before the latest one counts as the latest one: a
// clock that jumps back makes no day. Only when it has stayed behind for a
// whole day is it believed: then it was the earlier clock that was wrong.
func (c *Calendar) Advance(t int64) bool {
	if t < c.Latest {
		return c.behind(t)
	}
	gap := t - c.Latest
	c.Latest, c.Behind = t, 0
	if t-c.Start < activeDay {
		c.Hours |= 1 << uint((t-c.Start)/int64(time.Hour))
		return false
	}
	if c.Day == 0 && gap > clockSet {
		c.First = t
	}
	return c.begin(t)
}

func (c *Calendar) behind(t int64) bool {
	switch {
	case c.Latest-t < activeDay:
		return false // events are not all in the order of their packets
	case c.Behind == 0 || t < c.Behind:
		c.Behind = t
		return false
	case t-c.Behind < activeDay:
		return false
	}
	c.First, c.Latest, c.Behind = min(c.First, c.Behind), t, 0
	return c.begin(t)
}

// begin starts a day at t and reports whether the one before it counted.
func (c *Calendar) begin(t int64) bool {
	counted := bits.OnesCount32(c.Hours) >= activeHours
	c.Start, c.Hours = t, 1
	if counted && c.Day < ^uint16(0) {
		c.Day++
	}
	return counted
}

// Days is the number of complete active days within the window of the models,
// at most 60.
func (c *Calendar) Days() int { return min(int(c.Day), noveltyWindow) }

// validate keeps the differences of times from overflowing.
func (c *Calendar) validate() error {
	if c.First < 0 || c.Start < 0 || c.Latest < c.Start || c.Behind < 0 {
		return fmt.Errorf("calendar out of order: first %d, start %d, latest %d, behind %d", c.First, c.Start, c.Latest, c.Behind)
	}
	return nil
}
