package pipeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/capture"
	"gatehouse/ebpf"
	"gatehouse/flow"
	"gatehouse/wire"
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

// given an interface whose flows the kernel counts
// then what it could not put into flows, nor hand out, is lost under its name
func TestLossesOfKernel(t *testing.T) {
	live := capture.LiveStats{Seen: 1100, Delivered: 900, Overflow: 60, Race: 20, Refused: 20, Excluded: 100}
	live.Heads[ebpf.ClassDNS] = capture.HeadStats{Sent: 75, Limited: 20, Dropped: 5}
	live.Heads[ebpf.ClassLinkOther] = capture.HeadStats{Sent: 10, Limited: 1000} // nobody can read them
	got := lossesOf(&flow.Stats{Packets: 900, InFlows: 900}, []capture.LiveStats{live})
	want := Losses{Seen: 1000, Overflow: 60, Race: 20, Refused: 20, Excluded: 100, Heads: live.Heads}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v := got.Visibility(); v != .9*.75 {
		t.Errorf("visibility %v, want %v", v, .9*.75)
	}
}

// given two interfaces, one of which loses frames, and two devices, one of
// which could not be read in full
// then alerts of each say what was seen of that device
func TestVisibilityOfDevices(t *testing.T) {
	v := newVisibility()
	if got := v.of("anyone"); got != 1 {
		t.Errorf("before anything: %v", got)
	}
	v.update(&Progress{
		Flow:       flow.Stats{Packets: 1000},
		Interfaces: []capture.Interface{{Name: "eth1"}, {Name: "eth2"}},
		Live: []capture.LiveStats{
			{Interface: "eth2", Delivered: 750, RingFull: 250},
			{Interface: "eth1", Delivered: 1000},
		},
	})
	note := func(device string, iface uint16, at time.Duration, messages int, missed uint32) {
		v.note(device, &flow.Event{
			Time: int64(at), Missed: missed, Messages: make([]wire.Message, messages), Record: flow.Record{Iface: iface},
		})
	}
	note("well seen", 0, time.Hour, 1, 0)
	note("behind the busy port", 1, time.Hour, 1, 0)
	note("flooded", 0, time.Hour, 60, 20)
	for device, want := range map[string]float64{"well seen": 1, "behind the busy port": .75, "flooded": .75, "never seen": 1} {
		if got := v.of(device); got != want {
			t.Errorf("%s: %v, want %v", device, got, want)
		}
	}
	note("flooded", 0, 3*time.Hour, 45, 0) // 15 + 45 read, 5 missed: two hours later a quarter counts
	if got, want := v.of("flooded"), 60./65; got != want {
		t.Errorf("two hours later: %v, want %v", got, want)
	}
	note("flooded", 0, 1000*time.Hour, 1, 0)
	if got := v.of("flooded"); got < .999 {
		t.Errorf("weeks later: %v", got)
	}
	v.forget("flooded")
	if len(v.devices) != 2 {
		t.Errorf("%d devices remembered, want 2", len(v.devices))
	}
	var file Progress
	file.Flow.Packets, file.Flow.Refused[flow.BadLength] = 1000, 100
	v.update(&file)
	if v.sensor != .9 {
		t.Errorf("of a file with 100 of 1,000 frames refused: %v", v.sensor)
	}
}
