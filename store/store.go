// Package store keeps what must outlive the process: alerts, incidents,
// observations, devices, baselines and the state of the sensor, in one
// embedded SQLite database per state directory.
//
// It promises that a checkpoint is stored as a whole or not at all, that a
// stored one survives kill -9, that giving the same rows again changes nothing,
// and that a damaged file is set aside, never overwritten. It must not look
// into baselines and device details, which are opaque bytes to it, nor decide
// what is worth keeping beyond the retention that it is told.
//
// # Durability
//
// The database runs in write-ahead-log mode. A commit is handed to the
// operating system, so it survives the death of the process. One that carries
// an alert or incident is forced to the disk too, and survives a power cut
// (synchronous=FULL, https://sqlite.org/pragma.html#pragma_synchronous). The
// others (NORMAL) are forced when the log is folded back into the database,
// every walPages pages and at Close, or with the next alert: a power cut may
// take what was learned since, each checkpoint as a whole, and never damages
// what is older. Wear counts what all this costs the medium.
package store

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

// Names of the files in a state directory. SQLite adds -wal and -shm.
const (
	dbName   = "gatehouse.db"
	lockName = "gatehouse.lock"
)

// DefaultBusyTimeout is how long to wait for another program that holds the
// database, such as a backup made with the sqlite3 shell.
const DefaultBusyTimeout = 5 * time.Second

// Options says how to open a store. The zero value opens it for writing.
type Options struct {
	// ReadOnly opens an existing store beside a running writer. All methods
	// that change something return ErrReadOnly.
	ReadOnly bool
	// Log is told of damage and changes of the schema; nil for silence.
	Log *slog.Logger
	// BusyTimeout is how long to wait for a lock that another program holds;
	// 0 means DefaultBusyTimeout.
	BusyTimeout time.Duration
	// Beside opens an existing store for small changes beside the process that
	// writes to it: SetState and Retry. Not with ReadOnly.
	Beside bool
	// Key encrypts the store; nil for a plain one.
	Key *Key
	// MaxWaiting bounds the outbox, in rows; 0 means DefaultMaxWaiting.
	MaxWaiting int
	// Now tells wall-clock time, which names the files that are set aside; nil
	// means time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = DefaultBusyTimeout
	}
	if o.MaxWaiting == 0 {
		o.MaxWaiting = DefaultMaxWaiting
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Store is an open state directory. It is safe for concurrent use: writes wait
// for one another, and so do reads, but neither waits for the other.
type Store struct {
	dir   string
	log   *slog.Logger
	write *conn     // nil if read-only
	read  *conn     // a second connection, so that no listing delays a checkpoint
	lock  *fileLock // nil if read-only, or beside the writer

	disk       *disk
	reserve    reserve
	now        func() time.Time
	maxWaiting int

	queueing sync.Mutex // one transaction at a time enters rows into the outbox
	taken    int64      // rows of the outbox up to this one were given out
}

// Open opens the store in dir. For writing, it creates dir (mode 0700) and the
// database (mode 0600) if they do not exist, sets a damaged database aside and
// starts a fresh one, and brings an older schema up to date after writing a
// backup of it.
//
// Errors match ErrLocked if another process writes to dir, ErrNewer if a newer
// Gatehouse has written it, ErrForeign if the database is of another program,
// ErrFull if there is no space for it, and fs.ErrPermission or
// syscall.EROFS where the system says so. Read-only, also fs.ErrNotExist if
// there is no store, ErrOlder if its schema waits for a migration, and
// ErrDamaged.
func Open(ctx context.Context, dir string, opts Options) (*Store, error) {
	known, err := embeddedMigrations()
	if err != nil {
		return nil, err
	}
	return open(ctx, dir, opts.withDefaults(), known)
}

// open is Open with the migrations to know, so that tests can bring theirs.
func open(ctx context.Context, dir string, opts Options, known []migration) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if opts.ReadOnly || opts.Beside {
		return openReader(ctx, dir, opts, known)
	}
	return openWriter(ctx, dir, opts, known)
}

// Close folds the write-ahead log into the database and lets other processes
// write. Methods called afterwards return an error that matches fs.ErrClosed.
// It is safe to call Close twice.
func (s *Store) Close() error {
	err := s.read.close()
	if s.write != nil {
		// The last connection to close folds the log back.
		err = errors.Join(err, s.write.close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.release())
	}
	s.disk.close()
	return err
}

// Wear is what the store has asked of the medium since it was opened.
func (s *Store) Wear() Wear { return s.disk.wear() }

// Dir is the state directory as an absolute path.
func (s *Store) Dir() string { return s.dir }

// writer returns the connection to write with.
func (s *Store) writer() (*conn, error) {
	if s.write == nil {
		return nil, ErrReadOnly
	}
	return s.write, nil
}
