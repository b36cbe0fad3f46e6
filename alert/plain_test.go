package alert

import (
	"testing"

	"gatehouse/detect"
	"gatehouse/device"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"example.com":             "example.com",
		"Büro-Drucker 日本":         "Büro-Drucker 日本",
		"\x1b[2Jgone":             "\uFFFD[2Jgone",
		"one\nCEF:0|forged":       "one\uFFFDCEF:0|forged",
		"gpj.\u202Eexe":           "gpj.\uFFFDexe", // reverses what follows
		"broken \xff utf-8":       "broken \uFFFD utf-8",
		"zero\u200bwidth, \u0085": "zero\uFFFDwidth, \uFFFD",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}

// Whatever a detector passes on from the network, an alert is safe to print.
func TestAlertsArePlain(t *testing.T) {
	evil := "a\x1b]0;owned\x07\nb"
	b := NewBook(Config{Budget: Balanced})
	a := b.Add(&detect.Finding{
		Kind: detect.NewDestination, Class: detect.Novelty, Severity: detect.High, P: 1e-9,
		Device: &device.Device{ID: "mac:020000000001", Name: "camera"}, Time: 1, First: 1,
		Subject: evil, Summary: evil, Peer: detect.Peer{Name: evil},
		Why: []detect.Why{{Feature: "name", Observed: evil, Expected: evil}},
	}, 1)
	if a == nil {
		t.Fatal("no alert")
	}
	for _, s := range []string{a.Subject, a.Summary, a.Peer.Name, a.Why[0].Observed, a.Why[0].Expected} {
		if s != plain(evil) {
			t.Errorf("%q reached the alert", s)
		}
	}
}
