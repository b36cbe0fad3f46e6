package pipeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/capture"
)

const second = int64(time.Second)

// day0 is a moment in 2021 from which the times of the tables below count.
var day0 = time.Date(2021, 3, 8, 0, 0, 0, 0, time.UTC).UnixNano()

func TestClock(t *testing.T) {
	const (
		hour = 3600
		day  = 24 * hour
		year = 365 * day
	)
	from1970 := -day0 / second
	for _, tc := range []struct {
		name     string
		in, want []int64 // seconds from day0
		repaired uint64
		steps    uint64
	}{
		{name: "in order", in: []int64{0, 1, 1, 5}, want: []int64{0, 1, 1, 5}},
		{name: "silence of a week", in: []int64{0, 1, 7 * day, 7*day + 1}, want: []int64{0, 1, 7 * day, 7*day + 1}},
		{name: "slight disorder keeps the order of the file", in: []int64{0, 5, 4, 6}, want: []int64{0, 5, 5, 6}},
		{
			name: "one packet from 1970 among others",
			in:   []int64{0, 1, from1970, 2, 3, 4}, want: []int64{0, 1, 1, 2, 3, 4}, repaired: 1,
		},
		{
			name: "two from the far future among others",
			in:   []int64{0, 1, 80 * year, 80 * year, 2, 3, 4, 5, 6}, want: []int64{0, 1, 1, 1, 2, 3, 4, 5, 6}, repaired: 2,
		},
		{
			name: "the first packet is from 1970",
			in:   []int64{from1970, 0, 1, 2, 3}, want: []int64{0, 0, 1, 2, 3}, repaired: 1,
		},
		{
			name: "the last packet is from the future",
			in:   []int64{0, 1, 2, 80 * year}, want: []int64{0, 1, 2, 2}, repaired: 1,
		},
		{name: "a whole file from 1970 is a gateway without a clock", in: []int64{from1970, from1970 + 1, from1970 + 2}, want: []int64{from1970, from1970 + 1, from1970 + 2}},
		{
			name: "clock set forward by a year: time follows",
			in:   []int64{0, 1, year, year + 1, year + 2}, want: []int64{0, 1, year, year + 1, year + 2},
		},
		{
			name: "clock set back by a day: time goes on",
			in:   []int64{day, day + 1, 0, 1, 2, 3}, want: []int64{day, day + 1, day + 1, day + 2, day + 3, day + 4}, steps: 1,
		},
		{name: "two packets two hours apart", in: []int64{0, 2 * hour}, want: []int64{0, 2 * hour}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			packets := make([]capture.Packet, len(tc.in))
			for i, s := range tc.in {
				packets[i].Time = day0 + s*second
			}
			var c Clock
			got := c.Stamp(nil, packets)
			for i := range got {
				got[i] = (got[i] - day0) / second
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("times in seconds (-want +got):\n%s", diff)
			}
			if c.Repaired != tc.repaired || c.Steps != tc.steps {
				t.Errorf("repaired %d, steps %d; want %d and %d", c.Repaired, c.Steps, tc.repaired, tc.steps)
			}
		})
	}
}

// A live source may deliver packets one by one: then none has witnesses, and a
// clock that was really set must still be followed after a few packets.
func TestClockOneByOne(t *testing.T) {
	var c Clock
	year := int64(365 * 24 * time.Hour)
	stamp := func(at int64) int64 { return c.Stamp(nil, []capture.Packet{{Time: at}})[0] }
	stamp(day0)
	stamp(day0 + second)
	var got int64
	for i := range int64(insistence) {
		got = stamp(day0 + year + i*second)
	}
	if want := day0 + year + (insistence-1)*second; got != want {
		t.Errorf("after %d packets that agree the clock is at %d, want %d", insistence, got, want)
	}
	if lone := stamp(day0 + 50*year); lone != got {
		t.Errorf("a single packet from the future moved the clock from %d to %d", got, lone)
	}
}

// A live source that has no packets says what time it is: that moves the clock
// as a packet would, with the same doubt, and is not counted as one.
func TestClockIdle(t *testing.T) {
	const year = int64(365 * 24 * time.Hour)
	for _, tc := range []struct {
		name  string
		idle  []int64 // ns from day0, after a packet at 10 s
		want  int64
		steps uint64
	}{
		{"time passes", []int64{10*second + 1, 11 * second}, 11 * second, 0},
		{"a little behind the last packet", []int64{10*second - second/5}, 10 * second, 0},
		{"a laptop that slept for a night", []int64{8 * 3600 * second}, 8 * 3600 * second, 0},
		{"a single jump of a year", []int64{year}, 10 * second, 0},
		{"a clock that was set forward by a year", []int64{year, year + 1, year + 2, year + 3}, year + 3, 0},
		{"a clock that was set back by a year", []int64{-year, -year + 1, -year + 2, -year + 3, -year + 13}, 10*second + 10, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c Clock
			c.Stamp(nil, []capture.Packet{{Time: day0 + 10*second}})
			for _, at := range tc.idle {
				c.Idle(day0 + at)
			}
			if got := c.Now() - day0; got != tc.want || c.Steps != tc.steps || c.Repaired != 0 {
				t.Errorf("at %d, %d steps, %d repaired; want %d, %d and none", got, c.Steps, c.Repaired, tc.want, tc.steps)
			}
		})
	}

	var c Clock
	c.Idle(day0)
	if c.Now() != day0 {
		t.Errorf("idle from the start: at %d, want %d", c.Now(), day0)
	}
}

// Whatever the timestamps, time never goes back.
func FuzzClock(f *testing.F) {
	f.Add([]byte{0, 1, 2, 255, 3, 0, 0, 128})
	f.Fuzz(func(t *testing.T, data []byte) {
		packets := make([]capture.Packet, len(data))
		for i, b := range data {
			packets[i].Time = int64(b) << (b % 56) // from seconds to centuries apart
		}
		var c Clock
		var last int64
		for len(packets) > 0 {
			n := min(len(packets), 1+int(packets[0].Time%5))
			for i, at := range c.Stamp(nil, packets[:n]) {
				if at < last && !(last == 0) {
					t.Fatalf("packet %d: time went back from %d to %d", i, last, at)
				}
				last = at
			}
			packets = packets[n:]
		}
	})
}

// given a clock that was set back
// then times of the past are moved as those of packets are, and none is later
// than the present
func TestClockPast(t *testing.T) {
	var c Clock
	at := func(seconds ...int64) (out []capture.Packet) {
		for _, s := range seconds {
			out = append(out, capture.Packet{Time: s * int64(time.Second)})
		}
		return out
	}
	const hours = 3600
	c.Stamp(nil, at(100*hours, 100*hours))
	if got := c.Past(99 * hours * int64(time.Second)); got != 99*hours*int64(time.Second) {
		t.Errorf("an hour ago is %d", got)
	}
	if got := c.Past(101 * hours * int64(time.Second)); got != c.Now() {
		t.Errorf("the future is %d, want the present, %d", got, c.Now())
	}
	c.Stamp(nil, at(10*hours, 10*hours, 10*hours, 10*hours, 10*hours)) // set back by 90 hours
	if c.Steps != 1 {
		t.Fatalf("%d steps, want 1", c.Steps)
	}
	if got, want := c.Past(9*hours*int64(time.Second)), c.Now()-hours*int64(time.Second); got != want {
		t.Errorf("an hour ago is %d, want %d", got, want)
	}
}
