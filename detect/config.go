package detect

import (
	"crypto/x509"
	"time"
)

// Config holds what detectors need from outside.
type Config struct {
	// Learn is how long after its first packet a device is only learned from:
	// detectors that need a baseline stay silent. 0 leaves it to the models,
	// which know how little they know.
	Learn time.Duration
	// Roots are the certificate authorities that chains are verified against;
	// nil switches verification off, expiry is still noticed.
	Roots *x509.CertPool
}
