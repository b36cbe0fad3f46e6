package testkit

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/sys/unix"
)

// interfaceNames lists the interfaces that the calling goroutine sees.
func interfaceNames(tb testing.TB) []string {
	tb.Helper()
	list, err := net.Interfaces()
	if err != nil {
		tb.Fatal(err)
	}
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names
}

// namespaces lists the named namespaces that this process made.
func namespaces(tb testing.TB) []string {
	tb.Helper()
	var own []string
	for line := range strings.Lines(IP(tb, "netns list")) {
		if strings.HasPrefix(line, fmt.Sprintf("gatehouse-%d-", os.Getpid())) {
			own = append(own, strings.TrimSpace(line))
		}
	}
	return own
}

// given a test that enters a namespace
// when it makes interfaces, sends through them and ends
// then what it did stays inside, and the namespace is gone
func TestEnterNetns(t *testing.T) {
	NeedTool(t, "ip")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := interfaceNames(t)
	t.Run("inside", func(t *testing.T) {
		EnterNetns(t)
		if got := interfaceNames(t); !slices.Equal(got, []string{"lo"}) {
			t.Errorf("interfaces %v, want lo alone", got)
		}
		if len(namespaces(t)) == 0 {
			t.Error("the namespace is not listed by ip")
		}
		IP(t, "link add va type veth peer name vb")
		IP(t, "link set va up")
		IP(t, "link set vb up")
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.ETH_P_ALL<<8|unix.ETH_P_ALL>>8)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(fd) }()
		peer, err := net.InterfaceByName("vb")
		if err != nil {
			t.Fatal(err)
		}
		want := UDPFrame(netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2"), 3)
		NewSender(t, "va").Send(t, want, want)
		for got := 0; got < 2; {
			var buf [100]byte
			n, from, err := unix.Recvfrom(fd, buf[:], 0)
			if err != nil {
				t.Fatal(err)
			}
			if from.(*unix.SockaddrLinklayer).Ifindex != peer.Index {
				continue // as it leaves va
			}
			if !slices.Equal(buf[:n], want) {
				t.Errorf("%x came, want %x", buf[:n], want)
			}
			got++
		}
	})
	if got := interfaceNames(t); !slices.Equal(got, before) {
		t.Errorf("interfaces %v outside, %v before", got, before)
	}
	if left := namespaces(t); len(left) > 0 {
		t.Errorf("namespaces left: %v", left)
	}
}

func TestUDPFrame(t *testing.T) {
	src, dst := netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:2000")
	p := gopacket.NewPacket(UDPFrame(src, dst, 0x01020304), layers.LayerTypeEthernet, gopacket.Default)
	if e := p.ErrorLayer(); e != nil || p.Metadata().Truncated {
		t.Fatalf("not a whole packet: %v", e)
	}
	udp, ok := p.TransportLayer().(*layers.UDP)
	if !ok || udp.SrcPort != 1000 || udp.DstPort != 2000 {
		t.Errorf("transport layer %+v", p.TransportLayer())
	}
	if got := p.NetworkLayer().NetworkFlow().String(); got != "192.0.2.1->192.0.2.2" {
		t.Errorf("addresses %s", got)
	}
	if got := udp.Payload; len(got) != 18 || string(got[:4]) != "\x01\x02\x03\x04" {
		t.Errorf("payload %x", got)
	}
}
