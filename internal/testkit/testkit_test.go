package testkit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket/pcapgo"
)

func TestCorpus(t *testing.T) {
	dir := t.TempDir()
	root := ModuleRoot(t)
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, env, ci string
		want          outcome
	}{
		{"absolute", dir, "", outcome{path: filepath.Join(dir, "a", "b.pcap")}},
		{"relative to the module root", rel, "", outcome{path: filepath.Join(dir, "a", "b.pcap")}},
		{"unset", "", "", outcome{skipped: "needs real captures: set GATEHOUSE_CORPUS to the folder that holds them"}},
		{"unset in CI", "", "true", outcome{failed: "needs real captures: set GATEHOUSE_CORPUS to the folder that holds them"}},
		{"not there", filepath.Join(dir, "x"), "", outcome{
			failed: "GATEHOUSE_CORPUS=" + strconv.Quote(filepath.Join(dir, "x")) + " is not a folder",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(corpusEnv, tt.env)
			t.Setenv("CI", tt.ci)
			got := observe(t, func(tb testing.TB) string { return Corpus(tb, "a", "b.pcap") })
			got.failed, _, _ = strings.Cut(got.failed, " (looked at")
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestCorpusSeeds(t *testing.T) {
	dir := t.TempDir()
	seed := filepath.Join(dir, "hostile", "x.pcap")
	if err := os.MkdirAll(filepath.Dir(seed), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(seed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CI", "true")

	t.Setenv(corpusEnv, "")
	if got := CorpusSeeds(t, "*/*.pcap"); got != nil {
		t.Errorf("without a corpus: got %q", got)
	}
	t.Setenv(corpusEnv, dir)
	if got := CorpusSeeds(t, "*/*.pcap"); !slices.Equal(got, []string{seed}) {
		t.Errorf("got %q, want %q", got, seed)
	}
}

func TestNeedTool(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mergecap"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	const missing = "needs the program editcap: run make test-deps as root, or apt-get install wireshark-common"
	tests := []struct {
		name, tool, ci string
		want           outcome
	}{
		{"there", "mergecap", "", outcome{path: filepath.Join(dir, "mergecap")}},
		{"missing", "editcap", "", outcome{skipped: missing}},
		{"missing in CI", "editcap", "true", outcome{failed: missing}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", dir)
			t.Setenv("CI", tt.ci)
			got := observe(t, func(tb testing.TB) string { return NeedTool(tb, tt.tool) })
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestNeedGoTool(t *testing.T) {
	gopath := t.TempDir()
	dir := filepath.Join(gopath, "gatehouse-tools", "there@v1.2.3")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "there"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	const missing = "needs example.net/cmd/there@v1.2.4: run make test-deps"
	for _, tt := range []struct {
		name, pkg, ci string
		want          outcome
	}{
		{"there", "example.net/cmd/there@v1.2.3", "", outcome{path: filepath.Join(dir, "there")}},
		{"another version", "example.net/cmd/there@v1.2.4", "", outcome{skipped: missing}},
		{"another version in CI", "example.net/cmd/there@v1.2.4", "true", outcome{failed: missing}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("GOPATH", gopath)
			t.Setenv("CI", tt.ci)
			if got := observe(t, func(tb testing.TB) string { return NeedGoTool(tb, tt.pkg) }); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "testdata", "x.golden")
	golden := func(content string) outcome {
		return observe(t, func(tb testing.TB) string { Golden(tb, []byte(content), path); return "" })
	}

	if got := golden("one\n"); !strings.Contains(got.failed, "no golden file "+path) {
		t.Errorf("without the file: got %+v", got)
	}

	*update = true
	t.Cleanup(func() { *update = false })
	if got := golden("one\n"); got != (outcome{}) {
		t.Fatalf("with -update: got %+v", got)
	}
	*update = false

	if got := golden("one\n"); got != (outcome{}) {
		t.Errorf("with the same bytes: got %+v", got)
	}
	if got := golden("two\n"); !strings.Contains(got.failed, "differs from "+path) {
		t.Errorf("with other bytes: got %+v", got)
	}
}

// dnsQuery is an Ethernet frame with a DNS query for a.example over IPv4.
var dnsQuery = []byte{
	0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00, // to, from, IPv4
	0x45, 0, 0, 55, 0, 1, 0, 0, 64, 17, 0, 0, // IHL 5, length 55, TTL 64, UDP
	192, 0, 2, 1, 192, 0, 2, 53, // from, to
	0xc0, 0x00, 0, 53, 0, 35, 0, 0, // port 49152 to 53, length 35
	0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, // id 7, RD, one question
	1, 'a', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1, // A, IN
}

func TestWritePcap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcap")
	frames := []Frame{
		{Time: 1_767_571_200_123_456_789, Data: dnsQuery, Length: 1500},
		{Time: 0, Data: dnsQuery[:14]},
	}
	WritePcap(t, path, 1, frames)

	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := pcapgo.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.LinkType(); got != 1 {
		t.Errorf("got link type %d, want 1", got)
	}
	for i, wantLength := range []int{1500, 14} {
		data, info, err := r.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		if info.Timestamp.UnixNano() != frames[i].Time || info.Length != wantLength || !bytes.Equal(data, frames[i].Data) {
			t.Errorf("frame %d: got %+v %x, want %+v", i, info, data, frames[i])
		}
	}

	got := observe(t, func(tb testing.TB) string { WritePcap(tb, path, 1, []Frame{{Time: -1}}); return "" })
	if !strings.Contains(got.failed, "cannot hold the time -1") {
		t.Errorf("time before the epoch: got %+v", got)
	}
}

func TestTShark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcap")
	WritePcap(t, path, 1, []Frame{{Data: dnsQuery}, {Data: dnsQuery[:34]}})

	got := TShark(t, path, "", "frame.number", "dns.qry.name", "ip.addr")
	want := []map[string][]string{
		{"frame.number": {"1"}, "dns.qry.name": {"a.example"}, "ip.addr": {"192.0.2.1", "192.0.2.53"}},
		{"frame.number": {"2"}, "ip.addr": {"192.0.2.1", "192.0.2.53"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	if got := TShark(t, path, "dns", "frame.number"); len(got) != 1 {
		t.Errorf("with a filter: got %d rows, want 1", len(got))
	}

	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if got := TShark(t, path, "", "frame.number"); len(got) != 1 {
		t.Errorf("cut short: got %d rows, want 1", len(got))
	}

	failed := observe(t, func(tb testing.TB) string { TShark(tb, path, "no such filter", "frame.number"); return "" }).failed
	if !strings.Contains(failed, "tshark "+path) || strings.Contains(failed, "Running as user") {
		t.Errorf("bad filter: got %q, want tshark's own words about it alone", failed)
	}
}

// outcome is what a call did to its test.
type outcome struct{ path, skipped, failed string }

// observe calls f with a test of its own that notes the end instead of ending.
func observe(t *testing.T, f func(testing.TB) string) (got outcome) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		got.path = f(&notingTB{TB: t, got: &got})
	}()
	<-done
	return got
}

// notingTB stands in for the test that a helper is called from.
type notingTB struct {
	testing.TB
	got *outcome
}

func (n *notingTB) Helper() {}

func (n *notingTB) Skip(args ...any) {
	n.got.skipped = fmt.Sprint(args...)
	runtime.Goexit()
}

func (n *notingTB) Fatal(args ...any) {
	n.got.failed = fmt.Sprint(args...)
	runtime.Goexit()
}

func (n *notingTB) Fatalf(format string, args ...any) { n.Fatal(fmt.Sprintf(format, args...)) }

func (n *notingTB) Errorf(format string, args ...any) { n.got.failed = fmt.Sprintf(format, args...) }
