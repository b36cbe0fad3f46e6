package baseline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
)

// Scope says which side of the gateway a conversation reaches.
type Scope uint8

// Scopes of a Service.
const (
	LAN        Scope = iota + 1 // from the device to a device of the local network
	WAN                         // from the device to the internet
	InboundLAN                  // the device serves the local network
	InboundWAN                  // the device serves the internet
)

// Service is what a device uses or offers: a server port in a scope.
type Service struct {
	Scope Scope  `json:"s"`
	Proto uint8  `json:"p,omitempty"` // IP protocol number
	Port  uint16 `json:"o,omitempty"` // server port, DynamicPort for all ephemeral ones
}

func compareServices(a, b Service) int {
	return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
}

// DynamicPort stands for itself and every port above: Linux hands out ports by
// chance from 32768 up, others from 49152 (RFC 6335 section 6), so one of them
// says no more than another.
const DynamicPort = 32768

// NewServiceKey is the Service for a server port, with dynamic ports as one.
func NewServiceKey(scope Scope, proto uint8, port uint16) Service {
	return Service{Scope: scope, Proto: proto, Port: min(port, DynamicPort)}
}

// Destination is one party behind a service.
type Destination struct {
	Service
	Entity Entity `json:"e"`
}

// compareDestinations looks at the entity first: hashes of two differ at once.
func compareDestinations(a, b Destination) int {
	if c := cmp.Compare(a.Entity, b.Entity); c != 0 {
		return c
	}
	return compareServices(a.Service, b.Service)
}

// Seen is the memory of one key.
type Seen struct {
	First uint16 `json:"f"` // active day on which it was first seen
	Last  uint16 `json:"l"` // active day on which it was last seen
	Days  uint8  `json:"n"` // distinct active days, saturating at Established
	// Alias keys are a second name of a known one and never count as new.
	Alias bool `json:"a,omitempty"`
	// Flagged keys raised an alert. They are remembered, so that the alert
	// goes on counting, and are not part of what is normal.
	Flagged bool `json:"x,omitempty"`
}

// Established is the number of distinct days after which a key is no longer
// provisional.
const Established = 3

// maxLost bounds the correction for forgotten keys. A device that loses so many
// meets new ones all day, and no novelty of its means anything for months.
const maxLost = 1 << 16

func (s Seen) once() bool { return s.Days == 1 && !s.Alias && !s.Flagged }

// Keys remembers which keys of one kind a device has met.
type Keys[K comparable] struct {
	Memory[K, Seen]
	// lost is how many keys seen on only one day were forgotten for want of
	// room, decaying with the window; they still count in Once.
	lost    float64
	lostDay uint16
}

func newKeys[K comparable](capacity int, compare func(a, b K) int) Keys[K] {
	return Keys[K]{Memory: newMemory(capacity, func(s Seen) uint16 { return s.Last }, compare, nil)}
}

// Touch marks a known key as seen on a day and reports whether it was known.
func (k *Keys[K]) Touch(key K, day uint16) bool {
	s, ok := k.Get(key)
	if ok && s.Last != day {
		s.Last = day
		s.Days = min(s.Days+1, Established)
		k.Put(key, s)
	}
	return ok
}

// Add remembers a key as first seen on a day.
func (k *Keys[K]) Add(key K, day uint16) { k.add(key, Seen{First: day, Last: day, Days: 1}) }

// AddAlias remembers another name of a known key.
func (k *Keys[K]) AddAlias(key K, day uint16) {
	k.add(key, Seen{First: day, Last: day, Days: 1, Alias: true})
}

func (k *Keys[K]) add(key K, s Seen) {
	if old, full := k.Put(key, s); full && old.once() {
		k.lost = min(maxLost, k.lostBy(s.First)+1)
		k.lostDay = s.First
	}
}

func (k *Keys[K]) lostBy(day uint16) float64 {
	return k.lost * math.Exp(-float64(int(day)-int(k.lostDay))/noveltyWindow)
}

// Flag marks a key as having raised an alert on a day, or as having been
// counted on one. A key that was met during an incident, and therefore not
// learned, is remembered from now on: else it would become normal as soon as
// the incident is over.
func (k *Keys[K]) Flag(key K, day uint16) {
	s, ok := k.Get(key)
	if !ok {
		// A scan has thousands of targets: they must not push out what is
		// known to be normal.
		if k.flagged(day) < max(1, k.cap/maxFlagged) {
			k.add(key, Seen{First: day, Last: day, Days: 1, Flagged: true})
		}
		return
	}
	s.Flagged = true
	k.Put(key, s)
}

// maxFlagged is the share of a memory, one in so many, that keys first met
// during incidents of one day may take.
const maxFlagged = 8

// flagged counts the flagged keys first seen on a day.
func (k *Keys[K]) flagged(day uint16) (n int) {
	for _, s := range k.All {
		if s.Flagged && s.First == day {
			n++
		}
	}
	return n
}

// Crowd reports whether a key is new today and one of so many that raised
// alerts today that they are one thing, and no longer one thing each.
func (k *Keys[K]) Crowd(key K, today uint16) bool {
	if s, ok := k.Get(key); ok && s.First != today {
		return false
	}
	return k.flagged(today) >= crowd
}

// crowd is a handful: what a person still reads one by one.
const crowd = 5

// Fresh counts the keys first seen today, flagged ones included.
func (k *Keys[K]) Fresh(today uint16) (n int) {
	for _, s := range k.All {
		if s.First == today && !s.Alias {
			n++
		}
	}
	return n
}

// Once counts the keys chosen by in: q1 are those that were seen on exactly one
// day, before today and within the window, with those forgotten included in
// proportion; fresh are those that are new today.
func (k *Keys[K]) Once(today uint16, in func(K) bool) (q1, fresh int) {
	all := 0
	for key, s := range k.All {
		switch {
		case s.Alias || s.Flagged:
		case s.First == today:
			if in(key) {
				fresh++
			}
		case s.once() && int(today)-int(s.Last) <= noveltyWindow:
			all++
			if in(key) {
				q1++
			}
		}
	}
	if lost := k.lostBy(today); lost >= 1 {
		q1 += int(lost * float64(q1+1) / float64(all+1))
	}
	return q1, fresh
}

type keysState[K comparable] struct {
	Keys    *Memory[K, Seen] `json:"keys"`
	Lost    float64          `json:"lost,omitempty"`
	LostDay uint16           `json:"lost_day,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (k Keys[K]) MarshalJSON() ([]byte, error) {
	return json.Marshal(keysState[K]{&k.Memory, k.lost, k.lostDay})
}

// UnmarshalJSON implements json.Unmarshaler.
func (k *Keys[K]) UnmarshalJSON(b []byte) error {
	s := keysState[K]{Keys: &k.Memory}
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	k.lost, k.lostDay = s.Lost, s.LostDay
	return nil
}

// validate checks what was read back against what a run can have written up to
// the active day today.
func (k *Keys[K]) validate(today uint16) error {
	for key, s := range k.All {
		if s.First > s.Last || s.Last > today || s.Days < 1 || s.Days > Established {
			return fmt.Errorf("key %v seen from day %d to %d on %d days, today is day %d", key, s.First, s.Last, s.Days, today)
		}
	}
	if !(k.lost >= 0 && k.lost <= maxLost) || k.lostDay > today {
		return fmt.Errorf("%g keys forgotten by day %d, today is day %d", k.lost, k.lostDay, today)
	}
	return nil
}
