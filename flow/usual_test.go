package flow

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"gatehouse/capture"
)

// agree fails if the short way finds anything but what the layers find.
func agree(tb testing.TB, p *capture.Packet) (usual bool) {
	tb.Helper()
	var short, long Headers
	if !short.usual(p) {
		if !reflect.DeepEqual(short, Headers{}) {
			tb.Fatalf("a frame that is not usual was read all the same: %+v\n% x", short, p.Data)
		}
		return false
	}
	if r := long.decode(p); r != Accepted || !reflect.DeepEqual(short, long) {
		tb.Fatalf("%s\nusual  %+v\nlayers %+v\n% x", r, short, long, p.Data)
	}
	return true
}

// TestUsualFindsWhatTheLayersFind compares the two over real frames, whole,
// cut, padded and with random bytes changed in their headers.
func TestUsualFindsWhatTheLayersFind(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	usual, frames := 0, 0
	for _, file := range corpusFiles(t, "protocols", "hostile", "iot-week") {
		packets := readAll(t, file)
		for i := range packets[:min(len(packets), 5000)] {
			p := packets[i]
			frames++
			if !agree(t, &p) {
				continue
			}
			usual++
			whole := p.Data
			for _, n := range []int{usualNeeded - 1, usualNeeded, 60, 96} {
				if n < len(whole) {
					p.Data = whole[:n]
					agree(t, &p)
				}
			}
			p.Length += random.IntN(64)
			for range 8 {
				p.Data = append([]byte(nil), whole...)
				for range 1 + random.IntN(3) {
					p.Data[random.IntN(usualNeeded)] = byte(random.Uint32())
				}
				agree(t, &p)
			}
		}
	}
	if usual < frames/3 {
		t.Errorf("%d of %d frames are usual", usual, frames)
	}
	t.Logf("%d of %d frames are usual", usual, frames)
}

// TestUsualLeavesTheRestAlone: whatever is not the usual frame takes the long
// way, a frame with anything wrong with it included.
func TestUsualLeavesTheRestAlone(t *testing.T) {
	frame := func(change func(p *capture.Packet)) *capture.Packet {
		p := tcpFrame(t, hostAt("10.0.0.2", 1234), hostAt("10.0.0.3", 443), TCPAck, 1, 1, "hello, world")
		q := *p
		q.Data = append([]byte(nil), p.Data...)
		change(&q)
		return &q
	}
	if !agree(t, frame(func(*capture.Packet) {})) {
		t.Error("the usual frame is not usual")
	}
	for name, change := range map[string]func(p *capture.Packet){
		"another link":        func(p *capture.Packet) { p.Link = capture.LinkRawIP },
		"tag taken off":       func(p *capture.Packet) { p.TPID, p.VLAN = 0x8100, 7 },
		"IP version":          func(p *capture.Packet) { p.Data[14] = 0x65 },
		"IP options":          func(p *capture.Packet) { p.Data[14] = 0x46 },
		"short IP header":     func(p *capture.Packet) { p.Data[14] = 0x44 },
		"first fragment":      func(p *capture.Packet) { p.Data[20] = 0x20 },
		"later fragment":      func(p *capture.Packet) { p.Data[21] = 1 },
		"length of offload":   func(p *capture.Packet) { p.Data[16], p.Data[17] = 0, 0 },
		"length beyond frame": func(p *capture.Packet) { p.Data[16] = 0xff },
		"length below header": func(p *capture.Packet) { p.Data[16], p.Data[17] = 0, 30 },
		"another protocol":    func(p *capture.Packet) { p.Data[23] = protoICMP },
		"short TCP header":    func(p *capture.Packet) { p.Data[46] = 0x40 },
		"long TCP header":     func(p *capture.Packet) { p.Data[46] = 0xf0 },
		"cut":                 func(p *capture.Packet) { p.Data = p.Data[:usualNeeded-1] },
	} {
		if agree(t, frame(change)) {
			t.Errorf("%s: usual", name)
		}
	}
	tunnel := udpFrame(t, hostAt("10.0.0.2", 1234), hostAt("10.0.0.3", portVXLAN), "a payload that is long enough")
	if agree(t, tunnel) {
		t.Error("a tunnel is usual")
	}
}
