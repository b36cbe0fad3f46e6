package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/alert"
	"gatehouse/capture"
	"gatehouse/detect"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/pipeline"
	"gatehouse/sim"
	"gatehouse/store"
	"gatehouse/wire"
)

// shared is where the simulated home is kept for all tests of a run: playing
// it takes most of their time.
var shared struct {
	sync.Once
	dir string
	err error
}

func TestMain(m *testing.M) {
	if args := os.Getenv(crashEnv); args != "" {
		if err := replayUntilKilled(strings.Split(args, "\n")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// home is a capture of twelve simulated days with every attack in the last
// third, and the configuration to judge it by.
func home(t testing.TB) (string, pipeline.Config) {
	t.Helper()
	shared.Do(func() {
		cfg := sim.DefaultConfig()
		cfg.Days = 12
		var h *sim.Home
		if h, shared.err = sim.New(cfg); shared.err != nil {
			return
		}
		if shared.dir, shared.err = os.MkdirTemp("", "gatehouse-test-"); shared.err == nil {
			shared.err = h.WriteDir(shared.dir, nil)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	pem, err := os.ReadFile(filepath.Join(shared.dir, sim.RootsFile))
	if err != nil {
		t.Fatal(err)
	}
	run := pipeline.DefaultConfig()
	if run.Detect.Roots, err = wire.RootsFromPEM(pem); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(shared.dir, sim.CaptureFile), run
}

func open(t testing.TB, names ...string) capture.Source {
	t.Helper()
	src, err := capture.Open(names)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// outcome is all that a run says about its input, as bytes.
func outcome(t *testing.T, cfg pipeline.Config, names ...string) []byte {
	t.Helper()
	sum, err := pipeline.Run(t.Context(), open(t, names...), nil, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, sum.Changes, sum.Devices, sum.Gateways)
}

func encode(t *testing.T, values ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestSameOutcomeWithAnyNumberOfWorkers(t *testing.T) {
	t.Run("simulated home", func(t *testing.T) {
		name, cfg := home(t)
		sameOutcome(t, cfg, name)
	})
	for _, pattern := range []string{"iot-week/*.pcap", "attacks/*", "protocols/*/*"} {
		t.Run(pattern, func(t *testing.T) {
			sameOutcome(t, pipeline.DefaultConfig(), corpus(t, pattern)...)
		})
	}
}

// sameOutcome runs captures with several numbers of workers, and with one
// number twice.
func sameOutcome(t *testing.T, cfg pipeline.Config, files ...string) {
	t.Helper()
	cfg.Workers = 1
	want := outcome(t, cfg, files...)
	if len(want) < 1000 {
		t.Fatalf("a run that found next to nothing proves nothing: %s", want)
	}
	for _, workers := range []int{1, 2, 8} {
		cfg.Workers = workers
		if diff := cmp.Diff(string(want), string(outcome(t, cfg, files...))); diff != "" {
			t.Errorf("%d workers (-1 worker +%d workers):\n%s", workers, workers, diff)
		}
	}
}

// corpus lists the captures of the corpus that a pattern matches.
func corpus(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(testkit.Corpus(t, filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	var readable []string
	for _, name := range names {
		if src, err := capture.Open([]string{name}); err == nil {
			readable = append(readable, name)
			_ = src.Close()
		}
	}
	return readable
}

func TestStateGoesOn(t *testing.T) {
	name, cfg := home(t)
	whole, err := pipeline.Run(t.Context(), open(t, name), nil, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, second := split(t, name, 3, 4) // the attacks are in the last third
	dir := filepath.Join(t.TempDir(), "state")
	for _, part := range []string{first, second} {
		st, err := store.Open(t.Context(), dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pipeline.Run(t.Context(), open(t, part), st, cfg, nil); err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	st, err := store.Open(t.Context(), dir, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	alerts, err := st.Alerts(t.Context(), store.Filter{OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(subjects(whole.Changes.Alerts), subjects(alerts)); diff != "" {
		t.Errorf("alerts (-in one run +in two):\n%s", diff)
	}
	devices, err := st.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := len(whole.Devices) + len(whole.Gateways); len(devices) != want {
		t.Errorf("%d devices in the store, want %d", len(devices), want)
	}
}

// subjects is what alerts are about, without what depends on when flows were
// cut.
func subjects(alerts []alert.Alert) []string {
	var out []string
	for _, a := range alerts {
		out = append(out, string(a.Kind)+" "+a.Device.Name+" "+a.Subject)
	}
	return out
}

// split writes the packets of a capture into two, the first with a share of
// num/den of them.
func split(t *testing.T, name string, num, den int) (first, second string) {
	t.Helper()
	src := open(t, name)
	var frames []testkit.Frame
	var b capture.Batch
	for {
		err := src.Read(&b)
		for _, p := range b.Packets {
			frames = append(frames, testkit.Frame{Time: p.Time, Data: bytes.Clone(p.Data), Length: p.Length})
		}
		if err != nil {
			break
		}
	}
	dir := t.TempDir()
	first, second = filepath.Join(dir, "first.pcap"), filepath.Join(dir, "second.pcap")
	cut := len(frames) * num / den
	testkit.WritePcap(t, first, uint32(capture.LinkEthernet), frames[:cut])
	testkit.WritePcap(t, second, uint32(capture.LinkEthernet), frames[cut:])
	return first, second
}

func TestStateForgetsWhatIsOld(t *testing.T) {
	name, cfg := home(t)
	st, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	start := sim.DefaultConfig().Start
	for _, at := range []time.Time{start.AddDate(0, 0, -200), start.AddDate(0, 0, -20)} {
		old := alert.Observation{Time: at, Kind: detect.NewDestination, Device: "mac:020000000001", Subject: "example.com", P: .1, Count: 1}
		if err := st.Checkpoint(t.Context(), store.Batch{Observations: []alert.Observation{old}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pipeline.Run(t.Context(), open(t, name), st, cfg, nil); err != nil {
		t.Fatal(err)
	}
	left, err := st.Observations(t.Context(), store.Filter{Until: start})
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 || !left[0].Time.Equal(start.AddDate(0, 0, -20)) {
		t.Errorf("left are %v, want the one of 20 days before, not the one of 200", left)
	}
}

func TestDamagedInputIsKeptUpToTheDamage(t *testing.T) {
	name, cfg := home(t)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.pcap")
	if err := os.WriteFile(broken, whole[:len(whole)/2+3], 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	sum, err := pipeline.Run(t.Context(), open(t, broken), st, cfg, nil)
	var format *capture.FormatError
	if !errors.As(err, &format) || format.File != broken {
		t.Fatalf("error %v, want a *capture.FormatError that names %s", err, broken)
	}
	if sum == nil || sum.Flow.Packets < 1000 || len(sum.Devices) < 5 {
		t.Fatalf("summary %+v, want what was read before the damage", sum)
	}
	devices, err := st.Devices(t.Context())
	if err != nil || len(devices) < len(sum.Devices) {
		t.Errorf("%d devices stored, error %v; want %d", len(devices), err, len(sum.Devices))
	}
}

func TestInterruptedRunKeepsWhatItLearned(t *testing.T) {
	name, cfg := home(t)
	st, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ctx, cancel := context.WithCancel(t.Context())
	rounds := 0
	cfg.Progress = func(int64, int64) {
		if rounds++; rounds == 20 {
			cancel()
		}
	}
	sum, err := pipeline.Run(ctx, open(t, name), st, cfg, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	devices, err := st.Devices(t.Context())
	if err != nil || len(devices) == 0 || len(devices) < len(sum.Devices) {
		t.Errorf("%d devices stored, error %v; want %d", len(devices), err, len(sum.Devices))
	}
}

func TestFlowsStopsWhenItsVisitorFails(t *testing.T) {
	name, cfg := home(t)
	enough := errors.New("enough")
	err := pipeline.Flows(t.Context(), open(t, name), cfg, func([]flow.Event, pipeline.Progress) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("error %v, want the visitor's", err)
	}
}

func TestConfigValidate(t *testing.T) {
	for name, spoil := range map[string]func(*pipeline.Config){
		"no workers":         func(c *pipeline.Config) { c.Workers = 0 },
		"too many workers":   func(c *pipeline.Config) { c.Workers = 65 },
		"no budget":          func(c *pipeline.Config) { c.Alert.Budget = 0 },
		"negative learning":  func(c *pipeline.Config) { c.Detect.Learn = -1 },
		"no room for flows":  func(c *pipeline.Config) { c.Flow.MaxFlows = 0 },
		"no room for device": func(c *pipeline.Config) { c.Device.MaxDevices = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := pipeline.DefaultConfig()
			if err := cfg.Validate(); err != nil {
				t.Fatalf("default configuration: %v", err)
			}
			spoil(&cfg)
			if err := cfg.Validate(); err == nil {
				t.Error("no error")
			}
		})
	}
}
