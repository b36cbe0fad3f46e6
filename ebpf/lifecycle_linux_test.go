//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"gatehouse/internal/testkit"
)

// veths makes a pair of interfaces in a namespace of the test.
func veths(tb testing.TB) {
	tb.Helper()
	testkit.EnterNetns(tb)
	testkit.IP(tb, "link add va type veth peer name vb")
	testkit.IP(tb, "link set va up mtu 9000")
	testkit.IP(tb, "link set vb up mtu 9000")
}

// given an interface that is watched
// when a second instance comes
// then it is told so, and may watch once the first has stopped
func TestBusy(t *testing.T) {
	veths(t)
	first, second := open(t, DefaultConfig()), open(t, DefaultConfig())
	a := attach(t, first, "vb", TCX)
	for _, via := range []Via{TCX, Clsact} {
		_, err := second.Attach(a.Ifindex(), via)
		if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "vb") {
			t.Errorf("by %s: %v", via, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	attach(t, second, "vb", TCX)
}

func TestAttachErrors(t *testing.T) {
	veths(t)
	c := open(t, DefaultConfig())
	if _, err := c.Attach(12345, TCX); !errors.Is(err, ErrNoInterface) {
		t.Errorf("no interface: %v", err)
	}
	for _, via := range []Via{TCX, Clsact} {
		testkit.IP(t, "link add vc type veth peer name vd")
		a := attach(t, c, "vc", via)
		testkit.IP(t, "link del vc")
		if err := a.Close(); err != nil {
			t.Errorf("close after the interface has gone: %v", err)
		}
	}
}

// given an interface that comes and goes more often than there are counters
// when all of them are in use by interfaces of before
// then the error says so
func TestTooMany(t *testing.T) {
	veths(t)
	c := open(t, DefaultConfig())
	for i := range c.slots {
		c.slots[i].ifindex = uint32(1000 + i)
	}
	i := ifindexOf(t, "vb")
	if _, err := c.Attach(i, TCX); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
	c.slots[7].ifindex = uint32(i)
	attach(t, c, "vb", TCX)
}

// given another program's filter on the interface
// when ours comes, is left by a killed process, is cleaned up, and goes
// then the other is still there, and so is the queueing discipline
func TestKilled(t *testing.T) {
	for _, via := range []Via{TCX, Clsact} {
		t.Run(via.String(), func(t *testing.T) {
			testkit.NeedTool(t, "tc")
			veths(t)
			tc(t, "qdisc add dev vb clsact")
			addOther(t, "vb")
			victim(t, via)

			filters := tc(t, "filter show dev vb ingress") + tc(t, "filter show dev vb egress")
			if got, want := strings.Contains(filters, filterName), via == Clsact; got != want {
				t.Errorf("filters of the killed process there: %v, want %v:\n%s", got, want, filters)
			}
			c := open(t, DefaultConfig())
			a := attach(t, c, "vb", TCX) // whatever the way, it cleans
			filters = tc(t, "filter show dev vb ingress") + tc(t, "filter show dev vb egress")
			if strings.Contains(filters, filterName) {
				t.Errorf("filters left:\n%s", filters)
			}
			testkit.NewSender(t, "va").Send(t, udpFrame())
			sweep(t, c, func(d *Delta) {
				if d.Packets[0] != 1 {
					t.Errorf("delta %+v", d)
				}
			})
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			attach(t, c, "vb", Clsact)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			filters = tc(t, "filter show dev vb ingress")
			if !strings.Contains(filters, "somebody-else") || strings.Contains(filters, filterName) {
				t.Errorf("filters in the end, want the other's alone:\n%s", filters)
			}
			if !strings.Contains(tc(t, "qdisc show dev vb"), "clsact") {
				t.Error("the queueing discipline has gone")
			}
		})
	}
}

// addOther adds a filter that is none of ours.
func addOther(t *testing.T, name string) {
	t.Helper()
	f := ourFilter(ifindexOf(t, name), false)
	f.Priority, f.Name, f.Fd, f.DirectAction = 7, "somebody-else", spreader(t, nil, 0, 0).FD(), true
	if err := netlink.FilterAdd(f); err != nil {
		t.Fatal(err)
	}
}

// victim attaches to vb in a process of its own and kills that.
func victim(t *testing.T, via Via) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), "GATEHOUSE_VICTIM="+via.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "attached\n" {
		rest, _ := io.ReadAll(out)
		t.Fatalf("victim says %q %s: %v", line, rest, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
}

// TestVictim is not a test but the process that TestKilled kills. It is in the
// namespace of its parent's thread.
func TestVictim(t *testing.T) {
	via := map[string]Via{TCX.String(): TCX, Clsact.String(): Clsact}[os.Getenv("GATEHOUSE_VICTIM")]
	if via == 0 {
		t.Skip("for TestKilled")
	}
	c, err := Open(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Attach(ifindexOf(t, "vb"), via); err != nil {
		t.Fatal(err)
	}
	fmt.Println("attached")
	<-t.Context().Done() // never: it is killed
}

// given a process without one of the capabilities
// when it opens or attaches
// then the error names what is missing and the command that grants it
func TestPermission(t *testing.T) {
	veths(t)
	// The library remembers for the whole process what it finds the kernel able
	// to do, and takes a refusal for inability: it must find out while it may.
	// Else programs are verified later without their constants, in seconds.
	attach(t, open(t, DefaultConfig()), "vb", TCX)
	i := ifindexOf(t, "vb")
	for _, c := range Capabilities() {
		t.Run(c.Name, func(t *testing.T) {
			err := without(t, c, func() error {
				c, err := Open(DefaultConfig())
				if err != nil {
					return err
				}
				defer c.Close()
				_, err = c.Attach(i, TCX)
				return err
			})
			if !errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "missing "+c.Name) || !strings.Contains(err.Error(), "setcap cap_bpf,cap_perfmon,cap_net_admin") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// without runs f on a thread that lacks a capability, and CAP_SYS_ADMIN, which
// would stand in for it. The thread ends with f.
func without(t *testing.T, c Capability, f func() error) error {
	t.Helper()
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		result <- func() error {
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			if err := unix.Capget(&hdr, &data[0]); err != nil {
				return err
			}
			for _, bit := range []int{c.bit, unix.CAP_SYS_ADMIN} {
				data[bit/32].Effective &^= 1 << (bit % 32)
			}
			if err := unix.Capset(&hdr, &data[0]); err != nil {
				return err
			}
			return f()
		}()
	}()
	return <-result
}

// given tagged, double-tagged and large frames on a real interface, where the
// kernel takes the outer tag off
// when they are counted by each way
// then they have both tags, and their lengths
func TestLiveFrames(t *testing.T) {
	for _, via := range []Via{TCX, Clsact} {
		t.Run(via.String(), func(t *testing.T) {
			veths(t)
			c := open(t, DefaultConfig())
			attach(t, c, "vb", via)
			s := testkit.NewSender(t, "va")
			plain := testkit.UDPFrame(netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2"), 0)
			tagged := append(append(append([]byte(nil), plain[:12]...), 0x81, 0, 0, 5), plain[12:]...)
			double := append(append(append([]byte(nil), plain[:12]...), 0x88, 0xa8, 0, 5, 0x81, 0, 0, 7), plain[12:]...)
			jumbo := tcpFrame(3, 4, 0x18, 8000)
			s.Send(t, plain, tagged, double, jumbo)

			got := map[FlowKey]Delta{}
			sweep(t, c, func(d *Delta) {
				d.Key.Ifindex, d.Key.Addr = 0, [2][16]byte{}
				got[d.Key] = *d
			})
			udp := FlowKey{Proto: 17, Port: [2]uint16{1, 2}}
			udp5 := udp
			udp5.VLAN = 5
			if len(got) != 3 || got[udp].Packets[0] != 1 || got[udp5].Packets[0] != 2 || got[udp5].Bytes[0] != 92 {
				t.Errorf("deltas %+v", got)
			}
			if d := got[FlowKey{Proto: 6, Port: [2]uint16{3, 4}}]; d.Bytes[0] != 8040 || d.Payload[0] != 8000 {
				t.Errorf("jumbo frame %+v", d)
			}
			h := heads(t, c)
			if len(h) != 4 {
				t.Fatalf("%d heads", len(h))
			}
			if h[1].TPID != 0x8100 || h[1].VLAN != 5 || h[1].Length != 60 || h[2].TPID != 0x88a8 || h[2].Length != 64 {
				t.Errorf("tagged heads %+v", h[1:3])
			}
			if h[3].Length != 8054 || len(h[3].Data) != 8054 {
				t.Errorf("jumbo head of %d, %d bytes there", h[3].Length, len(h[3].Data))
			}
		})
	}
}

// given an interface without a link header
// when packets leave it
// then they are counted
func TestLayer3(t *testing.T) {
	testkit.EnterNetns(t)
	testkit.IP(t, "tuntap add dev tun0 mode tun")
	testkit.IP(t, "link set tun0 up")
	testkit.IP(t, "addr add 192.0.2.1/24 dev tun0")
	c := open(t, DefaultConfig())
	attach(t, c, "tun0", TCX)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Sendto(fd, []byte("hello"), 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{192, 0, 2, 2}}); err != nil {
		t.Fatal(err)
	}
	var got []Delta
	sweep(t, c, func(d *Delta) { got = append(got, *d) })
	if len(got) != 1 || got[0].Key.Proto != 17 || got[0].Bytes[0]+got[0].Bytes[1] != 33 || got[0].MAC != [2][6]byte{} {
		t.Fatalf("deltas %+v", got)
	}
	if h := heads(t, c); len(h) != 1 || !h[0].Layer3 || !h[0].Egress || len(h[0].Data) != 33 || h[0].Data[0] != 0x45 {
		t.Errorf("heads %+v", h)
	}
}

func ifindexOf(tb testing.TB, name string) int {
	tb.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		tb.Fatal(err)
	}
	return i.Index
}

// tc runs the tc command.
func tc(tb testing.TB, args string) string {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), "tc", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		tb.Fatalf("tc %s: %v: %s", args, err, out)
	}
	return string(out)
}
