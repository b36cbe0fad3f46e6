package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// maxMemory bounds what SQLite may allocate per connection, in bytes. It is
// reserved as address space and used only as far as needed: two connections
// fit into the 2 GiB that a 32-bit MIPS process has.
const maxMemory = 64 << 20

// MaxBlob bounds a baseline, the sensor state and every text, in bytes. To
// replace a value SQLite holds up to five copies of it, old and new: measured,
// 16 MiB do not fit into maxMemory.
const MaxBlob = 8 << 20

// mode is how a connection is opened, as an SQLite URI parameter.
type mode string

const (
	readWrite mode = "mode=rw"
	readOnly  mode = "mode=ro"
	// immutable reads a file that nobody writes, without locks and without
	// the -shm file: all that works on a read-only file system.
	immutable mode = "mode=ro&immutable=1"
)

// conn is one SQLite connection. It serves one caller at a time.
type conn struct {
	path string
	open func(context.Context) (*sqlite3.Conn, error)

	turn   chan struct{} // holds one token while the connection is in use
	db     *sqlite3.Conn // nil until needed
	file   os.FileInfo   // what was opened; nil before the first time
	stmts  map[string]*sqlite3.Stmt
	forced bool // commits go to the disk at once (synchronous is FULL)
	closed bool
}

// newConn returns a connection that is opened when it is first used.
func newConn(path string, open func(context.Context) (*sqlite3.Conn, error)) *conn {
	return &conn{path: path, open: open, turn: make(chan struct{}, 1), stmts: map[string]*sqlite3.Stmt{}}
}

// dial opens an existing database file.
func dial(ctx context.Context, path string, d *disk, m mode, busy time.Duration) (*sqlite3.Conn, error) {
	// modeof gives the log the mode and owner of the database.
	query := string(m) + "&vfs=" + d.name + "&modeof=" + url.QueryEscape(path)
	uri := url.URL{Scheme: "file", Path: path, RawQuery: query}
	db, err := sqlite3.OpenContext(sqlite3.WithMaxMemory(ctx, maxMemory), uri.String())
	if err != nil {
		return nil, err
	}
	if d.cipher != nil {
		err = db.Exec(d.cipher.pragma())
	}
	if err == nil {
		err = harden(db, busy)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// harden sets what every connection needs, whatever it is used for.
func harden(db *sqlite3.Conn, busy time.Duration) error {
	if err := db.BusyTimeout(busy); err != nil {
		return err
	}
	// A database file can be crafted so that its schema runs code or cheats
	// the parser: https://sqlite.org/security.html#untrusted_sqlite_database_files
	if _, err := db.Config(sqlite3.DBCONFIG_DEFENSIVE, true); err != nil {
		return err
	}
	// Whoever closes the last connection folds the log back and deletes it:
	// not a reader, and nobody who has just found the database damaged.
	if _, err := db.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		return err
	}
	return db.Exec(`
		PRAGMA trusted_schema = OFF;
		PRAGMA cell_size_check = ON;
		PRAGMA foreign_keys = ON;
		PRAGMA temp_store = MEMORY; -- a sandboxed daemon has no temporary directory
	`)
}

// do runs fn with the connection to itself until ctx ends. Errors come back in
// the user's words.
func (c *conn) do(ctx context.Context, fn func(*sqlite3.Conn) error) (err error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if c.closed {
		return fmt.Errorf("%s: %w", c.path, fs.ErrClosed)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// The library panics when SQLite runs out of memory or, on a crafted
	// file, out of its sandbox; and the index of the log is a file in memory,
	// of which the kernel may have no page when the medium fails or somebody
	// cuts it. None of that may take the daemon down.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			c.abandon()
			err = fmt.Errorf("%s: database engine failed: %v", c.path, p)
		}
	}()
	if err := c.ready(ctx); err != nil {
		return translate(ctx, c.path, err)
	}
	defer c.db.SetInterrupt(c.db.SetInterrupt(ctx))
	return translate(ctx, c.path, fn(c.db))
}

// ready opens the file if it is not open, and again if there is another in its
// place: a file system that was repaired and mounted anew.
func (c *conn) ready(ctx context.Context) error {
	info, err := os.Stat(c.path)
	if c.db != nil {
		if err == nil && os.SameFile(info, c.file) || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		// Closed in the usual way, it might delete the log of the other one.
		if _, err := c.db.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
			return err
		}
		_ = c.hangUp() // what it says is about a file that is not there any more
	}
	if c.file != nil && errors.Is(err, fs.ErrNotExist) {
		return explain(c.path+" is gone: it was moved or deleted while in use. Put it back, or restart gatehouse to begin a new one", err)
	}
	if c.db, err = c.open(ctx); err != nil {
		return err
	}
	c.file, err = os.Stat(c.path)
	return err
}

// transact runs fn in one transaction: all of it is stored, or nothing.
func (c *conn) transact(ctx context.Context, fn func(*sqlite3.Conn) error) error {
	return c.do(ctx, func(db *sqlite3.Conn) error { return c.inTransaction(func() error { return fn(db) }) })
}

// force says whether the next commits are forced to the disk.
func (c *conn) force(on bool) error {
	if c.forced == on {
		return nil
	}
	level := "NORMAL"
	if on {
		level = "FULL"
	}
	if err := c.db.Exec("PRAGMA synchronous = " + level); err != nil {
		return err
	}
	c.forced = on
	return nil
}

// inTransaction takes the write lock at the start: taking it halfway could
// fail without a wait (https://sqlite.org/rescode.html#busy_snapshot). Its
// statements are ours, so that abandon can close them.
func (c *conn) inTransaction(fn func() error) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = c.exec("COMMIT")
	}
	// SQLite ends the transaction itself on a full disk and the like.
	if err != nil && !c.db.GetAutocommit() {
		err = errors.Join(err, c.rollback())
	}
	return err
}

// rollback ends a transaction also when time is up.
func (c *conn) rollback() error {
	defer c.db.SetInterrupt(c.db.SetInterrupt(context.Background()))
	return c.exec("ROLLBACK")
}

// exec runs a statement that returns no rows. It is prepared once.
func (c *conn) exec(query string, args ...any) error {
	stmt, ok := c.stmts[query]
	if !ok {
		var err error
		if stmt, _, err = c.db.PrepareFlags(query, sqlite3.PREPARE_PERSISTENT); err != nil {
			return err
		}
		c.stmts[query] = stmt
	}
	if err := bind(stmt, args); err != nil {
		return err
	}
	// Bound models must not stay in memory until the next checkpoint.
	return errors.Join(stmt.Exec(), stmt.ClearBindings())
}

// number runs a statement that returns one number. It is for use within
// transactions.
func (c *conn) number(sql string, args ...any) (n int64, err error) {
	err = query(c.db, sql, args, func(row *sqlite3.Stmt) error {
		n = row.ColumnInt64(0)
		return nil
	})
	return n, err
}

// query runs a statement and hands every row to scan.
func query(db *sqlite3.Conn, sql string, args []any, scan func(*sqlite3.Stmt) error) (err error) {
	stmt, _, err := db.Prepare(sql)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	if err := bind(stmt, args); err != nil {
		return err
	}
	for stmt.Step() {
		if err := scan(stmt); err != nil {
			return err
		}
	}
	return stmt.Err()
}

// bind sets the parameters of a statement, in order.
func bind(stmt *sqlite3.Stmt, args []any) error {
	for i, arg := range args {
		if err := bindOne(stmt, i+1, arg); err != nil {
			return fmt.Errorf("bind parameter %d: %w", i+1, err)
		}
	}
	return nil
}

func bindOne(stmt *sqlite3.Stmt, param int, arg any) error {
	switch v := arg.(type) {
	case int:
		return stmt.BindInt64(param, int64(v))
	case int64:
		return stmt.BindInt64(param, v)
	case float64:
		return stmt.BindFloat(param, finite(v))
	case time.Time:
		return stmt.BindInt64(param, nanos(v))
	case string:
		if len(v) > MaxBlob {
			return fmt.Errorf("text of %d bytes exceeds %d", len(v), MaxBlob)
		}
		return stmt.BindText(param, clean(v))
	case []byte:
		if len(v) > MaxBlob {
			return fmt.Errorf("value of %d bytes exceeds %d", len(v), MaxBlob)
		}
		return stmt.BindBlob(param, v)
	default:
		return fmt.Errorf("cannot store a %T", arg)
	}
}

// close closes the connection for good. It waits for who uses it.
func (c *conn) close() error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.closed = true
	return c.hangUp()
}

// hangUp closes the connection; the next use opens it again.
func (c *conn) hangUp() error {
	db := c.db
	if db == nil {
		return nil
	}
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	clear(c.stmts)
	c.db, c.forced = nil, false
	return errors.Join(append(errs, db.Close())...)
}

// abandon gives up a connection whose engine has failed. Closing it frees its
// locks; each step may fail again, and then there is nothing more to be done.
func (c *conn) abandon() {
	db := c.db
	if db == nil {
		return
	}
	for _, step := range []func(){
		func() { _, _ = db.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true) }, // what it would fold back may be nonsense
		func() {
			for _, stmt := range slices.Collect(db.Stmts()) {
				_ = stmt.Close()
			}
		},
		func() { _ = db.Close() }, // and with it goes the transaction
	} {
		func() {
			defer func() { _ = recover() }() // that it fails was told
			step()
		}()
	}
	c.db, c.forced = nil, false
	clear(c.stmts)
}
