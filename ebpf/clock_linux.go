package ebpf

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// clock turns the kernel's monotonic time into that of the Unix epoch. It is
// read anew from time to time: the system's clock may be set, and monotonic
// time stands still while the machine sleeps.
type clock struct{ offset atomic.Int64 }

// read compares the clocks, to within a microsecond, and returns the monotonic
// time in nanoseconds.
func (c *clock) read() (now uint64) {
	before, wall, after := clockTime(unix.CLOCK_MONOTONIC), clockTime(unix.CLOCK_REALTIME), clockTime(unix.CLOCK_MONOTONIC)
	c.offset.Store(wall - (before + (after-before)/2))
	return uint64(after)
}

// unix converts a monotonic time to nanoseconds since the Unix epoch.
func (c *clock) unix(ns uint64) int64 { return int64(ns) + c.offset.Load() }

func clockTime(id int32) int64 {
	var ts unix.Timespec
	// It fails only for clocks that do not exist.
	_ = unix.ClockGettime(id, &ts)
	return ts.Nano()
}
