package eve

import (
	"encoding/base64"
	"strings"
	"testing"

	"gatehouse/internal/testkit"
)

// Initial packets of a QUIC client and a server, with the frames of a
// ClientHello for cloud.example that offers h3, and of its answer.
const (
	quicClient = "wQAAAAEIb3JpZ2luYWwAAECPVWFPVdQh1ZN04ustHsACHJWBxot04ltfpdGp1Lulez/h+5BgWY+PY/t7vwD1709rPWWPQclnkKGzZSA8" +
		"hVmXB7ICj3XtJ+mSU9WrO5LWPmOyuVpcJjchfwd205dmcuKE/9Lswb+pL7YJOKGKerkCWEckrYo/SXK/jIa3hCvB9VHPjNSPZHOP+NPKPlFJxAw="
	quicServer = "xgAAAAEACHNlcnZlcmlkAEBMGcSiEIl3Coq0LtaNZgMgOEEqfLIfNc4sBwcOCZIowk/34c/AakIvUvy89oXGkGMTarjMsFvPRnCkavWUG1tc" +
		"TNn0RqHi2aIo/E8KBg=="
)

func unbase64(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestGoldenDatagramTLS: a handshake in QUIC, one that is never answered, and
// one of DTLS.
func TestGoldenDatagramTLS(t *testing.T) {
	s := newScenario(t)
	s.udp(camera, cloud(443), unbase64(t, quicClient))
	s.udp(cloud(443), camera, unbase64(t, quicServer))
	s.udp(camera.at(49153), cloud(443), unbase64(t, quicClient))
	// The record header of DTLS adds an epoch and a sequence number, that of a
	// handshake message a number and a fragment.
	client, server := camera.at(49154), cloud(5684)
	s.udp(client, server, dtlsRecord(1, []byte("\xfe\xfd"+string(make([]byte, 32))+
		"\x00\x00"+"\x00\x02\xc0\x2b"+"\x01\x00"+
		"\x00\x16"+"\x00\x00\x00\x12\x00\x10\x00\x00\x0dcloud.example")))
	s.udp(server, client, append(dtlsRecord(2, []byte("\xfe\xfd"+string(make([]byte, 32))+"\x00"+"\xc0\x2b"+"\x00"+"\x00\x00")),
		dtlsRecord(11, certificateMessage(t)[9:])...))
	testkit.Golden(t, s.log(), "testdata/datagram_tls.jsonl")
}

// sshPacket wraps a payload without encryption.
func sshPacket(payload string) []byte {
	n := len(payload) + 5
	return append([]byte{0, 0, byte(n >> 8), byte(n), 4}, payload+"\x00\x00\x00\x00"...)
}

// sshKexInit offers algorithms.
func sshKexInit(kex, cipher string) []byte {
	payload := "\x14" + string(make([]byte, 16))
	for _, list := range []string{kex, "ssh-ed25519", cipher, cipher, "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""} {
		payload += string([]byte{0, 0, 0, byte(len(list))}) + list
	}
	return sshPacket(payload + "\x00\x00\x00\x00\x00")
}

// TestGoldenSSH: a login that fails and one that succeeds, both inferred.
func TestGoldenSSH(t *testing.T) {
	s := newScenario(t)
	client, server := camera, gateway.at(22)
	s.connect(client, server)
	s.tcp(server, client, "PA", []byte("SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13\r\n"))
	s.tcp(client, server, "PA", []byte("SSH-2.0-dropbear_2022.83\r\n"))
	s.tcp(client, server, "PA", sshKexInit("curve25519-sha256,diffie-hellman-group14-sha1", "aes128-ctr,3des-cbc"))
	s.tcp(server, client, "PA", sshKexInit("curve25519-sha256", "aes256-ctr,aes128-ctr"))
	newKeys := string(sshPacket("\x15"))
	s.tcp(server, client, "PA", []byte(newKeys))
	s.tcp(client, server, "PA", []byte(newKeys+strings.Repeat("x", 64))) // asks for ssh-userauth
	s.tcp(server, client, "PA", make([]byte, 64))                        // accepted
	for _, answer := range []int{80, 80, 48} {                           // the list of methods, a refusal, success
		s.tcp(client, server, "PA", make([]byte, 96))
		s.tcp(server, client, "PA", make([]byte, answer))
	}
	s.disconnect(client, server)
	testkit.Golden(t, s.log(), "testdata/ssh.jsonl")
}

// TestGoldenDesktops: a Remote Desktop that goes on in TLS, one that is
// refused, and VNC with a wrong password.
func TestGoldenDesktops(t *testing.T) {
	s := newScenario(t)
	x224 := func(kind byte, variable string) []byte {
		n := byte(len(variable))
		return append([]byte{3, 0, 0, 11 + n, 6 + n, kind, 0, 0, 0, 0, 0}, variable...)
	}
	for i, answer := range []string{"\x02\x1f\x08\x00\x01\x00\x00\x00", "\x03\x00\x08\x00\x05\x00\x00\x00"} {
		client, server := camera.at(49152+uint16(i)), gateway.at(3389)
		s.connect(client, server)
		s.tcp(client, server, "PA", x224(0xe0, "Cookie: mstshash=operator\r\n\x01\x00\x08\x00\x03\x00\x00\x00"))
		s.tcp(server, client, "PA", x224(0xd0, answer))
		if i == 0 {
			s.tcp(client, server, "PA", clientHello("desk.example"))
		}
		s.disconnect(client, server)
	}
	client, server := camera.at(49160), gateway.at(5900)
	s.connect(client, server)
	for i, text := range []string{
		"RFB 003.008\n", "RFB 003.008\n", "\x02\x02\x10", "\x02", "CHALLENGE1234567", "ANSWER1234567890",
		"\x00\x00\x00\x01\x00\x00\x00\x0eLogin refused.",
	} {
		if i%2 == 0 {
			s.tcp(server, client, "PA", []byte(text))
		} else {
			s.tcp(client, server, "PA", []byte(text))
		}
	}
	s.disconnect(client, server)
	testkit.Golden(t, s.log(), "testdata/desktops.jsonl")
}

// TestGoldenTunnels: VPNs, calls and peer-to-peer networks.
func TestGoldenTunnels(t *testing.T) {
	s := newScenario(t)
	zeros := func(n int) string { return string(make([]byte, n)) }
	for i, c := range []struct {
		port            uint16
		request, answer string
	}{
		{51820, "\x01\x00\x00\x00\x11\x22\x33\x44" + zeros(140), "\x02\x00\x00\x00\x55\x66\x77\x08\x11\x22\x33\x44" + zeros(80)},
		{1194, "\x38SESSION1" + zeros(5), "\x40SESSION2\x01" + zeros(4) + "SESSION1" + zeros(4)},
		{
			500, "INITIATE" + zeros(8) + "\x21\x20\x22\x08" + zeros(7) + "\x24" + "\x22\x00\x00\x04" + "\x00\x00\x00\x04",
			"INITIATERESPONSE\x21\x20\x22\x20" + zeros(7) + "\x54" +
				// AES-CBC with 256 bits, PRF and integrity with SHA-256, group 14
				"\x29\x00\x00\x30" + "\x00\x00\x00\x2c\x01\x01\x00\x04" +
				"\x03\x00\x00\x0c\x01\x00\x00\x0c\x80\x0e\x01\x00" + "\x03\x00\x00\x08\x02\x00\x00\x05" +
				"\x03\x00\x00\x08\x03\x00\x00\x0c" + "\x00\x00\x00\x08\x04\x00\x00\x0e" +
				"\x00\x00\x00\x08\x00\x00\x40\x04", // NAT_DETECTION_SOURCE_IP
		},
		{
			3478, "\x00\x03\x00\x20\x21\x12\xa4\x42TRANSACTION_" + "\x00\x06\x00\x03cam\x00" + "\x00\x14\x00\x04turn" + "\x00\x08\x00\x0cSIGNATURE12.",
			"\x01\x13\x00\x0c\x21\x12\xa4\x42TRANSACTION_" + "\x00\x09\x00\x04\x00\x00\x04\x01" + "\x80\x22\x00\x00",
		},
		{6881, "d1:ad2:id20:" + strings.Repeat("i", 20) + "9:info_hash20:" + strings.Repeat("h", 20) + "e1:q9:get_peers1:t2:aa1:v4:LT\x01\x021:y1:qe", "d1:rd2:id20:" + strings.Repeat("j", 20) + "6:valuesl6:\x0a\x00\x00\x02\x1a\xe1ee1:t2:aa1:y1:re"},
		{6882, "\x41\x00\x12\x34\x01\x02\x03\x04" + zeros(4) + "\x00\x10\x00\x00\x00\x01\x00\x00", "\x21\x00\x12\x34" + zeros(12) + "\x00\x01\x00\x01"},
	} {
		client, server := camera.at(49152+uint16(i)), cloud(c.port)
		s.udp(client, server, []byte(c.request))
		s.udp(server, client, []byte(c.answer))
	}
	testkit.Golden(t, s.log(), "testdata/tunnels.jsonl")
}

// TestGoldenUpgrades: TLS behind a proxy, behind STARTTLS, and in a Remote
// Desktop, whose flow stays one.
func TestGoldenUpgrades(t *testing.T) {
	s := newScenario(t)
	for i, c := range []struct {
		port    uint16
		clear   []string // said by turns
		greeted bool     // the server speaks first
	}{
		{8080, []string{"CONNECT cloud.example:443 HTTP/1.1\r\nHost: cloud.example:443\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"}, false},
		{25, []string{"220 mx.example ESMTP\r\n", "EHLO cam\r\n", "250-mx.example\r\n250 STARTTLS\r\n", "STARTTLS\r\n", "220 go ahead\r\n"}, true},
		{3389, []string{
			"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x01\x00\x00\x00",
			"\x03\x00\x00\x13\x0e\xd0\x00\x00\x00\x00\x00\x02\x00\x08\x00\x01\x00\x00\x00",
		}, false},
	} {
		client, server := camera.at(49152+uint16(i)), cloud(c.port)
		s.connect(client, server)
		for j, text := range c.clear {
			if c.greeted == (j%2 == 0) {
				s.tcp(server, client, "PA", []byte(text))
			} else {
				s.tcp(client, server, "PA", []byte(text))
			}
		}
		s.tcp(client, server, "PA", clientHello("cloud.example"))
		s.tcp(server, client, "PA", append(serverHello(0x0303, false, ""), certificateMessage(t)...))
		s.disconnect(client, server)
	}
	testkit.Golden(t, s.log(), "testdata/upgrades.jsonl")
}

// TestGoldenIKEv1: main mode. What was chosen and put in for the key stands
// with the messages that follow.
func TestGoldenIKEv1(t *testing.T) {
	s := newScenario(t)
	client, server := camera, cloud(500)
	message := func(responder, first, flags, payloads string) []byte {
		return []byte("INITIATE" + responder + first + "\x10\x02" + flags + "\x00\x00\x00\x00\x00\x00\x00" +
			string([]byte{byte(28 + len(payloads))}) + payloads)
	}
	const (
		none, responder, clear, encrypted = "\x00\x00\x00\x00\x00\x00\x00\x00", "RESPONSE", "\x00", "\x01"

		// One transform: AES-CBC with 256 bits, SHA-1, a shared key, group 2, a day.
		sa = "\x00\x00\x00\x3c\x00\x00\x00\x01\x00\x00\x00\x01" + "\x00\x00\x00\x30\x01\x01\x00\x01" +
			"\x00\x00\x00\x28\x01\x01\x00\x00" + "\x80\x01\x00\x07\x80\x0e\x01\x00\x80\x02\x00\x02\x80\x03\x00\x01" +
			"\x80\x04\x00\x02\x80\x0b\x00\x01\x00\x0c\x00\x04\x00\x01\x51\x80"
		key = "\x0a\x00\x00\x08PUBL" + "\x00\x00\x00\x08ONCE"
	)
	s.udp(client, server, message(none, "\x01", clear, sa))
	s.udp(server, client, message(responder, "\x01", clear, sa))
	s.udp(client, server, message(responder, "\x04", clear, key))
	s.udp(server, client, message(responder, "\x04", clear, key))
	s.udp(client, server, message(responder, "\x05", encrypted, none))
	testkit.Golden(t, s.log(), "testdata/ikev1.jsonl")
}

// dtlsRecord is a handshake message of DTLS 1.2 in one record.
func dtlsRecord(kind byte, body []byte) []byte {
	seq := byte(0)
	if kind == 11 { // follows the ServerHello
		seq = 1
	}
	high, n, all := byte(len(body)>>8), byte(len(body)), len(body)+12
	return append([]byte{
		22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, seq, byte(all >> 8), byte(all),
		kind, 0, high, n, 0, seq, 0, 0, 0, 0, high, n,
	}, body...)
}
