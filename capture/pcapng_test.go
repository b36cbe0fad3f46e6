package capture

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPcapng(t *testing.T) {
	frame := []byte{0xde, 0xad, 0xbe, 0xef, 1}
	ng := newPcapng(le) // only to encode options
	eth0 := ng.option(optName, []byte("eth0"))
	nanos := ng.option(optTSResol, []byte{9})
	end := ng.option(optEnd, nil)
	comment := ng.option(1, []byte("a comment"))

	tests := []struct {
		name   string
		file   *ngBuilder
		want   []Packet
		ifaces []Interface
	}{
		{
			"enhanced packets on two interfaces of different links and clocks",
			newPcapng(le).
				iface(1, 262144, comment, eth0, end).
				iface(228, 0, nanos).
				enhanced(1, 5, 5, 60, frame).
				enhanced(0, 5, 4, 4, frame[:4]),
			[]Packet{
				{Data: frame, Time: 5, Length: 60, Link: LinkIPv4, Iface: 1},
				{Data: frame[:4], Time: 5000, Length: 4, Link: LinkEthernet},
			},
			[]Interface{{Name: "eth0", Link: LinkEthernet, Snap: 262144}, {Link: LinkIPv4}},
		},
		{
			"a big-endian section behind a little-endian one; its interfaces count from 0 again",
			newPcapng(le).iface(1, 96).enhanced(0, 1, 5, 5, frame).
				section(be, 1, 2).iface(101, 0).enhanced(0, 0x0000000100000002, 5, 5, frame),
			[]Packet{
				{Data: frame, Time: 1000, Length: 5, Link: LinkEthernet},
				{Data: frame, Time: 0x100000002 * 1000, Length: 5, Link: LinkRawIP, Iface: 1},
			},
			[]Interface{{Link: LinkEthernet, Snap: 96}, {Link: LinkRawIP}},
		},
		{
			"obsolete packet block: 16-bit interface, then the drop counter",
			newPcapng(be).iface(1, 0).iface(1, 0).obsolete(1, 7, 5, 60, frame),
			[]Packet{{Data: frame, Time: 7000, Length: 60, Link: LinkEthernet, Iface: 1}},
			[]Interface{{Link: LinkEthernet}, {Link: LinkEthernet}},
		},
		{
			"simple packets take the time of the packet before and end at the snap length",
			newPcapng(le).iface(1, 4).simple(2, frame[:2]).enhanced(0, 9, 4, 5, frame[:4]).simple(60, frame[:4]),
			[]Packet{
				{Data: frame[:2], Time: 0, Length: 2, Link: LinkEthernet},
				{Data: frame[:4], Time: 9000, Length: 5, Link: LinkEthernet},
				{Data: frame[:4], Time: 9000, Length: 60, Link: LinkEthernet},
			},
			[]Interface{{Link: LinkEthernet, Snap: 4}},
		},
		{
			"unknown blocks, also one larger than any buffer",
			newPcapng(le).block(10, []byte("TLSK secrets")).iface(1, 0).
				block(0x80000001, make([]byte, 3*maxBlock)).block(5, nil).
				enhanced(0, 1, 5, 5, frame).block(0xffff, make([]byte, 4090)),
			[]Packet{{Data: frame, Time: 1000, Length: 5, Link: LinkEthernet}},
			[]Interface{{Link: LinkEthernet}},
		},
		{
			"options behind the packet, options cut off by the end of their block",
			newPcapng(le).iface(1, 0, ng.option(optName, []byte("eth0"))[:4]).
				enhanced(0, 1, 5, 5, append(append([]byte{}, frame...), 0, 0, 0, 1, 0, 2, 0, 'o', 'k', 0, 0)),
			[]Packet{{Data: frame, Time: 1000, Length: 5, Link: LinkEthernet}},
			[]Interface{{Link: LinkEthernet}},
		},
		{
			"interface name longer than any system allows",
			newPcapng(le).iface(1, 0, ng.option(optName, make([]byte, 60000))).enhanced(0, 1, 5, 5, frame),
			[]Packet{{Data: frame, Time: 1000, Length: 5, Link: LinkEthernet}},
			[]Interface{{Name: string(make([]byte, maxInterfaceName)), Link: LinkEthernet}},
		},
		{
			"captured more than was on the wire",
			newPcapng(le).iface(1, 2).enhanced(0, 1, 5, 4, frame),
			[]Packet{{Data: frame, Time: 1000, Length: 5, Link: LinkEthernet}},
			[]Interface{{Link: LinkEthernet, Snap: 2}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := openBytes(t, tt.file.buf)
			got, err := readAll(t, src)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.ifaces, src.Interfaces()); diff != "" {
				t.Errorf("interfaces (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPcapngDamage(t *testing.T) {
	frame := []byte{0xde, 0xad, 0xbe, 0xef}
	// 28 bytes of section, 20 of interface, 36 of packet: damage begins at 84.
	good := func() *ngBuilder { return newPcapng(le).iface(1, 0).enhanced(0, 1, 4, 4, frame) }
	raw := func(b ...byte) []byte { return append(good().buf, b...) }
	tests := []struct {
		name   string
		data   []byte
		want   error
		offset int64
	}{
		{"version 2.0 of a later section", good().section(be, 2, 0).buf, ErrVersion, 84},
		{"section without byte-order magic", raw(10, 13, 13, 10, 28, 0, 0, 0, 1, 2, 3, 4), ErrDamaged, 84},
		{"section of 24 bytes", good().block(blockSection, []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0, 0, 0, 0}).buf, ErrDamaged, 84},
		{"interface beyond those described", good().enhanced(1, 2, 4, 4, frame).buf, ErrDamaged, 84},
		{"interface of an earlier section", good().section(le, 1, 0).enhanced(0, 2, 4, 4, frame).buf, ErrDamaged, 84 + 28},
		{"simple packet without an interface", good().section(le, 1, 0).simple(4, frame).buf, ErrDamaged, 84 + 28},
		{"simple packet longer than its block", good().simple(5, frame).buf, ErrDamaged, 84},
		{"packet longer than its block", good().enhanced(0, 2, 5, 5, frame).buf, ErrDamaged, 84},
		{"obsolete packet longer than its block", good().obsolete(0, 2, 1<<32-1, 5, frame).buf, ErrDamaged, 84},
		{"packet over 256 KiB", good().enhanced(0, 2, maxPacket+4, 9, make([]byte, maxPacket+4)).buf, ErrDamaged, 84},
		{"block length not a multiple of 4", raw(6, 0, 0, 0, 33, 0, 0, 0, 0, 0, 0, 0), ErrDamaged, 84},
		{"block length too small for its type", raw(6, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0), ErrDamaged, 84},
		{"block length 0 of an unknown type", raw(9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), ErrDamaged, 84},
		{"packet block over 1 MiB", good().block(blockEnhanced, make([]byte, maxBlock)).buf, ErrDamaged, 84},
		{"second length differs", raw(3, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0), ErrDamaged, 84},
		{"second length of a skipped block differs", raw(9, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0), ErrDamaged, 96},
		{"skipped block of 4 GiB", raw(9, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0), ErrTruncated, 96},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readAll(t, openBytes(t, tt.data))
			checkDamage(t, err, tt.want, tt.offset)
			if len(got) != 1 {
				t.Errorf("%d packets before the damage, want 1", len(got))
			}
		})
	}
}

func TestPcapngTooManyInterfaces(t *testing.T) {
	file := newPcapng(le)
	for range maxInterfaces + 1 {
		file.iface(1, 0)
	}
	src := openBytes(t, file.buf)
	_, err := readAll(t, src)
	checkDamage(t, err, ErrDamaged, 28+maxInterfaces*20)
	if n := len(src.Interfaces()); n != maxInterfaces {
		t.Errorf("%d interfaces, want %d", n, maxInterfaces)
	}
}

func TestClock(t *testing.T) {
	const year2021 = 1_614_556_800 // 2021-03-01T00:00:00Z in seconds
	tests := []struct {
		name       string
		resolution uint8
		offset     int64
		ts         uint64
		want       int64
	}{
		{"seconds", 0, 0, year2021, year2021 * 1e9},
		{"milliseconds", 3, 0, year2021*1e3 + 7, year2021*1e9 + 7e6},
		{"microseconds", 6, 0, year2021*1e6 + 7, year2021*1e9 + 7e3},
		{"nanoseconds", 9, 0, year2021*1e9 + 7, year2021*1e9 + 7},
		{"picoseconds cannot reach 2021 in 64 bits", 12, 0, 1<<64 - 1, 18_446_744_073_709_551},
		{"picoseconds with an offset", 12, year2021, 7_999, year2021*1e9 + 7},
		{"10^-28 s: 10^19 units in a nanosecond", 28, 0, 1<<64 - 2, 1},
		{"10^-29 s: more than 64 bits of units in a nanosecond", 29, 0, 1<<64 - 2, 0},
		{"10^-127 s", 127, 0, 1<<64 - 2, 0},
		{"2^-0 s", 0x80, 0, year2021, year2021 * 1e9},
		{"2^-20 s", 0x80 | 20, 0, year2021<<20 | 1<<19, year2021*1e9 + 5e8},
		{"2^-32 s, as of NTP", 0x80 | 32, 0, year2021<<32 | 1<<30, year2021*1e9 + 25e7},
		{"2^-64 s", 0x80 | 64, 1, 1 << 63, 15e8},
		{"2^-127 s", 0x80 | 127, 0, 1<<64 - 1, 0},
		{"offset ahead", 6, year2021, 1, year2021*1e9 + 1000},
		{"offset back", 6, -1, 1_500_000, 5e8},
		{"before 1970", 6, -2, 1_500_000, 0},
		{"offset out of range", 6, math.MinInt64, 1_500_000, 0},
		{"offset out of range, ahead", 6, math.MaxInt64, 1_500_000, math.MaxInt64},
		{"stamp out of range", 6, 0, 1<<64 - 1, math.MaxInt64},
		{"stamp out of range, offset back", 0, -1, 1<<64 - 1, math.MaxInt64 - 1e9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock(tt.resolution, tt.offset)
			if got := c.nanos(tt.ts); got != tt.want {
				t.Errorf("nanos(%d) = %d, want %d", tt.ts, got, tt.want)
			}
		})
	}
}

func TestPcapngClockOptions(t *testing.T) {
	for _, order := range []byteOrder{le, be} {
		file := newPcapng(order)
		resolution := file.option(optTSResol, []byte{0x80 | 10})
		offset := file.option(optTSOffset, order.AppendUint64(nil, 100))
		file.iface(1, 0, resolution, offset).enhanced(0, 3<<10|1<<9, 1, 1, []byte{1})
		got, err := readAll(t, openBytes(t, file.buf))
		if err != nil {
			t.Fatal(err)
		}
		// 3.5 s by the stamp, and the offset of 100 s.
		if want := int64(103_500_000_000); len(got) != 1 || got[0].Time != want {
			t.Errorf("%v: packets %+v, want one at %d", order, got, want)
		}
	}
}
