package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// applicationID marks a database as ours: "GATE" in ASCII
// (https://sqlite.org/pragma.html#pragma_application_id).
const applicationID = 0x47415445

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration brings the schema from version-1 to version.
type migration struct {
	version int
	name    string // file name, for messages
	sql     string
}

// embeddedMigrations are those that this program knows, oldest first.
func embeddedMigrations() ([]migration, error) {
	return readMigrations(migrationFiles)
}

// readMigrations reads files called migrations/NNNN_what.sql, which must be
// numbered from 1 without gaps.
func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var out []migration
	for i, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: want number %04d", name, i+1)
		}
		sql, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		out = append(out, migration{version, path.Base(name), string(sql)})
	}
	return out, nil
}

// inspect returns the schema version of a database, 0 for a fresh one, and
// refuses one that is not ours.
func inspect(db *sqlite3.Conn, path string) (version int, err error) {
	var application, objects int
	err = query(db, `
		SELECT (SELECT user_version FROM pragma_user_version),
		       (SELECT application_id FROM pragma_application_id),
		       (SELECT count(*) FROM sqlite_schema)`,
		nil, func(row *sqlite3.Stmt) error {
			version, application, objects = row.ColumnInt(0), row.ColumnInt(1), row.ColumnInt(2)
			return nil
		})
	if err != nil {
		return 0, asDamage(err)
	}
	if application != applicationID && (objects > 0 || version != 0 || application != 0) {
		return 0, explain(path+" is a database of another program: choose another --state directory", ErrForeign)
	}
	if version < 0 {
		return 0, fmt.Errorf("%w: schema version %d", sqlite3.CORRUPT, version)
	}
	return version, nil
}

// refuseNewer refuses a schema that this program cannot know.
func refuseNewer(path string, version, newest int) error {
	if version <= newest {
		return nil
	}
	return explain(fmt.Sprintf("%s was written by a newer gatehouse (schema %d; this one knows up to %d): update gatehouse, or choose another --state directory",
		path, version, newest), ErrNewer)
}

// migrate brings the schema up to date, one transaction per step.
func migrate(ctx context.Context, c *conn, d *disk, path string, opts Options, known []migration) error {
	version, err := inspect(c.db, path)
	if err != nil {
		return err
	}
	if err := refuseNewer(path, version, len(known)); err != nil {
		return err
	}
	if version == 0 {
		return create(c, known)
	}
	if version < len(known) {
		backup := unusedName(fmt.Sprintf("%s.schema-%d-%s", path, version, stamp(opts.Now())))
		if err := copyDatabase(c.db, d, backup); err != nil {
			return fmt.Errorf("write backup %s before changing the schema: %w", backup, err)
		}
		opts.Log.InfoContext(ctx, "backup written before a change of the schema", "file", backup, "schema", version)
	}
	for _, m := range known[version:] {
		if err := m.apply(c); err != nil {
			return fmt.Errorf("apply migration %s: %w", m.name, err)
		}
		opts.Log.InfoContext(ctx, "schema changed", "file", path, "schema", m.version)
	}
	return nil
}

// create makes a fresh database, all steps at once: whoever is killed in
// between leaves an empty one, and no older one that would need a backup.
func create(c *conn, known []migration) error {
	return c.inTransaction(func() error {
		for _, m := range known {
			if err := m.exec(c.db); err != nil {
				return fmt.Errorf("apply migration %s: %w", m.name, err)
			}
		}
		return nil
	})
}

func (m migration) apply(c *conn) error {
	return c.inTransaction(func() error { return m.exec(c.db) })
}

func (m migration) exec(db *sqlite3.Conn) error {
	// Both numbers are part of the database and of the transaction.
	return db.Exec(fmt.Sprintf("%s\n; PRAGMA application_id = %d; PRAGMA user_version = %d;", m.sql, applicationID, m.version))
}
