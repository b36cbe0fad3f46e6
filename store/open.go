package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// How the file is laid out and written.
const (
	// pageSize, in bytes: every page that a checkpoint touches is written to
	// the log and folded back later, so larger pages make small checkpoints
	// dearer, and large ones hardly cheaper. Bytes written per checkpoint by
	// BenchmarkCheckpoint, log and database together:
	//
	//	                      4096    8192   16384
	//	1 alert              25 kB   46 kB   89 kB
	//	100 observations    264 kB  279 kB  306 kB
	//	100 x 16 KiB models 2.3 MB  2.3 MB  2.5 MB
	pageSize = 4096
	// walPages is the length of the log, in pages, at which it is folded back
	// into the database: 4 MiB. A page that changed in many checkpoints is
	// folded back once, so a short log would cost writes.
	walPages = 1024
	// walLimit, in bytes, is what a log that one huge transaction has blown up
	// shrinks to.
	walLimit = walPages * pageSize
	// cachePages bounds the page cache of a connection: 1 MiB.
	cachePages = 256
)

func openWriter(ctx context.Context, dir string, opts Options, known []migration) (_ *Store, err error) {
	path := filepath.Join(dir, dbName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, translate(ctx, path, fmt.Errorf("create state directory: %w", err))
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, lockFailed(ctx, path, err)
	}
	if err := checkKey(ctx, path, opts.Key, true); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	s := newStore(dir, opts)
	s.lock = lock
	prepared := false
	s.write = newConn(path, func(ctx context.Context) (*sqlite3.Conn, error) {
		if err := lock.renew(dir); err != nil {
			return nil, err
		}
		db, err := dialWriter(ctx, path, s.disk, opts.BusyTimeout)
		if err == nil && prepared {
			if err = expectSchema(db, path, len(known)); err != nil {
				return nil, errors.Join(err, db.Close())
			}
		}
		return db, err
	})
	s.read = newConn(path, func(ctx context.Context) (*sqlite3.Conn, error) {
		return dialReader(ctx, path, s.disk, readOnly, opts.BusyTimeout)
	})
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()

	err = s.prepare(ctx, path, opts, known)
	if errors.Is(err, ErrDamaged) {
		if err = setAside(ctx, s.write, err, opts); err != nil {
			return nil, err
		}
		err = s.prepare(ctx, path, opts, known)
	}
	if err != nil {
		return nil, err
	}
	prepared = true
	return s, nil
}

// expectSchema makes sure that a database which is opened again is the one that
// was prepared, and not one that a file system in its place has from long ago.
func expectSchema(db *sqlite3.Conn, path string, want int) error {
	version, err := inspect(db, path)
	if err == nil && version != want {
		err = explain(fmt.Sprintf("%s is another one than before (schema %d, not %d): restart gatehouse to go on with it", path, version, want), ErrOlder)
	}
	return err
}

func newStore(dir string, opts Options) *Store {
	return &Store{dir: dir, reserve: reserve{dir: dir}, log: opts.Log, now: opts.Now, maxWaiting: opts.MaxWaiting, disk: newDisk(opts.Key)}
}

// lockFailed passes a *LockedError on as it is.
func lockFailed(ctx context.Context, path string, err error) error {
	if errors.Is(err, ErrLocked) {
		return err
	}
	return translate(ctx, path, err)
}

// prepare makes the files, checks them and brings the schema up to date.
func (s *Store) prepare(ctx context.Context, path string, opts Options, known []migration) error {
	if err := makeFiles(path); err != nil {
		return translate(ctx, path, err)
	}
	return s.write.do(ctx, func(db *sqlite3.Conn) error {
		if err := quickCheck(db); err != nil {
			return err
		}
		if err := migrate(ctx, s.write, s.disk, path, opts, known); err != nil {
			return err
		}
		if err := trial(s.write); err != nil {
			return err
		}
		_, err := db.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, false)
		return err
	})
}

// makeFiles creates the database and its shared memory where they are missing.
// SQLite would do so itself, but readable for everyone, and owned by root when
// root happens to look at the state of a daemon that runs as another user.
func makeFiles(path string) error {
	created := false
	for _, name := range []string{path, path + "-shm"} {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		created = true
		if err := errors.Join(giveToOwner(f, path), f.Close()); err != nil {
			return err
		}
	}
	if !created {
		return nil
	}
	return syncDir(filepath.Dir(path))
}

// giveToOwner lets f belong to whom the database belongs to.
func giveToOwner(f *os.File, database string) error {
	info, err := os.Stat(database)
	if err != nil {
		return err
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return f.Chown(int(sys.Uid), int(sys.Gid))
	}
	return nil
}

// syncDir makes the names in a directory survive a power cut. Some file
// systems cannot, and say so with EINVAL.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

func dialWriter(ctx context.Context, path string, d *disk, busy time.Duration) (*sqlite3.Conn, error) {
	db, err := dial(ctx, path, d, readWrite, busy)
	if err != nil {
		return nil, err
	}
	// Whose database it is comes first: the pragmas below write to it.
	if _, err := inspect(db, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// The first two only have an effect on a fresh file. Incremental
	// auto-vacuum lets Prune give space back without rewriting the file; fast
	// secure-delete clears old values where that costs no further write.
	err = db.Exec(fmt.Sprintf(`
		PRAGMA page_size = %d;
		PRAGMA auto_vacuum = INCREMENTAL;
		PRAGMA journal_mode = WAL;
		PRAGMA synchronous = NORMAL;
		PRAGMA secure_delete = FAST;
		PRAGMA wal_autocheckpoint = %d;
		PRAGMA journal_size_limit = %d;
		PRAGMA cache_size = %d;
	`, pageSize, walPages, walLimit, cachePages))
	if err == nil {
		err = expectWAL(db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// expectWAL makes sure that readers will not block the writer: where the file
// system has no shared memory SQLite silently stays in another mode.
func expectWAL(db *sqlite3.Conn) error {
	return query(db, "PRAGMA journal_mode", nil, func(row *sqlite3.Stmt) error {
		if got := row.ColumnText(0); got != "wal" {
			return fmt.Errorf("the file system does not support write-ahead logging (journal mode is %s): choose a --state directory on a local disk", got)
		}
		return nil
	})
}

func dialReader(ctx context.Context, path string, d *disk, m mode, busy time.Duration) (*sqlite3.Conn, error) {
	db, err := dial(ctx, path, d, m, busy)
	if err != nil {
		return nil, err
	}
	if err := db.Exec(fmt.Sprintf("PRAGMA query_only = ON; PRAGMA cache_size = %d;", cachePages)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// openReader opens an existing store. It does not check the whole file, which
// would make every listing as slow as the flash: damage is reported by the
// read that meets it.
func openReader(ctx context.Context, dir string, opts Options, known []migration) (_ *Store, err error) {
	path := filepath.Join(dir, dbName)
	missing := explain(fmt.Sprintf("no Gatehouse state in %s: run gatehouse replay --state %s first", dir, dir), fs.ErrNotExist)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return nil, missing
	case err != nil:
		return nil, translate(ctx, path, err)
	case info.Size() == 0 && size(path+"-wal") == 0:
		return nil, missing // a writer is just about to create it, or died doing so
	}

	m := readOnly
	if err := makeFiles(path); err != nil {
		// Nobody can write here, not even a log: read the file as it is, if
		// there is no log with newer pages in it.
		if n := size(path + "-wal"); n > 0 {
			return nil, translate(ctx, path, fmt.Errorf("read its log of %d bytes, which takes write access: %w", n, err))
		}
		m = immutable
	}
	if err := checkKey(ctx, path, opts.Key, false); err != nil {
		return nil, err
	}
	s := newStore(dir, opts)
	s.read = newConn(path, func(ctx context.Context) (*sqlite3.Conn, error) {
		return dialReader(ctx, path, s.disk, m, opts.BusyTimeout)
	})
	err = s.read.do(ctx, func(db *sqlite3.Conn) error {
		version, err := inspect(db, path)
		switch {
		case err != nil:
			return err
		case version == 0:
			return missing
		case version < len(known):
			return explain(fmt.Sprintf("%s was written by an older gatehouse (schema %d, now %d): start gatehouse run or replay once, which brings it up to date", path, version, len(known)), ErrOlder)
		}
		return refuseNewer(path, version, len(known))
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if opts.Beside {
		s.write = newConn(path, func(ctx context.Context) (*sqlite3.Conn, error) {
			return dialWriter(ctx, path, s.disk, opts.BusyTimeout)
		})
	}
	return s, nil
}

// size is the length of a file in bytes, 0 if there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
