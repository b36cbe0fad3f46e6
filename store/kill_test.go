package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"gatehouse/alert"
)

// childEnv names the state directory for a test binary that was started to
// write checkpoints until it is killed.
const childEnv = "GATEHOUSE_STORE_TEST_CHILD"

// opening is the first line that such a process prints.
const opening = "opening"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled goes on where the last process was stopped and prints the
// number of each checkpoint after it is stored.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	fmt.Println(opening)
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		return err
	}
	state, err := s.Sensor(ctx)
	if err != nil {
		return err
	}
	for n := nextNumber(state); ; n++ {
		if err := s.Checkpoint(ctx, numbered(n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func alertID(n int) string { return fmt.Sprintf("alert-%09d", n) }

// numbered is a checkpoint that carries its number in every part. It changes
// one row of each kind and adds an alert and an observation.
func numbered(n int) Batch {
	at := epoch2024.Add(time.Duration(n) * time.Second)
	model := binary.BigEndian.AppendUint64(nil, uint64(n))
	for len(model) < 20_000 { // several pages
		sum := sha256.Sum256(model)
		model = append(model, sum[:]...)
	}
	number := json.RawMessage(strconv.Itoa(n))
	return Batch{
		Alerts:       []alert.Alert{{ID: alertID(n), Revision: 1, Time: at, Severity: 1}},
		Incidents:    []alert.Incident{{ID: "i", Revision: n + 1, LastSeen: at, Severity: 1}},
		Observations: []alert.Observation{{Device: "d", Kind: "k", Subject: "s", Time: at, Count: 1}},
		Devices:      []DeviceRow{{ID: "d", LastSeen: at, Data: number}},
		Baselines:    []BaselineRow{{Device: "d", Time: at, Model: model}},
		Sensor:       model[:8],
		Run:          &Run{ID: "r", Updated: at, Data: number},
	}
}

// nextNumber reads the state of the sensor that a checkpoint has left.
func nextNumber(state []byte) int {
	if len(state) != 8 {
		return 0
	}
	return int(binary.BigEndian.Uint64(state)) + 1
}

// verifyNumbered checks that a store holds the numbered checkpoints from 0 up
// to some last one, each as a whole, and returns that last number.
func verifyNumbered(tb testing.TB, s *Store) int {
	tb.Helper()
	all := readAll(tb, s)
	last := nextNumber(all.Sensor) - 1
	if last < 0 {
		if len(all.Alerts)+len(all.Devices)+len(all.Baselines)+len(all.Runs) != 0 {
			tb.Error("rows without the state that was stored with them")
		}
		return last
	}
	want := numbered(last)
	if len(all.Alerts) != last+1 {
		tb.Errorf("got %d alerts after checkpoint %d", len(all.Alerts), last)
	}
	for i, a := range all.Alerts {
		if a.ID != alertID(i) {
			tb.Errorf("alert %d is %s", i, a.ID)
			break
		}
	}
	seen := 0
	for _, o := range all.Observations {
		seen += o.Count
	}
	if seen != last+1 {
		tb.Errorf("got %d observations after checkpoint %d", seen, last)
	}
	if got := all.Incidents[0].Revision; got != last+1 {
		tb.Errorf("incident has revision %d after checkpoint %d", got, last)
	}
	if got := all.Devices[0].Data; !bytes.Equal(got, want.Devices[0].Data) {
		tb.Errorf("device is of checkpoint %s, not %d", got, last)
	}
	if got := all.Runs[0].Data; !bytes.Equal(got, want.Run.Data) {
		tb.Errorf("run is of checkpoint %s, not %d", got, last)
	}
	if !bytes.Equal(all.Baselines[0].Model, want.Baselines[0].Model) {
		tb.Errorf("baseline is not of checkpoint %d", last)
	}
	return last
}

// A process that is killed at any moment leaves whole checkpoints, and all of
// those which it has reported as stored.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 9))
	confirmed := -1
	for round := range 20 {
		// At once or after some checkpoints, then at any moment of the next.
		confirmed = runAndKill(t, dir, confirmed, rng.IntN(60), rng.IntN(20_000))

		if findings := integrity(t, filepath.Join(dir, dbName)); findings != "ok" {
			t.Fatalf("round %d: integrity_check: %s", round, findings)
		}
		var log bytes.Buffer
		s, err := Open(t.Context(), dir, Options{Log: logTo(&log)})
		if err != nil {
			t.Fatalf("round %d: open after the kill: %v", round, err)
		}
		last := verifyNumbered(t, s)
		if last < confirmed {
			t.Errorf("round %d: checkpoint %d was reported as stored, only %d is there", round, confirmed, last)
		}
		if log.Len() > 0 {
			t.Errorf("round %d: log: %s", round, log.String())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		confirmed = last
	}
	if confirmed < 100 {
		t.Errorf("only %d checkpoints in all: the child was hardly ever caught writing", confirmed)
	}
}

// The same while the first process is creating the store.
func TestKill9AtBirth(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 9))
	for round := range 20 {
		dir := t.TempDir()
		confirmed := runAndKill(t, dir, -1, 0, rng.IntN(200_000))

		var log bytes.Buffer
		s, err := Open(t.Context(), dir, Options{Log: logTo(&log)})
		if err != nil {
			t.Fatalf("round %d: open after the kill: %v", round, err)
		}
		if last := verifyNumbered(t, s); last < confirmed {
			t.Errorf("round %d: checkpoint %d was reported as stored, only %d is there", round, confirmed, last)
		}
		if log.Len() > 0 {
			t.Errorf("round %d: log: %s", round, log.String())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// runAndKill starts a writer, lets it store some checkpoints, kills it after a
// delay that is given as an amount of work, and returns the last number that
// it has reported.
func runAndKill(t *testing.T, dir string, confirmed, checkpoints, work int) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	read := func() bool {
		if !lines.Scan() {
			return false
		}
		n, err := strconv.Atoi(lines.Text())
		if err != nil || n <= confirmed {
			t.Errorf("child reports %q after %d", lines.Text(), confirmed)
		}
		confirmed = n
		return true
	}
	if !lines.Scan() || lines.Text() != opening {
		t.Fatalf("child begins with %q", lines.Text())
	}
	for range checkpoints {
		if !read() {
			break
		}
	}
	sum := [32]byte{}
	for range work {
		sum = sha256.Sum256(sum[:])
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("kill: %v (child says: %s)", err, stderr.String())
	}
	for read() { // what it had reported by then
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("child ended by itself: %v, %s", err, stderr.String())
	}
	return confirmed
}

// integrity runs SQLite's full check on a copy of the database and its log,
// so that looking does not repair what Open has to cope with.
func integrity(t *testing.T, path string) (findings string) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if suffix != "" && errors.Is(err, fs.ErrNotExist) {
			continue // folded back
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlite3.Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = query(db, "PRAGMA integrity_check", nil, func(row *sqlite3.Stmt) error {
		findings += row.ColumnText(0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return findings
}
