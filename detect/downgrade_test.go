package detect

import (
	"fmt"
	"testing"

	"gatehouse/baseline"
	"gatehouse/wire"
)

// What several TLS stacks agreed on does not depend on the order of a map.
func TestLowestIsDeterministic(t *testing.T) {
	e := baseline.Endpoint{Name: "x.example.com", Port: 443}
	m := baseline.NewModel(0)
	for i := range 20 {
		m.Handshakes.Put(baseline.Client{Endpoint: e, JA4: fmt.Sprint(i)}, baseline.Handshakes{
			Count: uint16(i), Version: 0x0303, Cipher: uint8(wire.ClassAEAD), Suite: uint16(0xc02b + i%3),
		})
	}
	m.Handshakes.Put(baseline.Client{Endpoint: e, JA4: "unknown"}, baseline.Handshakes{Count: 9, Version: 0x0304, Cipher: uint8(wire.ClassUnknown), Suite: 1})
	// Stacks with fewer than two handshakes do not count: 9 + (2 + 3 + ... + 19) = 198.
	want := baseline.Handshakes{Count: 198, Version: 0x0303, Cipher: uint8(wire.ClassAEAD), Suite: 0xc02b}
	for range 20 {
		if got := lowest(m, e); got != want {
			t.Fatalf("lowest is %+v, want %+v", got, want)
		}
	}
}
