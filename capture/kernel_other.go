//go:build !linux

package capture

import (
	"io/fs"
	"net/netip"
)

// Kernel lets the kernel count flows. It exists on Linux only.
type Kernel struct{}

var _ Source = (*Kernel)(nil)

// OpenKernel returns ErrNotLinux, or what is wrong with cfg.
func OpenKernel(cfg LiveConfig) (*Kernel, error) {
	k, _, err := openKernel(cfg)
	return k, err
}

func openKernel(cfg LiveConfig) (*Kernel, map[string]error, error) {
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	return nil, nil, ErrNotLinux
}

func checkOverlap([]string) error { return nil }

// Stop does nothing.
func (k *Kernel) Stop() {}

// Exclude returns ErrNotLinux.
func (k *Kernel) Exclude([]netip.AddrPort) error { return ErrNotLinux }

// Stats returns nothing.
func (k *Kernel) Stats() []LiveStats { return nil }

// Used returns nothing.
func (k *Kernel) Used() []Used { return nil }

// Read implements Source.
func (k *Kernel) Read(*Batch) error { return fs.ErrClosed }

// Interfaces implements Source.
func (k *Kernel) Interfaces() []Interface { return nil }

// Progress implements Source.
func (k *Kernel) Progress() (done, total int64) { return 0, 0 }

// Close implements Source.
func (k *Kernel) Close() error { return nil }
