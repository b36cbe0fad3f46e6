package sim

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func planDGA(b *booking) (Label, func(w *world), error) {
	device := pick(b.rnd, []string{thermostatName, cameraName})
	duration := b.rnd.span(20*time.Minute, time.Hour)
	names := b.rnd.between(220, 620)
	slot, err := b.slot(device, duration, 0, 23)
	l := Label{
		Title:  fmt.Sprintf("an implant on the %s looks for its server under %d generated names", device, names),
		Device: device, Start: slot.from.time(), End: slot.until.time(),
	}
	return l, func(w *world) {
		p := w.program(w.devices[device], "dga", styleImplant)
		tlds := []string{pick(p.rnd, cheapNames), "net", "ru"}
		gap := slot.until.sub(slot.from) / time.Duration(names+20)
		left := names
		var next func(now instant)
		next = func(now instant) {
			if left--; left < 0 || now.add(10*time.Second) >= slot.until {
				return
			}
			host := p.rnd.letters(alphanumeric[:26], p.rnd.between(9, 18)) + "." + pick(p.rnd, tlds)
			p.askOnce(now, host, dnsmessage.TypeA, func(m *dnsmessage.Message) {
				m.RCode = dnsmessage.RCodeNameError
				m.Authorities = append(m.Authorities, soa(host[strings.LastIndexByte(host, '.')+1:]))
			})
			p.after(now, min(p.rnd.expo(gap), 8*gap), next)
		}
		w.agenda.book(slot.from, next)
	}, err
}

// askOnce sends one query and its answer, which fill completes, past all
// caches. It returns when the answer came.
func (p *program) askOnce(now instant, host string, typ dnsmessage.Type, fill func(m *dnsmessage.Message)) instant {
	t := p.resolveLink(now, &p.w.gate)
	id, port := uint16(p.rnd.n(1<<16)), p.port()
	p.ask(t, port, id, host, typ)
	m := reply(id, question(host, typ), dnsmessage.RCodeSuccess)
	fill(m)
	t = t.add(p.rnd.span(12*time.Millisecond, 140*time.Millisecond))
	p.w.answer(t, p.device, port, m)
	return t
}

func planTunnelIoT(b *booking) (Label, func(w *world), error) {
	return planTunnel(b, pick(b.rnd, []string{tvName, cameraName, speakerName}), 0, 23)
}

func planTunnelLaptop(b *booking) (Label, func(w *world), error) {
	return planTunnel(b, laptopName, 20, 22) // when it is certainly open
}

func planTunnel(b *booking, device string, first, last int) (Label, func(w *world), error) {
	domain := b.rnd.letters(consonants, 5) + pick(b.rnd, secondWords) + "." + pick(b.rnd, []string{"com", "net", "xyz", "site"})
	queries := b.rnd.between(70, 420)
	slot, err := b.slot(device, b.rnd.span(4*time.Minute, 22*time.Minute), first, last)
	l := Label{
		Title:  fmt.Sprintf("the %s sends data out in %d DNS queries for names under %s", device, queries, domain),
		Device: device, Peer: domain, Start: slot.from.time(), End: slot.until.time(),
	}
	return l, func(w *world) {
		p := w.program(w.devices[device], "tunnel", styleImplant)
		gap := slot.until.sub(slot.from) / time.Duration(queries+20)
		left := queries
		var next func(now instant)
		next = func(now instant) {
			if left--; left < 0 || now.add(5*time.Second) >= slot.until {
				return
			}
			p.tunnelled(now, domain)
			p.after(now, gap/2+min(p.rnd.expo(gap/2), 6*gap), next)
		}
		w.agenda.book(slot.from, next)
	}, err
}

// tunnelled moves one block of data each way: up in hex labels, down in a TXT,
// CNAME or MX record, as dnscat2 does.
func (p *program) tunnelled(now instant, domain string) {
	up := hex.EncodeToString(p.rnd.bytes(p.rnd.between(18, 90)))
	host := ""
	for len(up) > 60 {
		host += up[:60] + "."
		up = up[60:]
	}
	host += up + "." + domain
	down := hex.EncodeToString(p.rnd.bytes(p.rnd.between(9, 25))) + "." + domain
	typ := pick(p.rnd, []dnsmessage.Type{dnsmessage.TypeTXT, dnsmessage.TypeTXT, dnsmessage.TypeCNAME, dnsmessage.TypeMX})
	p.askOnce(now, host, typ, func(m *dnsmessage.Message) {
		var body dnsmessage.ResourceBody
		switch typ {
		case dnsmessage.TypeTXT:
			body = &dnsmessage.TXTResource{TXT: []string{base64.StdEncoding.EncodeToString(p.rnd.bytes(p.rnd.between(20, 150)))}}
		case dnsmessage.TypeCNAME:
			body = &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(down + ".")}
		default:
			body = &dnsmessage.MXResource{Pref: 10, MX: dnsmessage.MustNewName(down + ".")}
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: typ, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   body,
		})
	})
}
