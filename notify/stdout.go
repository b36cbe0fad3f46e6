package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"gatehouse/alert"
	"gatehouse/notify/format"
)

// Stdout prints each notice as a line on the standard output: for containers
// and services whose output is collected.
type Stdout struct {
	Format string `yaml:"format"`
}

// Validate implements Config.
func (c *Stdout) Validate() error {
	_, err := findFormat(c.Format)
	return err
}

// Open implements Config.
func (c *Stdout) Open(o Options) (Sink, error) {
	f, err := findFormat(c.Format)
	if err != nil {
		return nil, err
	}
	return &stdout{format: f, meta: format.Meta{Site: o.Site, Version: o.Version}, out: os.Stdout}, nil
}

type stdout struct {
	format  format.Format
	meta    format.Meta
	out     io.Writer
	writing chan error // result of a write that is still going on, or nil
}

var errStuck = errors.New("the standard output takes nothing: whoever reads it has stopped")

// Deliver implements Sink. Nothing can end a write to a pipe that nobody
// reads, so it has a goroutine of its own, which is left behind if ctx ends
// first. There is never more than one.
func (s *stdout) Deliver(ctx context.Context, notices []alert.Notice) (int, error) {
	if s.writing != nil {
		select {
		case <-s.writing: //nolint:errcheck // what it wrote was not accepted, and comes again
			s.writing = nil
		case <-ctx.Done():
			return 0, errStuck
		}
	}
	text, n, bad := renderLines(notices, s.format, s.meta)
	if n == 0 {
		return 0, bad
	}
	s.writing = make(chan error, 1)
	go func(done chan<- error) {
		_, err := s.out.Write(text)
		done <- err
	}(s.writing)
	select {
	case err := <-s.writing:
		s.writing = nil
		if err != nil {
			return 0, fmt.Errorf("write to the standard output: %w", err)
		}
		return n, bad
	case <-ctx.Done():
		return 0, errStuck
	}
}

// Close implements Sink.
func (s *stdout) Close() error { return nil }
