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

// TestGoldenDatagrams: a host that announces itself through NetBIOS.
func TestGoldenDatagrams(t *testing.T) {
	s := newScenario(t)
	from, all := camera, host{ip: "192.168.7.255", port: 138, mac: [6]byte{255, 255, 255, 255, 255, 255}}
	from.port = 138
	body := netBIOSName("CAM-42", 0x20) + netBIOSName("HOME", 0x1d) +
		"\xffSMB\x25" + zeros(27) + "\x11" + zeros(24) + "\x56\x00" + zeros(8) + "\x00\x00\\MAILSLOT\\BROWSE\x00" +
		"\x01\x00\x80\xfc\x0a\x00CAM-42" + zeros(10) + "\x06\x01\x03\x02\x00\x00\x0f\x01\x55\xaahall\x00"
	s.udp(from, all, []byte("\x11\x0e\x12\x34\xc0\xa8\x07\x2a\x00\x8a"+string([]byte{byte(len(body) >> 8), byte(len(body))})+"\x00\x00"+body))
	testkit.Golden(t, s.log(), "testdata/nbdgm.jsonl")
}

// netBIOSName encodes a name as it is sent (RFC 1001 section 14.1).
func netBIOSName(name string, suffix byte) string {
	plain := append([]byte(name + "               ")[:15], suffix)
	out := []byte{32}
	for _, c := range plain {
		out = append(out, 'A'+c>>4, 'A'+c&15)
	}
	return string(append(out, 0))
}
