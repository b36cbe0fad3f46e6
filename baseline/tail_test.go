package baseline

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// trained returns a tail that has seen some hours with the same value.
func trained(floor float64, hours int, x float64) *Tail {
	t := &Tail{Floor: floor}
	for range hours {
		t.Train(x)
	}
	return t
}

func TestTailByHand(t *testing.T) {
	// 100 empty hours: k = 0, S = 0, and n is the sum of the decayed hours,
	// (1-d^100)/(1-d) with d = exp(-1/720): .129673/.001388 = 93.43. With the
	// floor of 10 as u, x = 20 is y = ln 2 above it:
	//
	//	p = .5/94.43 * (1+.693147/1.4)^-3 = .0052949 * 1.495105^-3 = .0015844
	tail := trained(10, 100, 0)
	if got := tail.P(20); !near(got, .0015844, 1e-3) {
		t.Errorf("20 after 100 empty hours: p = %v, want .0015844", got)
	}
	// One hour of 20 later: k = 1, S = .693147, n = 94.43*d... and u may rise
	// to no more than 15: y = ln(40/15) = .980829,
	// n = 93.43*.998612+1 = 94.30, and
	//
	//	p = 1.5/95.30 * (1+.980829/2.093147)^-4 = .015740 * 1.468591^-4 = .0033837
	tail.Train(20)
	if got := tail.Threshold(); got != 15 {
		t.Fatalf("threshold after one hour of 20 = %v, want 15: 1.5 times the floor", got)
	}
	if got := tail.P(40); !near(got, .0033837, 1e-3) {
		t.Errorf("40 after an hour of 20: p = %v, want .0033837", got)
	}
}

func TestTailIsSilentAtFirst(t *testing.T) {
	tail := &Tail{Floor: 10}
	for hour := range tailMinHours {
		if p := tail.P(1e6); p != 1 {
			t.Fatalf("hour %d: p = %v, want 1 for %d hours", hour, p, tailMinHours)
		}
		tail.Train(3)
	}
	if p := tail.P(1e6); p > 1e-3 {
		t.Errorf("after %d hours of 3: p of a million = %v", tailMinHours, p)
	}
}

func TestTailFalls(t *testing.T) {
	tail := trained(10, 200, 12)
	last := 1.0
	for x := 1.0; x < 1e12; x *= 1.1 {
		p := tail.P(x)
		if p > last || !(p > 0) {
			t.Fatalf("P(%v) = %v after P = %v", x, p, last)
		}
		last = p
	}
	if last > 1e-6 {
		t.Errorf("P(1e12) = %v", last)
	}
}

func TestTailLearnsHeavyTails(t *testing.T) {
	calm, heavy := trained(10, 480, 5), trained(10, 480, 5)
	for range 8 { // a big hour once in 60
		heavy.Train(400)
		for range 59 {
			heavy.Train(5)
			calm.Train(5)
		}
	}
	if p := calm.P(400); p > .4/30/48 {
		t.Errorf("first big hour: p = %v, want it to clear the budget with 48 looks", p)
	}
	if p := heavy.P(400); 48*p < .05 {
		t.Errorf("ninth big hour: p = %v, with 48 looks %v: still news", p, 48*p)
	}
}

func TestTailRise(t *testing.T) {
	tail := trained(10, 5*24, 3)
	before := tail.Threshold()
	for hour := 1; hour <= 10*24; hour++ {
		tail.Train(10_000)
		if (tail.Age+1)%24 == 0 { // the last hour of a day
			if now := tail.Threshold(); now > before*tailMaxRise*(1+1e-9) {
				t.Fatalf("after %d hours: threshold rose from %v to %v in a day", hour, before, now)
			} else {
				before = now
			}
		}
	}
	// 1.5^10 = 57.7: from 10 to 577 on the tenth day, and still catching up.
	if before < 300 || before > 577 {
		t.Errorf("threshold after ten busy days = %v, want up to 577", before)
	}
}

func TestTailForgets(t *testing.T) {
	tail := trained(10, 240, 500)
	for range 120 * 24 { // four times the memory
		tail.Train(5)
	}
	if got := tail.Threshold(); got != 10 {
		t.Errorf("threshold %v after 120 quiet days, want the floor again", got)
	}
	if p := tail.P(500); p > .01 {
		t.Errorf("p of what was normal four months ago = %v", p)
	}
}

func TestTailTakesAnything(t *testing.T) {
	odd := []float64{0, -1, 1e-300, 1, 1e300, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}
	tail := trained(10, 100, 5)
	for range 3 {
		for _, x := range odd {
			tail.Train(x)
			for _, y := range odd {
				if p := tail.P(y); !(p > 0 && p <= 1) {
					t.Fatalf("after training on %v: P(%v) = %v", x, y, p)
				}
			}
		}
	}
	if err := tail.validate(); err != nil {
		t.Error(err)
	}
}

// TestTailIsValid is what the alert budget rests on: on counts from one
// distribution, whichever, an hour's p-value is at most alpha in a share of at
// most alpha of the hours.
func TestTailIsValid(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	poisson := func(mean float64) float64 { return distuv.Poisson{Lambda: mean, Src: rng}.Rand() }
	counts := map[string]func() float64{
		"poisson 3":   func() float64 { return poisson(3) },
		"poisson 12":  func() float64 { return poisson(12) },
		"poisson 300": func() float64 { return poisson(300) },
		// A gamma mixture of Poissons is negative binomial: mean 40, shape .8,
		// so that the standard deviation (45) exceeds the mean.
		"negative binomial": func() float64 { return poisson(distuv.Gamma{Alpha: .8, Beta: .8 / 40, Src: rng}.Rand()) },
		"lognormal":         func() float64 { return math.Floor(math.Exp(3 + 1.2*rng.NormFloat64())) },
		// Nine hours of ten are empty.
		"sparse": func() float64 {
			if rng.Float64() < .9 {
				return 0
			}
			return poisson(30)
		},
	}
	const devices, days = 40, 30
	for name, next := range counts {
		var hours, at01, at001 float64
		for range devices {
			tail := &Tail{Floor: 10}
			for range days * 24 {
				x := next()
				if p := tail.P(x); tail.Age >= tailMinHours {
					hours++
					if p <= .01 {
						at01++
					}
					if p <= .001 {
						at001++
					}
				}
				tail.Train(x)
			}
		}
		// Three standard deviations of a count with that mean.
		for _, c := range []struct{ alpha, got float64 }{{.01, at01}, {.001, at001}} {
			want := c.alpha * hours
			if c.got > want+3*math.Sqrt(want) {
				t.Errorf("%s: p <= %v in %v of %v hours, want at most %v", name, c.alpha, c.got, hours, want)
			}
		}
		t.Logf("%s: %.5f of hours at .01, %.5f at .001", name, at01/hours, at001/hours)
	}
}

func BenchmarkTailTrain(b *testing.B) {
	tail := trained(10, 1000, 20)
	b.ReportAllocs()
	for b.Loop() {
		tail.Train(15)
	}
}

func BenchmarkTailP(b *testing.B) {
	tail := trained(10, 1000, 20)
	b.ReportAllocs()
	for b.Loop() {
		tail.P(150)
	}
}
