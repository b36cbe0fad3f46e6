package device

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/flow"
	"gatehouse/wire"
)

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

func TestWhoIsADevice(t *testing.T) {
	tests := []struct {
		name     string
		cfg      Config
		play     func(h *home)
		devices  []string
		gateways []string
	}{
		{"a device and the gateway's MAC in front of the WAN", Config{}, func(h *home) {
			h.flow(cam, wan("52.70.158.224", MAC{}))
			h.flow(cam, wan("52.70.158.224", gwMAC))
			h.flow(cam, wan("3.227.188.171", gwMAC))
		}, []string{camID}, []string{gwID}},

		{"a client on the WAN that gets through", Config{}, func(h *home) {
			h.flow(wan("198.51.100.7", gwMAC), end{ip: "192.168.1.129"})
			h.flow(wan("198.51.100.7", gwMAC), cam)
		}, []string{camID}, []string{gwID}},

		{"return direction tagged", Config{}, func(h *home) {
			h.arp(1, camMAC, "192.168.1.129", "192.168.1.1")
			h.flow(cam, wan("52.70.158.224", MAC{}))
			h.flow(cam, wan("52.70.158.224", gwMAC), vlan(100))
			h.flow(cam, dns, vlan(100))
			h.flow(cam, dns)
		}, []string{camID}, []string{gwID}},

		{"a scan makes no ghosts", Config{}, func(h *home) {
			for i := range 200 {
				h.flow(cam, end{ip: fmt.Sprintf("192.168.1.%d", i+1)})
				h.arp(1, camMAC, "192.168.1.129", fmt.Sprintf("192.168.1.%d", i+1))
			}
		}, []string{camID}, []string{}},

		{"switched on: DHCP from 0.0.0.0, ARP probe, use", Config{}, func(h *home) {
			h.lease(camMAC, "192.168.1.129", "192.168.1.1", "cam")
			h.arp(1, camMAC, "0.0.0.0", "192.168.1.129")
			h.flow(cam, dns)
		}, []string{camID}, []string{gwID}},

		{"the DHCP router is the gateway, whichever comes first", Config{}, func(h *home) {
			h.arp(2, gwMAC, "192.168.1.1", "192.168.1.129")
			h.lease(camMAC, "192.168.1.129", "192.168.1.1", "")
		}, []string{camID}, []string{gwID}},

		{"private networks beyond the gateway", Config{}, func(h *home) {
			h.flow(cam, wan("52.70.158.224", gwMAC))
			h.flow(wan("192.168.2.50", gwMAC), cam)
			h.flow(cam, wan("10.0.192.2", gwMAC))
			h.flow(cam, dns)
		}, []string{camID}, []string{gwID}},

		{"private networks beyond the gateway, seen before it is known", Config{}, func(h *home) {
			h.flow(wan("192.168.2.50", gwMAC), cam)
			h.flow(cam, wan("52.70.158.224", gwMAC))
			h.flow(wan("192.168.2.50", gwMAC), cam)
		}, []string{camID}, []string{gwID}},

		{
			"private networks beyond the gateway that are ours by configuration",
			Config{Local: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}},
			func(h *home) {
				h.flow(cam, wan("52.70.158.224", gwMAC))
				h.flow(wan("192.168.2.50", gwMAC), cam)
				h.flow(cam, wan("10.0.192.2", gwMAC))
			},
			[]string{camID, "ip:192.168.2.50"},
			[]string{gwID},
		},

		{"a router on the inside", Config{}, func(h *home) {
			h.flow(cam, wan("52.70.158.224", gwMAC))
			h.arp(2, routerMAC, "192.168.1.2", "192.168.1.129")
			for range 2 {
				for i := range 5 {
					h.flow(end{fmt.Sprintf("10.1.0.%d", i+1), routerMAC}, cam)
				}
			}
			h.flow(end{"192.168.1.2", routerMAC}, cam)
		}, []string{camID, "mac:000c42010203", "ip:10.1.0.4", "ip:10.1.0.5", "ip:10.1.0.1", "ip:10.1.0.2", "ip:10.1.0.3"}, []string{gwID}},

		{"forged sources behind a router, never answered", Config{}, func(h *home) {
			for i := range 200 {
				h.flow(end{fmt.Sprintf("10.1.0.%d", i+1), routerMAC}, end{ip: "192.168.1.129"})
			}
		}, []string{"mac:000c42010203"}, []string{}},

		{"two addresses on one card", Config{}, func(h *home) {
			h.flow(cam, end{"10.0.0.8", plugMAC})
			h.flow(cam, end{"10.0.0.9", plugMAC})
		}, []string{plugID, camID}, []string{}},

		{"a LAN with public addresses, by ARP", Config{}, func(h *home) {
			h.arp(1, camMAC, "203.0.113.10", "203.0.113.1")
			h.arp(2, gwMAC, "203.0.113.1", "203.0.113.10")
			h.flow(end{"203.0.113.10", camMAC}, wan("52.70.158.224", gwMAC))
			h.flow(end{"203.0.113.10", camMAC}, wan("8.8.8.8", gwMAC))
			h.flow(wan("198.51.100.1", gwMAC), end{"203.0.113.10", camMAC})
		}, []string{camID}, []string{gwID}},

		{"a LAN with public addresses, by DHCP", Config{}, func(h *home) {
			h.lease(camMAC, "203.0.113.10", "203.0.113.1", "")
			h.flow(end{"203.0.113.10", camMAC}, wan("52.70.158.224", gwMAC))
			h.flow(end{"203.0.113.20", plugMAC}, wan("8.8.8.8", gwMAC))
		}, []string{camID, plugID}, []string{gwID}},

		{"one host with a public address, as client", Config{}, func(h *home) {
			h.flow(end{"203.0.113.10", camMAC}, wan("52.70.158.224", MAC{}))
			h.flow(end{"203.0.113.10", camMAC}, wan("52.70.158.224", gwMAC))
			h.flow(end{"203.0.113.10", camMAC}, wan("8.8.8.8", gwMAC))
		}, []string{camID}, []string{gwID}},

		{"one host with a public address, as server", Config{}, func(h *home) {
			h.flow(wan("52.70.158.224", gwMAC), end{"203.0.113.10", camMAC})
			h.flow(wan("8.8.8.8", gwMAC), end{"203.0.113.10", camMAC})
			h.flow(wan("8.8.4.4", gwMAC), end{"203.0.113.10", camMAC})
		}, []string{camID}, []string{gwID}},

		{"one flow between two public addresses", Config{}, func(h *home) {
			h.flow(end{"203.0.113.10", camMAC}, wan("52.70.158.224", MAC{}))
			h.flow(end{"203.0.113.10", camMAC}, wan("52.70.158.224", gwMAC))
		}, []string{camID}, []string{}},

		{"scans of public hosts that never answer", Config{}, func(h *home) {
			for i := range 10 {
				h.flow(wan(fmt.Sprintf("8.8.8.%d", i), gwMAC), end{ip: fmt.Sprintf("203.0.113.%d", i)})
			}
			if s := h.Stats(); s.Created != 1 || s.Retracted != 1 {
				h.t.Errorf("guessed more than once: %+v", s)
			}
		}, []string{}, []string{}},

		{"a link without addresses", Config{}, func(h *home) {
			h.flow(end{ip: "10.0.0.5"}, end{ip: "52.70.158.224"}, both)
			h.flow(end{ip: "10.0.0.5"}, end{ip: "10.0.0.6"}, both)
		}, []string{"ip:10.0.0.5", "ip:10.0.0.6"}, []string{}},

		{"a link without addresses, one public client", Config{}, func(h *home) {
			for i := range 3 {
				h.flow(end{ip: "203.0.113.10"}, end{ip: fmt.Sprintf("8.8.8.%d", i)}, both)
			}
		}, []string{"ip:203.0.113.10"}, []string{}},

		{"a link without addresses, one public server", Config{}, func(h *home) {
			for i := range 3 {
				h.flow(end{ip: fmt.Sprintf("8.8.8.%d", i)}, end{ip: "203.0.113.10"}, both)
			}
		}, []string{"ip:203.0.113.10"}, []string{}},

		{"one way in, one way out of a router: equal MACs", Config{}, func(h *home) {
			h.flow(end{"10.0.0.5", routerMAC}, end{"10.0.1.6", routerMAC})
		}, []string{"ip:10.0.0.5", "ip:10.0.1.6"}, []string{}},

		{"IPv6: hosts with several global addresses", Config{}, func(h *home) {
			h.flow(end{"fe80::1", camMAC}, end{ip: "ff02::fb"})
			for i := range 3 {
				host := end{fmt.Sprintf("2001:db8:0:1::%d", i+1), camMAC}
				h.flow(host, wan(fmt.Sprintf("2600:%d::1", i+1), MAC{}))
				h.flow(host, wan(fmt.Sprintf("2600:%d::1", i+1), gwMAC))
			}
		}, []string{camID}, []string{gwID}},

		{"inside a tunnel", Config{}, func(h *home) {
			h.flow(cam, end{ip: "192.168.1.200"})
			h.flow(end{"10.8.0.1", camMAC}, end{"10.8.0.2", plugMAC}, tunnel)
			h.flow(end{"10.8.0.9", camMAC}, end{ip: "10.8.0.3"}, tunnel)
			h.flow(end{"2001:db8::1", camMAC}, end{"2600::1", plugMAC}, tunnel)
		}, []string{camID, "ip:10.8.0.1", "ip:10.8.0.2"}, []string{}},

		{"overlapping address space in two VLANs", Config{}, func(h *home) {
			h.flow(cam, end{ip: "192.168.1.9"}, vlan(10))
			h.flow(end{cam.ip, plugMAC}, end{ip: "192.168.1.9"}, vlan(20))
			h.flow(cam, end{ip: "192.168.1.9"}, vlan(10))
		}, []string{camID, plugID}, []string{}},

		{"routed between two VLANs of a trunk", Config{}, func(h *home) {
			a, b := end{"10.0.10.5", camMAC}, end{"10.0.20.6", plugMAC}
			h.flow(a, end{ip: "10.0.10.1"}, vlan(10))
			h.flow(b, end{ip: "10.0.20.1"}, vlan(20))
			h.arp(2, routerMAC, "10.0.10.1", "10.0.10.5")
			for i := range routerAddrs { // routes for others, too
				h.flow(end{fmt.Sprintf("10.0.%d.9", 30+i), routerMAC}, end{a.ip, camMAC}, vlan(10))
			}
			for _, e := range []Ends{
				h.flow(a, end{ip: b.ip}, vlan(10)),        // the way in, unanswered
				h.flow(end{a.ip, routerMAC}, b, vlan(20)), // the way out
				h.flow(a, end{b.ip, routerMAC}, vlan(10)), // the answer
				h.flow(end{a.ip, routerMAC}, end{b.ip, plugMAC}, vlan(20)),
			} {
				if idOf(e.Client) != camID || idOf(e.Server) != plugID {
					h.t.Errorf("routed: %q to %q", idOf(e.Client), idOf(e.Server))
				}
			}
		}, []string{camID, plugID, "mac:000c42010203", "ip:10.0.33.9@10"}, []string{}},

		{"group addresses as sources", Config{}, func(h *home) {
			h.flow(end{"224.0.0.1", plugMAC}, cam)
			h.flow(end{"255.255.255.255", plugMAC}, cam)
			h.flow(end{"192.168.1.7", mustMAC("01:00:5e:00:00:01")}, end{ip: cam.ip})
		}, []string{camID}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.MaxDevices = DefaultConfig().MaxDevices
			h := newHome(t, tt.cfg)
			tt.play(h)
			if diff := cmp.Diff(tt.devices, ids(h.Devices())); diff != "" {
				t.Errorf("devices (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.gateways, ids(h.Gateways())); diff != "" {
				t.Errorf("gateways (-want +got):\n%s", diff)
			}
			checkTables(t, h.Inventory)
		})
	}
}

func TestEnds(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.arp(2, gwMAC, "192.168.1.1", "192.168.1.129")
	h.arp(1, camMAC, "192.168.1.129", "192.168.1.1")
	h.flow(cam, wan("52.70.158.224", gwMAC))
	tests := []struct {
		name           string
		c, s           end
		client, server string
	}{
		{"to the WAN", cam, wan("52.70.158.224", gwMAC), camID, ""},
		{"to the WAN, no answer", cam, wan("52.70.158.224", MAC{}), camID, ""},
		{"to the gateway itself", cam, dns, camID, gwID},
		{"to the gateway, no answer yet", cam, end{ip: "192.168.1.1"}, camID, gwID},
		{"from the WAN", wan("8.8.8.8", gwMAC), cam, "", camID},
		{"to a group", cam, end{ip: "224.0.0.251"}, camID, ""},
		{"to everybody", cam, end{ip: "192.168.1.255"}, camID, ""},
		{"to nobody", cam, end{ip: "192.168.1.77"}, camID, ""},
		{"from no address", end{"0.0.0.0", camMAC}, end{ip: "255.255.255.255"}, camID, ""},
		{"from the unspecified IPv6 address", end{"::", camMAC}, end{ip: "ff02::1"}, camID, ""},
		{"from a forged WAN address to the WAN", end{"203.0.113.5", camMAC}, wan("8.8.8.8", MAC{}), camID, ""},
		{"v4-mapped", end{"::ffff:192.168.1.129", camMAC}, wan("::ffff:8.8.8.8", gwMAC), camID, ""},
	}
	for _, tt := range tests {
		got := h.flow(tt.c, tt.s)
		if idOf(got.Client) != tt.client || idOf(got.Server) != tt.server {
			t.Errorf("%s: got (%q, %q), want (%q, %q)", tt.name, idOf(got.Client), idOf(got.Server), tt.client, tt.server)
		}
	}
	if got := ids(h.All()); !slices.Equal(got, []string{gwID, camID}) {
		t.Errorf("devices after all: %v", got)
	}
}

func TestAddressMoves(t *testing.T) {
	t.Run("a lease moves it at once", func(t *testing.T) {
		h := newHome(t, DefaultConfig())
		h.lease(camMAC, "192.168.1.129", "192.168.1.1", "")
		h.lease(plugMAC, "192.168.1.129", "192.168.1.1", "")
		if got := idOf(h.ByAddress(ip("192.168.1.129"))); got != plugID {
			t.Errorf("held by %s", got)
		}
	})
	t.Run("ARP moves it once the holder is silent", func(t *testing.T) {
		h := newHome(t, DefaultConfig())
		h.arp(1, camMAC, "192.168.1.129", "192.168.1.1")
		h.wait(liveFor)
		h.arp(1, plugMAC, "192.168.1.129", "192.168.1.1")
		if got := idOf(h.ByAddress(ip("192.168.1.129"))); got != plugID {
			t.Errorf("held by %s", got)
		}
		if n := h.Stats().Conflicts; n != 0 {
			t.Errorf("%d conflicts", n)
		}
	})
	t.Run("a forged ARP steals nothing and is counted", func(t *testing.T) {
		h := newHome(t, DefaultConfig())
		h.arp(2, gwMAC, "192.168.1.1", "192.168.1.129")
		h.flow(cam, wan("8.8.8.8", gwMAC))
		h.arp(2, plugMAC, "192.168.1.1", "192.168.1.129")
		if got := idOf(h.ByAddress(ip("192.168.1.1"))); got != gwID {
			t.Errorf("held by %s", got)
		}
		if got := h.Get(plugID).Conflicts; got != 1 {
			t.Errorf("%d conflicts", got)
		}
	})
	t.Run("a man in the middle stays visible", func(t *testing.T) {
		h := newHome(t, DefaultConfig())
		h.flow(cam, wan("8.8.8.8", gwMAC))
		for i := range 5 {
			h.flow(wan(fmt.Sprintf("8.8.8.%d", i), plugMAC), cam)
			h.flow(end{cam.ip, plugMAC}, wan("8.8.8.8", gwMAC))
		}
		d := h.Get(plugID)
		if d == nil || d.Gateway || !d.Router || d.Conflicts == 0 {
			t.Errorf("got %+v", d)
		}
	})
	t.Run("a device keeps its identity", func(t *testing.T) {
		h := newHome(t, DefaultConfig())
		h.lease(camMAC, "192.168.1.129", "192.168.1.1", "")
		h.lease(camMAC, "192.168.1.130", "192.168.1.1", "")
		h.flow(end{"192.168.1.130", camMAC}, dns)
		if got := ids(h.Devices()); !slices.Equal(got, []string{camID}) {
			t.Fatalf("devices %v", got)
		}
		if got := h.Get(camID).IPs(); got[0] != ip("192.168.1.130") || len(got) != 2 {
			t.Errorf("addresses %v", got)
		}
	})
	t.Run("the last sixteen are kept", func(t *testing.T) {
		h := newHome(t, DefaultConfig())
		for i := range 40 {
			h.arp(1, camMAC, fmt.Sprintf("192.168.1.%d", i+1), "192.168.1.254")
		}
		got := h.Get(camID).IPs()
		if len(got) != maxAddresses || got[0] != ip("192.168.1.40") || got[15] != ip("192.168.1.25") {
			t.Errorf("addresses %v", got)
		}
		checkTables(t, h.Inventory)
	})
}

func TestGatewayIsReplacedOnlyWhenItIsGone(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.flow(cam, wan("8.8.8.8", gwMAC))
	h.flow(cam, wan("8.8.8.8", routerMAC))
	if got := ids(h.Gateways()); !slices.Equal(got, []string{gwID}) {
		t.Fatalf("a second one took over: %v", got)
	}
	h.wait(gatewayAbsence + time.Minute)
	h.flow(cam, wan("8.8.8.8", routerMAC))
	if got := ids(h.Gateways()); !slices.Equal(got, []string{"mac:000c42010203"}) {
		t.Errorf("gateways %v", got)
	}
	if d := h.Get(gwID); d.Gateway || d.TypeEvidence != "vendor Check Point" {
		t.Errorf("the old one: %+v", d)
	}
	checkTables(t, h.Inventory)
	h.Forget("mac:000c42010203")
	h.flow(cam, wan("8.8.8.8", gwMAC))
	if got := ids(h.Gateways()); !slices.Equal(got, []string{gwID}) {
		t.Errorf("after forgetting: %v", got)
	}
	checkTables(t, h.Inventory)
}

func TestGatewaysOfTwoVLANs(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.flow(cam, wan("8.8.8.8", gwMAC), vlan(10))
	h.flow(end{"192.168.2.5", plugMAC}, wan("8.8.8.8", routerMAC), vlan(20))
	if got := ids(h.Gateways()); !slices.Equal(got, []string{"mac:000c42010203", gwID}) && !slices.Equal(got, []string{gwID, "mac:000c42010203"}) {
		t.Errorf("gateways %v", got)
	}
}

func TestUntaggedAddressLearnsItsVLAN(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.arp(1, camMAC, cam.ip, "192.168.1.1")
	h.flow(cam, end{ip: "192.168.1.9"}, vlan(10))
	h.flow(end{cam.ip, plugMAC}, end{ip: "192.168.1.9"}, vlan(20))
	for _, tt := range []struct {
		vlan uint16
		want string
	}{{0, camID}, {10, camID}, {20, plugID}, {30, ""}} {
		if got := idOf(h.lookup(ip(cam.ip), tt.vlan)); got != tt.want {
			t.Errorf("VLAN %d: %q, want %q", tt.vlan, got, tt.want)
		}
	}
	// the first one of a chain leaves, then the other
	h.Forget(camID)
	checkTables(t, h.Inventory)
	h.Forget(plugID)
	checkTables(t, h.Inventory)
	if len(h.bindings) != 0 {
		t.Errorf("%d bindings left", len(h.bindings))
	}
}

func TestCloneSharesNothing(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.lease(camMAC, cam.ip, "192.168.1.1", "cam", 1, 3, 6)
	h.mdns(cam, wire.DNSRecord{Name: "_rtsp._tcp.local", Type: typePTR, Target: "x._rtsp._tcp.local"})
	d := h.Get(camID)
	c := d.Clone()
	before, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	h.lease(camMAC, "192.168.1.131", "192.168.1.1", "another", 9, 9)
	h.flow(cam, plug, func(ev *flow.Event) { ev.Kind = flow.End })
	d.Services[0], d.Addresses[0].IP, d.DHCP.Params = "x", ip("1.1.1.1"), "x"
	after, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("the clone changed (-before +after):\n%s", diff)
	}
}

func TestFind(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.lease(camMAC, cam.ip, "192.168.1.1", "Porch-Cam")
	h.lease(cam2MAC, "192.168.1.130", "192.168.1.1", "porch-cam")
	tests := []struct {
		ref  string
		want []string
	}{
		{camID, []string{camID}},
		{"F4-B8-5E-FF-2B-1B", []string{camID}},
		{"f4b85eff2b1b", []string{camID}},
		{"192.168.1.129", []string{camID}},
		{"::ffff:192.168.1.129", []string{camID}},
		{"PORCH-CAM", []string{camID, cam2ID}},
		{"192.168.1.7", []string{}},
		{"aa:bb:cc:dd:ee:ff", []string{}},
		{"", []string{}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, ids(h.Find(tt.ref))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.ref, diff)
		}
	}
}

func TestMACFlood(t *testing.T) {
	h := newHome(t, Config{MaxDevices: 512})
	for range 2 {
		h.arp(2, gwMAC, "192.168.1.1", "192.168.1.129")
		h.lease(camMAC, "192.168.1.129", "192.168.1.1", "cam")
		h.flow(cam, wan("52.70.158.224", gwMAC))
		h.wait(establishAfter)
	}
	h.flow(cam, wan("52.70.158.224", gwMAC))
	for i := range 100_000 {
		mac := MAC{0x02, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		h.arp(1, mac, fmt.Sprintf("192.168.%d.%d", i>>8&0xff, i&0xff), "192.168.1.1")
	}
	// given a device that has just come, and goes on talking through the flood
	h.flow(plug, dns)
	for i := range 10_000 {
		mac := MAC{0x06, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		h.flow(end{fmt.Sprintf("10.0.%d.%d", i>>8&0xff, i&0xff), mac}, dns)
		if i%100 == 0 {
			h.flow(plug, dns)
		}
	}
	if h.Len() != 512 || len(h.byMAC) > 512 || len(h.bindings) > 512*maxAddresses || len(h.sources) > maxSources {
		t.Errorf("%d devices, %d stations, %d bindings, %d sources", h.Len(), len(h.byMAC), len(h.bindings), len(h.sources))
	}
	if h.Get(camID) == nil || h.Get(gwID) == nil || h.Get(plugID) == nil {
		t.Error("an established or active device was evicted")
	}
	if s := h.Stats(); s.Evicted != s.Created-512 || s.Evicted < 100_000 {
		t.Errorf("stats %+v", s)
	}
	checkTables(t, h.Inventory)
}

func TestFullOfEstablishedDevices(t *testing.T) {
	h := newHome(t, Config{MaxDevices: 2})
	for range 2 {
		h.flow(cam, end{ip: "192.168.1.9"})
		h.flow(plug, end{ip: "192.168.1.9"})
		h.wait(establishAfter)
	}
	h.flow(cam, plug)
	if got := h.flow(end{"192.168.1.50", phoneMAC}, cam); got.Client != nil || h.Stats().Refused == 0 {
		t.Errorf("a newcomer was admitted: %v", idOf(got.Client))
	}
	h.wait(abandonAfter)
	h.flow(plug, end{ip: "192.168.1.9"})
	if got := h.flow(end{"192.168.1.50", phoneMAC}, plug); idOf(got.Client) != phoneID {
		t.Error("a newcomer was refused though a device is long gone")
	}
	if h.Get(camID) != nil {
		t.Error("the abandoned device is still there")
	}
}

func TestRemovedIsTold(t *testing.T) {
	var gone []string
	cfg := Config{MaxDevices: 1, Removed: func(d *Device) { gone = append(gone, d.ID) }}
	h := newHome(t, cfg)
	h.flow(cam, end{ip: "192.168.1.9"})
	h.flow(plug, end{ip: "192.168.1.9"})
	if !h.Forget(plugID) || h.Forget(plugID) {
		t.Error("forget")
	}
	if !slices.Equal(gone, []string{camID, plugID}) {
		t.Errorf("told of %v", gone)
	}
}

func TestTotalsCountEndedFlows(t *testing.T) {
	h := newHome(t, DefaultConfig())
	ended := func(ev *flow.Event) {
		ev.Kind = flow.End
		ev.Record.Packets, ev.Record.Bytes = [2]uint64{3, 5}, [2]uint64{300, 5000}
	}
	h.flow(cam, plug)
	h.flow(cam, plug, ended)
	if d := h.Get(camID); d.Out != (Traffic{3, 300}) || d.In != (Traffic{5, 5000}) {
		t.Errorf("client in %v out %v", d.In, d.Out)
	}
	if d := h.Get(plugID); d.In != (Traffic{3, 300}) || d.Out != (Traffic{5, 5000}) {
		t.Errorf("server in %v out %v", d.In, d.Out)
	}
}

func TestEndOfAFlowIsNotASighting(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.flow(cam, plug)
	seen := h.Get(camID).LastSeen
	ev := flow.Event{Kind: flow.End, Reason: flow.EndIdle, Time: h.now.Add(5 * time.Minute).UnixNano()}
	ev.Record = flow.Record{Client: flow.Endpoint{Addr: ip(cam.ip), MAC: camMAC}, Last: h.now.UnixNano(), Packets: [2]uint64{1, 0}}
	h.Observe(&ev)
	if got := h.Get(camID).LastSeen; !got.Equal(seen) {
		t.Errorf("last seen %v, want %v", got, seen)
	}
}

func TestDeviceJSON(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.lease(camMAC, "192.168.1.129", "192.168.1.1", "F4B85EFF2B1B-mysimplelink", 1, 3, 6)
	b, err := json.Marshal(h.Get(camID))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"id":"mac:f4b85eff2b1b"`, `"mac":"f4:b8:5e:ff:2b:1b"`, `"vendor":"Texas Instruments"`,
		`"name_source":"dhcp"`, `"params":"1,3,6"`, `"ip":"192.168.1.129"`, `"first_seen":"2026-03-01T12:00:01Z"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
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

var benchEnds Ends

// BenchmarkObserve measures events of a home with 200 known devices, in turn.
func BenchmarkObserve(b *testing.B) {
	device := func(i int) flow.Endpoint {
		return flow.Endpoint{Addr: netip.AddrFrom4([4]byte{192, 168, 1, byte(i)}), MAC: [6]byte{0xf4, 0xb8, 0x5e, 0, 0, byte(i)}}
	}
	server := func(i int) flow.Endpoint {
		return flow.Endpoint{Addr: netip.AddrFrom4([4]byte{52, 1, byte(i), 1})}
	}
	cases := []struct {
		name  string
		event func(i int) flow.Record
	}{
		{"wan", func(i int) flow.Record {
			s := server(i)
			s.MAC = gwMAC
			return flow.Record{Client: device(i), Server: s, Packets: [2]uint64{1, 1}}
		}},
		{"wan-unanswered", func(i int) flow.Record {
			return flow.Record{Client: device(i), Server: server(i), Packets: [2]uint64{1, 0}}
		}},
		{"lan", func(i int) flow.Record {
			return flow.Record{Client: device(i), Server: device((i + 1) % 200), Packets: [2]uint64{1, 1}}
		}},
		{"lan-unanswered", func(i int) flow.Record {
			s := device((i + 1) % 200)
			s.MAC = [6]byte{}
			return flow.Record{Client: device(i), Server: s, Packets: [2]uint64{1, 0}}
		}},
		{"multicast", func(i int) flow.Record {
			return flow.Record{Client: device(i), Server: flow.Endpoint{Addr: netip.MustParseAddr("224.0.0.251")}, Packets: [2]uint64{1, 0}}
		}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			v := New(DefaultConfig())
			events := make([]flow.Event, 200)
			for i := range events {
				v.Observe(&flow.Event{Kind: flow.Frame, Time: int64(i), Messages: []wire.Message{&wire.ARP{
					Op: 1, SenderMAC: device(i).MAC, SenderIP: device(i).Addr,
				}}})
				events[i] = flow.Event{Kind: flow.Update, Time: int64(time.Hour), Record: c.event(i)}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				benchEnds = v.Observe(&events[i%len(events)])
			}
		})
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.flow(cam, wan("52.70.158.224", gwMAC))
	ev := flow.Event{Kind: flow.Update, Time: h.now.UnixNano(), Record: flow.Record{
		Client:  flow.Endpoint{Addr: ip(cam.ip), MAC: camMAC},
		Server:  flow.Endpoint{Addr: ip("8.8.8.8"), MAC: gwMAC},
		Packets: [2]uint64{1, 1},
	}}
	if n := testing.AllocsPerRun(100, func() { benchEnds = h.Observe(&ev) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
