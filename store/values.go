package store

import (
	"math"
	"strings"
	"time"
)

// The range of times that fit into nanoseconds since the epoch: 1677 to 2262.
var (
	minTime = time.Unix(0, math.MinInt64)
	maxTime = time.Unix(0, math.MaxInt64)
)

// nanos is the stored form of a time. Times outside the range are moved to its
// ends, so that they still sort as they should; the zero time becomes the
// smallest.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(minTime):
		return math.MinInt64
	case t.After(maxTime):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// timeOf is the inverse of nanos.
func timeOf(ns int64) time.Time {
	if ns == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// dayOf is the number of the UTC day of a stored time, counted from the epoch.
func dayOf(ns int64) int64 {
	const day = int64(24 * time.Hour)
	if ns < 0 {
		return (ns+1)/day - 1
	}
	return ns / day
}

// clean makes a string valid UTF-8: names come from the network.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// finite replaces what JSON and SQLite cannot hold. Not a number becomes 0, an
// infinite surprise the largest number.
func finite(x float64) float64 {
	switch {
	case math.IsNaN(x):
		return 0
	case math.IsInf(x, 1):
		return math.MaxFloat64
	case math.IsInf(x, -1):
		return -math.MaxFloat64
	}
	return x
}
