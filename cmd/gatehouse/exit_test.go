package main

import (
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/sim"
)

// Exit codes are an interface: scripts decide by them.
func TestExitCodes(t *testing.T) {
	dir := tunnel(t)
	home, roots := filepath.Join(dir, sim.CaptureFile), filepath.Join(dir, sim.RootsFile)
	for _, tc := range []struct {
		args string
		want int
	}{
		{"version", exitOK},
		{"replay --roots " + roots + " " + home, exitOK},
		{"replay --fail-on medium --roots " + roots + " " + home, exitAlerts},
		{"replay --fail-on critical --roots " + roots + " " + home, exitOK},
		{"replay /dev/null", exitFailed},
		{"replay /nonexistent.pcap", exitUsage},
		{"replay", exitUsage},
		{"replay --nonsense", exitUsage},
		{"nonsense", exitUsage},
		{"alerts --state /nonexistent", exitUsage},
		{"simulate --days 400 --out " + dir, exitUsage},
	} {
		t.Run(strings.ReplaceAll(tc.args, "/", "_"), func(t *testing.T) {
			var out, errs strings.Builder
			if got := run(t.Context(), strings.Fields(tc.args), strings.NewReader(""), &out, &errs); got != tc.want {
				t.Errorf("exit code %d, want %d; stderr: %s", got, tc.want, errs.String())
			}
		})
	}
}
