package capture

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// blockFrame is a frame as the kernel lays it into a block; what is 0 is
// computed.
type blockFrame struct {
	next, sec, nsec, snap, length, status uint32
	mac                                   uint16
	tci                                   uint32
	tpid                                  uint16
	data                                  []byte
}

// buildBlock lays frames into a block of size bytes, as the kernel does: a
// descriptor, then for each frame a header of 48 bytes, a struct sockaddr_ll
// of 20, room to align the network header, and the frame.
func buildBlock(size int, first, count uint32, frames ...blockFrame) []byte {
	ne := binary.NativeEndian
	const mac = 82 // for Ethernet
	b := append([]byte{}, make([]byte, blockDescLen)...)
	ne.PutUint32(b[0:], 2) // version of the descriptor
	ne.PutUint32(b[blockStatusAt:], unix.TP_STATUS_USER)
	ne.PutUint32(b[blockPacketsAt:], count)
	ne.PutUint32(b[blockFirstAt:], first)
	for _, f := range frames {
		h := make([]byte, (mac+len(f.data)+15)/16*16)
		copy(h[mac:], f.data)
		for at, pair := range map[int][2]uint32{
			frameNextAt: {f.next, uint32(len(h))},
			frameSnapAt: {f.snap, uint32(len(f.data))},
			frameLenAt:  {f.length, uint32(len(f.data))},
		} {
			v := pair[0]
			if v == 0 {
				v = pair[1]
			}
			ne.PutUint32(h[at:], v)
		}
		ne.PutUint32(h[frameSecAt:], f.sec)
		ne.PutUint32(h[frameNsecAt:], f.nsec)
		ne.PutUint32(h[frameStatusAt:], f.status)
		ne.PutUint16(h[frameMACAt:], mac)
		if f.mac != 0 {
			ne.PutUint16(h[frameMACAt:], f.mac)
		}
		ne.PutUint32(h[frameTCIAt:], f.tci)
		ne.PutUint16(h[frameTPIDAt:], f.tpid)
		b = append(b, h...)
	}
	if len(b) < size {
		b = append(b, make([]byte, size-len(b))...)
	}
	return b
}

func TestParseBlock(t *testing.T) {
	proto := Packet{Link: LinkEthernet, Iface: 3}
	one := blockFrame{sec: 1_700_000_000, nsec: 5, data: []byte("one")}
	two := blockFrame{sec: 1_700_000_001, length: 1500, data: []byte("two")}
	const valid, tpidValid = unix.TP_STATUS_VLAN_VALID, unix.TP_STATUS_VLAN_TPID_VALID
	packet := func(data string, time int64, length int, vlan, tpid uint16) Packet {
		return Packet{Data: []byte(data), Time: time, Length: length, Link: LinkEthernet, Iface: 3, VLAN: vlan, TPID: tpid}
	}
	wantOne := packet("one", 1_700_000_000_000_000_005, 3, 0, 0)
	tests := []struct {
		name  string
		block []byte
		want  []Packet
		lost  int
	}{
		{"no packets", buildBlock(4096, blockDescLen, 0), nil, 0},
		{
			"two, one of them cut to the snap length", buildBlock(4096, blockDescLen, 2, one, two),
			[]Packet{wantOne, packet("two", 1_700_000_001_000_000_000, 1500, 0, 0)},
			0,
		},
		{"the last one's offset does not matter", buildBlock(0, blockDescLen, 1, blockFrame{sec: 1, next: 1 << 31, data: []byte("x")}), []Packet{packet("x", 1e9, 1, 0, 0)}, 0},
		{"a tag", buildBlock(0, blockDescLen, 1, blockFrame{status: valid, tci: 0xa007, tpid: 5, data: []byte("x")}), []Packet{packet("x", 0, 1, 0xa007, 0x8100)}, 0},
		{"a tag with its EtherType", buildBlock(0, blockDescLen, 1, blockFrame{status: valid | tpidValid, tci: 7, tpid: 0x88a8, data: []byte("x")}), []Packet{packet("x", 0, 1, 7, 0x88a8)}, 0},
		{"no tag, whatever the field holds", buildBlock(0, blockDescLen, 1, blockFrame{status: tpidValid, tci: 7, tpid: 0x88a8, data: []byte("x")}), []Packet{packet("x", 0, 1, 0, 0)}, 0},
		{"the latest time there is", buildBlock(0, blockDescLen, 1, blockFrame{sec: 1<<32 - 1, nsec: 1<<32 - 1, data: []byte("x")}), []Packet{packet("x", (1<<32-1)*1e9+1<<32-1, 1, 0, 0)}, 0},
		{"length below the captured bytes", buildBlock(0, blockDescLen, 1, blockFrame{length: 1 << 31, data: []byte("x")}), []Packet{packet("x", 0, 1, 0, 0)}, 0},

		{"shorter than a descriptor", make([]byte, blockDescLen-1), nil, 0},
		{"first packet inside the descriptor", buildBlock(4096, 0, 2, one, two), nil, 2},
		{"first packet behind the end", buildBlock(4096, 4096-frameHdrLen+1, 1, one), nil, 1},
		{"first packet far behind the end", buildBlock(4096, 1<<32-1, 1, one), nil, 1},
		{"next packet behind the end", buildBlock(4096, blockDescLen, 3, blockFrame{sec: 1_700_000_000, nsec: 5, next: 1<<32 - 1, data: []byte("one")}, two), []Packet{wantOne}, 2},
		{"next packet inside this one", buildBlock(4096, blockDescLen, 3, blockFrame{sec: 1_700_000_000, nsec: 5, next: 1, data: []byte("one")}, two), []Packet{wantOne}, 2},
		{"more bytes than the block", buildBlock(4096, blockDescLen, 2, blockFrame{snap: 4096, data: []byte("one")}, two), nil, 2},
		{"as many bytes as can be written", buildBlock(4096, blockDescLen, 1, blockFrame{snap: 1<<32 - 1, data: []byte("one")}), nil, 1},
		{"frame inside its header", buildBlock(4096, blockDescLen, 1, blockFrame{mac: frameHdrLen - 1, data: []byte("one")}), nil, 1},
		{"frame behind the end", buildBlock(4096, blockDescLen, 1, blockFrame{mac: 1<<16 - 1, data: []byte("one")}), nil, 1},
		{"more packets than fit", buildBlock(4*frameHdrLen+blockDescLen, blockDescLen, 1<<32-1, one), []Packet{wantOne}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, lost, err := parseBlock(tt.block, proto, nil)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
			if lost != tt.lost {
				t.Errorf("%d lost, want %d", lost, tt.lost)
			}
			damaged := tt.lost > 0 || len(tt.block) < blockDescLen
			if errors.Is(err, ErrDamaged) != damaged || err != nil && !damaged {
				t.Errorf("error %v, want one: %t", err, damaged)
			}
			for _, p := range got {
				if cap(p.Data) != len(p.Data) {
					t.Errorf("an append to a packet would reach %d bytes behind it", cap(p.Data)-len(p.Data))
				}
			}
		})
	}
}

func FuzzParseBlock(f *testing.F) {
	frame := blockFrame{sec: 1, status: unix.TP_STATUS_VLAN_VALID, tci: 7, data: []byte("frame")}
	f.Add(buildBlock(1024, blockDescLen, 2, frame, frame))
	f.Add(buildBlock(0, blockDescLen, 1<<32-1, blockFrame{next: 48, snap: 1, data: []byte("x")}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, block []byte) {
		packets, lost, err := parseBlock(block, Packet{Iface: 1}, nil)
		if lost > 0 && err == nil {
			t.Fatalf("%d packets lost without an error", lost)
		}
		if most := len(block) / frameHdrLen; len(packets)+lost > most {
			t.Fatalf("%d packets and %d lost in a block of %d bytes", len(packets), lost, len(block))
		}
		for _, p := range packets {
			if p.Length < len(p.Data) || p.Time < 0 || p.Iface != 1 {
				t.Fatalf("packet %+v", p)
			}
		}
	})
}
