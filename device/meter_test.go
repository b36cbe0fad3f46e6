package device

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/flow"
	"gatehouse/wire"
)

const noonNS = int64(1_767_614_400) * int64(time.Second)

// metered is an event of flow 1 between 192.0.2.1 and 198.51.100.1.
func metered(kind flow.EventKind, at time.Duration, id uint64, packets, in, out uint64, messages ...wire.Message) *flow.Event {
	return &flow.Event{
		Kind: kind, Time: noonNS + int64(at), Messages: messages,
		Record: flow.Record{
			ID:     id,
			Client: flow.Endpoint{Addr: netip.MustParseAddr("192.0.2.1")}, Server: flow.Endpoint{Addr: netip.MustParseAddr("198.51.100.1")},
			Packets: [2]uint64{packets, packets}, Bytes: [2]uint64{out, in},
		},
	}
}

func lookup(name string, response bool, rcode uint8) *wire.DNS {
	return &wire.DNS{Proto: "dns", Response: response, RCode: rcode, Questions: []wire.DNSQuestion{{Name: name}}}
}

func TestMeter(t *testing.T) {
	cam := &Device{ID: "cam", Name: "Camera", Group: "cameras"}
	m := NewMeter()
	m.Observe(metered(flow.Start, 0, 1, 1, 0, 60), cam, nil)
	m.Observe(metered(flow.Update, 10*time.Second, 1, 5, 900, 300, lookup("a.example", false, 0), lookup("b.example", false, 0)), cam, nil)
	m.Observe(metered(flow.Update, 11*time.Second, 1, 5, 900, 300, lookup("a.example", true, 3)), cam, nil)
	m.Observe(metered(flow.Start, 12*time.Second, 2, 1, 10, 20), nil, cam) // somebody asks the camera
	// The next minute has what was moved in it, and the flow is over.
	m.Observe(metered(flow.End, 70*time.Second, 1, 6, 1000, 310), cam, nil)
	m.Observe(metered(flow.End, 71*time.Second, 2, 1, 10, 20), nil, cam) // nothing new, another peer
	m.Advance(noonNS + int64(5*time.Minute))
	at := time.Unix(0, noonNS).UTC()
	want := []Minute{
		{Time: at, Device: "cam", Name: "Camera", Group: "cameras", BytesIn: 920, BytesOut: 310, Packets: 12, Flows: 2, Peers: 2, Names: 2, NXDomain: 1},
		{Time: at.Add(time.Minute), Device: "cam", Name: "Camera", Group: "cameras", BytesIn: 100, BytesOut: 10, Packets: 2, Peers: 2},
	}
	if diff := cmp.Diff(want, m.Take()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := m.Take(); len(got) != 0 || len(m.flows) != 0 {
		t.Errorf("left: %v, %d flows", got, len(m.flows))
	}
}

func TestMeterGoesOnWithAMinute(t *testing.T) {
	cam := &Device{ID: "cam"}
	m := NewMeter()
	m.Observe(metered(flow.Start, 0, 1, 1, 5, 7), cam, nil)
	m.Finish()
	first := m.Take()
	again := NewMeter()
	again.Resume(first)
	again.Observe(metered(flow.Start, 30*time.Second, 9, 2, 50, 70), cam, nil)
	again.Observe(metered(flow.Start, 90*time.Second, 10, 1, 1, 1), cam, nil)
	again.Finish()
	got := again.Take()
	if len(got) != 2 || got[0].BytesIn != 55 || got[0].BytesOut != 77 || got[0].Packets != 6 || got[0].Flows != 2 || got[0].Peers != 1 || got[1].BytesIn != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestMeterIsBounded(t *testing.T) {
	m := NewMeter()
	ev := metered(flow.Start, 0, 0, 1, 1, 1)
	for i := range 100_000 {
		ev.Record.ID = uint64(i)
		ev.Record.Server.Addr = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		m.Observe(ev, &Device{ID: fmt.Sprint(i % 300)}, nil)
	}
	if len(m.flows) > maxMetered {
		t.Errorf("%d flows", len(m.flows))
	}
	m.Finish()
	peers := uint32(0)
	for _, d := range m.Take() {
		peers += d.Peers
	}
	if peers != maxDistinct {
		t.Errorf("%d peers, want %d", peers, maxDistinct)
	}
	// What was not followed is counted when it ends.
	ev.Kind, ev.Record.ID, ev.Record.Bytes = flow.End, 99_999, [2]uint64{700, 800}
	m.Observe(ev, &Device{ID: "x"}, nil)
	m.Finish()
	if got := m.Take(); got[0].BytesOut != 700 {
		t.Errorf("got %+v", got)
	}
	for i := range 200 { // and nobody takes anything
		for d := range 300 {
			ev.Time = noonNS + int64(i)*int64(time.Minute)
			m.Observe(ev, &Device{ID: fmt.Sprint(d)}, nil)
		}
	}
	m.Finish()
	if got := len(m.Take()); got != maxMinutes || m.Dropped() != 200*300-maxMinutes {
		t.Errorf("%d minutes are kept, %d dropped", got, m.Dropped())
	}
}

func BenchmarkMeter(b *testing.B) {
	m := NewMeter()
	cam := &Device{ID: "cam"}
	ev := metered(flow.Update, 0, 1, 1, 1, 1)
	b.ReportAllocs()
	for b.Loop() {
		ev.Record.Packets[0]++
		m.Observe(ev, cam, nil)
	}
}
