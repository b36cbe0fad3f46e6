package eval

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/capture"
	"gatehouse/detect"
	"gatehouse/pipeline"
	"gatehouse/wire"
)

// grace is how long after the last packet of an attack an alert may still be
// about it: flows end by timeout.
const grace = 10 * time.Minute

// budgets are the presets, strictest first.
var budgets = []struct {
	name   string
	budget alert.Budget
}{{"quiet", alert.Quiet}, {"balanced", alert.Balanced}, {"sensitive", alert.Sensitive}}

// roots are the built-in authorities and those given.
func roots(tb testing.TB, more ...[]byte) *x509.CertPool {
	tb.Helper()
	pool, err := wire.DefaultRoots()
	if err != nil {
		tb.Fatal(err)
	}
	for _, pem := range more {
		if !pool.AppendCertsFromPEM(pem) {
			tb.Fatal("no certificate among the roots")
		}
	}
	return pool
}

// replay analyses a capture from its first packet, as gatehouse replay does.
func replay(tb testing.TB, src capture.Source, budget alert.Budget, pool *x509.CertPool) *pipeline.Summary {
	tb.Helper()
	cfg := pipeline.DefaultConfig()
	cfg.Alert.Budget = budget
	cfg.Detect.Roots = pool
	sum, err := pipeline.Run(tb.Context(), src, nil, cfg, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if err := src.Close(); err != nil {
		tb.Fatal(err)
	}
	return sum
}

// open is capture.Open for the tests.
func open(tb testing.TB, files ...string) capture.Source {
	tb.Helper()
	src, err := capture.Open(files)
	if err != nil {
		tb.Fatal(err)
	}
	return src
}

// event is what is known to be in the traffic: an attack, or an innocent event
// that looks like one.
type event struct {
	mac        string // of the device, "" for all
	start, end time.Time
	want       []detect.Kind // any of these names the attack rightly; none: innocent
}

// verdict says what became of one attack.
type verdict struct {
	named  bool          // an alert of a right kind was raised in its time
	found  bool          // an alert of whatever kind was, or an open one of a right kind went on counting
	after  time.Duration // from its start to the first alert that names it, else to the first
	alerts int
	// incidents are those that the alerts belong to.
	incidents map[string]bool
}

// assessment sets what was raised beside what was there.
type assessment struct {
	verdicts []verdict     // of each event
	false    []alert.Alert // about no attack
}

// assess assigns each alert to the event that it is about: an attack on that
// device at that time whose kind fits, else any attack, else a look-alike,
// else nothing.
func assess(events []event, alerts []alert.Alert) *assessment {
	a := &assessment{verdicts: make([]verdict, len(events))}
	for i := range a.verdicts {
		a.verdicts[i].incidents = make(map[string]bool)
	}
	for _, al := range alerts {
		best, rank := -1, 0
		for i, ev := range events {
			if r := ev.fits(&al); r > rank {
				best, rank = i, r
			}
		}
		if best < 0 || len(events[best].want) == 0 {
			a.false = append(a.false, al)
		}
		if best >= 0 {
			a.verdicts[best].add(&events[best], &al)
		}
		for i := range events {
			if i != best && events[i].goesOn(&al) {
				a.verdicts[i].found = true
			}
		}
	}
	return a
}

// fits ranks how well an event explains an alert, 0 if not at all.
func (ev *event) fits(al *alert.Alert) int {
	switch {
	case !ev.has(al) || al.Time.Before(ev.start) || al.Time.After(ev.end.Add(grace)):
		return 0
	case slices.Contains(ev.want, al.Kind):
		return 3
	case len(ev.want) > 0:
		return 2
	}
	return 1
}

// goesOn reports whether an alert that was open already counted the event.
func (ev *event) goesOn(al *alert.Alert) bool {
	return ev.has(al) && slices.Contains(ev.want, al.Kind) && al.Time.Before(ev.start) &&
		!al.LastSeen.Before(ev.start) && !al.LastSeen.After(ev.end.Add(grace))
}

func (ev *event) has(al *alert.Alert) bool {
	return ev.mac == "" || strings.EqualFold(ev.mac, al.Device.MAC)
}

func (v *verdict) add(ev *event, al *alert.Alert) {
	named := slices.Contains(ev.want, al.Kind)
	if !v.found || named && !v.named {
		v.after = al.Time.Sub(ev.start)
	}
	v.found = true
	v.named = v.named || named
	v.alerts++
	v.incidents[al.Incident] = true
}

// median is the middle of some durations, the upper one of two.
func median(ds []time.Duration) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(ds))
	return s[len(s)/2]
}
