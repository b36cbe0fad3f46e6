package baseline

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

const (
	calibrationBins = 40  // bins of half a decade of p, down to 1e-20
	calibrationSure = 0.1 // the correction is 90 % sure
)

// Calibration checks the p-values of one class of evidence against what the
// device has really done: a p-value is valid if no more than a share p of the
// days falls at or below it.
type Calibration struct {
	Days  float64                  `json:"days"`  // finished days
	Bins  [calibrationBins]float64 `json:"bins"`  // days by the smallest p seen on them
	Today float64                  `json:"today"` // -log10 of the smallest p of the running day
}

// Note records a p-value of the running day.
func (c *Calibration) Note(p float64) {
	c.Today = max(c.Today, -math.Log10(max(p, 1e-300)))
}

// EndDay closes the running day.
func (c *Calibration) EndDay() {
	c.Days++
	c.Bins[calibrationBin(c.Today)]++
	c.Today = 0
}

// Correct returns max(p, empirical p). The empirical p is the share of earlier
// days with a p at least as small, and of that share the lower end of its
// one-sided 90 % confidence interval (Clopper and Pearson 1934): a single true
// attack in the past must not hide the next one, a model that is wrong about
// this device on one day in ten must fall silent.
func (c *Calibration) Correct(p float64) float64 {
	k := 0.0
	for i := calibrationBin(-math.Log10(max(p, 1e-300))); i < calibrationBins; i++ {
		k += c.Bins[i]
	}
	if k == 0 || c.Days < k {
		return p
	}
	return max(p, mathext.InvRegIncBeta(k, c.Days-k+1, calibrationSure))
}

func calibrationBin(bits float64) int {
	return max(0, min(calibrationBins-1, int(bits*2)))
}
