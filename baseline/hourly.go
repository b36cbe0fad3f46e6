package baseline

import (
	"encoding/json"
	"time"
)

// maxDistinct bounds the distinct items remembered within one hour. An hour
// beyond it is as surprising as one at it.
const maxDistinct = 2048

// maxIdleHours bounds how many empty hours are trained on at once: a device
// that was off for a month was not quiet for a month.
const maxIdleHours = 24

// Hourly counts distinct items per hour of packet time and models the counts
// with a Tail.
type Hourly struct {
	Tail  Tail
	start int64 // ns: start of the current hour
	items map[uint64]struct{}
	spoil bool // an incident was open during the hour: do not learn from it
}

func newHourly(t int64, floor float64) Hourly {
	return Hourly{Tail: Tail{Floor: floor}, start: t, items: make(map[uint64]struct{})}
}

// Observe notes an item at a time and returns how many distinct ones this
// hour has seen, and whether the item is one that it had not.
func (h *Hourly) Observe(t int64, item string) (n int, fresh bool) {
	h.Advance(t)
	if len(h.items) >= maxDistinct {
		return len(h.items), false
	}
	before := len(h.items)
	h.items[hashString(item)] = struct{}{}
	return len(h.items), len(h.items) > before
}

// Advance ends the hours that are over at t and learns from them.
func (h *Hourly) Advance(t int64) {
	const hour = int64(time.Hour)
	if t-h.start < hour {
		return
	}
	if !h.spoil {
		h.Tail.Train(float64(len(h.items)))
	}
	passed := (t - h.start) / hour
	for range min(passed-1, maxIdleHours) {
		h.Tail.Train(0)
	}
	h.start += passed * hour
	h.spoil = false
	clear(h.items)
}

// Start is the beginning of the current hour in nanoseconds since the epoch.
func (h *Hourly) Start() int64 { return h.start }

// Spoil keeps the current hour from being learned.
func (h *Hourly) Spoil() { h.spoil = true }

// P is the p-value of the current hour for a whole day with the given number
// of looks (hours times features) at it.
func (h *Hourly) P(looks int) float64 {
	return min(1, float64(looks)*h.Tail.P(float64(len(h.items))))
}

// hashString is FNV-1a: the same on every machine and in every run.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

type hourlyState struct {
	Tail  Tail  `json:"tail"`
	Start int64 `json:"start"`
}

// MarshalJSON leaves the items of the running hour out: they are names that a
// household looked up, and they matter for less than an hour.
func (h Hourly) MarshalJSON() ([]byte, error) {
	return json.Marshal(hourlyState{h.Tail, h.start})
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Hourly) UnmarshalJSON(b []byte) error {
	var s hourlyState
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*h = Hourly{Tail: s.Tail, start: s.Start, items: make(map[uint64]struct{})}
	return nil
}
