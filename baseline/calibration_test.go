package baseline

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Thresholds of the default budget: .4 and .12 of one alert in 30 days.
const (
	noveltyThreshold = .4 / 30
)

// after returns a calibration over days whose smallest p-values are given by p.
func after(days int, p func(day int) float64) *Calibration {
	var c Calibration
	for day := range days {
		c.Note(p(day))
		c.EndDay()
	}
	return &c
}

func TestCalibrationByHand(t *testing.T) {
	// Thirty days, three of them at 1e-4. The lower end of the 90 % interval
	// of 3 in 30 is the q with P(X >= 3 | 30, q) = .1; for q = .0371:
	// P(0) = .3219, P(1) = .3721, P(2) = .2079, together .9019.
	c := after(30, func(day int) float64 {
		if day%10 == 9 {
			return 1e-4
		}
		return 1
	})
	if got := c.Correct(1e-4); !near(got, .0371, .02) {
		t.Errorf("p seen on 3 of 30 days corrected to %v, want .0371", got)
	}
	if got := c.Correct(1e-6); got != 1e-6 {
		t.Errorf("p never seen corrected to %v, want it as it is", got)
	}
	if got := c.Correct(.2); got != .2 {
		t.Errorf("p = .2 corrected to %v: what was seen is rarer than that", got)
	}
}

func TestCalibrationOfAWrongModel(t *testing.T) {
	for days := 20; days <= 200; days += 10 {
		c := after(days, func(day int) float64 {
			if day%10 == 0 {
				return 1e-5
			}
			return .5
		})
		if got := c.Correct(1e-5); got <= noveltyThreshold {
			t.Errorf("wrong on one day in ten for %d days: corrected to %v, would alert", days, got)
		}
	}
}

func TestCalibrationAfterOneAttack(t *testing.T) {
	for days := 2; days <= 400; days++ {
		c := after(days, func(day int) float64 {
			if day == days/2 {
				return 1e-9
			}
			return .3
		})
		if got := c.Correct(1e-9); got != 1e-9 {
			t.Fatalf("one attack in %d days: the next is corrected to %v", days, got)
		}
	}
}

// TestCalibrationOfAValidModel holds that p-values that are what they claim to
// be go on working: the correction costs few of the findings that clear the
// threshold, and never makes a p-value smaller.
func TestCalibrationOfAValidModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	const devices, days = 400, 120
	cleared, kept := 0, 0
	for range devices {
		var c Calibration
		for range days {
			p := 1 - rng.Float64()
			corrected := c.Correct(p)
			if corrected < p {
				t.Fatalf("p = %v corrected down to %v", p, corrected)
			}
			if p <= noveltyThreshold {
				cleared++
				if corrected <= noveltyThreshold {
					kept++
				}
			}
			c.Note(p)
			c.EndDay()
		}
	}
	if float64(kept) < .75*float64(cleared) {
		t.Errorf("%d of %d findings of a valid model are left", kept, cleared)
	}
	t.Logf("%d of %d findings of a valid model are left", kept, cleared)
}

func TestCalibrationStartsWithTheDevice(t *testing.T) {
	// A class whose first finding comes after 40 days was quiet on all of them.
	m := NewModel(0)
	m.Calendar.Day = 40
	c := m.Calibrator("tls")
	for range 2 {
		c.Note(1e-5)
		c.EndDay()
	}
	// The lower end of 2 in 42 is the q with P(X >= 2 | 42, q) = .1; for
	// q = .01268: P(0) = .5850, P(1) = .3156, together .9006.
	if got := c.Correct(1e-5); !near(got, .01268, .01) {
		t.Errorf("seen on 2 of 42 days: corrected to %v, want .01268", got)
	}
	if m.Calibrator("tls") != c {
		t.Error("the class has another calibration now")
	}
}

func TestCalibrationTakesAnything(t *testing.T) {
	var c Calibration
	for _, p := range []float64{0, 1, math.SmallestNonzeroFloat64, 1e-300, 2, math.Inf(1)} {
		if got := c.Correct(p); got != p {
			t.Errorf("no day seen: Correct(%v) = %v", p, got)
		}
	}
	for _, p := range []float64{0, 1, math.SmallestNonzeroFloat64, 2} {
		c.Note(p)
		c.EndDay()
		if got := c.Correct(p); !(got >= p) {
			t.Errorf("Correct(%v) = %v", p, got)
		}
	}
	if err := c.validate(); err != nil {
		t.Error(err)
	}
}
