package capture

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
	"unsafe"

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
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
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
