package baseline

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

func TestMarkTable(t *testing.T) {
	// Two marks with rates .1 and .5. Products, and weights:
	//
	//	{}    1     .9 * .5 = .45
	//	{a}   .1    .1 * .5 = .05
	//	{b}   .5    .9 * .5 = .45
	//	{a,b} .05   .1 * .5 = .05
	table := NewMarkTable(.1, .5)
	for set, want := range map[Marks]float64{
		0b00: 1,
		0b01: .10, // {a}, {a,b}
		0b10: .55, // {b}, {a}, {a,b}
		0b11: .05,
	} {
		if got := table.P(set); !near(got, want, 1e-12) {
			t.Errorf("P(%02b) = %v, want %v", set, got, want)
		}
	}
	if got := table.P(0b100); got != 1 {
		t.Errorf("a mark that the table does not know: P = %v, want 1", got)
	}
	if got := NewMarkTable().P(0); got != 1 {
		t.Errorf("no marks at all: P = %v, want 1", got)
	}
}

func TestMarkTableEqualRates(t *testing.T) {
	// Three marks of .2, whose products are equal however they are multiplied:
	// P of one mark is that of at least one, 1-.8^3 = .488; of two
	// 3*.04*.8+.008 = .104; of three .008.
	table := NewMarkTable(.2, .2, .2)
	want := [...]float64{1, .488, .104, .008}
	for set := range Marks(8) {
		if got := table.P(set); !near(got, want[bits.OnesCount16(uint16(set))], 1e-9) {
			t.Errorf("P(%03b) = %v, want %v", set, got, want[bits.OnesCount16(uint16(set))])
		}
	}
}

func TestMarkTableProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		rates := make([]float64, 1+rng.IntN(6))
		for i := range rates {
			rates[i] = .001 + .498*rng.Float64() // a mark is what most do not have
		}
		table := NewMarkTable(rates...)
		least := 1.0
		for _, r := range rates {
			least *= r
		}
		full := Marks(1)<<len(rates) - 1
		if got := table.P(full); !near(got, least, 1e-9) {
			t.Fatalf("%v: all marks together have P %v, want the product %v", rates, got, least)
		}
		valid := 0.0 // sum over patterns of weight * [P <= .05]
		for set := range full + 1 {
			p, weight := table.P(set), 1.0
			for i, r := range rates {
				bit := Marks(1) << i
				if set&bit != 0 {
					weight *= r
					continue
				}
				weight *= 1 - r
				if table.P(set|bit) > p*(1+1e-12) {
					t.Fatalf("%v: one more mark on %b is less surprising", rates, set)
				}
			}
			if !(p > 0 && p <= 1) {
				t.Fatalf("%v: P(%b) = %v", rates, set, p)
			}
			if p <= .05 {
				valid += weight
			}
		}
		if valid > .05*(1+1e-9) {
			t.Fatalf("%v: P <= .05 on a share %v of benign novelties", rates, valid)
		}
	}
}

func TestFisher(t *testing.T) {
	tests := []struct {
		ps   []float64
		want float64
	}{
		{[]float64{.3}, .3},                            // one p-value is itself: exp(-x/2) with 2 degrees of freedom
		{[]float64{.05, .05}, .017479},                 // x = 11.983, 4 degrees: .0025*(1-ln .0025)
		{[]float64{.5, .5}, .596574},                   // .25*(1-ln .25)
		{[]float64{.1, .1, .1}, .0317663},              // x = 13.8155, 6 degrees: .001*(1+6.9078+23.8586)
		{[]float64{1, 1}, 1},                           // x = 0
		{nil, 1},                                       // no evidence
		{[]float64{.00247875, 1}, .0173520},            // x = 12.000, 4 degrees: exp(-6)*(1+6), from the tables
		{[]float64{0, 0}, math.SmallestNonzeroFloat64}, // x = 2977: as small as a number can be, and not 0
	}
	for _, tt := range tests {
		got := Fisher(tt.ps...)
		if !near(got, tt.want, 1e-4) {
			t.Errorf("Fisher(%v) = %v, want %v", tt.ps, got, tt.want)
		}
	}
	// Uniform p-values combine to a uniform one: 5 % of 20,000 +- 3 standard
	// deviations (31 each).
	rng := rand.New(rand.NewPCG(3, 4))
	below := 0
	for range 20_000 {
		if Fisher(1-rng.Float64(), 1-rng.Float64(), 1-rng.Float64()) <= .05 {
			below++
		}
	}
	if below < 1000-93 || below > 1000+93 {
		t.Errorf("%d of 20,000 combinations at or below .05, want 1000", below)
	}
}

func TestRegularity(t *testing.T) {
	exact := make([]float64, 32)
	for i := range exact {
		exact[i] = 300
	}
	tests := []struct {
		name string
		gaps []float64
		want float64
	}{
		{"too few", exact[:6], 1},
		{"exact beacon", exact, 1e-3},
		{"all at once", make([]float64, 10), 1},
		// Median 100, deviations 0 5 5 5 5 10 10, MAD 5: (5/100/.5)^2.
		{"jitter", []float64{90, 95, 95, 100, 105, 105, 110}, .01},
		// One long pause does not hide it: median 60, MAD 1: (1/60/.5)^2 = .00111.
		{"lost connection", []float64{59, 60, 61, 60, 59, 61, 60, 86400}, .00111},
		// Median 10, deviations 9 8 6 0 20 40 90, MAD 9: (9/10/.5)^2 > 1.
		{"by hand", []float64{1, 2, 4, 10, 30, 50, 100}, 1},
		{"clock set back", []float64{-1, -1, -1, -1, -1, -1, -1}, 1},
	}
	for _, tt := range tests {
		if got := Regularity(tt.gaps); !near(got, tt.want, 1e-2) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestRegularityOfProcesses(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	jittered, poisson := 0.0, 0
	const runs = 2000
	for range runs {
		gaps := make([]float64, maxGaps)
		for i := range gaps {
			gaps[i] = 270 * (.9 + .2*rng.Float64())
		}
		jittered += Regularity(gaps) / runs
		for i := range gaps {
			gaps[i] = rng.ExpFloat64() * 270
		}
		if Regularity(gaps) <= .05 {
			poisson++
		}
	}
	// MAD of a uniform +-10 % is 5 % of the median: (.05/.5)^2 = .01; the
	// square of an estimate is a little above the square of its mean.
	if jittered < .008 || jittered > .013 {
		t.Errorf("beacon with 10 %% jitter scores %v on average, want .01", jittered)
	}
	if poisson > 0 {
		t.Errorf("%d of %d Poisson processes look like beacons", poisson, runs)
	}
}

func TestMedian(t *testing.T) {
	xs := []float64{3, 1, 2, 10}
	if got := median(xs); got != 2.5 {
		t.Errorf("median of four = %v, want 2.5", got)
	}
	if xs[0] != 3 {
		t.Error("median changed its argument")
	}
	if got := median(xs[:3]); got != 2 {
		t.Errorf("median of three = %v, want 2", got)
	}
	if got := median(nil); got != 0 {
		t.Errorf("median of none = %v, want 0", got)
	}
}

// TestChiSquaredTables pins the library that Fisher rests on to values from
// printed tables.
func TestChiSquaredTables(t *testing.T) {
	for _, tt := range []struct{ k, x, want float64 }{
		{2, 5.991, .05}, {4, 9.488, .05}, {4, 13.277, .01}, {6, 22.458, .001},
	} {
		if got := (distuv.ChiSquared{K: tt.k}).Survival(tt.x); !near(got, tt.want, 2e-3) {
			t.Errorf("%v degrees, x = %v: %v, want %v", tt.k, tt.x, got, tt.want)
		}
	}
}
