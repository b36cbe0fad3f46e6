package testkit

import (
	"net"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sender sends frames out of an interface.
type Sender struct {
	fd   int
	msgs []mmsghdr
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// NewSender returns a sender on an interface of the namespace of the calling
// goroutine, see EnterNetns.
func NewSender(tb testing.TB, name string) *Sender {
	tb.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		tb.Fatalf("find interface %s: %v", name, err)
	}
	awaitUp(tb, name)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatalf("open packet socket: %v", err)
	}
	tb.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index}); err != nil {
		tb.Fatalf("bind to %s: %v", name, err)
	}
	return &Sender{fd: fd}
}

// awaitUp waits for an interface that was set up to be able to send. The kernel
// gives it its queue somewhat later, up to a second where many interfaces come
// and go, and drops without a word what is sent before. One that stays down is
// the business of the test.
func awaitUp(tb testing.TB, name string) {
	tb.Helper()
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		state := IP(tb, "-o link show dev "+name)
		if strings.Contains(state, "state UP") || strings.Contains(state, "state UNKNOWN") {
			return
		}
	}
}

// Bypass makes s hand frames to the driver directly, which is faster; captures
// on the sending interface do not see them then.
func (s *Sender) Bypass(tb testing.TB) {
	tb.Helper()
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		tb.Fatalf("bypass queueing: %v", err)
	}
}

// Send sends frames, none of them empty, and fails the test if one is refused.
func (s *Sender) Send(tb testing.TB, frames ...[]byte) {
	tb.Helper()
	if len(frames) == 1 {
		if _, err := unix.Write(s.fd, frames[0]); err != nil {
			tb.Fatalf("send: %v", err)
		}
		return
	}
	s.msgs = s.msgs[:0]
	vectors := make([]unix.Iovec, len(frames))
	for i, f := range frames {
		vectors[i].Base = &f[0]
		vectors[i].SetLen(len(f))
		m := mmsghdr{hdr: unix.Msghdr{Iov: &vectors[i]}}
		m.hdr.SetIovlen(1)
		s.msgs = append(s.msgs, m)
	}
	for sent := 0; sent < len(frames); {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd),
			uintptr(unsafe.Pointer(&s.msgs[sent])), uintptr(len(frames)-sent), 0, 0, 0)
		if errno != 0 {
			tb.Fatalf("send %d of %d frames: %v", sent+1, len(frames), errno)
		}
		sent += int(n)
	}
}
