package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"gatehouse/ebpf"
	"gatehouse/internal/testkit"
)

// openCounting opens a source that counts in the kernel and is closed when the
// test ends. A kernel that cannot is no failure but in CI.
func openCounting(tb testing.TB, change func(*LiveConfig)) *Kernel {
	tb.Helper()
	cfg := DefaultLiveConfig("vb")
	cfg.RingBytes = 4 << 20
	if change != nil {
		change(&cfg)
	}
	k, err := OpenKernel(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { k.Close() })
	return k
}

// counted is all that a source told until it ended.
type counted struct {
	heads  []Packet
	deltas []Delta
	sum    map[string]*Delta // by ends and VLAN
}

// untilEnd stops a source and reads all that it has.
func untilEnd(tb testing.TB, src interface {
	Source
	Stop()
},
) counted {
	tb.Helper()
	c := counted{sum: make(map[string]*Delta)}
	src.Stop()
	var b Batch
	for {
		err := src.Read(&b)
		for i := range b.Packets {
			p := b.Packets[i]
			p.Data = slices.Clone(p.Data)
			c.heads = append(c.heads, p)
		}
		for i := range b.Deltas {
			c.add(b.Deltas[i])
		}
		switch {
		case errors.Is(err, io.EOF):
			return c
		case err != nil:
			tb.Fatalf("read: %v", err)
		}
	}
}

func (c *counted) add(d Delta) {
	c.deltas = append(c.deltas, d)
	ends := d.ends()
	name := fmt.Sprintf("%d %v %v vlan %d", d.Proto, ends[0], ends[1], d.VLAN)
	switch {
	case d.Fragment:
		name += " pieces"
	case d.Proto == 1:
		name += fmt.Sprintf(" type %d id %d from %d", d.ICMPType, d.ICMPID, d.First)
	}
	sum := c.sum[name]
	if sum == nil {
		c.sum[name] = &d
		return
	}
	for i := range 2 {
		sum.Packets[i] += d.Packets[i]
		sum.Bytes[i] += d.Bytes[i]
		sum.Payload[i] += d.Payload[i]
		sum.Flags[i] |= d.Flags[i]
	}
	sum.Last = d.Last
}

// whole waits until the kernel has seen so many frames.
func whole(tb testing.TB, src interface{ Stats() []LiveStats }, frames uint64) {
	tb.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for src.Stats()[0].Seen < frames {
		if time.Now().After(deadline) {
			tb.Fatalf("%d of %d frames were seen in time", src.Stats()[0].Seen, frames)
		}
	}
}

// given frames of many flows sent through an interface
// when the kernel counts them
// then every frame is in a delta, and the first of each flow come up as well
func TestKernel(t *testing.T) {
	pair(t)
	k := openCounting(t, nil)
	s := testkit.NewSender(t, "va")
	const flows, each = 50, 40
	server := netip.MustParseAddrPort("192.0.2.2:9999") // 2222 belongs to EtherNet/IP, which goes up whole
	before := time.Now().UnixNano()
	for n := range uint32(flows * each) {
		s.Send(t, testkit.UDPFrame(netip.AddrPortFrom(hostA.Addr(), uint16(10_000+n%flows)), server, n))
	}
	whole(t, k, flows*each)
	got := untilEnd(t, k)
	if len(got.sum) != flows {
		t.Errorf("%d flows, want %d", len(got.sum), flows)
	}
	for name, d := range got.sum {
		if d.Packets != [2]uint64{each, 0} || d.Bytes != [2]uint64{46 * each, 0} || d.Payload != [2]uint64{18 * each, 0} {
			t.Errorf("%s: packets %v, bytes %v, payload %v", name, d.Packets, d.Bytes, d.Payload)
		}
		if d.MAC[0] != [6]byte{2, 0, 0, 0, 0, 1} || d.Begin < before-1e7 || d.Last > time.Now().UnixNano() || d.Begin > d.Last {
			t.Errorf("%s: from %v, %d to %d", name, d.MAC[0], d.Begin, d.Last)
		}
	}
	if first := ebpf.DefaultConfig().HeadDatagrams * flows; len(got.heads) != first {
		t.Errorf("%d heads, want %d", len(got.heads), first)
	}
	for i := range got.heads {
		p := &got.heads[i]
		if number(p) != uint32(i) || p.Length != 60 || p.Link != LinkEthernet || p.Time < before-1e6 {
			t.Fatalf("head %d is %+v", i, p)
		}
	}
	st := k.Stats()[0]
	if st.Seen != flows*each || st.Delivered != st.Seen || st.Lost() != 0 || st.Method != ByTCX {
		t.Errorf("stats %+v", st)
	}
}

// TestKernelFrames sends one frame of each kind, and wants one packet counted
// under these names.
func TestKernelFrames(t *testing.T) {
	plain := testkit.UDPFrame(hostA, hostB, 1)
	v6 := append(append([]byte{}, plain[:12]...), 0x86, 0xdd, 0x60, 0, 0, 0, 0, 12, 17, 64)
	for _, last := range []byte{1, 2} { // fd00::1 to fd00::2
		v6 = append(append(v6, 0xfd), make([]byte, 14)...)
		v6 = append(v6, last)
	}
	v6 = append(v6, 4, 87, 8, 174, 0, 12, 0, 0, 'a', 'b', 'c', 'd') // ports 1111 and 2222, 12 bytes
	first, later := slices.Clone(plain), slices.Clone(plain)
	first[14+3], first[14+6] = 44, 0x20 // 24 bytes, more fragments
	later[14+6], later[14+7] = 0, 3     // offset 24
	icmp := func(kind byte) []byte {
		b := slices.Clone(plain)
		b[23], b[34], b[35], b[38], b[39] = 1, kind, 0, 0, 7 // protocol, type, code, identifier
		return b
	}
	ping, pong, unreachable := icmp(8), icmp(0), icmp(3)
	lldp := append(append([]byte{}, plain[:12]...), 0x88, 0xcc, 2, 7, 4, 2, 0, 0, 0, 0, 1, 4, 2, 7, 'x', 6, 2, 0, 120, 0, 0)
	lldp = append(lldp, make([]byte, 60-len(lldp))...)
	for _, c := range []struct {
		name  string
		frame []byte
		want  string // "" for none
	}{
		{"plain", plain, "17 192.0.2.1:1111 192.0.2.2:2222 vlan 0"},
		{"VLAN", tagged(plain, 0x8100, 0xa007), "17 192.0.2.1:1111 192.0.2.2:2222 vlan 7"},
		{"QinQ", tagged(tagged(plain, 0x8100, 5), 0x88a8, 9), "17 192.0.2.1:1111 192.0.2.2:2222 vlan 9"},
		{"priority tag", tagged(plain, 0x8100, 0xe000), "17 192.0.2.1:1111 192.0.2.2:2222 vlan 0"},
		{"IPv6", v6, "17 [fd00::1]:1111 [fd00::2]:2222 vlan 0"},
		{"first fragment", first, "17 192.0.2.1:1111 192.0.2.2:2222 vlan 0"},
		{"later fragment", later, "17 192.0.2.1:0 192.0.2.2:0 vlan 0 pieces"},
		{"ping", ping, "1 192.0.2.1:0 192.0.2.2:0 vlan 0 type 8 id 7 from 0"},
		{"answer alone", pong, "1 192.0.2.1:0 192.0.2.2:0 vlan 0 type 8 id 7 from 1"},
		{"unreachable", unreachable, "1 192.0.2.1:0 192.0.2.2:0 vlan 0 type 3 id 0 from 0"},
		{"LLDP", lldp, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair(t)
			k := openCounting(t, nil)
			testkit.NewSender(t, "va").Send(t, c.frame)
			whole(t, k, 1)
			got := untilEnd(t, k)
			if len(got.heads) != 1 || !bytes.Contains(got.heads[0].Data, c.frame[len(c.frame)-20:]) {
				t.Errorf("%d heads, want 1: %+v", len(got.heads), got.heads)
			}
			var names []string
			for name, d := range got.sum {
				names = append(names, name)
				if d.Packets[0]+d.Packets[1] != 1 {
					t.Errorf("%s: packets %v", name, d.Packets)
				}
			}
			if strings.Join(names, ", ") != c.want {
				t.Errorf("flows %q, want %q", names, c.want)
			}
			if st := k.Stats()[0]; st.Seen != 1 || st.Delivered != 1 || st.Hidden != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

// given an interface that is deleted and made again while it is counted
// when frames pass before and after
// then all are counted, and the time between is an outage
func TestKernelFlap(t *testing.T) {
	pair(t)
	k := openCounting(t, nil)
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 1))
	whole(t, k, 1)
	testkit.IP(t, "link del va")
	var b Batch
	packets := uint64(0)
	until := func(what string, done func(LiveStats) bool) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); !done(k.Stats()[0]); {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not in time: %+v", what, k.Stats()[0])
			}
			if err := k.Read(&b); err != nil {
				t.Fatal(err)
			}
			for i := range b.Deltas {
				packets += b.Deltas[i].Packets[0]
			}
		}
	}
	until("away", func(s LiveStats) bool { return !s.Present })
	addPair(t)
	until("back", func(s LiveStats) bool { return s.Present })
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 2))
	whole(t, k, 2)
	rest := untilEnd(t, k)
	for _, d := range rest.deltas {
		packets += d.Packets[0]
	}
	st := k.Stats()[0]
	if packets != 2 || st.Outages != 1 || st.Outage == 0 || st.Delivered != 2 {
		t.Errorf("%d packets, stats %+v", packets, st)
	}
	if n := len(k.Interfaces()); n != 1 {
		t.Errorf("%d interfaces listed, want 1", n)
	}
}

// given an interface that another instance counts
// then a second one is refused until the first has ended
func TestKernelTwice(t *testing.T) {
	pair(t)
	k := openCounting(t, nil)
	for _, choice := range []Choice{Auto, OnlyBPF} {
		if _, err := OpenSniffer(DefaultLiveConfig("vb"), choice); !errors.Is(err, ebpf.ErrBusy) {
			t.Errorf("%s beside another: %v", choice, err)
		}
	}
	k.Close()
	openCounting(t, nil)
}

// given a kernel without TCX
// then clsact takes its place, and the reason is told
func TestKernelFallsBack(t *testing.T) {
	pair(t)
	k, refused, err := openKernelBy(DefaultLiveConfig("vb"), func(c *ebpf.Collector, ifindex int, via ebpf.Via) (*ebpf.Attachment, error) {
		if via == ebpf.TCX {
			return nil, ebpf.ErrNoTCX
		}
		return c.Attach(ifindex, via)
	})
	if err != nil || len(refused) > 0 {
		t.Fatalf("%v, refused %v", err, refused)
	}
	defer k.Close()
	if u := k.Used(); len(u) != 1 || u[0].Method != ByClsact || !errors.Is(u[0].Refused, ebpf.ErrNoTCX) {
		t.Errorf("used %+v", u)
	}
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 1))
	whole(t, k, 1)
	if got := untilEnd(t, k); len(got.sum) != 1 || len(got.heads) != 1 {
		t.Errorf("%d flows, %d heads", len(got.sum), len(got.heads))
	}
}

// given a thread without capabilities
// then neither way to count works, and the error says what is missing
func TestKernelPermission(t *testing.T) {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(header, &none[0]); err != nil {
			result <- fmt.Errorf("drop capabilities: %w", err)
			return
		}
		_, err := OpenKernel(DefaultLiveConfig("lo"))
		result <- err
	}()
	if err := <-result; !errors.Is(err, ebpf.ErrPermission) {
		t.Errorf("got %v, want ErrPermission", err)
	}
}

func TestKernelExclude(t *testing.T) {
	pair(t)
	k := openCounting(t, func(c *LiveConfig) { c.Exclude = []netip.AddrPort{hostB} })
	s := testkit.NewSender(t, "va")
	other := netip.AddrPortFrom(hostB.Addr(), hostB.Port()+1)
	s.Send(t, testkit.UDPFrame(hostA, hostB, 1), testkit.UDPFrame(hostA, other, 2), testkit.UDPFrame(hostB, hostA, 3))
	whole(t, k, 3)
	got := untilEnd(t, k)
	if len(got.heads) != 1 || number(&got.heads[0]) != 2 || len(got.sum) != 1 {
		t.Errorf("%d heads, %d flows: %+v", len(got.heads), len(got.sum), got.heads)
	}
	if st := k.Stats()[0]; st.Excluded != 2 || st.Delivered != 1 || st.Seen != 3 {
		t.Errorf("stats %+v", st)
	}
}

// withChecksum fills in the checksum of an IPv4 header, without which a bridge
// that filters drops the frame.
func withChecksum(frame []byte) []byte {
	sum := uint32(0)
	for i := 14; i < 34; i += 2 {
		sum += uint32(frame[i])<<8 | uint32(frame[i+1])
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(frame[24:], ^uint16(sum+sum>>16))
	return frame
}

// given a bridge whose ports exchange frames
// when the bridge is captured from
// then each frame is seen once, by either method; with a port it is refused
func TestBridge(t *testing.T) {
	for _, choice := range []Choice{OnlyBPF, OnlyRing} {
		t.Run(string(choice), func(t *testing.T) {
			pair(t)
			for _, args := range []string{
				"link add wa type veth peer name wb", "link set wa up", "link set wb up",
				"link add br0 type bridge forward_delay 0", "link set br0 up", "link set vb master br0", "link set wb master br0",
			} {
				testkit.IP(t, args)
			}
			if _, err := OpenSniffer(DefaultLiveConfig("br0", "vb"), choice); !errors.Is(err, ErrCountedTwice) {
				t.Errorf("with a port of its own: %v, want ErrCountedTwice", err)
			}
			src, err := OpenSniffer(DefaultLiveConfig("br0"), choice)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			for deadline := time.Now().Add(5 * time.Second); !strings.Contains(testkit.IP(t, "-d link show vb"), "state forwarding"); {
				if time.Now().After(deadline) {
					t.Fatal("the bridge does not forward")
				}
			}
			const frames = 100
			s := testkit.NewSender(t, "va")
			for n := range uint32(frames) {
				s.Send(t, withChecksum(testkit.UDPFrame(hostA, hostB, n)))
			}
			whole(t, src, frames)
			if choice == OnlyRing {
				packets := 0 // but those of the bridge itself, which speaks IGMP
				var b Batch
				defer b.Release()
				for idle := false; !idle; idle = len(b.Packets) == 0 {
					if err := src.Read(&b); err != nil {
						t.Fatal(err)
					}
					for i := range b.Packets {
						if ends, _ := endsOf(b.Packets[i].Data, LinkEthernet); ends[0] == hostA {
							packets++
						}
					}
				}
				if packets != frames {
					t.Errorf("%d packets, want %d", packets, frames)
				}
				return
			}
			got := untilEnd(t, src)
			d := got.sum["17 192.0.2.1:1111 192.0.2.2:2222 vlan 0"]
			if d == nil || d.Packets != [2]uint64{frames, 0} {
				t.Errorf("flow %+v, want one of %d packets", d, frames)
			}
		})
	}
}

// given an interface that the kernel counts and one that only AF_PACKET can
// capture from
// when both are captured from
// then what passes either is told, under its own name
func TestSnifferJoins(t *testing.T) {
	pair(t)
	testkit.IP(t, "link set lo up")
	src, err := OpenSniffer(DefaultLiveConfig("vb", "lo"), Auto)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	used := src.Used()
	if len(used) != 2 || used[0].Method != ByTCX || used[1].Method != ByRing || !errors.Is(used[1].Refused, ErrNeedsPackets) {
		t.Fatalf("used %+v", used)
	}
	testkit.NewSender(t, "va").Send(t, testkit.UDPFrame(hostA, hostB, 1))
	testkit.NewSender(t, "lo").Send(t, testkit.UDPFrame(hostA, hostB, 2))
	var b Batch
	seen := map[string]int{}
	for deadline := time.Now().Add(5 * time.Second); seen["vb head"] == 0 || seen["vb delta"] == 0 || seen["lo"] == 0; {
		if time.Now().After(deadline) {
			t.Fatalf("seen %v in time", seen)
		}
		if err := src.Read(&b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Packets {
			name := src.Interfaces()[b.Packets[i].Iface].Name
			if b.Heads {
				name += " head"
			}
			seen[name]++
		}
		for i := range b.Deltas {
			seen[src.Interfaces()[b.Deltas[i].Iface].Name+" delta"]++
		}
	}
	if len(seen) != 3 {
		t.Errorf("seen %v", seen)
	}
	if st := src.Stats(); len(st) != 2 || st[0].Interface != "vb" || st[1].Interface != "lo" {
		t.Errorf("stats %+v", st)
	}
}

// TestLowerIndex: kernels of test machines may lack these kinds of interfaces.
func TestLowerIndex(t *testing.T) {
	below := netlink.LinkAttrs{ParentIndex: 3}
	for _, c := range []struct {
		link netlink.Link
		want int
	}{
		{&netlink.Vlan{LinkAttrs: below}, 3},
		{&netlink.Macvlan{LinkAttrs: below}, 3},
		{&netlink.Veth{LinkAttrs: below}, 0}, // its peer
		{&netlink.Device{LinkAttrs: below}, 0},
	} {
		if got := lowerIndex(c.link); got != c.want {
			t.Errorf("%s is on %d, want %d", c.link.Type(), got, c.want)
		}
	}
}

func TestEndsOf(t *testing.T) {
	plain := testkit.UDPFrame(hostA, hostB, 1)
	want := [2]netip.AddrPort{hostA, hostB}
	piece := slices.Clone(plain)
	piece[14+7] = 3
	noPorts := [2]netip.AddrPort{netip.AddrPortFrom(hostA.Addr(), 0), netip.AddrPortFrom(hostB.Addr(), 0)}
	for _, c := range []struct {
		name string
		b    []byte
		link LinkType
		want [2]netip.AddrPort
		ok   bool
	}{
		{"plain", plain, LinkEthernet, want, true},
		{"two tags", tagged(tagged(plain, 0x8100, 5), 0x88a8, 9), LinkEthernet, want, true},
		{"without a link layer", plain[14:], LinkRawIP, want, true},
		{"a later fragment", piece, LinkEthernet, noPorts, true},
		{"cut in the ports", plain[:14+20+3], LinkEthernet, noPorts, true},
		{"cut in the address", plain[:14+19], LinkEthernet, [2]netip.AddrPort{}, false},
		{"cut in a tag", tagged(plain, 0x8100, 5)[:15], LinkEthernet, [2]netip.AddrPort{}, false},
		{"header longer than the packet", append(slices.Clone(plain[:14]), append([]byte{0x4f}, plain[15:34]...)...), LinkEthernet, noPorts, true},
		{"nothing", nil, LinkEthernet, [2]netip.AddrPort{}, false},
	} {
		if got, ok := endsOf(c.b, c.link); got != c.want || ok != c.ok {
			t.Errorf("%s: %v %v, want %v %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

// FuzzEndsOf: whatever a frame says, reading its ends stays within it, and a
// tag in front changes nothing.
func FuzzEndsOf(f *testing.F) {
	plain := testkit.UDPFrame(hostA, hostB, 1)
	for _, seed := range [][]byte{plain, tagged(plain, 0x8100, 5), plain[:30], nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ends, ok := endsOf(b, LinkEthernet)
		endsOf(b, LinkRawIP)
		if ok != (ends[0].Addr().IsValid() && ends[1].Addr().IsValid()) {
			t.Fatalf("%v %v", ends, ok)
		}
		if len(b) >= 14 {
			if again, _ := endsOf(tagged(b, 0x8100, 5), LinkEthernet); again != ends {
				t.Fatalf("%v, behind a tag %v", ends, again)
			}
		}
	})
}
