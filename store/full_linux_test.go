package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// smallDisk mounts a file system in memory.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system: run the tests as root, for instance in a container with CAP_SYS_ADMIN")
	}
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs to mount a small file system: %v: run in a container with CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func checkFull(t *testing.T, err error, path string) {
	t.Helper()
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	for _, want := range []string{path, "disk is full", "free space"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("message %q does not say %q", err, want)
		}
	}
}

func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "2m") // too small to set anything aside
	s := openT(t, dir, Options{})
	whole, n := -1, 0
	for ; n < 1000; n++ { // 20 kB each
		err := s.Checkpoint(t.Context(), numbered(n))
		if err == nil {
			whole = n
			continue
		}
		checkFull(t, err, filepath.Join(dir, dbName))
		if !strings.Contains(err.Error(), "alerts are kept") {
			break
		}
	}
	if whole < 10 || n > whole+20 {
		t.Fatalf("full after %d checkpoints, and for alerts after %d", whole, n)
	}
	state, err := s.Sensor(t.Context())
	if err != nil || nextNumber(state)-1 != whole {
		t.Errorf("after the failure: %d checkpoints, want %d, %v", nextNumber(state)-1, whole, err)
	}
	if alerts, err := s.Alerts(t.Context(), Filter{}); err != nil || len(alerts) != n {
		t.Errorf("after the failure: %d alerts, want %d, %v", len(alerts), n, err)
	}
	if err := s.Checkpoint(t.Context(), Batch{Sensor: make([]byte, 1<<20)}); !errors.Is(err, ErrFull) {
		t.Errorf("again: got %v", err)
	}

	// With space again, so do the checkpoints that failed.
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	for i := whole + 1; i <= n; i++ {
		checkpoint(t, s, numbered(i))
	}
	if got := verifyNumbered(t, s); got != n {
		t.Errorf("with space again: %d checkpoints, want %d", got, n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := integrity(t, filepath.Join(dir, dbName)); got != "ok" {
		t.Errorf("integrity_check: %s", got)
	}
}

// Alerts are kept on a full disk too, in space that was set aside, each with
// its place in the outbox, also when something goes on filling the disk. The
// space is set aside again when there is plenty.
func TestFullDiskKeepsAlerts(t *testing.T) {
	dir := smallDisk(t, "24m")
	clock := epoch2024
	s := openT(t, dir, Options{Now: func() time.Time { return clock }})
	reserved := func() int64 { return size(filepath.Join(dir, reserveName)) }
	if err := s.SetSinks(t.Context(), []string{"siem"}); err != nil {
		t.Fatal(err)
	}
	checkpoint(t, s, numbered(0))
	if reserved() != reserveSize {
		t.Fatalf("%d bytes are set aside", reserved())
	}
	fillUp(t, dir)
	last := 0
	for {
		err := s.Checkpoint(t.Context(), numbered(last+1))
		checkFull(t, err, filepath.Join(dir, dbName))
		if !strings.Contains(err.Error(), "alerts are kept") {
			break
		}
		last++
		fillUp(t, dir)
	}
	if last < reserveSize/reserveStep || reserved() != 0 {
		t.Errorf("%d checkpoints, %d bytes are left", last, reserved())
	}

	// What was kept is on the disk, for whoever comes next.
	next := openT(t, dir, Options{ReadOnly: true})
	alerts, err := next.Alerts(t.Context(), Filter{})
	if err != nil || len(alerts) != last+1 {
		t.Errorf("%d alerts of %d, %v", len(alerts), last+1, err)
	}
	if waiting, err := s.Waiting(t.Context(), 0, 1000); err != nil || len(waiting) < last+1 {
		t.Errorf("%d notices of %d, %v", len(waiting), last+1, err)
	}

	for _, name := range ballast(t, dir) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= last+1; n++ { // the rest of them comes now
		clock = clock.Add(time.Second)
		checkpoint(t, s, numbered(n))
	}
	if n := verifyNumbered(t, s); n != last+1 {
		t.Errorf("with space again: %d checkpoints, want %d", n, last+1)
	}
	clock = clock.Add(reserveEvery)
	checkpoint(t, s, numbered(last+2))
	if reserved() != reserveSize {
		t.Errorf("with space again: %d bytes are set aside", reserved())
	}
}

// fillUp takes all space of a file system, with another file each time.
func fillUp(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("ballast-%03d", len(ballast(t, dir)))))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if closeErr := f.Close(); !errors.Is(err, syscall.ENOSPC) || closeErr != nil {
		t.Fatalf("fill the disk: %v, %v", err, closeErr)
	}
}

// ballast lists what fillUp has made.
func ballast(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "ballast-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestNoSpaceToBegin(t *testing.T) {
	dir := smallDisk(t, "64k")
	if err := os.WriteFile(filepath.Join(dir, "other"), make([]byte, 60<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir, Options{})
	checkFull(t, err, filepath.Join(dir, dbName))
}

// The same without a mount: SQLite refuses to grow the file.
func TestQuota(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	checkpoint(t, s, numbered(0))
	err := s.write.do(t.Context(), func(db *sqlite3.Conn) error { return db.Exec("PRAGMA max_page_count = 40") })
	if err != nil {
		t.Fatal(err)
	}
	// The big row comes first, so that rows after it would be stored if the
	// failure did not end the checkpoint.
	next := numbered(1)
	next.Alerts[0].Summary = strings.Repeat("x", 1<<20)
	checkFull(t, s.Checkpoint(t.Context(), next), s.write.path)
	if n := verifyNumbered(t, s); n != 0 {
		t.Errorf("after the failure: %d checkpoints, want 0", n)
	}
}

func TestReadOnlyFileSystem(t *testing.T) {
	dir := smallDisk(t, "4m")
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=4m"); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkpoint(t, s, numbered(0))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	remount(syscall.MS_RDONLY)
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("to write: got %v", err)
	}
	r, err := Open(t.Context(), dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatalf("to read: %v", err)
	}
	if n := verifyNumbered(t, r); n != 0 {
		t.Errorf("to read: %d checkpoints, want 0", n)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	// A log that was not folded back, without the memory that went with it.
	remount(0)
	if err := os.WriteFile(filepath.Join(dir, dbName+"-wal"), []byte("newer pages"), 0o600); err != nil {
		t.Fatal(err)
	}
	remount(syscall.MS_RDONLY)
	if _, err := Open(t.Context(), dir, Options{ReadOnly: true}); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "log") {
		t.Errorf("to read, with a log: got %v", err)
	}
	remount(0)
}

// asNobody runs fn without root's rights on files. The thread is not given
// back, so it ends with its goroutine.
func asNobody(t *testing.T, fn func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		return fn()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			done <- fmt.Errorf("setfsuid: %w", err)
			return
		}
		done <- fn()
	}()
	return <-done
}

func TestNoPermission(t *testing.T) {
	dir, _ := stored(t, 0)
	for _, locked := range []string{dir, filepath.Join(dir, dbName)} {
		if err := os.Chmod(locked, 0); err != nil {
			t.Fatal(err)
		}
		for _, readOnly := range []bool{false, true} {
			err := asNobody(t, func() error {
				_, err := Open(t.Context(), dir, Options{ReadOnly: readOnly})
				return err
			})
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "run as the owner") {
				t.Errorf("%s closed, read-only %v: got %v", locked, readOnly, err)
			}
		}
		if err := os.Chmod(locked, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// A look by root must not leave files that the daemon's user cannot open.
func TestReaderGivesFilesToTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to look at the state of another user")
	}
	dir, _ := stored(t, 0)
	const uid = 65534
	for _, name := range []string{dir, filepath.Join(dir, dbName)} {
		if err := os.Chown(name, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	s := openT(t, dir, Options{ReadOnly: true})
	readAll(t, s)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(filepath.Join(dir, dbName+suffix))
		if err != nil {
			t.Fatal(err)
		}
		if sys := info.Sys().(*syscall.Stat_t); sys.Uid != uid || info.Mode() != 0o600 {
			t.Errorf("%s: owner %d, mode %v", info.Name(), sys.Uid, info.Mode())
		}
	}
}
