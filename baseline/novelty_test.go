package baseline

import (
	"fmt"
	"math"
	"testing"
)

// near compares with a relative tolerance; it is false for NaN.
func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Abs(want)
}

func TestNewKeyRate(t *testing.T) {
	tests := []struct {
		q1, m int
		want  float64
	}{
		{0, 0, 0.3},       // .3 / 1
		{0, 3, 0.075},     // .3 / 4
		{0, 21, .3 / 22},  // the first day on which a bare novelty clears .0133 is 22: .3/23 = .01304
		{5, 9, 0.53},      // 5.3 / 10: a device that meets five hosts and never again
		{60, 59, 1.005},   // 60.3 / 60: something new every day
		{448, 60, 7.3492}, // 448.3 / 61
	}
	for _, tt := range tests {
		if got := NewKeyRate(tt.q1, tt.m); !near(got, tt.want, 1e-4) {
			t.Errorf("NewKeyRate(%d, %d) = %v, want %v", tt.q1, tt.m, got, tt.want)
		}
	}
}

func TestNewKeysRate(t *testing.T) {
	// With q1 = 0 and m = 3 the number of new keys on a day is negative
	// binomial with r = 1/2 and success probability 3/4:
	//
	//	P(0)  = (3/4)^.5           = .8660
	//	P(1)  = .5 * 1/4 * .8660   = .1083
	//	P(>1) = 1 - .8660 - .1083  = .02572
	//	rate  = -ln(1 - .02572)    = .02606
	if got := NewKeysRate(2, 0, 0, 3); !near(got, .02606, 1e-3) {
		t.Errorf("two new keys after three quiet days: rate %v, want .02606", got)
	}
	// q1 = 1: r = 3/2. P(0) = .75^1.5 = .64952, P(1) = 1.5*.25*.64952 = .24357,
	// P(>1) = .10691, rate = .11307; above it .3/4 would be 1.3/4 = .325.
	if got := NewKeysRate(2, 1, 1, 3); !near(got, .11307, 1e-3) {
		t.Errorf("two new keys where one was met once: rate %v, want .11307", got)
	}
	// On the first day everything is new: no number of keys is evidence.
	if got := NewKeysRate(50, 0, 0, 0); got != NewKeyRate(0, 0) {
		t.Errorf("first day: rate %v, want %v", got, NewKeyRate(0, 0))
	}
	// (3+.3)/(5+1) = .55 > .5 new keys a day over all services: a person.
	if got, want := NewKeysRate(10, 0, 3, 5), NewKeyRate(0, 5); got != want {
		t.Errorf("busy device: rate %v, want %v whatever the number", got, want)
	}
}

func TestNewKeysRateProperties(t *testing.T) {
	for m := range 61 {
		for q1 := range 20 {
			if one, want := NewKeysRate(1, q1, q1, m), NewKeyRate(q1, m); one != want {
				t.Fatalf("one key, q1 %d, m %d: %v, want the Good-Turing rate %v", q1, m, one, want)
			}
			for c := 1; c < 30; c++ {
				at := fmt.Sprintf("c %d, q1 %d, m %d", c, q1, m)
				rate := NewKeysRate(c, q1, q1, m)
				switch {
				case !(rate >= 0) || math.IsInf(rate, 0):
					t.Fatalf("%s: rate %v", at, rate)
				case NewKeysRate(c+1, q1, q1, m) > rate:
					t.Fatalf("%s: one key more is less surprising", at)
				case NewKeysRate(c, q1+1, q1+1, m) < rate:
					t.Fatalf("%s: one key more that was met once makes it more surprising", at)
				case NewKeysRate(c, q1, q1, m+1) > rate:
					t.Fatalf("%s: one quiet day more makes it less surprising", at)
				}
			}
		}
	}
}

func TestAtLeastOne(t *testing.T) {
	tests := []struct{ rate, share, want float64 }{
		{.075, 1, .072257},      // 1 - exp(-.075): p(novel) after three days
		{.075, .14339, .010697}, // 1 - exp(-.010754), the worked example
		{0, 1, 0},
		{1e-12, 1, 1e-12}, // without loss of precision
		{1e9, .5, 1},
		{math.Inf(1), 1, 1},
	}
	for _, tt := range tests {
		if got := AtLeastOne(tt.rate, tt.share); !near(got, tt.want, 1e-4) {
			t.Errorf("AtLeastOne(%v, %v) = %v, want %v", tt.rate, tt.share, got, tt.want)
		}
	}
}

// TestWorkedExample is the one of docs/detection.md: a device three days old
// contacts an IP literal on port 6667.
func TestWorkedExample(t *testing.T) {
	// Marks and their benign rates: literal .15, no answer .15, uncommon port
	// .3, generated name .01, new country .2.
	const literal, port = 1 << 0, 1 << 2
	table := NewMarkTable(.15, .15, .3, .01, .2)
	weight := table.P(literal | port)
	if !near(weight, .1434, 1e-3) {
		t.Errorf("patterns as odd as {literal, port} weigh %v, want .1434", weight)
	}
	d := Dossier{Rate: NewKeysRate(1, 0, 0, 3), Marks: literal | port, Connections: 1}
	p := d.P(table)
	if !near(p, .010697, 1e-3) {
		t.Errorf("p = %v, want .0107", p)
	}
	// The default budget is one false alert a month, .4 of it for novelties.
	if threshold := .4 * 1 / 30; !(p < threshold) {
		t.Errorf("p = %v does not clear %v on day three", p, threshold)
	}
	if bare := AtLeastOne(NewKeyRate(0, 21), 1); bare < .4/30 {
		t.Errorf("without marks p = %v on day 21, which is not below %v yet", bare, .4/30)
	}
	if bare := AtLeastOne(NewKeyRate(0, 22), 1); bare > .4/30 {
		t.Errorf("without marks p = %v on day 22, want at most %v", bare, .4/30)
	}
}
