package baseline

import (
	"math"
	"math/bits"

	"gonum.org/v1/gonum/stat/distuv"
)

// Marks is a set of yes/no circumstances of a novelty, bit i standing for the
// i-th rate that MarkTable was built with.
type Marks uint16

// MarkTable gives the probability that a benign novelty carries marks as odd
// as a given set.
//
// Marks are discrete, so Fisher's method, made for continuous p-values, would
// waste their power. The table is exact instead: the odder of two patterns is
// the one with the smaller product of rates, and the p-value of a pattern is
// the total probability, under the benign rates, of all patterns whose
// product is no larger.
type MarkTable struct {
	p []float64
}

// NewMarkTable computes the table for independent marks with the given benign
// rates, each in (0, 1); at most 12 marks (4,096 patterns).
func NewMarkTable(rates ...float64) *MarkTable {
	n := 1 << len(rates)
	product := make([]float64, n)
	weight := make([]float64, n)
	for set := range n {
		product[set], weight[set] = 1, 1
		for i, r := range rates {
			if set&(1<<i) != 0 {
				product[set] *= r
				weight[set] *= r
			} else {
				weight[set] *= 1 - r
			}
		}
	}
	t := &MarkTable{p: make([]float64, n)}
	for set := range n {
		for other := range n {
			// The products of equal sets of rates differ in their last bits
			// with the order of multiplication.
			if product[other] <= product[set]*(1+1e-9) {
				t.p[set] += weight[other]
			}
		}
		t.p[set] = min(1, t.p[set])
	}
	return t
}

// P returns the p-value of a set of marks; 1 for the empty set.
func (t *MarkTable) P(set Marks) float64 {
	if set == 0 || bits.Len16(uint16(set)) > bits.Len(uint(len(t.p)-1)) {
		return 1
	}
	return t.p[set]
}

// Fisher combines independent continuous p-values (Fisher 1925): minus twice
// the sum of their logarithms is chi-squared with two degrees of freedom each.
// The result is in (0, 1]; 1 for no p-values at all.
func Fisher(ps ...float64) float64 {
	if len(ps) == 0 {
		return 1
	}
	x := 0.0
	for _, p := range ps {
		x -= 2 * math.Log(max(p, math.SmallestNonzeroFloat64))
	}
	return max(math.SmallestNonzeroFloat64, distuv.ChiSquared{K: 2 * float64(len(ps))}.Survival(x))
}

// Regularity is the p-value of how regular the gaps between connections are:
// (MAD/median/0.5)^2, at least 1e-3. Gaps of a Poisson process have a ratio
// of about 0.69, so that human-driven traffic scores 1 and a beacon with a
// uniform jitter of 10 % scores 0.01. Fewer than 7 gaps, or a median of 0, say
// nothing: 1.
func Regularity(gaps []float64) float64 {
	if len(gaps) < 7 {
		return 1
	}
	m := median(gaps)
	if m <= 0 {
		return 1
	}
	dev := make([]float64, len(gaps))
	for i, g := range gaps {
		dev[i] = math.Abs(g - m)
	}
	r := median(dev) / m / 0.5
	return min(1, max(1e-3, r*r))
}
