package wire

import "testing"

// TestFingerprintsRemember: what is remembered is what would be made anew, and
// hellos that differ in one thing are kept apart.
func TestFingerprintsRemember(t *testing.T) {
	plain := ClientHello{
		Version: 0x0303, Versions: []uint16{0x0304, 0x0303}, Ciphers: []uint16{0x1301, 0x1302},
		Extensions: []uint16{0, 10, 11, 13, 16, 43}, Curves: []uint16{29, 23}, PointFormats: []uint8{0},
		SignatureSchemes: []uint16{0x0403, 0x0804}, ALPN: []string{"h2", "http/1.1"},
	}
	var f fingerprints
	hellos := map[string]func(*ClientHello){
		"plain":             func(*ClientHello) {},
		"QUIC":              func(m *ClientHello) { m.Proto = "quic" },
		"version":           func(m *ClientHello) { m.Version = 0x0301 },
		"highest version":   func(m *ClientHello) { m.Versions = m.Versions[1:] },
		"fewer ciphers":     func(m *ClientHello) { m.Ciphers = m.Ciphers[:1] },
		"order of ciphers":  func(m *ClientHello) { m.Ciphers = []uint16{0x1302, 0x1301} },
		"no server name":    func(m *ClientHello) { m.Extensions = m.Extensions[1:] },
		"a group less":      func(m *ClientHello) { m.Curves = m.Curves[:1] },
		"group, not cipher": func(m *ClientHello) { m.Ciphers, m.Curves = m.Ciphers[:1], []uint16{0x1302, 29, 23} },
		"no point formats":  func(m *ClientHello) { m.PointFormats = nil },
		"a scheme less":     func(m *ClientHello) { m.SignatureSchemes = m.SignatureSchemes[:1] },
		"another protocol":  func(m *ClientHello) { m.ALPN = []string{"http/1.1"} },
		"no protocol":       func(m *ClientHello) { m.ALPN = nil },
	}
	for range 2 { // made, then remembered
		for name, change := range hellos {
			m := plain
			change(&m)
			if ja3, ja4 := f.of(&m); ja3 != m.ja3() || ja4 != m.ja4() {
				t.Errorf("%s: %s %s, want %s %s", name, ja3, ja4, m.ja3(), m.ja4())
			}
		}
	}
	if len(f.known) != len(hellos) {
		t.Errorf("%d hellos are remembered, want %d", len(f.known), len(hellos))
	}
}

// TestFingerprintsAreBounded: neither who shuffles nor who sends much of a list
// fills the memory.
func TestFingerprintsAreBounded(t *testing.T) {
	var f fingerprints
	for i := range 2 * maxFingerprints {
		f.of(&ClientHello{Ciphers: []uint16{uint16(i)}})
		if len(f.known) > maxFingerprints {
			t.Fatalf("%d fingerprints", len(f.known))
		}
	}
	before := len(f.known)
	long := &ClientHello{Ciphers: make([]uint16, maxHelloTraits)}
	if ja3, ja4 := f.of(long); ja3 != long.ja3() || ja4 != long.ja4() || len(f.known) != before {
		t.Error("a hello of 1,024 ciphers was remembered, or not as it is")
	}
}
