package alert

import (
	"fmt"
	"strconv"

	"gatehouse/detect"
)

// Budget is how many false alerts per device and month of 30 active days the
// owner will put up with.
type Budget float64

// Presets of the alert budget.
const (
	Quiet     Budget = 0.3
	Balanced  Budget = 1
	Sensitive Budget = 5
)

// ParseBudget reads a preset's name or a number between 0.01 and 100.
func ParseBudget(s string) (Budget, error) {
	switch s {
	case "quiet":
		return Quiet, nil
	case "balanced":
		return Balanced, nil
	case "sensitive":
		return Sensitive, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0.01 && v <= 100) {
		return 0, fmt.Errorf("alert budget %q: use quiet, balanced, sensitive or a number of false alerts per device-month from 0.01 to 100", s)
	}
	return Budget(v), nil
}

// Threshold is the largest p-value of a device-day that alerts. With valid
// p-values the weighted Bonferroni bound holds whatever the dependence between
// the classes.
func (b Budget) Threshold(c detect.Class) float64 {
	return min(1, weight(c)*float64(b)/30)
}

// weight is the share of the budget that a class of evidence draws on, 0 for
// one that is unknown. Shares of classes without a detector yet are kept free,
// so that adding one does not change the rest. Together they are 1: scan .08,
// rate .12, brute force .06, fingerprint .05, layer 2 .03 and silence .02
// beside the ones here.
func weight(c detect.Class) float64 {
	switch c {
	case detect.Novelty:
		return .40
	case detect.DNS, detect.TLS:
		return .12
	}
	return 0
}
