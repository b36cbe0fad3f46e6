package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// fileLock is an advisory lock on a state directory. It goes away with the
// process, however that ends; the file stays.
type fileLock struct{ f *os.File }

// lockDir makes this process the one writer of dir. The error is a
// *LockedError if there is one already.
func lockDir(dir string) (*fileLock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &LockedError{Dir: dir, PID: readPID(f)}
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// The number only serves the message that a second process prints: it
	// decides nothing, so a full disk must not stand in the way.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &fileLock{f}, nil
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// renew takes the lock of dir if that is not the one that is held: the file
// system may be another one since.
func (l *fileLock) renew(dir string) error {
	held, err := l.f.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(filepath.Join(dir, lockName)); err == nil && os.SameFile(held, there) {
		return nil
	}
	other, err := lockDir(dir)
	if err != nil {
		return err
	}
	old := l.f
	l.f = other.f
	return old.Close()
}

// release lets the next writer in. It is safe to call twice.
func (l *fileLock) release() error {
	if err := l.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// readPID reads who holds the lock, 0 if the file does not say.
func readPID(f *os.File) int {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
