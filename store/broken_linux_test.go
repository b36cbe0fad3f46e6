package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/testkit"
)

// A file system that finds itself damaged becomes read-only under the open
// database. What is stored can be read, what cannot be stored is told why, and
// when it was repaired and mounted again the store goes on with it.
func TestFileSystemBecomesReadOnly(t *testing.T) {
	if !testkit.OwnMounts(t) {
		return
	}
	for _, readBefore := range []bool{false, true} {
		disk := testkit.NewDisk(t)
		s := openT(t, disk.Dir, Options{})
		for n := range 5 {
			checkpoint(t, s, numbered(n))
		}
		if readBefore {
			verifyNumbered(t, s)
		}
		checkpoint(t, s, numbered(5))
		disk.Break(t)
		for range 3 {
			err := s.Checkpoint(t.Context(), numbered(6))
			if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "is the file system read-only? Remount it") {
				t.Fatalf("broken: got %v", err)
			}
		}
		if readBefore {
			if n := verifyNumbered(t, s); n != 5 {
				t.Errorf("broken: %d checkpoints are there, want 5", n)
			}
		} else if _, err := s.Sensor(t.Context()); !errors.Is(err, syscall.EROFS) {
			t.Errorf("broken, read for the first time: got %v", err)
		}

		disk.Mend(t)
		if n := verifyNumbered(t, s); n != 5 {
			t.Errorf("mended: %d checkpoints are there, want 5", n)
		}
		checkpoint(t, s, numbered(6))
		if n := verifyNumbered(t, s); n != 6 {
			t.Errorf("mended: %d checkpoints, want 6", n)
		}
		if _, err := Open(t.Context(), disk.Dir, Options{}); !errors.Is(err, ErrLocked) {
			t.Errorf("a second writer, mended: got %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := integrity(t, filepath.Join(disk.Dir, dbName)); got != "ok" {
			t.Errorf("integrity_check: %s", got)
		}
		again := openT(t, disk.Dir, Options{})
		if n := verifyNumbered(t, again); n != 6 {
			t.Errorf("opened again: %d checkpoints, want 6", n)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A page of the log's index that the kernel cannot provide ends a transaction,
// not the process.
func TestIndexOfTheLogIsCut(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	checkpoint(t, s, numbered(0))
	if err := os.Truncate(s.write.path+"-shm", 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint(t.Context(), numbered(1)); err == nil || !strings.Contains(err.Error(), "engine failed") {
		t.Errorf("got %v", err)
	}
	checkpoint(t, s, numbered(1))
	if n := verifyNumbered(t, s); n != 1 {
		t.Errorf("%d checkpoints, want 1", n)
	}
}

// A database that is taken away is missed at once, and found again.
func TestDatabaseIsMovedAway(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	checkpoint(t, s, numbered(0))
	away := filepath.Join(t.TempDir(), dbName)
	move := func(from, to string) {
		t.Helper()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Rename(from+suffix, to+suffix); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := s.write.path
	move(path, away)
	for range 2 {
		err := s.Checkpoint(t.Context(), numbered(1))
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path+" is gone") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another was made: %v", err)
	}
	// One that is empty is not taken for it.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.WriteFile(path+suffix, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Checkpoint(t.Context(), numbered(1)); !errors.Is(err, ErrOlder) || !strings.Contains(err.Error(), "another one than before") {
		t.Errorf("with an empty one in its place: got %v", err)
	}
	move(away, path)
	checkpoint(t, s, numbered(1))
	if n := verifyNumbered(t, s); n != 1 {
		t.Errorf("put back: %d checkpoints, want 1", n)
	}
}
