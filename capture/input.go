package capture

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
)

// stdinName is how a user names standard input.
const stdinName = "-"

// errNotFile explains what to do about a folder.
var errNotFile = fmt.Errorf("%w: name the files in it", syscall.EISDIR)

// input is one opened stream of bytes, as stored.
type input struct {
	name    string
	r       io.Reader
	closer  io.Closer     // nil for standard input, which is not ours to close
	regular bool          // a read waits for nothing but the disk, and the file can be opened again
	size    int64         // 0 if unknown
	done    *atomic.Int64 // bytes read
	err     error         // what r returned, if neither nil nor io.EOF
}

// openInput opens the file called name, or standard input. What is read from
// it is added to done. Opening a named pipe waits for its writer.
func openInput(name string, stdin io.Reader, done *atomic.Int64) (*input, error) {
	in := &input{name: name, done: done}
	if name == stdinName {
		in.r = stdin
		return in, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err // names the operation and the file
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "read", Path: name, Err: errNotFile}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	in.r, in.closer = file, file
	if info.Mode().IsRegular() {
		in.regular, in.size = true, info.Size()
	}
	return in, nil
}

// Read implements io.Reader. It keeps the error of the file apart from those
// of a decompressor above it.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.done.Add(int64(n))
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

func (in *input) close() error {
	if in.closer == nil {
		return nil
	}
	return in.closer.Close()
}

// fill reads into p: until it is full if full is set, else what one read
// gives, so that a packet from a live pipe does not wait for those behind it.
// Unlike io.ReadFull it hands on the error of r as it is.
func fill(r io.Reader, p []byte, full bool) (int, error) {
	n := 0
	for idle := 0; n < len(p); {
		m, err := r.Read(p[n:])
		n += m
		if err != nil {
			return n, err
		}
		if n > 0 && !full {
			break
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle == maxIdleReads {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// maxIdleReads is how many reads in a row may return neither data nor an
// error; the value is bufio's.
const maxIdleReads = 100
