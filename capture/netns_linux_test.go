package capture

import (
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
	tb.Cleanup(func() { _ = unix.Close(fd) })
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

func mustParse(tb testing.TB, text string) Filter {
	tb.Helper()
	f, err := ParseFilter(text)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
