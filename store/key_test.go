package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testKey(tb testing.TB, cipher Cipher, seed string) *Key {
	tb.Helper()
	key, err := NewKey(cipher, bytes.Repeat([]byte(seed), 40))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func TestEncryption(t *testing.T) {
	for _, cipher := range []Cipher{AESXTS, Adiantum} {
		t.Run(string(cipher), func(t *testing.T) {
			dir := t.TempDir()
			key := testKey(t, cipher, "a")
			s := openT(t, dir, Options{Key: key})
			want := fullBatch(t)
			checkpoint(t, s, want)
			beside := openT(t, dir, Options{Key: key, ReadOnly: true})
			if diff := cmp.Diff(want.Alerts, readAll(t, beside).Alerts); diff != "" {
				t.Errorf("beside the writer (-want +got):\n%s", diff)
			}
			noPlainText(t, dir)
			if err := errors.Join(beside.Close(), s.Close()); err != nil {
				t.Fatal(err)
			}
			noPlainText(t, dir)

			for name, wrong := range map[string]*Key{
				"no key":       nil,
				"another key":  testKey(t, cipher, "b"),
				"other cipher": testKey(t, map[Cipher]Cipher{AESXTS: Adiantum, Adiantum: AESXTS}[cipher], "a"),
			} {
				for _, readOnly := range []bool{false, true} {
					if _, err := Open(t.Context(), dir, Options{Key: wrong, ReadOnly: readOnly}); !errors.Is(err, ErrKey) {
						t.Errorf("%s, read-only %v: got %v", name, readOnly, err)
					}
				}
			}
			again := openT(t, dir, Options{Key: key})
			if diff := cmp.Diff(want.Alerts, readAll(t, again).Alerts); diff != "" {
				t.Errorf("after wrong keys (-want +got):\n%s", diff)
			}
		})
	}
}

// noPlainText looks for what every SQLite file and every alert has.
func noPlainText(t *testing.T, dir string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, dbName+suffix))
		if err != nil && suffix == "" {
			t.Fatal(err)
		}
		for _, plain := range []string{"SQLite format", "text-00", "CREATE TABLE"} {
			if bytes.Contains(b, []byte(plain)) {
				t.Errorf("%s%s contains %q", dbName, suffix, plain)
			}
		}
	}
}

func TestKeyForAPlainStore(t *testing.T) {
	dir, _ := stored(t, 3)
	for _, readOnly := range []bool{false, true} {
		_, err := Open(t.Context(), dir, Options{Key: testKey(t, AESXTS, "a"), ReadOnly: readOnly})
		if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "not encrypted") {
			t.Errorf("read-only %v: got %v", readOnly, err)
		}
	}
	if n := verifyNumbered(t, openT(t, dir, Options{})); n != 3 && n != 2 {
		t.Errorf("the plain store was changed: %d", n)
	}
}

func TestNewKey(t *testing.T) {
	if _, err := NewKey(AESXTS, []byte("too short")); err == nil {
		t.Error("short key: no error")
	}
	if _, err := NewKey("rot13", bytes.Repeat([]byte("x"), 64)); err == nil || !strings.Contains(err.Error(), "adiantum") {
		t.Errorf("unknown cipher: got %v", err)
	}
	a, err1 := NewKey(AESXTS, []byte(strings.Repeat("x", 40)))
	b, err2 := NewKey(AESXTS, []byte(strings.Repeat("x", 40)+"\r\n"))
	if errors.Join(err1, err2) != nil || a.check != b.check {
		t.Error("a line end behind the key makes another key")
	}
}

func TestDamagedSeal(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, dir, Options{Key: testKey(t, AESXTS, "a")})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, sealName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrKey) {
		t.Errorf("got %v", err)
	}
}

func TestBackup(t *testing.T) {
	for name, key := range map[string]*Key{"plain": nil, "encrypted": testKey(t, AESXTS, "a")} {
		t.Run(name, func(t *testing.T) {
			s := openT(t, t.TempDir(), Options{Key: key})
			for n := range 30 {
				checkpoint(t, s, numbered(n))
			}
			// From a second process, while the first goes on.
			reader := openT(t, s.Dir(), Options{Key: key, ReadOnly: true})
			dir := filepath.Join(t.TempDir(), "copy")
			done := make(chan error, 1)
			go func() { done <- reader.Backup(t.Context(), dir) }()
			for n := 30; n < 200; n++ {
				checkpoint(t, s, numbered(n))
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if key != nil {
				noPlainText(t, dir)
			}
			copied := openT(t, dir, Options{Key: key}) // a state like any other
			if n := verifyNumbered(t, copied); n < 29 {
				t.Errorf("the copy holds %d checkpoints", n+1)
			}
			if err := s.Backup(t.Context(), dir); !errors.Is(err, fs.ErrExist) {
				t.Errorf("over an existing state: %v", err)
			}
			info, err := os.Stat(filepath.Join(dir, dbName))
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
}

// An encrypted database that is damaged is set aside like any other.
func TestDamagedEncryptedDatabase(t *testing.T) {
	dir := t.TempDir()
	key := testKey(t, AESXTS, "a")
	s := openT(t, dir, Options{Key: key})
	checkpoint(t, s, fullBatch(t))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, dbName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fill(b[:pageSize], 0x55)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openT(t, dir, Options{Key: key, Now: fixedNow})
	if got := readAll(t, s); len(got.Alerts) != 0 {
		t.Errorf("%d alerts", len(got.Alerts))
	}
	if kept, err := os.ReadFile(path + ".damaged-20240506T070809Z"); err != nil || !bytes.Equal(kept, b) {
		t.Errorf("not kept as it was: %v", err)
	}
}
