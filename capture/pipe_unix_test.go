//go:build unix

package capture

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// given a named pipe that nobody writes to
// when the source is closed while it is being read
// then the read ends
func TestCloseEndsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Opened for writing too, the open below does not wait for a writer.
	keep, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	other := writeFile(t, "other.pcap", microPcap().packets(60, 1).buf)
	for _, names := range [][]string{{path}, {path, other}} {
		src, err := Open(names)
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() { read <- src.Read(new(Batch)) }()
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-read; !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%d inputs: read returned %v, want fs.ErrClosed", len(names), err)
		}
	}
}
