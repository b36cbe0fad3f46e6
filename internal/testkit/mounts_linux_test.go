package testkit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A disk breaks under an open file, comes back with what was on it, and nobody
// outside sees any of it.
func TestDisk(t *testing.T) {
	if !OwnMounts(t) {
		mounts, err := os.ReadFile("/proc/self/mounts")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(mounts), t.Name()) {
			t.Errorf("its mount is seen outside:\n%s", mounts)
		}
		return
	}
	d := NewDisk(t)
	name := filepath.Join(d.Dir, "file")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("before"); err != nil {
		t.Fatal(err)
	}
	d.Break(t)
	if _, err := f.WriteString("after"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("write to the broken disk: %v", err)
	}
	d.Mend(t)
	if got, err := os.ReadFile(name); err != nil || string(got) != "before" {
		t.Errorf("mended: %q, %v", got, err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Errorf("write to the mended disk: %v", err)
	}
}
