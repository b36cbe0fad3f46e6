package pipeline

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/flow"
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
		runs := make([][]flow.Event, c.runs)
		var scratch []place
		for i := range parts {
			runs[i], scratch = arrange(runs[i], parts[i], scratch)
		}
		got := merge(nil, runs)
		if d := cmp.Diff(ids(all), ids(got)); d != "" {
			t.Errorf("%d events in %d runs: %s", c.events, c.runs, d)
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
