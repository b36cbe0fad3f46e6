package testkit

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TShark reads a capture with Wireshark's dissectors, for tests that compare
// with them. It returns one row for each frame that passes the display filter
// ("" for all): the values of each field in the frame, in order. A field that
// a frame lacks is absent from its row. Names are not resolved, and the
// preferences of whoever runs the test are left aside.
//
// A capture whose last packet is cut short yields the rows before it, any
// other failure of tshark ends the test. Without tshark the test is skipped;
// with CI=true it fails.
func TShark(tb testing.TB, file, filter string, fields ...string) []map[string][]string {
	tb.Helper()
	// Unit and record separators: no field value holds them.
	const values, columns = "\x1f", "\x1e"
	args := []string{
		"-n", "-r", file, "-T", "fields",
		"-E", "occurrence=a", "-E", "aggregator=" + values, "-E", "separator=" + columns,
	}
	if filter != "" {
		args = append(args, "-Y", filter)
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(tb.Context(), NeedTool(tb, "tshark"), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "WIRESHARK_CONFIG_DIR="+tb.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && !strings.Contains(stderr.String(), "cut short in the middle of a packet") {
		tb.Fatalf("tshark %s: %v: %s", file, err, withoutRootWarning(stderr.String()))
	}

	var rows []map[string][]string
	for line := range strings.Lines(string(out)) {
		row := make(map[string][]string, len(fields))
		for i, cell := range strings.Split(strings.TrimSuffix(line, "\n"), columns) {
			if cell != "" {
				row[fields[i]] = strings.Split(cell, values)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// withoutRootWarning drops the line that tshark prints for root whatever it
// does, so that a failure shows its cause alone.
func withoutRootWarning(stderr string) string {
	var kept []string
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "Running as user \"root\"") {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	return strings.Join(kept, "; ")
}
