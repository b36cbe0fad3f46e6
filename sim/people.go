package sim

import (
	"fmt"
	"time"
)

// person is somebody at a screen: a browser on a laptop or a phone.
type person struct {
	*program
	own []string // sites that only this device visits
}

// session browses for a while.
func (p *person) session(now, until instant) {
	if now >= until || !p.home(now) {
		return
	}
	p.page(now, p.site())
	p.after(now, 8*time.Second+p.rnd.expo(45*time.Second), func(now instant) { p.session(now, until) })
}

// site chooses where to go: mostly to well-known places, now and then to one
// that nobody in the home has ever been to.
func (p *person) site() string {
	switch {
	case p.rnd.chance(90):
		return "www." + p.rnd.domain()
	case len(p.own) > 0 && p.rnd.chance(300):
		return pick(p.rnd, p.own)
	}
	return p.w.popular.hosts[p.w.popular.zipf.rank(p.rnd)]
}

// page loads one page: the site itself and the third parties in it.
func (p *person) page(now instant, host string) {
	p.load(now, host, p.rnd.size(9_000, 900_000))
	for range p.rnd.n(4) {
		helper := p.w.popular.helpers[p.w.popular.help.rank(p.rnd)]
		p.after(now, p.rnd.span(80*time.Millisecond, 900*time.Millisecond), func(now instant) {
			p.load(now, helper, p.rnd.size(1_500, 300_000))
		})
	}
}

// load fetches something from a host, by QUIC where the host can. Now and then
// a host has moved house or is overloaded, and refuses.
func (p *person) load(now instant, host string, down int) {
	if p.rnd.chance(4) {
		p.knock(now, host)
		return
	}
	if p.w.inet.site(host).quic && p.rnd.chance(700) {
		p.quic(now, host, down)
		return
	}
	p.call(now, host, p.rnd.between(350, 900), down)
}

// day plans one day of sessions, then itself for the next day. spots are hours
// of the day with a weight each.
func (p *person) day(midnight instant, weekday, weekend [24]int, sessions int) {
	hours := weekday
	if isWeekend(midnight) {
		hours = weekend
	}
	for range p.rnd.between(sessions*2/3, sessions*4/3) {
		from := midnight.add(time.Duration(p.rnd.hour(hours))*time.Hour + p.rnd.span(0, time.Hour))
		until := from.add(p.rnd.span(4*time.Minute, 22*time.Minute))
		p.w.agenda.book(from, func(now instant) { p.session(now, until) })
	}
	p.w.agenda.book(midnight.add(24*time.Hour), func(now instant) { p.day(now, weekday, weekend, sessions) })
}

func isWeekend(t instant) bool {
	d := t.time().Weekday()
	return d == time.Saturday || d == time.Sunday
}

// hour draws an hour of the day by weights.
func (s *stream) hour(weights [24]int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	v := s.n(sum)
	for h, w := range weights {
		if v -= w; v < 0 {
			return h
		}
	}
	return 23
}

// When people are at their screens, by hour of the day.
var (
	eveningHours = [24]int{7: 2, 8: 1, 12: 1, 17: 2, 18: 4, 19: 7, 20: 9, 21: 9, 22: 6, 23: 2}
	freeHours    = [24]int{8: 1, 9: 3, 10: 5, 11: 5, 12: 3, 13: 3, 14: 4, 15: 4, 16: 4, 17: 4, 18: 4, 19: 6, 20: 8, 21: 8, 22: 6, 23: 3}
)

// telephone is the background of a phone: push, mail and chat.
func (p *program) telephone(now instant) {
	p.keep(now, &uplink{host: "courier3.pushgrid.net", port: 5223, every: 9 * time.Minute, up: 60, down: 48, life: 9 * time.Hour})
	p.poll(now.add(3*time.Second), "imap.letterbarn.com", 31*time.Minute, 25, 420, 2_400)
	p.poll(now.add(5*time.Second), "chat.pigeonloft.com", 17*time.Minute, 40, 600, 1_900)
	p.poll(now.add(9*time.Second), "gateway.skydrawer.com", 77*time.Minute, 40, 3_000, 4_000)
}

// captiveCheck asks in clear whether the way to the internet is open.
func (p *program) captiveCheck(now instant, host string) {
	p.plainHTTP(now, host, "GET", "/generate_204", 0, 0)
}

// comeAndGo plans when a person's device is at home, for the whole run, and
// what it does on arrival. away returns the absences of a day.
func (p *program) comeAndGo(away func(midnight instant) []window, arrive func(now instant)) {
	for midnight := p.w.start; midnight < p.w.end; midnight = midnight.add(24 * time.Hour) {
		for _, a := range away(midnight) {
			if n := len(p.left); n > 0 && a.from <= p.left[n-1].until {
				p.left[n-1].until = a.until
			} else {
				p.left = append(p.left, a)
			}
		}
	}
	for _, a := range p.left {
		if a.until > p.joined {
			p.w.agenda.book(a.until, arrive)
		}
	}
}

// arrival is what every device does when its Wi-Fi comes back.
func (p *program) arrival(now instant) instant {
	clear(p.neighbour)
	p.neighbourDiscovery(now)
	t := p.rejoin(now.add(p.rnd.span(40*time.Millisecond, 400*time.Millisecond)))
	t = t.add(p.rnd.span(10*time.Millisecond, 200*time.Millisecond))
	p.gratuitous(t)
	return t.add(p.rnd.span(30*time.Millisecond, 300*time.Millisecond))
}

// hm is a time of the day.
func (t instant) hm(hour, minute int) instant {
	return t.add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// workday is when a phone is away: at work, or out for a while at weekends.
func (p *program) workday(midnight instant) []window {
	if isWeekend(midnight) {
		from := midnight.hm(p.rnd.between(10, 16), p.rnd.n(60))
		return []window{{from, from.add(p.rnd.span(time.Hour, 4*time.Hour))}}
	}
	return []window{{midnight.hm(7, p.rnd.between(30, 75)), midnight.hm(16, p.rnd.between(30, 170))}}
}

// lid is when a laptop is closed.
func (p *program) lid(midnight instant) []window {
	if isWeekend(midnight) {
		return []window{{midnight, midnight.hm(9, p.rnd.n(90))}, {midnight.hm(23, p.rnd.n(50)), midnight.hm(24, 0)}}
	}
	return []window{{midnight, midnight.hm(17, p.rnd.between(20, 110))}, {midnight.hm(22, p.rnd.between(30, 110)), midnight.hm(24, 0)}}
}

// hostsOf numbers the hosts of a farm: prefix, three digits, domain.
func hostsOf(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i+1)
	}
	return out
}
