package sim

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/testkit"
)

// tshark, which knows far more protocols than we do, finds nothing malformed in
// two weeks with every scenario, and no checksum that is wrong.
func TestTsharkFindsNoFault(t *testing.T) {
	if testing.Short() {
		t.Skip("dissects half a million frames")
	}
	tshark := testkit.NeedTool(t, "tshark")
	cfg := DefaultConfig()
	cfg.Days, cfg.LearnDays = 14, 3
	path := filepath.Join(t.TempDir(), CaptureFile)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plannedHome(t, cfg).WriteTo(file); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tshark, "-r", path, "-n",
		"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-Y", "_ws.malformed || _ws.expert.severity == error",
		"-T", "fields", "-e", "frame.number", "-e", "_ws.col.Protocol", "-e", "_ws.expert.message")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run tshark: %v\n%s", err, complaints.Bytes())
	}
	if faults := strings.TrimSpace(string(out)); faults != "" {
		lines := strings.Split(faults, "\n")
		t.Errorf("%d faults, the first ones:\n%s", len(lines), strings.Join(lines[:min(8, len(lines))], "\n"))
	}
}
