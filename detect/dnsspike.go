package detect

import (
	"fmt"

	"gatehouse/baseline"
	"gatehouse/wire"
)

const (
	rcodeNXDomain = 3
	// spikeLooks is how often a day the hourly counts are looked at: 24 hours
	// times two counts.
	spikeLooks = 48
)

// spikes is model B on names: an hour in which a device looks up far more
// distinct names, or distinct names that do not exist, than it ever did.
// Distinct names and not queries: an outage of the uplink makes every device
// repeat the same few names hundreds of times.
type spikes struct{}

func newSpikes() *spikes { return &spikes{} }

// Spec implements Detector.
func (*spikes) Spec() Spec {
	return Spec{
		Name:    "dnsspike",
		Kinds:   []Kind{DNSSpike},
		Class:   DNS,
		Summary: "A device looks up far more different names, or names that do not exist, than it ever did.",
		Attack:  []string{"T1568.002", "T1071.004"},
	}
}

// Tick implements Detector.
func (*spikes) Tick(int64, func(Finding)) {}

// Observe implements Detector.
func (s *spikes) Observe(in *Input, report func(Finding)) {
	if in.Client == nil {
		return
	}
	m := in.ClientModel
	// Hours in which a device was active and asked for nothing count: one that
	// never met a name that does not exist is the one to be surprised about.
	m.Names.Advance(in.Now())
	m.Missing.Advance(in.Now())
	for _, msg := range in.Event.Messages {
		q, ok := msg.(*wire.DNS)
		if !ok || q.Proto != "dns" || len(q.Questions) == 0 {
			continue
		}
		w := in.Names.words.of(q.Questions[0].Name)
		if !w.onInternet {
			continue
		}
		if !in.Learn {
			m.Names.Spoil()
			m.Missing.Spoil()
		}
		switch {
		case !q.Response:
			if n, fresh := m.Names.Observe(in.Now(), w.entity); fresh {
				s.judge(in, &m.Names, n, "different names", w.name, report)
			}
		case q.RCode == rcodeNXDomain:
			if n, fresh := m.Missing.Observe(in.Now(), w.entity); fresh {
				s.judge(in, &m.Missing, n, "names that do not exist", w.name, report)
			}
		}
	}
}

func (*spikes) judge(in *Input, h *baseline.Hourly, n int, what, name string, report func(Finding)) {
	p := h.P(spikeLooks)
	if p > worthNoting {
		return
	}
	r := &in.Event.Record
	normal := fmt.Sprintf("seldom more than %.0f in an hour, over %d hours", h.Tail.Threshold(), h.Tail.Age)
	report(Finding{
		Kind: DNSSpike, Class: DNS, Severity: Medium, Device: in.Client, Subject: "names looked up",
		Peer: Peer{IP: r.Server.Addr.String(), Port: r.Server.Port, Proto: protoName(r.Proto)},
		Time: in.Now(), First: in.Now(), P: p, Confidence: confidence(in.ClientModel),
		Summary: fmt.Sprintf("%s looked up %d %s within an hour (for example %s); it was seldom more than %.0f before.",
			in.Client.Name, n, what, shorten(name, 40), h.Tail.Threshold()),
		Why:    []Why{why(what, fmt.Sprintf("%d within an hour", n), normal, p/spikeLooks)},
		Attack: []string{"T1568.002"}, Flow: *r,
		Flag: h.Spoil, Episode: true,
	})
}
