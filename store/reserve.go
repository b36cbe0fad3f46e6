package store

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// reserveName is the file beside the database whose space is set aside.
	reserveName = "gatehouse.reserve"
	// reserveSize, in bytes, and reserveStep, of which it is made. A checkpoint
	// of one alert takes 25 kB of log (pageSize), one of ten 100 kB, and
	// whatever has filled the disk takes the rest of a step.
	reserveSize = 2 << 20
	reserveStep = 128 << 10
	// reserveFrom is how much has to be free before space is set aside (again):
	// a disk that is nearly full stays as it is.
	reserveFrom = 4 * reserveSize
	// reserveEvery is how often is looked whether there is that much.
	reserveEvery = time.Minute
)

// reserve is space for the alerts of a day on which the disk is full: mostly
// by something else. Where the file system cannot set space aside there is
// none.
type reserve struct {
	dir    string
	mu     sync.Mutex
	held   int64 // bytes
	looked time.Time
}

func (r *reserve) path() string { return filepath.Join(r.dir, reserveName) }

// hold sets the space aside if it is not and there is plenty.
func (r *reserve) hold(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := now.Sub(r.looked); r.held == reserveSize || !r.looked.IsZero() && since >= 0 && since < reserveEvery {
		return
	}
	r.looked = now
	if r.held = size(r.path()); r.held == reserveSize {
		return
	}
	if free, err := available(r.dir); err != nil || free < reserveFrom {
		return
	}
	f, err := os.OpenFile(r.path(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return // the next checkpoint meets the reason, if it matters
	}
	if err := errors.Join(allocate(f, reserveSize), f.Close()); err != nil {
		_ = os.Remove(r.path()) // it holds nothing
	}
	r.held = size(r.path())
}

// spend gives a step of the space back to the disk, and reports whether there
// was one left.
func (r *reserve) spend() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = size(r.path()) // also what an earlier process has set aside
	if r.held <= 0 {
		return false
	}
	r.held = max(0, r.held-reserveStep)
	return os.Truncate(r.path(), r.held) == nil
}
