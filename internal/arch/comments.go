package arch

import (
	"path"
	"slices"
	"strings"
)

// minRoomComment is the least number of lines of a room's package comment: one
// each for what it owns, what it promises and what it must not do.
const minRoomComment = 3

// checkComments holds that every package says once what it is for.
func checkComments(t *Tree) []Violation {
	var out []Violation
	for _, p := range t.packages() {
		out = append(out, t.checkComment(p)...)
	}
	return out
}

// pkg is the shipped files of one package.
type pkg struct {
	dir, name string
	files     []*File
}

// packages groups the shipped files by folder and package clause. A package of
// nothing but tests needs no comment.
func (t *Tree) packages() []pkg {
	var out []pkg
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		i := slices.IndexFunc(out, func(p pkg) bool {
			return p.dir == f.Dir && p.name == f.Syntax.Name.Name
		})
		if i < 0 {
			out = append(out, pkg{dir: f.Dir, name: f.Syntax.Name.Name})
			i = len(out) - 1
		}
		out[i].files = append(out[i].files, f)
	}
	return out
}

func (t *Tree) checkComment(p pkg) []Violation {
	documented := slices.DeleteFunc(slices.Clone(p.files), func(f *File) bool { return comment(f) == "" })
	switch len(documented) {
	case 0:
		return []Violation{t.at(p.files[0].Syntax.Package, "package %s has no package comment: say what it owns, promises and must not do", p.name)}
	case 1:
	default:
		return []Violation{t.at(documented[1].Syntax.Package, "package %s has a second package comment (the first is in %s): merge them, or put a blank line between a file's own comment and its package clause", p.name, documented[0].Path)}
	}

	f := documented[0]
	text := comment(f)
	start := "Package " + p.name + " "
	if p.name == "main" {
		start = "Command " + path.Base(p.dir) + " "
	}
	var out []Violation
	if !strings.HasPrefix(text, start) {
		out = append(out, t.at(f.Syntax.Package, "the package comment of %s must start with %q", p.dir, start))
	}
	if _, room := rooms()[f.Room()]; !room || p.name == "main" {
		return out // a room's generator owns nothing
	}
	if n := strings.Count(text, "\n"); n < minRoomComment {
		out = append(out, t.at(f.Syntax.Package, "the package comment of %s has %d lines, a room's has at least %d: what it owns, what it promises, what it must not do", p.dir, n, minRoomComment))
	}
	words := strings.Join(strings.Fields(text), " ")
	for _, want := range []string{"promises", "must not"} {
		if !strings.Contains(words, want) {
			out = append(out, t.at(f.Syntax.Package, "the package comment of %s lacks %q: say what the room owns, promises and must not do", p.dir, want))
		}
	}
	return out
}

// comment is the text of a file's package comment, directives left out.
func comment(f *File) string {
	return f.Syntax.Doc.Text() // "" without one
}
