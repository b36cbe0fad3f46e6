//go:build !linux || 386 || arm || mips || mipsle

package ebpf

import (
	"io/fs"
	"time"
)

// Collector counts flows in the kernel. It exists on 64-bit Linux only: the
// compilers of 32-bit kernels for BPF lack atomic addition, and interpreted the
// program would be a burden.
type Collector struct{}

// Attachment is a pair of programs at an interface.
type Attachment struct{}

// Open returns ErrPlatform, or what is wrong with cfg.
func Open(cfg Config) (*Collector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return nil, ErrPlatform
}

// Attach returns ErrPlatform.
func (c *Collector) Attach(int, Via) (*Attachment, error) { return nil, ErrPlatform }

// Sweep returns ErrPlatform.
func (c *Collector) Sweep(func(*Delta)) (Swept, error) { return Swept{}, ErrPlatform }

// Early returns nil.
func (c *Collector) Early() <-chan struct{} { return nil }

// SetDeadline does nothing.
func (c *Collector) SetDeadline(time.Time) {}

// ReadHead returns fs.ErrClosed.
func (c *Collector) ReadHead(*Head) error { return fs.ErrClosed }

// Stats returns ErrPlatform.
func (c *Collector) Stats() ([]InterfaceStats, error) { return nil, ErrPlatform }

// Account returns ErrPlatform.
func (c *Collector) Account() (Account, error) { return Account{}, ErrPlatform }

// Close does nothing.
func (c *Collector) Close() error { return nil }

// Via returns 0.
func (a *Attachment) Via() Via { return 0 }

// Ifindex returns 0.
func (a *Attachment) Ifindex() int { return 0 }

// Close does nothing.
func (a *Attachment) Close() error { return nil }
