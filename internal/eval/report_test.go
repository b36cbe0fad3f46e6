package eval

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/testkit"
)

// full measures everything, which takes minutes, and writes the tables into
// docs/evaluation.md. Without it a sample is measured that is large enough to
// notice when something gets worse.
var full = flag.Bool("full", false, "measure everything and write docs/evaluation.md")

// slow skips a measurement when tests are to be quick: with the race detector,
// whose subject is the pipeline's own tests.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("measures detection, which does not change with -short")
	}
}

// publish logs a table and, in a full run, puts it into docs/evaluation.md
// between its markers.
func publish(t *testing.T, name, table string) {
	t.Helper()
	t.Logf("%s\n%s", name, table)
	if !*full {
		return
	}
	path := filepath.Join(testkit.ModuleRoot(t), "docs", "evaluation.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->", name)
	head, rest, ok := bytes.Cut(page, []byte(begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 { // somebody edited the page
		t.Fatalf("%s lacks the lines %q and %q", path, begin, end)
	}
	var out bytes.Buffer
	out.Write(head)
	out.WriteString(begin + "\n" + table + "\n" + end)
	out.Write(tail)
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// markdown renders a table.
func markdown(header []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(header)
	rule := make([]string, len(header))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule)
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// benignTable renders rows, and holds each against the most that there may be.
func benignTable(t *testing.T, rows []benignRow) string {
	t.Helper()
	var cells [][]string
	for _, r := range rows {
		for i, n := range r.alerts {
			if n > r.most[i] {
				t.Errorf("%s: %d alerts at budget %s, at most %d are explained", r.name, n, budgets[i].name, r.most[i])
			}
		}
		cells = append(cells, []string{
			r.name, fmt.Sprint(r.deviceDays), fmt.Sprint(r.alerts[0]), fmt.Sprint(r.alerts[1]), fmt.Sprint(r.alerts[2]),
		})
	}
	return markdown([]string{"capture", "device-days", "alerts at quiet", "at balanced", "at sensitive"}, cells)
}

// share is "found of all".
func share(found, all int) string {
	if all == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", found, all)
}

// short is a duration as people say it, without needless precision.
func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
