//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Probe tries whether and how flows can be counted in the kernel: it loads the
// program and attaches it to the loopback interface of a network namespace of
// its own, or, without the right to make one, to that of the caller's, by TCX
// alone, which leaves nothing behind.
func Probe() Support {
	s := Support{Kernel: release(), JIT: jit()}
	cfg := DefaultConfig()
	cfg.Flows, cfg.RingBytes = minFlows, minRing
	c, err := Open(cfg)
	if err != nil {
		s.Open, s.TCX, s.Clsact = err, err, err
		return s
	}
	defer c.Close()
	// The thread that has entered another namespace ends with the goroutine,
	// since it is never unlocked.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		alone := unix.Unshare(unix.CLONE_NEWNET) == nil
		s.TCX = try(c, TCX)
		s.Clsact = ErrNotTried
		if alone {
			s.Clsact = try(c, Clsact)
		}
	}()
	<-done
	return s
}

// try attaches to the loopback interface and detaches.
func try(c *Collector, via Via) error {
	l, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback interface: %w", err)
	}
	a, err := c.Attach(l.Attrs().Index, via)
	if err != nil {
		return err
	}
	return a.Close()
}

// jit reports whether the kernel compiles BPF programs. A kernel that cannot
// do otherwise has no switch.
func jit() bool {
	b, err := os.ReadFile("/proc/sys/net/core/bpf_jit_enable")
	return err != nil || strings.TrimSpace(string(b)) != "0"
}
