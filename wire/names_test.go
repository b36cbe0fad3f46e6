package wire

import (
	"net/netip"
	"strings"
	"testing"
)

// option6 is an option of DHCPv6.
func option6(code int, value ...any) []byte {
	v := join(value...)
	return join(code>>8, code, len(v)>>8, len(v), v)
}

var (
	duid    = join(0, 3, 0, 1, 2, 0, 0, 0, 0, 7)
	solicit = join(1, 0x12, 0x34, 0x56, option6(1, duid), option6(6, 0, 23, 0, 24), option6(39, 0, 4, "cam1", 3, "lan", 0),
		option6(16, 0, 0, 1, 0x37, 0, 8, "MSFT 5.0"), option6(3, make([]byte, 12)), option6(112, "https://a.example/mud"))
)

func TestParseDHCPv6(t *testing.T) {
	want := func(edit func(*DHCPv6)) *DHCPv6 {
		m := &DHCPv6{
			Type: 1, XID: 0x123456, ClientID: duid, Requested: []uint16{23, 24}, FQDN: "cam1.lan", Enterprise: 311,
			Vendor: "MSFT 5.0", MUD: "https://a.example/mud", Options: []uint16{1, 6, 39, 16, 3, 112},
		}
		edit(m)
		return m
	}
	reply := join(7, 0, 0, 1, option6(2, duid), option6(23, linkLocal), option6(24, 3, "lan", 0),
		option6(3, make([]byte, 12), option6(5, linkLocal, make([]byte, 8))),
		option6(25, make([]byte, 12), option6(26, make([]byte, 8), 56, 0x20, 1, 0x0d, 0xb8, make([]byte, 12))))
	linkLocalAddr := netip.MustParseAddr("fe80::1")
	testParse(t, parseDHCPv6, []parseCase{
		{"solicit", solicit, want(func(*DHCPv6) {}), nil},
		{"relayed", join(12, 0, make([]byte, 32), option6(9, solicit)), want(func(m *DHCPv6) { m.Relayed = true }), nil},
		{"reply", reply, &DHCPv6{
			Type: 7, XID: 1, ServerID: duid, DNS: []netip.Addr{linkLocalAddr}, Search: []string{"lan"}, Addrs: []netip.Addr{linkLocalAddr},
			Prefixes: []netip.Prefix{netip.MustParsePrefix("2001:db8::/56")}, Options: []uint16{2, 23, 24, 3, 25},
		}, nil},
		{"cut in an option", solicit[:30], &DHCPv6{Type: 1, XID: 0x123456, ClientID: duid, Requested: []uint16{23, 24}, Options: []uint16{1, 6}, Truncated: true}, nil},
		{"unknown type", join(99, 0, 0, 1, option6(1, duid)), nil, ErrNotMine},
		{"text", []byte(strings.Repeat("\x01abc", 9)), nil, ErrNotMine},
		{"no options", join(1, 0, 0, 1), nil, ErrTruncated},
		{"empty", nil, nil, ErrTruncated},
	})
}

// encodedNetBIOS encodes a name.
func encodedNetBIOS(name string, suffix byte) []byte {
	b := join(32)
	for len(name) < 15 {
		name += " "
	}
	for _, c := range append([]byte(name), suffix) {
		b = append(b, 'A'+c>>4, 'A'+c&15)
	}
	return append(b, 0)
}

func TestParseNBNS(t *testing.T) {
	query := join(0, 7, 1, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, encodedNetBIOS("FILESERVER", 0x20), 0, 32, 0, 1)
	registration := join(0, 8, 0x29, 0x10, 0, 1, 0, 0, 0, 0, 0, 1, encodedNetBIOS("PC1", 0), 0, 32, 0, 1,
		0xc0, 12, 0, 32, 0, 1, 0, 0, 0, 60, 0, 6, 0, 0, 192, 0, 2, 7)
	status := join(0, 9, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, encodedNetBIOS("*\x00", 0), 0, 33, 0, 1, 0, 0, 0, 0, 0, 1+2*18+6,
		2, "PC1            \x00", 4, 0, "WORKGROUP      \x1e", 0x84, 0, 2, 0, 0, 0, 0, 7)
	statusWant := &NBNS{ID: 9, Response: true, Name: "*", Type: 33, MAC: [6]byte{2, 0, 0, 0, 0, 7}, Names: []NetBIOSName{{"PC1", 0, false}, {"WORKGROUP", 0x1e, true}}}
	cut := *statusWant
	cut.MAC, cut.Names, cut.Truncated = [6]byte{}, cut.Names[:1], true
	testParse(t, parseNBNS, []parseCase{
		{"query", query, &NBNS{ID: 7, Name: "FILESERVER", Suffix: 0x20, Type: 32}, nil},
		{"registration", registration, &NBNS{ID: 8, Opcode: 5, Name: "PC1", Type: 32, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.7")}}, nil},
		{"node status", status, statusWant, nil},
		{"node status, cut", status[:len(status)-10], &cut, nil},
		{"DNS", join(dnsHead(1, 0, 1, 0, 0, 0), questionA), nil, ErrNotMine},
		{"cut in the name", query[:30], nil, ErrTruncated},
		{"empty", nil, nil, ErrTruncated},
	})
}

func TestParseSSDP(t *testing.T) {
	notify := "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\nnts: ssdp:alive\r\n" +
		"USN: uuid:1::upnp:rootdevice\r\nSERVER: Linux/5 UPnP/1.0 Cam/2\r\nLOCATION: http://192.0.2.7/d.xml\r\n\r\n"
	full := &SSDP{
		Method: "NOTIFY", Target: "upnp:rootdevice", State: "ssdp:alive", USN: "uuid:1::upnp:rootdevice",
		Server: "Linux/5 UPnP/1.0 Cam/2", Location: "http://192.0.2.7/d.xml",
	}
	testParse(t, new(memory).parseSSDP, []parseCase{
		{"announcement", []byte(notify), full, nil},
		{"search", []byte("M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\nUSER-AGENT: App/1\r\n\r\n"), &SSDP{Method: "M-SEARCH", Target: "ssdp:all", UserAgent: "App/1"}, nil},
		{"answer", []byte("HTTP/1.1 200 OK\r\nST: a\r\nUSN: b\r\n\r\n"), &SSDP{Target: "a", USN: "b"}, nil},
		{"cut in a field", []byte(notify[:70]), &SSDP{Method: "NOTIFY", Target: "upnp:rootdevice", Truncated: true}, nil},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), nil, ErrNotMine},
		{"empty", nil, nil, ErrNotMine},
	})
	if !sniffSSDP([]byte("M-SEARCH * HTTP/1.1\r\n")) || sniffSSDP([]byte("M-SEARCH * HTTP/1.1\r\nHost: x\r\n\r\n")) {
		t.Error("a search by its start line alone")
	}
	if !sniffSSDP([]byte(notify)) || sniffSSDP([]byte("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n")) {
		t.Error("recognises the wrong one")
	}
}

var probeMatch = []byte(`<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ` +
	`xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">` +
	`<s:Header><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action>` +
	`<a:To><a:Address>anonymous</a:Address></a:To></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>` +
	`<a:EndpointReference><a:Address>urn:uuid:7</a:Address></a:EndpointReference>` +
	"<d:Types>dn:NetworkVideoTransmitter\n tds:Device</d:Types><d:Scopes>onvif://a onvif://b</d:Scopes>" +
	`<d:XAddrs>http://192.0.2.7/onvif</d:XAddrs></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>`)

func TestParseWSDiscovery(t *testing.T) {
	full := &WSDiscovery{
		Action: "ProbeMatches", Endpoint: "urn:uuid:7", Types: []string{"NetworkVideoTransmitter", "Device"},
		Scopes: []string{"onvif://a", "onvif://b"}, XAddrs: []string{"http://192.0.2.7/onvif"},
	}
	cut := &WSDiscovery{Action: "ProbeMatches", Truncated: true}
	testParse(t, parseWSDiscovery, []parseCase{
		{"camera", probeMatch, full, nil},
		{"cut before the body", probeMatch[:400], cut, nil},
		{"other SOAP", []byte(`<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"/>`), nil, ErrNotMine},
		{"empty", nil, nil, ErrNotMine},
	})
}

func FuzzNames(f *testing.F) {
	f.Add(solicit)
	f.Add(probeMatch)
	f.Add(join(0, 7, 1, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, encodedNetBIOS("FILESERVER", 0x20), 0, 32, 0, 1))
	f.Add([]byte("NOTIFY * HTTP/1.1\r\nNT: upnp:rootdevice\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func([]byte) (Message, error){parseDHCPv6, parseNBNS, new(memory).parseSSDP, parseWSDiscovery} {
			m, err := parse(b)
			checkError(t, m, err)
		}
	})
}

func BenchmarkSolicit(b *testing.B)    { benchDatagram(b, solicit, parseDHCPv6) }
func BenchmarkProbeMatch(b *testing.B) { benchDatagram(b, probeMatch, parseWSDiscovery) }

func BenchmarkSSDPNotify(b *testing.B) {
	in := []byte("NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=1800\r\n" +
		"LOCATION: http://192.168.1.1:5000/rootDesc.xml\r\nSERVER: Linux/5.4 UPnP/1.1 MiniUPnPd/2.2\r\n" +
		"NT: upnp:rootdevice\r\nUSN: uuid:4d696e69-444c-164e-9d41::upnp:rootdevice\r\nNTS: ssdp:alive\r\n\r\n")
	benchDatagram(b, in, new(memory).parseSSDP)
}
