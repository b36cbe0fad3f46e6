package bench

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The benchmark capture: as many packets as a busy home sends in a day.
const packets = 2_500_000

var build = flag.String("build", "", "build the benchmark capture and describe it in this `FILE`")

// built describes a benchmark capture.
type built struct {
	Path    string
	Source  string
	Packets int
	Bytes   int64
}

// TestBuild makes the benchmark capture unless an earlier run left it in the
// user's cache. It does nothing in a usual run of tests: TestPeers and
// BenchmarkStages start it in a process of its own, because what a process has
// once needed counts towards the peak memory of those that it starts.
func TestBuild(t *testing.T) {
	if *build == "" {
		t.Skip("does nothing without -build; make bench builds the capture")
	}
	takes, source := sources(t)
	m := newMix(takes, packets)
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	path := filepath.Join(cache, "gatehouse", "bench-"+m.hash()+".pcap")
	if _, err := os.Stat(path); err != nil {
		if err := m.save(path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(built{Path: path, Source: source, Packets: packets, Bytes: info.Size()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*build, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sources are the takes of the corpus, or of the simulator without one.
func sources(tb testing.TB) (takes []*take, source string) {
	tb.Helper()
	if os.Getenv("GATEHOUSE_CORPUS") == "" {
		return simTakes(tb, 4), "4 simulated homes"
	}
	takes = corpusTakes(tb)
	return takes, fmt.Sprintf("%d real captures", len(takes))
}

// save writes the capture, under its name only when it is complete.
func (m *mix) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "bench-*.tmp")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already if all went well
	defer file.Close()
	if _, err := m.WriteTo(file); err != nil {
		return fmt.Errorf("write benchmark capture: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write benchmark capture: %w", err)
	}
	return os.Rename(file.Name(), path)
}

// benchCapture returns the benchmark capture, which another process builds if
// it is not there yet.
func benchCapture(tb testing.TB) built {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), "capture.json")
	cmd := exec.Command(os.Args[0], "-test.run=^TestBuild$", "-build="+out)
	start := time.Now()
	if log, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build the benchmark capture: %v\n%s", err, strings.TrimSpace(string(log)))
	}
	data, err := os.ReadFile(out)
	if err != nil {
		tb.Fatal(err)
	}
	var b built
	if err := json.Unmarshal(data, &b); err != nil {
		tb.Fatal(err)
	}
	tb.Logf("%s: %d packets, %d bytes from %s, ready after %.1f s", b.Path, b.Packets, b.Bytes, b.Source, time.Since(start).Seconds())
	return b
}
