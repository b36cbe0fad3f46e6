package notify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"gatehouse/alert"
	"gatehouse/notify/format"
)

// File appends each notice to a file as a line of its own, in any format. What
// is delivered is on the disk. A file that was moved away (logrotate) is made
// anew; one that has grown large is moved away here.
type File struct {
	Path      string `yaml:"path"`
	Format    string `yaml:"format"`
	RotateMiB int    `yaml:"rotate_mib"` // begin a new file beyond this size; 0 for never
	Keep      int    `yaml:"keep"`       // earlier files that stay: path.1 is the youngest
}

// Bounds of the settings of a File.
const (
	maxRotateMiB = 1 << 20 // a tebibyte
	maxKeep      = 1000
)

// Validate implements Config.
func (c *File) Validate() error {
	if c.Path == "" {
		return &FieldError{"path", errors.New("is required: name of the file to append to")}
	}
	if _, err := findFormat(c.Format); err != nil {
		return err
	}
	if c.RotateMiB < 0 || c.RotateMiB > maxRotateMiB {
		return &FieldError{"rotate_mib", fmt.Errorf("has to be 0 (never) to %d", maxRotateMiB)}
	}
	if c.Keep < 0 || c.Keep > maxKeep {
		return &FieldError{"keep", fmt.Errorf("has to be 0 to %d files", maxKeep)}
	}
	return nil
}

// Open implements Config.
func (c *File) Open(o Options) (Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	f, _ := findFormat(c.Format)
	return &file{config: *c, format: f, meta: format.Meta{Site: o.Site, Version: o.Version}}, nil
}

type file struct {
	config File
	format format.Format
	meta   format.Meta
}

// Deliver writes all notices at once. The file is opened each time: there are
// few, and so nothing has to be told to a program that moves the file away.
func (s *file) Deliver(ctx context.Context, notices []alert.Notice) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	text, n, bad := renderLines(notices, s.format, s.meta)
	if n == 0 {
		return 0, bad
	}
	if err := s.rotate(); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(s.config.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(appendLines(f, text), f.Close()); err != nil {
		return 0, err
	}
	return n, bad
}

// renderLines renders notices up to the first that cannot be rendered, which
// is rejected.
func renderLines(notices []alert.Notice, f format.Format, m format.Meta) (text []byte, n int, err error) {
	for i := range notices {
		line, err := f.Render(&notices[i], m)
		if err != nil {
			return text, i, Rejected(fmt.Errorf("write %s as %s: %w", notices[i].Key(), f.Name, err))
		}
		text = append(append(text, line...), '\n')
	}
	return text, len(notices), nil
}

// rotate moves a file that is large enough out of the way. A crash in between
// leaves a gap in the numbers and loses nothing.
func (s *file) rotate() error {
	if s.config.RotateMiB == 0 {
		return nil
	}
	info, err := os.Stat(s.config.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Size() < int64(s.config.RotateMiB)<<20:
		return nil
	}
	name := func(i int) string {
		if i == 0 {
			return s.config.Path
		}
		return s.config.Path + "." + strconv.Itoa(i)
	}
	// The last is written over or, if none is kept, removed.
	if s.config.Keep == 0 {
		return os.Remove(name(0))
	}
	for i := s.config.Keep - 1; i >= 0; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// appendLines writes whole lines. Half a line that a crash or a full disk has
// left is ended first, so that it does not spoil the next one.
func appendLines(f *os.File, text []byte) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if size := info.Size(); size > 0 && info.Mode().IsRegular() {
		var last [1]byte
		if _, err := f.ReadAt(last[:], size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			text = append([]byte{'\n'}, text...)
		}
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil // a pipe or a terminal has nothing to force to a disk
	}
	return f.Sync()
}

// Close implements Sink.
func (s *file) Close() error { return nil }
