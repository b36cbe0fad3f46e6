package arch

import (
	"fmt"
	"go/token"
)

// Violation is one breach of a rule.
type Violation struct {
	Pos  token.Position
	Text string // what is wrong and what to do about it
}

func (v Violation) String() string { return fmt.Sprintf("%v: %s", v.Pos, v.Text) }

// Rule is one thing that holds throughout the tree.
type Rule struct {
	Name  string
	Check func(*Tree) []Violation
}

// Rules lists what the tree is checked for.
func Rules() []Rule {
	return []Rule{
		{"rooms import upstream only", checkImports},
		{"libraries stay within their fences", checkFences},
		{"packages say what they are for", checkComments},
		{"packages are named after what they provide", checkNames},
		{"importing a package does nothing", checkInits},
		{"tests do not sleep", checkSleeps},
	}
}

// at makes a Violation at a position of the tree.
func (t *Tree) at(pos token.Pos, format string, args ...any) Violation {
	return Violation{Pos: t.Fset.Position(pos), Text: fmt.Sprintf(format, args...)}
}
