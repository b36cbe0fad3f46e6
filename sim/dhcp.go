package sim

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// leaseStyle is how a device's DHCP client looks.
type leaseStyle struct {
	hostname string
	vendor   string // option 60, "" for none
	params   []byte // option 55
	maxSize  uint16 // option 57, 0 for none
}

// leaseTime is what the gateway gives: a day, as home routers commonly do.
const leaseTime = 24 * time.Hour

// unspecified and everyone are the ends of a DHCP exchange before the client
// has an address.
func (d *device) unspecified() *peer {
	return &peer{mac: d.mac, ip: netip.IPv4Unspecified(), raw: net.IPv4zero.To4(), ttl: d.ttl, far: d.far}
}

var everyone = &peer{mac: broadcast, ip: netip.AddrFrom4([4]byte{255, 255, 255, 255}), raw: net.IPv4bcast.To4(), ttl: 64}

// acquire obtains a lease from nothing: discover, offer, request, ack.
func (p *program) acquire(now instant) instant {
	xid := uint32(p.rnd.src.Uint64())
	none := p.unspecified()
	p.w.dhcp(now, none, everyone, 68, p.dhcpMessage(layers.DHCPMsgTypeDiscover, xid, false, false))
	t := now.add(p.rnd.span(2*time.Millisecond, 900*time.Millisecond)) // the server checks by ARP first
	p.w.dhcp(t, &p.w.gate, &p.peer, 67, p.w.dhcpReply(p.device, layers.DHCPMsgTypeOffer, xid, false))
	t = t.add(p.rnd.span(2*time.Millisecond, 60*time.Millisecond))
	return p.request(t, xid, true)
}

// rejoin asks for the address of last time (INIT-REBOOT, RFC 2131 section 4.3.2).
func (p *program) rejoin(now instant) instant {
	return p.request(now, uint32(p.rnd.src.Uint64()), false)
}

func (p *program) request(t instant, xid uint32, selecting bool) instant {
	p.w.dhcp(t, p.unspecified(), everyone, 68, p.dhcpMessage(layers.DHCPMsgTypeRequest, xid, true, selecting))
	t = t.add(p.rnd.span(2*time.Millisecond, 25*time.Millisecond))
	p.w.dhcp(t, &p.w.gate, &p.peer, 67, p.w.dhcpReply(p.device, layers.DHCPMsgTypeAck, xid, false))
	return t
}

// renew extends the lease by unicast, at half its time.
func (p *program) renew(now instant) {
	t := p.resolveLink(now, &p.w.gate)
	xid := uint32(p.rnd.src.Uint64())
	m := p.dhcpMessage(layers.DHCPMsgTypeRequest, xid, false, false)
	m.ClientIP = p.raw
	p.w.dhcp(t, &p.peer, &p.w.gate, 68, m)
	t = t.add(p.rnd.span(time.Millisecond, 15*time.Millisecond))
	p.w.dhcp(t, &p.w.gate, &p.peer, 67, p.w.dhcpReply(p.device, layers.DHCPMsgTypeAck, xid, true))
}

func (p *program) dhcpMessage(typ layers.DHCPMsgType, xid uint32, withAddress, selecting bool) *layers.DHCPv4 {
	m := &layers.DHCPv4{
		Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, Xid: xid, ClientHWAddr: p.mac,
		ClientIP: net.IPv4zero, YourClientIP: net.IPv4zero, NextServerIP: net.IPv4zero, RelayAgentIP: net.IPv4zero,
	}
	add := func(code layers.DHCPOpt, data []byte) {
		m.Options = append(m.Options, layers.NewDHCPOption(code, data))
	}
	add(layers.DHCPOptMessageType, []byte{byte(typ)})
	add(layers.DHCPOptClientID, append([]byte{1}, p.mac...))
	if withAddress {
		add(layers.DHCPOptRequestIP, p.raw)
		if selecting {
			add(layers.DHCPOptServerID, p.w.gate.raw)
		}
	}
	if p.lease.maxSize > 0 {
		add(layers.DHCPOptMaxMessageSize, binary.BigEndian.AppendUint16(nil, p.lease.maxSize))
	}
	if p.lease.vendor != "" {
		add(layers.DHCPOptClassID, []byte(p.lease.vendor))
	}
	if p.lease.hostname != "" {
		add(layers.DHCPOptHostname, []byte(p.lease.hostname))
	}
	add(layers.DHCPOptParamsRequest, p.lease.params)
	return m
}

func (w *world) dhcpReply(d *device, typ layers.DHCPMsgType, xid uint32, renewal bool) *layers.DHCPv4 {
	m := &layers.DHCPv4{
		Operation: layers.DHCPOpReply, HardwareType: layers.LinkTypeEthernet, Xid: xid, ClientHWAddr: d.mac,
		ClientIP: net.IPv4zero, YourClientIP: d.raw, NextServerIP: w.gate.raw, RelayAgentIP: net.IPv4zero,
	}
	if renewal {
		m.ClientIP = d.raw
	}
	seconds := func(d time.Duration) []byte { return binary.BigEndian.AppendUint32(nil, uint32(d/time.Second)) }
	for _, o := range []struct {
		code layers.DHCPOpt
		data []byte
	}{
		{layers.DHCPOptMessageType, []byte{byte(typ)}},
		{layers.DHCPOptServerID, w.gate.raw},
		{layers.DHCPOptLeaseTime, seconds(leaseTime)},
		{layers.DHCPOptT1, seconds(leaseTime / 2)},
		{layers.DHCPOptT2, seconds(leaseTime / 8 * 7)},
		{layers.DHCPOptSubnetMask, []byte{255, 255, 255, 0}},
		{layers.DHCPOptRouter, w.gate.raw},
		{layers.DHCPOptDNS, w.gate.raw},
		{layers.DHCPOptDomainName, []byte("home.arpa")},
	} {
		m.Options = append(m.Options, layers.NewDHCPOption(o.code, o.data))
	}
	return m
}

// dhcp captures one DHCP message; from port 68 it goes to 67, and back.
func (w *world) dhcp(t instant, from, to *peer, port uint16, m *layers.DHCPv4) {
	buf := gopacket.NewSerializeBuffer()
	if err := m.SerializeTo(buf, w.lan.fixed); err != nil {
		w.lan.check(err)
		return
	}
	// BOOTP messages are at least 300 bytes (RFC 1542 section 2.1).
	payload := append([]byte(nil), buf.Bytes()...)
	if len(payload) < 300 {
		payload = append(payload, make([]byte, 300-len(payload))...)
	}
	w.lan.datagram(t, from, to, port, 135-port, payload)
}

// keepLease is the DHCP client of a device that never leaves.
func (p *program) keepLease(now instant) {
	if p.home(now) {
		p.renew(now)
	}
	p.after(now, p.rnd.jitter(leaseTime/2, 2), p.keepLease)
}
