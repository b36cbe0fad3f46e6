package sim

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/net/dns/dnsmessage"
)

// Multicast groups with the link addresses that belong to them.
var (
	mdnsGroup = &peer{mac: net.HardwareAddr{0x01, 0, 0x5e, 0, 0, 0xfb}, ip: netip.AddrFrom4([4]byte{224, 0, 0, 251}), raw: net.IPv4(224, 0, 0, 251).To4()}
	ssdpGroup = &peer{mac: net.HardwareAddr{0x01, 0, 0x5e, 0x7f, 0xff, 0xfa}, ip: netip.AddrFrom4([4]byte{239, 255, 255, 250}), raw: net.IPv4(239, 255, 255, 250).To4()}
)

// service is what a device announces by mDNS.
type service struct {
	kind     string // "_ipp._tcp"
	instance string
	port     uint16
	text     []string
}

// mDNS numbers (RFC 6762 sections 10 and 10.2).
const (
	mdnsPort    = 5353
	hostTTL     = 120
	otherTTL    = 4500
	cacheFlush  = dnsmessage.ClassINET | 1<<15
	mdnsIPTTL   = 255
	announceGap = time.Second
)

// announce tells the LAN about a service, twice (RFC 6762 section 8.3).
func (p *program) announce(now instant, s service) {
	for i := range 2 {
		p.multicastDNS(now.add(time.Duration(i)*announceGap), p.serviceMessage(s))
	}
}

func (p *program) multicastDNS(now instant, m *dnsmessage.Message) {
	b, err := m.Pack()
	if err != nil {
		p.w.lan.check(fmt.Errorf("pack mDNS message: %w", err))
		return
	}
	from := p.peer
	from.ttl = mdnsIPTTL
	p.w.lan.datagram(now, &from, mdnsGroup, mdnsPort, mdnsPort, b)
}

func (p *program) serviceMessage(s service) *dnsmessage.Message {
	kind := dnsmessage.MustNewName(s.kind + ".local.")
	name := dnsmessage.MustNewName(s.instance + "." + s.kind + ".local.")
	host := dnsmessage.MustNewName(p.lease.hostname + ".local.")
	m := &dnsmessage.Message{Header: dnsmessage.Header{Response: true, Authoritative: true}}
	add := func(name dnsmessage.Name, class dnsmessage.Class, ttl uint32, typ dnsmessage.Type, body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Type: typ, Class: class, TTL: ttl}, Body: body,
		})
	}
	add(kind, dnsmessage.ClassINET, otherTTL, dnsmessage.TypePTR, &dnsmessage.PTRResource{PTR: name})
	add(name, cacheFlush, hostTTL, dnsmessage.TypeSRV, &dnsmessage.SRVResource{Port: s.port, Target: host})
	add(name, cacheFlush, otherTTL, dnsmessage.TypeTXT, &dnsmessage.TXTResource{TXT: s.text})
	add(host, cacheFlush, hostTTL, dnsmessage.TypeA, &dnsmessage.AResource{A: p.ip.As4()})
	return m
}

// browse asks who offers a kind of service; all devices that do will answer.
func (p *program) browse(now instant, kind string) {
	p.multicastDNS(now, &dnsmessage.Message{Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName(kind + ".local."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET,
	}}})
	for _, o := range p.w.offers {
		if o.service.kind == kind && o.by.device != p.device && o.by.home(now) {
			// Shared records are answered after 20 to 120 ms (RFC 6762 section 6).
			o.by.multicastDNS(now.add(p.rnd.span(20*time.Millisecond, 120*time.Millisecond)), o.by.serviceMessage(o.service))
		}
	}
}

// offer is a service with the program that answers for it.
type offer struct {
	by      *program
	service service
}

// offering announces a service now and every few hours.
func (p *program) offering(now instant, s service) {
	p.w.offers = append(p.w.offers, offer{p, s})
	var again func(now instant)
	again = func(now instant) {
		p.announce(now, s)
		p.after(now, p.rnd.jitter(5*time.Hour, 30), again)
	}
	again(now)
}

// notify announces a UPnP device (UPnP Device Architecture 1.1, section 1.2).
func (p *program) notify(now instant, uuid string) {
	for i, nt := range []string{"upnp:rootdevice", "urn:schemas-upnp-org:device:MediaRenderer:1", "urn:dial-multiscreen-org:service:dial:1"} {
		text := fmt.Sprintf("NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=1800\r\n"+
			"LOCATION: http://%s:9197/dmr\r\nNT: %s\r\nNTS: ssdp:alive\r\nSERVER: Linux/4.1 UPnP/1.0 Vista/2.1\r\nUSN: uuid:%s::%s\r\n\r\n",
			p.ip, nt, uuid, nt)
		from := p.peer
		from.ttl = 4
		p.w.lan.datagram(now.add(time.Duration(i)*20*time.Millisecond), &from, ssdpGroup, 1900, 1900, []byte(text))
	}
	p.after(now, p.rnd.jitter(50*time.Minute, 20), func(now instant) { p.notify(now, uuid) })
}

// search looks for UPnP devices.
func (p *program) search(now instant) {
	text := "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: urn:dial-multiscreen-org:service:dial:1\r\n\r\n"
	from := p.peer
	from.ttl = 4
	p.w.lan.datagram(now, &from, ssdpGroup, p.port(), 1900, []byte(text))
}

// neighbourDiscovery is what an interface says in IPv6 when it comes up: a
// check that its link-local address is free and a call for routers.
func (p *program) neighbourDiscovery(now instant) {
	own := linkLocal(p.mac)
	node := append(net.ParseIP("ff02::1:ff00:0")[:13:13], own[13:]...)
	nodeMAC := net.HardwareAddr{0x33, 0x33, 0xff, own[13], own[14], own[15]}
	p.w.lan.icmp6(now, p.mac, nodeMAC, net.IPv6unspecified, node,
		layers.ICMPv6TypeNeighborSolicitation, &layers.ICMPv6NeighborSolicitation{TargetAddress: own})
	p.w.lan.icmp6(now.add(p.rnd.span(time.Second, 1200*time.Millisecond)), p.mac, net.HardwareAddr{0x33, 0x33, 0, 0, 0, 2},
		own, net.IPv6linklocalallrouters,
		layers.ICMPv6TypeRouterSolicitation, &layers.ICMPv6RouterSolicitation{Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: p.mac}}})
}

// linkLocal is the modified EUI-64 address of an interface (RFC 4291 appendix A).
func linkLocal(mac net.HardwareAddr) net.IP {
	return net.IP{0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}
}

// icmp6 captures one ICMPv6 message of neighbour discovery.
func (c *cable) icmp6(when instant, src, dst net.HardwareAddr, from, to net.IP, typ uint8, body gopacket.SerializableLayer) {
	c.eth = layers.Ethernet{SrcMAC: src, DstMAC: dst, EthernetType: layers.EthernetTypeIPv6}
	ip := &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolICMPv6, SrcIP: from, DstIP: to}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, 0)}
	c.check(icmp.SetNetworkLayerForChecksum(ip))
	c.put(when, &c.eth, ip, icmp, body)
}

// gratuitous tells the LAN whose address this is (RFC 5227 section 2.3).
func (p *program) gratuitous(now instant) {
	p.w.lan.arp(now, 1, broadcast, &p.peer, &p.peer, zeroMAC)
}

// ping sends a few echo requests and gets the replies.
func (p *program) ping(now instant, to *peer, times int) {
	hop := to
	if to.wan {
		hop = &p.w.gate
	}
	t := p.resolveLink(now, hop)
	id := uint16(p.rnd.n(1 << 16))
	for seq := range times {
		payload := make([]byte, 56)
		binary.LittleEndian.PutUint64(payload, uint64(t))
		for i := 8; i < len(payload); i++ {
			payload[i] = byte(i)
		}
		p.w.lan.echo(t, &p.peer, to, layers.ICMPv4TypeEchoRequest, id, uint16(seq+1), payload)
		if !to.wan || !p.w.lan.dead(t) {
			p.w.lan.echo(t.add(2*to.far+p.rnd.span(100*time.Microsecond, 2*time.Millisecond)),
				to, &p.peer, layers.ICMPv4TypeEchoReply, id, uint16(seq+1), payload)
		}
		t = t.add(time.Second)
	}
}

// ntp asks a time server for the time (RFC 5905).
func (p *program) ntp(now instant, host string) {
	addrs, t := p.lookup(now, host)
	if len(addrs) == 0 {
		return
	}
	to := p.w.inet.peer(addrs[p.rnd.n(len(addrs))], p.w.inet.site(host).far)
	t = p.resolveLink(t, &p.w.gate)
	port := p.port()
	b := make([]byte, 48)
	b[0] = 0x23 // no warning, version 4, client
	binary.BigEndian.PutUint64(b[40:], ntpTime(t))
	p.w.lan.datagram(t, &p.peer, to, port, 123, b)
	if p.w.lan.dead(t) {
		if p.rnd.chance(500) {
			p.w.lan.unreachable(t.add(3*time.Second), &p.w.gate, &p.peer, to, port, 123, len(b))
		}
		return
	}
	r := make([]byte, 48)
	r[0], r[1], r[2], r[3] = 0x24, 2, 6, 0xe8 // server, stratum 2
	binary.BigEndian.PutUint32(r[4:], 0x0000_0312)
	binary.BigEndian.PutUint32(r[8:], 0x0000_0520)
	copy(r[12:], []byte{192, 53, 103, 108})
	binary.BigEndian.PutUint64(r[16:], ntpTime(t.add(-200*time.Second)))
	binary.BigEndian.PutUint64(r[24:], ntpTime(t))
	binary.BigEndian.PutUint64(r[32:], ntpTime(t.add(to.far)))
	binary.BigEndian.PutUint64(r[40:], ntpTime(t.add(to.far)))
	p.w.lan.datagram(t.add(2*to.far+p.rnd.span(50*time.Microsecond, time.Millisecond)), to, &p.peer, 123, port, r)
}

// ntpTime is a time in seconds since 1900 with 32 bits of fraction.
func ntpTime(t instant) uint64 {
	const since1900 = 2208988800
	sec, nsec := uint64(t)/uint64(time.Second), uint64(t)%uint64(time.Second)
	return (sec+since1900)<<32 | nsec<<32/uint64(time.Second)
}
