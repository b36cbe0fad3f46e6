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
