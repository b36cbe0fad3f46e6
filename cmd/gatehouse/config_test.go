package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/detect"
	"gatehouse/internal/testkit"
	"gatehouse/notify"
	"gatehouse/store"
)

func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

// parseIn writes files into a folder and parses a configuration there.
func parseIn(t *testing.T, text string, files map[string]string, vars map[string]string) (*settings, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := parseSettings(filepath.Join(dir, "gatehouse.yaml"), []byte(text), environment(vars))
	if err != nil && !strings.HasPrefix(err.Error(), dir) {
		t.Errorf("the error does not name the file: %v", err)
	}
	return s, err
}

func TestSettings(t *testing.T) {
	s, err := parseIn(t, `
site: ${SITE}
store:
  path: state
  write_per_day: 10MB
  max_size: 1GB
  keep: {alerts: 30d, minutes: 36h}
  encryption: {key_file: key}
sinks:
  two:
    type: jsonlines
    path: /var/log/$${X}/${SITE}.jsonl
    batch: 7
    timeout: 5s
    summarize_above: 20
    route:
      severity: high
      kinds: [dns_tunnel]
      updates: important
      quiet_hours: 22:00-07:00
  one: {type: jsonlines, path: "${SITE}"}
`, map[string]string{"key": strings.Repeat("k", 32) + "\n"}, map[string]string{"SITE": "barn ${SITE}"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Site != "barn ${SITE}" || s.Store.WritePerDay != 10<<20 || s.Store.MaxSize != 1<<30 || s.Store.MaxWaiting != store.DefaultMaxWaiting ||
		time.Duration(s.Store.Keep.Alerts) != 720*time.Hour || time.Duration(s.Store.Keep.Minutes) != 36*time.Hour ||
		filepath.Base(s.Store.Path) != "state" || !filepath.IsAbs(s.Store.Path) {
		t.Errorf("got %+v", s)
	}
	if keep := s.Store.retention(); keep.Incidents.Age != 720*time.Hour || keep.Size != 1<<30 || keep.Observations.Age != 90*24*time.Hour {
		t.Errorf("retention: %+v", keep)
	}
	if key, err := s.Store.key(); err != nil || key == nil {
		t.Errorf("key: %v, %v", key, err)
	}
	if len(s.Sinks) != 2 || s.Sinks[0].name != "one" || s.Sinks[0].limits != notify.DefaultLimits() {
		t.Fatalf("sinks: %+v", s.Sinks)
	}
	two := s.Sinks[1]
	quiet, err := notify.ParseQuiet("22:00-07:00")
	if err != nil {
		t.Fatal(err)
	}
	want := notify.Route{Severity: detect.High, Kinds: []detect.Kind{detect.DNSTunnel}, Updates: notify.ImportantUpdates, Quiet: quiet}
	if !reflect.DeepEqual(two.route, want) || two.limits != (notify.Limits{Batch: 7, Timeout: 5 * time.Second, SummarizeAbove: 20}) {
		t.Errorf("got %+v", two)
	}
	if got := two.config.(*notify.JSONLines).Path; got != "/var/log/${X}/barn ${SITE}.jsonl" {
		t.Errorf("path %q", got)
	}
}

func TestEmptySettings(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "sinks:\n", "store: {}\n"} {
		s, err := parseIn(t, text, nil, nil)
		if err != nil || len(s.Sinks) != 0 || s.Store.WritePerDay != 50<<20 {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
}

// Every error names the line and what is allowed.
func TestSettingsErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string // of the message, the place first
	}{
		"unknown key":          {"site: a\nstroe: {}\n", []string{":2:1:", `"stroe"`, "sinks, site, store"}},
		"unknown nested key":   {"store:\n  path: x\n  keep:\n    alert: 3d\n", []string{":4:5:", `"store.keep.alert"`, "alerts, hours, minutes, observations"}},
		"unknown sink key":     {"sinks:\n  a:\n    type: jsonlines\n    path: x\n    pth: y\n", []string{":5:5:", `"pth"`, "path", "summarize_above"}},
		"unknown route key":    {"sinks:\n  a:\n    type: jsonlines\n    path: x\n    route: {kind: [x]}\n", []string{":5:13:", `"route.kind"`, "kinds"}},
		"unknown type":         {"sinks:\n  a:\n    type: pigeon\n", []string{":3:11:", `"pigeon"`, "jsonlines"}},
		"no type":              {"sinks:\n  a:\n    path: x\n", []string{":2:3:", "type is required", "jsonlines"}},
		"missing setting":      {"sinks:\n  a:\n    type: jsonlines\n", []string{":3:5:", "path: is required"}},
		"bad name":             {"sinks:\n  \"a b\":\n    type: jsonlines\n", []string{":2:3:", "letters"}},
		"bad severity":         {"sinks:\n  a:\n    type: jsonlines\n    path: x\n    route:\n      severity: hihg\n", []string{":6:17:", "low, medium, high or critical"}},
		"bad quiet hours":      {"sinks:\n  a:\n    type: jsonlines\n    path: x\n    route: {quiet_hours: 22-7}\n", []string{":5:", "22:00-07:00"}},
		"bad updates":          {"sinks:\n  a:\n    type: jsonlines\n    path: x\n    route:\n      updates: some\n", []string{":6:7:", "all or important"}},
		"bad batch":            {"sinks:\n  a:\n    type: jsonlines\n    path: x\n    batch: 0\n", []string{":5:5:", "1 to 1000"}},
		"bad size":             {"store:\n  write_per_day: much\n", []string{":2:18:", "50MB"}},
		"bad age":              {"store:\n  keep:\n    alerts: forever\n", []string{":3:13:", "90d"}},
		"small size":           {"store:\n  max_size: 1MB\n", []string{":2:3:", "8MB"}},
		"bad cipher":           {"store:\n  encryption: {cipher: rot13}\n", []string{":2:16:", "aes-xts"}},
		"two keys":             {"store:\n  encryption:\n    key_file: a\n    credential: b\n", []string{":4:5:", "key_file"}},
		"variable not set":     {"store:\n  path: ${NOPE}\n", []string{":2:9:", "NOPE", "$${NOPE}"}},
		"twice":                {"site: a\nsite: b\n", []string{":2:1:", "site"}},
		"twice in a sink":      {"sinks:\n  a:\n    type: jsonlines\n    type: jsonlines\n    path: x\n", []string{":4:5:", "type"}},
		"same sink twice":      {"sinks:\n  a: {type: jsonlines, path: x}\n  a: {type: jsonlines, path: y}\n", []string{":3:3:", "a"}},
		"list":                 {"- a\n", []string{":1:1:", "store:"}},
		"sink is a text":       {"sinks:\n  a: jsonlines\n", []string{":2:6:", "keys and values"}},
		"two documents":        {"site: a\n---\nsite: b\n", []string{":3:", "one configuration"}},
		"not YAML":             {"site: [a\n", []string{":1:"}},
		"tab":                  {"store:\n\tpath: x\n", []string{":2:"}},
		"binary":               {"\x00\xff\x00", []string{": "}},
		"number where a text":  {"store: 7\n", []string{":1:8:"}},
		"incidents by a group": {"sinks:\n  a:\n    type: jsonlines\n    path: x\n    route: {incidents: true, groups: [b]}\n", []string{":5:13:", "incidents"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseIn(t, tc.text, nil, nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// secretive is a sink with secrets at two levels.
type secretive struct {
	Token notify.Secret `yaml:"token"`
	TLS   struct {
		Password notify.Secret `yaml:"password"`
		CAFile   string        `yaml:"ca_file"`
	} `yaml:"tls"`
	Headers map[string]string `yaml:"headers"`
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"token": "s3cret ${X}: # \"quoted\"\n", "password": "tls-s3cret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	decode := func(text string) (*secretive, error) {
		d := &document{name: "c.yaml", dir: dir, env: environment(map[string]string{"X": "from env: # {}", "TOKEN": "token"})}
		root, err := d.parse([]byte(text))
		if err != nil {
			return nil, err
		}
		var s secretive
		return &s, d.decode(root, &s)
	}
	s, err := decode("token_file: ${TOKEN}\ntls:\n  password_file: password\n  ca_file: ca.pem\nheaders: {a: \"${X}\"}\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Token.Reveal(); got != `s3cret ${X}: # "quoted"` {
		t.Errorf("token %q", got)
	}
	if s.TLS.Password.Reveal() != "tls-s3cret" || s.TLS.CAFile != "ca.pem" || s.Headers["a"] != "from env: # {}" {
		t.Errorf("got %+v with password %q", s, s.TLS.Password.Reveal())
	}
	if s, err = decode("token: ${X}\n"); err != nil || s.Token.Reveal() != "from env: # {}" {
		t.Errorf("from the environment: %q, %v", s.Token.Reveal(), err)
	}
	for text, want := range map[string]string{
		"token: a\ntoken_file: token\n":         "c.yaml:2:1: token_file: token is given too",
		"token_file: absent\n":                  "c.yaml:1:13: token_file: open",
		"tls:\n  password_file: " + dir + "\n":  "c.yaml:2:18: tls.password_file: read",
		"token: [a]\n":                          "c.yaml:1:8: token: want a text",
		"tls: {pasword: x}\n":                   "ca_file, password",
		"headers_file: token\n":                 `unknown key "headers_file"`,
		"token: ${UNSET}\n":                     "UNSET is not set",
		"tls: {password: \"s3cret\", x: 1}\n":   `"tls.x"`,
		"token: {really: s3cret, secret: no}\n": "c.yaml:1:8: token: want a text",
	} {
		_, err := decode(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error shows a secret: %v", text, err)
		}
	}
}

func TestCredential(t *testing.T) {
	s, err := parseIn(t, "store: {encryption: {credential: gatehouse-key}}\n", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.key(); err == nil || !strings.Contains(err.Error(), "LoadCredential") {
		t.Errorf("outside of systemd: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gatehouse-key"), []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if key, err := s.Store.key(); key == nil || err != nil {
		t.Errorf("got %v, %v", key, err)
	}
}

// The example in deploy is what the program says its settings are.
func TestExampleConfiguration(t *testing.T) {
	name := filepath.Join(testkit.ModuleRoot(t), "deploy", "gatehouse.yaml")
	s, err := loadSettings(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Sinks) == 0 || s.Store.Path == "" {
		t.Errorf("got %+v", s)
	}
	// With the comments taken away as well: each key is known and each default
	// is the default.
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var open strings.Builder
	for line := range strings.Lines(string(text)) {
		bare := strings.TrimLeft(line, " ")
		if rest, ok := strings.CutPrefix(bare, "# "); ok && example(rest) {
			line = line[:len(line)-len(bare)] + rest
		}
		if !strings.Contains(line, "credential:") { // or key_file
			open.WriteString(line)
		}
	}
	all, err := parseIn(t, strings.ReplaceAll(open.String(), "      incidents: true", "#"), nil, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, open.String())
	}
	all.Store.Path, all.Store.Encryption.KeyFile, all.Site = "", "", ""
	want := defaultSettings()
	if !reflect.DeepEqual(all.Store, want.Store) {
		t.Errorf("the defaults in the file are not those of the program: got %+v, want %+v", all.Store, want.Store)
	}
	if l := all.Sinks[0].limits; l != notify.DefaultLimits() {
		t.Errorf("limits: %+v", l)
	}
	if r := all.Sinks[0].route; r.Severity != detect.Medium || len(r.Groups) != 1 {
		t.Errorf("route: %+v", r)
	}
}

// example reports whether a comment is a setting and not a sentence.
func example(comment string) bool {
	key, _, ok := strings.Cut(strings.TrimLeft(comment, " "), ":")
	return ok && !strings.ContainsAny(key, " .") && key == strings.ToLower(key)
}

func FuzzSettings(f *testing.F) {
	f.Add("sinks:\n  a: {type: jsonlines, path: x, route: {severity: low}}\n")
	f.Add("store: &a\n  path: ${X}\n  keep: *a\n")
	f.Add("<<: {a: b}\n? [x]\n: |\n  ${X}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "_file") {
			return // not files of this machine
		}
		s, err := parseSettings("c.yaml", []byte(text), environment(map[string]string{"X": "y"}))
		if (s == nil) == (err == nil) {
			t.Errorf("got %v and %v", s, err)
		}
	})
}
