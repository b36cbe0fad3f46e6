package eve

import (
	"testing"

	"gatehouse/internal/testkit"
)

// said is one payload of a dialogue, from the client unless server is set.
type said struct {
	server  bool
	payload string
}

func client(payload string) said { return said{payload: payload} }
func server(payload string) said { return said{server: true, payload: payload} }

// TestGoldenServices plays a dialogue over TCP, or over UDP, of each service.
func TestGoldenServices(t *testing.T) {
	for _, c := range []struct {
		name     string
		port     uint16
		udp      bool
		dialogue []said
	}{
		{"mqtt", 1883, false, []said{
			client("\x10\x1d\x00\x04MQTT\x04\xc2\x00\x3c\x00\x04cam1\x00\x04root\x00\x05vizxv\x82\x08\x00\x01\x00\x03a/#\x00"),
			server("\x20\x02\x00\x00"),
			client("\x30\x09\x00\x05t/tmp21"),
			client("\x30\x09\x00\x05t/tmp22"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScenario(t)
			to := cloud(c.port)
			if !c.udp {
				s.connect(camera, to)
			}
			for _, p := range c.dialogue {
				a, b := camera, to
				if p.server {
					a, b = to, camera
				}
				if c.udp {
					s.udp(a, b, []byte(p.payload))
				} else {
					s.tcp(a, b, "PA", []byte(p.payload))
				}
			}
			if !c.udp {
				s.disconnect(camera, to)
			}
			testkit.Golden(t, s.log(), "testdata/"+c.name+".jsonl")
		})
	}
}
