package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gatehouse/alert"
	"gatehouse/internal/testkit"
)

// revised is examples with what they lack: later revisions, other states, a
// merged incident, sub-techniques, an IPv6 peer, and hardly anything known.
func revised(t *testing.T) map[string]*alert.Notice {
	t.Helper()
	all := examples(t)
	a := *all["alert"].Alert
	a.Revision, a.Count, a.State, a.Attack, a.Peer.IP = 4, 4, alert.Closed, []string{"T1071.004", "T1071", "T1572"}, "2001:db8::7"
	all["closed alert"] = &alert.Notice{Alert: &a}
	acknowledged := a
	acknowledged.State = alert.Acknowledged
	all["acknowledged alert"] = &alert.Notice{Alert: &acknowledged}
	at := time.Date(1970, 1, 1, 0, 0, 0, 1, time.UTC)
	all["bare alert"] = &alert.Notice{Alert: &alert.Alert{
		ID: "a-0", Revision: 1, Time: at, FirstSeen: at, LastSeen: at, Count: 1, Kind: a.Kind, Severity: a.Severity,
		Device: alert.Device{ID: "ip:192.0.2.1"}, Why: a.Why[:0], Attack: []string{}, Evidence: []alert.Evidence{}, State: alert.Open,
	}}
	i := *all["incident"].Incident
	i.Revision, i.State, i.Alerts, i.MergedInto = 3, alert.Closed, []string{}, "i-1"
	all["merged incident"] = &alert.Notice{Incident: &i}
	return all
}

func compile(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, name string, text []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
	}
}

// TestJSONKeepsItsSchema also holds that the schema refuses what we never
// write, so that it can be relied on.
func TestJSONKeepsItsSchema(t *testing.T) {
	s := compile(t, "../../docs/alerts.schema.json")
	for name, n := range revised(t) {
		for _, m := range []Meta{{}, testMeta} {
			text, err := JSON(n, m)
			if err != nil {
				t.Fatal(err)
			}
			validate(t, s, name, text)
		}
	}
	for _, bad := range []string{`{}`, `{"alert":{}}`, `{"incident":{},"digest":{}}`, `[]`, `{"nonsense":1}`} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(v) == nil {
			t.Errorf("%s passes", bad)
		}
	}
}

// TestOCSFKeepsTheSchema validates against the published schema, see
// testdata/README.md.
func TestOCSFKeepsTheSchema(t *testing.T) {
	detection := compile(t, "testdata/ocsf-1.2-detection_finding.schema.json")
	incident := compile(t, "testdata/ocsf-1.2-incident_finding.schema.json")
	for name, n := range revised(t) {
		text, err := OCSF(n, testMeta)
		if err != nil {
			t.Fatal(err)
		}
		s := detection
		if n.Incident != nil {
			s = incident
		}
		validate(t, s, name, text)
		var e ocsfEvent
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		if e.TypeUID != e.ClassUID*100+e.ActivityID {
			t.Errorf("%s: type %d does not follow from class %d and activity %d", name, e.TypeUID, e.ClassUID, e.ActivityID)
		}
	}
}

// ecsField is a line of testdata/ecs-9.4.0.jsonl.
type ecsField struct {
	Name    string
	Type    string
	Array   bool
	Allowed []string
	Pattern string
}

// TestECSKeepsTheSchema holds every field against the published definitions:
// name, type, whether it is a list, allowed values and pattern.
func TestECSKeepsTheSchema(t *testing.T) {
	fields := map[string]ecsField{}
	text, err := os.ReadFile("testdata/ecs-" + ecsVersion + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var f ecsField
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		fields[f.Name] = f
	}
	for name, n := range revised(t) {
		text, err := ECS(n, testMeta)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		delete(doc, "gatehouse") // a name of our own
		for _, problem := range ecsProblems(fields, "", doc) {
			t.Errorf("%s: %s", name, problem)
		}
	}
	bad := map[string]any{"event": map[string]any{"kind": "nonsense", "category": "network", "severity": "high"}, "source": map[string]any{"mac": "00:11"}, "nonsense": 1.0}
	if got := ecsProblems(fields, "", bad); len(got) != 5 {
		t.Errorf("found only %q in a bad document", got)
	}
}

func ecsProblems(fields map[string]ecsField, path string, v any) (out []string) {
	f, known := fields[path]
	if object, ok := v.(map[string]any); ok && (!known || f.Type == "object") {
		for k, x := range object {
			out = append(out, ecsProblems(fields, strings.TrimPrefix(path+"."+k, "."), x)...)
		}
		return out
	}
	if !known {
		return []string{path + " is no field"}
	}
	values, isList := v.([]any)
	if isList != f.Array {
		return []string{fmt.Sprintf("%s: list is %v, want %v", path, isList, f.Array)}
	}
	if !isList {
		values = []any{v}
	}
	for _, v := range values {
		if err := ecsValue(f, v); err != nil {
			out = append(out, fmt.Sprintf("%s: %v", path, err))
		}
	}
	return out
}

func ecsValue(f ecsField, v any) error {
	s, isText := v.(string)
	number, isNumber := v.(float64)
	switch f.Type {
	case "keyword", "match_only_text", "wildcard":
		if !isText {
			return fmt.Errorf("%v is no text", v)
		}
	case "ip":
		if _, err := netip.ParseAddr(s); err != nil {
			return err
		}
	case "date":
		if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
			return err
		}
	case "long":
		if !isNumber || number != float64(int64(number)) {
			return fmt.Errorf("%v is no integer", v)
		}
	case "float":
		if !isNumber {
			return fmt.Errorf("%v is no number", v)
		}
	default:
		return fmt.Errorf("type %s is not expected", f.Type)
	}
	if f.Allowed != nil && !slices.Contains(f.Allowed, s) {
		return fmt.Errorf("%q is not one of %q", s, f.Allowed)
	}
	if f.Pattern != "" && !regexp.MustCompile(f.Pattern).MatchString(s) {
		return fmt.Errorf("%q does not match %s", s, f.Pattern)
	}
	return nil
}

// TestCEFReadsBack has liblognorm, the parser of rsyslog, read what we write.
func TestCEFReadsBack(t *testing.T) {
	tool := testkit.NeedTool(t, "lognormalizer")
	rules := filepath.Join(t.TempDir(), "cef.rb")
	if err := os.WriteFile(rules, []byte("version=2\nrule=:%f:cef%\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	notices := revised(t)
	for _, text := range []string{"x| y=z", `back\slash \n \= \|`, "a=b c=d", "ümläut €"} {
		notices["hostile "+text] = hostile(text)
	}
	names := make([]string, 0, len(notices))
	var in bytes.Buffer
	for name, n := range notices {
		text, err := CEF(n, testMeta)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
		// This version of liblognorm (2.0.6) skips a character where the
		// extension begins, as if there were always a space.
		line := regexp.MustCompile(`\|(rt|externalId)=`).ReplaceAllString(string(text), "| $1=")
		in.WriteString(line + "\n")
	}
	cmd := exec.CommandContext(t.Context(), tool, "-r", rules, "-e", "json")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lognormalizer: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(names) {
		t.Fatalf("%d lines come back, want %d:\n%s", len(lines), len(names), out)
	}
	for i, line := range lines {
		var got struct {
			F struct {
				DeviceVendor, SignatureID, Name, Severity string
				Extensions                                map[string]string
			}
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.F.DeviceVendor != vendor {
			t.Errorf("%s is not understood: %s", names[i], line)
			continue
		}
		n := notices[names[i]]
		want := map[string]string{"externalId": n.ID(), "msg": Summary(n), "dvchost": testMeta.Site}
		if n.Alert != nil && n.Alert.Device.Name != "" {
			want["shost"], want["flexString1"] = n.Alert.Device.Name, n.Alert.Subject
		}
		for k, v := range want {
			if v != "" && got.F.Extensions[k] != v {
				t.Errorf("%s: %s reads %q, want %q", names[i], k, got.F.Extensions[k], v)
			}
		}
		if diff := cmp.Diff([]string{kind(n), label(n)}, []string{got.F.SignatureID, got.F.Name}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", names[i], diff)
		}
	}
}
