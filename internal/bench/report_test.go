package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/testkit"
)

// publish puts text into docs/performance.md between its markers.
func publish(t *testing.T, name, text string) {
	t.Helper()
	t.Logf("%s\n%s", name, text)
	path := filepath.Join(testkit.ModuleRoot(t), "docs", "performance.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page, err = between(page, name, text)
	if err != nil {
		t.Fatalf("%s %v", path, err)
	}
	if err := os.WriteFile(path, page, 0o644); err != nil {
		t.Fatal(err)
	}
}

// between replaces what a page holds between the markers of a name.
func between(page []byte, name, text string) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->", name)
	head, rest, ok := bytes.Cut(page, []byte(begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 { // somebody edited the page
		return nil, fmt.Errorf("lacks the lines %q and %q", begin, end)
	}
	return slices.Concat(head, []byte(begin+"\n"+text+"\n"+end), tail), nil
}

func TestBetween(t *testing.T) {
	got, err := between([]byte("a\n<!-- begin x -->\nold\n<!-- end x -->\nz\n"), "x", "new\n")
	if want := "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nz\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := between([]byte("<!-- begin x -->\n"), "x", ""); err == nil {
		t.Error("no error for a page without the end marker")
	}
}

// markdown renders a table.
func markdown(header []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(header)
	line(strings.Split(strings.Repeat("--- ", len(header)-1)+"---", " "))
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// machine describes where and when it was measured, and what.
func machine(all []*peer, load string) string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	model := "unknown processor"
	if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(info); m != nil {
		model = string(m[1])
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s: %s, %d cores, Linux %s, %s", time.Now().UTC().Format(time.DateOnly),
		model, runtime.NumCPU(), strings.TrimSpace(string(kernel)), runtime.Version())
	for _, p := range all[1:] {
		fmt.Fprintf(&b, ", %s %s", p.path, versionOf(p))
	}
	fmt.Fprintf(&b, ". Load average before and after: %s; %s.\n", load, loadAverage())
	return b.String()
}

// versionOf asks a program for its version. Some can tell it only with their
// usage, and then exit with an error.
func versionOf(p *peer) string {
	out, _ := exec.Command(p.path, p.version...).CombinedOutput()
	if m := regexp.MustCompile(`\b\d+\.\d+(\.\d+)*\b`).Find(out); m != nil {
		return string(m)
	}
	return "of unknown version"
}

// loadAverage is how many processes waited for a processor in the last
// minute, five and fifteen.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}
