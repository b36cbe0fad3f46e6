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

// BenchmarkFlowsLive sends b.N small datagrams of 1,000 flows, 500,000 a
// second, through a pair of virtual interfaces and reads them into flows.
// Sender, kernel and flow tables share the machine. make bench-live runs it.
func BenchmarkFlowsLive(b *testing.B) {
	testkit.EnterNetns(b)
	for _, args := range []string{"link add va type veth peer name vb", "link set va up", "link set vb up"} {
		testkit.IP(b, args)
	}
	src, err := capture.OpenLive(capture.DefaultLiveConfig("vb"))
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	s := testkit.NewSender(b, "va")
	s.Bypass(b)
	server := netip.MustParseAddrPort("192.0.2.2:9")
	var bursts [][][]byte
	for f := range uint16(1000) {
		if f%50 == 0 {
			bursts = append(bursts, nil)
		}
		client := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 10_000+f)
		bursts[f/50] = append(bursts[f/50], testkit.UDPFrame(client, server, 0))
	}

	cfg := pipeline.DefaultConfig()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var last pipeline.Progress
	flowed := make(chan error, 1)
	go func() {
		flowed <- pipeline.Flows(ctx, src, cfg, func(_ []flow.Event, p pipeline.Progress) error {
			last = p
			return nil
		})
	}()
	b.ResetTimer()
	const rate = 500_000
	begin, sent := time.Now(), 0
	for i := 0; sent < b.N; i++ {
		for time.Since(begin) < time.Duration(sent)*time.Second/rate { // the least sleep is longer than that
		}
		burst := bursts[i%len(bursts)]
		s.Send(b, burst...)
		sent += len(burst)
	}
	took := time.Since(begin)
	b.StopTimer()
	stats := src.Stats()[0]
	for stats.Delivered+stats.RingFull < uint64(sent) && time.Since(begin) < took+2*time.Second {
		stats = src.Stats()[0] // until the rest is read
	}
	cancel()
	if err := <-flowed; !errors.Is(err, context.Canceled) {
		b.Fatal(err)
	}
	if stats.Seen != uint64(sent) || last.Flow.Packets != stats.Delivered {
		b.Errorf("%d sent, %d in flows, stats %+v: they do not add up", sent, last.Flow.Packets, stats)
	}
	b.ReportMetric(float64(sent)/took.Seconds(), "packets/s")
	b.ReportMetric(100*float64(stats.Lost())/float64(sent), "%lost")
}

// BenchmarkIdle is what a sensor costs while nothing happens: processor time
// in per cent of a core, over two seconds. make bench-live runs it.
func BenchmarkIdle(b *testing.B) {
	for _, choice := range []capture.Choice{capture.OnlyBPF, capture.OnlyRing} {
		b.Run(string(choice), func(b *testing.B) {
			testkit.EnterNetns(b)
			for _, args := range []string{"link add va type veth peer name vb", "link set va up", "link set vb up"} {
				testkit.IP(b, args)
			}
			src, err := capture.OpenSniffer(capture.DefaultLiveConfig("vb"), choice)
			if err != nil {
				b.Fatal(err)
			}
			defer src.Close()
			ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
			defer cancel()
			processor := func() time.Duration {
				var u unix.Rusage
				if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
					b.Fatal(err)
				}
				return time.Duration(u.Utime.Nano() + u.Stime.Nano())
			}
			begin, before := time.Now(), processor()
			if _, err := pipeline.Run(ctx, src, nil, pipeline.DefaultConfig(), nil); !errors.Is(err, context.DeadlineExceeded) {
				b.Fatal(err)
			}
			used := 100 * float64(processor()-before) / float64(time.Since(begin))
			if used > 2 {
				b.Errorf("%.1f %% of a core while nothing happens, want 2 at most", used)
			}
			b.ReportMetric(0, "ns/op") // says nothing here
			b.ReportMetric(used, "%core")
		})
	}
}
