package baseline

import (
	"fmt"
	"math"
	"slices"
)

// Constants of the tail model; docs/detection.md tells how they were measured.
const (
	tailQuantile  = 0.8        // threshold u: this quantile of the positive hours
	tailMaxRise   = 1.5        // u may rise by at most this factor a day
	tailExcessCap = 8          // an exceedance counts as at most e^8 times u
	tailMinHours  = 48         // hours before the model says anything
	tailMemory    = 30 * 24    // hours; weights decay with exp(-hours/tailMemory)
	tailBins      = 128        // logarithmic bins of the quantile sketch, up to 2^42
	tailBinBase   = 1.25992105 // 2^(1/3): a bin is 26 % wide

	// roundingSlack is by how much sums that are equal on paper may differ
	// after years of decaying them one by one, in float32.
	roundingSlack = 1
)

// Tail is a peaks-over-threshold model of an hourly count: which share of the
// hours exceeds a high threshold, and by how much, with a Bayesian
// log-exponential tail above it. A heavy tail that was seen makes another
// large hour unsurprising, by itself. The zero value is empty; Floor must be
// set to a positive number before use.
type Tail struct {
	// Floor is the least that u can be. It belongs to what is counted and not
	// to what was learned, so that it is not stored.
	Floor   float64           `json:"-"`
	U       float64           `json:"u"`    // threshold
	Exceed  float64           `json:"k"`    // decayed number of hours above u
	Excess  float64           `json:"s"`    // decayed sum of min(8, ln(x/u)) over them
	Hours   float64           `json:"n"`    // decayed number of hours
	Bins    [tailBins]float32 `json:"bins"` // decayed histogram of positive hours
	Age     int               `json:"age"`  // hours trained on
	RiseDay int               `json:"rd"`   // Age/24 when RiseTop was set
	RiseTop float64           `json:"rt"`   // U may not exceed this on RiseDay
}

// P is the p-value of an hour with value x, in (0, 1]; 1 while the model is too
// young or x does not exceed the threshold.
func (t *Tail) P(x float64) float64 {
	u := t.Threshold()
	if t.Age < tailMinHours || !(x > u) {
		return 1
	}
	y := math.Log(min(x, math.MaxFloat64) / u)
	p := (t.Exceed + 0.5) / (t.Hours + 1) * math.Pow(1+y/(1.4+t.Excess), -(3+t.Exceed))
	return min(1, max(math.SmallestNonzeroFloat64, p))
}

// Threshold is the value above which an hour counts as high.
func (t *Tail) Threshold() float64 { return max(t.U, t.Floor) }

// Train adds one finished hour with value x; NaN is an hour with nothing in it.
func (t *Tail) Train(x float64) {
	decay := math.Exp(-1.0 / tailMemory)
	t.Exceed *= decay
	t.Excess *= decay
	t.Hours *= decay
	for i := range t.Bins {
		t.Bins[i] *= float32(decay)
	}
	u := t.Threshold()
	t.Hours++
	t.Age++
	if !(x > 0) {
		return
	}
	if x > u {
		t.Exceed++
		t.Excess += min(tailExcessCap, math.Log(x/u))
	}
	t.Bins[tailBin(x)]++
	t.raise()
}

// raise moves the threshold towards the quantile of what was seen.
func (t *Tail) raise() {
	var total, sum float32
	for _, b := range t.Bins {
		total += b
	}
	q := 0.0
	for i, b := range t.Bins {
		if sum += b; sum >= tailQuantile*total {
			q = math.Pow(tailBinBase, float64(i))
			break
		}
	}
	u := t.Threshold()
	if day := t.Age / 24; day != t.RiseDay || t.RiseTop == 0 {
		t.RiseDay, t.RiseTop = day, u*tailMaxRise
	}
	t.U = max(t.Floor, min(q, t.RiseTop))
}

func tailBin(x float64) int {
	if x <= 1 {
		return 0
	}
	return int(min(tailBins-1, math.Log(x)/math.Log(tailBinBase)))
}

// validate checks what was read back: P divides by these numbers.
func (t *Tail) validate() error {
	sane := t.U >= 0 && t.Exceed >= 0 && t.Excess >= 0 && t.Age >= 0 && t.RiseTop >= 0 &&
		t.Hours >= t.Exceed && t.Hours <= float64(t.Age) && t.Excess <= tailExcessCap*t.Exceed+roundingSlack
	for _, b := range t.Bins {
		sane = sane && b >= 0 && float64(b) <= t.Hours+roundingSlack
	}
	if !sane {
		return fmt.Errorf("tail out of range: u %g, k %g, s %g, n %g, age %d", t.U, t.Exceed, t.Excess, t.Hours, t.Age)
	}
	return nil
}

// median returns the middle of xs, which it does not change; 0 for none.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	s := slices.Clone(xs)
	slices.Sort(s)
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
