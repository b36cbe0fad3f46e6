package sim

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// lookup resolves a host through the gateway, or from the device's cache, and
// returns when the answer was there. No addresses mean that it failed.
func (p *program) lookup(now instant, host string) ([]netip.Addr, instant) {
	if c, ok := p.cache[host]; ok && now < c.until {
		return c.addrs, now
	}
	t := p.resolveLink(now, &p.w.gate)
	if p.w.lan.dead(t) {
		return nil, p.askInVain(t, host)
	}
	s := p.w.inet.site(host)
	addrs, left, wait := p.w.forward(s, t, p.rnd)
	id, port := uint16(p.rnd.n(1<<16)), p.port()
	if p.dual {
		six := uint16(p.rnd.n(1 << 16))
		sixPort := p.port()
		t6 := t.add(p.rnd.span(20*time.Microsecond, 400*time.Microsecond))
		p.ask(t6, sixPort, six, host, dnsmessage.TypeAAAA)
		p.w.answer(t6.add(wait+p.rnd.span(100*time.Microsecond, 4*time.Millisecond)), p.device, sixPort,
			p.w.addressAnswer(s, six, dnsmessage.TypeAAAA, left, addrs))
	}
	p.ask(t, port, id, host, dnsmessage.TypeA)
	t = t.add(wait)
	p.w.answer(t, p.device, port, p.w.addressAnswer(s, id, dnsmessage.TypeA, left, addrs))
	t = t.add(2*p.far + p.rnd.span(100*time.Microsecond, 2*time.Millisecond))
	prune(p.cache, now)
	p.cache[host] = cached{t.add(time.Duration(left) * time.Second), addrs}
	return addrs, t
}

// forward consults the gateway's cache: the addresses, what is left of their
// time to live in seconds, and how long the gateway takes to answer.
func (w *world) forward(s *site, now instant, r *stream) ([]netip.Addr, uint32, time.Duration) {
	if c, ok := w.forwarder[s.host]; ok && now < c.until {
		return c.addrs, uint32(max(1, c.until.sub(now)/time.Second)), r.span(150*time.Microsecond, 900*time.Microsecond)
	}
	prune(w.forwarder, now)
	addrs := w.inet.addresses(s, now)
	w.forwarder[s.host] = cached{now.add(time.Duration(s.ttl) * time.Second), addrs}
	return addrs, s.ttl, r.span(8*time.Millisecond, 60*time.Millisecond)
}

// askInVain is a lookup while the line is dead: three tries; the gateway's
// forwarder gives up with SERVFAIL, or says nothing.
func (p *program) askInVain(t instant, host string) instant {
	port := p.port()
	silent := p.rnd.chance(500)
	for range 3 {
		id := uint16(p.rnd.n(1 << 16))
		p.ask(t, port, id, host, dnsmessage.TypeA)
		if !silent {
			q := question(host, dnsmessage.TypeA)
			p.w.answer(t.add(p.rnd.span(1800*time.Millisecond, 2400*time.Millisecond)), p.device, port,
				reply(id, q, dnsmessage.RCodeServerFailure))
		}
		t = t.add(p.rnd.span(4900*time.Millisecond, 5100*time.Millisecond))
	}
	return t
}

// prune forgets what has expired once a cache has grown large.
func prune(cache map[string]cached, now instant) {
	if len(cache) < 1000 {
		return
	}
	for k, c := range cache {
		if now >= c.until {
			delete(cache, k)
		}
	}
}

func question(host string, typ dnsmessage.Type) dnsmessage.Question {
	name, err := dnsmessage.NewName(host + ".")
	if err != nil {
		name = dnsmessage.MustNewName("invalid.") // longer than 255 bytes; no name here is
	}
	return dnsmessage.Question{Name: name, Type: typ, Class: dnsmessage.ClassINET}
}

func reply(id uint16, q dnsmessage.Question, code dnsmessage.RCode) *dnsmessage.Message {
	return &dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: id, Response: true, RecursionDesired: true, RecursionAvailable: true, RCode: code,
		},
		Questions: []dnsmessage.Question{q},
	}
}

// ask sends a query to the gateway.
func (p *program) ask(t instant, port, id uint16, host string, typ dnsmessage.Type) {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{question(host, typ)},
	}
	b, err := m.Pack()
	if err != nil {
		p.w.lan.check(fmt.Errorf("pack query for %s: %w", host, err))
		return
	}
	p.w.lan.datagram(t, &p.peer, &p.w.gate, port, 53, b)
}

// answer sends a response from the gateway.
func (w *world) answer(t instant, to *device, port uint16, m *dnsmessage.Message) {
	b, err := m.Pack()
	if err != nil {
		w.lan.check(fmt.Errorf("pack response: %w", err))
		return
	}
	w.lan.datagram(t, &w.gate, &to.peer, 53, port, b)
}

// addressAnswer is the response for a site: its CNAME chain and addresses, or
// the chain and an SOA if it has none of that family.
func (w *world) addressAnswer(s *site, id uint16, typ dnsmessage.Type, ttl uint32, addrs []netip.Addr) *dnsmessage.Message {
	q := question(s.host, typ)
	m := reply(id, q, dnsmessage.RCodeSuccess)
	owner := q.Name
	for _, alias := range s.chain {
		target := dnsmessage.MustNewName(alias + ".")
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: owner, Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET, TTL: ttl},
			Body:   &dnsmessage.CNAMEResource{CNAME: target},
		})
		owner = target
	}
	head := dnsmessage.ResourceHeader{Name: owner, Type: typ, Class: dnsmessage.ClassINET, TTL: ttl}
	if typ == dnsmessage.TypeA {
		for _, a := range addrs {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
		}
		return m
	}
	if !s.ipv6 {
		m.Authorities = append(m.Authorities, soa(s.domain))
		return m
	}
	for _, a := range addrs {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: mapped6(a)}})
	}
	return m
}

// mapped6 makes up an IPv6 address of the same site: in 2a05:d000::/20, one of
// the networks in which hosting companies live.
func mapped6(a netip.Addr) [16]byte {
	v4 := a.As4()
	out := [16]byte{0x2a, 0x05, 0xd0, 0x18, v4[0], v4[1], v4[2], 0}
	copy(out[12:], v4[:])
	return out
}

// soa is the authority record of a negative answer (RFC 2308).
func soa(domain string) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{
			Name: dnsmessage.MustNewName(domain + "."), Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET, TTL: 900,
		},
		Body: &dnsmessage.SOAResource{
			NS: dnsmessage.MustNewName("ns1." + domain + "."), MBox: dnsmessage.MustNewName("hostmaster." + domain + "."),
			Serial: 2026010101, Refresh: 7200, Retry: 900, Expire: 1209600, MinTTL: 900,
		},
	}
}
