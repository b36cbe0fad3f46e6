package eve

import (
	"testing"

	"gatehouse/internal/testkit"
)

// TestGoldenTransfers: flows that others announce.
func TestGoldenTransfers(t *testing.T) {
	s := newScenario(t)
	control, data := cloud(21), cloud(49163)
	puller := camera.at(49153)
	s.connect(camera, control)
	s.tcp(camera, control, "PA", []byte("PASV\r\n"))
	s.tcp(control, camera, "PA", []byte("227 Passive (203,0,113,80,192,11)\r\n"))
	s.tcp(camera, control, "PA", []byte("RETR firmware.bin\r\n"))
	s.connect(puller, data)
	s.tcp(control, camera, "PA", []byte("150 Here it comes\r\n"))
	s.tcp(data, puller, "PA", []byte("\x7fELF"))
	s.disconnect(puller, data)
	s.tcp(control, camera, "PA", []byte("226 Done\r\n"))
	s.disconnect(camera, control)

	asks, answers := camera.at(49154), cloud(3445)
	s.udp(asks, cloud(69), []byte("\x00\x01fw.bin\x00octet\x00"))
	s.udp(answers, asks, []byte("\x00\x03\x00\x01\x7fELF"))
	s.udp(asks, answers, []byte("\x00\x04\x00\x01"))
	testkit.Golden(t, s.log(), "testdata/transfers.jsonl")
}
