package pipeline_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/testkit"
	"gatehouse/pipeline"
	"gatehouse/store"
)

// A disk that is full for a while during a run costs nothing of what is found.
func TestDiskFullForAWhile(t *testing.T) {
	dir := mount(t, "size=16m")
	ballast := filepath.Join(dir, "ballast")
	unkeptForAWhile(t, dir, "disk is full", func() { fillUp(t, ballast) }, func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	})
}

// Nor does a file system that becomes read-only and is repaired.
func TestFileSystemReadOnlyForAWhile(t *testing.T) {
	if !testkit.OwnMounts(t) {
		return
	}
	disk := testkit.NewDisk(t)
	unkeptForAWhile(t, disk.Dir, "read-only file system", func() { disk.Break(t) }, func() { disk.Mend(t) })
}

// unkeptForAWhile analyses a capture with its state in dir, which cannot be
// written in between, and expects the same alerts as without.
func unkeptForAWhile(t *testing.T, dir, reason string, begin, end func()) {
	t.Helper()
	capture, cfg := home(t)
	// Each look at the clock takes a second, so that there is a round a second
	// and the store is tried again in time.
	clock := time.Now()
	cfg.Now = func() time.Time {
		clock = clock.Add(time.Second)
		return clock
	}
	rounds, failed := 0, 0
	cfg.Status = func(pipeline.Summary) { rounds++ }
	whole, err := pipeline.Run(t.Context(), open(t, capture), nil, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := rounds
	st, err := store.Open(t.Context(), dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	var log strings.Builder
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg.WearPerDay = 0
	rounds = 0
	cfg.Status = func(s pipeline.Summary) {
		switch rounds++; rounds {
		case all / 6:
			begin()
		case all / 2:
			end()
		}
		if !s.Store.Failing.IsZero() {
			failed++
			if !strings.Contains(s.Store.Error, reason) {
				t.Errorf("health says %q", s.Store.Error)
			}
		}
	}
	sum, err := pipeline.Run(t.Context(), open(t, capture), st, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("%d rounds, %d of them failing", rounds, failed); failed == 0 || !sum.Store.Failing.IsZero() || sum.Store.Dropped != 0 {
		t.Errorf("failing in %d of %d rounds, at the end %+v", failed, rounds, sum.Store)
	}
	for _, want := range []string{"state cannot be kept", reason, "state is kept again"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log does not say %q once: %s", want, log.String())
		}
	}
	alerts, err := st.Alerts(t.Context(), store.Filter{OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(subjects(whole.Changes.Alerts), subjects(alerts)); diff != "" {
		t.Errorf("alerts (-without a state +stored):\n%s", diff)
	}
}

// mount makes a small file system in memory.
func mount(t *testing.T, options string) (dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system: run the tests as root, for instance in a container with CAP_SYS_ADMIN")
	}
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("needs to mount a small file system: %v: run in a container with CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fillUp leaves no room on a file system.
func fillUp(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}
