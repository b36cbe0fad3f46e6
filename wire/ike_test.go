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
	size := ikeHeaderLen + len(payloads)
	return join("INITIATE", "RESPONSE", next, version, exchange, flags, 0, 0, 0, 7, 0, 0, size>>8, size&0xff, payloads)
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
		{"encrypted quick mode", ikeMessage(8, 0x10, 32, 1, make([]byte, 20)), &IKE{From: FromServer, Major: 1, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 32, MessageID: 7, Encrypted: true, Payloads: []uint8{8}}, nil},
		{"IKE_SA_INIT", v2, &IKE{From: FromServer, Major: 2, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 34, MessageID: 7, Response: true, Payloads: []uint8{33, 41, IKENoNextPayload}}, nil},
		{"IKE_AUTH", ikeMessage(46, 0x20, 35, 8, join(35, 0, 0, 30, make([]byte, 26))), &IKE{From: FromServer, Major: 2, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 35, MessageID: 7, Initiator: true, Encrypted: true, Payloads: []uint8{46, 35}}, nil},
		{"with the marker", join(0, 0, 0, 0, v2), &IKE{From: FromServer, Major: 2, InitiatorSPI: spiI, ResponderSPI: spiR, Exchange: 34, MessageID: 7, Response: true, Payloads: []uint8{33, 41, IKENoNextPayload}}, nil},
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
	weak.LifeType, weak.Life = 1, 86400
	strong.Encryption, strong.KeyBits = 7, 256
	strong.LifeType, strong.Life = 2, 3600
	chosen.Encryption, chosen.KeyBits, chosen.PRF, chosen.Hash, chosen.Group, chosen.ESN = 12, 256, 5, 12, 14, 0
	transforms1 := join(
		ikeTLV(3, 1, 1, 0, 0, 0x80, 1, 0, 1, 0x80, 2, 0, 1, 0x80, 11, 0, 1, // DES, MD5, a life in seconds:
			0, 12, 0, 4, 0, 1, 0x51, 0x80, // a day
			0, 13, 0, 2, 9, 9, // an attribute that is not read
			0x80, 3, 0, 1, 0x80, 4, 0, 1), // a shared key, 768 bits
		ikeTLV(0, 2, 1, 0, 0, 0x80, 1, 0, 7, 0x80, 14, 1, 0, 0x80, 11, 0, 2, 0x80, 12, 14, 16))
	transforms2 := join(ikeTLV(3, 1, 0, 0, 12, 0x80, 14, 1, 0), ikeTLV(3, 2, 0, 0, 5), ikeTLV(3, 3, 0, 0, 12),
		ikeTLV(3, 4, 0, 0, 14), ikeTLV(0, 5, 0, 0, 0))
	v1 := func(next int, proposals []byte) []byte { return ikeTLV(next, 0, 0, 0, 1, 0, 0, 0, 1, proposals) }
	offer := join(v1(13, ikeTLV(0, 1, 1, 0, 2, transforms1)), ikeTLV(0, 0xaf, 0xca))
	for _, tt := range []struct {
		name string
		dir  Dir
		in   []byte
		want *IKE // of which the fields that are compared
	}{
		{
			"offer of IKEv1, a vendor", FromClient, ikeMessage(1, 0x10, 2, 0, offer),
			&IKE{Proposals: []IKEAlgorithms{weak, strong}, Vendors: []string{"afca"}, DOI: 1, Payloads: []uint8{1, 2, 3, 13}},
		},
		{
			"choice of IKEv1", FromServer, ikeMessage(1, 0x10, 2, 0, v1(0, ikeTLV(0, 1, 1, 0, 1, transforms1))),
			&IKE{Chosen: &weak, DOI: 1, Payloads: []uint8{1, 2, 3}},
		},
		{
			"choice of IKEv2, notifications", FromServer, ikeMessage(33, 0x20, 34, 0x20, join(ikeTLV(41, ikeTLV(0, 1, 1, 0, 5, transforms2)),
				ikeTLV(41, 0, 0, 0x40, 4), ikeTLV(0, 0, 0, 0, 17))),
			&IKE{Chosen: &chosen, Notify: []uint16{16388, 17}, Payloads: []uint8{33, 41, 41, IKENoNextPayload}},
		},
		{
			"offer of IKEv2: no choice yet", FromClient, ikeMessage(33, 0x20, 34, 8, ikeTLV(0, ikeTLV(0, 1, 1, 0, 5, transforms2))),
			&IKE{Payloads: []uint8{33, IKENoNextPayload}},
		},
		{
			"of ESP, not of the key exchange", FromServer, ikeMessage(33, 0x20, 34, 0x20, ikeTLV(0, ikeTLV(0, 1, 3, 0, 5, transforms2))),
			&IKE{Payloads: []uint8{33, IKENoNextPayload}},
		},
		{
			"a proposal beyond the payload", FromServer, ikeMessage(33, 0x20, 34, 0x20, ikeTLV(0, 0, 0, 0xff, 0xff, 1, 1, 0, 5)),
			&IKE{Payloads: []uint8{33, IKENoNextPayload}},
		},
		{
			"a transform beyond the proposal", FromClient, ikeMessage(1, 0x10, 2, 0, v1(0, ikeTLV(0, 1, 1, 0, 2, 3, 0, 0xff, 0xff))),
			&IKE{DOI: 1, Payloads: []uint8{1}},
		},
		{
			"transforms without end", FromClient, ikeMessage(1, 0x10, 2, 0, v1(0, ikeTLV(0, 1, 1, 0, 255, bytes.Repeat(ikeTLV(3, 1, 1, 0, 0), 40)))),
			&IKE{Proposals: slices.Repeat([]IKEAlgorithms{none}, maxIKETransforms), DOI: 1, Payloads: []uint8{1, 2, 3}},
		},
		{
			"a life of nine bytes", FromServer, ikeMessage(1, 0x10, 2, 0, v1(0, ikeTLV(0, 1, 1, 0, 1, ikeTLV(0, 1, 1, 0, 0, 0, 12, 0, 9, make([]byte, 9))))),
			&IKE{Chosen: &none, DOI: 1, Payloads: []uint8{1, 2, 3}},
		},
		{
			"a proposal shorter than its header", FromServer, ikeMessage(33, 0x20, 34, 0x20, ikeTLV(0, 0, 0, 0, 0, 0, 0, 0, 0)),
			&IKE{Payloads: []uint8{33, IKENoNextPayload}},
		},
	} {
		got := parseIKE(tt.dir, tt.in)
		got = &IKE{Proposals: got.Proposals, Chosen: got.Chosen, Notify: got.Notify, Vendors: got.Vendors, DOI: got.DOI, Payloads: got.Payloads}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: differs (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestIKEMemory: what an exchange has come to is told with every message of it,
// and not with those of another one on the same flow.
func TestIKEMemory(t *testing.T) {
	f := newIKEFlow().(*ikeFlow)
	sa := ikeTLV(0, 0, 0, 0, 1, 0, 0, 0, 1, ikeTLV(0, 1, 1, 0, 1, ikeTLV(0, 1, 1, 0, 0, 0x80, 1, 0, 7)))
	half := func(b byte) []byte { return join(ikeTLV(10, bytes.Repeat([]byte{b}, 4)), ikeTLV(0, b, b)) }
	long := join(ikeTLV(10, make([]byte, maxIKEKey+1)), ikeTLV(0, make([]byte, maxIKENonce+1)))
	other := ikeMessage(8, 0x10, 5, 1, make([]byte, 8))
	copy(other, "ANOTHER1")
	var msgs []Message
	for _, c := range []chunk{
		{FromClient, ikeMessage(1, 0x10, 2, 0, sa)},
		{FromServer, ikeMessage(1, 0x10, 2, 0, sa)},
		{FromClient, ikeMessage(4, 0x10, 2, 0, half(0x11))},
		{FromServer, ikeMessage(4, 0x10, 2, 0, half(0x22))},
		{FromServer, ikeMessage(4, 0x10, 2, 0, half(0x33))}, // sent again, differently
		{FromClient, ikeMessage(5, 0x10, 2, 1, make([]byte, 8))},
		{FromClient, other},
		{FromServer, ikeMessage(4, 0x10, 4, 0, long)},
	} {
		var err error
		if msgs, err = f.Datagram(c.dir, c.b, msgs); err != nil {
			t.Fatal(err)
		}
	}
	client, server := IKEEnd{"11111111", "1111"}, IKEEnd{"22222222", "2222"}
	for i, want := range []struct {
		chosen bool
		ends   [2]IKEEnd
	}{
		{}, {true, [2]IKEEnd{}}, {true, [2]IKEEnd{client}}, {true, [2]IKEEnd{client, server}}, {true, [2]IKEEnd{client, server}}, {}, {},
	} {
		m := msgs[i].(*IKE)
		if (m.Chosen != nil) != want.chosen || m.Ends != want.ends || (m.DOI == 1) != (i < 5) {
			t.Errorf("message %d: chosen %v, ends %v, doi %d", i, m.Chosen, m.Ends, m.DOI)
		}
	}
	if len(msgs) != 7 || f.Retained() != 0 {
		t.Errorf("%d messages, %d bytes retained", len(msgs), f.Retained())
	}
}

// TestIKECookie: the answer behind a cookie is another kind of message, as it
// is the one that says what was chosen (RFC 7296 section 2.6), and so is one
// that asks for another group.
func TestIKECookie(t *testing.T) {
	f := newIKEFlow()
	var msgs []Message
	for _, answer := range []struct {
		responder string
		notify    int
	}{{zeroSPI, 6}, {zeroSPI, 6}, {zeroSPI, 17}, {"RESPONSE", 6}, {"RESPONSE", 6}} {
		in := ikeMessage(41, 0x20, 34, 0x20, ikeTLV(0, 0, 0, 0x40, answer.notify))
		copy(in[8:], answer.responder)
		var err error
		if msgs, err = f.Datagram(FromServer, in, msgs); err != nil {
			t.Fatal(err)
		}
	}
	if len(msgs) != 3 {
		t.Errorf("got %d messages, want 3", len(msgs))
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
