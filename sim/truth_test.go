package sim

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/net/dns/dnsmessage"
)

// seen is what one device did during a run, as far as labels speak of it.
type seen struct {
	peers    map[netip.Addr][]time.Time // TCP SYNs by destination
	ports    map[uint16][]time.Time     // TCP SYNs by destination port
	asked    map[string][]time.Time     // DNS questions
	nx       map[string]time.Time       // names answered NXDOMAIN
	servfail []time.Time
	out      int // bytes
}

// observe watches one device.
func observe(t *testing.T, h *Home, ip string) *seen {
	t.Helper()
	return observeAll(t, h, ip)[netip.MustParseAddr(ip)]
}

// observeAll watches some devices at once.
func observeAll(t *testing.T, h *Home, ips ...string) map[netip.Addr]*seen {
	t.Helper()
	all := make(map[netip.Addr]*seen)
	for _, ip := range ips {
		all[netip.MustParseAddr(ip)] = &seen{
			peers: make(map[netip.Addr][]time.Time), ports: make(map[uint16][]time.Time),
			asked: make(map[string][]time.Time), nx: make(map[string]time.Time),
		}
	}
	err := h.Frames(func(f Frame) error {
		if f.Data[12] != 8 || f.Data[13] != 0 {
			return nil
		}
		// Ethernet is 14 bytes; IPv4 has its addresses at 12 and 16.
		src, dst := netip.AddrFrom4([4]byte(f.Data[26:30])), netip.AddrFrom4([4]byte(f.Data[30:34]))
		if s := all[src]; s != nil {
			s.out += f.Length
			return s.frame(f, true)
		}
		if s := all[dst]; s != nil {
			return s.frame(f, false)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// frame notes what is of interest in a frame from or to the device.
func (s *seen) frame(f Frame, from bool) error {
	p := gopacket.NewPacket(f.Data, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	if tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP); ok && from && tcp.SYN && !tcp.ACK {
		dst := netip.AddrFrom4([4]byte(f.Data[30:34]))
		s.peers[dst] = append(s.peers[dst], f.Time)
		s.ports[uint16(tcp.DstPort)] = append(s.ports[uint16(tcp.DstPort)], f.Time)
	}
	udp, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
	if !ok || udp.DstPort != 53 && udp.SrcPort != 53 {
		return nil
	}
	var m dnsmessage.Message
	if err := m.Unpack(udp.Payload); err != nil {
		return err
	}
	name := strings.TrimSuffix(m.Questions[0].Name.String(), ".")
	switch {
	case from:
		s.asked[name] = append(s.asked[name], f.Time)
	case m.RCode == dnsmessage.RCodeNameError:
		s.nx[name] = f.Time
	case m.RCode == dnsmessage.RCodeServerFailure:
		s.servfail = append(s.servfail, f.Time)
	}
	return nil
}

// only plays one scenario after two days.
func only(t *testing.T, name string) (*Home, Label) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Days = 2
	h, err := Scenario(name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h, h.Labels()[0]
}

// inside fails unless there are enough times and all are within the label.
func inside(t *testing.T, what string, l Label, times []time.Time, atLeast int) {
	t.Helper()
	if len(times) < atLeast {
		t.Errorf("%s: %s %d times, want at least %d", l.Scenario, what, len(times), atLeast)
	}
	for _, at := range times {
		if at.Before(l.Start) || at.After(l.End) {
			t.Errorf("%s: %s at %s, outside %s to %s", l.Scenario, what, at, l.Start, l.End)
		}
	}
}

func TestAttackPeersAreNewAndLabelled(t *testing.T) {
	for _, name := range []string{"c2-literal", "service-wan"} {
		h, l := only(t, name)
		s := observe(t, h, l.IP)
		inside(t, "called "+l.Peer, l, s.peers[netip.MustParseAddr(l.Peer)], 2)
	}
	h, l := only(t, "c2-name")
	s := observe(t, h, l.IP)
	inside(t, "asked for "+l.Peer, l, s.asked[l.Peer], 20)
}

func TestLateralMovement(t *testing.T) {
	h, l := only(t, "service-lan")
	s := observe(t, h, l.IP)
	inside(t, "called "+l.Peer, l, s.peers[netip.MustParseAddr(l.Peer)], 3)
}

func TestDGABurst(t *testing.T) {
	h, l := only(t, "dga-burst")
	s := observe(t, h, l.IP)
	var times []time.Time
	for _, at := range s.nx {
		times = append(times, at)
	}
	inside(t, "got NXDOMAIN for a new name", l, times, 200)
}

func TestTunnels(t *testing.T) {
	for _, name := range []string{"tunnel-iot", "tunnel-laptop"} {
		h, l := only(t, name)
		s := observe(t, h, l.IP)
		var times []time.Time
		for asked, at := range s.asked {
			if strings.HasSuffix(asked, "."+l.Peer) {
				times = append(times, at...)
				if len(at) != 1 {
					t.Errorf("%s: %s asked %d times, want unique names", name, asked, len(at))
				}
			}
		}
		inside(t, "asked below "+l.Peer, l, times, 60)
	}
}

func TestCleartextDowngrade(t *testing.T) {
	h, l := only(t, "http-downgrade")
	s := observe(t, h, l.IP)
	inside(t, "spoke HTTP", l, s.ports[80], 5)
	host := []byte("Host: " + l.Peer + "\r\n")
	found := 0
	if err := h.Frames(func(f Frame) error {
		if bytes.Contains(f.Data, host) {
			found++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if found != len(s.ports[80]) {
		t.Errorf("%d requests name %s in %d connections", found, l.Peer, len(s.ports[80]))
	}
}

func TestOutageHitsEverybody(t *testing.T) {
	h, l := only(t, outageName)
	w := newWorldOf(t, h)
	var ips []string
	for _, d := range w.devices {
		ips = append(ips, d.ip.String())
	}
	all := observeAll(t, h, ips...)
	suffered := 0
	for name, d := range w.devices {
		s := all[d.ip]
		for asked := range s.nx {
			t.Errorf("%s: NXDOMAIN for %s during an outage", name, asked)
		}
		if len(s.servfail) > 0 {
			suffered++
			inside(t, name+" got SERVFAIL", Label{Scenario: l.Scenario, Start: l.Start, End: l.End.Add(10 * time.Second)}, s.servfail, 1)
		}
	}
	if suffered < 6 {
		t.Errorf("%d devices suffered, want most of 9", suffered)
	}
	// Nothing from the internet crosses the gateway while the line is dead.
	gate := w.gate.mac
	until := l.End.Add(-6 * time.Minute)
	if err := h.Frames(func(f Frame) error {
		if f.Time.Before(l.Start.Add(time.Second)) || f.Time.After(until) || !bytes.Equal(f.Data[6:12], gate) || f.Data[12] != 8 || f.Data[13] != 0 {
			return nil
		}
		if src := netip.AddrFrom4([4]byte(f.Data[26:30])); src != gatewayAddr {
			t.Errorf("frame from %s at %s", src, f.Time)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestLookAlikesAreWhatTheySay(t *testing.T) {
	t.Run("busy-browsing", func(t *testing.T) {
		h, l := only(t, "busy-browsing")
		fresh := 0
		for _, at := range observe(t, h, l.IP).asked {
			if !at[0].Before(l.Start) && at[0].Before(l.End) {
				fresh++
			}
		}
		if fresh < 150 {
			t.Errorf("%d new names, want hundreds", fresh)
		}
	})
	t.Run("photo-backup", func(t *testing.T) {
		h, l := only(t, "photo-backup")
		if out := observe(t, h, l.IP).out; out < 40_000_000 {
			t.Errorf("%d bytes out, want 40 MB", out)
		}
	})
	t.Run("firmware-update", func(t *testing.T) {
		h, l := only(t, "firmware-update")
		inside(t, "asked for "+l.Peer, l, observe(t, h, l.IP).asked[l.Peer], 1)
	})
	t.Run("tv-new-cdn", func(t *testing.T) {
		h, l := only(t, "tv-new-cdn")
		var times []time.Time
		for asked, at := range observe(t, h, l.IP).asked {
			if strings.Contains(asked, "-fra.nimbusvideo.net") {
				times = append(times, at...)
			}
		}
		inside(t, "asked for the other farm", l, times, 2)
	})
	t.Run("driver-site", func(t *testing.T) {
		h, l := only(t, "driver-site")
		inside(t, "asked for "+l.Peer, l, observe(t, h, l.IP).asked[l.Peer], 1)
	})
	t.Run("visitor-laptop", func(t *testing.T) {
		h, l := only(t, "visitor-laptop")
		s := observe(t, h, l.IP)
		var times []time.Time
		for _, at := range s.asked {
			times = append(times, at...)
		}
		inside(t, "asked anything", l, times, 30)
	})
	t.Run("new-phone", func(t *testing.T) {
		h, l := only(t, "new-phone")
		s := observe(t, h, l.IP)
		for asked, at := range s.asked {
			if at[0].Before(l.Start) {
				t.Errorf("asked for %s at %s, before it came", asked, at[0])
			}
		}
		if len(s.asked) < 20 {
			t.Errorf("%d names, want dozens", len(s.asked))
		}
	})
}
