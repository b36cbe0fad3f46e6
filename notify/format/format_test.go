package format

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/internal/testkit"
)

// examples are the golden alert and incident of the alert room, and a digest.
func examples(t testing.TB) map[string]*alert.Notice {
	t.Helper()
	read := func(path string, v any) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, v); err != nil {
			t.Fatal(err)
		}
	}
	a, i := &alert.Alert{}, &alert.Incident{}
	read("../../alert/testdata/alert.json", a)
	read("../../alert/testdata/incident.json", i)
	from := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	return map[string]*alert.Notice{
		"alert":    {Seq: 1, Alert: a},
		"incident": {Seq: 2, Incident: i},
		"digest": {Digest: &alert.Digest{
			ID: "d-1", From: from, To: from.Add(time.Minute), Alerts: 40, Incidents: 2, Severity: detect.High,
			Counts:  map[detect.Severity]int{detect.Low: 38, detect.High: 2},
			Kinds:   map[detect.Kind]int{detect.NewDestination: 40},
			Devices: []string{"kitchen-cam", "tv"}, Examples: []string{a.Summary},
			Summary: "40 alerts and 2 incidents came within a minute.",
		}},
	}
}

var testMeta = Meta{Site: "plant 3", Version: "1.2.3", Topic: "gatehouse"}

func TestGolden(t *testing.T) {
	all := examples(t)
	for _, f := range Table() {
		t.Run(f.Name, func(t *testing.T) {
			var out []byte
			for _, shape := range []string{"alert", "incident", "digest"} {
				text, err := f.Render(all[shape], testMeta)
				if err != nil {
					t.Fatalf("%s: %v", shape, err)
				}
				if slices.Contains(text, '\n') {
					t.Errorf("%s: more than one line: %q", shape, text)
				}
				if f.MediaType == jsonMedia && !json.Valid(text) {
					t.Errorf("%s: no JSON: %s", shape, text)
				}
				out = append(append(out, text...), '\n')
			}
			testkit.Golden(t, out, "testdata/"+f.Name+".golden")
		})
	}
}

func TestTable(t *testing.T) {
	var names []string
	for _, f := range Table() {
		names = append(names, f.Name)
		if f.Doc == "" || f.MediaType == "" {
			t.Errorf("%s lacks a description or media type", f.Name)
		}
		if _, err := f.Render(&alert.Notice{}, Meta{}); err == nil {
			t.Errorf("%s renders an empty notice", f.Name)
		}
		if found, ok := Find(f.Name); !ok || found.Name != f.Name {
			t.Errorf("%s is not found", f.Name)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("not in order: %s", names)
	}
	if _, ok := Find("nonsense"); ok {
		t.Error("found a format that is not there")
	}
}

// hostile puts a text into every place of an alert that the network can reach.
func hostile(text string) *alert.Notice {
	return &alert.Notice{Alert: &alert.Alert{
		ID: "a-1", Revision: 1, Kind: detect.DNSTunnel, Severity: detect.Critical,
		Device:  alert.Device{ID: text, Name: text, Group: text, MAC: text, IPs: []string{text}, Vendor: text, Type: text},
		Subject: text, Peer: detect.Peer{IP: text, Name: text, Proto: text, Country: text}, Summary: text,
		Why:      []detect.Why{{Feature: text, Observed: text, Expected: text}},
		Evidence: []alert.Evidence{{CommunityID: text}}, Incident: text, Playbook: text, Attack: []string{text},
	}}
}

// TestNothingBreaksOut: whatever a name contains, a rendering stays one line
// and valid JSON, and nobody is called to a chat.
func TestNothingBreaksOut(t *testing.T) {
	for _, text := range []string{
		"a\nCEF:0|x|y|z|0|0|10|", "x| y=z \\ \\| \\= \\n", "@everyone <!channel> <@U1> <!here>", "[free](https://x.example) **b** `c`",
		"\x00\x1b[31m\xff\xfe", "\u202egnp.exe", strings.Repeat("ä", 100_000), "</script>", "\t\r\n", `"},{"a":"`,
	} {
		for _, f := range Table() {
			out, err := f.Render(hostile(text), testMeta)
			if err != nil {
				t.Errorf("%s of %.20q: %v", f.Name, text, err)
				continue
			}
			if slices.Contains(out, '\n') || slices.Contains(out, '\r') {
				t.Errorf("%s of %.20q is more than one line", f.Name, text)
			}
			if f.MediaType == jsonMedia && !json.Valid(out) {
				t.Errorf("%s of %.20q is no JSON: %.200s", f.Name, text, out)
			}
			var decoded any
			_ = json.Unmarshal(out, &decoded)
			switch shown, _ := json.Marshal(decoded); f.Name {
			case "discord":
				for _, bad := range []string{"@everyone", "](https", "https://", " **b"} {
					if strings.Contains(string(shown), bad) {
						t.Errorf("discord shows %s", bad)
					}
				}
			case "slack":
				if s := decoded.(map[string]any)["text"].(string); strings.ContainsAny(s, "<>") {
					t.Errorf("slack would interpret %s", s)
				}
			}
			if limit := map[string]int{"slack": 10_000, "discord": 20_000, "teams": 28_000, "ntfy": 8_000, "cef": 60_000}[f.Name]; limit > 0 && len(out) > limit {
				t.Errorf("%s of %.20q has %d bytes, more than %d", f.Name, text, len(out), limit)
			}
		}
	}
}

// TestBadNumbersAndTimes: what JSON cannot say is an error, not a panic; the
// formats that can say it do.
func TestBadNumbersAndTimes(t *testing.T) {
	for name, change := range map[string]func(*alert.Alert){
		"not a number": func(a *alert.Alert) { a.Score, a.Why[0].Surprise = math.NaN(), math.Inf(1) },
		"year 12345":   func(a *alert.Alert) { a.LastSeen = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC) },
		"no time":      func(a *alert.Alert) { a.Time, a.FirstSeen, a.LastSeen = time.Time{}, time.Time{}, time.Time{} },
		"1970":         func(a *alert.Alert) { a.LastSeen = time.Unix(0, 0) },
		"no severity":  func(a *alert.Alert) { a.Severity = 0 },
		"odd severity": func(a *alert.Alert) { a.Severity = 200 },
		"odd state":    func(a *alert.Alert) { a.State = "snoozed" },
		"no lists":     func(a *alert.Alert) { a.Why, a.Attack, a.Evidence, a.Device.IPs = nil, nil, nil, nil },
	} {
		for _, f := range Table() {
			n := examples(t)["alert"]
			change(n.Alert)
			out, err := f.Render(n, testMeta)
			if err == nil && f.MediaType == jsonMedia && !json.Valid(out) {
				t.Errorf("%s of %s is no JSON: %s", f.Name, name, out)
			}
			if err == nil && len(out) == 0 {
				t.Errorf("%s of %s is empty", f.Name, name)
			}
		}
	}
}

func TestTitles(t *testing.T) {
	all := examples(t)
	merged := *all["incident"].Incident
	merged.MergedInto, merged.Alerts, merged.State = "i-2", nil, alert.Closed
	again := *all["alert"].Alert
	again.Count = 3
	closed := again
	closed.State = alert.Closed
	nameless := alert.Alert{Kind: detect.DNSTunnel, Severity: detect.Low}
	newer := alert.Alert{Kind: "some_kind_to_come", Severity: detect.Critical, Count: 2, Device: alert.Device{ID: "mac:02"}}
	for _, tc := range []struct {
		want   string
		notice *alert.Notice
	}{
		{"High: New service on kitchen-cam", all["alert"]},
		{"High: New service on kitchen-cam (3 times)", &alert.Notice{Alert: &again}},
		{"High: New service on kitchen-cam (closed)", &alert.Notice{Alert: &closed}},
		{"High: Incident of 1 alert on 1 device", all["incident"]},
		{"High: Incident of 0 alerts on 1 device (part of i-2)", &alert.Notice{Incident: &merged}},
		{"High: Digest of 40 alerts and 2 incidents", all["digest"]},
		{"Low: DNS tunnel", &alert.Notice{Alert: &nameless}},
		{"Critical: Some kind to come on mac:02 (2 times)", &alert.Notice{Alert: &newer}},
	} {
		if got := Title(tc.notice); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestDeviceIP(t *testing.T) {
	for _, tc := range []struct {
		ips        []string
		peer, want string
	}{
		{[]string{"fe80::1", "192.0.2.1", "2001:db8::1"}, "198.51.100.7", "192.0.2.1"},
		{[]string{"fe80::1", "192.0.2.1", "2001:db8::1"}, "2001:db8::7", "2001:db8::1"},
		{[]string{"fe80::1", "192.0.2.1"}, "2001:db8::7", "fe80::1"},
		{[]string{"fe80::1", "192.0.2.1"}, "", "192.0.2.1"},
		{[]string{"fe80::1"}, "", "fe80::1"},
		{[]string{"nonsense"}, "192.0.2.1", ""},
		{nil, "192.0.2.1", ""},
	} {
		if got := DeviceIP(&alert.Alert{Device: alert.Device{IPs: tc.ips}, Peer: detect.Peer{IP: tc.peer}}); got != tc.want {
			t.Errorf("%s with %q: got %s, want %s", tc.ips, tc.peer, got, tc.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "lo…"},
		{"äöü", 5, "ä…"},
		{"äöü", 4, "…"},
		{"abcd", 3, "…"},
		{"abcd", 2, ""},
		{"\xff\xff\xff\xff\xff", 4, "\xff…"},
		{"", 0, ""},
	} {
		if got := Cut(tc.in, tc.limit); got != tc.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tc.in, tc.limit, got, tc.want)
		}
	}
}

func TestTemplate(t *testing.T) {
	all := examples(t)
	f, err := Template(`{"title":{{json .Title}},"sev":"{{upper .Severity.String}}","who":{{with .Alert}}{{json .Device.Name}}{{else}}null{{end}},"site":{{json .Site}}}`)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Render(all["alert"], Meta{Site: `a "b"`})
	if want := `{"title":"High: New service on kitchen-cam","sev":"HIGH","who":"kitchen-cam","site":"a \"b\""}`; err != nil || string(out) != want {
		t.Errorf("got %s, %v; want %s", out, err, want)
	}
	if _, err := f.Render(all["digest"], Meta{}); err != nil {
		t.Errorf("a digest: %v", err)
	}
	if _, err := f.Render(&alert.Notice{}, Meta{}); err == nil {
		t.Error("an empty notice is rendered")
	}
	for _, bad := range []string{"{{", "{{.Nonsense", "{{nonsense}}"} {
		if _, err := Template(bad); err == nil {
			t.Errorf("%q is a template", bad)
		}
	}
	for _, bad := range []string{"{{.Nonsense}}", "{{.Incident.Summary}}", `{{range $i, $x := .Alert.Why}}{{range 100000}}{{printf "%100s" "x"}}{{end}}{{end}}`} {
		f, err := Template(bad)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := f.Render(all["alert"], Meta{}); err == nil {
			t.Errorf("%q writes %d bytes", bad, len(out))
		}
	}
}

func FuzzFormats(f *testing.F) {
	f.Add("kitchen-cam", "192.0.2.1", "tcp", uint8(3), 1.5)
	f.Add("a|b=c\\\n", "fe80::1%eth0", "|", uint8(0), -1.0)
	f.Add("\xff<@x>", "", "", uint8(9), 1e300)
	f.Fuzz(func(t *testing.T, text, ip, proto string, severity uint8, score float64) {
		n := hostile(text)
		a := n.Alert
		a.Device.IPs, a.Peer.IP, a.Peer.Proto, a.Severity, a.Score = []string{ip}, ip, proto, detect.Severity(severity), score
		for _, f := range Table() {
			out, err := f.Render(n, Meta{Site: text})
			if err != nil {
				if f.MediaType != jsonMedia || !math.IsNaN(score) && !math.IsInf(score, 0) {
					t.Errorf("%s: %v", f.Name, err)
				}
				continue
			}
			if strings.ContainsAny(string(out), "\n\r") {
				t.Errorf("%s: more than one line: %q", f.Name, out)
			}
			if f.MediaType == jsonMedia && !json.Valid(out) {
				t.Errorf("%s: no JSON: %q", f.Name, out)
			}
		}
	})
}

func BenchmarkFormats(b *testing.B) {
	n := examples(b)["alert"]
	for _, f := range Table() {
		b.Run(f.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Render(n, testMeta); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
