package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/testkit"
	"gatehouse/sim"
)

// The first command of the README: everything that is there is found, and
// nothing else.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("simulates a month")
	}
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"demo"}, strings.NewReader(""), &out, &errs); code != exitOK {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if want := "11 of 11 attacks found, 14 of 14 look-alikes silent, 0 false alerts"; !strings.Contains(out.String(), want) {
		t.Errorf("the demo does not end with %q:\n%s", want, out.String())
	}
}

func TestDemoKeepsNothingTwice(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"demo", "--keep", dir}, strings.NewReader(""), &out, &errs); code != exitUsage {
		t.Errorf("exit code %d, want %d; stderr: %s", code, exitUsage, errs.String())
	}
}

// The commands that the README shows for captures of one's own work as they
// stand there.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(testkit.ModuleRoot(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.ReadFile(filepath.Join(tunnel(t), sim.CaptureFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(home); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"monday.pcap": home, "tuesday.pcap.gz": packed.Bytes(), "week.pcapng": home, "day.pcap": home,
		"gatehouse.yaml": []byte("store:\n  path: state\nsinks:\n  archive:\n    type: file\n    path: alerts.jsonl\n"),
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := regexp.MustCompile(`(?m)^gatehouse (.+)$`).FindAllStringSubmatch(string(readme), -1)
	if len(commands) < 5 {
		t.Fatalf("%d commands found in the README", len(commands))
	}
	id := regexp.MustCompile(`\ba-[0-9a-f]+\b`)
	alert := ""
	for _, c := range commands {
		args := id.ReplaceAllString(c[1], alert) // the README's alert is another capture's
		if strings.HasPrefix(args, "run ") {
			continue // needs a network: TestRun
		}
		if testing.Short() && strings.HasPrefix(args, "simulate") {
			continue
		}
		var out, errs strings.Builder
		if code := run(t.Context(), strings.Fields(args), strings.NewReader(""), &out, &errs); code != exitOK {
			t.Errorf("gatehouse %s: exit code %d: %s", args, code, errs.String())
		}
		if alert == "" {
			alert = id.FindString(out.String())
		}
		if out.Len() == 0 {
			t.Errorf("gatehouse %s: no output", args)
		}
	}
}
