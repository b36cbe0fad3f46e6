package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ikeMessage is a header and payloads; the length is filled in.
func ikeMessage(next, version, exchange, flags int, payloads []byte) []byte {
	return join("INITIATE", "RESPONSE", next, version, exchange, flags, 0, 0, 0, 7, 0, 0, 0, ikeHeaderLen+len(payloads), payloads)
}

func TestIKE(t *testing.T) {
	const spiI, spiR = "494e495449415445", "524553504f4e5345"
	v1 := ikeMessage(1, 0x10, 2, 0, join(13, 0, 0, 6, 9, 9, 0, 0, 0, 4))
	v2 := ikeMessage(33, 0x20, 34, 0x20, join(41, 0, 0, 4, 0, 0, 0, 4))
	for _, tt := range []struct {
		name string
		in   []byte
		want *IKE
		err  error
	}{
		{"main mode", v1, &IKE{From: FromServer, Major: 1, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 2, MessageID: 7, Payloads: []uint8{1, 13}}, nil},
		{"encrypted quick mode", ikeMessage(8, 0x10, 32, 1, make([]byte, 20)), &IKE{From: FromServer, Major: 1, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 32, MessageID: 7, Encrypted: true}, nil},
		{"IKE_SA_INIT", v2, &IKE{From: FromServer, Major: 2, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 34, MessageID: 7, Response: true, Payloads: []uint8{33, 41}}, nil},
		{"IKE_AUTH", ikeMessage(46, 0x20, 35, 8, join(35, 0, 0, 30, make([]byte, 26))), &IKE{From: FromServer, Major: 2, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 35, MessageID: 7, Encrypted: true, Payloads: []uint8{46}}, nil},
		{"with the marker", join(0, 0, 0, 0, v2), &IKE{From: FromServer, Major: 2, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 34, MessageID: 7, Response: true, Payloads: []uint8{33, 41}}, nil},
		{"cut within the payloads", v1[:30], &IKE{From: FromServer, Major: 1, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 2, MessageID: 7, Payloads: []uint8{1}}, nil},
		{"a payload shorter than its header", ikeMessage(1, 0x10, 2, 0, join(13, 0, 0, 3)), &IKE{From: FromServer, Major: 1, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 2, MessageID: 7, Payloads: []uint8{1}}, nil},
		{"ESP", join(1, 2, 3, 4, make([]byte, 40)), nil, nil},
		{"keeps a NAT open", join(255), nil, nil},
		{"the marker alone", join(0, 0, 0, 0, 1, 2), nil, ErrTruncated},
		{"version 3", join(0, 0, 0, 0, ikeMessage(1, 0x30, 2, 0, nil)), nil, ErrMalformed},
		{"three bytes", join(1, 2, 3), nil, ErrNotMine},
	} {
		msgs, err := newIKEFlow().Datagram(FromServer, tt.in, nil)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: got error %v, want %v", tt.name, err, tt.err)
		}
		var want []Message
		if tt.want != nil {
			want = []Message{tt.want}
		}
		if diff := cmp.Diff(want, msgs); diff != "" {
			t.Errorf("%s: messages differ (-want +got):\n%s", tt.name, diff)
		}
		if got := sniffIKE(tt.in); got != (tt.want != nil) {
			t.Errorf("%s: recognised: %v", tt.name, got)
		}
	}
	for name, in := range map[string][]byte{
		"no initiator":          join(make([]byte, 8), v1[8:]),
		"IKEv1 with a v2 type":  ikeMessage(1, 0x10, 34, 0, nil),
		"IKEv2 with v1 flags":   ikeMessage(33, 0x20, 34, 1, nil),
		"longer than it says":   join(v1, 0),
		"an exchange of nobody": ikeMessage(1, 0x10, 17, 0, nil),
	} {
		if sniffIKE(in) {
			t.Errorf("%s: recognised", name)
		}
	}
}

// TestIKEOnce: a message of each kind is told once, also in between others.
func TestIKEOnce(t *testing.T) {
	f := newIKEFlow()
	v1 := ikeMessage(1, 0x10, 2, 0, nil)
	var msgs []Message
	for i := range 100 {
		for _, in := range [][]byte{join(i+1, v1[1:]), join(1, 2, 3, 4, make([]byte, 40)), join(i+1, v1[1:])} {
			var err error
			if msgs, err = f.Datagram(FromClient, in, msgs); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(msgs) != 100 {
		t.Errorf("got %d messages, want 100", len(msgs))
	}
}
