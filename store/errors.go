package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ncruces/go-sqlite3"
)

// Errors to match with errors.Is.
var (
	ErrLocked    = errors.New("state in use by another gatehouse")
	ErrNewer     = errors.New("state written by a newer gatehouse")
	ErrOlder     = errors.New("state written by an older gatehouse")
	ErrForeign   = errors.New("database of another program")
	ErrDamaged   = errors.New("database damaged")
	ErrFull      = errors.New("disk full")
	ErrReadOnly  = errors.New("store opened read-only")
	ErrNotFound  = errors.New("not found")
	ErrAmbiguous = errors.New("ambiguous")
)

// LockedError says who writes to a state directory. It matches ErrLocked.
type LockedError struct {
	Dir string
	PID int // 0 if unknown
}

func (e *LockedError) Error() string {
	who := "another gatehouse"
	if e.PID > 0 {
		who = fmt.Sprintf("%s (pid %d)", who, e.PID)
	}
	return fmt.Sprintf("the state in %s is in use by %s: stop it first, or choose another --state directory", e.Dir, who)
}

// Is makes the error match ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// AmbiguousError lists what an abbreviated id or a name may stand for. It
// matches ErrAmbiguous.
type AmbiguousError struct {
	What       string // "alert", "incident" or "device"
	Given      string
	Candidates []string // ids, sorted, at most maxCandidates
	More       bool     // there are more candidates
}

// maxCandidates bounds AmbiguousError.Candidates: what fits on a terminal.
const maxCandidates = 10

func (e *AmbiguousError) Error() string {
	list := strings.Join(e.Candidates, ", ")
	if e.More {
		list += ", ..."
	}
	return fmt.Sprintf("%s %q could be any of %s: give more of the id", e.What, e.Given, list)
}

// Is makes the error match ErrAmbiguous.
func (e *AmbiguousError) Is(target error) bool { return target == ErrAmbiguous }

// explained is an error in the user's words that keeps what it came from.
type explained struct {
	text string
	is   []error
}

func (e *explained) Error() string   { return e.text }
func (e *explained) Unwrap() []error { return e.is }

func explain(text string, is ...error) error { return &explained{text, is} }

func notFound(what, given string) error {
	return explain(fmt.Sprintf("no %s %q in the store", what, given), ErrNotFound)
}

// translate says in the user's words what the database or the file system has
// reported about the file at path, and what can be done about it.
func translate(ctx context.Context, path string, err error) error {
	dir := filepath.Dir(path)
	err = withCause(dir, err)
	var done *explained
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		return err
	case errors.Is(err, sqlite3.INTERRUPT) && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, sqlite3.FULL) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return explain(fmt.Sprintf("%s cannot grow: the disk is full (%v): free space in %s, or choose a --state directory on a larger disk", path, err, dir), ErrFull, err)
	case errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB):
		return explain(fmt.Sprintf("%s is damaged (%v): the next gatehouse run sets it aside and begins afresh", path, err), ErrDamaged, err)
	case errors.Is(err, syscall.EROFS) || errors.Is(err, sqlite3.READONLY):
		return explain(fmt.Sprintf("%s cannot be written (%v): is the file system read-only? Remount it for writing, or choose another --state directory", path, err), err)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, sqlite3.PERM):
		return explain(fmt.Sprintf("%s may not be opened (%v): run as the owner of %s, or choose another --state directory", path, err, dir), err)
	case errors.Is(err, sqlite3.BUSY):
		return explain(fmt.Sprintf("%s is held by another program (%v): close it (a backup, an sqlite3 shell) and try again", path, err), err)
	default:
		return fmt.Errorf("%s: %w", path, err)
	}
}

// withCause adds why a write has failed. The library loses what the system has
// said (its test for ENOSPC misses the *fs.PathError around it), so ask again:
// a log that could not grow leaves no room for a probe either.
func withCause(dir string, err error) error {
	lost := errors.Is(err, sqlite3.IOERR_WRITE) || errors.Is(err, sqlite3.IOERR_SHMSIZE) || errors.Is(err, sqlite3.IOERR_TRUNCATE) ||
		errors.Is(err, sqlite3.IOERR_FSYNC) || errors.Is(err, sqlite3.CANTOPEN)
	if !lost {
		return err
	}
	if cause := probe(dir); cause != nil {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// probe tries to write a little into a directory.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, ".gatehouse-probe-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 16*pageSize))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
