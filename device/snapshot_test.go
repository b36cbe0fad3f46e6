package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

// busy is an inventory in which something of everything has happened.
func busy(t *testing.T) *home {
	h := newHome(t, Config{MaxDevices: 16})
	h.lease(camMAC, cam.ip, "192.168.1.1", "cam", 1, 3, 6)
	h.arp(1, plugMAC, plug.ip, "192.168.1.1")
	h.flow(cam, wan("52.70.158.224", gwMAC), vlan(100))
	h.wait(time.Hour)
	h.flow(cam, dns)
	h.arp(1, phoneMAC, plug.ip, "192.168.1.1")
	for i := range 3 {
		h.flow(wan(fmt.Sprintf("9.9.9.%d", i), phoneMAC), cam)
	}
	for i := range 20 {
		h.arp(1, MAC{2, 0, 0, 0, 0, byte(i + 1)}, fmt.Sprintf("192.168.1.%d", 150+i), "192.168.1.1")
	}
	return h
}

func TestRestoreGoesOnTheSame(t *testing.T) {
	h := busy(t)
	again := &home{restored(t, h.Inventory), t, h.now}
	sameInventory(t, h.Inventory, again.Inventory)
	for _, x := range []*home{h, again} {
		// who is evicted next depends on the order of last use
		for i := range 5 {
			x.arp(1, MAC{6, 0, 0, 0, 0, byte(i + 1)}, fmt.Sprintf("192.168.1.%d", 200+i), "192.168.1.1")
		}
		x.flow(cam, wan("8.8.8.8", gwMAC))
		x.flow(end{"192.168.1.151", camMAC}, plug)
	}
	sameInventory(t, h.Inventory, again.Inventory)
}

func TestRestoreIntoLessRoom(t *testing.T) {
	h := busy(t)
	snap, err := h.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	v, err := Restore(Config{MaxDevices: 3}, snap)
	if err != nil {
		t.Fatal(err)
	}
	if v.Len() != 3 || v.Get(gwID) == nil || v.Get(camID) == nil {
		t.Errorf("kept %v", ids(v.All()))
	}
	if got, want := v.Stats().Evicted, h.Stats().Evicted+13; got != want {
		t.Errorf("%d evicted, want %d", got, want)
	}
	checkTables(t, v)
}

func TestRestoreRefusesNonsense(t *testing.T) {
	good := func() *Snapshot {
		s, err := busy(t).Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tests := map[string]func(*Snapshot){
		"no state":         func(s *Snapshot) { s.State = nil },
		"another version":  func(s *Snapshot) { s.State = json.RawMessage(`{"version":99}`) },
		"a broken device":  func(s *Snapshot) { s.Devices[camID] = json.RawMessage(`{"mac":"zz"}`) },
		"no device at all": func(s *Snapshot) { s.Devices[camID] = json.RawMessage(`null`) },
		"another's row":    func(s *Snapshot) { s.Devices[camID] = s.Devices[plugID] },
	}
	for name, damage := range tests {
		s := good()
		damage(s)
		if _, err := Restore(DefaultConfig(), s); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
