package sim

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Names of the devices, as they appear in labels.
const (
	cameraName     = "camera"
	hubName        = "hub"
	thermostatName = "thermostat"
	tvName         = "tv"
	phoneName      = "phone"
	laptopName     = "laptop"
	printerName    = "printer"
	speakerName    = "speaker"
	plugName       = "plug"
)

// Hosts that the devices' makers run. The makers are invented.
const (
	cameraRelay    = "relay-eu.kestrelcam.com"
	cameraUpload   = "upload.kestrelcam.com"
	cameraUpdate   = "fw.kestrelcam.com"
	hubCloud       = "ws.lumenhive.net"
	hubDiag        = "diag.lumenhive.net"
	thermoCloud    = "api.thermiahome.com"
	thermoWeather  = "weather.thermiahome.com"
	thermoDownload = "dl3.thermiahome.com" // only for firmware
	tvCloud        = "api.vistalink-tv.com"
	tvStore        = "apps.vistalink-tv.com"
	tvLogs         = "logs.vistalink-tv.com"
	tvCatalogue    = "play.nimbusplay.com"
	printerCloud   = "instant.inkwellprint.com"
	printerDrivers = "support.inkwellprint.com"
	speakerCloud   = "voice.auralis-audio.io"
	speakerMusic   = "stream.auralis-audio.io"
	plugCloud      = "n-euw1.plugwave.io"
	laptopUpdates  = "update.paneos.com"
	laptopMail     = "imap.letterbarn.com"
	captivePhone   = "captive.pomelo.com"
	captiveLaptop  = "www.paneosconnecttest.com"
)

// poolNames are the zones of the NTP pool that devices are configured with.
var poolNames = []string{"0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org", "3.pool.ntp.org"}

// streamHosts is the farm that carries the television's films, adHosts what
// its home screen is paid with.
var (
	streamHosts = hostsOf("ipv4-c%03d-ams.nimbusvideo.net", 40)
	spareHosts  = hostsOf("ipv4-c%03d-fra.nimbusvideo.net", 12)
	adHosts     = append(hostsOf("ads%02d.tvadreach.com", 20), hostsOf("px%02d.viewmeter.net", 24)...)
)

// layOut gives the makers' hosts the properties that their names do not draw.
func (w *world) layOut() {
	older := []string{
		cameraRelay, cameraUpload, cameraUpdate, hubCloud, hubDiag, thermoWeather, thermoDownload,
		plugCloud, printerCloud, laptopMail, tvLogs,
	}
	for _, h := range older {
		w.inet.site(h).max = tls12
	}
	for _, h := range []string{thermoCloud, tvCloud, tvCatalogue, tvStore, speakerCloud, speakerMusic, laptopUpdates} {
		w.inet.site(h).max = tls13
	}
	for _, h := range poolNames {
		s := w.inet.site(h)
		s.domain, s.chain, s.count, s.ttl, s.rotate = "pool.ntp.org", nil, 4, 130, 20*time.Minute
		s.nets = w.poolMembers()
	}
	for _, h := range append(append([]string(nil), streamHosts...), spareHosts...) {
		s := w.inet.site(h)
		s.chain, s.count, s.ttl, s.max = nil, 1, 60, tls13
	}
	for _, h := range w.popular.helpers[:20] {
		w.inet.site(h).rotate = 6 * time.Hour
	}
}

// poolMembers are the volunteers' servers of the NTP pool: a few dozen in a
// country at a time, each in a network of its own.
func (w *world) poolMembers() []netip.Prefix {
	r := newStream(w.cfg.Seed, "ntp pool")
	out := make([]netip.Prefix, 36)
	for i := range out {
		a := subnet(r, netip.MustParsePrefix(pick(r, clouds))).Addr().As4()
		a[3] = byte(r.n(8)) << 5
		out[i] = netip.PrefixFrom(netip.AddrFrom4(a), 27) // has room for one address, see addrIn
	}
	return out
}

// add puts a device into the home.
func (w *world) add(name string, mac net.HardwareAddr, last byte, stack *tcpStack, ttl uint8, lease leaseStyle) *device {
	ip := netip.AddrFrom4([4]byte{192, 168, 178, last})
	r := newStream(w.cfg.Seed, "device/"+name)
	d := &device{
		peer: peer{mac: mac, ip: ip, raw: ip.AsSlice(), ttl: ttl, far: r.span(600*time.Microsecond, 3*time.Millisecond)},
		name: name, stack: stack, lease: lease, joined: w.start,
		cache: make(map[string]cached), neighbour: make(map[netip.Addr]instant), sessions: make(map[string]*uplink),
	}
	w.devices[name] = d
	return d
}

func (w *world) mac(name string, a, b, c byte) net.HardwareAddr {
	return newStream(w.cfg.Seed, "mac/"+name).macOf(a, b, c)
}

// boot brings a device up some seconds into the run, as after a power cut, and
// then starts what runs on it.
func (w *world) boot(p *program, start func(now instant)) {
	w.agenda.book(w.start.add(p.rnd.span(2*time.Second, 90*time.Second)), func(now instant) {
		p.neighbourDiscovery(now)
		t := p.acquire(now.add(p.rnd.span(100*time.Millisecond, 2*time.Second)))
		t = t.add(p.rnd.span(10*time.Millisecond, 300*time.Millisecond))
		p.gratuitous(t)
		p.after(t, p.rnd.jitter(leaseTime/2, 3), p.keepLease)
		p.after(t, p.rnd.span(300*time.Millisecond, 4*time.Second), start)
	})
}

// inhabit fills the home.
func (w *world) inhabit() {
	w.addCamera()
	w.addHub()
	w.addThermostat()
	w.addTV()
	w.addPrinter()
	w.addSpeaker()
	w.addPlug()
	w.addPhone()
	w.addLaptop()
}

// DHCP parameter lists of common clients.
var (
	udhcpParams   = []byte{1, 3, 6, 12, 15, 28, 42}
	lwipParams    = []byte{1, 3, 28, 6}
	dhcpcdParams  = []byte{1, 121, 33, 3, 6, 12, 15, 26, 28, 42, 51, 54, 58, 59, 119}
	androidParams = []byte{1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114, 108}
	appleParams   = []byte{1, 121, 3, 6, 15, 108, 114, 119, 252}
	windowsParams = []byte{1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252}
	printerParams = []byte{6, 3, 1, 15, 66, 67, 13, 44, 12, 81, 252}
)

func (w *world) addCamera() {
	d := w.add(cameraName, w.mac(cameraName, 0xec, 0x71, 0xdb), 21, linuxStack, 64, // Reolink
		leaseStyle{hostname: "Kestrel-Cam-E1", vendor: "udhcp 1.24.1", params: udhcpParams, maxSize: 576})
	d.agent = "KestrelCam/3.1.0"
	p := w.program(d, "firmware", styleCamera)
	motion := w.program(d, "motion", styleCamera)
	w.boot(p, func(now instant) {
		p.clock(now, poolNames, 6*time.Hour)
		p.keep(now.add(time.Second), &uplink{host: cameraRelay, port: 443, every: 2 * time.Minute, up: 120, down: 64, life: 14 * time.Hour})
		p.poll(now.add(20*time.Second), cameraUpdate, 24*time.Hour, 5, 700, 900)
		motion.watch(now)
	})
}

// watch uploads a clip when something moves: mostly by day, at some windows
// more than at others.
func (p *program) watch(now instant) {
	weights := [24]int{1, 1, 1, 1, 1, 2, 5, 9, 7, 4, 4, 4, 5, 4, 4, 5, 7, 9, 8, 6, 4, 3, 2, 1}
	for range p.rnd.between(8, 26) {
		from := now.add(time.Duration(p.rnd.hour(weights))*time.Hour + p.rnd.span(0, time.Hour))
		p.w.agenda.book(from, func(now instant) {
			ch := p.connect(now, cameraUpload, 443)
			if ch == nil {
				return
			}
			ch.exchange(p.rnd.between(700, 900), 220, p.rnd.span(20*time.Millisecond, 80*time.Millisecond))
			ch.data(client, p.rnd.size(350_000, 4_000_000))
			ch.data(server, 180)
			ch.finish(client)
		})
	}
	p.after(now, 24*time.Hour, p.watch)
}

func (w *world) addHub() {
	d := w.add(hubName, w.mac(hubName, 0x00, 0x17, 0x88), 22, linuxStack, 64, // Philips Lighting
		leaseStyle{hostname: "lumen-bridge", vendor: "udhcp 1.30.1", params: udhcpParams})
	d.agent = "LumenBridge/1962.51"
	p := w.program(d, "bridge", styleHub)
	w.boot(p, func(now instant) {
		p.clock(now, poolNames[:2], 3*time.Hour)
		u := &uplink{host: hubCloud, port: 443, every: 150 * time.Second, up: 70, down: 50, life: 20 * time.Hour}
		u.bare = func(now instant) bool { return w.plan.bare(now) }
		p.keep(now.add(2*time.Second), u)
		p.poll(now.add(30*time.Second), hubDiag, 8*time.Hour, 20, 2_600, 260)
		p.offering(now, service{"_hap._tcp", "Lumen bridge - " + d.mac.String()[9:], 8080, []string{"c#=16", "ff=1", "id=A1:B2:C3:D4:E5:F6", "md=LB002", "pv=1.1", "s#=1", "sf=0", "ci=2"}})
	})
}

func (w *world) addThermostat() {
	d := w.add(thermostatName, w.mac(thermostatName, 0x44, 0x61, 0x32), 23, lwipStack, 255, // ecobee
		leaseStyle{hostname: "thermia-hall", params: lwipParams, maxSize: 1500})
	d.agent = "Thermia/4.2.394"
	p := w.program(d, "control", styleThermostat)
	d.main = p
	w.boot(p, func(now instant) {
		p.clock(now, poolNames[2:3], 4*time.Hour)
		p.keep(now.add(time.Second), &uplink{host: thermoCloud, port: 8443, every: 4 * time.Minute, up: 180, down: 90, life: 11 * time.Hour})
		p.poll(now.add(40*time.Second), thermoWeather, 45*time.Minute, 8, 300, 1_100)
	})
}

func (w *world) addPrinter() {
	d := w.add(printerName, w.mac(printerName, 0x3c, 0xd9, 0x2b), 24, linuxStack, 64, // Hewlett Packard
		leaseStyle{hostname: "Inkwell-8020", vendor: "Inkwell Printer", params: printerParams})
	d.agent = "InkwellPrint/2.0"
	p := w.program(d, "firmware", stylePrinter)
	w.boot(p, func(now instant) {
		p.clock(now, poolNames[:1], 12*time.Hour)
		p.poll(now.add(15*time.Second), printerCloud, 6*time.Hour, 15, 1_900, 700)
		p.offering(now, service{"_ipp._tcp", "Inkwell OfficeJet 8020", 631, []string{"txtvers=1", "rp=ipp/print", "ty=Inkwell OfficeJet 8020", "pdl=application/pdf,image/urf", "Color=T", "Duplex=T"}})
	})
}

func (w *world) addSpeaker() {
	d := w.add(speakerName, w.mac(speakerName, 0x5c, 0xaa, 0xfd), 25, linuxStack, 64, // Sonos
		leaseStyle{hostname: "auralis-kitchen", vendor: "dhcpcd-8.1.4:Linux-5.4.0:armv7l:Auralis", params: dhcpcdParams})
	d.agent = "AuralisOS/5.7"
	p := w.program(d, "firmware", styleSpeaker)
	music := w.program(d, "music", styleSpeaker)
	w.boot(p, func(now instant) {
		p.clock(now, poolNames[1:2], 8*time.Hour)
		p.keep(now.add(2*time.Second), &uplink{host: speakerCloud, port: 443, every: 5 * time.Minute, up: 90, down: 40, life: 22 * time.Hour})
		p.offering(now, service{"_spotify-connect._tcp", "Kitchen", 4070, []string{"VERSION=1.0", "CPath=/zc"}})
		music.play(now)
	})
}

// play has music in the kitchen, mornings and evenings.
func (p *program) play(now instant) {
	weights := [24]int{6: 2, 7: 5, 8: 4, 12: 2, 17: 4, 18: 6, 19: 4, 20: 1}
	for range p.rnd.n(4) {
		from := now.add(time.Duration(p.rnd.hour(weights))*time.Hour + p.rnd.span(0, time.Hour))
		songs := p.rnd.between(3, 14)
		p.w.agenda.book(from, func(now instant) { p.song(now, songs) })
	}
	p.after(now, 24*time.Hour, p.play)
}

func (p *program) song(now instant, left int) {
	if left == 0 {
		return
	}
	p.call(now, speakerMusic, 420, p.rnd.between(2_600_000, 5_200_000)/4)
	p.after(now, p.rnd.span(150*time.Second, 280*time.Second), func(now instant) { p.song(now, left-1) })
}

func (w *world) addPlug() {
	d := w.add(plugName, w.mac(plugName, 0x50, 0xc7, 0xbf), 26, lwipStack, 255, // TP-Link
		leaseStyle{hostname: "PW110", params: lwipParams})
	d.agent = "PW110/1.0.8"
	p := w.program(d, "firmware", stylePlug)
	w.boot(p, func(now instant) {
		p.clock(now, poolNames[3:], 5*time.Hour)
		p.keep(now.add(time.Second), &uplink{host: plugCloud, port: 443, every: 5 * time.Minute, up: 52, down: 40, life: 7 * time.Hour})
	})
}

func (w *world) addPhone() {
	d := w.add(phoneName, w.mac(phoneName, 0xf0, 0x18, 0x98), 31, appleStack, 64, // Apple
		leaseStyle{hostname: "Sanne-phone", params: appleParams, maxSize: 1500})
	d.dual, d.agent = true, "CaptiveNetworkSupport-481.0.1"
	w.carry(d, stylePhone, captivePhone, 7, w.start)
	look := w.program(d, "casting", stylePhone)
	w.agenda.book(w.start.add(time.Hour), look.cast)
}

// carry makes a device somebody's phone: it comes and goes, keeps in touch and
// browses.
func (w *world) carry(d *device, style *helloStyle, captive string, sessions int, from instant) {
	d.joined = from
	p := w.program(d, "system", style)
	p.comeAndGo(p.workday, func(now instant) {
		t := p.arrival(now)
		p.captiveCheck(t, captive)
		p.browse(t.add(2*time.Second), "_hap._tcp")
		p.browse(t.add(2*time.Second), "_ipp._tcp")
	})
	w.agenda.book(from.add(p.rnd.span(3*time.Second, 60*time.Second)), func(now instant) {
		p.neighbourDiscovery(now)
		t := p.acquire(now.add(p.rnd.span(100*time.Millisecond, time.Second)))
		p.gratuitous(t.add(20 * time.Millisecond))
		p.captiveCheck(t.add(200*time.Millisecond), captive)
		p.after(t, p.rnd.jitter(leaseTime/2, 3), p.keepLease)
		p.after(t, time.Second, p.telephone)
	})
	who := person{program: w.program(d, "browser", style)}
	for range 12 {
		who.own = append(who.own, who.rnd.domain())
	}
	midnight := at(from.time().Truncate(24 * time.Hour))
	w.agenda.book(from, func(instant) { who.day(midnight, eveningHours, freeHours, sessions) })
}

// cast looks for the television and the lights in the evening, as a phone's
// remote-control apps do.
func (p *program) cast(now instant) {
	midnight := at(now.time().Truncate(24 * time.Hour))
	for range p.rnd.between(1, 4) {
		p.w.agenda.book(midnight.hm(p.rnd.between(18, 22), p.rnd.n(60)), func(now instant) {
			if !p.home(now) {
				return
			}
			p.search(now)
			p.browse(now, "_googlecast._tcp")
			tv := p.w.devices[tvName]
			ch := p.handshakeLocal(p.dial(now.add(400*time.Millisecond), &tv.peer, 8009))
			if ch != nil {
				ch.exchange(300, 500, 3*time.Millisecond)
				ch.finish(client)
			}
			hub := p.w.devices[hubName]
			c := p.dial(now.add(time.Second), &hub.peer, 80)
			p.httpOn(c, hub.ip.String(), "GET", "/api/config", 0, 640)
			c.close(client)
		})
	}
	p.w.agenda.book(midnight.hm(25, 0), p.cast)
}

func (w *world) addLaptop() {
	d := w.add(laptopName, w.mac(laptopName, 0x3c, 0x6a, 0xa7), 32, windowsStack, 128, // Intel Wi-Fi
		leaseStyle{hostname: "DESKTOP-7Q2KD1", vendor: "MSFT 5.0", params: windowsParams})
	d.dual, d.agent = true, "Microsoft NCSI"
	w.useLaptop(d, styleBrowser, 7, w.start)
	office := w.program(d, "office", styleSchannel)
	w.agenda.book(w.start.add(time.Hour), office.paperwork)
}

// useLaptop makes a device a laptop: open in the evening, with updates, mail
// and much browsing.
func (w *world) useLaptop(d *device, style *helloStyle, sessions int, from instant) {
	d.joined = from
	p := w.program(d, "system", styleSchannel)
	p.comeAndGo(p.lid, func(now instant) {
		t := p.arrival(now)
		p.captiveCheck(t, captiveLaptop)
		p.browse(t.add(time.Second), "_ipp._tcp")
		p.call(t.add(8*time.Second), laptopUpdates, 900, p.rnd.size(20_000, 30_000_000))
	})
	w.agenda.book(from.add(time.Minute), func(now instant) {
		p.keep(now, &uplink{host: laptopMail, port: 993, every: 10 * time.Minute, up: 40, down: 60, life: 5 * time.Hour})
		p.poll(now, "sync.skydrawer.com", 23*time.Minute, 30, 1_500, 2_000)
	})
	who := person{program: w.program(d, "browser", style)}
	for range 25 {
		who.own = append(who.own, "www."+who.rnd.domain())
	}
	midnight := at(from.time().Truncate(24 * time.Hour))
	w.agenda.book(from, func(instant) { who.day(midnight, eveningHours, freeHours, sessions) })
}

// paperwork prints something on some days and pings the gateway on others.
func (p *program) paperwork(now instant) {
	midnight := at(now.time().Truncate(24 * time.Hour))
	if p.rnd.chance(450) {
		p.w.agenda.book(midnight.hm(p.rnd.between(19, 21), p.rnd.n(60)), func(now instant) {
			if !p.home(now) {
				return
			}
			printer := p.w.devices[printerName]
			c := p.dial(now, &printer.peer, 631)
			c.send(client, []byte(fmt.Sprintf("POST /ipp/print HTTP/1.1\r\nHost: %s:631\r\nUser-Agent: Inkwell Smart/9.1\r\n"+
				"Content-Type: application/ipp\r\nContent-Length: %d\r\n\r\n", printer.ip, 400_000)))
			c.bulk(client, 400_000, 0)
			c.send(server, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: 9\r\n\r\n\x02\x00\x00\x00\x00\x00\x00\x01\x03"))
			c.close(client)
		})
	}
	if p.rnd.chance(200) {
		p.w.agenda.book(midnight.hm(20, p.rnd.n(60)), func(now instant) {
			if p.home(now) {
				p.ping(now, &p.w.gate, 4)
			}
		})
	}
	p.w.agenda.book(midnight.hm(25, 0), p.paperwork)
}
