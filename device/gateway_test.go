package device

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

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
