package sim

import (
	"fmt"
	"net/netip"
	"strings"
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
	to := []netip.Addr{b.attacker(), b.attacker(), b.attacker()}
	slot, err := b.slot(hubName, b.rnd.span(35*time.Minute, 2*time.Hour), 0, 23)
	l := Label{
		Title:  fmt.Sprintf("the hub opens %s sessions to servers on the internet", kind.name),
		Device: hubName, Peer: to[0].String(), Start: slot.from.time(), End: slot.until.time(),
	}
	return l, func(w *world) {
		p := w.program(w.devices[hubName], "backdoor", styleImplant)
		var visit func(now instant)
		visit = func(now instant) {
			if now.add(3*time.Minute) >= slot.until {
				return
			}
			c := p.dial(now, w.inet.peer(to[p.rnd.n(len(to))], 42*time.Millisecond), kind.port)
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

func (p *program) sshSession(c *conn) {
	c.send(client, []byte("SSH-2.0-dropbear_2019.78\r\n"))
	c.send(server, []byte("SSH-2.0-OpenSSH_9.6\r\n"))
	c.send(client, p.sshPacket(20, p.rnd.between(500, 700)))
	c.send(server, p.sshPacket(20, p.rnd.between(900, 1100)))
	c.send(client, p.sshPacket(30, 44))
	c.send(server, append(p.sshPacket(31, 300), p.sshPacket(21, 12)...))
	c.send(client, p.sshPacket(21, 12))
	for range p.rnd.between(6, 30) {
		c.send(client, p.rnd.bytes(4*p.rnd.between(9, 30)))
		c.send(server, p.rnd.bytes(4*p.rnd.between(9, 90)))
		c.t = c.t.add(p.rnd.span(20*time.Millisecond, 3*time.Second))
	}
}

// sshPacket is an unencrypted binary packet of n bytes of payload (RFC 4253
// section 6); its content beyond the type is not examined by anyone.
func (p *program) sshPacket(kind byte, n int) []byte {
	pad := 8 - (5+n)%8
	if pad < 4 {
		pad += 8
	}
	size := 1 + n + pad
	b := append([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size), byte(pad), kind}, p.rnd.bytes(n-1+pad)...)
	if kind != 20 {
		return b
	}
	// KEXINIT: cookie, then ten name lists; the rest is a long last language list.
	lists := []string{"curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", ""}
	at := 6 + 16
	for _, l := range lists {
		b[at], b[at+1], b[at+2], b[at+3] = 0, 0, 0, byte(len(l))
		at += 4 + copy(b[at+4:], l)
	}
	rest := 6 + n - 1 - at - 4 - 5
	b[at], b[at+1], b[at+2], b[at+3] = 0, 0, byte(rest>>8), byte(rest)
	for i := range rest {
		b[at+4+i] = 'x'
	}
	clear(b[at+4+rest:])
	return b
}

func (p *program) ircSession(c *conn) {
	nick := "lh" + p.rnd.letters("0123456789", 6)
	c.send(client, []byte("NICK "+nick+"\r\nUSER "+nick+" 8 * :"+nick+"\r\n"))
	c.send(server, []byte(":hive.invalid 001 "+nick+" :Welcome\r\n:hive.invalid 376 "+nick+" :End of MOTD\r\n"))
	c.send(client, []byte("JOIN #hive x7\r\n"))
	c.send(server, []byte(":"+nick+" JOIN #hive\r\n:hive.invalid 332 "+nick+" #hive :.idle\r\n"))
	for range p.rnd.between(2, 5) {
		c.t = c.t.add(p.rnd.span(15*time.Second, 30*time.Second))
		c.send(server, []byte("PING :hive.invalid\r\n"))
		c.send(client, []byte("PONG :hive.invalid\r\n"))
	}
	c.settle()
}

func (p *program) telnetSession(c *conn) {
	c.send(server, []byte{255, 253, 24, 255, 253, 32, 255, 253, 35, 255, 253, 39}) // DO terminal type, speed ...
	c.send(client, []byte{255, 252, 24, 255, 252, 32, 255, 252, 35, 255, 252, 39}) // WON'T
	c.send(server, []byte("\r\nlogin: "))
	for _, line := range []string{"root\r\n", "xc3511\r\n", "enable\r\n", "shell\r\n", "cat /proc/mounts\r\n"} {
		c.t = c.t.add(p.rnd.span(100*time.Millisecond, 900*time.Millisecond))
		c.send(client, []byte(line))
		c.send(server, []byte("\r\n"+strings.Repeat(".", p.rnd.between(2, 60))+"# "))
	}
}

// smbSession negotiates SMB 2 and asks to log in ([MS-SMB2] 2.2.3, 2.2.5).
func (p *program) smbSession(c *conn) {
	header := func(command byte, id byte, response bool) []byte {
		b := make([]byte, 64)
		copy(b, []byte{0xfe, 'S', 'M', 'B', 64, 0})
		b[12], b[14], b[24] = command, 31, id
		if response {
			b[16] = 1
		}
		return b
	}
	frame := func(b []byte) []byte {
		return append([]byte{0, 0, byte(len(b) >> 8), byte(len(b))}, b...)
	}
	negotiate := append(header(0, 0, false), 36, 0, 2, 0, 1, 0, 0, 0, 0x7f, 0, 0, 0)
	negotiate = append(negotiate, p.rnd.bytes(16)...)                             // client GUID
	negotiate = append(negotiate, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x02, 0x10, 0x02) // dialects 2.0.2, 2.1
	c.send(client, frame(negotiate))
	answer := append(header(0, 0, true), 65, 0, 1, 0, 0x10, 0x02, 0, 0)
	answer = append(answer, p.rnd.bytes(16)...) // server GUID
	answer = append(answer, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0)
	answer = append(answer, make([]byte, 16)...)      // times
	answer = append(answer, 128, 0, 0, 0, 0, 0, 0, 0) // no security blob
	c.send(server, frame(answer))
	setup := append(header(1, 1, false), 25, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 88, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	token := append([]byte("NTLMSSP\x00\x01\x00\x00\x00\x07\x82\x08\xa2"), make([]byte, 16)...)
	c.send(client, frame(append(setup, token...)))
	refused := append(header(1, 1, true), 9, 0, 0, 0, 0, 0, 0, 0)
	copy(refused[8:], []byte{0x6d, 0, 0, 0xc0}) // STATUS_LOGON_FAILURE
	c.send(server, frame(refused))
}
