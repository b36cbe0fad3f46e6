package capture

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/testkit"
)

// given frames sent by one end
// when the other end is read
// then every frame is delivered once, in order, as it was sent and at the time
func TestLive(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	s := testkit.NewSender(t, "va")
	const count = 5000 // more than one block
	before := time.Now().UnixNano()
	for n := range uint32(count) {
		s.Send(t, testkit.UDPFrame(hostA, hostB, n))
	}
	arrived(t, l, count)
	after := time.Now().UnixNano()
	next, last := uint32(0), before
	collect(t, l, count, func(p *Packet) {
		if number(p) != next {
			t.Fatalf("packet %d came when %d was due", number(p), next)
		}
		if p.Length != 60 || len(p.Data) != 60 || p.Link != LinkEthernet || p.Iface != 0 || p.TPID != 0 {
			t.Fatalf("packet %+v, want 60 bytes of Ethernet on interface 0", p)
		}
		if p.Time < last || p.Time > after {
			t.Fatalf("packet at %d, want %d to %d", p.Time, last, after)
		}
		next, last = next+1, p.Time
	})
	quiet(t, l)
	got := l.Stats()[0]
	want := LiveStats{Interface: "vb", Method: ByRing, Present: true, Seen: count, Delivered: count, Bytes: 60 * count}
	if got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if got := l.Interfaces(); len(got) != 1 || got[0] != (Interface{Name: "vb", Link: LinkEthernet}) {
		t.Errorf("interfaces %+v", got)
	}
}

func TestLiveVLAN(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	s := testkit.NewSender(t, "va")
	plain := testkit.UDPFrame(hostA, hostB, 1)
	tests := []struct {
		frame      []byte
		vlan, tpid uint16
		data       []byte
	}{
		{plain, 0, 0, plain},
		{tagged(plain, 0x8100, 0xa007), 0xa007, 0x8100, plain},
		{tagged(plain, 0x88a8, 9), 9, 0x88a8, plain},
		{tagged(tagged(plain, 0x8100, 5), 0x88a8, 9), 9, 0x88a8, tagged(plain, 0x8100, 5)},
		{tagged(plain, 0x8100, 0), 0, 0x8100, plain}, // a priority tag
	}
	for _, tt := range tests {
		s.Send(t, tt.frame)
	}
	next := 0
	collect(t, l, len(tests), func(p *Packet) {
		want := tests[next]
		if p.VLAN != want.vlan || p.TPID != want.tpid || !bytes.Equal(p.Data, want.data) || p.Length != len(want.data) {
			t.Errorf("frame %d: tag %#04x %#04x, %d bytes %x, want %#04x %#04x %x", next, p.TPID, p.VLAN, p.Length, p.Data, want.tpid, want.vlan, want.data)
		}
		next++
	})
	quiet(t, l)
}

// given flows in both directions over two workers
// when each member is read by itself
// then every packet comes once, and a flow is always with the same member
func TestLiveFanout(t *testing.T) {
	pair(t)
	l := openLive(t, func(c *LiveConfig) { c.Workers = 2 })
	s := testkit.NewSender(t, "va")
	const flows, rounds = 64, 5
	sent := uint32(0)
	for range rounds {
		for f := range uint16(flows) {
			a := netip.AddrPortFrom(hostA.Addr(), 10_000+f)
			s.Send(t, testkit.UDPFrame(a, hostB, sent), testkit.UDPFrame(hostB, a, sent+1))
			sent += 2
		}
	}
	members := l.Members()
	if len(members) != 2 {
		t.Fatalf("%d members, want 2", len(members))
	}
	seen := make(map[uint32]bool)
	memberOf := make(map[uint16]int)
	share := [2]int{}
	for m, src := range members {
		var b Batch
		for {
			if err := src.Read(&b); err != nil {
				t.Fatal(err)
			}
			if len(b.Packets) == 0 {
				break // idle: nothing is left
			}
			for i := range b.Packets {
				n := number(&b.Packets[i])
				if seen[n] {
					t.Fatalf("packet %d came twice, at %d with member %d: %x", n, i, m, b.Packets[i].Data)
				}
				seen[n] = true
				share[m]++
				flow := uint16(n / 2 % flows)
				if other, known := memberOf[flow]; known && other != m {
					t.Fatalf("flow %d is with both members", flow)
				}
				memberOf[flow] = m
			}
		}
	}
	if len(seen) != int(sent) {
		t.Errorf("%d of %d packets came", len(seen), sent)
	}
	if share[0] == 0 || share[1] == 0 {
		t.Errorf("shares of the members: %v, want both to have some", share)
	}
	got := l.Stats()[0]
	if got.Seen != uint64(sent) || got.Delivered != uint64(sent) || got.Lost() != 0 {
		t.Errorf("stats %+v, want %d seen and delivered", got, sent)
	}
}

// given two workers
// when the source itself is read instead of its members
// then it has the packets of both
func TestLiveMerged(t *testing.T) {
	pair(t)
	l := openLive(t, func(c *LiveConfig) { c.Workers = 2 })
	s := testkit.NewSender(t, "va")
	const count = 100
	for n := range uint32(count) {
		s.Send(t, testkit.UDPFrame(netip.AddrPortFrom(hostA.Addr(), uint16(n)), hostB, n))
	}
	seen := make(map[uint32]bool)
	collect(t, l, count, func(p *Packet) { seen[number(p)] = true })
	if len(seen) != count {
		t.Errorf("%d different packets of %d", len(seen), count)
	}
	quiet(t, l)
}

func TestLiveSeveralInterfaces(t *testing.T) {
	pair(t)
	l := openLive(t, func(c *LiveConfig) { c.Interfaces = []string{"va", "vb", "lo"} })
	testkit.IP(t, "link set lo up")
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 1)) // leaves va, arrives at vb
	quietly := make(map[string]int)
	collect(t, l, 2, func(p *Packet) { quietly[l.Interfaces()[p.Iface].Name]++ })
	testkit.NewSender(t, "lo").Send(t, testkit.UDPFrame(hostA, hostB, 2))
	collect(t, l, 1, func(p *Packet) { quietly[l.Interfaces()[p.Iface].Name]++ })
	quiet(t, l)
	if diff := cmp.Diff(map[string]int{"va": 1, "vb": 1, "lo": 1}, quietly); diff != "" {
		t.Errorf("packets by interface (-want +got):\n%s", diff)
	}
}

// given two sources on one interface
// when one of them has a filter
// then neither takes anything from the other
func TestLiveTwoSources(t *testing.T) {
	pair(t)
	first := openLive(t, nil)
	second := openLive(t, func(c *LiveConfig) { c.Filter = mustParse(t, "port 1111") })
	other := netip.AddrPortFrom(hostA.Addr(), 3333)
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 0), testkit.UDPFrame(other, hostB, 1))
	collect(t, first, 2, func(*Packet) {})
	collect(t, second, 1, func(p *Packet) {
		if number(p) != 0 {
			t.Errorf("got packet %d, want 0", number(p))
		}
	})
	quiet(t, first)
	quiet(t, second)
}

// given a filter, a snap length and an excluded endpoint
// when the endpoint changes while the source is open
// then the kernel drops what it should each time, and says nothing of loss
func TestLiveFilter(t *testing.T) {
	pair(t)
	sink := netip.MustParseAddrPort("192.0.2.9:8086")
	l := openLive(t, func(c *LiveConfig) {
		c.Filter = mustParse(t, "udp and not port 53 and not vlan 9")
		c.Exclude = []netip.AddrPort{sink}
		c.SnapLen = 64
	})
	s := testkit.NewSender(t, "va")
	long := append(testkit.UDPFrame(hostA, hostB, 3), make([]byte, 100)...)
	frames := [][]byte{
		testkit.UDPFrame(hostA, netip.AddrPortFrom(hostB.Addr(), 53), 0),
		testkit.UDPFrame(hostA, sink, 1),
		testkit.UDPFrame(sink, hostA, 2),
		long,
		tagged(testkit.UDPFrame(hostA, hostB, 4), 0x8100, 9), // the tag is beside the frame
		tagged(testkit.UDPFrame(hostA, hostB, 5), 0x8100, 8),
		filterFrames["arp"],
		filterFrames["options"],
	}
	expect := func(want ...uint32) {
		t.Helper()
		s.Send(t, frames...)
		var got []uint32
		collect(t, l, len(want), func(p *Packet) {
			n := number(p)
			got = append(got, n)
			if n == 3 && (len(p.Data) != 64 || p.Length != 160) {
				t.Errorf("%d bytes of %d, want 64 of 160", len(p.Data), p.Length)
			}
		})
		quiet(t, l)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packets (-want +got):\n%s", diff)
		}
	}
	expect(3, 5)
	if err := l.Exclude([]netip.AddrPort{hostB}); err != nil {
		t.Fatal(err)
	}
	expect(1, 2)
	if err := l.Exclude(nil); err != nil {
		t.Fatal(err)
	}
	expect(1, 2, 3, 5)
	if err := l.Exclude(make([]netip.AddrPort, 1)); err == nil {
		t.Error("an endpoint without address was taken")
	}
	if got := l.Stats()[0]; got.Seen != 8 || got.Delivered != 8 || got.Lost() != 0 {
		t.Errorf("stats %+v, want 8 seen and delivered", got)
	}
}

// given an interface
// when it is captured from, with and without promiscuous mode
// then the mode lasts as long as the source, even if a batch outlives that
func TestLivePromiscuous(t *testing.T) {
	pair(t)
	expect := func(when, want string) {
		t.Helper()
		if got := testkit.IP(t, "-d link show vb"); !strings.Contains(got, " promiscuity "+want+" ") {
			t.Errorf("%s: want promiscuity %s in %s", when, want, got)
		}
	}
	expect("before", "0")
	modest := openLive(t, func(c *LiveConfig) { c.Promiscuous = false })
	expect("not asked for", "0")
	l := openLive(t, nil)
	expect("asked for", "1")
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 1))
	var held Batch
	for len(held.Packets) == 0 {
		if err := l.Read(&held); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	expect("closed", "0")
	held.Release()
	collect(t, modest, 1, func(*Packet) {})
}
