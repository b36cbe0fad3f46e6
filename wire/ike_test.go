package wire

import (
	"bytes"
	"errors"
	"slices"
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

// ikeTLV is a payload, a proposal or a transform: the kind of the next one, a
// reserved byte and the length before the content.
func ikeTLV(next int, content ...any) []byte {
	b := join(content...)
	return join(next, 0, (len(b)+4)>>8, (len(b)+4)&0xff, b)
}

func TestIKEProposals(t *testing.T) {
	none := noIKEAlgorithms()
	weak, strong, chosen := none, none, none
	weak.Encryption, weak.Hash, weak.Auth, weak.Group = 1, 1, 1, 1 // DES, MD5, a shared key, 768 bits
	strong.Encryption, strong.KeyBits = 7, 256
	chosen.Encryption, chosen.KeyBits, chosen.PRF, chosen.Hash, chosen.Group, chosen.ESN = 12, 256, 5, 12, 14, 0
	transforms1 := join(
		ikeTLV(3, 1, 1, 0, 0, 0x80, 1, 0, 1, 0x80, 2, 0, 1, 0, 12, 0, 4, 0, 1, 0x51, 0x80, 0x80, 3, 0, 1, 0x80, 4, 0, 1), // a life of a day between
		ikeTLV(0, 2, 1, 0, 0, 0x80, 1, 0, 7, 0x80, 14, 1, 0))
	transforms2 := join(ikeTLV(3, 1, 0, 0, 12, 0x80, 14, 1, 0), ikeTLV(3, 2, 0, 0, 5), ikeTLV(3, 3, 0, 0, 12),
		ikeTLV(3, 4, 0, 0, 14), ikeTLV(0, 5, 0, 0, 0))
	v1 := func(next int, proposals []byte) []byte { return ikeTLV(next, 0, 0, 0, 1, 0, 0, 0, 1, proposals) }
	for _, tt := range []struct {
		name string
		in   []byte
		want *IKE // of which the fields that are compared
	}{
		{
			"offer of IKEv1, a vendor", ikeMessage(1, 0x10, 2, 0, join(v1(13, ikeTLV(0, 1, 1, 0, 2, transforms1)), ikeTLV(0, 0xaf, 0xca))),
			&IKE{Proposals: []IKEAlgorithms{weak, strong}, Vendors: []string{"afca"}},
		},
		{"choice of IKEv2, notifications", ikeMessage(33, 0x20, 34, 0x20, join(ikeTLV(41, ikeTLV(0, 1, 1, 0, 5, transforms2)),
			ikeTLV(41, 0, 0, 0x40, 4), ikeTLV(0, 0, 0, 0, 17))), &IKE{Proposals: []IKEAlgorithms{chosen}, Notify: []uint16{16388, 17}}},
		{"offer of IKEv2: no choice yet", ikeMessage(33, 0x20, 34, 8, ikeTLV(0, ikeTLV(0, 1, 1, 0, 5, transforms2))), &IKE{}},
		{"of ESP, not of the key exchange", ikeMessage(33, 0x20, 34, 0x20, ikeTLV(0, ikeTLV(0, 1, 3, 0, 5, transforms2))), &IKE{}},
		{"a proposal beyond the payload", ikeMessage(33, 0x20, 34, 0x20, ikeTLV(0, 0, 0, 0xff, 0xff, 1, 1, 0, 5)), &IKE{}},
		{"a transform beyond the proposal", ikeMessage(1, 0x10, 2, 0, v1(0, ikeTLV(0, 1, 1, 0, 2, 3, 0, 0xff, 0xff))), &IKE{}},
		{
			"transforms without end", ikeMessage(1, 0x10, 2, 0, v1(0, ikeTLV(0, 1, 1, 0, 255, bytes.Repeat(ikeTLV(3, 1, 1, 0, 0), 40)))),
			&IKE{Proposals: slices.Repeat([]IKEAlgorithms{none}, maxIKEOffers)},
		},
		{"a proposal shorter than its header", ikeMessage(33, 0x20, 34, 0x20, ikeTLV(0, 0, 0, 0, 0, 0, 0, 0, 0)), &IKE{}},
	} {
		got, err := parseIKE(FromServer, tt.in)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got = &IKE{Proposals: got.Proposals, Notify: got.Notify, Vendors: got.Vendors}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: differs (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestIKECookie: the answer behind a cookie is another kind of message, as it
// is the one that says what was chosen (RFC 7296 section 2.6).
func TestIKECookie(t *testing.T) {
	f := newIKEFlow()
	var msgs []Message
	for _, responder := range []string{zeroSPI, "RESPONSE", "RESPONSE"} {
		in := ikeMessage(41, 0x20, 34, 0x20, ikeTLV(0, 0, 0, 0x40, 6))
		copy(in[8:], responder)
		var err error
		if msgs, err = f.Datagram(FromServer, in, msgs); err != nil {
			t.Fatal(err)
		}
	}
	if len(msgs) != 2 {
		t.Errorf("got %d messages, want 2", len(msgs))
	}
}

const zeroSPI = "\x00\x00\x00\x00\x00\x00\x00\x00"

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
