package sim

import (
	"net"
	"net/netip"
	"sort"
	"time"
)

// device is one machine on the LAN.
type device struct {
	peer
	name   string // as the owner calls it
	stack  *tcpStack
	lease  leaseStyle
	dual   bool   // asks for AAAA as well as A
	agent  string // HTTP User-Agent
	left   []window
	joined instant
	main   *program // what its maker put on it

	cache     map[string]cached
	neighbour map[netip.Addr]instant // when the ARP entry was last confirmed
	sessions  map[string]*uplink     // lasting connections by host
}

type cached struct {
	until instant
	addrs []netip.Addr
}

// home reports whether the device is in the house and awake.
func (d *device) home(now instant) bool {
	if now < d.joined {
		return false
	}
	// The windows are in order and do not overlap.
	i := sort.Search(len(d.left), func(i int) bool { return d.left[i].until > now })
	return i == len(d.left) || now < d.left[i].from
}

// program is one piece of software on a device. Its randomness is its own, so
// that what it does does not depend on what others do.
type program struct {
	*device
	w   *world
	rnd *stream
	tls *helloStyle
	old map[string]session // tickets by host
}

type session struct {
	ticket  []byte
	version uint16
	expires instant
}

// program starts a piece of software on a device. The name must be unique.
func (w *world) program(d *device, name string, tls *helloStyle) *program {
	return &program{
		device: d, w: w, tls: tls, old: make(map[string]session),
		rnd: newStream(w.cfg.Seed, "program/"+d.name+"/"+name),
	}
}

// after books an action of the program.
func (p *program) after(now instant, d time.Duration, do func(now instant)) {
	p.w.agenda.book(now.add(d), do)
}

// port is an ephemeral port from the range that Linux (32768 to 60999) and all
// others (49152 to 65535, RFC 6335 section 6) share.
func (p *program) port() uint16 { return uint16(p.rnd.between(49152, 60999)) }

// neighbourLife is how long an ARP entry is trusted. Linux re-checks entries in
// use after 15 to 45 s, most others after minutes; the longer figure keeps the
// capture small.
const neighbourLife = 18 * time.Minute

// resolveLink makes sure that the device knows the link address of the next
// hop, asking for it if need be, and returns when it does.
func (p *program) resolveLink(now instant, hop *peer) instant {
	if last, ok := p.neighbour[hop.ip]; ok && now.sub(last) < neighbourLife {
		return now
	}
	_, known := p.neighbour[hop.ip]
	p.neighbour[hop.ip] = now
	to := broadcast
	if known {
		to = hop.mac // a unicast probe (RFC 1122 section 2.3.2.1)
	}
	p.w.lan.arp(now, 1, to, &p.peer, hop, zeroMAC)
	answered := now.add(hop.far*2 + p.rnd.span(80*time.Microsecond, 900*time.Microsecond))
	p.w.lan.arp(answered, 2, p.mac, hop, &p.peer, p.mac)
	return answered.add(2*p.far + p.rnd.span(50*time.Microsecond, 300*time.Microsecond))
}

var (
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	zeroMAC   = net.HardwareAddr{0, 0, 0, 0, 0, 0}
)

// dial opens a TCP connection to an address.
func (p *program) dial(now instant, to *peer, port uint16) *conn {
	c := p.conn(now, to, port)
	c.open()
	return c
}

// conn prepares a TCP connection.
func (p *program) conn(now instant, to *peer, port uint16) *conn {
	hop := to
	if to.wan {
		hop = &p.w.gate
	}
	return &conn{
		net: p.w.lan, rnd: p.rnd, stack: p.stack, t: p.resolveLink(now, hop),
		end: [2]*peer{&p.peer, to}, port: [2]uint16{p.port(), port},
	}
}

// reach looks a host up and opens a TCP connection to it. It returns nil if
// the name did not resolve.
func (p *program) reach(now instant, host string, port uint16) *conn {
	s := p.w.inet.site(host)
	addrs, t := p.lookup(now, host)
	if len(addrs) == 0 {
		return nil
	}
	return p.dial(t, p.w.inet.peer(addrs[0], s.far), port)
}

// knock tries to connect to a host that refuses.
func (p *program) knock(now instant, host string) {
	s := p.w.inet.site(host)
	addrs, t := p.lookup(now, host)
	if len(addrs) == 0 {
		return
	}
	c := p.conn(t, p.w.inet.peer(addrs[0], s.far), 443)
	if c.unanswered() {
		c.open()
		return
	}
	c.refuse()
}

// connect opens a TLS connection to a host; nil if that failed.
func (p *program) connect(now instant, host string, port uint16) *channel {
	c := p.reach(now, host, port)
	if c == nil || c.dead {
		return nil
	}
	return p.handshake(c, p.w.inet.site(host))
}

// channel is a TLS session on a connection.
type channel struct {
	*conn
	version uint16
}

// handshake performs a TLS handshake on a fresh connection.
func (p *program) handshake(c *conn, s *site) *channel {
	var ticket []byte
	old, ok := p.old[s.host]
	if ok && p.tls.resume && c.t < old.expires {
		ticket = old.ticket
	}
	ch, err := p.tls.hello(p.rnd, s.host, ticket)
	if err != nil {
		p.w.lan.check(err)
		return nil
	}
	side, err := p.w.inet.serve(s, ch, c.t)
	if err != nil {
		p.w.lan.check(err)
		return nil
	}
	side.resumed = ch.ticket && old.version == side.version && s.impostor(c.t) == 0
	f, err := ch.answer(p.rnd, side)
	if err != nil {
		p.w.lan.check(err)
		return nil
	}
	c.send(client, ch.record)
	c.t = c.t.add(p.rnd.span(300*time.Microsecond, 4*time.Millisecond)) // signing takes the server a moment
	c.send(server, f.server)
	c.t = c.t.add(p.rnd.span(500*time.Microsecond, 12*time.Millisecond)) // checking takes the client longer
	c.send(client, f.client)
	if len(f.finish) > 0 {
		c.send(server, f.finish)
	}
	if p.tls.resume && !side.resumed {
		p.old[s.host] = session{p.rnd.bytes(ticketSize), side.version, c.t.add(2 * time.Hour)}
	}
	if c.dead {
		return nil
	}
	return &channel{conn: c, version: side.version}
}

// most is the largest amount of application data that is captured in full.
const most = 1200

// data carries n bytes of application data.
func (c *channel) data(from, n int) {
	// Below TLS 1.3 records still say which version was agreed.
	version := min(c.version, tls12)
	if n <= most {
		c.send(from, sealed(c.rnd, recordData, version, n+24))
		return
	}
	c.bulk(from, n, recordData)
}

// exchange is one request with its answer.
func (c *channel) exchange(up, down int, think time.Duration) {
	c.data(client, up)
	c.t = c.t.add(think)
	c.data(server, down)
}

// end sends close_notify and closes.
func (c *channel) finish(from int) {
	if c.dead {
		return
	}
	if c.version == tls13 {
		c.send(from, sealed(c.rnd, recordData, tls12, 19))
	} else {
		c.send(from, sealed(c.rnd, 21, c.version, 26))
	}
	if c.rnd.chance(15) { // now and then a middlebox or a hasty server resets
		c.reset(server)
		return
	}
	c.close(from)
}

// handshakeLocal is a TLS handshake with another device of the home, which has
// a certificate of its own making inside TLS 1.3.
func (p *program) handshakeLocal(c *conn) *channel {
	if c.dead {
		return nil
	}
	ch, err := p.tls.hello(p.rnd, "", nil)
	if err != nil {
		p.w.lan.check(err)
		return nil
	}
	cipher, _ := choose(p.tls, tls13)
	f, err := ch.answer(p.rnd, serverSide{version: tls13, cipher: cipher})
	if err != nil {
		p.w.lan.check(err)
		return nil
	}
	c.send(client, ch.record)
	c.send(server, f.server)
	c.send(client, f.client)
	c.send(server, f.finish)
	return &channel{conn: c, version: tls13}
}
