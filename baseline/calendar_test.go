package baseline

import (
	"testing"
	"time"
)

const (
	hour = int64(time.Hour)
	// noon is a packet time: 2026-01-05 12:00 UTC.
	noon = int64(1_767_614_400) * int64(time.Second)
)

func TestCalendar(t *testing.T) {
	type step struct {
		at  int64 // since noon
		new bool
		day uint16
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"always on", []step{{0, false, 0}, {23 * hour, false, 0}, {24*hour - 1, false, 0}, {24 * hour, true, 1}, {48 * hour, true, 2}}},
		// The day begins with activity, so one evening a week is a day a week.
		{"once a week", []step{{0, false, 0}, {2 * hour, false, 0}, {168 * hour, true, 1}, {170 * hour, false, 1}, {336 * hour, true, 2}}},
		{"one after a pause, not thirty", []step{{0, false, 0}, {30 * 24 * hour, true, 1}, {30*24*hour + 1, false, 1}}},
		{"late events", []step{{0, false, 0}, {25 * hour, true, 1}, {3 * hour, false, 1}, {24 * hour, false, 1}, {49 * hour, true, 2}}},
		// A gateway that starts without a clock, for an hour.
		{"back to 1970 and forward", []step{
			{0, false, 0},
			{25 * hour, true, 1},
			{-noon, false, 1},
			{-noon + hour, false, 1},
			{26 * hour, false, 1},
			{49 * hour, true, 2},
		}},
		// A clock that was far ahead: believed until the one behind it has
		// gone on for a day.
		{"forward to 2100 and back", []step{
			{0, false, 0},
			{74 * 8766 * hour, true, 1},
			{2 * hour, false, 1},
			{20 * hour, false, 1},
			{25 * hour, false, 1},
			{26 * hour, true, 2},
			{27 * hour, false, 2},
			{50 * hour, true, 3},
		}},
		// Each time the clock goes back further the day begins anew.
		{"back, and back again", []step{
			{1000 * hour, true, 1},
			{500 * hour, false, 1},
			{100 * hour, false, 1},
			{123 * hour, false, 1},
			{124 * hour, true, 2},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewModel(noon).Calendar
			for _, s := range tt.steps {
				c.Hours |= 1<<activeHours - 1 // each of these days was a busy one
				if got := c.Advance(noon + s.at); got != s.new || c.Day != s.day {
					t.Errorf("%s after noon: new day %v, day %d; want %v, %d", time.Duration(s.at), got, c.Day, s.new, s.day)
				}
			}
			if err := c.validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCalendarFirst: detectors measure how long a device has been known from
// First, so it must not be what an unset clock said.
func TestCalendarFirst(t *testing.T) {
	c := NewModel(60 * int64(time.Second)).Calendar // 1970-01-01 00:01
	c.Hours = 1<<activeHours - 1
	c.Advance(noon)
	if c.First != noon || c.Day != 1 {
		t.Errorf("first seen in 1970: first %d, day %d; want %d, 1", c.First, c.Day, noon)
	}
	c.Advance(noon + 2*clockSet)
	if c.First != noon {
		t.Errorf("two years in a drawer made the device new: first %d, want %d", c.First, noon)
	}

	c = NewModel(noon + 80*clockSet).Calendar // in 2106
	c.Advance(noon)
	c.Advance(noon + 25*hour)
	if c.First != noon || c.Latest != noon+25*hour {
		t.Errorf("first seen in 2106: first %d, latest %d; want %d, %d", c.First, c.Latest, noon, noon+25*hour)
	}
}

// A day with activity in fewer than three different hours does not count, and
// the next one begins with the next activity.
func TestCalendarThinDays(t *testing.T) {
	c := NewModel(noon).Calendar
	for _, s := range []struct {
		at  int64
		new bool
		day uint16
	}{
		{hour / 2, false, 0},
		{24 * hour, false, 0}, // one hour in 24: not a day
		{25 * hour, false, 0},
		{25*hour + hour/2, false, 0},
		{26 * hour, false, 0},
		{48 * hour, true, 1}, // three: a day
		{50 * hour, false, 1},
		{90 * hour, false, 1}, // two
	} {
		if got := c.Advance(noon + s.at); got != s.new || c.Day != s.day {
			t.Errorf("%s after noon: new day %v, day %d; want %v, %d", time.Duration(s.at), got, c.Day, s.new, s.day)
		}
	}
}

func TestCalendarDays(t *testing.T) {
	c := Calendar{Day: 3}
	if got := c.Days(); got != 3 {
		t.Errorf("Days = %d, want 3", got)
	}
	c.Day = 1000
	if got := c.Days(); got != 60 {
		t.Errorf("Days = %d, want the window of 60", got)
	}
	c.Day = ^uint16(0)
	if c.Advance(48 * hour); c.Day != ^uint16(0) {
		t.Errorf("day %d after the last one that fits", c.Day)
	}
}
