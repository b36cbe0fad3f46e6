package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"
)

// withRaw runs SQL on the database file of a closed store.
func withRaw(tb testing.TB, path, sql string) {
	tb.Helper()
	db, err := sqlite3.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(db.Exec(sql), db.Close()); err != nil {
		tb.Fatal(err)
	}
}

// rows reads the first column of a query on a database file.
func rows(tb testing.TB, path, sql string) (out []string) {
	tb.Helper()
	db, err := sqlite3.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	err = query(db, sql, nil, func(row *sqlite3.Stmt) error {
		out = append(out, row.ColumnText(0))
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestMigrationKeepsRowsAndABackup(t *testing.T) {
	dir, _ := stored(t, 3)
	path := filepath.Join(dir, dbName)
	known, err := embeddedMigrations()
	if err != nil {
		t.Fatal(err)
	}
	first := len(known)
	known = append(known,
		migration{first + 1, "add.sql", "ALTER TABLE device ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"},
		// A STRICT table needs column types, so this step fails at its end.
		migration{first + 2, "change.sql", "UPDATE device SET note = 'seen'; CREATE TABLE extra (x) STRICT"},
	)
	var log bytes.Buffer
	opts := Options{Log: logTo(&log), Now: fixedNow}.withDefaults()
	if _, err := open(t.Context(), dir, opts, known); err == nil || !strings.Contains(err.Error(), "change.sql") {
		t.Fatalf("a migration that fails: got %v", err)
	}
	if got := rows(t, path, "SELECT note FROM device"); !cmp.Equal(got, []string{"none"}) {
		t.Errorf("after the failure: note is %q", got)
	}
	if got := rows(t, path, "PRAGMA user_version"); !cmp.Equal(got, []string{strconv.Itoa(first + 1)}) {
		t.Errorf("after the failure: schema %q, want %d", got, first+1)
	}

	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("a program that knows only %d: got %v", first, err)
	}
	if _, err := open(t.Context(), dir, Options{ReadOnly: true}.withDefaults(), known); !errors.Is(err, ErrOlder) {
		t.Errorf("a reader, half-way: got %v", err)
	}

	known[first+1].sql = "UPDATE device SET note = 'seen'"
	s, err := open(t.Context(), dir, opts, known)
	if err != nil {
		t.Fatal(err)
	}
	if n := verifyNumbered(t, s); n != 3 {
		t.Errorf("after the migration: %d checkpoints, want 3", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, path, "SELECT note FROM device"); !cmp.Equal(got, []string{"seen"}) {
		t.Errorf("after the migration: note is %q", got)
	}

	// The backup of before the first step opens with the old program.
	backup := path + ".schema-" + strconv.Itoa(first) + "-20240506T070809Z"
	info, err := os.Stat(backup)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("backup has mode %v", info.Mode())
	}
	old := t.TempDir()
	if err := os.Rename(backup, filepath.Join(old, dbName)); err != nil {
		t.Fatal(err)
	}
	if n := verifyNumbered(t, openT(t, old, Options{})); n != 3 {
		t.Errorf("backup: %d checkpoints, want 3", n)
	}
	if !strings.Contains(log.String(), backup) {
		t.Errorf("log does not name the backup: %s", log.String())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir, _ := stored(t, 1)
	path := filepath.Join(dir, dbName)
	withRaw(t, path, "PRAGMA user_version = 99")
	for _, readOnly := range []bool{false, true} {
		_, err := Open(t.Context(), dir, Options{ReadOnly: readOnly})
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "schema 99") {
			t.Errorf("read-only %v: got %v", readOnly, err)
		}
	}
	if got := rows(t, path, "SELECT count(*) FROM alert"); !cmp.Equal(got, []string{"2"}) {
		t.Errorf("alerts left: %q", got)
	}
}

func TestForeignDatabaseIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, dbName)
	withRaw(t, path, "CREATE TABLE song (title TEXT); INSERT INTO song VALUES ('x')")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		if _, err := Open(t.Context(), dir, Options{ReadOnly: readOnly}); !errors.Is(err, ErrForeign) {
			t.Errorf("read-only %v: got %v", readOnly, err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed, %v", err)
	}
}

func TestMigrationFilesAreNumbered(t *testing.T) {
	file := func(sql string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(sql)} }
	got, err := readMigrations(fstest.MapFS{
		"migrations/0002_b.sql": file("b"), "migrations/0001_a.sql": file("a"), "migrations/README.md": file(""),
	})
	want := []migration{{1, "0001_a.sql", "a"}, {2, "0002_b.sql", "b"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(migration{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, names := range [][]string{
		{"migrations/0002_b.sql"},
		{"migrations/0001_a.sql", "migrations/0003_c.sql"},
		{"migrations/0001_a.sql", "migrations/0001_b.sql"},
		{"migrations/first.sql"},
	} {
		files := fstest.MapFS{}
		for _, name := range names {
			files[name] = file("")
		}
		if _, err := readMigrations(files); err == nil {
			t.Errorf("%v: accepted", names)
		}
	}
}
