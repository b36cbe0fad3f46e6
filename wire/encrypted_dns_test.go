package wire

import "testing"

func TestEncryptedDNS(t *testing.T) {
	for _, tt := range []struct {
		name  string
		hello ClientHello
		port  uint16
		want  string
	}{
		{"a web page", ClientHello{SNI: "cloud.example", ALPN: []string{"h2"}}, 443, ""},
		{"DoT by port", ClientHello{SNI: "dns.example"}, 853, "dot"},
		{"DoT by ALPN", ClientHello{ALPN: []string{"dot"}}, 443, "dot"},
		{"DoT of a public resolver", ClientHello{SNI: "dns.google"}, 853, "dot"},
		{"DoQ by ALPN", ClientHello{Proto: "quic", ALPN: []string{"doq"}}, 784, "doq"},
		{"DoQ by port", ClientHello{Proto: "quic"}, 853, "doq"},
		{"DoH", ClientHello{SNI: "mozilla.cloudflare-dns.com", ALPN: []string{"h2"}}, 443, "doh"},
		{"DoH over HTTP/3", ClientHello{Proto: "quic", SNI: "dns.google", ALPN: []string{"h3"}}, 443, "doh"},
		{"a site of the same owner", ClientHello{SNI: "www.google.com"}, 443, ""},
		{"DTLS", ClientHello{Proto: "dtls"}, 853, ""},
	} {
		if got := tt.hello.EncryptedDNS(tt.port); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
