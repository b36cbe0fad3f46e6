package eve

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/testkit"
)

// TestDocumentedExamples holds that the examples of docs/events.md are what the
// Writer writes, and that every kind of event has one.
func TestDocumentedExamples(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testkit.ModuleRoot(t), "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	golden, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(golden) == 0 {
		t.Fatalf("%d golden files, %v", len(golden), err)
	}
	written, missing := make(map[string]bool), make(map[string]bool)
	for _, name := range golden {
		log, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range linesOf(t, log) {
			missing[l.EventType] = true
		}
		for text := range strings.Lines(string(log)) {
			written[strings.TrimSpace(text)] = true
		}
	}
	for text := range strings.Lines(string(page)) {
		if !strings.HasPrefix(text, "{") {
			continue
		}
		if !written[strings.TrimSpace(text)] {
			t.Errorf("no golden file has this example:\n%s", text)
		}
		for _, l := range linesOf(t, []byte(text)) {
			delete(missing, l.EventType)
		}
	}
	for kind := range missing {
		t.Errorf("no example of %s", kind)
	}
}
