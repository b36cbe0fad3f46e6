package eve

import (
	"encoding/base64"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/crypto/cryptobyte"

	"gatehouse/internal/testkit"
)

// host is one end of a conversation in a scenario.
type host struct {
	mac  [6]byte
	ip   string
	port uint16
}

// scenario builds a capture frame by frame, 10 ms apart.
type scenario struct {
	tb     testing.TB
	now    int64
	frames []testkit.Frame
	seq    map[host]uint32 // next sequence number of a TCP end
}

func newScenario(tb testing.TB) *scenario {
	at := time.Date(2026, 3, 14, 9, 26, 53, 589_793_238, time.UTC)
	return &scenario{tb: tb, now: at.UnixNano(), seq: make(map[host]uint32)}
}

// log plays the capture through the real rooms and returns the event log.
func (s *scenario) log() []byte {
	s.tb.Helper()
	path := filepath.Join(s.tb.TempDir(), "scenario.pcap")
	testkit.WritePcap(s.tb, path, 1, s.frames)
	events, err := eventsOf(s.tb, path)
	if err != nil {
		s.tb.Fatal(err)
	}
	number := make(map[uint64]uint64)
	for i := range events {
		// Flow ids are the flow table's affair; that lines of one flow share
		// theirs is ours.
		if id := &events[i].Record.ID; *id != 0 {
			if number[*id] == 0 {
				number[*id] = uint64(len(number) + 1)
			}
			*id = number[*id] << 11
		}
	}
	return logOf(s.tb, events)
}

func (s *scenario) frame(ls ...gopacket.SerializableLayer) {
	s.tb.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, ls...); err != nil {
		s.tb.Fatal(err)
	}
	s.frames = append(s.frames, testkit.Frame{Time: s.now, Data: append([]byte(nil), buf.Bytes()...)})
	s.now += int64(10 * time.Millisecond)
}

// packet sends one IP packet.
func (s *scenario) packet(from, to host, proto layers.IPProtocol, ls ...gopacket.SerializableLayer) {
	s.tb.Helper()
	src, dst := netip.MustParseAddr(from.ip), netip.MustParseAddr(to.ip)
	eth := &layers.Ethernet{SrcMAC: from.mac[:], DstMAC: to.mac[:], EthernetType: layers.EthernetTypeIPv4}
	var ip gopacket.SerializableLayer = &layers.IPv4{
		Version: 4, TTL: 64, Protocol: proto, SrcIP: src.AsSlice(), DstIP: dst.AsSlice(),
	}
	if src.Is6() {
		eth.EthernetType = layers.EthernetTypeIPv6
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	}
	s.frame(append([]gopacket.SerializableLayer{eth, ip}, ls...)...)
}

func (s *scenario) udp(from, to host, payload []byte) {
	s.tb.Helper()
	u := &layers.UDP{SrcPort: layers.UDPPort(from.port), DstPort: layers.UDPPort(to.port)}
	s.packet(from, to, layers.IPProtocolUDP, u, gopacket.Payload(payload))
}

// tcp sends a segment with the given flags, or PSH and ACK if it has payload.
func (s *scenario) tcp(from, to host, flags string, payload []byte) {
	s.tb.Helper()
	t := &layers.TCP{
		SrcPort: layers.TCPPort(from.port), DstPort: layers.TCPPort(to.port),
		Seq: s.seq[from], Ack: s.seq[to], Window: 65535,
	}
	for _, f := range flags {
		switch f {
		case 'S':
			t.SYN = true
		case 'A':
			t.ACK = true
		case 'F':
			t.FIN = true
		case 'R':
			t.RST = true
		case 'P':
			t.PSH = true
		}
	}
	s.seq[from] += uint32(len(payload))
	if t.SYN || t.FIN {
		s.seq[from]++
	}
	s.packet(from, to, layers.IPProtocolTCP, t, gopacket.Payload(payload))
}

func (s *scenario) connect(client, server host) {
	s.tb.Helper()
	s.tcp(client, server, "S", nil)
	s.tcp(server, client, "SA", nil)
	s.tcp(client, server, "A", nil)
}

func (s *scenario) disconnect(client, server host) {
	s.tb.Helper()
	s.tcp(client, server, "FA", nil)
	s.tcp(server, client, "FA", nil)
	s.tcp(client, server, "A", nil)
}

func (s *scenario) arp(op uint16, from, to host) {
	s.tb.Helper()
	src, dst := netip.MustParseAddr(from.ip), netip.MustParseAddr(to.ip)
	s.frame(
		&layers.Ethernet{SrcMAC: from.mac[:], DstMAC: net.HardwareAddr{255, 255, 255, 255, 255, 255}, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
			Operation: op, SourceHwAddress: from.mac[:], SourceProtAddress: src.AsSlice(),
			DstHwAddress: to.mac[:], DstProtAddress: dst.AsSlice(),
		})
}

func (s *scenario) ping(from, to host, reply bool) {
	s.tb.Helper()
	kind := uint8(layers.ICMPv4TypeEchoRequest)
	if reply {
		kind = layers.ICMPv4TypeEchoReply
	}
	s.packet(from, to, layers.IPProtocolICMPv4, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(kind, 0), Id: 7, Seq: 1})
}

// dnsBytes serialises a DNS message.
func (s *scenario) dnsBytes(m layers.DNS) []byte {
	s.tb.Helper()
	m.QDCount, m.ANCount, m.ARCount = uint16(len(m.Questions)), uint16(len(m.Answers)), uint16(len(m.Additionals))
	buf := gopacket.NewSerializeBuffer()
	if err := m.SerializeTo(buf, gopacket.SerializeOptions{FixLengths: true}); err != nil {
		s.tb.Fatal(err)
	}
	return append([]byte(nil), buf.Bytes()...)
}

func ask(name string, t layers.DNSType) layers.DNSQuestion {
	return layers.DNSQuestion{Name: []byte(name), Type: t, Class: layers.DNSClassIN}
}

// TLS messages, each in a record of its own.

func tlsRecord(kind uint8, body func(*cryptobyte.Builder)) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddBytes([]byte{22, 3, 3})
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(kind)
		b.AddUint24LengthPrefixed(body)
	})
	return b.BytesOrPanic()
}

func clientHello(sni string, alpn ...string) []byte {
	return tlsRecord(1, func(b *cryptobyte.Builder) {
		b.AddUint16(0x0303)
		b.AddBytes(make([]byte, 32))
		b.AddUint8(0) // no session id
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(0xc02b) // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
			b.AddUint16(0xc02f) // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
		})
		b.AddBytes([]byte{1, 0}) // no compression
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			extension(b, 0, func(b *cryptobyte.Builder) {
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
					b.AddUint8(0) // host_name
					b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(sni)) })
				})
			})
			if len(alpn) > 0 {
				extension(b, 16, func(b *cryptobyte.Builder) { protocolNames(b, alpn) })
			}
			extension(b, 43, func(b *cryptobyte.Builder) { b.AddBytes([]byte{4, 3, 4, 3, 3}) }) // 1.3, 1.2
		})
	})
}

// serverHello chooses a version; its random says whether it is a retry.
func serverHello(version uint16, retry bool, alpn ...string) []byte {
	random := make([]byte, 32)
	if retry {
		random = []byte("\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" +
			"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c")
	}
	return tlsRecord(2, func(b *cryptobyte.Builder) {
		b.AddUint16(min(version, 0x0303))
		b.AddBytes(random)
		b.AddUint8(0)
		if version >= tls13 {
			b.AddUint16(0x1301) // TLS_AES_128_GCM_SHA256
		} else {
			b.AddUint16(0xc02b)
		}
		b.AddUint8(0)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			if version >= tls13 {
				extension(b, 43, func(b *cryptobyte.Builder) { b.AddUint16(version) })
			}
			if len(alpn) > 0 {
				extension(b, 16, func(b *cryptobyte.Builder) { protocolNames(b, alpn) })
			}
		})
	})
}

func extension(b *cryptobyte.Builder, id uint16, data func(*cryptobyte.Builder)) {
	b.AddUint16(id)
	b.AddUint16LengthPrefixed(data)
}

func protocolNames(b *cryptobyte.Builder, names []string) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, n := range names {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(n)) })
		}
	})
}

// leaf is an Ed25519 certificate: serial 0c0099b7, for C=NL, O="Example, Ltd",
// CN=cloud.example, by O=Example CA, CN=Test Root, 1 January 2026 0:00 to
// 1 January 2027 12:30.
const leaf = "MIIBMjCB5aADAgECAgQMAJm3MAUGAytlcDApMRMwEQYDVQQKEwpFeGFtcGxlIENBMRIwEAYDVQQDEwlUZXN0IFJvb3QwHhcNMjYw" +
	"MTAxMDAwMDAwWhcNMjcwMTAxMTIzMDAwWjA8MQswCQYDVQQGEwJOTDEVMBMGA1UEChMMRXhhbXBsZSwgTHRkMRYwFAYDVQQDEw1jbG91ZC5leGFt" +
	"cGxlMCowBQYDK2VwAyEAO2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2imjHDAaMBgGA1UdEQQRMA+CDWNsb3VkLmV4YW1wbGUwBQYDK2Vw" +
	"A0EAyyjID/PZ0vBErO3JmYVpjR/C4dO9dFwSKxZUTrldX7boGofwwPhtMmN46m5aKF0lRi6HPiOHWcc2IKg3/vKDCA=="

func certificateMessage(tb testing.TB) []byte {
	tb.Helper()
	der, err := base64.StdEncoding.DecodeString(leaf)
	if err != nil {
		tb.Fatal(err)
	}
	return tlsRecord(11, func(b *cryptobyte.Builder) {
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(der) })
		})
	})
}

// alertRecord is a fatal alert.
func alertRecord(description uint8) []byte { return []byte{21, 3, 3, 0, 2, 2, description} }
