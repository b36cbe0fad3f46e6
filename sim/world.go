package sim

import (
	"net"
	"net/netip"
	"time"
)

// world is one run of the simulation.
type world struct {
	cfg        Config
	plan       *plan
	agenda     agenda
	lan        *cable    // the LAN side of the gateway
	inet       *internet // and what lies behind
	gate       peer
	start, end instant

	forwarder map[string]cached // the gateway's DNS cache
	devices   map[string]*device
	offers    []offer // announced services
	popular   *sites
}

// gateway is the router: the .1 of a /24, as home routers come.
var gatewayAddr = netip.AddrFrom4([4]byte{192, 168, 178, 1})

func newWorld(cfg Config, plan *plan, ca *authority) *world {
	w := &world{
		cfg: cfg, plan: plan, lan: newCable(),
		start: at(cfg.Start), end: at(cfg.Start.AddDate(0, 0, cfg.Days)),
		forwarder: make(map[string]cached), devices: make(map[string]*device),
	}
	mac := newStream(cfg.Seed, "gateway").macOf(0xc8, 0x0e, 0x14) // AVM
	w.gate = peer{mac: mac, ip: gatewayAddr, raw: gatewayAddr.AsSlice(), ttl: 64}
	w.inet = &internet{
		seed: cfg.Seed, start: cfg.Start, ca: ca, gate: &w.gate,
		sites: make(map[string]*site), peers: make(map[netip.Addr]*peer),
	}
	w.popular = newSites(cfg.Seed)
	w.layOut()
	w.inhabit()
	plan.apply(w)
	return w
}

// macOf draws a MAC address with a maker's prefix.
func (s *stream) macOf(a, b, c byte) net.HardwareAddr {
	mac := append(net.HardwareAddr{a, b, c}, s.bytes(3)...)
	return mac
}

// run plays the whole simulation through fn, frame by frame, in time order.
// hour is called after each simulated hour.
func (w *world) run(fn func(Frame) error, hour func(done int)) error {
	done := 0
	for now := w.start; now < w.end; {
		now = min(now.add(time.Hour), w.end)
		for {
			e, ok := w.agenda.next(now)
			if !ok {
				break
			}
			e.do(e.when)
		}
		if w.lan.err != nil {
			return w.lan.err
		}
		if err := w.lan.tape.play(now, fn); err != nil {
			return err
		}
		done++
		hour(done)
	}
	return nil
}

// uplink is a lasting TLS connection to a device's cloud with a heartbeat.
type uplink struct {
	p        *program
	host     string
	port     uint16
	every    time.Duration // between heartbeats
	up, down int           // bytes of one heartbeat
	life     time.Duration // after which it is opened anew
	ch       *channel
	since    instant
	bare     func(now instant) bool // speak plain HTTP at this time
}

// keep opens the uplink and keeps it open.
func (p *program) keep(now instant, u *uplink) {
	u.p = p
	p.sessions[u.host] = u
	u.beat(now)
}

func (u *uplink) beat(now instant) {
	u.p.after(now, u.p.rnd.jitter(u.every, 4), u.beat)
	if !u.p.home(now) {
		u.ch = nil // went away without a word
		return
	}
	if u.ch != nil && !u.ch.dead && now.sub(u.since) > u.life {
		u.ch.t = max(u.ch.t, now)
		u.ch.finish(client)
		now = u.ch.t.add(u.p.rnd.span(time.Second, 5*time.Second))
	}
	if u.ch == nil || u.ch.dead {
		u.establish(now)
		return
	}
	u.ch.t = max(u.ch.t, u.p.resolveLink(now, &u.p.w.gate))
	u.ch.exchange(u.up, u.down, u.p.rnd.span(time.Millisecond, 20*time.Millisecond))
	u.ch.settle()
	if u.ch.dead { // the heartbeat got no answer: try again soon, then ever more rarely
		u.retry(u.ch.t, 5*time.Second)
	}
}

func (u *uplink) establish(now instant) {
	if u.bare != nil && u.bare(now) {
		u.p.plainHTTP(now, u.host, "POST", "/v1/state", u.up*4, u.down*4)
		u.ch = nil
		return
	}
	u.ch = u.p.connect(now, u.host, u.port)
	u.since = now
	if u.ch == nil {
		return
	}
	u.ch.exchange(u.up*4, u.down*6, u.p.rnd.span(5*time.Millisecond, 60*time.Millisecond))
	u.ch.settle()
}

func (u *uplink) retry(now instant, wait time.Duration) {
	u.p.after(now, u.p.rnd.jitter(wait, 20), func(now instant) {
		if u.ch != nil && !u.ch.dead || !u.p.home(now) {
			return
		}
		if u.establish(now); u.ch == nil && wait < 5*time.Minute {
			u.retry(now, wait*2)
		}
	})
}

// cut breaks the connection, as somebody in the middle would, and has the
// device come back at once.
func (u *uplink) cut(now instant) {
	if u.ch != nil && !u.ch.dead {
		u.ch.t = max(u.ch.t, now)
		u.ch.reset(server)
	}
	u.ch = nil
	delete(u.p.old, u.host)
	u.establish(now.add(u.p.rnd.span(800*time.Millisecond, 4*time.Second)))
}

// poll has the program call a host now and then: one TLS connection each time.
func (p *program) poll(now instant, host string, every time.Duration, percent int, up, down int) {
	p.after(now, p.rnd.jitter(every, percent), func(now instant) { p.poll(now, host, every, percent, up, down) })
	if p.home(now) {
		p.call(now, host, up, down)
	}
}

// call is one TLS connection with one request. It reports whether it worked.
func (p *program) call(now instant, host string, up, down int) bool {
	ch := p.connect(now, host, 443)
	if ch == nil {
		return false
	}
	ch.exchange(up, p.rnd.between(down, down+down/4), p.rnd.span(4*time.Millisecond, 90*time.Millisecond))
	ch.finish(client)
	return true
}

// clock keeps the time by NTP, one of several pool names at a time.
func (p *program) clock(now instant, hosts []string, every time.Duration) {
	p.after(now, p.rnd.jitter(every, 3), func(now instant) { p.clock(now, hosts, every) })
	if p.home(now) {
		p.ntp(now, pick(p.rnd, hosts))
	}
}
