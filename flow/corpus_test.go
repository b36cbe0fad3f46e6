package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/capture"
	"gatehouse/internal/testkit"
	"gatehouse/wire"
)

// corpusFiles lists the capture files below folders of the corpus.
func corpusFiles(tb testing.TB, folders ...string) []string {
	tb.Helper()
	var out []string
	for _, folder := range folders {
		err := filepath.WalkDir(testkit.Corpus(tb, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			switch filepath.Ext(path) {
			case ".pcap", ".pcapng", ".cap", ".trace":
				out = append(out, path)
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	if len(out) == 0 {
		tb.Fatalf("no captures in %v", folders)
	}
	return out
}

// readAll copies the packets of a file. A damaged file yields what came
// before the damage.
func readAll(tb testing.TB, file string) []capture.Packet {
	tb.Helper()
	src, err := capture.Open([]string{file})
	if err != nil {
		return nil // not every hostile file even begins like a capture
	}
	defer src.Close()
	var out []capture.Packet
	var b capture.Batch
	for {
		err := src.Read(&b)
		for _, p := range b.Packets {
			p.Data = slices.Clone(p.Data)
			out = append(out, p)
		}
		var bad *capture.FormatError
		switch {
		case errors.Is(err, io.EOF), errors.As(err, &bad):
			return out
		case err != nil:
			tb.Fatalf("read %s: %v", file, err)
		}
	}
}

// analyse runs packets over n shards, advancing all of them every batch
// packets, and returns the sorted events.
func analyse(tb testing.TB, packets []capture.Packet, n, batch int) ([]Event, Stats) {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.MaxFlows = min(cfg.MaxFlows, 16+2*len(packets)) // no pressure, and quickly made
	shards := make([]*Shard, n)
	for i := range shards {
		shards[i] = NewShard(cfg, wire.Table())
	}
	var events []Event
	now := int64(0)
	take := func(s *Shard) {
		events = append(events, s.Events()...)
		s.Reset()
	}
	for from := 0; from < len(packets); from += batch {
		part := packets[from:min(from+batch, len(packets))]
		times := make([]int64, len(part))
		picks := make([][]uint32, n)
		for i := range part {
			now = max(now, part[i].Time)
			times[i] = now
			k := ShardOf(&part[i], n)
			picks[k] = append(picks[k], uint32(i))
		}
		for k, s := range shards {
			if batch == 1 && len(picks[k]) > 0 {
				s.Packet(&part[0], now, uint64(from+1))
			} else if batch > 1 {
				s.Batch(part, times, uint64(from+1), append([]uint32{}, picks[k]...))
			}
			s.Advance(now)
			take(s)
		}
	}
	var total Stats
	for _, s := range shards {
		s.Close(now)
		take(s)
		st := s.Stats()
		checkStats(tb, st)
		total.Add(&st)
	}
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	return events, total
}

// checkStats holds the accounting identity and that nothing panicked.
func checkStats(tb testing.TB, st Stats) {
	tb.Helper()
	sum := st.InFlows + st.ARP + st.Frames + st.FragmentsHeld
	for _, n := range st.Refused {
		sum += n
	}
	if sum != st.Packets {
		tb.Errorf("%d packets, %d accounted for: %+v", st.Packets, sum, st)
	}
	if st.ParserPanics != 0 {
		tb.Errorf("%d parser panics", st.ParserPanics)
	}
	if st.Active != 0 {
		tb.Errorf("%d flows left after Close", st.Active)
	}
}

// checkEvents holds what every consumer relies on: a flow starts once, ends
// once, does not change its ends, and only grows.
func checkEvents(tb testing.TB, events []Event) {
	tb.Helper()
	seen := make(map[uint64]Event)
	for _, e := range events {
		if e.Kind == Frame {
			continue
		}
		before, ok := seen[e.Record.ID]
		switch {
		case ok != (e.Kind != Start):
			tb.Errorf("%v out of place: %+v", e.Kind, e.Record)
		case ok && before.Kind == End:
			tb.Errorf("%v after end: %+v", e.Kind, e.Record)
		case ok && (before.Record.Client.Addr != e.Record.Client.Addr || before.Record.Client.Port != e.Record.Client.Port):
			tb.Errorf("client changed: %+v, %+v", before.Record, e.Record)
		case ok && (before.Record.Packets[0] > e.Record.Packets[0] || before.Time > e.Time):
			tb.Errorf("went back: %+v, %+v", before.Record, e.Record)
		}
		seen[e.Record.ID] = e
	}
	for _, e := range seen {
		if e.Kind != End {
			tb.Errorf("no end: %+v", e.Record)
		}
	}
}

// fingerprint renders events for comparison.
func fingerprint(events []Event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s %d %d %+v", e.Kind, e.Reason, e.Time, e.Seq, e.Record)
		for _, m := range e.Messages {
			text, err := json.Marshal(m) // unlike %+v it follows pointers
			fmt.Fprintf(&b, " %T%s%v", m, text, err)
		}
		out[i] = b.String()
	}
	return out
}

// TestCorpus runs all captures over 1, 2 and 8 shards with different batch
// sizes: the events must be the same.
func TestCorpus(t *testing.T) {
	var total Stats
	folders := []string{"hostile", "protocols", "attacks"}
	if !testing.Short() {
		folders = append(folders, "iot-setup", "iot-week") // half of the packets, and little that is odd
	}
	for _, file := range corpusFiles(t, folders...) {
		packets := readAll(t, file)
		events, st := analyse(t, packets, 1, 1000)
		total.Add(&st)
		checkEvents(t, events)
		want := fingerprint(events)
		for _, way := range []struct{ shards, batch int }{{2, 1}, {8, 77}} {
			events, _ := analyse(t, packets, way.shards, way.batch)
			got := fingerprint(events)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d shards: %d events, 1 shard: %d", file, way.shards, len(got), len(want))
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						t.Logf("first difference:\n%s\n%s", got[i], want[i])
						break
					}
				}
			}
		}
		if t.Failed() {
			t.Fatalf("stopped at %s", file)
		}
	}
	t.Log(total)
}

// TestCorpusDamaged cuts every packet as a short snap length does, and flips
// bits: whatever comes, it is counted and nothing panics.
func TestCorpusDamaged(t *testing.T) {
	for _, file := range corpusFiles(t, "hostile", "protocols") {
		packets := readAll(t, file)
		for _, snap := range []int{60, 96, 200} {
			cut := slices.Clone(packets)
			for i := range cut {
				cut[i].Data = cut[i].Data[:min(snap, len(cut[i].Data))]
			}
			events, _ := analyse(t, cut, 2, 500)
			checkEvents(t, events)
		}
		random := rand.New(rand.NewPCG(1, uint64(len(packets))))
		for range 3 {
			flipped := slices.Clone(packets)
			for i := range flipped {
				b := slices.Clone(flipped[i].Data)
				for range 1 + random.IntN(4) {
					if len(b) > 0 {
						b[random.IntN(min(len(b), 120))] ^= 1 << random.IntN(8)
					}
				}
				flipped[i].Data = b
			}
			events, _ := analyse(t, flipped, 2, 500)
			checkEvents(t, events)
		}
		if t.Failed() {
			t.Fatalf("stopped at %s", file)
		}
	}
}
