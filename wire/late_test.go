package wire

import "testing"

// TestSniffLate: in the middle of a connection only the unmistakable counts.
func TestSniffLate(t *testing.T) {
	hello := "\x16\x03\x01\x00\xc8" + // handshake record of 200 bytes, TLS 1.0
		"\x01\x00\x00\xc4" + // ClientHello of 196 bytes
		"\x03\x03" // legacy_version TLS 1.2
	for _, c := range []struct {
		name, bytes, want string
	}{
		{"nothing", "", ""},
		{"client hello", hello, "tls"},
		{"client hello, cut before its version", hello[:10], ""},
		{"server hello", "\x16\x03\x03\x00\x51\x02\x00\x00\x4d\x03\x03", ""},
		{"TLS alert", "\x15\x03\x03\x00\x02\x02\x28", ""},
		{"SSL 2.0 client hello", "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", ""},
		{"request", "GET /status HTTP/1.1\r\n", "http"},
		{"request line without an end", "GET /status HTTP/1.1", ""},
		{"response", "HTTP/1.1 200 OK\r\n", ""},
		{"SMTP", "EHLO client.example\r\n", ""},
		{"IMAP", "a1 STARTTLS\r\n", ""},
		{"SIP", "OPTIONS sip:a@example.com SIP/2.0\r\n", ""},
		{"RTSP", "DESCRIBE rtsp://camera.example/1 RTSP/1.0\r\n", ""},
		{"SOCKS5", "\x05\x01\x00", ""},
		{"MQTT, a topic", "\x30\x08\x00\x04bus1on", "mqtt"},
		{"MQTT, a topic with an identifier, then a ping", "\x32\x08\x00\x04bus1\x00\x07\xc0\x00", "mqtt"},
		{"MQTT, no identifier", "\x32\x08\x00\x04bus1\x00\x00", ""},
		{"MQTT, a filter", "\x30\x08\x00\x04bus+on", ""},
		{"MQTT, a topic of two bytes", "\x30\x06\x00\x02abon", ""},
		{"MQTT, cut", "\x30\x09\x00\x04bus1on", ""},
		{"MQTT, half a packet behind it", "\x30\x08\x00\x04bus1on\xc0", ""},
		{"LDAP", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			for _, p := range Table() {
				if p.SniffLate != nil && p.SniffLate([]byte(c.bytes)) {
					got += p.Name
				}
			}
			if got != c.want {
				t.Errorf("recognised as %q, want %q", got, c.want)
			}
		})
	}
}
