package store

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// available is how many bytes a process may still write to the file system of
// a directory.
func available(dir string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(min(fs.Bavail, math.MaxInt64/uint64(fs.Bsize)) * uint64(fs.Bsize)), nil
}

// allocate gives a file its space without writing to it.
func allocate(f *os.File, size int64) error { return unix.Fallocate(int(f.Fd()), 0, 0, size) }
