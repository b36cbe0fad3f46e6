package baseline

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

const (
	calibrationBins = 40  // bins of half a decade of p, down to 1e-20
	calibrationSure = 0.1 // the correction is 90 % sure
)

// Calibration checks the p-values of one class of evidence against what the
// device has really done: a p-value is valid if no more than a share p of the
// days falls at or below it. The zero value has seen no day.
type Calibration struct {
	Days  float64                  `json:"days"`  // finished days
	Bins  [calibrationBins]float64 `json:"bins"`  // days by the smallest p seen on them
	Today float64                  `json:"today"` // -log10 of the smallest p of the running day
}

// newCalibration starts on a device that went through a number of days
// without evidence of the class.
func newCalibration(quiet float64) *Calibration {
	c := &Calibration{Days: quiet}
	c.Bins[0] = quiet
	return c
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
// one-sided 90 % confidence interval (Clopper and Pearson 1934): a model that
// is wrong about this device on one day in ten must fall silent. A single day
// corrects nothing: it may have been an attack, which must not hide the next.
func (c *Calibration) Correct(p float64) float64 {
	k := 0.0
	for _, days := range c.Bins[calibrationBin(-math.Log10(max(p, 1e-300))):] {
		k += days
	}
	if k < 2 || c.Days < k {
		return p
	}
	return max(p, mathext.InvRegIncBeta(k, c.Days-k+1, calibrationSure))
}

// calibrationBin is the bin of a p-value of 10^-decades.
func calibrationBin(decades float64) int {
	return max(0, min(calibrationBins-1, int(decades*2)))
}

// validate checks what was read back: the beta distribution knows no negative
// days.
func (c *Calibration) validate() error {
	if c == nil {
		return errors.New("a class of evidence without its calibration")
	}
	sum := 0.0
	for _, days := range c.Bins {
		if days < 0 {
			return fmt.Errorf("%g days in a bin of the calibration", days)
		}
		sum += days
	}
	if sum != c.Days || c.Today < 0 {
		return fmt.Errorf("calibration over %g days has %g in its bins, today is %g", c.Days, sum, c.Today)
	}
	return nil
}
