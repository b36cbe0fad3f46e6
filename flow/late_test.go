package flow

import (
	"strings"
	"testing"

	"gatehouse/wire"
)

// lateHello is a TLS 1.2 ClientHello without extensions.
var lateHello = "\x16\x03\x01\x00\x2d" + // handshake record of 45 bytes
	"\x01\x00\x00\x29" + // ClientHello of 41 bytes
	"\x03\x03" + strings.Repeat("r", 32) + // version, random
	"\x00" + // no session id
	"\x00\x02\x00\x2f" + // TLS_RSA_WITH_AES_128_CBC_SHA
	"\x01\x00" // no compression

// lateServerHello answers it.
var lateServerHello = "\x16\x03\x03\x00\x2a" + // handshake record of 42 bytes
	"\x02\x00\x00\x26" + // ServerHello of 38 bytes
	"\x03\x03" + strings.Repeat("s", 32) + // version, random
	"\x00\x00\x2f\x00" // no session id, cipher, no compression

// TestProtocolBeginsLate follows connections that another protocol opened.
func TestProtocolBeginsLate(t *testing.T) {
	type turn struct {
		server  bool
		payload string
	}
	filler := func(server bool, n int) (out []turn) {
		for ; n > 0; n -= 1000 {
			out = append(out, turn{server, strings.Repeat("\xaa\xbb", min(n, 1000)/2)})
		}
		return out
	}
	for _, c := range []struct {
		name  string
		turns []turn
		want  string // protocols of the messages
	}{
		{"STARTTLS", []turn{
			{true, "220 mx.example ESMTP\r\n"},
			{false, "EHLO client.example\r\n"},
			{true, "250-mx.example\r\n250 STARTTLS\r\n"},
			{false, "STARTTLS\r\n"},
			{true, "220 go ahead\r\n"},
			{false, lateHello},
			{true, lateServerHello},
		}, "smtp tls tls"},
		{"SOCKS", []turn{
			{false, "\x05\x01\x00"},
			{true, "\x05\x00"},
			{false, "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"},
			{true, "\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x50"},
			{false, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"},
			{true, "HTTP/1.1 204 No Content\r\n\r\n"},
		}, "socks http http"},
		{"a hello within the unknown protocol's bytes", []turn{{false, "\xaa\xbb" + lateHello}}, ""},
		{"a server hello without its client's", []turn{{true, "\xaa\xbb\xcc"}, {true, lateServerHello}}, ""},
		{"just in time", append(filler(false, lateBudget-1000), turn{false, lateHello}), "tls"},
		{"too late", append(append(filler(true, 10), filler(false, lateBudget)...), turn{false, lateHello}), ""},
		{"too late, silent server", append(filler(false, lateBudget), turn{false, lateHello}), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, server := hostAt("192.168.1.20", 40000), hostAt("198.51.100.9", 4433)
			s := newTestShard(t, nil)
			frames := []at{
				{1, tcpFrame(t, client, server, TCPSyn, 99, 0, "")},
				{1, tcpFrame(t, server, client, TCPSyn|TCPAck, 499, 100, "")},
			}
			seq := [2]uint32{100, 500}
			for _, turn := range c.turns {
				from, to, i := client, server, 0
				if turn.server {
					from, to, i = server, client, 1
				}
				frames = append(frames, at{1, tcpFrame(t, from, to, TCPAck, seq[i], seq[1-i], turn.payload)})
				seq[i] += uint32(len(turn.payload))
			}
			var got []string
			for _, e := range play(s, frames...) {
				for _, m := range e.Messages {
					got = append(got, m.Protocol())
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("messages %q, want %q", got, c.want)
			}
			if used := len(s.streams.all) - len(s.streams.spare); used != 0 {
				t.Errorf("%d streams still in use", used)
			}
		})
	}
}

// TestUnknownProtocolGivesItsStreamBack: a bulk transfer in an unknown
// protocol must not keep parse state for its whole life.
func TestUnknownProtocolGivesItsStreamBack(t *testing.T) {
	client, server := hostAt("192.168.1.20", 40000), hostAt("198.51.100.9", 4433)
	s := NewShard(DefaultConfig(), wire.Table())
	block := strings.Repeat("\xaa\xbb", 600)
	seq := uint32(100)
	s.Packet(tcpFrame(t, client, server, TCPSyn, 99, 0, ""), second, 1)
	s.Packet(tcpFrame(t, server, client, TCPAck, 500, 100, block), second, 2)
	for i := range 4 {
		s.Packet(tcpFrame(t, client, server, TCPAck, seq, 1700, block), second, uint64(i+3))
		seq += uint32(len(block))
	}
	if used := len(s.streams.all) - len(s.streams.spare); used != 0 {
		t.Errorf("%d streams in use after %d unknown bytes, want none", used, seq-100)
	}
}
