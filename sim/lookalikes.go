package sim

import (
	"fmt"
	"time"
)

// label of an innocent event.
func (w window) label(device, peer, title string) Label {
	return Label{Title: title, Device: device, Peer: peer, Start: w.from.time(), End: w.until.time()}
}

func planFirmware(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(thermostatName, 6*time.Hour, 1, 5)
	l := slot.label(thermostatName, thermoDownload,
		"the thermostat fetches new firmware from a host of its maker that it never used, restarts, and has another TLS library")
	return l, func(w *world) {
		p := w.devices[thermostatName].main
		w.agenda.book(slot.from.add(20*time.Second), func(now instant) {
			ch := p.connect(now, thermoDownload, 443)
			if ch == nil {
				return
			}
			ch.exchange(260, p.rnd.between(6_000_000, 13_000_000), 40*time.Millisecond)
			ch.finish(client)
			p.after(ch.t, p.rnd.span(2*time.Minute, 4*time.Minute), func(now instant) {
				p.sessions[thermoCloud].ch = nil
				p.tls, p.agent = styleThermostatNew, "Thermia/5.0.112"
				clear(p.cache)
				clear(p.neighbour)
				p.neighbourDiscovery(now)
				t := p.acquire(now.add(p.rnd.span(time.Second, 3*time.Second)))
				p.gratuitous(t)
				p.after(t, 2*time.Second, func(now instant) { p.sessions[thermoCloud].establish(now) })
			})
		})
	}, err
}

func planOutage(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot("", b.rnd.span(50*time.Minute, 80*time.Minute), 8, 21)
	l := slot.label("", "", "the line is down: no names resolve and every device tries again and again")
	return l, func(w *world) {
		w.lan.down = append(w.lan.down, window{slot.from, slot.until.add(-5 * time.Minute)})
	}, err
}

func planRotation(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(speakerName, 20*time.Hour, 4, 6)
	l := slot.label(speakerName, speakerMusic,
		"the speaker's music service, and some sites with it, move to other networks under the same names")
	return l, func(w *world) {
		for _, host := range append([]string{speakerMusic, tvCatalogue}, w.popular.hosts[:6]...) {
			w.inet.site(host).moved = slot.from
		}
	}, err
}

func planRenewal(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(cameraName, 11*time.Hour, 6, 9)
	l := slot.label(cameraName, cameraUpload, "the camera's upload host has a renewed certificate: a new key, the same authority")
	return l, func(w *world) { w.inet.site(cameraUpload).turned = slot.from.time() }, err
}

// Names of devices that appear in the course of the run.
const (
	newPhoneName = "new phone"
	visitorName  = "visitor's laptop"
)

func planNewPhone(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(newPhoneName, 20*time.Hour, 21, 22) // when its owner is at home
	l := slot.label(newPhoneName, "", "somebody in the home has a new phone")
	return l, func(w *world) {
		mac := w.mac(newPhoneName, 0xda, 0x3e, 0x91) // locally administered: a private address
		d := w.add(newPhoneName, mac, 41, linuxStack, 64,
			leaseStyle{hostname: "Pixel-7", vendor: "android-dhcp-14", params: androidParams, maxSize: 1500})
		d.dual, d.agent = true, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
		w.carry(d, styleAndroid, "connectivitycheck.droidgate.com", 6, slot.from)
	}, err
}

func planVisitor(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(visitorName, b.rnd.span(150*time.Minute, 4*time.Hour), 18, 19)
	l := slot.label(visitorName, "", "a visitor uses a laptop for one evening")
	return l, func(w *world) {
		d := w.add(visitorName, w.mac(visitorName, 0x34, 0xf6, 0x4b), 42, linuxStack, 64, // Intel
			leaseStyle{hostname: "lotte-xps13", params: dhcpcdParams})
		d.dual, d.agent = true, "NetworkManager/1.46"
		d.joined = slot.from
		d.left = []window{{slot.until, w.end}}
		who := person{program: w.program(d, "browser", styleFirefox)}
		for range 15 {
			who.own = append(who.own, who.rnd.domain())
		}
		w.agenda.book(slot.from, func(now instant) {
			who.neighbourDiscovery(now)
			t := who.acquire(now.add(300 * time.Millisecond))
			who.gratuitous(t)
			who.captiveCheck(t.add(time.Second), "ping.hatlinux.org")
			last := slot.until.add(-3 * time.Minute)
			who.after(t, time.Minute, func(now instant) { who.session(now, last) })
		})
	}, err
}

func planBrowsing(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(laptopName, 2*time.Hour, 19, 20)
	l := slot.label(laptopName, "", "somebody plans a holiday on the laptop: hundreds of sites that were never seen before")
	return l, func(w *world) {
		who := person{program: w.program(w.devices[laptopName], "holiday", styleBrowser)}
		var next func(now instant)
		next = func(now instant) {
			if now.add(2*time.Minute) > slot.until || !who.home(now) {
				return
			}
			who.page(now, "www."+who.rnd.domain())
			who.after(now, 3*time.Second+who.rnd.expo(20*time.Second), next)
		}
		w.agenda.book(slot.from, next)
	}, err
}

func planTVFarm(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(tvName, 30*time.Hour, 2, 12)
	l := slot.label(tvName, "nimbusvideo.net", "the television's films come from other hosts of the same company")
	b.plan.spares = append(b.plan.spares, slot)
	return l, func(*world) {}, err
}

func planPool(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot("ntp pool", 20*time.Hour, 0, 3)
	l := slot.label(hubName, "pool.ntp.org", "the time server pool has other members than before")
	return l, func(w *world) {
		for _, host := range poolNames {
			w.inet.site(host).moved = slot.from
		}
	}, err
}

func planCaptive(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(phoneName, 10*time.Minute, 21, 23)
	l := slot.label(phoneName, captivePhone, "the phone's Wi-Fi reconnects and it asks in clear whether the way out is open")
	return l, func(w *world) {
		p := w.program(w.devices[phoneName], "reconnect", stylePhone)
		w.agenda.book(slot.from.add(time.Second), func(now instant) {
			t := p.arrival(now)
			p.captiveCheck(t, captivePhone)
			p.captiveCheck(t.add(time.Minute), "probe.pomelo.com")
		})
	}, err
}

func planOlderHost(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(tvName, 13*time.Hour, 6, 9)
	l := slot.label(tvName, tvLogs, "the television reaches a host of its maker that has only ever spoken TLS 1.2; the others speak 1.3")
	return l, func(*world) {}, err
}

func planAds(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(tvName, 20*time.Minute, 18, 22)
	l := slot.label(tvName, "", "the television's home screen loads every advertiser at once, all of them known")
	return l, func(w *world) {
		p := w.program(w.devices[tvName], "adverts", styleTV)
		w.agenda.book(slot.from, func(now instant) {
			for _, host := range adHosts {
				p.after(now, p.rnd.span(time.Second, 100*time.Second), func(now instant) { p.call(now, host, 500, 1_200) })
			}
		})
	}, err
}

func planDriver(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(laptopName, 15*time.Minute, 20, 22)
	l := slot.label(laptopName, printerDrivers, "the laptop fetches a driver from the printer maker's site, once")
	return l, func(w *world) {
		p := w.program(w.devices[laptopName], "driver", styleBrowser)
		w.agenda.book(slot.from.add(30*time.Second), func(now instant) {
			p.call(now, printerDrivers, 700, 90_000)
			p.after(now, 50*time.Second, func(now instant) { p.call(now, printerDrivers, 800, p.rnd.between(25_000_000, 60_000_000)) })
		})
	}, err
}

func planBackup(b *booking) (Label, func(w *world), error) {
	size := b.rnd.between(40, 90)
	slot, err := b.slot(phoneName, 30*time.Minute, 22, 24)
	l := slot.label(phoneName, "gateway.skydrawer.com", fmt.Sprintf("the phone saves %d MB of holiday pictures to the usual place", size))
	return l, func(w *world) {
		p := w.program(w.devices[phoneName], "backup", stylePhone)
		w.agenda.book(slot.from.add(time.Minute), func(now instant) {
			if ch := p.connect(now, "gateway.skydrawer.com", 443); ch != nil {
				ch.exchange(900, 400, 30*time.Millisecond)
				ch.data(client, size*1_000_000)
				ch.data(server, 300)
				ch.finish(client)
			}
		})
	}, err
}
