package baseline

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const (
	// maxDistinct bounds the distinct items remembered within one hour. An hour
	// beyond it is as surprising as one at it.
	maxDistinct = 448
	// keptItems is the size up to which the memory of an hour is used again for
	// the next. A burst must not hold its memory for good.
	keptItems = 64
	// maxIdleHours bounds how many empty hours are trained on at once: a device
	// that was off for a month was not quiet for a month.
	maxIdleHours = 24
	// settle is how long a high hour waits before it is learned. A burst seldom
	// keeps to the hour, and its first part would make the second unsurprising.
	// 6 h is also how long alerts are one incident.
	settle = 6
)

// Hourly counts distinct items per hour of packet time and models the counts
// with a Tail.
type Hourly struct {
	Tail  Tail
	start int64    // ns: start of the current hour
	items []uint64 // hashes of the distinct items, in order
	spoil bool     // an incident was open during the hour: do not learn from it
	high  []highHour
}

// highHour is an hour above the threshold that waits to be learned.
type highHour struct {
	Start int64 `json:"s"` // ns since the Unix epoch
	Count int   `json:"n"`
}

func newHourly(t int64, floor float64) Hourly {
	return Hourly{Tail: Tail{Floor: floor}, start: t}
}

// Observe notes an item at t (ns since the Unix epoch) and returns how many
// distinct ones this hour has seen, and whether the item is one that it had
// not.
func (h *Hourly) Observe(t int64, item Entity) (n int, fresh bool) {
	h.Advance(t)
	hash := uint64(item)
	i, known := slices.BinarySearch(h.items, hash)
	if known || len(h.items) >= maxDistinct {
		return len(h.items), false
	}
	h.items = slices.Insert(h.items, i, hash)
	return len(h.items), true
}

// Advance ends the hours that are over at t and learns from them. When the
// clock was set back the hour begins anew, or it would last until the clock is
// where it was.
func (h *Hourly) Advance(t int64) {
	const hour = int64(time.Hour)
	switch since := t - h.start; {
	case since < -hour:
		h.high = nil
		h.begin(t)
	case since >= hour:
		h.learn()
		passed := since / hour
		for range min(passed-1, maxIdleHours) {
			h.Tail.Train(0)
		}
		h.begin(h.start + passed*hour)
		for len(h.high) > 0 && h.start-h.high[0].Start >= settle*hour {
			h.Tail.Train(float64(h.high[0].Count))
			h.high = h.high[1:]
		}
	}
}

// learn trains on the finished hour, unless that has to wait.
func (h *Hourly) learn() {
	n := len(h.items)
	switch {
	case h.spoil:
	case float64(n) > h.Tail.Threshold() && h.Tail.Age >= tailMinHours && len(h.high) < settle:
		h.high = append(h.high, highHour{h.start, n})
	default:
		h.Tail.Train(float64(n))
	}
}

func (h *Hourly) begin(t int64) {
	h.start, h.spoil = t, false
	h.items = h.items[:0]
	if cap(h.items) > keptItems {
		h.items = nil
	}
}

// Start is the beginning of the current hour in nanoseconds since the epoch.
func (h *Hourly) Start() int64 { return h.start }

// Spoil keeps the current hour from being learned. The current hour is that of
// the latest Observe or Advance.
// The high hours that led to it are not learned either.
func (h *Hourly) Spoil() { h.spoil, h.high = true, nil }

// P is the p-value of the current hour for a whole day with the given number
// of looks (hours times features) at it.
func (h *Hourly) P(looks int) float64 {
	return min(1, float64(looks)*h.Tail.P(float64(len(h.items))))
}

type hourlyState struct {
	Tail  Tail   `json:"tail"`
	Start int64  `json:"start"`
	Items []byte `json:"items,omitempty"` // hashes, 8 bytes each, in order
	Spoil bool   `json:"spoil,omitempty"`

	High []highHour `json:"high,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (h Hourly) MarshalJSON() ([]byte, error) {
	s := hourlyState{Tail: h.Tail, Start: h.start, Spoil: h.spoil, High: h.high}
	for _, item := range h.items {
		s.Items = binary.BigEndian.AppendUint64(s.Items, item)
	}
	return json.Marshal(s)
}

// UnmarshalJSON implements json.Unmarshaler. The floor of the tail stays.
func (h *Hourly) UnmarshalJSON(b []byte) error {
	s := hourlyState{Tail: Tail{Floor: h.Tail.Floor}}
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if len(s.Items)%8 != 0 || len(s.Items)/8 > maxDistinct {
		return fmt.Errorf("%d bytes of items in an hour, 8 each for at most %d are possible", len(s.Items), maxDistinct)
	}
	*h = Hourly{Tail: s.Tail, start: s.Start, spoil: s.Spoil, high: s.High}
	for item := range slices.Chunk(s.Items, 8) {
		h.items = append(h.items, binary.BigEndian.Uint64(item))
	}
	slices.Sort(h.items)
	h.items = slices.Compact(h.items)
	return nil
}

// validate keeps the differences of times from overflowing.
func (h *Hourly) validate() error {
	if h.start < 0 {
		return fmt.Errorf("hour began at %d, before 1970", h.start)
	}
	if len(h.high) > settle {
		return fmt.Errorf("%d high hours wait to be learned, at most %d can", len(h.high), settle)
	}
	for _, w := range h.high {
		if w.Start < 0 || w.Start > h.start || w.Count < 0 || w.Count > maxDistinct {
			return fmt.Errorf("high hour that began at %d with %d items, the running one began at %d", w.Start, w.Count, h.start)
		}
	}
	return h.Tail.validate()
}
