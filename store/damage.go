package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"

	"gatehouse/alert"
	"gatehouse/device"
)

// quickCheck reads the whole database for damage. It takes the time of reading
// the file once; what it leaves out compared with integrity_check is whether
// indexes agree with their tables, which damage of the medium rarely spares.
func quickCheck(db *sqlite3.Conn) error {
	err := query(db, "PRAGMA quick_check(1)", nil, func(row *sqlite3.Stmt) error {
		if finding := row.ColumnText(0); finding != "ok" {
			return fmt.Errorf("%w: %s", sqlite3.CORRUPT, finding)
		}
		return nil
	})
	return asDamage(err)
}

// trial stores a row of each kind and takes it back, which writes nothing to
// the disk. It meets what quickCheck cannot see: a schema that is well-formed
// and not ours any more, in which every checkpoint would fail.
func trial(c *conn) error {
	const id = "trial"
	none := []byte("null")
	batch := Batch{
		Removed:      []string{id},
		Alerts:       []alert.Alert{{ID: id, Severity: 1}},
		Incidents:    []alert.Incident{{ID: id, Severity: 1}},
		Observations: []alert.Observation{{}},
		Devices:      []DeviceRow{{ID: id, Data: none}},
		Baselines:    []BaselineRow{{Device: id}},
		Minutes:      []device.Minute{{Device: id}},
		Hours:        []device.Minute{{Device: id}},
		Sensor:       none,
		Run:          &Run{ID: id, Data: none},
	}
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := batch.put(&queue{c: c, sinks: -1})
	if !c.db.GetAutocommit() {
		err = errors.Join(err, c.rollback())
	}
	return asDamage(err)
}

// asDamage is for statements that work on every sound database of ours: if
// SQLite finds them wrong, the schema is.
func asDamage(err error) error {
	for _, code := range []sqlite3.ErrorCode{sqlite3.ERROR, sqlite3.CONSTRAINT, sqlite3.MISMATCH} {
		if errors.Is(err, code) {
			return fmt.Errorf("%w: %w", sqlite3.CORRUPT, err)
		}
	}
	return err
}

// setAside renames a damaged database and its log, so that somebody can try
// to recover from them, and logs where they are.
func setAside(ctx context.Context, c *conn, why error, opts Options) error {
	err := c.do(ctx, func(*sqlite3.Conn) error { return c.hangUp() })
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	to := unusedName(c.path + ".damaged-" + stamp(opts.Now()))
	// SQLite finds a log by the name of its database. The -shm goes along
	// because a reader may still have it mapped.
	for _, suffix := range []string{"-shm", "-wal", ""} {
		err := os.Rename(c.path+suffix, to+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return translate(ctx, c.path, fmt.Errorf("set the damaged database aside: %w", err))
		}
	}
	if err := syncDir(filepath.Dir(c.path)); err != nil {
		return translate(ctx, c.path, err)
	}
	opts.Log.WarnContext(ctx, "the state was damaged: set aside, starting with an empty one",
		"file", c.path, "kept", to, "reason", why)
	return nil
}

// copyDatabase writes a compact copy of the database, under the same key. The
// copy must not exist yet, and appears under its name only when it is complete
// and on the disk.
func copyDatabase(db *sqlite3.Conn, d *disk, to string) (err error) {
	part := to + ".part"
	// A part left by an earlier attempt is worth nothing.
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(part)
		}
	}()
	// VACUUM INTO accepts an empty file: this way it has our mode.
	uri := url.URL{Scheme: "file", Path: part}
	if d.cipher != nil {
		uri.RawQuery = fmt.Sprintf("hexkey=%x", d.cipher.secret)
	}
	if err := query(db, "VACUUM INTO ?", []any{uri.String()}, nil); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(part, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// stamp is the form of a time in file names.
func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// unusedName returns name, or name-2 and so on if there is such a file. The
// lock on the directory keeps others from taking it in between.
func unusedName(name string) string {
	candidate := name
	for i := 2; ; i++ {
		if _, err := os.Lstat(candidate); errors.Is(err, fs.ErrNotExist) {
			return candidate
		}
		candidate = fmt.Sprintf("%s-%d", name, i)
	}
}
