package pipeline_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/capture"
	"gatehouse/notify"
	"gatehouse/pipeline"
	"gatehouse/store"
)

// crashEnv makes the test binary replay a capture until it is killed: state
// directory, capture, sink directory, and sinks that are down.
const crashEnv = "GATEHOUSE_PIPELINE_TEST_CHILD"

// crashSinks are the sinks of the test; each appends to a file of its name.
var crashSinks = []string{"one", "two", "three"}

// deliverTo is a courier to files in a folder. A sink that is down has a folder
// in its path that is not there.
func deliverTo(st *store.Store, dir string, down string) (*notify.Courier, error) {
	var list []notify.Delivery
	for _, name := range crashSinks {
		path := filepath.Join(dir, name)
		if strings.Contains(down, name) {
			path = filepath.Join(dir, "absent", name)
		}
		sink, err := (&notify.JSONLines{Path: path}).Open(notify.Options{Name: name})
		if err != nil {
			return nil, err
		}
		limits := notify.DefaultLimits()
		limits.Batch = 3
		list = append(list, notify.Delivery{Name: name, Sink: sink, Route: notify.Route{Incidents: true}, Limits: limits})
	}
	return notify.NewCourier(st, st, list, slog.New(slog.DiscardHandler)), nil
}

// reporting is a state that prints what it has stored, when it is stored.
type reporting struct {
	*store.Store
	courier *notify.Courier
}

func (r reporting) Checkpoint(ctx context.Context, b store.Batch) error {
	err := r.Store.Checkpoint(ctx, b)
	if err != nil {
		return err
	}
	for i := range b.Alerts {
		fmt.Printf("%s %d\n", b.Alerts[i].ID, b.Alerts[i].Revision)
	}
	for i := range b.Incidents {
		fmt.Printf("%s %d\n", b.Incidents[i].ID, b.Incidents[i].Revision)
	}
	r.courier.Wake()
	return nil
}

// replayUntilKilled is the child.
func replayUntilKilled(args []string) error {
	ctx := context.Background()
	st, err := store.Open(ctx, args[0], store.Options{})
	if err != nil {
		return err
	}
	if err := st.SetSinks(ctx, crashSinks); err != nil {
		return err
	}
	courier, err := deliverTo(st, args[2], args[3])
	if err != nil {
		return err
	}
	go courier.Run(ctx)
	src, err := capture.Open([]string{args[1]})
	if err != nil {
		return err
	}
	cfg := pipeline.DefaultConfig()
	cfg.WearPerDay = 0
	clock := time.Now()
	cfg.Now = func() time.Time { // every round is a second: a checkpoint in each with news
		clock = clock.Add(time.Second)
		return clock
	}
	_, err = pipeline.Run(ctx, src, reporting{st, courier}, cfg, nil)
	if err != nil {
		return err
	}
	fmt.Println("end 0")
	courier.Drain(ctx)
	return nil
}

// crash runs a child, kills it after some lines and a little more, and adds
// what it has reported as stored.
func crash(t *testing.T, stored map[string]int, lines int, work time.Duration, args ...string) (ended bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^$")
	cmd.Env = append(os.Environ(), crashEnv+"="+strings.Join(args, "\n"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(out)
	read := func() bool {
		if !in.Scan() {
			return false
		}
		id, rev, _ := strings.Cut(in.Text(), " ")
		if id == "end" {
			ended = true
			return true
		}
		n := 0
		if _, err := fmt.Sscan(rev, &n); err == nil {
			stored[id] = max(stored[id], n)
		}
		return true
	}
	for range lines {
		if !read() || ended {
			break
		}
	}
	for begin := time.Now(); time.Since(begin) < work; { // at any moment of what comes next
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	for read() { // what it had reported by then
	}
	_ = cmd.Wait() // it was killed
	return ended
}

// told reads what a sink was told: the highest revision of each id. It fails
// if revisions of one id are not in order.
func told(t *testing.T, path string) map[string]int {
	t.Helper()
	out := make(map[string]int)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var n alert.Notice
		if json.Unmarshal([]byte(line), &n) != nil {
			continue // half a line, left by a kill
		}
		if n.Revision() < out[n.ID()] {
			t.Errorf("%s: %s after revision %d", filepath.Base(path), n.Key(), out[n.ID()])
		}
		out[n.ID()] = n.Revision()
	}
	return out
}

// However often and wherever the process is killed, what it has reported as
// stored is in the store once, and reaches every sink, in order.
func TestKilledAnywhere(t *testing.T) {
	points := 8
	if os.Getenv("GATEHOUSE_SOAK") != "" {
		points = 200
	}
	capture, _ := home(t)
	rng := rand.New(rand.NewPCG(3, 9))
	var state, sinks string
	stored := make(map[string]int)
	early := 0
	for point := range points {
		if point%4 == 0 { // four kills in a row hit the same state
			state, sinks = filepath.Join(t.TempDir(), "state"), t.TempDir()
			stored = make(map[string]int)
		}
		down := []string{"", "one", "one two", "two"}[rng.IntN(4)]
		lines := rng.IntN(150)
		ended := crash(t, stored, lines, time.Duration(rng.IntN(30))*time.Millisecond, state, capture, sinks, down)
		if !ended {
			early++
		}
		checkAfterCrash(t, stored, state, sinks)
		if t.Failed() {
			t.Fatalf("point %d: %d lines, down: %q, %d things were stored", point, lines, down, len(stored))
		}
	}
	if early < points/3 {
		t.Errorf("only %d of %d were killed before their end", early, points)
	}
}

// checkAfterCrash looks into the store, lets it deliver without any further
// analysis, and looks into the sinks.
func checkAfterCrash(t *testing.T, stored map[string]int, state, sinks string) {
	t.Helper()
	if len(stored) == 0 {
		return
	}
	st, err := store.Open(t.Context(), state, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	alerts, err1 := st.Alerts(t.Context(), store.Filter{})
	incidents, err2 := st.Incidents(t.Context(), store.Filter{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	kept := make(map[string]int)
	for i := range alerts {
		if kept[alerts[i].ID] != 0 {
			t.Errorf("%s is in the store twice", alerts[i].ID)
		}
		kept[alerts[i].ID] = alerts[i].Revision
	}
	for i := range incidents {
		kept[incidents[i].ID] = incidents[i].Revision
	}
	for id, rev := range stored {
		if kept[id] < rev {
			t.Errorf("%s was reported as stored at revision %d, and has %d", id, rev, kept[id])
		}
	}

	courier, err := deliverTo(st, sinks, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		courier.Run(ctx)
		close(done)
	}()
	courier.Drain(ctx)
	cancel()
	<-done
	for _, name := range crashSinks {
		got := told(t, filepath.Join(sinks, name))
		for id, rev := range kept {
			if got[id] < rev {
				t.Errorf("%s is stored at revision %d, and %s was told %d", id, rev, name, got[id])
			}
		}
	}
}
