package flow

import (
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"gatehouse/capture"
)

// second is packet time in nanoseconds.
const second = int64(1e9)

// frameOf serialises layers; lengths and checksums are filled in.
func frameOf(tb testing.TB, ls ...gopacket.SerializableLayer) []byte {
	tb.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, ls...); err != nil {
		tb.Fatalf("serialise test frame: %v", err)
	}
	return append([]byte(nil), buf.Bytes()...)
}

var (
	macA = [6]byte{0x02, 0, 0, 0, 0, 0x0a}
	macB = [6]byte{0x02, 0, 0, 0, 0, 0x0b}
)

// host is one end of a test conversation.
type host struct {
	addr netip.Addr
	port uint16
	mac  [6]byte
}

func hostAt(s string, port uint16) host {
	m := macA
	a := netip.MustParseAddr(s)
	m[5] = a.AsSlice()[len(a.AsSlice())-1]
	return host{a, port, m}
}

func ethernetLayer(from, to host, t layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: from.mac[:], DstMAC: to.mac[:], EthernetType: t}
}

func ipLayers(from, to host, proto layers.IPProtocol) []gopacket.SerializableLayer {
	if from.addr.Is4() {
		return []gopacket.SerializableLayer{
			ethernetLayer(from, to, layers.EthernetTypeIPv4),
			&layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: from.addr.AsSlice(), DstIP: to.addr.AsSlice()},
		}
	}
	return []gopacket.SerializableLayer{
		ethernetLayer(from, to, layers.EthernetTypeIPv6),
		&layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: from.addr.AsSlice(), DstIP: to.addr.AsSlice()},
	}
}

// tcpFrame builds an Ethernet frame with a TCP segment.
func tcpFrame(tb testing.TB, from, to host, flags uint8, seq, ack uint32, payload string) *capture.Packet {
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(from.port), DstPort: layers.TCPPort(to.port), Seq: seq, Ack: ack, Window: 1000,
		FIN: flags&TCPFin != 0, SYN: flags&TCPSyn != 0, RST: flags&TCPRst != 0, PSH: flags&TCPPsh != 0,
		ACK: flags&TCPAck != 0, URG: flags&TCPUrg != 0,
	}
	return ethernetPacket(frameOf(tb, append(ipLayers(from, to, layers.IPProtocolTCP), tcp, gopacket.Payload(payload))...))
}

// udpFrame builds an Ethernet frame with a UDP datagram.
func udpFrame(tb testing.TB, from, to host, payload string) *capture.Packet {
	udp := &layers.UDP{SrcPort: layers.UDPPort(from.port), DstPort: layers.UDPPort(to.port)}
	return ethernetPacket(frameOf(tb, append(ipLayers(from, to, layers.IPProtocolUDP), udp, gopacket.Payload(payload))...))
}

func ethernetPacket(b []byte) *capture.Packet {
	return &capture.Packet{Data: b, Length: len(b), Link: capture.LinkEthernet}
}

// tagged puts an 802.1Q tag into an Ethernet frame.
func tagged(p *capture.Packet, id uint16) *capture.Packet {
	b := append([]byte(nil), p.Data[:12]...)
	b = append(b, 0x81, 0x00, byte(id>>8), byte(id))
	b = append(b, p.Data[12:]...)
	return ethernetPacket(b)
}
