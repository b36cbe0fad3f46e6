package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"gatehouse/internal/testkit"
)

// pair makes two connected interfaces in a namespace of the test's own.
func pair(tb testing.TB) {
	tb.Helper()
	testkit.EnterNetns(tb)
	addPair(tb)
}

func addPair(tb testing.TB) {
	tb.Helper()
	testkit.IP(tb, "link add va type veth peer name vb")
	testkit.IP(tb, "link set va up")
	testkit.IP(tb, "link set vb up")
}

// openLive opens a source that is closed when the test ends.
func openLive(tb testing.TB, change func(*LiveConfig)) *Live {
	tb.Helper()
	cfg := DefaultLiveConfig("vb")
	cfg.RingBytes = 4 << 20
	if change != nil {
		change(&cfg)
	}
	l, err := OpenLive(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

// sender sends frames into an interface.
type sender struct {
	fd   int
	msgs []mmsghdr
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

func newSender(tb testing.TB, name string) *sender {
	tb.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatalf("open packet socket: %v", err)
	}
	tb.Cleanup(func() { unix.Close(fd) })
	l, err := lookUp(fd, name)
	if err != nil {
		tb.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: l.index}); err != nil {
		tb.Fatal(err)
	}
	return &sender{fd: fd}
}

// send sends all frames, of which none may be lost on the way to the socket.
func (s *sender) send(tb testing.TB, frames ...[]byte) {
	tb.Helper()
	if n := s.trySend(tb, frames); n != len(frames) {
		tb.Fatalf("sent %d of %d frames", n, len(frames))
	}
}

// trySend sends frames until one is refused, and returns how many went out.
func (s *sender) trySend(tb testing.TB, frames [][]byte) int {
	tb.Helper()
	s.msgs = s.msgs[:0]
	vectors := make([]unix.Iovec, len(frames))
	for i, f := range frames {
		vectors[i].Base = &f[0]
		vectors[i].SetLen(len(f))
		m := mmsghdr{hdr: unix.Msghdr{Iov: &vectors[i]}}
		m.hdr.SetIovlen(1)
		s.msgs = append(s.msgs, m)
	}
	sent := 0
	for sent < len(frames) {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd),
			uintptr(unsafe.Pointer(&s.msgs[sent])), uintptr(len(frames)-sent), 0, 0, 0)
		if errno != 0 {
			tb.Logf("sendmmsg: %v", errno)
			return sent
		}
		sent += int(n)
	}
	return sent
}

// udpFrame is an Ethernet frame with an IPv4 UDP datagram whose payload is n
// and then zeros, 60 bytes in all.
func udpFrame(src, dst netip.AddrPort, n uint32) []byte {
	f := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, // to, from, IPv4
		0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0) // length 46, do not fragment, UDP
	f = append(append(f, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	f = binary.BigEndian.AppendUint16(f, src.Port())
	f = binary.BigEndian.AppendUint16(f, dst.Port())
	f = binary.BigEndian.AppendUint32(f, 26<<16) // length, no checksum
	f = binary.BigEndian.AppendUint32(f, n)
	return append(f, make([]byte, 60-len(f))...)
}

// tagged puts a VLAN tag into a frame.
func tagged(frame []byte, tpid, tci uint16) []byte {
	out := append([]byte{}, frame[:12]...)
	out = binary.BigEndian.AppendUint16(out, tpid)
	out = binary.BigEndian.AppendUint16(out, tci)
	return append(out, frame[12:]...)
}

// number is what udpFrame was given as n.
func number(p *Packet) uint32 {
	const at = 14 + 20 + 8
	if len(p.Data) < at+4 {
		return 1<<32 - 1
	}
	return binary.BigEndian.Uint32(p.Data[at:])
}

var (
	hostA = netip.MustParseAddrPort("192.0.2.1:1111")
	hostB = netip.MustParseAddrPort("192.0.2.2:2222")
)

// collect reads until visit has seen want packets, or for five seconds.
func collect(tb testing.TB, src Source, want int, visit func(*Packet)) {
	tb.Helper()
	var b Batch
	defer b.Release()
	deadline := time.Now().Add(5 * time.Second)
	for got := 0; got < want; {
		if err := src.Read(&b); err != nil {
			tb.Fatalf("read: %v", err)
		}
		for i := range b.Packets {
			visit(&b.Packets[i])
		}
		if got += len(b.Packets); got < want && time.Now().After(deadline) {
			tb.Fatalf("got %d of %d packets in time", got, want)
		}
	}
}

// quiet reads until an idle batch shows that nothing is left, and fails if a
// packet comes.
func quiet(tb testing.TB, src Source) {
	tb.Helper()
	var b Batch
	if err := src.Read(&b); err != nil {
		tb.Fatalf("read: %v", err)
	}
	if len(b.Packets) > 0 {
		tb.Fatalf("got a packet too much: %+v", b.Packets[0])
	}
}

// given frames sent by one end
// when the other end is read
// then every frame is delivered once, in order, as it was sent and at the time
func TestLive(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	s := newSender(t, "va")
	const count = 5000 // more than one block
	before := time.Now().UnixNano()
	for n := range uint32(count) {
		s.send(t, udpFrame(hostA, hostB, n))
	}
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
	want := LiveStats{Interface: "vb", Present: true, Seen: count, Delivered: count, Bytes: 60 * count}
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
	s := newSender(t, "va")
	plain := udpFrame(hostA, hostB, 1)
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
		s.send(t, tt.frame)
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
	s := newSender(t, "va")
	const flows, rounds = 64, 5
	sent := uint32(0)
	for range rounds {
		for f := range uint16(flows) {
			a := netip.AddrPortFrom(hostA.Addr(), 10_000+f)
			s.send(t, udpFrame(a, hostB, sent), udpFrame(hostB, a, sent+1))
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
	s := newSender(t, "va")
	const count = 100
	for n := range uint32(count) {
		s.send(t, udpFrame(netip.AddrPortFrom(hostA.Addr(), uint16(n)), hostB, n))
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
	newSender(t, "va").send(t, udpFrame(hostA, hostB, 1)) // leaves va, arrives at vb
	quietly := make(map[string]int)
	collect(t, l, 2, func(p *Packet) { quietly[l.Interfaces()[p.Iface].Name]++ })
	newSender(t, "lo").send(t, udpFrame(hostA, hostB, 2))
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
	newSender(t, "va").send(t, udpFrame(hostA, hostB, 0), udpFrame(other, hostB, 1))
	collect(t, first, 2, func(*Packet) {})
	collect(t, second, 1, func(p *Packet) {
		if number(p) != 0 {
			t.Errorf("got packet %d, want 0", number(p))
		}
	})
	quiet(t, first)
	quiet(t, second)
}

func mustParse(tb testing.TB, text string) Filter {
	tb.Helper()
	f, err := ParseFilter(text)
	if err != nil {
		tb.Fatal(err)
	}
	return f
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
	s := newSender(t, "va")
	long := append(udpFrame(hostA, hostB, 3), make([]byte, 100)...)
	frames := [][]byte{
		udpFrame(hostA, netip.AddrPortFrom(hostB.Addr(), 53), 0),
		udpFrame(hostA, sink, 1),
		udpFrame(sink, hostA, 2),
		long,
		tagged(udpFrame(hostA, hostB, 4), 0x8100, 9), // the tag is beside the frame
		tagged(udpFrame(hostA, hostB, 5), 0x8100, 8),
		filterFrames["arp"],
		filterFrames["options"],
	}
	expect := func(want ...uint32) {
		t.Helper()
		s.send(t, frames...)
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
// when it goes down and up, is deleted, and made again
// then what was captured before is delivered, the gap is accounted for, and
// capture goes on
func TestLiveInterfaceComesAndGoes(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			pair(t)
			l := openLive(t, func(c *LiveConfig) { c.Workers = workers })
			send := func(n uint32) { newSender(t, "va").send(t, udpFrame(hostA, hostB, n)) }
			expect := func(want uint32) {
				t.Helper()
				collect(t, l, 1, func(p *Packet) {
					if number(p) != want {
						t.Errorf("got packet %d, want %d", number(p), want)
					}
				})
			}
			send(1)
			expect(1)

			testkit.IP(t, "link set vb down")
			quiet(t, l)
			if got := l.Stats()[0]; got.Present || got.Outages != 1 || got.Outage <= 0 {
				t.Errorf("while down: %+v, want one outage", got)
			}
			testkit.IP(t, "link set vb up")
			quiet(t, l)
			send(2)
			expect(2)
			if got := l.Stats()[0]; !got.Present || got.Outages != 1 {
				t.Errorf("up again: %+v", got)
			}

			send(3)
			testkit.IP(t, "link del vb") // takes va with it
			expect(3)
			quiet(t, l)
			if got := l.Stats()[0]; got.Present || got.Outages != 2 || !errors.Is(got.Err, ErrNoInterface) {
				t.Errorf("while deleted: %+v", got)
			}
			addPair(t)
			quiet(t, l)
			send(4)
			expect(4)
			quiet(t, l)
			got := l.Stats()[0]
			if !got.Present || got.Outages != 2 || got.Err != nil || got.Seen != 4 || got.Delivered != 4 || got.Lost() != 0 {
				t.Errorf("made again: %+v, want 4 packets and 2 outages", got)
			}
			if n := len(l.Interfaces()); n != 1 {
				t.Errorf("%d interfaces listed, want 1", n)
			}
		})
	}
}

func TestLiveAwaitInterface(t *testing.T) {
	testkit.EnterNetns(t)
	l := openLive(t, func(c *LiveConfig) { c.AwaitInterfaces = true })
	quiet(t, l)
	addPair(t)
	quiet(t, l)
	newSender(t, "va").send(t, udpFrame(hostA, hostB, 1))
	collect(t, l, 1, func(*Packet) {})
}

// given a reader that does not come
// when more frames arrive than the ring holds
// then every frame is delivered, or counted as dropped, and capture recovers
func TestLiveRingFull(t *testing.T) {
	pair(t)
	l := openLive(t, func(c *LiveConfig) { c.RingBytes = minRing })
	s := newSender(t, "va")
	const count = 20_000
	batch := make([][]byte, 100)
	for n := 0; n < count; n += len(batch) {
		for i := range batch {
			batch[i] = udpFrame(hostA, hostB, uint32(n+i))
		}
		s.send(t, batch...)
	}
	full := l.Stats()[0]
	if full.Seen != count || full.RingFull == 0 || full.Freezes == 0 {
		t.Fatalf("stats %+v, want %d seen and some dropped", full, count)
	}
	kept := int(full.Seen - full.RingFull)
	next := uint32(0)
	collect(t, l, kept, func(p *Packet) {
		if number(p) != next { // the first that came are those that are kept
			t.Fatalf("packet %d came when %d was due", number(p), next)
		}
		next++
	})
	quiet(t, l)
	s.send(t, udpFrame(hostA, hostB, count))
	collect(t, l, 1, func(p *Packet) {
		if number(p) != count {
			t.Errorf("after the flood: packet %d", number(p))
		}
	})
	got := l.Stats()[0]
	if got.Seen != count+1 || got.Delivered+got.RingFull != count+1 || got.Freezes == 0 {
		t.Errorf("stats %+v do not add up", got)
	}
}

// given batches that are not given back
// when frames keep coming
// then the batches keep their packets, and the source closes without them
func TestLiveBatchKeepsPackets(t *testing.T) {
	pair(t)
	l := openLive(t, func(c *LiveConfig) { c.RingBytes = minRing })
	s := newSender(t, "va")
	const held = minRing/ringBlock - 1
	var batches [held]Batch
	for n := range uint32(held) {
		s.send(t, udpFrame(hostA, hostB, n))
		for len(batches[n].Packets) == 0 {
			if err := l.Read(&batches[n]); err != nil {
				t.Fatal(err)
			}
		}
	}
	flood := make([][]byte, 100)
	for i := range flood {
		flood[i] = udpFrame(hostA, hostB, 1000)
	}
	for range 100 {
		s.send(t, flood...)
	}
	check := func() {
		t.Helper()
		for n := range batches {
			if b := &batches[n]; len(b.Packets) != 1 || number(&b.Packets[0]) != uint32(n) {
				t.Errorf("batch %d holds %d packets, the first is %d", n, len(b.Packets), number(&b.Packets[0]))
			}
		}
	}
	check()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check()
	for n := range batches {
		if ring := batches[n].owner.(*ring); ring.mem == nil {
			t.Fatal("the ring is gone while a batch points into it")
		} else if batches[n].Release(); (ring.mem == nil) != (n == held-1) {
			t.Errorf("after batch %d of %d was released: ring is gone: %t", n+1, held, ring.mem == nil)
		}
	}
	got := l.Stats()[0]
	if want := uint64(held + 100*len(flood)); got.Seen != want || got.Delivered+got.RingFull+got.Unread != want || got.Unread == 0 {
		t.Errorf("stats %+v, want %d seen, all accounted for, some unread", got, want)
	}
}

// given a Read that waits
// when the source is closed
// then Read ends at once, and nothing is left of the source
func TestLiveClose(t *testing.T) {
	pair(t)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	l := openLive(t, func(c *LiveConfig) { c.Workers = 3 })
	results := make(chan error)
	for _, src := range l.Members() {
		go func() {
			var b Batch
			for {
				if err := src.Read(&b); err != nil {
					results <- err
					return
				}
			}
		}()
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-results; !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read: %v, want fs.ErrClosed", err)
		}
	}
	var b Batch
	if err := l.Read(&b); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if n := openFiles(t); n != files {
		t.Errorf("%d files open, %d before", n, files)
	}
	if n := runtime.NumGoroutine(); n > goroutines+3 { // the readers may be on their last instruction
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if err := l.Exclude(nil); err != nil {
		t.Errorf("exclude after close: %v", err)
	}
	if got := l.Stats()[0]; got.Seen != 0 {
		t.Errorf("stats after close: %+v", got)
	}
}

func openFiles(tb testing.TB) int {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	return len(entries)
}

// given no traffic
// when the source is read
// then it returns now and then, with a time that goes on and was not yet
// overtaken by any packet
func TestLiveIdle(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	var b Batch
	last := int64(0)
	for range 3 {
		begin := time.Now()
		if err := l.Read(&b); err != nil {
			t.Fatal(err)
		}
		if len(b.Packets) != 0 {
			t.Fatalf("got a packet: %+v", b.Packets[0])
		}
		behind := time.Now().UnixNano() - b.Now
		if b.Now <= last || behind < int64(ringLag) || time.Since(begin) > time.Second {
			t.Errorf("after %v: time %d behind now, %d after the last", time.Since(begin), behind, b.Now-last)
		}
		last = b.Now
	}
	newSender(t, "va").send(t, udpFrame(hostA, hostB, 1))
	collect(t, l, 1, func(p *Packet) {
		if p.Time < last {
			t.Errorf("a packet of %d came after all before %d were delivered", p.Time, last)
		}
	})
}

// given a batch that holds the last block the kernel has filled
// when the source is read with another
// then Read waits: it does not take that block for a new one, nor spin
func TestLiveIdleWithBatchHeld(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	newSender(t, "va").send(t, udpFrame(hostA, hostB, 1))
	var held, b Batch
	for len(held.Packets) == 0 {
		if err := l.Read(&held); err != nil {
			t.Fatal(err)
		}
	}
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &before); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Read(&b); err != nil || len(b.Packets) > 0 {
			t.Fatalf("read: %d packets, %v", len(b.Packets), err)
		}
	}
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &after); err != nil {
		t.Fatal(err)
	}
	used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	if used > maxIdle/5 {
		t.Errorf("waited for %v with %v of processor time", 2*maxIdle, used)
	}
	held.Release()
}

func TestLiveErrors(t *testing.T) {
	pair(t)
	cfg := DefaultLiveConfig("vb", "none")
	if _, err := OpenLive(cfg); !errors.Is(err, ErrNoInterface) || !strings.Contains(err.Error(), "none") {
		t.Errorf("unknown interface: %v", err)
	}
	cfg = DefaultLiveConfig("vb")
	cfg.Filter = Filter{root: anyNode{}}
	for range 2000 {
		cfg.Filter.root = anyNode{append(cfg.Filter.root.(anyNode).of, portNode{1})}
	}
	if _, err := OpenLive(cfg); !errors.Is(err, ErrFilter) {
		t.Errorf("filter that is too long: %v", err)
	}
	for _, refused := range []error{unix.EPERM, unix.EACCES} {
		if err := socketError("open packet socket", refused); !errors.Is(err, ErrPermission) {
			t.Errorf("%v becomes %v", refused, err)
		}
	}
	l := openLive(t, func(c *LiveConfig) { c.HardwareTime = true })
	newSender(t, "va").send(t, udpFrame(hostA, hostB, 1))
	collect(t, l, 1, func(p *Packet) {
		if d := time.Since(time.Unix(0, p.Time)); d < 0 || d > 10*time.Second {
			t.Errorf("without hardware stamps a packet is %v old", d)
		}
	})
	if l.Stats()[0].HardwareTime {
		t.Error("a virtual interface claims to have stamps of hardware")
	}
}

// given a ring with frames
// when it is read with a warm batch
// then nothing is allocated
func TestLiveAllocates(t *testing.T) {
	pair(t)
	l := openLive(t, nil)
	s := newSender(t, "va")
	frames := [][]byte{udpFrame(hostA, hostB, 1), udpFrame(hostA, hostB, 2)}
	var b Batch
	read := func() {
		for {
			if err := l.Read(&b); err != nil {
				t.Fatal(err)
			}
			if len(b.Packets) > 0 {
				return
			}
		}
	}
	s.send(t, frames...)
	read()
	allocs := testing.AllocsPerRun(5, func() {
		if _, err := unix.Write(s.fd, frames[0]); err != nil {
			t.Fatal(err)
		}
		read()
	})
	if allocs != 0 {
		t.Errorf("%v allocations a batch", allocs)
	}
}

// given fan-out groups that other programs made
// when a group is joined by its number
// then 0, the first number that a kernel gives away, is one like the others
func TestJoinFanoutZero(t *testing.T) {
	pair(t)
	cfg := DefaultLiveConfig("vb")
	cfg.RingBytes = minRing
	var rings []*ring
	for range 2 {
		fd, err := watchLinks()
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		l, err := lookUp(fd, "vb")
		if err != nil {
			t.Fatal(err)
		}
		r, err := openRing(l, &cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		rings = append(rings, r)
	}
	for _, r := range rings {
		if id, err := joinFanout(r.fd, 0); err != nil || id != 0 {
			t.Fatalf("join group 0: %d, %v", id, err)
		}
	}
	id, err := joinFanout(rings[0].fd, newFanout)
	if !errors.Is(err, unix.EALREADY) {
		t.Errorf("a second group for one socket: %d, %v, want EALREADY", id, err)
	}
}
