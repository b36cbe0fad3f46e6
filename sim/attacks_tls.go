package sim

import "time"

// interception puts somebody between a device and its cloud for a while: the
// lasting connection breaks, and whoever answers the next ones is not, or not
// quite, who answered before.
func (b *booking) interception(device, host string, kind impostorKind, d time.Duration, title string) (Label, func(w *world), error) {
	slot, err := b.slot(device, d, 1, 22)
	l := Label{Title: title, Device: device, Peer: host, Start: slot.from.time(), End: slot.until.time()}
	return l, func(w *world) {
		s := w.inet.site(host)
		// The last connections of the impostor are cut before the end.
		s.mitm = append(s.mitm, impostor{window{slot.from, slot.until.add(-time.Minute)}, kind})
		u := func() *uplink { return w.devices[device].sessions[host] }
		w.agenda.book(slot.from.add(time.Second), func(now instant) { u().cut(now) })
		for t := slot.from.add(37 * time.Minute); t < slot.until.add(-5*time.Minute); t = t.add(37 * time.Minute) {
			w.agenda.book(t, func(now instant) { u().cut(now) })
		}
		w.agenda.book(slot.until.add(-50*time.Second), func(now instant) { u().cut(now) })
	}, err
}

func planDowngrade(b *booking) (Label, func(w *world), error) {
	return b.interception(thermostatName, thermoCloud, impostorOldVersion, b.rnd.span(40*time.Minute, 4*time.Hour),
		"the thermostat's usual cloud answers the usual hello with TLS 1.0 and 3DES")
}

func planSelfSigned(b *booking) (Label, func(w *world), error) {
	return b.interception(cameraName, cameraRelay, impostorSelfSigned, b.rnd.span(50*time.Minute, 5*time.Hour),
		"the camera's cloud presents a self-signed certificate, and the camera goes on")
}

func planExpired(b *booking) (Label, func(w *world), error) {
	return b.interception(plugName, plugCloud, impostorLapsed, b.rnd.span(3*time.Hour, 12*time.Hour),
		"the plug's cloud presents a certificate that expired three days ago, and the plug goes on")
}

func planCleartext(b *booking) (Label, func(w *world), error) {
	slot, err := b.slot(hubName, b.rnd.span(30*time.Minute, 3*time.Hour), 1, 22)
	l := Label{
		Title:  "the hub speaks plain HTTP with the cloud that it always reached by HTTPS",
		Device: hubName, Peer: hubCloud, Start: slot.from.time(), End: slot.until.time(),
	}
	b.plan.cleartext = append(b.plan.cleartext, window{slot.from, slot.until.add(-2 * time.Minute)})
	return l, func(w *world) {
		w.agenda.book(slot.from.add(time.Second), func(now instant) { w.devices[hubName].sessions[hubCloud].cut(now) })
	}, err
}
