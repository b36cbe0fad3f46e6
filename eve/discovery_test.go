package eve

import (
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"gatehouse/internal/testkit"
)

// TestGoldenNeighbors: what is said directly above Ethernet.
func TestGoldenNeighbors(t *testing.T) {
	s := newScenario(t)
	s.ethernet(gateway, [6]byte{1, 0x80, 0xc2, 0, 0, 0x0e}, 0x88cc,
		"\x02\x07\x04\x02\x00\x00\x00\x00\x01\x04\x05\x05eth0\x06\x02\x00\x78\x0a\x07switch1\x0c\x0cSwitchOS 1.2"+
			"\x0e\x04\x00\x14\x00\x04\x10\x0c\x05\x01\xc0\xa8\x07\x01\x02\x00\x00\x00\x01\x00\x00\x00")
	s.frame(&layers.Ethernet{SrcMAC: gateway.mac[:], DstMAC: []byte{1, 0, 0x0c, 0xcc, 0xcc, 0xcc}, EthernetType: layers.EthernetTypeLLC, Length: 40},
		gopacket.Payload("\xaa\xaa\x03\x00\x00\x0c\x20\x00\x02\xb4\x00\x00\x00\x01\x00\x0brouter1\x00\x03\x00\x09Gi0/1"+
			"\x00\x06\x00\x09C1841"))
	s.ethernet(camera, [6]byte{1, 0x80, 0xc2, 0, 0, 3}, 0x888e, "\x01\x00\x00\x0a\x02\x01\x00\x0a\x01alice")
	testkit.Golden(t, s.log(), "testdata/neighbors.jsonl")
}

// TestGoldenICMP: errors, neighbour discovery, groups.
func TestGoldenICMP(t *testing.T) {
	s := newScenario(t)
	quoted := "\x45\x00\x00\x3c\x00\x00\x00\x00\x40\x11\x00\x00\xc0\xa8\x07\x2a\xcb\x00\x71\x50\xc0\x00\x00\x35\x00\x28\x00\x00"
	s.packet(gateway, camera, layers.IPProtocolICMPv4, gopacket.Payload("\x03\x01\x00\x00\x00\x00\x00\x00"+quoted))
	router, nodes := host{gateway.mac, "fe80::1", 0}, host{[6]byte{0x33, 0x33, 0, 0, 0, 1}, "ff02::1", 0}
	linkLocal := "\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	s.packet(router, nodes, layers.IPProtocolICMPv6, gopacket.Payload("\x86\x00\x00\x00\x40\x40\x07\x08\x00\x00\x00\x00\x00\x00\x00\x00"+
		"\x01\x01\x02\x00\x00\x00\x00\x01\x19\x03\x00\x00\x00\x00\x02\x58"+linkLocal))
	s.packet(host{camera.mac, "fe80::2a", 0}, nodes, layers.IPProtocolICMPv6, gopacket.Payload("\x87\x00\x00\x00\x00\x00\x00\x00"+linkLocal+"\x01\x01\x02\x00\x00\x00\x00\x2a"))
	s.packet(camera, host{[6]byte{1, 0, 0x5e, 0, 0, 0x16}, "224.0.0.22", 0}, layers.IPProtocolIGMP,
		gopacket.Payload("\x22\x00\x00\x00\x00\x00\x00\x01\x04\x00\x00\x00\xef\xff\xff\xfa"))
	s.packet(host{camera.mac, "fe80::2a", 0}, host{[6]byte{0x33, 0x33, 0, 0, 0, 0x16}, "ff02::16", 0}, layers.IPProtocolICMPv6,
		gopacket.Payload("\x8f\x00\x00\x00\x00\x00\x00\x01\x04\x00\x00\x00"+linkLocal))
	testkit.Golden(t, s.log(), "testdata/icmp.jsonl")
}

// TestGoldenDiscovery: who is there, by name and by service.
func TestGoldenDiscovery(t *testing.T) {
	s := newScenario(t)
	s.udp(host{camera.mac, "fe80::2a", 546}, host{[6]byte{0x33, 0x33, 0, 1, 0, 2}, "ff02::1:2", 547},
		[]byte("\x01\x12\x34\x56\x00\x01\x00\x0a\x00\x03\x00\x01\x02\x00\x00\x00\x00\x2a\x00\x06\x00\x04\x00\x17\x00\x18"+
			"\x00\x27\x00\x0b\x00\x04cam1\x03lan\x00"))
	s.udp(camera.at(137), host{broadcast, "192.168.7.255", 137},
		[]byte("\x00\x07\x01\x10\x00\x01\x00\x00\x00\x00\x00\x00\x20EGEJEMEFFDEFFCFGEFFCCACACACACACA\x00\x00\x20\x00\x01"))
	s.udp(camera.at(50000), host{[6]byte{1, 0, 0x5e, 0x7f, 0xff, 0xfa}, "239.255.255.250", 1900},
		[]byte("NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\n"+
			"USN: uuid:1::upnp:rootdevice\r\nSERVER: Linux/5 UPnP/1.0 Cam/2\r\nLOCATION: http://192.168.7.42/d.xml\r\n\r\n"))
	s.udp(camera.at(3702), hmi, []byte(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" `+
		`xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action></s:Header>`+
		`<s:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:7</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types>`+
		`<d:Scopes>onvif://www.onvif.org/hardware/C42</d:Scopes><d:XAddrs>http://192.168.7.42/onvif</d:XAddrs></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>`))
	testkit.Golden(t, s.log(), "testdata/discovery.jsonl")
}
