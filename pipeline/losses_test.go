package pipeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/capture"
	"gatehouse/flow"
)

func TestLosses(t *testing.T) {
	st := flow.Stats{Packets: 900, InFlows: 860, Evicted: 3, StreamGaps: 4, StreamsDropped: 5, DatagramsDropped: 6}
	st.Refused[flow.NonIP] = 30 // nothing lost: there is no flow in them
	st.Refused[flow.UnknownLink] = 10
	got := lossesOf(&st, []capture.LiveStats{
		{RingFull: 50, Malformed: 20, Outages: 1, Outage: time.Second},
		{Unread: 30, Outages: 2, Outage: 2 * time.Second},
	})
	want := Losses{
		Seen: 1000, RingFull: 50, Damaged: 20, Unread: 30, Refused: 10,
		FlowsEvicted: 3, StreamGaps: 4, StreamsDropped: 5, DatagramsDropped: 6,
		Outages: 3, Outage: 3 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Of 1,000 frames 100 were dropped and 10 refused.
	if v := got.Visibility(); v != .89 {
		t.Errorf("visibility %v, want .89", v)
	}
	if v := (&Losses{}).Visibility(); v != 1 {
		t.Errorf("visibility before the first frame %v, want 1", v)
	}
}
