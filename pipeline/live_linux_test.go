package pipeline_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/capture"
	"gatehouse/flow"
	"gatehouse/internal/testkit"
	"gatehouse/pipeline"
)

// given a live interface on which one datagram arrives, and then nothing
// when its flow has been idle for the timeout
// then the flow ends, although no packet says what time it is
func TestFlowsOfAnIdleInterface(t *testing.T) {
	testkit.EnterNetns(t)
	for _, args := range []string{
		"link add va type veth peer name vb", "link set va up", "link set vb up",
		"addr add 192.0.2.1/24 dev va",
		"neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev va",
	} {
		testkit.IP(t, args)
	}
	src, err := capture.OpenLive(capture.DefaultLiveConfig("vb"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	to := &unix.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr("192.0.2.2").As4()}
	if err := unix.Sendto(fd, []byte("once"), 0, to); err != nil {
		t.Fatal(err)
	}

	cfg := pipeline.DefaultConfig()
	cfg.Flow.UDP = time.Second
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var kinds []flow.EventKind
	var first, ended int64
	err = pipeline.Flows(ctx, src, cfg, func(events []flow.Event, p pipeline.Progress) error {
		for i := range events {
			e := &events[i]
			kinds = append(kinds, e.Kind)
			switch e.Kind {
			case flow.Start:
				first = p.Now
			case flow.End:
				if ended == 0 {
					ended = p.Now
				}
				cancel()
			}
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("flows: %v, events %v", err, kinds)
	}
	if len(kinds) < 2 || kinds[0] != flow.Start || kinds[len(kinds)-1] != flow.End {
		t.Errorf("events %v, want a start and an end", kinds)
	}
	if idle := time.Duration(ended - first); idle < time.Second || idle > 3*time.Second {
		t.Errorf("the flow ended after %v, want 1 s and a little", idle)
	}
	if got := src.Stats()[0]; got.Delivered != 1 || got.Lost() != 0 {
		t.Errorf("stats %+v, want one packet", got)
	}
}
