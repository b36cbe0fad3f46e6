package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Parts of OpenVPN's resets.
var (
	ovpnReplay      = join(0, 0, 0, 1, 0x66, 0xaa, 0x23, 0xb6) // first packet, in 2024
	ovpnClientReset = join(0, 0, 0, 0, 0)                      // no acknowledgement, message 0
	ovpnServerReset = join(1, 0, 0, 0, 0, "CLIENTID", 0, 0, 0, 0)
)

func TestOpenVPN(t *testing.T) {
	const client, server, client3 = 7 << 3, 8 << 3, 10 << 3
	for _, tt := range []struct {
		name     string
		in       []byte
		version  uint8
		wrapping string // "" if it is not recognised
	}{
		{"client", join(client, "SESSION1", ovpnClientReset), 2, "none"},
		{"server", join(server, "SESSION1", ovpnServerReset), 2, "none"},
		{"client of version 1", join(1<<3, "SESSION1", ovpnClientReset), 1, "none"},
		{"tls-auth with SHA-1", join(client, "SESSION1", make([]byte, 20), ovpnReplay, ovpnClientReset), 2, "tls-auth"},
		{"tls-auth with SHA-512, server", join(server, "SESSION1", make([]byte, 64), ovpnReplay, ovpnServerReset), 2, "tls-auth"},
		{"tls-auth with SHA-224", join(client, "SESSION1", make([]byte, 28), ovpnReplay, ovpnClientReset), 2, "tls-auth"},
		{"tls-auth with SHA-384, server", join(server, "SESSION1", make([]byte, 48), ovpnReplay, ovpnServerReset), 2, "tls-auth"},
		{"tls-auth with an HMAC of 40 bytes", join(client, "SESSION1", make([]byte, 40), ovpnReplay, ovpnClientReset), 0, ""},
		{"tls-crypt", join(client, "SESSION1", ovpnReplay, make([]byte, 37)), 2, "tls-crypt"},
		{"tls-crypt, server", join(server, "SESSION1", ovpnReplay, make([]byte, 54)), 2, "tls-crypt"},
		{"tls-crypt-v2", join(client3, "SESSION1", 0x0a, 1, 0, 1, ovpnReplay[4:], make([]byte, 340)), 3, "tls-crypt-v2"},
		{"tls-crypt-v2, server", join(server, "SESSION1", 0x0f, 0, 0, 1, ovpnReplay[4:], make([]byte, 49)), 2, "tls-crypt-v2"},
		{"tls-crypt-v2, server, another upper half", join(server, "SESSION1", 0x0e, 0, 0, 1, ovpnReplay[4:], make([]byte, 49)), 0, ""},
		{"key 1", join(client|1, "SESSION1", ovpnClientReset), 0, ""},
		{"client with an acknowledgement", join(client, "SESSION1", ovpnServerReset), 0, ""},
		{"server without one", join(server, "SESSION1", ovpnClientReset), 0, ""},
		{"message 1", join(client, "SESSION1", 0, 0, 0, 0, 1), 0, ""},
		{"a byte too many", join(client, "SESSION1", ovpnClientReset, 0), 0, ""},
		{"tls-crypt in 1999", join(client, "SESSION1", 0, 0, 0, 1, 0x38, 0, 0, 0, make([]byte, 37)), 0, ""},
		{"tls-crypt, not the first packet", join(client, "SESSION1", 0, 0, 0, 2, ovpnReplay[4:], make([]byte, 37)), 0, ""},
		{"data", join(9<<3, make([]byte, 60)), 0, ""},
		{"text", []byte("8SESSION1 and more text"), 0, ""},
		{"short", join(client, "SESS"), 0, ""},
		{"empty", nil, 0, ""},
	} {
		if got := sniffOpenVPN(tt.in); got != (tt.wrapping != "") {
			t.Errorf("%s: recognised: %v", tt.name, got)
		}
		msgs, _ := newOpenVPNFlow().Datagram(FromServer, tt.in, nil)
		var want []Message
		if tt.wrapping != "" {
			want = []Message{&OpenVPN{From: FromServer, Version: tt.version, Session: "53455353494f4e31", Wrapping: tt.wrapping}}
		}
		if diff := cmp.Diff(want, msgs); diff != "" {
			t.Errorf("%s: messages differ (-want +got):\n%s", tt.name, diff)
		}
		framed := join(len(tt.in)>>8, len(tt.in), tt.in)
		if got := sniffOpenVPNStream(FromClient, framed); (got == Yes) != (tt.wrapping != "") {
			t.Errorf("%s over TCP: got %v", tt.name, got)
		}
	}
}

// TestOpenVPNOwnKey: the reset of a client with a key of its own is long, and the
// server wraps its answer with that key even where its packet id says nothing.
func TestOpenVPNOwnKey(t *testing.T) {
	client := join(0x50, "SESSION1", 0x0f, 0, 0, 1, ovpnReplay[4:], make([]byte, 37+32+256+9+2))
	framed := join(len(client)>>8, len(client), client)
	for n := range framed {
		want := Maybe
		if n >= 2+1+8+ovpnCryptLen {
			want = Yes
		}
		if got := sniffOpenVPNStream(FromClient, framed[:n]); got != want {
			t.Errorf("%d bytes: got %v, want %v", n, got, want)
		}
	}
	if got := sniffOpenVPNStream(FromClient, join(0, 100, client[:100])); got != No {
		t.Errorf("too short for a wrapped key: got %v", got)
	}
	server := join(0x40, "SESSION2", ovpnReplay, make([]byte, 54))
	for _, size := range []int{0, 1} {
		msgs, err := play(t, newOpenVPNStream(), []chunk{{FromClient, framed}, {FromServer, join(0, len(server), server)}}, size)
		want := []Message{
			&OpenVPN{From: FromClient, Version: 3, Session: "53455353494f4e31", Wrapping: "tls-crypt-v2"},
			&OpenVPN{From: FromServer, Version: 2, Session: "53455353494f4e32", Wrapping: "tls-crypt-v2"},
		}
		if diff := cmp.Diff(want, msgs); diff != "" || !errors.Is(err, ErrDone) {
			t.Errorf("step %d: %v, messages differ (-want +got):\n%s", size, err, diff)
		}
	}
}

func TestOpenVPNSession(t *testing.T) {
	client, server := join(0x38, "SESSION1", ovpnClientReset), join(0x40, "SESSION2", ovpnServerReset)
	f := newOpenVPNFlow()
	for _, step := range []struct {
		dir  Dir
		in   []byte
		msgs int
		err  error
	}{
		{FromClient, client, 1, nil},
		{FromClient, client, 0, nil}, // sent again
		{FromClient, join(0x28, make([]byte, 20)), 0, nil},
		{FromClient, join(0xff, 1, 2), 0, ErrNotMine},
		{FromServer, server, 1, ErrDone},
	} {
		msgs, err := f.Datagram(step.dir, step.in, nil)
		if len(msgs) != step.msgs || !errors.Is(err, step.err) {
			t.Errorf("%x: got %v, %v", step.in, msgs, err)
		}
	}
	for _, size := range []int{0, 1} {
		msgs, err := play(t, newOpenVPNStream(), []chunk{
			{FromClient, join(0, len(client), client, 0, 3, 0x28, 1, 2)},
			{FromServer, join(0, len(server), server)},
		}, size)
		if len(msgs) != 2 || !errors.Is(err, ErrDone) {
			t.Errorf("over TCP, step %d: got %v, %v", size, msgs, err)
		}
	}
}
