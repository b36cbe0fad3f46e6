package device

import (
	"net/netip"
	"testing"
	"time"

	"gatehouse/flow"
	"gatehouse/wire"
)

// Few stations and addresses of every kind, so that they collide a lot.
var (
	fuzzMACs = []MAC{{}, gwMAC, camMAC, cam2MAC, plugMAC, phoneMAC, routerMAC, {1, 0, 0x5e, 0, 0, 1}}
	fuzzIPs  = []string{
		"0.0.0.0", "192.168.1.1", "192.168.1.2", "192.168.1.255", "10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4",
		"8.8.8.8", "8.8.4.4", "203.0.113.1", "203.0.113.2", "fe80::1", "2001:db8::1", "2600::1", "224.0.0.251",
	}
)

// fuzzEvent makes an event of six bytes: which kind and flags, the ends'
// addresses, the ends' stations, which VLAN and how much later, what was said.
func fuzzEvent(b []byte, now *int64) flow.Event {
	*now += int64(time.Duration(1<<(b[4]>>3)) * time.Microsecond) // up to half an hour
	ev := flow.Event{Kind: flow.EventKind(b[0]%4 + 1), Time: *now}
	r := &ev.Record
	r.Client = flow.Endpoint{Addr: netip.MustParseAddr(fuzzIPs[b[1]&15]), MAC: fuzzMACs[b[2]&7]}
	r.Server = flow.Endpoint{Addr: netip.MustParseAddr(fuzzIPs[b[1]>>4]), MAC: fuzzMACs[b[2]>>3&7]}
	r.VLAN = uint16(b[4] & 3)
	r.Tunnel = b[0]&0x80 != 0
	r.Packets = [2]uint64{uint64(b[0] >> 4 & 1), uint64(b[0] >> 5 & 1)}
	r.First, r.Last = *now, *now
	switch {
	case ev.Kind == flow.Frame:
		ev.Messages = []wire.Message{&wire.ARP{
			Op: uint16(b[5]), SenderMAC: r.Client.MAC, SenderIP: r.Client.Addr, TargetMAC: r.Server.MAC, TargetIP: r.Server.Addr,
		}}
	case b[5]&3 == 1:
		ev.Messages = []wire.Message{&wire.DHCPv4{
			Type: dhcpACK, Reply: b[5]&4 != 0, ClientMAC: fuzzMACs[b[3]&7], YourIP: r.Client.Addr,
			Mask: int(b[3] >> 2), Routers: []netip.Addr{r.Server.Addr}, Hostname: string(b[3:6]), Params: b[1:5],
		}}
	case b[5]&3 == 2:
		ev.Messages = []wire.Message{&wire.DNS{Proto: "mdns", Response: true, Answers: []wire.DNSRecord{
			{Name: string(b[3:6]) + ".local", Type: typeA, Addr: r.Client.Addr},
			{Name: `a\032b._ipp._tcp.local`, Type: typeTXT, Text: []string{"ty=" + string(b[2:4])}},
		}}}
	}
	return ev
}

// FuzzObserve plays sequences of events on a small table: whatever comes, the
// tables stay sound and bounded, nobody but a holder is returned for an end,
// and storing and restoring on the way changes nothing.
func FuzzObserve(f *testing.F) {
	f.Add([]byte("\x30\x81\x0a\x00\x00\x00\x30\x82\x0a\x00\x00\x00\x13\x12\x0a\x00\x00\x01"))
	f.Add([]byte("\x10\x21\x0a\x00\x50\x05\x33\x14\x36\x00\x51\x00\x30\x54\x2e\x00\x02\x02\x30\x76\x2e\x00\x01\x00"))
	f.Add([]byte("\x30\xab\x00\x00\x00\x00\x30\xba\x00\x00\x00\x00\xb0\x54\x0a\x00\x00\x00"))
	vendors, err := readOUI(ouiData) // once: reading it is slower than all the rest
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 6*400 {
			data = data[:6*400]
		}
		cfg := Config{MaxDevices: 8}
		whole, split := New(cfg), New(cfg)
		whole.ouis, split.ouis = vendors, vendors
		now, half := epoch.UnixNano(), len(data)/12
		for i := 0; (i+1)*6 <= len(data); i++ {
			ev := fuzzEvent(data[i*6:(i+1)*6], &now)
			ends := whole.Observe(&ev)
			for _, d := range []*Device{ends.Client, ends.Server} {
				if d != nil && whole.Get(d.ID) != d {
					t.Fatalf("event %d returned %s, which is not in the inventory", i, d.ID)
				}
			}
			if whole.Len() > cfg.MaxDevices {
				t.Fatalf("%d devices", whole.Len())
			}
			if i == half {
				split = restored(t, split)
				split.ouis = vendors
			}
			split.Observe(&ev)
			whole.Scope(ev.Record.Client.Addr)
		}
		checkTables(t, whole)
		sameInventory(t, whole, split)
	})
}
