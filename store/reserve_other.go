//go:build !linux

package store

import (
	"errors"
	"os"
)

// Space is not set aside here.
func available(string) (int64, error) { return 0, errors.ErrUnsupported }
func allocate(*os.File, int64) error  { return errors.ErrUnsupported }
