package ebpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gatehouse/internal/testkit"
)

// given the sources of the BPF program
// when they are compiled anew
// then the objects that are committed come out, byte for byte
func TestGenerated(t *testing.T) {
	testkit.NeedTool(t, "clang-14")
	testkit.NeedTool(t, "llvm-strip-14")
	root := testkit.ModuleRoot(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module gatehouse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"flow.bpf.c", "parse.h", "vmlinux.h", "generate.go"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "generate.go" { // the tools' module is not beside the copy
			b = bytes.ReplaceAll(b, []byte("../tools/go.mod"), []byte(filepath.Join(root, "tools/go.mod")))
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "generate", ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go generate: %v: %s", err, out)
	}
	for _, name := range []string{"kernel_bpfel.o", "kernel_bpfeb.o", "kernel_bpfel.go", "kernel_bpfeb.go"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the sources compile to: run make generate", name)
		}
	}
}
