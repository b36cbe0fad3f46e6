package bench

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/testkit"
)

var (
	peersFlag = flag.Bool("peers", false, "measure Gatehouse beside other programs and write docs/performance.md")
	rounds    = flag.Int("rounds", 5, "how often each program is measured")
)

// patience is how long a program may take to be measured in every round.
const patience = 20 * time.Second

// peer is a program that reads the benchmark capture.
type peer struct {
	name    string // and program, unless path is set
	path    string
	args    []string // in front of the capture's name
	version []string // arguments that make it tell its version
	goal    float64  // its time divided by that of Gatehouse; 0 for Gatehouse
	runs    []run
}

// run is one measurement.
type run struct {
	wall, cpu time.Duration
	rss       int64 // peak, in bytes
}

func peers(dir, gatehouse string) []*peer {
	return []*peer{
		{name: "gatehouse replay", path: gatehouse, args: []string{"replay"}, version: []string{"version"}},
		{name: "tcpdump -w /dev/null", path: "tcpdump", args: []string{"-w", "/dev/null", "-r"}, version: []string{"--version"}, goal: 1},
		// No collector is named, so nothing is exported; the table is as large
		// as that of Gatehouse.
		{name: "softflowd", path: "softflowd", args: []string{"-d", "-m", "262144", "-c", "none", "-p", filepath.Join(dir, "softflowd.pid"), "-r"}, version: []string{"-h"}, goal: 1.5},
		{name: "argus", path: "argus", args: []string{"-w", "-", "-r"}, version: []string{"-h"}, goal: 5},
		{name: "ndpiReader -q", path: "ndpiReader", args: []string{"-q", "-i"}, version: []string{"-h"}, goal: 7},
		{name: "tshark -q -z conv,tcp", path: "tshark", args: []string{"-q", "-z", "conv,tcp", "-r"}, version: []string{"--version"}, goal: 40},
	}
}

// TestPeers runs every program on the benchmark capture, in turns, so that
// what else the machine does meets all of them, and writes the table.
func TestPeers(t *testing.T) {
	if !*peersFlag {
		t.Skip("takes minutes; make bench runs it")
	}
	dir := t.TempDir()
	all := peers(dir, buildGatehouse(t, dir))
	for _, p := range all[1:] {
		if _, err := exec.LookPath(p.path); err != nil {
			t.Fatalf("needs the program %s: make bench-deps installs it", p.path)
		}
	}
	file := benchCapture(t)
	measure(t, all[1], file.Path) // brings the file into memory
	all[1].runs = nil
	load := loadAverage()
	for round := range *rounds {
		for _, p := range all {
			if round > 0 && slices.MinFunc(p.runs, byWall).wall > patience {
				continue
			}
			measure(t, p, file.Path)
		}
	}
	publish(t, "capture", describe(t, all[0].path, file))
	publish(t, "peers", peersTable(all))
	publish(t, "machine", machine(all, load))
}

// buildGatehouse builds the program as it is released.
func buildGatehouse(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "gatehouse")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/gatehouse")
	cmd.Dir = testkit.ModuleRoot(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build gatehouse: %v\n%s", err, out)
	}
	return path
}

// measure runs a program once. What it prints is thrown away, except when it
// fails.
func measure(t *testing.T, p *peer, file string) {
	t.Helper()
	cmd := exec.Command(p.path, append(slices.Clone(p.args), file)...)
	var complaint tail
	cmd.Stderr = &complaint
	start := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", p.name, err, complaint)
	}
	wall := time.Since(start)
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage) // what wait4 returned
	r := run{
		wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		rss: usage.Maxrss * 1024, // KiB on Linux, see getrusage(2)
	}
	p.runs = append(p.runs, r)
	t.Logf("%-22s %6.2f s, processor %6.2f s, %4d MiB", p.name, r.wall.Seconds(), r.cpu.Seconds(), r.rss>>20)
}

// tail keeps the last of what is written to it.
type tail []byte

func (t *tail) Write(b []byte) (int, error) {
	*t = append(*t, b...)
	*t = (*t)[max(0, len(*t)-1000):]
	return len(b), nil
}

func byWall(a, b run) int { return int(a.wall - b.wall) }
func byCPU(a, b run) int  { return int(a.cpu - b.cpu) }
func byRSS(a, b run) int  { return int(a.rss - b.rss) }

// median returns the middle run, the better of two.
func median(runs []run, by func(a, b run) int) run {
	return slices.SortedFunc(slices.Values(runs), by)[(len(runs)-1)/2]
}

// peersTable compares all programs with the first.
func peersTable(all []*peer) string {
	ours := median(all[0].runs, byWall).wall.Seconds()
	oursCPU := median(all[0].runs, byCPU).cpu.Seconds()
	var rows [][]string
	for _, p := range all {
		wall, cpu := median(p.runs, byWall).wall.Seconds(), median(p.runs, byCPU).cpu.Seconds()
		goal, ratio, ratioCPU := "", "1", "1"
		if p.goal != 0 {
			goal, ratio, ratioCPU = fmt.Sprint(p.goal), fmt.Sprintf("%.2f", wall/ours), fmt.Sprintf("%.2f", cpu/oursCPU)
		}
		rows = append(rows, []string{
			"`" + p.name + "`",
			fmt.Sprintf("%.2f", wall),
			fmt.Sprintf("%.2f–%.2f", slices.MinFunc(p.runs, byWall).wall.Seconds(), slices.MaxFunc(p.runs, byWall).wall.Seconds()),
			ratio, goal,
			fmt.Sprintf("%.2f", cpu), ratioCPU,
			fmt.Sprint(median(p.runs, byRSS).rss >> 20),
		})
	}
	return markdown([]string{"program", "time, s", "range", "times Gatehouse", "aim", "processor, s", "times Gatehouse", "peak memory, MiB"}, rows)
}

// describe says what is in the capture, as Gatehouse sees it.
func describe(t *testing.T, gatehouse string, file built) string {
	t.Helper()
	out, err := exec.Command(gatehouse, "replay", file.Path).Output()
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	counts := map[string]string{}
	for _, m := range regexp.MustCompile(`(flows|devices|alerts) ([0-9,]+)`).FindAllStringSubmatch(line, -1) {
		counts[m[1]] = m[2]
	}
	return fmt.Sprintf("Made from %s: %.1f million packets, %d MB, %d bytes a packet on average, %s flows, %s devices, in which Gatehouse raises %s alerts.\n",
		file.Source, float64(file.Packets)/1e6, file.Bytes/1e6, file.Bytes/int64(file.Packets), counts["flows"], counts["devices"], counts["alerts"])
}
