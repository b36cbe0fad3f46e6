package capture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// Sizes of the blocks that are read at a time. From 128 KiB to 4 MiB the time
// per packet is the same within what runs differ by (15 to 18 ns); 64 KiB is
// slower. Little is taken, for the sake of caches and of gateways with little
// memory: every batch that is under way holds one block.
const (
	defaultBlock = 512 << 10 // one input
	mergeBlock   = 128 << 10 // each of several inputs that overlap in time
)

type options struct {
	stdin io.Reader
	block int // 0: by the number of inputs
}

// Option changes how Open reads.
type Option func(*options)

// WithStdin makes Open read r where a name is "-". The default is os.Stdin.
// r is not closed.
func WithStdin(r io.Reader) Option {
	return func(o *options) { o.stdin = r }
}

// WithBlockSize sets how many bytes are read at a time, at least 4 KiB. The
// default is 256 KiB for one input and 128 KiB for each of several.
func WithBlockSize(n int) Option {
	return func(o *options) { o.block = max(n, 4<<10) }
}

// Open opens pcap and pcapng files, plain or compressed with gzip. The name
// "-" stands for standard input and may be given once.
//
// Several files are merged into one sequence by packet time; at equal times
// the file named first comes first, and within a file the order is kept even
// where its times go back. A file takes memory and a file descriptor only
// from its first packet to its last, so that thousands of files of a rotated
// capture can be merged. When one file turns out to be damaged the others are
// still read to their end; then Read returns the errors instead of io.EOF,
// joined if there are several.
//
// The headers of all files are checked at once, those of pipes with the first
// Read. Open returns the errors of all files that are not readable captures:
// an *fs.PathError or a *FormatError each.
func Open(names []string, opts ...Option) (Source, error) {
	o := options{stdin: os.Stdin}
	for _, opt := range opts {
		opt(&o)
	}
	stdins := 0
	for _, name := range names {
		if name == stdinName {
			stdins++
		}
	}
	switch {
	case len(names) == 0:
		return nil, errors.New("open capture: no file named")
	case stdins > 1:
		return nil, fmt.Errorf("open capture: standard input (%q) is named %d times", stdinName, stdins)
	case len(names) == 1:
		return openReader(names[0], o.stdin, orDefault(o.block, defaultBlock), new(atomic.Int64))
	default:
		return openMerged(names, o.stdin, orDefault(o.block, mergeBlock))
	}
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

// openReader opens one input and, if that can be done without waiting, checks
// its header.
func openReader(name string, stdin io.Reader, block int, done *atomic.Int64) (*reader, error) {
	in, err := openInput(name, stdin, done)
	if err != nil {
		return nil, err
	}
	r := newReader(in, block)
	if in.regular {
		if err := r.start(); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}
