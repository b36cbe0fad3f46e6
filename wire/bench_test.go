package wire

import (
	"crypto/tls"
	"testing"
)

func benchDatagram(b *testing.B, in []byte, parse func([]byte) (Message, error)) {
	b.Helper()
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := parse(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDNSQuery(b *testing.B) {
	benchDatagram(b, join(dnsHead(1, 0, 1, 0, 0, 0), questionA), new(dnsParser).dns)
}

// BenchmarkDNSAnswer is an alias of an alias of two addresses, asked for again.
func BenchmarkDNSAnswer(b *testing.B) { benchDatagram(b, dnsAnswerBytes(b), new(dnsParser).dns) }

func BenchmarkDHCPDiscover(b *testing.B) {
	benchDatagram(b, bootp(1, nil, nil, join(53, 1, 1, 61, 7, 1, 2, 0, 0, 0, 0, 7, 12, 4, "cam1", 60, 4, "udhc", 55, 3, 1, 3, 6, 255)), parseDHCPv4)
}

func BenchmarkARP(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseARP(arpRequest); err != nil {
			b.Fatal(err)
		}
	}
}

// benchHandshake measures one chunk of a handshake on a fresh stream that has
// read the chunks before it.
func benchHandshake(b *testing.B, which int) {
	b.Helper()
	client, server, _ := tlsPair(b, tls.VersionTLS12)
	chunks, _ := handshake(b, client, server)
	ready := tlsStream{known: true, memory: new(memory)}
	c := chunks[which]
	b.ReportAllocs()
	b.SetBytes(int64(len(c.b)))
	msgs := make([]Message, 0, 4)
	for b.Loop() {
		s := ready
		if _, out, err := s.Feed(c.dir, c.b, msgs); err != nil || len(out) == 0 {
			b.Fatal(len(out), err)
		}
	}
}

func BenchmarkClientHello(b *testing.B) { benchHandshake(b, 0) }

// BenchmarkServerFlight is a ServerHello with a self-signed P-256 certificate,
// whose signature is checked.
func BenchmarkServerFlight(b *testing.B) { benchHandshake(b, 1) }

// BenchmarkCertificate is a leaf and an intermediate, without a signature to
// check.
func BenchmarkCertificate(b *testing.B) {
	a := newAuthority(b)
	body := join(0, 0, 0)
	for _, der := range a.chain {
		body = append(body, join(0, len(der)>>8, len(der), der)...)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if m := (*chains)(nil).parseCertificate(body, false, false); m.ParseError != "" {
			b.Fatal(m.ParseError)
		}
	}
}

func BenchmarkVerifyChain(b *testing.B) {
	a := newAuthority(b)
	b.ReportAllocs()
	for b.Loop() {
		if v := VerifyChain(a.chain, a.roots, "device.example", certFrom); v.Faults != 0 {
			b.Fatal(v)
		}
	}
}

func BenchmarkHTTPRequest(b *testing.B) {
	in := []byte("GET /api/v1/state?id=42 HTTP/1.1\r\nHost: cloud.example\r\nUser-Agent: Thing/1.2 (esp32)\r\n" +
		"Accept: */*\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer abcdef\r\nConnection: keep-alive\r\n\r\n")
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	msgs := make([]Message, 0, 4)
	for b.Loop() {
		s := httpStream{}
		if _, out, err := s.Feed(FromClient, in, msgs); err != nil || len(out) != 1 {
			b.Fatal(len(out), err)
		}
	}
}
