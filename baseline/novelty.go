package baseline

import (
	"cmp"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Constants of the novelty model. DETECTION in docs/ tells how they were measured.
const (
	// noveltyPrior is the pseudo-count of once-seen keys: with nothing seen
	// only once, a device still meets something new 0.3 times per (m+1) days.
	noveltyPrior = 0.3
	// noveltyWindow is how many active days count.
	noveltyWindow = 60
	// MinDays is how many active days a device must have behind it before a
	// novelty can mean anything: until then every key is new.
	MinDays = 2
)

// NewKeyP is the probability that a device meets at least one new key on a
// day, given that q1 of its keys were seen on exactly one of its m active
// days: the incidence form of the Good-Turing estimate (Good 1953; Chao and
// Jost 2012). The result is in (0, 1].
func NewKeyP(q1, m int) float64 {
	lambda := (float64(q1) + noveltyPrior) / float64(m+1)
	return -math.Expm1(-lambda)
}

// NewKeysP is the probability of c or more new keys on one day: the upper tail
// of a negative binomial whose rate has a Gamma(q1+1/2, m) posterior. For
// c = 1 it is NewKeyP.
func NewKeysP(c, q1, m int) float64 {
	if c <= 1 {
		return NewKeyP(q1, m)
	}
	return mathext.RegIncBeta(float64(c), float64(q1)+0.5, 1/float64(m+1))
}

// Scope says which side of the gateway a conversation reaches.
type Scope uint8

// Scopes of a Service.
const (
	LAN        Scope = iota + 1 // from the device to a device of the local network
	WAN                         // from the device to the internet
	InboundLAN                  // the device serves the local network
	InboundWAN                  // the device serves the internet
	Lookup                      // a name that the device asked for, whether or not it connects
)

// Service is what a device uses or offers: a server port in a scope.
type Service struct {
	Scope Scope  `json:"s"`
	Proto uint8  `json:"p"` // IP protocol number
	Port  uint16 `json:"o"` // server port; DynamicPort for all ephemeral ones
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

// Destination is one party behind a service: a registered domain, a network
// ("203.0.113.0/24") or, on the local network, a device id.
type Destination struct {
	Service
	Entity string `json:"e"`
}

func compareDestinations(a, b Destination) int {
	return cmp.Or(compareServices(a.Service, b.Service), cmp.Compare(a.Entity, b.Entity))
}

// Seen is the memory of one key.
type Seen struct {
	First uint16 `json:"f"`           // active day on which it was first seen
	Last  uint16 `json:"l"`           // active day on which it was last seen
	Days  uint8  `json:"n"`           // distinct active days, saturating at Established
	Alias bool   `json:"a,omitempty"` // a second name of a known key: never a once-seen key
	// Flagged keys raised an alert. They are remembered, so that the alert
	// goes on counting, and are not part of what is normal.
	Flagged bool `json:"x,omitempty"`
}

// Established is the number of distinct days after which a key is no longer
// provisional.
const Established = 3

// Keys remembers which keys of one kind a device has met.
type Keys[K comparable] struct{ Memory[K, Seen] }

func newKeys[K comparable](capacity int, compare func(a, b K) int) Keys[K] {
	return Keys[K]{newMemory(capacity, func(s Seen) uint16 { return s.Last }, compare)}
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
func (k *Keys[K]) Add(key K, day uint16) {
	k.Put(key, Seen{First: day, Last: day, Days: 1})
}

// Flag marks a key as having raised an alert.
func (k *Keys[K]) Flag(key K) {
	if s, ok := k.Get(key); ok {
		s.Flagged = true
		k.Put(key, s)
	}
}

// Once counts the keys chosen by in that were seen on exactly one day before
// today and within the window, and those that are new today.
func (k *Keys[K]) Once(today uint16, in func(K) bool) (q1, fresh int) {
	for key, s := range k.All {
		if s.Alias || s.Flagged || !in(key) {
			continue
		}
		switch {
		case s.First == today:
			fresh++
		case s.Days == 1 && int(today)-int(s.Last) <= noveltyWindow:
			q1++
		}
	}
	return q1, fresh
}
