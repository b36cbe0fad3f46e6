package baseline

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Constants of the novelty model; docs/detection.md tells how they were measured.
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

// maxCountRate is the rate of new keys a day, of all services together, up to
// which their number on one day is evidence. Beyond it a person is behind the
// device, and people have busy days: their daily counts vary far more than any
// constant rate allows.
const maxCountRate = 0.5

// NewKeyRate is how many new keys a day are expected of a device of whose keys
// q1 were seen on exactly one of its m active days: the incidence form of the
// Good-Turing estimate (Good 1953; Chao and Jost 2012).
func NewKeyRate(q1, m int) float64 {
	return (float64(q1) + noveltyPrior) / float64(m+1)
}

// NewKeysRate is NewKeyRate where this is the first new key of the day. For
// c >= 2 new keys on one day it is the rate at which so many would be as
// likely as they are: their probability is the upper tail of a negative
// binomial whose rate has a Gamma(q1+1/2, m) posterior. all is q1 of all
// services of the device in the same scope.
func NewKeysRate(c, q1, all, m int) float64 {
	rate := NewKeyRate(q1, m)
	if c <= 1 || NewKeyRate(all, m) > maxCountRate {
		return rate
	}
	return min(rate, -math.Log1p(-mathext.RegIncBeta(float64(c), float64(q1)+0.5, 1/float64(m+1))))
}

// AtLeastOne is the probability that something which happens at a rate a day,
// in circumstances that a share of the cases has, happens on a day: a thinned
// Poisson process. For a device that meets something new every hour even rare
// circumstances are no news; for one that never does, the product counts.
func AtLeastOne(rate, share float64) float64 { return -math.Expm1(-rate * share) }
