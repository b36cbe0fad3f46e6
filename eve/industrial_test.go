package eve

import (
	"testing"

	"gatehouse/internal/testkit"
)

// plc is a controller, hmi the panel that commands it.
func plc(port uint16) host { return host{[6]byte{2, 0, 0, 0, 0, 0x50}, "192.168.7.50", port} }

var hmi = host{mac: [6]byte{2, 0, 0, 0, 0, 0x60}, ip: "192.168.7.60", port: 50100}

// exchange plays a connection to a controller: the bytes of the panel and of
// the controller take turns.
func exchange(t *testing.T, port uint16, golden string, segments ...string) {
	t.Helper()
	s := newScenario(t)
	server := plc(port)
	s.connect(hmi, server)
	for i, b := range segments {
		from, to := hmi, server
		if i%2 == 1 {
			from, to = server, hmi
		}
		s.tcp(from, to, "PA", []byte(b))
	}
	s.disconnect(hmi, server)
	testkit.Golden(t, s.log(), golden)
}

func TestGoldenModbus(t *testing.T) {
	exchange(
		t, 502, "testdata/modbus.jsonl",
		"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x64\x00\x02",                     // two holding registers are read
		"\x00\x01\x00\x00\x00\x07\x01\x03\x04\x00\x07\x00\x08",                 //
		"\x00\x02\x00\x00\x00\x09\x01\x10\x00\x64\x00\x01\x02\x03\xe8",         // one is written
		"\x00\x02\x00\x00\x00\x03\x01\x90\x02",                                 // and refused
		"\x00\x03\x00\x00\x00\x06\x01\x08\x00\x01\x00\x00",                     // restart
		"\x00\x03\x00\x00\x00\x06\x01\x08\x00\x01\x00\x00",                     //
		"\x00\x04\x00\x00\x00\x05\x01\x2b\x0e\x01\x00",                         // who are you
		"\x00\x04\x00\x00\x00\x0e\x01\x2b\x0e\x01\x01\x00\x00\x01\x00\x04Acme", //
	)
}
