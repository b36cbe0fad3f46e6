//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
)

// tcpFrame is a segment of a connection between two ports with so much payload.
func tcpFrame(src, dst uint16, flags byte, payload int) []byte {
	f := make([]byte, 14+20+20+payload)
	copy(f, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45})
	binary.BigEndian.PutUint16(f[16:], uint16(40+payload))
	f[22], f[23] = 64, 6
	copy(f[26:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	binary.BigEndian.PutUint16(f[34:], src)
	binary.BigEndian.PutUint16(f[36:], dst)
	f[46], f[47] = 0x50, flags
	return f
}

// given a connection that nobody asked to follow
// when it goes on for long
// then its handshake goes up, and payloads until their number or their bytes
// reach the budget, cut where the budget ends
func TestHeadBudget(t *testing.T) {
	tests := []struct {
		name          string
		payload, want int
		lastData      int
	}{
		{"many small ones", 10, 16, 64},
		{"few large ones", 3000, 4, 54 + 10_240 - 3*3000},
		{"none in empty segments", 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRunner(t, DefaultConfig())
			r.run(t, tcpFrame(50_000, 443, 0x02, 0), 1)
			r.run(t, tcpFrame(50_000, 443, 0x18, tt.payload), 100)
			h := heads(t, r.c)
			if len(h) != 1+tt.want || h[0].Class != ClassHandshake || len(h[0].Data) != 54 {
				t.Fatalf("%d heads, want %d: %+v", len(h), 1+tt.want, h)
			}
			if tt.want == 0 {
				return
			}
			if last := h[tt.want]; last.Class != ClassTCP || len(last.Data) != tt.lastData || last.Length != 54+tt.payload {
				t.Errorf("last of %d bytes, %d of them there, class %s; want %d", last.Length, len(last.Data), last.Class, tt.lastData)
			}
			sweep(t, r.c, func(d *Delta) {
				if d.Heads[0] != uint16(tt.want) || !d.HeadsDone[0] || d.HeadsDone[1] || d.Flags[0] != 0x1a || !d.New {
					t.Errorf("delta %+v", d)
				}
			})
		})
	}
}

// given a port whose payload always goes up
// when a connection to it has been going on for long
// then its payloads still go up, in both directions
func TestPortRule(t *testing.T) {
	r := newRunner(t, DefaultConfig())
	for range 100 {
		r.run(t, tcpFrame(50_000, 502, 0x18, 12), 1)
		r.run(t, tcpFrame(502, 50_000, 0x18, 12), 1)
		r.run(t, tcpFrame(50_000, 502, 0x10, 0), 1)
	}
	h := heads(t, r.c)
	if len(h) != 200 || h[199].Class != ClassIndustrial {
		t.Errorf("%d heads, want 200", len(h))
	}
	sweep(t, r.c, func(d *Delta) {
		if !d.Always || d.HeadsDone[0] {
			t.Errorf("delta %+v", d)
		}
	})
}

// given frames that are not flows
// when they come
// then those of use go up by their class
func TestHeadClasses(t *testing.T) {
	frame := func(etherType uint16) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{1, 0x80, 0xc2, 0, 0, 0xe, 2, 0, 0, 0, 0, 1}, etherType), make([]byte, 46)...)
	}
	icmp := func(typ byte) []byte {
		f := tcpFrame(0, 0, 0, 0)[:42]
		binary.BigEndian.PutUint16(f[16:], 28)
		f[23], f[34], f[35] = 1, typ, 0
		return f
	}
	igmp := tcpFrame(0, 0, 0, 0)
	igmp[23] = 2
	for _, tt := range []struct {
		name  string
		frame []byte
		want  Class
		times int // of 10
	}{
		{"ARP", frame(0x0806), ClassARP, 10},
		{"LLDP", frame(0x88cc), ClassLink, 10},
		{"EAPOL", frame(0x888e), ClassLink, 10},
		{"PROFINET", frame(0x8892), ClassLinkOther, 10},
		{"IGMP", igmp, ClassNeighbour, 10},
		{"ICMP error", icmp(3), ClassICMPError, 10},
		{"router advertisement", icmp(9), ClassNeighbour, 10},
		{"ping", icmp(8), ClassOther, 8},
		{"UDP", udpFrame(), ClassUDP, 8},
		{"DNS", withPorts(udpFrame(), 20_000, 53), ClassDNS, 10},
		{"SYN", tcpFrame(1, 2, 2, 0), ClassHandshake, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRunner(t, DefaultConfig())
			r.run(t, tt.frame, 10)
			h := heads(t, r.c)
			if len(h) != tt.times || h[0].Class != tt.want || string(h[0].Data) != string(tt.frame) {
				t.Errorf("%d heads, want %d of %s: %+v", len(h), tt.times, tt.want, h)
			}
			sweep(t, r.c, func(*Delta) {})
		})
	}
}

// given frames that offload has put together
// when they are counted
// then as the packets that are on the wire, each with its headers
func TestOffload(t *testing.T) {
	tests := []struct {
		name        string
		payload     int
		size, count uint32
		want        uint64
	}{
		{"counted by the driver", 3000, 1000, 3, 3},
		{"not counted, exactly", 3000, 1000, 0, 3},
		{"not counted, with a rest", 3001, 1000, 0, 4},
		{"none", 3000, 0, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRunner(t, DefaultConfig())
			ctx := skbContext{GsoSize: tt.size, GsoSegs: tt.count}
			runOptions(t, r.p, &ebpf.RunOptions{Data: tcpFrame(1, 2, 0x10, tt.payload), Context: ctx})
			sweep(t, r.c, func(d *Delta) {
				want := uint64(tt.payload) + 40*tt.want
				if d.Packets[0] != tt.want || d.Bytes[0] != want || d.Payload[0] != uint64(tt.payload) {
					t.Errorf("%d packets of %d bytes, payload %d; want %d of %d", d.Packets[0], d.Bytes[0], d.Payload[0], tt.want, want)
				}
			})
			if h := heads(t, r.c); len(h) != 1 || h[0].Segments != int(tt.want) {
				t.Errorf("heads %+v", h)
			}
			if s := statsOf(t, r.c); s.Seen != tt.want {
				t.Errorf("seen %d, want %d", s.Seen, tt.want)
			}
		})
	}
}

// given flows of each kind
// when they have been silent for their timeout, and not before
// then they are removed, with the reason
func TestTimeouts(t *testing.T) {
	tests := []struct {
		name    string
		frames  [][]byte
		seconds int
		want    Removal
	}{
		{"TCP", [][]byte{tcpFrame(1, 2, 0x10, 0)}, 300, GoneIdle},
		{"UDP", [][]byte{udpFrame()}, 60, GoneIdle},
		{"half closed", [][]byte{tcpFrame(1, 2, 0x11, 0)}, 300, GoneIdle},
		{"reset", [][]byte{tcpFrame(1, 2, 0x04, 0)}, 5, GoneClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRunner(t, DefaultConfig())
			for _, f := range tt.frames {
				r.run(t, f, 1)
			}
			var got []Removal
			at := func(seconds int) {
				var out Swept
				now := r.c.clock.read() + uint64(seconds)*1e9
				if err := r.c.sweep.run(&r.c.clock, now, &out, func(d *Delta) { got = append(got, d.Removed) }); err != nil {
					t.Fatal(err)
				}
			}
			at(tt.seconds - 1)
			at(tt.seconds + 1)
			if len(got) != 2 || got[0] != Kept || got[1] != tt.want {
				t.Errorf("reported %v, want kept, then %v", got, tt.want)
			}
			r.run(t, tt.frames[0], 1)
			sweep2 := func(d *Delta) {
				if !d.New || d.Packets[0] != 1 {
					t.Errorf("when it comes back: %+v", d)
				}
			}
			if _, err := r.c.Sweep(sweep2); err != nil {
				t.Fatal(err)
			}
		})
	}
}
