package wire

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stunMessage is a message with attributes.
func stunMessage(kind int, attributes ...[]byte) []byte {
	var body []byte
	for _, a := range attributes {
		body = append(body, a...)
	}
	return join(kind>>8, kind, len(body)>>8, len(body), 0x21, 0x12, 0xa4, 0x42, "TRANSACTION_", body)
}

func stunAttribute(id int, value []byte) []byte {
	return join(id>>8, id, len(value)>>8, len(value), value, make([]byte, -len(value)&3))
}

// classic is a message without a cookie (RFC 3489).
func classic(kind int, attributes ...[]byte) []byte {
	b := stunMessage(kind, attributes...)
	copy(b[4:], "long")
	return b
}

func TestSTUN(t *testing.T) {
	text := func(id int, s string) []byte { return stunAttribute(id, []byte(s)) }
	for _, tt := range []struct {
		name  string
		in    []byte
		sniff bool
		want  *STUN
	}{
		{"binding request", stunMessage(0x0001), true, &STUN{Class: "request", Method: 1}},
		{"of ICE", stunMessage(0x0001, text(6, "abcd:efgh"), text(0x8022, "cam 1.0")), true, &STUN{Class: "request", Method: 1, User: "abcd:efgh", Software: "cam 1.0"}},
		{"binding success, IPv4", stunMessage(0x0101, stunAttribute(0x20, join(0, 1, 0x01^0x21, 0xbb^0x12, 192^0x21, 0^0x12, 2^0xa4, 1^0x42))), true, &STUN{Class: "success", Method: 1, Mapped: netip.MustParseAddrPort("192.0.2.1:443")}},
		{"binding success, IPv6", stunMessage(0x0101, stunAttribute(0x20, join(0, 2, 0x21, 0x12, 0x20^0x21, 0x01^0x12, 0x0d^0xa4, 0xb8^0x42, "TRANSACTION_"))), true, &STUN{Class: "success", Method: 1, Mapped: netip.MustParseAddrPort("[2001:db8::]:0")}},
		{"address of another family", stunMessage(0x0101, stunAttribute(0x20, join(0, 3, 0, 0, 0, 0, 0, 0))), true, &STUN{Class: "success", Method: 1}},
		{"allocate error", stunMessage(0x0113, stunAttribute(9, join(0, 0, 4, 1, "no")), text(0x14, "example.org")), true, &STUN{Class: "error", Method: 3, Error: 401, Realm: "example.org"}},
		{"send indication", stunMessage(0x0016), true, &STUN{Class: "indication", Method: 6}},
		{"method 0x201", stunMessage(0x0801), true, &STUN{Class: "request", Method: 0x201}},
		{"an attribute beyond the end", stunMessage(0x0001, join(0, 6, 0, 9, "a", 0, 0, 0)), true, &STUN{Class: "request", Method: 1}},
		{"cut within an attribute", stunMessage(0x0001, text(6, "abcd"), text(0x8022, "software"))[:36], false, &STUN{Class: "request", Method: 1, User: "abcd"}},
		{"before the cookie: change of port", classic(0x0001, stunAttribute(3, join(0, 0, 0, 2))), true, &STUN{Class: "request", Method: 1}},
		{"before the cookie: mapped", classic(0x0101, stunAttribute(1, join(0, 1, 1, 0xbb, 192, 0, 2, 1))), true, &STUN{Class: "success", Method: 1, Mapped: netip.MustParseAddrPort("192.0.2.1:443")}},
		{"before the cookie: no attribute", classic(0x0001), false, nil},
		{"before the cookie: another attribute", classic(0x0001, stunAttribute(0x24, make([]byte, 4))), false, nil},
		{"before the cookie: an address of another length", classic(0x0101, stunAttribute(1, join(0, 1, 1, 0xbb))), false, nil},
		{"before the cookie: an attribute beyond the end", classic(0x0001, join(0, 3, 0, 8, 0, 0, 0, 2)), false, nil},
		{"before the cookie: TURN", classic(0x0003, stunAttribute(3, make([]byte, 4))), false, nil},
		{"without the cookie", join(0, 1, 0, 0, make([]byte, 16)), false, nil},
		{"length not in words", stunMessage(0x0001, join(1)), false, nil},
		{"first bits set", stunMessage(0x8001), false, nil},
		{"short", stunMessage(0x0001)[:19], false, nil},
	} {
		msgs, err := newSTUNFlow().Datagram(FromClient, tt.in, nil)
		if got := sniffSTUN(tt.in); got != tt.sniff {
			t.Errorf("%s: recognised: %v", tt.name, got)
		}
		if tt.want == nil {
			if !errors.Is(err, ErrNotMine) || len(msgs) > 0 {
				t.Errorf("%s: got %v, %v", tt.name, msgs, err)
			}
			continue
		}
		if diff := cmp.Diff([]Message{tt.want}, msgs, equateAddrs, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" || err != nil {
			t.Errorf("%s: %v, messages differ (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

// TestTURNLogin: the answer to a signed request is the outcome of a login; the
// first refusal, which tells the realm, is not.
func TestTURNLogin(t *testing.T) {
	plain := stunMessage(0x0003)
	signed := stunMessage(0x0003, stunAttribute(6, []byte("eve")), stunAttribute(0x14, []byte("r")), stunAttribute(8, make([]byte, 20)))
	refused := stunMessage(0x0113, stunAttribute(9, join(0, 0, 4, 1)))
	stale := stunMessage(0x0113, stunAttribute(9, join(0, 0, 4, 38)))
	accepted := stunMessage(0x0103)
	login := func(o Outcome) *Login { return &Login{Service: "stun", User: "eve", Mechanism: "TURN", Outcome: o} }
	for _, tt := range []struct {
		name string
		in   []chunk
		want []*Login
	}{
		{"accepted", []chunk{{FromClient, plain}, {FromServer, refused}, {FromClient, signed}, {FromServer, accepted}}, []*Login{login(Succeeded)}},
		{"refused", []chunk{{FromClient, plain}, {FromServer, refused}, {FromClient, signed}, {FromServer, refused}}, []*Login{login(Failed)}},
		{"with a stale nonce first", []chunk{{FromClient, signed}, {FromServer, stale}, {FromClient, signed}, {FromServer, accepted}}, []*Login{login(Succeeded)}},
		{"never answered", []chunk{{FromClient, signed}}, []*Login{login(OutcomeUnknown)}},
		{"not signed", []chunk{{FromClient, plain}, {FromServer, accepted}}, nil},
	} {
		pick := func(msgs []Message) (logins []*Login) {
			for _, m := range msgs {
				if l, ok := m.(*Login); ok {
					logins = append(logins, l)
				}
			}
			return logins
		}
		msgs, _ := playDatagrams(t, newSTUNFlow(), tt.in)
		if diff := cmp.Diff(tt.want, pick(msgs)); diff != "" {
			t.Errorf("%s: logins differ (-want +got):\n%s", tt.name, diff)
		}
		s := newSTUNStream()
		msgs, err := play(t, s, tt.in, 1)
		for dir := range Dir(2) {
			msgs = s.(Flusher).Flush(dir, nil, msgs)
		}
		if diff := cmp.Diff(tt.want, pick(msgs)); diff != "" || err != nil {
			t.Errorf("%s over TCP: %v, logins differ (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

// TestSTUNPrefixed: in ICE over TCP a length stands before each packet, and not
// all are STUN.
func TestSTUNPrefixed(t *testing.T) {
	packet := func(b []byte) []byte { return join(len(b)>>8, len(b), b) }
	request := packet(stunMessage(0x0001, stunAttribute(6, []byte("ab:cd"))))
	for n := range len(request) {
		if sniffSTUNStream(FromClient, request[:n+1]) == No {
			t.Fatalf("refused with %d bytes", n+1)
		}
	}
	wrong := packet(stunMessage(0x0001))
	wrong[1]++
	if got := sniffSTUNStream(FromClient, join(wrong, 0)); got != No {
		t.Errorf("a length that contradicts the message: got %v", got)
	}
	for _, step := range []int{0, 1} {
		msgs, err := play(t, newSTUNStream(), []chunk{
			{FromClient, join(request, packet(join(0x80, 1, 2, 3, 4)), request)},
			{FromServer, packet(stunMessage(0x0101))},
		}, step)
		if len(msgs) != 2 || err != nil || msgs[0].(*STUN).User != "ab:cd" {
			t.Errorf("step %d: got %v, %v", step, msgs, err)
		}
	}
}

// TestSTUNQuiet: what is told once is not told again, media is passed over.
func TestSTUNQuiet(t *testing.T) {
	f := newSTUNFlow()
	msgs, err := f.Datagram(FromClient, stunMessage(1), nil)
	n := 0
	for ; err == nil && n < 1000; n++ {
		msgs, err = f.Datagram(FromClient, join(0x40, 0, 0, 4, 1, 2, 3, 4), msgs)
		msgs, _ = f.Datagram(FromClient, stunMessage(1), msgs)
	}
	if len(msgs) != 1 || !errors.Is(err, ErrDone) || n > maxSTUNQuiet {
		t.Errorf("after %d: %d messages, %v", n, len(msgs), err)
	}
}
