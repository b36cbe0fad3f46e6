package capture

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"gatehouse/internal/testkit"
)

// listenBehind moves va into a network namespace of its own and listens there.
func listenBehind(tb testing.TB, addr netip.AddrPort) *net.TCPListener {
	tb.Helper()
	name := fmt.Sprintf("gatehouse-peer-%d", os.Getpid())
	testkit.IP(tb, "netns add "+name)
	tb.Cleanup(func() {
		if out, err := exec.CommandContext(context.Background(), "ip", "netns", "del", name).CombinedOutput(); err != nil {
			tb.Errorf("ip netns del %s: %v: %s", name, err, out)
		}
	})
	for _, args := range []string{
		"link set va netns " + name, "-n " + name + " link set va up",
		fmt.Sprintf("-n %s addr add %s/24 dev va", name, addr.Addr()),
	} {
		testkit.IP(tb, args)
	}
	var l *net.TCPListener
	opened := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := os.Open("/run/netns/" + name)
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
		}
		opened <- err
	}()
	if err := <-opened; err != nil {
		tb.Fatalf("listen behind the interface: %v", err)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

// given a bulk transfer in segments that the kernel leaves in one piece
// when its flow is counted
// then every byte of it is, and as many packets as the hardware would have cut
// it into
func TestKernelBulk(t *testing.T) {
	pair(t)
	server := netip.MustParseAddrPort("192.0.2.2:9999")
	testkit.IP(t, "addr add 192.0.2.1/24 dev vb")
	l := listenBehind(t, server)
	k := openCounting(t, nil)
	const size = 20 << 20
	got := make(chan int64)
	go func() {
		n := int64(0)
		if c, err := l.Accept(); err == nil {
			n, _ = io.Copy(io.Discard, c)
			c.Close()
		}
		got <- n
	}()
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != size {
		t.Fatalf("%d bytes arrived, want %d", n, size)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read the end: %v", err)
	}
	c.Close()
	told := untilEnd(t, k)
	var d *Delta
	for name := range told.sum {
		if sum := told.sum[name]; sum.Proto == 6 && sum.Port[1] == server.Port() {
			d = sum
		}
	}
	if d == nil {
		t.Fatalf("no such flow: %+v", told.sum)
	}
	// 20 bytes of IP, 32 of TCP with time stamps, 8 more of options with the SYN.
	const headers, largest = 52, 1448
	if d.Payload[0] < size || d.Payload[0] > size+size/10 { // more: sent again
		t.Errorf("%d bytes of payload, want %d", d.Payload[0], size)
	}
	if d.Bytes[0] != d.Payload[0]+headers*d.Packets[0]+8 {
		t.Errorf("%d bytes in %d packets of %d bytes of payload", d.Bytes[0], d.Packets[0], d.Payload[0])
	}
	if least := uint64(size / largest); d.Packets[0] < least {
		t.Errorf("%d packets, want %d at least", d.Packets[0], least)
	}
	if d.Flags != [2]uint8{0x1b, 0x1b} && d.Flags != [2]uint8{0x1b, 0x13} { // SYN, ACK, FIN, and PSH of the sender
		t.Errorf("flags %x", d.Flags)
	}
	if !d.HeadsDone[0] && !told.deltas[len(told.deltas)-1].HeadsDone[0] {
		t.Error("heads of a bulk transfer never end")
	}
	if st := k.Stats()[0]; st.Delivered != st.Seen || st.Lost() != 0 {
		t.Errorf("stats %+v", st)
	}
}
