package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "state")
	s := openT(t, dir, Options{})
	checkpoint(t, s, Batch{Sensor: []byte("x")})
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		names[e.Name()] = true
		if info.Mode() != 0o600 {
			t.Errorf("%s: mode %v, want -rw-------", e.Name(), info.Mode())
		}
	}
	for _, want := range []string{dbName, dbName + "-wal", dbName + "-shm", lockName} {
		if !names[want] {
			t.Errorf("no file %s", want)
		}
	}
}

func TestSecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, dir, Options{})
	_, err := Open(t.Context(), dir, Options{})
	var locked *LockedError
	if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) {
		t.Fatalf("got %v", err)
	}
	if locked.PID != os.Getpid() || locked.Dir != dir {
		t.Errorf("got %+v, want pid %d, dir %s", locked, os.Getpid(), dir)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openT(t, dir, Options{})
}

func TestReadOnlyNeedsAStore(t *testing.T) {
	empty := t.TempDir()
	file := filepath.Join(empty, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	justBegun := t.TempDir()
	if err := makeFiles(filepath.Join(justBegun, dbName)); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"no directory":        filepath.Join(empty, "absent"),
		"empty directory":     empty,
		"file":                file,
		"writer has no table": justBegun,
	} {
		_, err := Open(t.Context(), dir, Options{ReadOnly: true})
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if want := "no Gatehouse state in " + dir + ": run gatehouse replay --state " + dir + " first"; err.Error() != want {
			t.Errorf("%s: got %q, want %q", name, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(empty, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("reading has created the directory")
	}
}

func TestReadOnlyWritesNothing(t *testing.T) {
	dir := t.TempDir()
	openT(t, dir, Options{})
	s := openT(t, dir, Options{ReadOnly: true})
	_, pruneErr := s.Prune(t.Context(), epoch2024, DefaultRetention())
	for name, err := range map[string]error{
		"checkpoint": s.Checkpoint(t.Context(), Batch{}),
		"prune":      pruneErr,
		"forget":     s.Forget(t.Context(), "d"),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestReaderSeesEachCheckpointAsAWhole(t *testing.T) {
	dir := t.TempDir()
	w := openT(t, dir, Options{})
	checkpoint(t, w, numbered(0))
	r := openT(t, dir, Options{ReadOnly: true})

	const last = 100
	written := make(chan error, 1)
	go func() {
		for i := 1; i <= last; i++ {
			if err := w.Checkpoint(context.Background(), numbered(i)); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	var writeErr error
	for running, reads := true, 0; running || reads == 0; reads++ {
		select {
		case writeErr = <-written:
			running = false
		default:
		}
		alerts, err := r.Alerts(t.Context(), Filter{OldestFirst: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range alerts {
			if a.ID != alertID(i) {
				t.Fatalf("alert %d of %d is %s", i, len(alerts), a.ID)
			}
		}
	}
	if writeErr != nil {
		t.Fatal(writeErr)
	}
	if n := verifyNumbered(t, r); n != last {
		t.Errorf("reader sees %d checkpoints in the end, want %d", n, last)
	}
}

func TestUseAfterClose(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Checkpoint(t.Context(), Batch{}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("checkpoint: got %v", err)
	}
	if _, err := s.Devices(t.Context()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("devices: got %v", err)
	}
}

func TestContextEnds(t *testing.T) {
	s := openT(t, t.TempDir(), Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("shutting down")
	cancel(why)
	if err := s.Checkpoint(ctx, numbered(1)); !errors.Is(err, why) {
		t.Errorf("checkpoint: got %v", err)
	}
	if _, err := s.Alerts(ctx, Filter{}); !errors.Is(err, why) {
		t.Errorf("alerts: got %v", err)
	}
	if _, err := Open(ctx, t.TempDir(), Options{}); !errors.Is(err, why) {
		t.Errorf("open: got %v", err)
	}
	if got := readAll(t, s); len(got.Alerts) != 0 {
		t.Errorf("a cancelled checkpoint has stored %d alerts", len(got.Alerts))
	}
	checkpoint(t, s, numbered(0)) // and the store still works
}

// logTo returns a logger that writes to a buffer.
func logTo(buf *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(buf, nil))
}
