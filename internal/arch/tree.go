// Package arch holds the architecture of Gatehouse as data and checks the
// source tree against it: which room may import which, where a library is
// fenced in, what a package comment must say, what tests must not do.
//
// It promises that every violation names the place, the rule and the way out.
// It must not run anything or need a build: it reads Go files with go/parser,
// all build tags alike, so that what holds on linux/amd64 holds everywhere.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Module is the path of the Go module, the prefix of our own import paths.
const Module = "gatehouse"

// Tree is every Go file of the module, parsed. Nested modules, testdata and
// folders that the go command ignores are left out.
type Tree struct {
	Fset  *token.FileSet
	Files []*File // in order of path
}

// File is one Go file.
type File struct {
	Path      string // from the module root, with forward slashes
	Dir       string // folder of Path, "." for the module root
	Syntax    *ast.File
	Imports   []Import
	Test      bool // name ends in _test.go
	Generated bool // carries the standard "Code generated ... DO NOT EDIT." line
}

// Import is one import declaration.
type Import struct {
	Path string
	Pos  token.Pos
}

// Room is the first folder of the file's path, "." for the module root.
func (f *File) Room() string { return firstFolder(f.Dir) }

// firstFolder returns "flow" for "flow" as well as for "flow/internal/ring".
func firstFolder(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// Load parses the module whose root is fsys. A file that does not parse is an
// error: nothing can be said about it.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{Fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && skipFolder(fsys, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || ignoredName(path.Base(name)) {
			return nil
		}
		f, err := t.parse(fsys, name)
		if err != nil {
			return err
		}
		t.Files = append(t.Files, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load source tree: %w", err)
	}
	return t, nil
}

func (t *Tree) parse(fsys fs.FS, name string) (*File, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	syntax, err := parser.ParseFile(t.Fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &File{
		Path:      name,
		Dir:       path.Dir(name),
		Syntax:    syntax,
		Test:      strings.HasSuffix(name, "_test.go"),
		Generated: ast.IsGenerated(syntax),
	}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		f.Imports = append(f.Imports, Import{Path: p, Pos: spec.Pos()})
	}
	return f, nil
}

// skipFolder says whether the go command, too, would not look into a folder
// when it expands ./... : its rules are in "go help packages".
func skipFolder(fsys fs.FS, dir string) bool {
	base := path.Base(dir)
	if ignoredName(base) || base == "testdata" || base == "vendor" {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	return err == nil
}

func ignoredName(base string) bool {
	return strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")
}
