package baseline

import (
	"cmp"
	"encoding/json"
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
	Lookup                      // a kind of record that the device asks for
)

// Service is what a device uses or offers: a server port in a scope.
type Service struct {
	Scope Scope  `json:"s"`
	Proto uint8  `json:"p,omitempty"` // IP protocol number
	Port  uint16 `json:"o,omitempty"` // server port, DynamicPort for all ephemeral ones; type of record for a Lookup
}

func compareServices(a, b Service) int {
	return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
}

// DynamicPort stands for every port from 32768 up, where Linux, and from 49152
// where RFC 6335, hand out ports by chance: one such port says nothing more
// than another.
const DynamicPort = 32768

// NewServiceKey is the Service for a server port, with dynamic ports as one.
func NewServiceKey(scope Scope, proto uint8, port uint16) Service {
	return Service{Scope: scope, Proto: proto, Port: min(port, DynamicPort)}
}

// Entity is one party: a registered domain, a network ("203.0.113.0/24") or a
// device id, as a hash. Names are not kept: what a household visits is not
// ours to write down.
type Entity uint64

// EntityOf is the entity with a name.
func EntityOf(name string) Entity { return Entity(hashString(name)) }

// Destination is one party behind a service.
type Destination struct {
	Service
	Entity Entity `json:"e"`
}

func compareDestinations(a, b Destination) int {
	return cmp.Or(compareServices(a.Service, b.Service), cmp.Compare(a.Entity, b.Entity))
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
	return Keys[K]{Memory: newMemory(capacity, func(s Seen) uint16 { return s.Last }, compare)}
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
		k.lost = k.lostBy(s.First) + 1
		k.lostDay = s.First
	}
}

func (k *Keys[K]) lostBy(day uint16) float64 {
	return k.lost * math.Exp(-float64(day-k.lostDay)/noveltyWindow)
}

// Flag marks a key as having raised an alert.
func (k *Keys[K]) Flag(key K) {
	if s, ok := k.Get(key); ok {
		s.Flagged = true
		k.Put(key, s)
	}
}

// Once counts the keys chosen by in that were seen on exactly one day before
// today and within the window, those forgotten included in proportion, and
// those that are new today.
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
