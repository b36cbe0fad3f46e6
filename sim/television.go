package sim

import "time"

func (w *world) addTV() {
	d := w.add(tvName, w.mac(tvName, 0x78, 0x5d, 0xc8), 27, linuxStack, 64, // LG
		leaseStyle{hostname: "Vista-OLED55", vendor: "udhcp 1.21.1 VistaTV", params: append([]byte{1, 2}, udhcpParams[1:]...)})
	d.dual, d.agent = true, "Mozilla/5.0 (VistaTV; Linux/SmartTV)"
	p := w.program(d, "system", styleTV)
	films := w.program(d, "films", styleTV)
	w.boot(p, func(now instant) {
		p.clock(now, poolNames[1:3], 12*time.Hour)
		p.keep(now.add(time.Second), &uplink{host: tvCloud, port: 443, every: 6 * time.Minute, up: 110, down: 70, life: 23 * time.Hour})
		p.poll(now.add(time.Minute), tvStore, 11*time.Hour, 20, 800, 30_000)
		p.poll(now.add(2*time.Minute), tvLogs, 9*time.Hour, 10, 2_200, 300)
		p.offering(now, service{"_googlecast._tcp", "Vista-OLED55", 8009, []string{"md=Vista OLED 55", "fn=Living room", "ve=05", "ca=4101"}})
		p.notify(now, "7a3c1f20-55de-4b1e-9d7a-"+string(hexDigits(d.mac)))
		films.evening(at(now.time().Truncate(24 * time.Hour)))
	})
}

func hexDigits(b []byte) []byte {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, v := range b {
		out = append(out, digits[v>>4], digits[v&15])
	}
	return out
}

// evening plans what is watched on a day.
func (p *program) evening(midnight instant) {
	hours, most := eveningHours, 2
	if isWeekend(midnight) {
		hours, most = freeHours, 4
	}
	hours[7], hours[8], hours[12] = 0, 0, 0
	for range p.rnd.between(1, most) {
		from := midnight.hm(p.rnd.hour(hours), p.rnd.n(60))
		until := from.add(p.rnd.span(22*time.Minute, 75*time.Minute))
		p.w.agenda.book(from, func(now instant) { p.film(now, until) })
	}
	p.w.agenda.book(midnight.hm(24, 0), p.evening)
}

// film starts an app: its home screen with advertising, the catalogue, then
// segments from one host of the farm.
func (p *program) film(now, until instant) {
	for range p.rnd.between(3, 9) {
		ad := pick(p.rnd, adHosts)
		p.after(now, p.rnd.span(100*time.Millisecond, 4*time.Second), func(now instant) { p.call(now, ad, 500, 1_200) })
	}
	if !p.call(now, tvCatalogue, 1_100, 60_000) {
		return
	}
	farm := streamHosts
	if p.w.plan.otherFarm(now) {
		farm = spareHosts
	}
	host := pick(p.rnd, farm)
	p.after(now, 6*time.Second, func(now instant) {
		if ch := p.connect(now, host, 443); ch != nil {
			p.segments(now, until, ch)
		}
	})
}

// segmentGap is the time between two video segments. Players fetch one every
// few seconds; fewer and smaller ones keep the capture small.
const segmentGap = time.Minute

func (p *program) segments(now, until instant, ch *channel) {
	ch.t = max(ch.t, now)
	if now >= until || ch.dead {
		ch.finish(client)
		return
	}
	ch.t = max(ch.t, p.resolveLink(now, &p.w.gate))
	ch.exchange(380, p.rnd.between(700_000, 1_500_000), p.rnd.span(4*time.Millisecond, 30*time.Millisecond))
	p.after(now, p.rnd.jitter(segmentGap, 5), func(now instant) { p.segments(now, until, ch) })
}
