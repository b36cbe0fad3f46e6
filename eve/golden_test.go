package eve

import (
	"bytes"
	"net"
	"testing"

	"github.com/google/gopacket/layers"
	"golang.org/x/net/http2/hpack"

	"gatehouse/internal/testkit"
)

var (
	gateway   = host{mac: [6]byte{2, 0, 0, 0, 0, 1}, ip: "192.168.7.1", port: 53}
	camera    = host{mac: [6]byte{2, 0, 0, 0, 0, 0x2a}, ip: "192.168.7.42", port: 49152}
	broadcast = [6]byte{255, 255, 255, 255, 255, 255}
)

func (h host) at(port uint16) host {
	h.port = port
	return h
}

// cloud is a host behind the gateway.
func cloud(port uint16) host { return host{gateway.mac, "203.0.113.80", port} }

// TestGoldenAddressing: how a device finds its way into the network.
func TestGoldenAddressing(t *testing.T) {
	s := newScenario(t)
	client := host{camera.mac, "0.0.0.0", 68}
	everyone := host{broadcast, "255.255.255.255", 67}
	message := func(op layers.DHCPOp, kind layers.DHCPMsgType, your net.IP, options ...layers.DHCPOption) *layers.DHCPv4 {
		return &layers.DHCPv4{
			Operation: op, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, Xid: 0xcafe0001,
			ClientIP: net.IPv4zero, YourClientIP: your, NextServerIP: net.IPv4zero, RelayAgentIP: net.IPv4zero,
			ClientHWAddr: camera.mac[:],
			Options:      append([]layers.DHCPOption{layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)})}, options...),
		}
	}
	s.packet(client, everyone, layers.IPProtocolUDP, &layers.UDP{SrcPort: 68, DstPort: 67},
		message(layers.DHCPOpRequest, layers.DHCPMsgTypeDiscover, net.IPv4zero,
			layers.NewDHCPOption(layers.DHCPOptHostname, []byte("camera-42")),
			layers.NewDHCPOption(layers.DHCPOptClassID, []byte("udhcp 1.36.1")),
			layers.NewDHCPOption(layers.DHCPOptParamsRequest, []byte{1, 3, 6, 12, 42})))
	s.packet(gateway.at(67), host{camera.mac, "255.255.255.255", 68}, layers.IPProtocolUDP, &layers.UDP{SrcPort: 67, DstPort: 68},
		message(layers.DHCPOpReply, layers.DHCPMsgTypeAck, net.IP{192, 168, 7, 42},
			layers.NewDHCPOption(layers.DHCPOptServerID, []byte{192, 168, 7, 1}),
			layers.NewDHCPOption(layers.DHCPOptLeaseTime, []byte{0, 0, 14, 16}),
			layers.NewDHCPOption(layers.DHCPOptSubnetMask, []byte{255, 255, 255, 0}),
			layers.NewDHCPOption(layers.DHCPOptRouter, []byte{192, 168, 7, 1}),
			layers.NewDHCPOption(layers.DHCPOptDNS, []byte{192, 168, 7, 1, 9, 9, 9, 9})))
	s.arp(1, camera, host{ip: gateway.ip})
	s.arp(2, gateway, camera)
	s.ping(camera, gateway, false)
	s.ping(gateway, camera, true)
	testkit.Golden(t, s.log(), "testdata/addressing.jsonl")
}

// TestGoldenNames: DNS, mDNS and LLMNR.
func TestGoldenNames(t *testing.T) {
	s := newScenario(t)
	question := ask("cloud.example", layers.DNSTypeA)
	s.udp(camera, gateway, s.dnsBytes(layers.DNS{ID: 0x1234, RD: true, Questions: []layers.DNSQuestion{question}}))
	s.udp(gateway, camera, s.dnsBytes(layers.DNS{
		ID: 0x1234, QR: true, RD: true, RA: true, Questions: []layers.DNSQuestion{question},
		Answers: []layers.DNSResourceRecord{
			{Name: []byte("cloud.example"), Type: layers.DNSTypeCNAME, Class: layers.DNSClassIN, TTL: 300, CNAME: []byte("edge.example")},
			{Name: []byte("edge.example"), Type: layers.DNSTypeA, Class: layers.DNSClassIN, TTL: 20, IP: net.IP{203, 0, 113, 80}},
		},
	}))
	question = ask("nowhere.example", layers.DNSTypeAAAA)
	s.udp(camera.at(49153), gateway, s.dnsBytes(layers.DNS{ID: 0x1235, RD: true, Questions: []layers.DNSQuestion{question}}))
	s.udp(gateway, camera.at(49153), s.dnsBytes(layers.DNS{
		ID: 0x1235, QR: true, AA: true, RD: true, ResponseCode: layers.DNSResponseCodeNXDomain, Questions: []layers.DNSQuestion{question},
		Authorities: []layers.DNSResourceRecord{{
			Name: []byte("example"), Type: layers.DNSTypeSOA, Class: layers.DNSClassIN, TTL: 60,
			SOA: layers.DNSSOA{MName: []byte("ns.example"), RName: []byte("root.example"), Serial: 7, Refresh: 3600, Retry: 600, Expire: 86400, Minimum: 60},
		}},
	}))
	group := host{[6]byte{1, 0, 0x5e, 0, 0, 0xfb}, "224.0.0.251", 5353}
	s.udp(camera.at(5353), group, s.dnsBytes(layers.DNS{Questions: []layers.DNSQuestion{
		ask("_googlecast._tcp.local", layers.DNSTypePTR), ask("_ipp._tcp.local", layers.DNSTypePTR),
	}}))
	s.udp(camera.at(5353), group, s.dnsBytes(layers.DNS{
		QR: true, AA: true,
		Answers: []layers.DNSResourceRecord{
			{Name: []byte("_http._tcp.local"), Type: layers.DNSTypePTR, Class: layers.DNSClassIN, TTL: 4500, PTR: []byte("camera._http._tcp.local")},
		},
		Additionals: []layers.DNSResourceRecord{
			{
				Name: []byte("camera._http._tcp.local"), Type: layers.DNSTypeSRV, Class: layers.DNSClassIN, TTL: 120,
				SRV: layers.DNSSRV{Port: 8080, Name: []byte("camera.local")},
			},
			{
				Name: []byte("camera._http._tcp.local"), Type: layers.DNSTypeTXT, Class: layers.DNSClassIN, TTL: 120,
				TXTs: [][]byte{[]byte("model=C42"), []byte("path=/\xff")}, // not UTF-8
			},
		},
	}))
	s.udp(
		host{camera.mac, "fe80::2a", 50000}, host{[6]byte{0x33, 0x33, 0, 1, 0, 3}, "ff02::1:3", 5355},
		s.dnsBytes(layers.DNS{ID: 9, Questions: []layers.DNSQuestion{ask("WPAD", layers.DNSTypeA)}}))
	testkit.Golden(t, s.log(), "testdata/names.jsonl")
}

// TestGoldenHTTP: pipelined requests, a response in between, and a request
// that is never answered.
func TestGoldenHTTP(t *testing.T) {
	s := newScenario(t)
	server := cloud(8080)
	s.connect(camera, server)
	s.tcp(camera, server, "PA", []byte("GET /a?x=1&y=<2> HTTP/1.1\r\nHost: cloud.example:8080\r\nUser-Agent: cam/1.0\r\n\r\n"+
		"GET /b HTTP/1.1\r\nHost: cloud.example\r\nAuthorization: Basic c2VjcmV0OnNlY3JldA==\r\n\r\n"))
	s.tcp(server, camera, "PA", []byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 2\r\n\r\nok"))
	s.tcp(server, camera, "PA", []byte("HTTP/1.1 302 Found\r\nLocation: https://cloud.example/login\r\nContent-Length: 0\r\n\r\n"))
	s.tcp(camera, server, "PA", []byte("POST /upload HTTP/1.1\r\nHost: cloud.example\r\nContent-Length: 5\r\n\r\nhello"))
	s.tcp(server, camera, "PA", []byte("HTTP/1.1 100 Continue\r\n\r\n"))
	s.disconnect(camera, server)
	testkit.Golden(t, s.log(), "testdata/http.jsonl")
}

// TestGoldenHTTPBodies: lengths that were counted, of a body in chunks and of one
// that ends with its connection; a form that is a login.
func TestGoldenHTTPBodies(t *testing.T) {
	s := newScenario(t)
	client, server := camera.at(49180), cloud(80)
	get := []byte("GET / HTTP/1.1\r\nHost: cloud.example\r\n\r\n")
	s.connect(client, server)
	s.tcp(client, server, "PA", get)
	s.tcp(server, client, "PA", []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"))
	s.tcp(server, client, "PA", []byte("0\r\n\r\n"))
	const form = "username=eve&password=s3cret"
	s.tcp(client, server, "PA", []byte("POST /login HTTP/1.1\r\nHost: cloud.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: 28\r\n\r\n"+form))
	s.tcp(server, client, "PA", []byte("HTTP/1.1 302 Found\r\nLocation: /home?password=s3cret\r\nContent-Length: 0\r\n\r\n"))
	s.tcp(client, server, "PA", get)
	s.tcp(server, client, "PA", []byte("HTTP/1.1 200 OK\r\n\r\nto the "))
	s.tcp(server, client, "PA", []byte("end"))
	s.disconnect(client, server)
	log := s.log()
	if bytes.Contains(log, []byte("s3cret")) {
		t.Error("the log holds a secret")
	}
	testkit.Golden(t, log, "testdata/http_bodies.jsonl")
}

// TestGoldenHTTP2: two requests in clear that are answered the other way round.
func TestGoldenHTTP2(t *testing.T) {
	s := newScenario(t)
	client, server := camera.at(49170), cloud(8080)
	headers := func(stream byte, fields ...string) []byte {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		for i := 0; i < len(fields); i += 2 {
			if err := e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: true}); err != nil {
				t.Fatal(err)
			}
		}
		return append([]byte{0, 0, byte(block.Len()), 1, 5, 0, 0, 0, stream}, block.Bytes()...)
	}
	settings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}
	s.connect(client, server)
	s.tcp(client, server, "PA", append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings...))
	s.tcp(server, client, "PA", settings)
	s.tcp(client, server, "PA", headers(1, ":method", "GET", ":scheme", "http", ":path", "/slow", ":authority", "cloud.example", "user-agent", "cam/1.0"))
	s.tcp(client, server, "PA", headers(3, ":method", "POST", ":scheme", "http", ":path", "/fast", ":authority", "cloud.example:8080"))
	s.tcp(server, client, "PA", headers(3, ":status", "204"))
	s.tcp(server, client, "PA", headers(1, ":status", "200", "content-type", "text/html", "content-length", "2"))
	s.disconnect(client, server)
	testkit.Golden(t, s.log(), "testdata/http2.jsonl")
}

// TestGoldenTLS: one line per handshake.
func TestGoldenTLS(t *testing.T) {
	s := newScenario(t)
	for i, scene := range []func(client, server host){
		func(client, server host) { // TLS 1.2, refused by the client
			s.tcp(client, server, "PA", clientHello("cloud.example", "h2", "http/1.1"))
			s.tcp(server, client, "PA", append(serverHello(0x0303, false, "h2"), certificateMessage(t)...))
			s.tcp(client, server, "PA", alertRecord(48))
		},
		func(client, server host) { // TLS 1.3
			s.tcp(client, server, "PA", clientHello("cloud.example", "h2"))
			s.tcp(server, client, "PA", serverHello(tls13, false))
		},
		func(client, server host) { // TLS 1.3 after a HelloRetryRequest
			s.tcp(client, server, "PA", clientHello("cloud.example"))
			s.tcp(server, client, "PA", serverHello(tls13, true))
			s.tcp(client, server, "PA", clientHello("cloud.example"))
			s.tcp(server, client, "PA", serverHello(tls13, false))
		},
		func(client, server host) { // no common version
			s.tcp(client, server, "PA", clientHello("old.example"))
			s.tcp(server, client, "PA", alertRecord(70))
		},
		func(client, server host) { // never answered
			s.tcp(client, server, "PA", clientHello("silent.example"))
		},
	} {
		client, server := camera.at(50000+uint16(i)), cloud(443)
		s.connect(client, server)
		scene(client, server)
		s.disconnect(client, server)
	}
	testkit.Golden(t, s.log(), "testdata/tls.jsonl")
}
