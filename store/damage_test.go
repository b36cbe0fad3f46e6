package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// stored returns a directory with a closed store that holds the numbered
// checkpoints up to n, and the bytes of its database.
func stored(tb testing.TB, n int) (dir string, db []byte) {
	tb.Helper()
	dir = tb.TempDir()
	s, err := Open(tb.Context(), dir, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n + 1 {
		checkpoint(tb, s, numbered(i))
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	if db, err = os.ReadFile(filepath.Join(dir, dbName)); err != nil {
		tb.Fatal(err)
	}
	return dir, db
}

func fixedNow() time.Time { return time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC) }

func TestDamagedDatabaseIsSetAside(t *testing.T) {
	_, good := stored(t, 20)
	for _, c := range []struct {
		name   string
		damage func(b []byte) []byte
	}{
		{"not a database", func(b []byte) []byte { return []byte("hello, this is a text file and not a database") }},
		{"header", func(b []byte) []byte { copy(b, "SQLite format 4"); return b }},
		{"cut in half", func(b []byte) []byte { return b[:len(b)/2] }},
		{"cut within a page", func(b []byte) []byte { return b[:len(b)-1000] }},
		{"header alone", func(b []byte) []byte { return b[:100] }},
		{"column name", func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("summary    TEXT"), []byte("sommary    TEXT"))
		}},
		{"schema page", func(b []byte) []byte { fill(b[100:pageSize], 0xff); return b }},
		{"pages in the middle", func(b []byte) []byte { fill(b[len(b)/4:len(b)*3/4], 0xa5); return b }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, dbName)
			bad := c.damage(slices.Clone(good))
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			// Somebody has been here in the same second.
			kept := path + ".damaged-20240506T070809Z"
			if err := os.WriteFile(kept, []byte("earlier"), 0o600); err != nil {
				t.Fatal(err)
			}

			if err := readDamaged(t.Context(), dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("read-only: got %v", err)
			}

			var log bytes.Buffer
			s := openT(t, dir, Options{Log: logTo(&log), Now: fixedNow})
			if got := readAll(t, s); len(got.Alerts) != 0 {
				t.Errorf("the fresh store holds %d alerts", len(got.Alerts))
			}
			checkpoint(t, s, numbered(0))
			if got, err := os.ReadFile(kept); err != nil || string(got) != "earlier" {
				t.Errorf("a file set aside earlier was overwritten: %q, %v", got, err)
			}
			if got, err := os.ReadFile(kept + "-2"); err != nil || !bytes.Equal(got, bad) {
				t.Errorf("the damaged file was not kept as it was: %d of %d bytes, %v", len(got), len(bad), err)
			}
			if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), kept+"-2") {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

// readDamaged opens a store read-only and reads all of it: damage that opening
// does not meet is met by a read.
func readDamaged(ctx context.Context, dir string) error {
	s, err := Open(ctx, dir, Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer s.Close()
	var errs []error
	for _, err := range s.Baselines(ctx) {
		errs = append(errs, err)
	}
	_, err1 := s.Alerts(ctx, Filter{})
	_, err2 := s.Incidents(ctx, Filter{})
	_, err3 := s.Observations(ctx, Filter{})
	_, err4 := s.Devices(ctx)
	return errors.Join(append(errs, err1, err2, err3, err4)...)
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// The log of a process that was killed goes along with its database.
func TestLogIsSetAsideWithItsDatabase(t *testing.T) {
	_, db := stored(t, 5)
	dir := t.TempDir()
	path := filepath.Join(dir, dbName)
	fill(db[:16], 0)
	for name, b := range map[string][]byte{path: db, path + "-wal": []byte("log")} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openT(t, dir, Options{Now: fixedNow})
	got, err := os.ReadFile(path + ".damaged-20240506T070809Z-wal")
	if err != nil || string(got) != "log" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Whatever is in the file, a writer gets a working store or an error, a reader
// rows or an error, and nothing is lost.
func FuzzDamagedDatabase(f *testing.F) {
	_, good := stored(f, 3)
	for _, pos := range []uint32{0, 18, 28, 52, 60, 100, 103, 4096, 4100, 8192, 20_000} {
		f.Add(pos, []byte{0xff, 0xff, 0xff, 0xff}, uint32(0))
	}
	f.Add(uint32(0), []byte{}, uint32(4096))
	f.Add(uint32(0), []byte{}, uint32(5000))
	f.Fuzz(func(t *testing.T, pos uint32, patch []byte, cut uint32) {
		b := slices.Clone(good)
		copy(b[int(pos)%len(b):], patch)
		if cut > 0 {
			b = b[:int(cut)%len(b)]
		}
		dir := t.TempDir()
		path := filepath.Join(dir, dbName)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		err := readDamaged(t.Context(), dir)
		if err != nil && strings.Contains(err.Error(), "engine failed") {
			t.Errorf("read: %v", err)
		}
		s, err := Open(t.Context(), dir, Options{Now: fixedNow})
		if err != nil {
			if !errors.Is(err, ErrForeign) && !errors.Is(err, ErrNewer) {
				t.Errorf("open: %v", err)
			}
			return
		}
		defer s.Close()
		if err := s.Checkpoint(t.Context(), numbered(4)); err != nil {
			t.Errorf("checkpoint: %v", err)
		}
		if _, err := os.Stat(path + ".damaged-20240506T070809Z"); errors.Is(err, fs.ErrNotExist) {
			return // the damage was not seen, or there was none
		}
		if got, err := s.Alerts(t.Context(), Filter{}); err != nil || len(got) != 1 {
			t.Errorf("fresh store: got %d alerts, %v", len(got), err)
		}
	})
}

// One row that cannot be read must not hide the others.
func TestUnreadableRow(t *testing.T) {
	dir, _ := stored(t, 2)
	withRaw(t, filepath.Join(dir, dbName), `
		UPDATE alert SET body = '{"id": bent' WHERE id = 'alert-000000001';
		UPDATE device SET addresses = '['`)
	var log bytes.Buffer
	s := openT(t, dir, Options{ReadOnly: true, Log: logTo(&log)})

	alerts, err := s.Alerts(t.Context(), Filter{})
	if err != nil || len(alerts) != 2 {
		t.Errorf("got %d alerts, %v", len(alerts), err)
	}
	if byDevice, err := s.Alerts(t.Context(), Filter{Device: "d"}); err != nil || len(byDevice) != 0 {
		t.Errorf("by device: got %d alerts, %v", len(byDevice), err)
	}
	if _, err := s.Device(t.Context(), "192.0.2.1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("device by address: got %v", err)
	}
	devices, err := s.Devices(t.Context())
	if err != nil || len(devices) != 1 || string(devices[0].Data) != "2" {
		t.Errorf("got devices %+v, %v", devices, err)
	}
	if got := strings.Count(log.String(), "level=WARN"); got != 2 {
		t.Errorf("%d warnings, want 2: %s", got, log.String())
	}
	if _, err := s.Alert(t.Context(), "alert-000000001"); !errors.Is(err, ErrDamaged) {
		t.Errorf("the row itself: got %v", err)
	}
}
