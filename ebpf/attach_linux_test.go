//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"gatehouse/internal/testkit"
)

// given a pair of virtual interfaces and a collector at one of them, by each way
// when packets cross it in both directions
// then each is in the delta of its flow, and their heads come up
func TestAttach(t *testing.T) {
	for _, via := range []Via{TCX, Clsact} {
		t.Run(via.String(), func(t *testing.T) {
			testkit.EnterNetns(t)
			testkit.IP(t, "link add va type veth peer name vb")
			testkit.IP(t, "link set va up")
			testkit.IP(t, "link set vb up")
			c := open(t, DefaultConfig())
			attach(t, c, "vb", via)

			client, server := netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:2000")
			for i := range uint32(10) {
				testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(client, server, i))
			}
			testkit.NewSender(t, "vb").Send(t, testkit.UDPFrame(server, client, 0))

			var deltas []Delta
			sweep(t, c, func(d *Delta) { deltas = append(deltas, *d) })
			if len(deltas) != 1 || deltas[0].Packets != [2]uint64{10, 1} || deltas[0].Bytes != [2]uint64{460, 46} || deltas[0].Payload != [2]uint64{180, 18} {
				t.Fatalf("deltas %+v", deltas)
			}
			var h Head
			for i := range DefaultConfig().HeadDatagrams + 1 {
				egress := i == DefaultConfig().HeadDatagrams // the answer came last
				c.SetDeadline(time.Now().Add(time.Second))
				if err := c.ReadHead(&h); err != nil || h.Egress != egress || h.Class != ClassUDP || h.Length != 60 || len(h.Data) != 60 {
					t.Errorf("head %+v: %v", h, err)
				}
			}
			c.SetDeadline(time.Now())
			if err := c.ReadHead(&h); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("another head %+v: %v", h, err)
			}
		})
	}
}

func open(tb testing.TB, cfg Config) *Collector {
	tb.Helper()
	c, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func attach(tb testing.TB, c *Collector, name string, via Via) *Attachment {
	tb.Helper()
	a, err := c.Attach(ifindexOf(tb, name), via)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// sweep sweeps and holds that every packet seen is accounted for.
func sweep(tb testing.TB, c *Collector, f func(*Delta)) Swept {
	tb.Helper()
	s, err := c.Sweep(f)
	if err != nil {
		tb.Fatal(err)
	}
	if s.Implausible != 0 {
		tb.Errorf("%d counters went back", s.Implausible)
	}
	a, err := c.Account()
	if err != nil {
		tb.Fatal(err)
	}
	if a.Unattributed() != 0 {
		tb.Errorf("%d packets unattributed: %+v", a.Unattributed(), a)
	}
	return s
}
