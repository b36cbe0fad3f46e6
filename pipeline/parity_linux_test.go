package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/alert"
	"gatehouse/capture"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/pipeline"
	"gatehouse/sim"
)

// eveningHour is what a home sends from 19 to 20 h, whole: what the simulation
// leaves out of bulk data is zeros here.
func eveningHour(t *testing.T) (frames []testkit.Frame) {
	t.Helper()
	cfg := sim.DefaultConfig()
	cfg.Days, cfg.Attacks, cfg.LookAlikes = 1, false, false
	home, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("an hour is over")
	err = home.Frames(func(f sim.Frame) error {
		switch hours := f.Time.Sub(cfg.Start).Hours(); {
		case hours < 19:
			return nil
		case hours >= 20:
			return enough
		}
		b := make([]byte, max(f.Length, len(f.Data)))
		copy(b, f.Data)
		frames = append(frames, testkit.Frame{Data: b})
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return frames
}

// account is what a run tells in the end.
type account struct {
	Packets, Flows uint64
	Devices        map[string]string  // packets and bytes to and from each
	Alerts         []string           // kinds
	Messages       flow.MessageCounts // in the order of their names
}

func accountOf(s *pipeline.Summary) account {
	out := account{Packets: s.Flow.Packets, Flows: s.Flow.Flows, Devices: make(map[string]string), Messages: slices.SortedFunc(slices.Values(s.Flow.Messages), func(a, b flow.MessageCount) int { return strings.Compare(a.Protocol, b.Protocol) })}
	for _, d := range s.Devices {
		out.Devices[d.ID] = fmt.Sprintf("in %+v out %+v", d.In, d.Out)
	}
	kinds := make(map[string]bool)
	for i := range s.Changes.Alerts {
		kinds[string(s.Changes.Alerts[i].Kind)] = true
	}
	out.Alerts = slices.Sorted(maps.Keys(kinds))
	return out
}

// given the traffic of a home
// when it passes an interface whose flows the kernel counts, and from which
// every packet is read as well, and lies in a file
// then all three runs know the same devices, with the same counters, and raise
// alerts of the same kinds
func TestParity(t *testing.T) {
	frames := eveningHour(t)
	testkit.EnterNetns(t)
	for _, args := range []string{
		"link add va type veth peer name vb", "link set va mtu 65000", "link set vb mtu 65000",
		"link set va up", "link set vb up",
	} {
		testkit.IP(t, args)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var runs sync.WaitGroup
	var live [2]*pipeline.Summary
	var sources [2]*capture.Sniffer
	for i, choice := range []capture.Choice{capture.OnlyBPF, capture.OnlyRing} {
		cfg := capture.DefaultLiveConfig("vb")
		cfg.RingBytes = 64 << 20
		src, err := capture.OpenSniffer(cfg, choice)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		sources[i] = src
		runs.Go(func() {
			var err error
			if live[i], err = pipeline.Run(ctx, src, nil, pipeline.DefaultConfig(), func(*alert.Alert) {}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", choice, err)
			}
		})
	}
	s := testkit.NewSender(t, "va")
	const rate = 2000 // frames a second, below what any class of heads is allowed
	begin := time.Now()
	for i := range frames {
		for time.Since(begin) < time.Duration(i)*time.Second/rate { // the least sleep is longer than that
		}
		s.Send(t, frames[i].Data)
		frames[i].Time = time.Now().UnixNano()
	}
	for _, src := range sources {
		for deadline := time.Now().Add(5 * time.Second); src.Stats()[0].Seen < uint64(len(frames)); {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d frames arrived in time", src.Stats()[0].Seen, len(frames))
			}
		}
	}
	for sources[1].Stats()[0].Delivered < uint64(len(frames)) && ctx.Err() == nil { // rings are not read to their end
	}
	cancel()
	runs.Wait()

	name := filepath.Join(t.TempDir(), "hour.pcap")
	testkit.WritePcap(t, name, uint32(capture.LinkEthernet), frames)
	file, err := capture.Open([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sum, err := pipeline.Run(t.Context(), file, nil, pipeline.DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := accountOf(sum)
	t.Logf("%d frames, %d flows, %d devices, alerts %v, messages %v", len(frames), want.Flows, len(want.Devices), want.Alerts, want.Messages)
	if want.Packets != uint64(len(frames)) || len(want.Devices) < 5 {
		t.Fatalf("from the file: %+v", want)
	}
	for i, how := range []string{"counted by the kernel", "read packet by packet"} {
		if diff := cmp.Diff(want, accountOf(live[i])); diff != "" {
			t.Errorf("%s (-file +live):\n%s", how, diff)
		}
		if v := live[i].Losses.Visibility(); v != 1 {
			t.Errorf("%s: visibility %v, losses %+v", how, v, live[i].Losses)
		}
	}
}
