package alert

import (
	"math"
	"testing"

	"gatehouse/detect"
)

func TestParseBudget(t *testing.T) {
	good := map[string]Budget{
		"quiet": .3, "balanced": 1, "sensitive": 5,
		"1": 1, "0.01": .01, "100": 100, "2.5": 2.5, "1e1": 10,
	}
	for text, want := range good {
		if got, err := ParseBudget(text); err != nil || got != want {
			t.Errorf("ParseBudget(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "loud", "0", "-1", "0.009", "100.1", "NaN", "Inf", "-Inf", "1e999", "1 ", "1,5"} {
		if got, err := ParseBudget(text); err == nil {
			t.Errorf("ParseBudget(%q) = %v, want an error", text, got)
		}
	}
}

func TestThreshold(t *testing.T) {
	tests := []struct {
		budget Budget
		class  detect.Class
		want   float64
	}{
		{Balanced, detect.Novelty, .013333}, // .40 * 1 / 30
		{Balanced, detect.DNS, .004},        // .12 * 1 / 30
		{Balanced, detect.TLS, .004},
		{Quiet, detect.Novelty, .004},       // .40 * .3 / 30
		{Sensitive, detect.Novelty, .06667}, // .40 * 5 / 30
		{100, detect.Novelty, 1},            // .40 * 100 / 30 is more than a p-value can be
		{Balanced, "unheard of", 0},
	}
	for _, tt := range tests {
		if got := tt.budget.Threshold(tt.class); math.Abs(got-tt.want) > 1e-5 {
			t.Errorf("Budget(%v).Threshold(%s) = %v, want %v", tt.budget, tt.class, got, tt.want)
		}
	}
}
