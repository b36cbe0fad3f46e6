package device

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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

		{"forwarded by the gateway first, then speaking itself", Config{}, func(h *home) {
			h.flow(cam, wan("8.8.8.8", gwMAC))
			h.flow(end{plug.ip, gwMAC}, cam)
			if e := h.flow(plug, cam); idOf(e.Client) != plugID {
				h.t.Errorf("the host is taken for %q", idOf(e.Client))
			}
		}, []string{camID, plugID}, []string{gwID}},

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
