package capture

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

func TestPcap(t *testing.T) {
	frame := []byte{0xde, 0xad, 0xbe, 0xef, 1}
	tests := []struct {
		name string
		file *pcapBuilder
		want []Packet
	}{
		{
			"microseconds, little-endian",
			newPcap(le, magicMicros, 2, 4, 96, 1).record(1, 2, 5, 60, frame),
			[]Packet{{Data: frame, Time: 1_000_002_000, Length: 60, Link: LinkEthernet}},
		},
		{
			"microseconds, big-endian",
			newPcap(be, magicMicros, 2, 4, 96, 113).record(1, 2, 5, 60, frame),
			[]Packet{{Data: frame, Time: 1_000_002_000, Length: 60, Link: LinkLinuxSLL}},
		},
		{
			"nanoseconds, little-endian",
			newPcap(le, magicNanos, 2, 4, 96, 276).record(1, 2, 5, 60, frame),
			[]Packet{{Data: frame, Time: 1_000_000_002, Length: 60, Link: LinkLinuxSLL2}},
		},
		{
			"nanoseconds, big-endian",
			newPcap(be, magicNanos, 2, 4, 96, 1).record(1, 2, 5, 60, frame),
			[]Packet{{Data: frame, Time: 1_000_000_002, Length: 60, Link: LinkEthernet}},
		},
		{
			"modified: interface, protocol, packet type and a pad byte before the data",
			newPcap(be, magicModified, 2, 4, 96, 1).
				record(1, 2, 5, 60, append([]byte{0, 0, 0, 3, 8, 0, 4, 0}, frame...)).
				record(2, 3, 0, 60, make([]byte, 8)),
			[]Packet{
				{Data: frame, Time: 1_000_002_000, Length: 60, Link: LinkEthernet},
				{Data: []byte{}, Time: 2_000_003_000, Length: 60, Link: LinkEthernet},
			},
		},
		{
			"version 2.1 has the lengths swapped",
			newPcap(be, magicMicros, 2, 1, 96, 1).record(1, 2, 60, 5, frame),
			[]Packet{{Data: frame, Time: 1_000_002_000, Length: 60, Link: LinkEthernet}},
		},
		{
			"version 2.3 has them either way",
			newPcap(le, magicMicros, 2, 3, 96, 1).record(1, 2, 60, 5, frame).record(1, 2, 5, 60, frame),
			[]Packet{
				{Data: frame, Time: 1_000_002_000, Length: 60, Link: LinkEthernet},
				{Data: frame, Time: 1_000_002_000, Length: 60, Link: LinkEthernet},
			},
		},
		{
			"more captured than was on the wire and than the snap length",
			newPcap(le, magicMicros, 2, 4, 2, 1).record(1, 2, 5, 4, frame),
			[]Packet{{Data: frame, Time: 1_000_002_000, Length: 5, Link: LinkEthernet}},
		},
		{
			"FCS bits beside the link type, DLT_RAW instead of LINKTYPE_RAW",
			newPcap(le, magicMicros, 2, 4, 96, 0x3400000c).record(1, 2, 5, 5, frame),
			[]Packet{{Data: frame, Time: 1_000_002_000, Length: 5, Link: LinkRawIP}},
		},
		{
			"a fraction above one second, the last second of the format",
			newPcap(le, magicMicros, 2, 4, 96, 1).record(1<<32-1, 1<<32-1, 5, 5, frame),
			[]Packet{{Data: frame, Time: (1<<32-1)*1e9 + (1<<32-1)*1e3, Length: 5, Link: LinkEthernet}},
		},
		{
			"a length on the wire that no 32-bit int holds",
			newPcap(le, magicMicros, 2, 4, 96, 1).record(1, 2, 5, 1<<32-1, frame),
			[]Packet{{Data: frame, Time: 1_000_002_000, Length: 1<<31 - 1, Link: LinkEthernet}},
		},
		{
			"header only",
			microPcap(),
			nil,
		},
		{
			"two files one after the other, as of zcat *.pcap.gz",
			&pcapBuilder{le, append(
				microPcap().record(1, 2, 5, 60, frame).buf,
				newPcap(be, magicNanos, 2, 4, 96, 101).record(3, 4, 5, 70, frame).buf...)},
			[]Packet{
				{Data: frame, Time: 1_000_002_000, Length: 60, Link: LinkEthernet},
				{Data: frame, Time: 3_000_000_004, Length: 70, Link: LinkRawIP, Iface: 1},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readAll(t, openBytes(t, tt.file.buf))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPcapDamage(t *testing.T) {
	good := func() *pcapBuilder { return microPcap().packets(60, 1, 2) } // 24 + 2*76 = 176 bytes
	tests := []struct {
		name    string
		data    []byte
		want    error
		offset  int64
		packets int
	}{
		{"version 3.0", newPcap(le, magicMicros, 3, 0, 96, 1).buf, ErrVersion, 0, 0},
		{"record header cut off", good().buf[:24+76+7], ErrTruncated, 100, 1},
		{"packet cut off", good().buf[:24+76+16+30], ErrTruncated, 100, 1},
		{"packet of 256 KiB", good().record(3, 0, maxPacket, 9, make([]byte, maxPacket)).buf, nil, 0, 3},
		{"packet of 256 KiB and a byte", good().record(3, 0, maxPacket+1, 9, make([]byte, maxPacket+1)).buf, ErrDamaged, 176, 2},
		{"packet of 4 GiB", good().record(3, 0, 1<<32-1, 60, nil).buf, ErrDamaged, 176, 2},
		{"second file cut off in its header", append(good().buf, microPcap().buf[:20]...), ErrTruncated, 176, 2},
		{"second file of an unknown version", append(good().buf, newPcap(be, magicNanos, 9, 9, 96, 1).buf...), ErrVersion, 176, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readAll(t, openBytes(t, tt.data))
			checkDamage(t, err, tt.want, tt.offset)
			if len(got) != tt.packets {
				t.Errorf("%d packets before the damage, want %d", len(got), tt.packets)
			}
		})
	}
}

// checkDamage checks that err is a FormatError for want at offset.
func checkDamage(t *testing.T, err, want error, offset int64) {
	t.Helper()
	if want == nil {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	var format *FormatError
	if !errors.As(err, &format) || !errors.Is(err, want) {
		t.Fatalf("error %v, want a FormatError with %v", err, want)
	}
	if format.Offset != offset {
		t.Errorf("offset %d, want %d: %v", format.Offset, offset, err)
	}
}

func TestTruncatedAnywhere(t *testing.T) {
	ng := newPcapng(le).iface(1, 0)
	var ngEnds []int // where the file may end without being cut off
	ngEnds = append(ngEnds, 28, len(ng.buf))
	for ts := range uint64(3) {
		ng.block(0x0bad, []byte{1, 2, 3, 4, 5}) // of no known type
		ngEnds = append(ngEnds, len(ng.buf))
		ng.enhanced(0, ts, 5, 5, []byte("hello"))
		ngEnds = append(ngEnds, len(ng.buf))
	}
	files := []struct {
		name string
		data []byte
		ends []int
	}{
		{"pcap", microPcap().packets(60, 1, 2, 3).buf, []int{24, 24 + 76, 24 + 2*76}},
		{"pcapng", ng.buf, ngEnds},
	}
	for _, f := range files {
		t.Run(f.name, func(t *testing.T) {
			whole, err := readAll(t, openBytes(t, f.data))
			if err != nil || len(whole) != 3 {
				t.Fatalf("whole file: %d packets, %v", len(whole), err)
			}
			clean := make(map[int]bool)
			for _, n := range f.ends {
				clean[n] = true
			}
			for n := range f.data {
				got, err := readAll(t, openBytes(t, f.data[:n]))
				if diff := cmp.Diff(whole[:len(got)], got, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("cut at %d: packets (-want +got):\n%s", n, diff)
				}
				var format *FormatError
				switch {
				case clean[n]:
					if err != nil {
						t.Errorf("cut at %d, between records: %v", n, err)
					}
				case !errors.As(err, &format) || format.Offset > int64(n):
					t.Errorf("cut at %d: error %v", n, err)
				case n == 0 && !errors.Is(err, ErrEmpty),
					n >= 12 && !errors.Is(err, ErrTruncated):
					t.Errorf("cut at %d: wrong reason: %v", n, err)
				}
			}
		})
	}
}
