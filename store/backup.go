package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

// Backup writes a copy of the store into a directory, which is made if it does
// not exist, while others go on to read and write. The copy is of one moment,
// compact, checked, and a state directory itself; an encrypted store gives one
// with the same key. The error matches fs.ErrExist if there is a state in dir
// already: that is never overwritten.
func (s *Store) Backup(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, dbName)
	for _, name := range []string{to, filepath.Join(dir, sealName)} {
		if _, err := os.Lstat(name); err == nil {
			return explain(fmt.Sprintf("there is a state in %s already: choose another directory for the backup", dir), fs.ErrExist)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return translate(ctx, to, err)
	}
	if k := s.disk.cipher; k != nil {
		if err := writeSeal(filepath.Join(dir, sealName), seal{k.cipher, k.check}); err != nil {
			return translate(ctx, to, err)
		}
	}
	// A connection of its own: a long copy delays no listing and no checkpoint.
	from := newConn(s.read.path, func(ctx context.Context) (*sqlite3.Conn, error) {
		return dial(ctx, s.read.path, s.disk, readOnly, DefaultBusyTimeout)
	})
	err = from.do(ctx, func(db *sqlite3.Conn) error { return copyDatabase(db, s.disk, to) })
	if err = errors.Join(err, from.close()); err != nil {
		return fmt.Errorf("back up to %s: %w", dir, err)
	}
	copied := newConn(to, func(ctx context.Context) (*sqlite3.Conn, error) {
		return dial(ctx, to, s.disk, immutable, DefaultBusyTimeout)
	})
	err = copied.do(ctx, quickCheck)
	if err = errors.Join(err, copied.close()); err != nil {
		return fmt.Errorf("check the backup: %w", err)
	}
	return nil
}
