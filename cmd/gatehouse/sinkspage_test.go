package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/testkit"
	"gatehouse/notify"
)

// yamlBlock is an example of a page.
var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestSinksPage parses every example of docs/sinks.md, and once more with its
// commented settings. Each type of sink has a section.
func TestSinksPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testkit.ModuleRoot(t), "docs", "sinks.md"))
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	const sign = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for _, m := range yamlBlock.FindAllStringSubmatch(string(page), -1) {
		text := strings.ReplaceAll(m[1], "/etc/gatehouse/", "")
		files := map[string]string{"soc.sign": sign, "slack.url": "https://hooks.example.net/services/x\n"}
		for _, name := range []string{"soc.token", "soc.password", "splunk.token", "influx.token", "mqtt.password", "mail.password"} {
			files[name] = name + " holds a secret\n"
		}
		vars := map[string]string{"SOC_KEY": "from the environment"}
		s, err := parseIn(t, text, files, vars)
		if err != nil {
			t.Errorf("%v in\n%s", err, text)
			continue
		}
		for _, sink := range s.Sinks {
			types[sink.kind] = true
			if w, ok := sink.config.(*notify.Webhook); ok && w.Headers != nil && w.Headers["X-Api-Key"].Reveal() != "from the environment" {
				t.Errorf("%s: the header is %q", sink.name, w.Headers["X-Api-Key"].Reveal())
			}
			if w, ok := sink.config.(*notify.Webhook); ok && w.TLS.CAFile != "" && !filepath.IsAbs(w.TLS.CAFile) {
				t.Errorf("%s: the file %s is not beside the configuration", sink.name, w.TLS.CAFile)
			}
		}
		// One example shows two ways to authenticate, of which only one can be.
		if all := uncomment(text); all != text && !strings.Contains(all, "user: gatehouse  ") {
			if _, err := parseIn(t, all, files, vars); err != nil {
				t.Errorf("%v in\n%s", err, all)
			}
		}
	}
	for _, spec := range notify.Table() {
		if !types[spec.Type] || !strings.Contains(string(page), "\n## "+spec.Type+"\n") {
			t.Errorf("%s has no section with an example; there are %s", spec.Type, slices.Sorted(maps.Keys(types)))
		}
	}
}

// uncomment makes settings of comments that are some.
func uncomment(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		bare := strings.TrimLeft(line, " ")
		if rest, ok := strings.CutPrefix(bare, "# "); ok && example(rest) {
			line = line[:len(line)-len(bare)] + rest
		}
		b.WriteString(line)
	}
	return b.String()
}
