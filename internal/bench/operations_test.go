package bench

import (
	"os/exec"
	"regexp"
	"testing"

	"gatehouse/internal/testkit"
)

// operations runs benchmarks of single rooms and renders what they say.
func operations(t *testing.T) string {
	t.Helper()
	var rows [][]string
	for _, op := range []struct{ room, bench, does string }{
		{"flow", "^BenchmarkDecode$", "decode the headers of one packet"},
		{"flow", "^BenchmarkShard$/^(1k|50k|400k)$/^random$/^batch$", "decode a packet and update its flow, in any order, of as many flows"},
		{"flow", "^BenchmarkOpenClose$", "open, report and expire a flow of one packet"},
		{"flow", "^BenchmarkFlood$", "a SYN from anywhere to a table that is full"},
		{"flow", "^BenchmarkUnrecognised$", "ask all protocols for the first payload of a flow that is of none"},
		{"wire", "^Benchmark(DNSAnswer|ClientHello|HTTPRequest)$", "parse one message"},
		{"wire", "^BenchmarkServerFlight$", "parse what a TLS server answers, with its certificates"},
		{"wire", "^BenchmarkVerifyChain$", "verify one chain of certificates"},
		{"device", "^BenchmarkObserve$", "identify both ends of an event"},
		{"detect", "^BenchmarkEvent$", "show one event to every detector"},
		{"eve", "^BenchmarkWrite$", "write one event as JSON"},
		{"store", "^BenchmarkCheckpoint$", "store what has changed in a minute"},
		{"pipeline", "^BenchmarkAlerts$", "store an alert, so many in a checkpoint, and deliver it through the outbox"},
	} {
		cmd := exec.Command("go", "test", "-run", "^$", "-bench", op.bench, "-benchmem", "-benchtime", "0.5s", "./"+op.room)
		cmd.Dir = testkit.ModuleRoot(t)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("measure %s: %v\n%s", op.room, err, out)
		}
		found := parseBench(out)
		if len(found) == 0 {
			t.Errorf("%s has no benchmark that matches %s", op.room, op.bench)
		}
		for _, f := range found {
			rows = append(rows, []string{op.room, "`" + f[0] + "`", op.does, f[1], f[2], f[3]})
		}
	}
	return markdown([]string{"room", "benchmark", "what", "ns", "allocations", "bytes to disk"}, rows)
}

// parseBench returns name, time, allocations and bytes written to the disk of
// each benchmark in the output of go test.
func parseBench(out []byte) (found [][4]string) {
	line := regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op(.*?)(\d+) allocs/op$`)
	disk := regexp.MustCompile(`([0-9.]+) disk-B/op`)
	for _, m := range line.FindAllSubmatch(out, -1) {
		wrote := ""
		if d := disk.FindSubmatch(m[3]); d != nil {
			wrote = string(d[1])
		}
		found = append(found, [4]string{string(m[1]), string(m[2]), string(m[4]), wrote})
	}
	return found
}

func TestParseBench(t *testing.T) {
	got := parseBench([]byte("goos: linux\nBenchmarkRead/pcap-2  \t 100\t  12.5 ns/op\t 3 MB/s\t 1 B/op\t 0 allocs/op\nBenchmarkStore 7 8 ns/op 9.5 disk-B/op 1 B/op 2 allocs/op\nPASS\n"))
	if len(got) != 2 || got[0] != [4]string{"Read/pcap", "12.5", "0", ""} || got[1] != [4]string{"Store", "8", "2", "9.5"} {
		t.Errorf("got %q", got)
	}
}
