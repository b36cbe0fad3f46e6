package device

import (
	"net/netip"
	"testing"
	"time"

	"gatehouse/flow"
	"gatehouse/wire"
)

// epoch is when every scenario starts; a second lies between its steps.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Stations of the scenarios. The prefixes are registered to real vendors.
var (
	gwMAC     = mustMAC("00:1c:7f:53:d0:28") // Check Point
	camMAC    = mustMAC("f4:b8:5e:ff:2b:1b") // Texas Instruments
	cam2MAC   = mustMAC("f4:b8:5e:35:67:b0")
	plugMAC   = mustMAC("50:c7:bf:00:fc:a3") // TP-Link
	phoneMAC  = mustMAC("a6:d1:8c:1f:ce:64") // locally administered
	routerMAC = mustMAC("00:0c:42:01:02:03") // MikroTik
)

func mustMAC(s string) MAC {
	var m MAC
	if err := m.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return m
}

func ip(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

const (
	camID   = "mac:f4b85eff2b1b"
	cam2ID  = "mac:f4b85e3567b0"
	plugID  = "mac:50c7bf00fca3"
	phoneID = "mac:a6d18c1fce64"
	gwID    = "mac:001c7f53d028"
)

var (
	cam  = end{"192.168.1.129", camMAC}
	plug = end{"192.168.1.30", plugMAC}
	dns  = end{"192.168.1.1", gwMAC}
)

// wan is a server on the WAN as seen through a station.
func wan(addr string, via MAC) end { return end{addr, via} }

// home is an inventory with a clock.
type home struct {
	*Inventory
	t   *testing.T
	now time.Time
}

func newHome(t *testing.T, cfg Config) *home {
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return &home{New(cfg), t, epoch}
}

func (h *home) wait(d time.Duration) { h.now = h.now.Add(d) }

func (h *home) observe(ev flow.Event) Ends {
	h.now = h.now.Add(time.Second)
	ev.Time = h.now.UnixNano()
	ev.Record.First, ev.Record.Last = ev.Time, ev.Time
	return h.Observe(&ev)
}

// end is one end of a flow: address and, if it has spoken, MAC.
type end struct {
	ip  string
	mac MAC
}

// flow observes a TCP flow with packets from the ends that have a MAC.
func (h *home) flow(c, s end, opts ...func(*flow.Event)) Ends {
	ev := flow.Event{Kind: flow.Update, Record: flow.Record{
		Client: flow.Endpoint{Addr: ip(c.ip), Port: 40000, MAC: c.mac},
		Server: flow.Endpoint{Addr: ip(s.ip), Port: 443, MAC: s.mac},
		Proto:  6,
	}}
	for i, e := range []end{c, s} {
		if e.mac != (MAC{}) {
			ev.Record.Packets[i], ev.Record.Bytes[i] = 2, 200
		}
	}
	for _, o := range opts {
		o(&ev)
	}
	return h.observe(ev)
}

func vlan(id uint16) func(*flow.Event) { return func(ev *flow.Event) { ev.Record.VLAN = id } }

func tunnel(ev *flow.Event) { ev.Record.Tunnel = true }

// both makes both ends speak, with a MAC or without.
func both(ev *flow.Event) { ev.Record.Packets, ev.Record.Bytes = [2]uint64{2, 2}, [2]uint64{200, 200} }

// said puts messages into the event.
func said(m ...wire.Message) func(*flow.Event) {
	return func(ev *flow.Event) { ev.Messages = append(ev.Messages, m...) }
}

func (h *home) arp(op uint16, mac MAC, sender, target string) Ends {
	return h.observe(flow.Event{Kind: flow.Frame, Messages: []wire.Message{&wire.ARP{
		Op: op, SenderMAC: mac, SenderIP: ip(sender), TargetIP: ip(target),
	}}})
}

// lease runs the two messages that matter of a DHCP exchange.
func (h *home) lease(mac MAC, addr, router, hostname string, params ...uint8) Ends {
	ends := h.flow(end{"0.0.0.0", mac}, end{ip: "255.255.255.255"}, said(&wire.DHCPv4{
		Type: dhcpRequest, ClientMAC: mac, Requested: ip(addr), Hostname: hostname, Params: params, Mask: -1,
	}))
	h.ack(mac, addr, router, "")
	return ends
}

func (h *home) ack(mac MAC, addr, router, hostname string) {
	h.flow(end{ip: addr}, end{router, gwMAC}, said(&wire.DHCPv4{
		Type: dhcpACK, Reply: true, ClientMAC: mac, YourIP: ip(addr), Mask: 24,
		Routers: []netip.Addr{ip(router)}, ServerID: ip(router), Hostname: hostname,
	}))
}

// mdns sends an mDNS response.
func (h *home) mdns(from end, answers ...wire.DNSRecord) Ends {
	return h.flow(from, end{ip: "224.0.0.251"}, said(&wire.DNS{Proto: "mdns", Response: true, Answers: answers}))
}

// ids lists the IDs of devices.
func ids(devices []*Device) []string {
	out := []string{}
	for _, d := range devices {
		out = append(out, d.ID)
	}
	return out
}

func idOf(d *Device) string {
	if d == nil {
		return ""
	}
	return d.ID
}

// checkTables holds the invariants of the tables: bindings mirror addresses,
// lists hold every device once, counters agree.
func checkTables(t *testing.T, v *Inventory) {
	t.Helper()
	addresses, public, guesses := 0, 0, 0
	for id, d := range v.devices {
		if d.ID != id {
			t.Errorf("%s is filed as %s", d.ID, id)
		}
		if d.provisional {
			guesses++
		}
		if d.Name == "" || d.NameSource == "" {
			t.Errorf("%s has no name", d.ID)
		}
		for _, e := range d.Addresses {
			addresses++
			if v.foreign(e.IP) {
				public++
			}
			found := false
			for b := v.bindings[e.IP.As16()]; b != nil; b = b.next {
				found = found || b.dev == d && b.vlan == e.VLAN
			}
			if !found {
				t.Errorf("%s: %v has no binding", d.ID, e.IP)
			}
		}
	}
	bound := 0
	for _, b := range v.bindings {
		for ; b != nil; b = b.next {
			bound++
		}
	}
	if bound != addresses || public != v.public || guesses != v.guesses {
		t.Errorf("%d bindings for %d addresses, public %d want %d, guesses %d want %d", bound, addresses, v.public, public, v.guesses, guesses)
	}
	if n := v.young.n + v.old.n + len(v.Gateways()); n != len(v.devices) {
		t.Errorf("%d devices in lists, %d in all", n, len(v.devices))
	}
}
