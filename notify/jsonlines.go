package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"gatehouse/alert"
)

// JSONLines appends each notice to a file as one JSON object on a line of its
// own: {"alert": …}, {"incident": …} or {"digest": …}, each as the commands
// print it. What is delivered is on the disk. A file that was moved away
// (logrotate) is made anew.
type JSONLines struct {
	Path string `yaml:"path"`
}

// Validate implements Config.
func (c *JSONLines) Validate() error {
	if c.Path == "" {
		return &FieldError{"path", errors.New("is required: name of the file to append to")}
	}
	return nil
}

// Open implements Config.
func (c *JSONLines) Open(Options) (Sink, error) { return &jsonLines{path: c.Path}, nil }

type jsonLines struct{ path string }

// Deliver writes all notices at once. The file is opened each time: there are
// few, and so nothing has to be told to a program that moves the file away.
func (s *jsonLines) Deliver(ctx context.Context, notices []alert.Notice) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var text []byte
	var bad error
	for i := range notices {
		line, err := json.Marshal(&notices[i])
		if err != nil {
			bad = Rejected(fmt.Errorf("encode %s: %w", notices[i].Key(), err))
			notices = notices[:i]
			break
		}
		text = append(append(text, line...), '\n')
	}
	if len(notices) == 0 {
		return 0, bad
	}
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(appendLines(f, text), f.Close()); err != nil {
		return 0, err
	}
	return len(notices), bad
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
func (s *jsonLines) Close() error { return nil }
