package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// EnterNetns moves the running test into a network namespace of its own, which
// holds nothing but a loopback interface, IPv6 switched off so that the kernel
// sends nothing by itself, and is gone when the test ends. What the test does
// to interfaces and packets stays in there.
//
// The test's goroutine alone is inside, as long as the test runs; goroutines
// that it starts are outside, but may use the sockets it opened. Without root
// the test is skipped; with CI=true it fails.
func EnterNetns(tb testing.TB) {
	tb.Helper()
	NeedTool(tb, "ip")
	if os.Geteuid() != 0 {
		unavailable(tb, "needs root, to make a network namespace")
	}
	name := fmt.Sprintf("gatehouse-%d-%d", os.Getpid(), netnsCount.Add(1))
	if out, err := exec.CommandContext(tb.Context(), "ip", "netns", "add", name).CombinedOutput(); err != nil {
		unavailable(tb, fmt.Sprintf("needs a network namespace: ip netns add: %v: %s", err, out))
	}
	runtime.LockOSThread()
	outside, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		tb.Fatalf("remember network namespace: %v", err)
	}
	tb.Cleanup(func() {
		defer outside.Close()
		// A thread that cannot go back must not run anything else; without
		// the unlock it ends with the goroutine.
		if err := unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET); err != nil {
			tb.Errorf("leave network namespace: %v", err)
		} else {
			runtime.UnlockOSThread()
		}
		if out, err := exec.CommandContext(context.Background(), "ip", "netns", "del", name).CombinedOutput(); err != nil {
			tb.Errorf("ip netns del %s: %v: %s", name, err, out)
		}
	})
	inside, err := os.Open(filepath.Join("/run/netns", name))
	if err != nil {
		tb.Fatalf("open network namespace: %v", err)
	}
	defer inside.Close()
	if err := unix.Setns(int(inside.Fd()), unix.CLONE_NEWNET); err != nil {
		tb.Fatalf("enter network namespace: %v", err)
	}
	for _, conf := range []string{"all", "default"} {
		path := "/proc/sys/net/ipv6/conf/" + conf + "/disable_ipv6"
		if err := os.WriteFile(path, []byte("1"), 0); err != nil && !os.IsNotExist(err) {
			tb.Fatalf("switch IPv6 off: %v", err)
		}
	}
}

// netnsCount keeps the names of this process's namespaces apart.
var netnsCount atomic.Int64

// IP runs the ip command with the words of args, in the namespace of the
// calling goroutine, and returns what it says.
func IP(tb testing.TB, args string) string {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), "ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		tb.Fatalf("ip %s: %v: %s", args, err, out)
	}
	return string(out)
}
