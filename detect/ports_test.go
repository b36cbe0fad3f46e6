package detect

import (
	"testing"

	"gatehouse/baseline"
	"gatehouse/device"
	"gatehouse/flow"
)

func TestServiceTable(t *testing.T) {
	seen := map[[2]int]string{}
	for _, s := range wellKnown {
		key := [2]int{int(s.proto), int(s.port)}
		if other, ok := seen[key]; ok {
			t.Errorf("%d/%d is both %s and %s", s.proto, s.port, other, s.name)
		}
		seen[key] = s.name
		if s.name == "" || s.remote && s.internet {
			t.Errorf("%+v: wants a name, and not to be both an intruder's way and common on the internet", s)
		}
	}
	for _, tt := range []struct {
		scope baseline.Scope
		proto uint8
		port  uint16
		want  string
	}{
		{baseline.WAN, protoTCP, 443, "HTTPS (tcp/443)"},
		{baseline.WAN, protoUDP, 443, "QUIC (udp/443)"},
		{baseline.WAN, protoTCP, 4444, "tcp/4444"},
		{baseline.WAN, protoUDP, 51413, "udp on a dynamic port"},
		{baseline.WAN, 47, 0, "ip-47/0"},
	} {
		if got := serviceLabel(baseline.NewServiceKey(tt.scope, tt.proto, tt.port)); got != tt.want {
			t.Errorf("label of %d/%d: %q, want %q", tt.proto, tt.port, got, tt.want)
		}
	}
}

func TestLeftOut(t *testing.T) {
	gateway := &device.Device{Gateway: true}
	dev := &device.Device{ID: "d"}
	for _, tt := range []struct {
		name string
		in   Input
		r    flow.Record
		want bool
	}{
		{"TCP with a handshake", Input{Client: dev}, flow.Record{Proto: protoTCP, Initiator: flow.BySYN, Flags: [2]uint8{flagSYN, flagSYN | flagACK}}, false},
		{"TCP joined late at a known port", Input{Client: dev}, flow.Record{Proto: protoTCP, Initiator: flow.ByPort, Flags: [2]uint8{flagACK, flagACK}}, false},
		{"TCP of unknown direction", Input{Client: dev}, flow.Record{Proto: protoTCP, Initiator: flow.ByFirstSeen}, true},
		{"a bare RST", Input{Client: dev}, flow.Record{Proto: protoTCP, Initiator: flow.ByPort, Flags: [2]uint8{flagRST, 0}}, true},
		{"mDNS", Input{Client: dev}, flow.Record{Proto: protoUDP, Server: flow.Endpoint{Port: 5353}}, true},
		{"DNS at the gateway", Input{Client: dev, Server: gateway}, flow.Record{Proto: protoUDP, Server: flow.Endpoint{Port: 53}}, true},
		{"DNS elsewhere", Input{Client: dev}, flow.Record{Proto: protoUDP, Server: flow.Endpoint{Port: 53}}, false},
		{"late UDP from outside", Input{Server: dev}, flow.Record{Proto: protoUDP, Initiator: flow.ByFirstSeen, Server: flow.Endpoint{Port: 40000}}, true},
		{"a ping", Input{Client: dev}, flow.Record{Proto: protoICMP, ICMPType: 8}, false},
		{"unreachable", Input{Client: dev}, flow.Record{Proto: protoICMP, ICMPType: 3}, true},
		{"a ping over IPv6", Input{Client: dev}, flow.Record{Proto: protoICMPv6, ICMPType: 128}, false},
		{"neighbour discovery", Input{Client: dev}, flow.Record{Proto: protoICMPv6, ICMPType: 135}, true},
	} {
		in := tt.in
		in.Event = &flow.Event{Record: tt.r}
		if got := leftOut(&in); got != tt.want {
			t.Errorf("%s: left out %v, want %v", tt.name, got, tt.want)
		}
	}
}
