package testkit

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// Golden compares got with the file at path, which is relative to the folder
// of the test and usually below testdata. With the flag -update it writes the
// file: read the difference in git before you commit it.
func Golden(tb testing.TB, got []byte, path string) {
	tb.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			tb.Fatalf("update golden file: %v", err)
		}
		if err := os.WriteFile(path, got, 0o600); err != nil {
			tb.Fatalf("update golden file: %v", err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		tb.Fatalf("no golden file %s: go test -run '^%s$' -update writes it", path, tb.Name())
	}
	if err != nil {
		tb.Fatalf("read golden file: %v", err)
	}
	if !bytes.Equal(got, want) {
		tb.Errorf("differs from %s (-want +got; go test -run '^%s$' -update accepts it):\n%s",
			path, tb.Name(), cmp.Diff(string(want), string(got)))
	}
}
