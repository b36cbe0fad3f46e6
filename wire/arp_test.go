package wire

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var arpRequest = join(
	0, 1, 8, 0, 6, 4, // Ethernet, IPv4, address lengths
	0, 1, // request
	2, 0, 0, 0, 0, 1, 192, 0, 2, 1, // sender
	0, 0, 0, 0, 0, 0, 192, 0, 2, 9, // target
)

func TestParseARP(t *testing.T) {
	with := func(at int, value byte) []byte {
		b := append([]byte(nil), arpRequest...)
		b[at] = value
		return b
	}
	want := &ARP{
		Op: 1, SenderMAC: [6]byte{2, 0, 0, 0, 0, 1}, SenderIP: netip.MustParseAddr("192.0.2.1"),
		TargetIP: netip.MustParseAddr("192.0.2.9"),
	}
	reply := *want
	reply.Op = 2
	tests := []struct {
		name string
		in   []byte
		want *ARP
		err  error
	}{
		{"request", arpRequest, want, nil},
		{"padded to the Ethernet minimum", append(arpRequest[:28:28], make([]byte, 18)...), want, nil},
		{"reply", with(7, 2), &reply, nil},
		{"empty", nil, nil, ErrTruncated},
		{"one byte short", arpRequest[:27], nil, ErrTruncated},
		{"token ring", with(1, 6), nil, ErrNotMine},
		{"IPv6", with(2, 0x86), nil, ErrNotMine},
		{"hardware address of 8 bytes", with(4, 8), nil, ErrNotMine},
		{"protocol address of 16 bytes", with(5, 16), nil, ErrNotMine},
	}
	for _, tt := range tests {
		got, err := ParseARP(tt.in)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: got error %v, want %v", tt.name, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got, equateAddrs); diff != "" {
			t.Errorf("%s: differs (-want +got):\n%s", tt.name, diff)
		}
	}
}
