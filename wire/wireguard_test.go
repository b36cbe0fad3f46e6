package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWireGuard(t *testing.T) {
	message := func(kind, size int) []byte {
		return join(kind, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, ovpnReplay, "a key, encrypted", make([]byte, size-36))
	}
	const tag = "sixteen of a tag"
	data := join(4, 0, 0, 0, 9, 9, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, tag)
	for _, tt := range []struct {
		name  string
		in    []byte
		sniff bool
		want  *WireGuard
		err   error
	}{
		{"initiation", message(1, 148), true, &WireGuard{From: FromServer, Kind: "initiation", Sender: 0x04030201}, nil},
		{"response", message(2, 92), true, &WireGuard{From: FromServer, Kind: "response", Sender: 0x04030201, Receiver: 0x08070605}, nil},
		{"cookie", message(3, 64), true, &WireGuard{From: FromServer, Kind: "cookie", Receiver: 0x04030201}, nil},
		{"keep-alive", data, true, nil, nil},
		{"data", join(data, make([]byte, 64)), true, nil, nil},
		{"data that is not padded", join(data, 1, 2, 3), false, nil, nil}, // a game does this
		{"data with an impossible counter", join(data[:8], 255, 255, 255, 255, 255, 255, 255, 255, tag), false, nil, nil},
		{"numbers of 32 bits", join(4, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0, 40, 0, 0, 0, tag), false, nil, nil},
		{"data of zeros", join(data[:16], make([]byte, 16)), false, nil, nil},
		{"initiation with a key of zeros", join(data[:8], make([]byte, 140)), false, nil, nil},
		{"initiation of another length", message(1, 149), false, &WireGuard{From: FromServer, Kind: "initiation", Sender: 0x04030201}, nil},
		{"initiation cut at 60 bytes", message(1, 60), false, &WireGuard{From: FromServer, Kind: "initiation", Sender: 0x04030201}, nil},
		{"reserved bytes", join(1, 1, 0, 0, make([]byte, 144)), false, nil, ErrNotMine},
		{"type 5", message(5, 148), false, nil, ErrNotMine},
		{"two bytes", join(1, 0), false, nil, ErrNotMine},
		{"cut behind the type", join(1, 0, 0, 0, 7), false, nil, ErrTruncated},
	} {
		msgs, err := newWireGuardFlow().Datagram(FromServer, tt.in, nil)
		if !errors.Is(err, tt.err) || sniffWireGuard(tt.in) != tt.sniff {
			t.Errorf("%s: got %v, recognised: %v", tt.name, err, sniffWireGuard(tt.in))
		}
		var want []Message
		if tt.want != nil {
			want = []Message{tt.want}
		}
		if diff := cmp.Diff(want, msgs); diff != "" {
			t.Errorf("%s: messages differ (-want +got):\n%s", tt.name, diff)
		}
	}
}
