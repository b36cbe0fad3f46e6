package pipeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/capture"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
)

// TestOrder: events that were spread over any number of shards, each of which
// arranges its own, come out of merge as sorting all of them would give.
func TestOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ events, runs int }{{0, 1}, {1, 1}, {1, 3}, {500, 1}, {500, 2}, {2000, maxWorkers}} {
		all := make([]flow.Event, c.events)
		parts := make([][]flow.Event, c.runs)
		for i := range all {
			// Few times and ordinals, so that many are settled by what follows.
			ev := &all[i]
			ev.Time, ev.Seq = random.Int64N(20), uint64(random.IntN(3))
			ev.Kind = flow.EventKind(1 + random.IntN(3))
			ev.Record.ID = uint64(i)
			ev.Record.Client.Addr = netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(4))})
			k := random.IntN(c.runs)
			parts[k] = append(parts[k], *ev)
		}
		slices.SortFunc(all, func(a, b flow.Event) int { return flow.Compare(&a, &b) })
		var scratch []place
		for i := range parts {
			scratch = arrange(parts[i], scratch)
		}
		for _, n := range []int{1, 7, 5000} {
			var m merger
			m.reset(parts)
			var got []uint64
			for events := m.take(n); len(events) > 0; events = m.take(n) {
				got = append(got, ids(events)...)
			}
			if d := cmp.Diff(ids(all), got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%d events in %d runs, %d at once: %s", c.events, c.runs, n, d)
			}
		}
	}
}

// TestManyEventsComeInParts: given tens of thousands of flows that begin in
// one round and end in another, no call to the visitor gets more than atOnce
// events, all are in order over the calls, time does not go back, and the
// number of shards makes no difference.
func TestManyEventsComeInParts(t *testing.T) {
	const flows = 30_000
	// Ethernet, IPv4, UDP to port 9, empty.
	frame := []byte{
		2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 7, 8, 0,
		0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 192, 168, 1, 5,
		0x12, 0x34, 0, 9, 0, 8, 0, 0,
	}
	frames := make([]testkit.Frame, flows)
	for i := range frames {
		data := bytes.Clone(frame)
		binary.BigEndian.PutUint16(data[28:], uint16(i)) // source address
		frames[i] = testkit.Frame{Time: day0 + int64(i), Data: data, Length: len(data)}
	}
	name := filepath.Join(t.TempDir(), "many.pcap")
	testkit.WritePcap(t, name, uint32(capture.LinkEthernet), frames)
	var want []uint64
	for _, workers := range []int{1, 3} {
		src, err := capture.Open([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		cfg := DefaultConfig()
		cfg.Workers = workers
		var got []uint64
		var last flow.Event
		var now int64
		err = Flows(t.Context(), src, cfg, func(events []flow.Event, p Progress) error {
			if len(events) > atOnce {
				t.Errorf("%d events at once", len(events))
			}
			for i := range events {
				if len(got) > 0 && flow.Compare(&last, &events[i]) >= 0 {
					t.Fatalf("out of order:\n%+v\n%+v", last, events[i])
				}
				last = events[i]
				got = append(got, events[i].Record.ID)
			}
			if p.Now < now {
				t.Errorf("time went back from %d to %d", now, p.Now)
			}
			now = p.Now
			return nil
		})
		if err := errors.Join(err, src.Close()); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if len(got) != 2*flows || !slices.Equal(got, want) {
			t.Errorf("%d workers: %d events, want %d, the same as with one", workers, len(got), 2*flows)
		}
	}
}

func ids(events []flow.Event) []uint64 {
	out := make([]uint64, len(events))
	for i := range events {
		out[i] = events[i].Record.ID
	}
	return out
}
