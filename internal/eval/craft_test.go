package eval

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"gatehouse/internal/testkit"
)

// craft makes the frames of a device of the week that no capture has: an
// implant calling its server.
type craft struct {
	tb     testing.TB
	rnd    *rand.Rand
	device station
	frames []testkit.Frame
	port   uint16
}

func newCraft(tb testing.TB, rnd *rand.Rand, d station) *craft {
	return &craft{tb: tb, rnd: rnd, device: d, port: uint16(33000 + rnd.IntN(20000))}
}

// farAway is the time that a packet takes to a server and back.
const farAway = int64(60 * time.Millisecond)

// rhythm is how long and how often an implant calls, and the share of the time
// between two calls by which it is early or late.
type rhythm struct {
	lasts, every time.Duration
	jitter       float64
}

// beacon calls a server for a while. With a name, it looks the name up first,
// as long as the answer is not remembered, which it is for an hour.
func (c *craft) beacon(start int64, r rhythm, name string, server netip.AddrPort) []testkit.Frame {
	var resolved int64
	for t := start; t < start+int64(r.lasts); {
		if name != "" && t-resolved > int64(time.Hour) {
			c.lookup(t, name, server.Addr())
			resolved = t
		}
		c.exchange(t+farAway, server, 90+c.rnd.IntN(120), 20+c.rnd.IntN(60))
		t += int64(float64(r.every) * (1 + r.jitter*(2*c.rnd.Float64()-1)))
	}
	return c.frames
}

// lookup is a DNS query to the gateway and its answer.
func (c *craft) lookup(t int64, name string, addr netip.Addr) {
	q := dnsmessage.Question{Name: dnsmessage.MustNewName(name + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: uint16(c.rnd.Uint32()), RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	query, err := m.Pack()
	if err != nil {
		c.tb.Fatal(err)
	}
	m.Response = true
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 3600},
		Body:   &dnsmessage.AResource{A: addr.As4()},
	}}
	answer, err := m.Pack()
	if err != nil {
		c.tb.Fatal(err)
	}
	c.port++
	us, resolver := netip.AddrPortFrom(c.device.ip, c.port), netip.AddrPortFrom(weekGateway.ip, 53)
	c.send(t, us, resolver, 17, udp(us, resolver, query))
	c.send(t+farAway/2, resolver, us, 17, udp(resolver, us, answer))
}

// exchange is one TCP connection with a request and a response of opaque bytes.
func (c *craft) exchange(t int64, server netip.AddrPort, up, down int) {
	const (
		fin, syn, psh, ack = 1, 2, 8, 16
	)
	c.port++
	us := netip.AddrPortFrom(c.device.ip, c.port)
	x, y := c.rnd.Uint32(), c.rnd.Uint32()
	out := func(flags byte, payload []byte) {
		c.send(t, us, server, 6, tcp(us, server, x, y, flags, payload))
		x += uint32(len(payload)) + uint32(flags&syn>>1) + uint32(flags&fin)
		t += farAway / 2
	}
	in := func(flags byte, payload []byte) {
		c.send(t, server, us, 6, tcp(server, us, y, x, flags, payload))
		y += uint32(len(payload)) + uint32(flags&syn>>1) + uint32(flags&fin)
		t += farAway / 2
	}
	out(syn, nil)
	in(syn|ack, nil)
	out(ack, nil)
	out(psh|ack, c.opaque(up))
	in(psh|ack, c.opaque(down))
	out(fin|ack, nil)
	in(fin|ack, nil)
	out(ack, nil)
}

func (c *craft) opaque(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(0x80 | c.rnd.IntN(128)) // no protocol that anybody knows
	}
	return b
}

// send frames an IPv4 packet (RFC 791) and keeps it.
func (c *craft) send(t int64, from, to netip.AddrPort, proto byte, segment []byte) {
	b := make([]byte, 0, etherHeader+ipv4Header+len(segment))
	gateway := from.Addr() != c.device.ip
	if gateway {
		b = append(append(b, c.device.mac[:]...), weekGateway.mac[:]...)
	} else {
		b = append(append(b, weekGateway.mac[:]...), c.device.mac[:]...)
	}
	b = append(b, 0x08, 0x00, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4Header+len(segment)))
	b = append(b, 0, 0, 0x40, 0, 64, proto, 0, 0) // don't fragment, TTL 64, no checksum
	b = append(append(b, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	b = append(b, segment...)
	if gateway {
		b = tagged(b)
	}
	c.frames = append(c.frames, testkit.Frame{Time: t, Data: b})
}

// udp is a datagram (RFC 768) without a checksum.
func udp(from, to netip.AddrPort, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return append(append(b, 0, 0), payload...)
}

// tcp is a segment (RFC 9293) without options and checksum.
func tcp(from, to netip.AddrPort, seq, ack uint32, flags byte, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
	return append(b, payload...)
}
