//go:build !linux

package capture

import (
	"io/fs"
	"net/netip"
)

// Live captures from network interfaces. It exists on Linux only.
type Live struct{}

var _ Source = (*Live)(nil)

// OpenLive returns ErrNotLinux, or what is wrong with cfg.
func OpenLive(cfg LiveConfig) (*Live, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return nil, ErrNotLinux
}

// Members returns nothing.
func (l *Live) Members() []Source { return nil }

// Exclude returns ErrNotLinux.
func (l *Live) Exclude([]netip.AddrPort) error { return ErrNotLinux }

// Stats returns nothing.
func (l *Live) Stats() []LiveStats { return nil }

// Read implements Source.
func (l *Live) Read(*Batch) error { return fs.ErrClosed }

// Interfaces implements Source.
func (l *Live) Interfaces() []Interface { return nil }

// Progress implements Source.
func (l *Live) Progress() (done, total int64) { return 0, 0 }

// Close implements Source.
func (l *Live) Close() error { return nil }
