package eve

import (
	"encoding/base64"
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
	s.udp(server, client, dtlsRecord(2, []byte("\xfe\xfd"+string(make([]byte, 32))+"\x00"+"\xc0\x2b"+"\x00"+"\x00\x00")))
	testkit.Golden(t, s.log(), "testdata/datagram_tls.jsonl")
}

// dtlsRecord is a handshake message of DTLS 1.2 in one record.
func dtlsRecord(kind byte, body []byte) []byte {
	n := byte(len(body))
	return append([]byte{
		22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, n + 12,
		kind, 0, 0, n, 0, 0, 0, 0, 0, 0, 0, n,
	}, body...)
}
