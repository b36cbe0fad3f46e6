//go:build !linux

package main

import "runtime"

// examine finds that there is nothing to capture with.
func examine([]string) *checkup {
	c := &checkup{Kernel: runtime.GOOS, Capture: "none"}
	c.add("system", checkFail, "live capture works on Linux only", "analyse captures instead: gatehouse replay FILE")
	return c
}
