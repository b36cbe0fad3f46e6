package wire

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// bootp is a BOOTP message with options behind the magic cookie. sname and
// file are padded with zeros.
func bootp(op int, sname, file, options []byte) []byte {
	b := join(
		op, 1, 6, 0, // Ethernet, no hops
		0xde, 0xad, 0xbe, 0xef, // xid
		0, 0, 0, 0, // secs, flags
		0, 0, 0, 0, 192, 0, 2, 50, // ciaddr, yiaddr
		0, 0, 0, 0, 0, 0, 0, 0, // siaddr, giaddr
		2, 0, 0, 0, 0, 7, make([]byte, 10), // chaddr
	)
	b = append(append(b, sname...), make([]byte, 64-len(sname))...)
	b = append(append(b, file...), make([]byte, 128-len(file))...)
	return append(append(b, 0x63, 0x82, 0x53, 0x63), options...)
}

func TestParseDHCPv4(t *testing.T) {
	addr := netip.MustParseAddr
	base := func(edit func(*DHCPv4)) *DHCPv4 {
		m := &DHCPv4{XID: 0xdeadbeef, ClientMAC: [6]byte{2, 0, 0, 0, 0, 7}, YourIP: addr("192.0.2.50"), Mask: -1}
		edit(m)
		return m
	}
	tests := []struct {
		name string
		in   []byte
		want *DHCPv4
		err  error
	}{
		{
			name: "discover",
			in: bootp(1, nil, nil, join(
				53, 1, 1, 61, 7, 1, 2, 0, 0, 0, 0, 7, 0, // a pad after the client id
				12, 5, "cam1\x00", 60, 4, "udhc", 55, 3, 1, 3, 6, 50, 4, 192, 0, 2, 9, 255, 12, 1, "x")),
			want: base(func(m *DHCPv4) {
				m.Type, m.ClientID, m.Hostname, m.Vendor = 1, []byte{1, 2, 0, 0, 0, 0, 7}, "cam1", "udhc"
				m.Params, m.Requested = []uint8{1, 3, 6}, addr("192.0.2.9")
				m.Options = []uint8{53, 61, 12, 60, 55, 50}
			}),
		},
		{
			name: "acknowledgement",
			in: bootp(2, nil, nil, join(53, 1, 5, 54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 14, 16, 58, 4, 0, 0, 7, 8, 59, 4, 0, 0, 12, 78, 1, 4, 255, 255, 254, 0,
				3, 4, 192, 0, 2, 1, 6, 8, 192, 0, 2, 1, 9, 9, 9, 9, 15, 3, "lan", 255)),
			want: base(func(m *DHCPv4) {
				m.Reply, m.Type, m.ServerID, m.Mask = true, 5, addr("192.0.2.1"), 23
				m.Lease, m.Renewal, m.Rebinding = time.Hour, 30*time.Minute, 3150*time.Second
				m.Routers, m.DNS = []netip.Addr{addr("192.0.2.1")}, []netip.Addr{addr("192.0.2.1"), addr("9.9.9.9")}
				m.Domain, m.Options = "lan", []uint8{53, 54, 51, 58, 59, 1, 3, 6, 15}
			}),
		},
		{
			name: "option overload: hostname in file, vendor in sname",
			in:   bootp(1, join(60, 1, "v", 255), join(12, 1, "h", 255), join(53, 1, 3, 52, 1, 3, 255)),
			want: base(func(m *DHCPv4) {
				m.Type, m.Hostname, m.Vendor, m.Options = 3, "h", "v", []uint8{53, 52, 12, 60}
			}),
		},
		{
			name: "long option in three parts, RFC 3396",
			in:   bootp(1, nil, nil, join(60, 2, "ab", 60, 2, "cd", 53, 1, 1, 60, 1, "e", 255)),
			want: base(func(m *DHCPv4) {
				m.Type, m.Vendor, m.Options = 1, "abcde", []uint8{60, 60, 53, 60}
			}),
		},
		{
			name: "host part of an FQDN in wire form",
			in:   bootp(1, nil, nil, join(81, 12, 4, 0, 0, 4, "host", 3, "lan", 255)),
			want: base(func(m *DHCPv4) { m.Hostname, m.Options = "host", []uint8{81} }),
		},
		{
			name: "host part of an FQDN in ASCII",
			in:   bootp(1, nil, nil, join(81, 11, 0, 0, 0, "host.lan", 255)),
			want: base(func(m *DHCPv4) { m.Hostname, m.Options = "host", []uint8{81} }),
		},
		{
			name: "control characters and broken UTF-8 in a name, mask with holes, type of two bytes",
			in:   bootp(1, nil, nil, join(12, 5, "a\n\xff\x1bb", 1, 4, 255, 0, 255, 0, 53, 2, 1, 1, 255)),
			want: base(func(m *DHCPv4) { m.Hostname, m.Options = "a\uFFFDb", []uint8{12, 1, 53} }),
		},
		{
			name: "cut in the middle of an option",
			in:   bootp(1, nil, nil, join(53, 1, 1, 12, 9, "cam")),
			want: base(func(m *DHCPv4) { m.Type, m.Options = 1, []uint8{53} }),
		},
		{
			name: "plain BOOTP with another magic",
			in:   append(bootp(1, nil, nil, nil)[:236], 0, 0, 0, 0, 53, 1, 1),
			want: base(func(*DHCPv4) {}),
		},
		{name: "empty", err: ErrTruncated},
		{name: "cut before the magic", in: bootp(1, nil, nil, nil)[:239], err: ErrTruncated},
		{name: "op 3", in: bootp(3, nil, nil, nil), err: ErrNotMine},
		{name: "text", in: []byte(strings.Repeat("text", 99)), err: ErrNotMine},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseDHCPv4(tt.in)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if tt.want == nil {
				return
			}
			if diff := cmp.Diff(Message(tt.want), got, equateAddrs, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("message differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSniffDHCPv4(t *testing.T) {
	in := bootp(1, nil, nil, join(53, 1, 1, 255))
	if !sniffDHCPv4(in) {
		t.Error("discover not recognised")
	}
	for _, bad := range [][]byte{nil, in[:239], append([]byte{9}, in[1:]...)} {
		if sniffDHCPv4(bad) {
			t.Errorf("%d bytes starting with %x recognised", len(bad), bad[:min(len(bad), 4)])
		}
	}
}
