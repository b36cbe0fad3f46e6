package eve

import (
	"testing"

	"gatehouse/internal/testkit"
)

// TestGoldenUnexpected: what was sent to the port of TLS is HTTP, and then
// nothing that is known.
func TestGoldenUnexpected(t *testing.T) {
	s := newScenario(t)
	server := cloud(443)
	for i, request := range []string{"GET /c2 HTTP/1.1\r\nHost: cloud.example\r\n\r\n", "\xaa\xbb\xcc\xdd\xee\xff\x00\x11"} {
		client := camera.at(50000 + uint16(i))
		s.connect(client, server)
		s.tcp(client, server, "PA", []byte(request))
		s.disconnect(client, server)
	}
	testkit.Golden(t, s.log(), "testdata/unexpected.jsonl")
}
