package arch_test

import (
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/arch"
	"gatehouse/internal/testkit"
)

// TestTree checks Gatehouse itself.
func TestTree(t *testing.T) {
	tree, err := arch.Load(os.DirFS(testkit.ModuleRoot(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) == 0 {
		t.Fatal("no Go files found")
	}
	for _, rule := range arch.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			for _, v := range rule.Check(tree) {
				t.Error(v)
			}
		})
	}
}

// TestGoImage holds that the container is built with the Go release that
// go.mod asks for.
func TestGoImage(t *testing.T) {
	root := testkit.ModuleRoot(t)
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := arch.CheckGoImage(read("go.mod"), read("Dockerfile")); err != nil {
		t.Error(err)
	}
}
