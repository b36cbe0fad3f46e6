package sim

import (
	"fmt"
	"net/netip"
	"time"
)

// attackers live in networks reserved for documentation (RFC 5737), so that no
// real address gets a bad name.
var attackers = []string{"198.51.100.0/24", "203.0.113.0/24"}

func (b *booking) attacker() netip.Addr {
	return b.rnd.addrIn(netip.MustParsePrefix(pick(b.rnd, attackers)))
}

// cheapNames are top-level domains that are often abused because a name costs
// next to nothing.
var cheapNames = []string{"top", "xyz", "icu", "click", "cyou", "sbs"}

const (
	consonants   = "bcdfghjklmnpqrstvwxz"
	alphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// throwaway is a name registered for one campaign.
func (s *stream) throwaway() string {
	return s.letters(consonants, s.between(4, 6)) + s.letters(alphanumeric, s.between(4, 8)) + "." + pick(s, cheapNames)
}

// rogue registers a name of an attacker: his address, short-lived records.
func (w *world) rogue(host string, ip netip.Addr, issued time.Time) *site {
	s := w.inet.site(host)
	s.nets, s.chain, s.count, s.ttl, s.ipv6, s.quic, s.rotate = nil, nil, 1, 60, false, false, 0
	s.max, s.turned = tls12, issued
	s.addrs, s.epoch = []netip.Addr{ip}, 0
	return s
}

// iot are the devices on which an implant would be plausible.
var iot = []string{cameraName, hubName, thermostatName}

func planBeaconLiteral(b *booking) (Label, func(w *world), error) {
	device := pick(b.rnd, iot)
	port := pick(b.rnd, []int{1337, 4444, 5555, 6667, 8081, 9001, 48101})
	every := b.rnd.span(70*time.Second, 6*time.Minute)
	jitter := b.rnd.between(3, 20)
	c2 := b.attacker()
	slot, err := b.slot(device, b.rnd.span(7*time.Hour, 26*time.Hour), 0, 23)
	l := Label{
		Title:  fmt.Sprintf("an implant on the %s calls a server by its bare address on port %d, every %s or so", device, port, every.Round(time.Second)),
		Device: device, Peer: c2.String(), Start: slot.from.time(), End: slot.until.time(),
	}
	return l, func(w *world) {
		p := w.program(w.devices[device], "implant", styleImplant)
		to := w.inet.peer(c2, p.rnd.span(30*time.Millisecond, 90*time.Millisecond))
		w.agenda.book(slot.from, func(now instant) { p.beacon(now, slot.until, to, uint16(port), every, jitter) })
	}, err
}

// beacon calls home over bare TCP until the time is up.
func (p *program) beacon(now, until instant, to *peer, port uint16, every time.Duration, jitter int) {
	if now.add(time.Minute) >= until {
		return
	}
	c := p.dial(now, to, port)
	c.send(client, p.rnd.bytes(p.rnd.between(48, 180)))
	c.t = c.t.add(p.rnd.span(2*time.Millisecond, 30*time.Millisecond))
	c.send(server, p.rnd.bytes(p.rnd.between(12, 60)))
	if p.rnd.chance(25) { // a command that wants an answer
		c.send(server, p.rnd.bytes(p.rnd.between(100, 400)))
		c.send(client, p.rnd.bytes(p.rnd.size(1_000, 60_000)))
	}
	c.close(client)
	p.after(now, p.rnd.jitter(every, jitter), func(now instant) { p.beacon(now, until, to, port, every, jitter) })
}

func planBeaconName(b *booking) (Label, func(w *world), error) {
	device := pick(b.rnd, iot)
	host := b.rnd.throwaway()
	every := b.rnd.span(4*time.Minute, 14*time.Minute)
	jitter := b.rnd.between(10, 35)
	c2 := b.attacker()
	slot, err := b.slot(device, b.rnd.span(10*time.Hour, 40*time.Hour), 0, 23)
	l := Label{
		Title:  fmt.Sprintf("an implant on the %s calls %s on port 443, every %s or so", device, host, every.Round(time.Second)),
		Device: device, Peer: host, Start: slot.from.time(), End: slot.until.time(),
	}
	return l, func(w *world) {
		p := w.program(w.devices[device], "implant", styleImplant)
		w.rogue(host, c2, slot.from.time().Add(-30*time.Hour).Truncate(time.Second))
		var call func(now instant)
		call = func(now instant) {
			if now.add(time.Minute) >= slot.until {
				return
			}
			p.call(now, host, p.rnd.size(300, 24_000), p.rnd.between(90, 600))
			p.after(now, p.rnd.jitter(every, jitter), call)
		}
		w.agenda.book(slot.from, call)
	}, err
}

func planServiceWAN(b *booking) (Label, func(w *world), error) {
	kinds := []struct {
		name string
		port uint16
		talk func(p *program, c *conn)
	}{
		{"SSH", 22, (*program).sshSession},
		{"IRC", 6667, (*program).ircSession},
		{"telnet", 23, (*program).telnetSession},
	}
	kind := pick(b.rnd, kinds)
	to := b.attacker()
	slot, err := b.slot(hubName, b.rnd.span(35*time.Minute, 2*time.Hour), 0, 23)
	l := Label{
		Title:  fmt.Sprintf("the hub opens %s sessions to a server on the internet", kind.name),
		Device: hubName, Peer: to.String(), Start: slot.from.time(), End: slot.until.time(),
	}
	return l, func(w *world) {
		p := w.program(w.devices[hubName], "backdoor", styleImplant)
		var visit func(now instant)
		visit = func(now instant) {
			if now.add(3*time.Minute) >= slot.until {
				return
			}
			c := p.dial(now, w.inet.peer(to, 42*time.Millisecond), kind.port)
			kind.talk(p, c)
			c.close(client)
			p.after(now, p.rnd.span(4*time.Minute, 14*time.Minute), visit)
		}
		w.agenda.book(slot.from, visit)
	}, err
}

func planServiceLAN(b *booking) (Label, func(w *world), error) {
	kinds := []struct {
		name, target string
		port         uint16
		talk         func(p *program, c *conn)
	}{
		{"file sharing", printerName, 445, (*program).smbSession},
		{"SSH", hubName, 22, (*program).sshSession},
		{"file sharing", tvName, 445, (*program).smbSession},
	}
	kind := pick(b.rnd, kinds)
	slot, err := b.slot(cameraName, b.rnd.span(12*time.Minute, 50*time.Minute), 0, 23)
	l := Label{
		Title:  fmt.Sprintf("the camera connects to the %s's %s port", kind.target, kind.name),
		Device: cameraName, Peer: kind.target, Start: slot.from.time(), End: slot.until.time(),
	}
	return l, func(w *world) {
		p := w.program(w.devices[cameraName], "lateral", styleImplant)
		var visit func(now instant)
		visit = func(now instant) {
			if now.add(90*time.Second) >= slot.until {
				return
			}
			c := p.dial(now, &w.devices[kind.target].peer, kind.port)
			kind.talk(p, c)
			c.close(client)
			p.after(now, p.rnd.span(50*time.Second, 5*time.Minute), visit)
		}
		w.agenda.book(slot.from, visit)
	}, err
}
