package eval

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/internal/testkit"
)

// attack is something that one device of the week is made to do.
type attack struct {
	name   string
	source string        // where its packets come from
	want   []detect.Kind // kinds that name it rightly
	// play returns the frames of the attack by device d, from start on, and
	// benign ones that must come before it, from which d's normal is learned.
	play func(tb testing.TB, w *week, rnd *rand.Rand, d station, start int64) (attack, before []testkit.Frame)
	// begin is when the week has to begin; the zero time leaves it in 2021.
	begin time.Time
	// floor is how many of all trials must be found at each age of 1 to 6 days,
	// in percent: what was measured when this was last looked at.
	floor [6]int
	// trust is an authority that the built-in pool no longer has, as DER.
	trust []byte
}

// neighbour is another device of the week, for attacks within the home.
func neighbour(d station) station {
	i := slices.Index(weekDevices, d)
	return weekDevices[(i+2)%len(weekDevices)]
}

// recorded is an attack from a capture of the corpus: attacker is the host
// whose part the device plays, target a host that a neighbour plays, if any.
func recorded(tb testing.TB, file, attacker, target string, skip time.Duration) func(testing.TB, *week, *rand.Rand, station, int64) (a, b []testkit.Frame) {
	frames := after(load(tb, testkit.Corpus(tb, "attacks", file)), skip)
	return func(_ testing.TB, _ *week, _ *rand.Rand, d station, start int64) (a, b []testkit.Frame) {
		c := casting{attacker: netip.MustParseAddr(attacker), others: map[netip.Addr]station{}}
		if target != "" {
			c.others[netip.MustParseAddr(target)] = neighbour(d)
		}
		return c.splice(frames, d, start), nil
	}
}

// implant is a program that calls a server for three hours, every two minutes.
func implant(name string, server string) func(testing.TB, *week, *rand.Rand, station, int64) (a, b []testkit.Frame) {
	return patient(name, server, rhythm{lasts: 3 * time.Hour, every: 2 * time.Minute, jitter: .1})
}

// patient is an implant with a rhythm of its own.
func patient(name string, server string, r rhythm) func(testing.TB, *week, *rand.Rand, station, int64) (a, b []testkit.Frame) {
	return func(tb testing.TB, _ *week, rnd *rand.Rand, d station, start int64) (a, b []testkit.Frame) {
		return newCraft(tb, rnd, d).beacon(start, r, name, netip.MustParseAddrPort(server)), nil
	}
}

// handshakes lets the device shake hands with one server eight times a day,
// and then once with what edit makes of the server's answer.
func handshakes(h *realHandshake, edit func([]byte)) func(testing.TB, *week, *rand.Rand, station, int64) (a, b []testkit.Frame) {
	return func(_ testing.TB, w *week, rnd *rand.Rand, d station, start int64) (a, b []testkit.Frame) {
		port := uint16(20000)
		for t := w.first[d.mac] + int64(time.Minute); t < start-int64(time.Hour); t += int64(3*time.Hour) + rnd.Int64N(int64(10*time.Minute)) {
			port++
			b = append(b, h.by(d, t, port, asIs)...)
		}
		return h.by(d, start, port+1, edit), b
	}
}

func attacks(tb testing.TB) []attack {
	h := loadHandshake(tb)
	begin := h.at.AddDate(0, 0, -4) // within the certificate's validity
	return []attack{
		{
			name: "DNS tunnel (dnscat)", source: "bad-dns-traffic", want: []detect.Kind{detect.DNSTunnel},
			play: recorded(tb, "bad-dns-traffic.pcap", "192.168.43.91", "", 0), floor: [6]int{100, 100, 100, 100, 100, 100},
		},
		{
			name: "expired certificate", source: "tls-expired-cert", want: []detect.Kind{detect.CertificateFailure},
			play: recorded(tb, "tls-expired-cert.trace", "192.168.4.149", "", 0), floor: [6]int{100, 100, 100, 100, 100, 100},
		},
		{
			name: "forged certificate of a known server", source: "alexa-app, one byte changed", want: []detect.Kind{detect.CertificateFailure},
			play: handshakes(h, h.forge(tb)), begin: begin, trust: h.authority(tb), floor: [6]int{100, 100, 100, 100, 100, 100},
		},
		{
			name: "TLS 1.0 and 3DES from a known server", source: "alexa-app, ServerHello changed", want: []detect.Kind{detect.ProtocolDowngrade},
			play: handshakes(h, downgrade), begin: begin, floor: [6]int{100, 100, 100, 100, 100, 100},
		},
		{
			name: "CryptoWall's server, a plain name", source: "cryptowall4_c2", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: recorded(tb, "cryptowall4_c2.pcapng", "192.168.122.145", "", 0),
		},
		{
			name: "implant: address, port 4444", source: "made", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: implant("", "198.51.100.77:4444"), floor: [6]int{0, 100, 100, 100, 100, 100},
		},
		{
			name: "implant: address, port 443", source: "made", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: implant("", "198.51.100.77:443"), floor: [6]int{0, 100, 100, 100, 100, 100},
		},
		{
			name: "implant: generated name, port 443", source: "made", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: implant("xkqzvbnwtrpl.top", "198.51.100.77:443"), floor: [6]int{0, 100, 100, 100, 100, 100},
		},
		{
			name: "implant: plausible name, port 443", source: "made", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: implant("cdn.sensor-update.com", "198.51.100.77:443"), floor: [6]int{0, 100, 100, 100, 100, 100},
		},
		{
			name: "patient implant: plausible name, every half hour ± 50 %", source: "made", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: patient("cdn.sensor-update.com", "198.51.100.77:443", rhythm{lasts: 12 * time.Hour, every: 30 * time.Minute, jitter: .5}), floor: [6]int{0, 0, 0, 0, 25, 25},
		},
		{
			name: "Hajime infecting the internet", source: "test7-malicious, from 505 s", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: recorded(tb, "test7-malicious.pcap", "192.168.2.16", "", 505*time.Second), floor: [6]int{0, 100, 100, 100, 100, 100},
		},
		{
			name: "port scan of an internet host", source: "synscan", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: recorded(tb, "synscan.pcapng", "172.16.0.8", "", 0), floor: [6]int{0, 100, 100, 100, 100, 100},
		},
		{
			name: "SSH password guessing at a neighbour", source: "sshguess", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: recorded(tb, "sshguess.pcap", "192.168.56.1", "192.168.56.103", 0), floor: [6]int{0, 0, 0, 0, 0, 50},
		},
		{
			name: "Modbus commands to a neighbour", source: "modbus_test_data_part1", want: []detect.Kind{detect.NewDestination, detect.NewService},
			play: recorded(tb, "modbus_test_data_part1.pcap", "10.0.0.57", "10.0.0.3", 0), floor: [6]int{0, 0, 0, 0, 0, 50},
		},
	}
}

// trial is one attack by one device of some age.
type trial struct {
	device string
	days   int
	hour   time.Duration
	verdict
	false []alert.Alert
}

// TestSplicedAttacks puts each attack into the week of each device, at each age
// from one to six days.
func TestSplicedAttacks(t *testing.T) {
	slow(t)
	w := loadWeek(t)
	hours := 1
	if *full {
		hours = 4
	}
	var rows [][]string
	for _, a := range attacks(t) {
		week := w
		if !a.begin.IsZero() {
			week = w.starting(a.begin)
		}
		pool := roots(t)
		if a.trust != nil {
			ca, err := x509.ParseCertificate(a.trust)
			if err != nil {
				t.Fatal(err)
			}
			pool.AddCert(ca)
		}
		var trials []trial
		for i, d := range weekDevices {
			for days := 1; days <= 6; days++ {
				rnd := rand.New(rand.NewPCG(uint64(i), uint64(days)))
				for range hours {
					hour := time.Duration(rnd.Int64N(int64(20 * time.Hour)))
					tr := trial{device: d.name, days: days, hour: hour}
					start := week.at(d, days, hour)
					frames, before := a.play(t, week, rnd, d, start)
					sum := replay(t, play(week.frames, before, frames), alert.Balanced, pool)
					got := assess([]event{{
						mac: d.mac.String(), want: a.want,
						start: time.Unix(0, start), end: time.Unix(0, frames[len(frames)-1].Time),
					}}, sum.Changes.Alerts)
					tr.verdict, tr.false = got.verdicts[0], got.false
					trials = append(trials, tr)
				}
			}
		}
		rows = append(rows, a.row(t, trials))
	}
	publish(t, "attacks", markdown([]string{
		"attack", "packets from", "1 day", "2", "3", "4", "5", "6 days", "named rightly", "median time", "alerts", "incidents", "false alerts",
	}, rows))
}

// row sums up the trials of an attack and holds them against its floor.
func (a *attack) row(t *testing.T, trials []trial) []string {
	t.Helper()
	var found, all [6]int
	var times []time.Duration
	named, alerts, incidents, wrong := 0, 0, 0, 0
	for _, tr := range trials {
		all[tr.days-1]++
		wrong += len(tr.false)
		for _, al := range tr.false {
			t.Errorf("%s by %s after %d days: false alert %s: %s", a.name, tr.device, tr.days, al.Kind, al.Summary)
		}
		if !tr.found {
			t.Logf("%s by %s after %d days and %s: not found", a.name, tr.device, tr.days, short(tr.hour))
			continue
		}
		found[tr.days-1]++
		times = append(times, tr.after)
		alerts += tr.alerts
		incidents += len(tr.incidents)
		if tr.named {
			named++
		}
	}
	cells := []string{a.name, a.source}
	total := 0
	for i := range found {
		total += found[i]
		cells = append(cells, share(found[i], all[i]))
		if found[i]*100 < a.floor[i]*all[i] {
			t.Errorf("%s: found on %d of %d devices %d days old, must be %d %%", a.name, found[i], all[i], i+1, a.floor[i])
		}
	}
	per := func(n int) string {
		if total == 0 {
			return "-"
		}
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(total)), ".0")
	}
	when := "-"
	if total > 0 {
		when = short(median(times))
	}
	return append(cells, share(named, total), when, per(alerts), per(incidents), fmt.Sprint(wrong))
}
