package baseline

import (
	"math"
	"slices"
)

// Constants of the tail model. DETECTION in docs/ tells how they were measured.
const (
	tailQuantile  = 0.8        // threshold u: this quantile of the positive hours
	tailMaxRise   = 1.5        // u may rise by at most this factor a day
	tailExcessCap = 8          // an exceedance counts as at most e^8 times u
	tailMinHours  = 48         // hours before the model says anything
	tailHalfLife  = 30 * 24    // hours; weights decay with exp(-hours/tailHalfLife)
	tailBins      = 128        // logarithmic bins of the quantile sketch, up to 2^42
	tailBinBase   = 1.25992105 // 2^(1/3): a bin is 26 % wide
)

// Tail is a peaks-over-threshold model of an hourly count: which share of the
// hours exceeds a high threshold, and by how much, with a Bayesian
// log-exponential tail above it. A heavy tail that was seen makes another
// large hour unsurprising, by itself. The zero value is empty; Floor must be
// set before use.
type Tail struct {
	Floor   float64           `json:"floor"` // u is never below this
	U       float64           `json:"u"`     // threshold
	Exceed  float64           `json:"k"`     // decayed number of hours above u
	Excess  float64           `json:"s"`     // decayed sum of min(8, ln(x/u)) over them
	Hours   float64           `json:"n"`     // decayed number of hours
	Bins    [tailBins]float32 `json:"bins"`  // decayed histogram of positive hours
	Age     int               `json:"age"`   // hours trained on
	RiseDay int               `json:"rd"`    // Age/24 when U last rose
	RiseTop float64           `json:"rt"`    // U may not exceed this today
}

// P is the p-value of an hour with value x; 1 while the model is too young or
// x does not exceed the threshold.
func (t *Tail) P(x float64) float64 {
	u := t.threshold()
	if t.Age < tailMinHours || x <= u {
		return 1
	}
	y := math.Log(x / u)
	p := (t.Exceed + 0.5) / (t.Hours + 1) * math.Pow(1+y/(1.4+t.Excess), -(3+t.Exceed))
	return min(1, p)
}

// Threshold is the value above which an hour counts as high.
func (t *Tail) Threshold() float64 { return t.threshold() }

func (t *Tail) threshold() float64 { return max(t.U, t.Floor) }

// Train adds one finished hour.
func (t *Tail) Train(x float64) {
	decay := math.Exp(-1.0 / tailHalfLife)
	t.Exceed *= decay
	t.Excess *= decay
	t.Hours *= decay
	for i := range t.Bins {
		t.Bins[i] *= float32(decay)
	}
	u := t.threshold()
	t.Hours++
	t.Age++
	if x <= 0 {
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
	u := t.threshold()
	if day := t.Age / 24; day != t.RiseDay || t.RiseTop == 0 {
		t.RiseDay, t.RiseTop = day, u*tailMaxRise
	}
	t.U = max(t.Floor, min(q, t.RiseTop))
}

func tailBin(x float64) int {
	if x <= 1 {
		return 0
	}
	return min(tailBins-1, int(math.Log(x)/math.Log(tailBinBase)))
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
