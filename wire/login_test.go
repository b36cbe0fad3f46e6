package wire

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/testkit"
)

func TestFactoryDefault(t *testing.T) {
	long := strings.Repeat("a", maxFactory+1)
	for _, c := range []struct {
		user, secret string
		want         bool
	}{
		{"root", "xc3511", true},
		{"root", "", true}, // many a router and database
		{"", "public", true},
		{"sysdiag", "factorycast@schneider", true},
		{"", "", false},
		{"Root", "xc3511", false}, // names are compared as sent
		{"root", "xc3511 ", false},
		{"rootx", "c3511", false}, // the border between name and secret counts
		{"admin", long, false},
		{long, "admin", false},
		{long[:maxFactory], long[:maxFactory], false},
		{"", "correct horse battery staple", false},
	} {
		if got := factoryDefault([]byte(c.user), []byte(c.secret)); got != c.want {
			t.Errorf("factoryDefault(%q, %q) = %v", c.user, c.secret, got)
		}
	}
}

// factoryList reads the list that the hashes were made from.
func factoryList(tb testing.TB) (list [][2]string) {
	tb.Helper()
	text, err := os.ReadFile("factory.txt")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		user, secret, _ := strings.Cut(line, " ")
		list = append(list, [2]string{strings.TrimPrefix(user, "-"), strings.TrimPrefix(secret, "-")})
	}
	return list
}

// TestFactoryHashes: the hashes are those of the list, no more and no less.
func TestFactoryHashes(t *testing.T) {
	list := factoryList(t)
	if len(list) < 150 {
		t.Errorf("only %d credentials", len(list))
	}
	for _, c := range list {
		if len(c[0]) > maxFactory || len(c[1]) > maxFactory || !factoryDefault([]byte(c[0]), []byte(c[1])) {
			t.Errorf("%s %s is not recognised: run go generate ./wire", c[0], c[1])
		}
	}
	if len(factoryHashes) != len(list) {
		t.Errorf("%d hashes of %d credentials: run go generate ./wire", len(factoryHashes), len(list))
	}
	if !slices.IsSorted(factoryHashes[:]) {
		t.Error("hashes are not in order")
	}
}

// TestNoSecretInProgram looks for the unmistakable secrets of the list in what
// this package is compiled to.
func TestNoSecretInProgram(t *testing.T) {
	object := filepath.Join(t.TempDir(), "wire.a")
	if out, err := exec.Command(testkit.NeedTool(t, "go"), "build", "-o", object, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	code, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(code), factorySalt) {
		t.Errorf("%d bytes of object code hold no text at all", len(code))
	}
	for _, secret := range []string{"xc3511", "7ujMko0vizxv", "factorycast@schneider", "hexakisoctahedron", "poiuypoiuy", "taZz@23495859"} {
		if !slices.ContainsFunc(factoryList(t), func(c [2]string) bool { return c[1] == secret }) {
			t.Errorf("%s is no longer in the list", secret)
		}
		if strings.Contains(string(code), secret) {
			t.Errorf("%s stands in the program", secret)
		}
	}
}

func TestOutcomeString(t *testing.T) {
	for o, want := range map[Outcome]string{OutcomeUnknown: "unknown", Succeeded: "succeeded", Failed: "failed", 99: "unknown"} {
		if got := o.String(); got != want {
			t.Errorf("%d = %q, want %q", o, got, want)
		}
	}
}

func BenchmarkFactoryDefault(b *testing.B) {
	user, secret := []byte("admin"), []byte("not a default")
	b.ReportAllocs()
	for b.Loop() {
		if factoryDefault(user, secret) {
			b.Fatal("taken for a default")
		}
	}
}
