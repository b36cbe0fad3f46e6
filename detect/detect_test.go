package detect

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A detector's file is named after it, its Spec is complete and the Table
// holds it: a file with a detector that is not in the Table fails here.
func TestEveryDetectorIsInTheTable(t *testing.T) {
	inTable := map[string]bool{}
	for _, d := range Table(Config{}) {
		s := d.Spec()
		if inTable[s.Name] {
			t.Errorf("two detectors are called %q", s.Name)
		}
		inTable[s.Name] = true
		if len(s.Kinds) == 0 || s.Class == "" || !strings.HasSuffix(s.Summary, ".") || len(s.Attack) == 0 {
			t.Errorf("%s: the Spec is incomplete: %+v", s.Name, s)
		}
		for _, id := range s.Attack {
			if len(id) < 5 || id[0] != 'T' {
				t.Errorf("%s: %q is no ATT&CK technique", s.Name, id)
			}
		}
		if _, err := os.Stat(s.Name + ".go"); err != nil {
			t.Errorf("detector %s is not in a file of its name: %v", s.Name, err)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(file, ".go")
		if !strings.HasSuffix(name, "_test") && strings.Contains(string(text), ") Spec() Spec {") && !inTable[name] {
			t.Errorf("%s holds a detector that has no line in Table (detect.go)", file)
		}
	}
}

func TestBits(t *testing.T) {
	for _, tt := range []struct{ p, want float64 }{
		{1, 0}, {2, 0}, {.5, 1}, {.01, 6.6}, {0, 300}, {-1, 300}, {math.SmallestNonzeroFloat64, 300}, {1e-80, 265.8},
	} {
		if got := Bits(tt.p); got != tt.want {
			t.Errorf("Bits(%g) = %v, want %v", tt.p, got, tt.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc…"}, {"aüb", 2, "a…"}, {"ü", 1, "…"}, {"", 0, ""}} {
		if got := shorten(tt.in, tt.n); got != tt.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}
