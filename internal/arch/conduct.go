package arch

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
)

// checkNames holds that a package is named after what it provides.
func checkNames(t *Tree) []Violation {
	vague := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared"}
	var out []Violation
	for _, f := range t.Files {
		name := f.Syntax.Name.Name
		if slices.Contains(vague, name) || slices.Contains(vague, path.Base(f.Dir)) {
			out = append(out, t.at(f.Syntax.Name.Pos(), "package %s in %s says nothing about its contents: name it after what it provides, or move the code to its users", name, f.Dir))
		}
	}
	return out
}

// checkInits holds that importing a package does nothing. Generated code (the
// BPF loader) is not ours to shape.
func checkInits(t *Tree) []Violation {
	var out []Violation
	for _, f := range t.Files {
		if f.Generated {
			continue
		}
		for _, decl := range f.Syntax.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if ok && fn.Recv == nil && fn.Name.Name == "init" {
				out = append(out, t.at(fn.Pos(), "init runs for everyone who imports the package: make it a constructor that cmd (or the test) calls"))
			}
		}
	}
	return out
}

// checkSleeps holds that no test waits for the wall clock. Inside a
// testing/synctest bubble time.Sleep moves a fake clock and is welcome.
func checkSleeps(t *Tree) []Violation {
	var out []Violation
	for _, f := range t.Files {
		if !f.Test {
			continue
		}
		clock, bubble := f.localName("time"), f.localName("testing/synctest")
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				return bubble == "" || !isSelector(n.Fun, bubble, "Test")
			case *ast.SelectorExpr:
				if clock != "" && isSelector(n, clock, "Sleep") {
					out = append(out, t.at(n.Pos(), "a test must not sleep: use testing/synctest or a fake clock, or wait on a channel"))
				}
			}
			return true
		})
	}
	return out
}

// localName is the name under which a file knows an imported package, "" if it
// does not import it.
func (f *File) localName(importPath string) string {
	for _, spec := range f.Syntax.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

func isSelector(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}
