package sim

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// snap is how many bytes of a bulk data frame are kept: headers and the start
// of the first TLS record, as a capture with a small snap length would.
const snap = 96

// peer is one end of a conversation as the gateway's LAN side sees it.
type peer struct {
	mac net.HardwareAddr // the gateway's for everything behind it
	ip  netip.Addr
	raw net.IP
	ttl uint8         // on arrival at the capture point
	far time.Duration // one-way delay between it and the capture point
	wan bool
}

// cable is the gateway's LAN side: whatever crosses it is captured. It turns
// layers into bytes and puts them on the tape.
type cable struct {
	tape  tape
	down  []window // when the line behind the gateway is dead
	buf   gopacket.SerializeBuffer
	fixed gopacket.SerializeOptions
	eth   layers.Ethernet
	ip4   layers.IPv4
	tcp   layers.TCP
	udp   layers.UDP
	icmp  layers.ICMPv4
	ident uint16 // IPv4 identification, counted up
	err   error  // first failure to serialise: a bug, reported by the run
}

type window struct{ from, until instant }

func newCable() *cable {
	return &cable{
		buf:   gopacket.NewSerializeBuffer(),
		fixed: gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
	}
}

// dead reports whether the line to the internet is down.
func (c *cable) dead(when instant) bool {
	for _, w := range c.down {
		if when.within(w.from, w.until) {
			return true
		}
	}
	return false
}

func (c *cable) put(when instant, stack ...gopacket.SerializableLayer) {
	if err := gopacket.SerializeLayers(c.buf, c.fixed, stack...); err != nil {
		if c.err == nil {
			c.err = fmt.Errorf("serialise frame at %s: %w", when.time().Format(time.RFC3339Nano), err)
		}
		return
	}
	data := c.buf.Bytes()
	c.lay(when, data, len(data))
}

// lay puts a frame on the tape. One that comes too late to be in order is a bug
// in a program, reported by the run.
func (c *cable) lay(when instant, data []byte, length int) {
	if when < c.tape.played {
		c.check(fmt.Errorf("frame at %s laid after %s was played", when.time().Format(time.RFC3339Nano), c.tape.played.time().Format(time.RFC3339Nano)))
		return
	}
	c.tape.lay(when, data, length)
}

func (c *cable) link(from, to *peer) {
	c.eth = layers.Ethernet{SrcMAC: from.mac, DstMAC: to.mac, EthernetType: layers.EthernetTypeIPv4}
}

func (c *cable) network(from, to *peer, proto layers.IPProtocol) {
	c.ident++
	c.ip4 = layers.IPv4{
		Version: 4, IHL: 5, TTL: from.ttl, Id: c.ident, Protocol: proto,
		SrcIP: from.raw, DstIP: to.raw,
	}
}

// segment is what differs between TCP segments of a connection.
type segment struct {
	flags    uint8
	seq, ack uint32
	window   uint16
	options  []layers.TCPOption
	payload  []byte
	virtual  int // payload bytes on the wire where that is more than len(payload)
}

// TCP flag bits (RFC 9293 section 3.1).
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// segment captures one TCP segment. Payload that is only virtual counts in the
// IP length and in the length on the wire and is cut off in the capture, so
// its checksum cannot be verified by anyone.
func (c *cable) segment(when instant, from, to *peer, sport, dport uint16, s segment) {
	c.link(from, to)
	c.network(from, to, layers.IPProtocolTCP)
	c.ip4.Flags = layers.IPv4DontFragment
	c.tcp = layers.TCP{
		SrcPort: layers.TCPPort(sport), DstPort: layers.TCPPort(dport),
		Seq: s.seq, Ack: s.ack, Window: s.window, Options: s.options,
		FIN: s.flags&fin != 0, SYN: s.flags&syn != 0, RST: s.flags&rst != 0,
		PSH: s.flags&psh != 0, ACK: s.flags&ack != 0,
	}
	c.check(c.tcp.SetNetworkLayerForChecksum(&c.ip4))
	if s.virtual <= len(s.payload) {
		c.put(when, &c.eth, &c.ip4, &c.tcp, gopacket.Payload(s.payload))
		return
	}
	if err := gopacket.SerializeLayers(c.buf, c.fixed, &c.eth, &c.ip4, &c.tcp, gopacket.Payload(s.payload)); err != nil {
		c.check(err)
		return
	}
	data := c.buf.Bytes()
	missing := s.virtual - len(s.payload)
	setIPv4Length(data[14:], int(c.ip4.Length)+missing)
	length := len(data) + missing
	c.lay(when, data[:min(len(data), snap)], length)
}

// setIPv4Length changes the total length of an IPv4 header without options and
// its checksum accordingly.
func setIPv4Length(header []byte, length int) {
	binary.BigEndian.PutUint16(header[2:], uint16(length))
	binary.BigEndian.PutUint16(header[10:], 0)
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	sum = sum>>16 + sum&0xffff
	sum += sum >> 16
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum))
}

// datagram captures one UDP datagram. Like segment, it can stand for more
// payload than is captured.
func (c *cable) datagram(when instant, from, to *peer, sport, dport uint16, payload []byte) {
	c.link(from, to)
	c.network(from, to, layers.IPProtocolUDP)
	c.udp = layers.UDP{SrcPort: layers.UDPPort(sport), DstPort: layers.UDPPort(dport)}
	c.check(c.udp.SetNetworkLayerForChecksum(&c.ip4))
	c.put(when, &c.eth, &c.ip4, &c.udp, gopacket.Payload(payload))
}

// clippedDatagram captures a UDP datagram of n payload bytes of which only the
// first few are kept.
func (c *cable) clippedDatagram(when instant, from, to *peer, sport, dport uint16, head []byte, n int) {
	c.link(from, to)
	c.network(from, to, layers.IPProtocolUDP)
	c.udp = layers.UDP{SrcPort: layers.UDPPort(sport), DstPort: layers.UDPPort(dport)}
	c.check(c.udp.SetNetworkLayerForChecksum(&c.ip4))
	if err := gopacket.SerializeLayers(c.buf, c.fixed, &c.eth, &c.ip4, &c.udp, gopacket.Payload(head)); err != nil {
		c.check(err)
		return
	}
	data := c.buf.Bytes()
	missing := n - len(head)
	setIPv4Length(data[14:], int(c.ip4.Length)+missing)
	binary.BigEndian.PutUint16(data[38:], uint16(8+n))
	length := len(data) + missing
	c.lay(when, data[:min(len(data), snap)], length)
}

// echo captures an ICMP message with an identifier and a sequence number.
func (c *cable) echo(when instant, from, to *peer, typ uint8, id, seq uint16, payload []byte) {
	c.link(from, to)
	c.network(from, to, layers.IPProtocolICMPv4)
	c.icmp = layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, 0), Id: id, Seq: seq}
	c.put(when, &c.eth, &c.ip4, &c.icmp, gopacket.Payload(payload))
}

// unreachable captures the gateway's ICMP word (host unreachable) on a datagram
// that a device sent to somebody: it quotes the IP header and the first 8
// bytes behind it (RFC 792).
func (c *cable) unreachable(when instant, gate, device, target *peer, sport, dport uint16, length int) {
	quoted := make([]byte, 28)
	quoted[0], quoted[8], quoted[9] = 0x45, device.ttl, byte(layers.IPProtocolUDP)
	copy(quoted[12:], device.raw)
	copy(quoted[16:], target.raw)
	setIPv4Length(quoted, 28+length)
	binary.BigEndian.PutUint16(quoted[20:], sport)
	binary.BigEndian.PutUint16(quoted[22:], dport)
	binary.BigEndian.PutUint16(quoted[24:], uint16(8+length))
	c.link(gate, device)
	c.network(gate, device, layers.IPProtocolICMPv4)
	c.icmp = layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodeHost)}
	c.put(when, &c.eth, &c.ip4, &c.icmp, gopacket.Payload(quoted))
}

// arp captures one ARP message.
func (c *cable) arp(when instant, op uint16, to net.HardwareAddr, sender, target *peer, targetMAC net.HardwareAddr) {
	c.eth = layers.Ethernet{SrcMAC: sender.mac, DstMAC: to, EthernetType: layers.EthernetTypeARP}
	c.put(when, &c.eth, &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
		HwAddressSize: 6, ProtAddressSize: 4, Operation: op,
		SourceHwAddress: sender.mac, SourceProtAddress: sender.raw,
		DstHwAddress: targetMAC, DstProtAddress: target.raw,
	}, gopacket.Payload(ethernetPadding))
}

// ethernetPadding brings an ARP message to the Ethernet minimum of 60 bytes.
var ethernetPadding = make([]byte, 18)

func (c *cable) check(err error) {
	if err != nil && c.err == nil {
		c.err = err
	}
}
