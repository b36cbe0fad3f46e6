package detect

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/baseline"
	"gatehouse/flow"
)

// Circumstances of a novel destination, with the share of benign novelties
// that have them. Measured on real smart-home captures; see docs/detection.md.
const (
	markLiteral   baseline.Marks = 1 << iota // reached by address, no name known
	markNoAnswer                             // nothing came back
	markPort                                 // a port that few services on the internet use
	markGenerated                            // a name that looks generated
)

func newDestinationMarks() *baseline.MarkTable {
	return baseline.NewMarkTable(.15, .15, .3, .01)
}

// Circumstances of a novel service. Using one and offering one have marks of
// their own: a mark that cannot be would only blunt those that can.
const (
	markRemote     baseline.Marks = 1 << 0 // remote administration or file sharing: how intruders move on
	markUnanswered baseline.Marks = 1 << 1 // used: nothing came back
	markFromWAN    baseline.Marks = 1 << 1 // offered: to the internet
)

func newUseMarks() *baseline.MarkTable { return baseline.NewMarkTable(.15, .15) }

func newOfferMarks() *baseline.MarkTable { return baseline.NewMarkTable(.15, .1) }

// noteOnly is the least p-value of a first contact that is everyday life by an
// ordinary service: an observation at any budget below 1.5 alerts a month.
const noteOnly = .02

// destinations is model A: whom a device talks to, and by which service.
type destinations struct {
	cfg      Config
	marks    *baseline.MarkTable
	services *baseline.MarkTable
}

func newDestinations(cfg Config) *destinations {
	return &destinations{cfg: cfg, marks: newDestinationMarks(), services: newUseMarks()}
}

// Spec implements Detector.
func (*destinations) Spec() Spec {
	return Spec{
		Name:    "destination",
		Kinds:   []Kind{NewDestination, NewService},
		Class:   Novelty,
		Summary: "A device talks to somebody, or uses a service, that is new for it.",
		Attack:  []string{"T1071", "T1571", "T1021"},
	}
}

// Tick implements Detector.
func (*destinations) Tick(int64, func(Finding)) {}

// Observe implements Detector.
func (d *destinations) Observe(in *Input, report func(Finding)) {
	if in.Client == nil || in.Conn == nil || in.Scope == 0 || leftOut(in) {
		return
	}
	if in.Conn.Judged {
		if in.Event.Kind == flow.End && in.Event.Record.Packets[1] == 0 {
			d.noAnswer(in, report)
		}
		return
	}
	dest, label, named := destinationOf(in)
	// A name may still be said in the flow itself; only then or at its end,
	// or after half a minute, is an address without a name called that.
	if in.Scope == baseline.WAN && !named && in.Event.Kind == flow.Start {
		return
	}
	in.Conn.Judged = true
	m := in.ClientModel
	v := verdict{in: in, dest: dest, label: label, named: named, service: 1}
	if s, ok := m.Destinations.Get(dest); ok && !s.Flagged {
		m.Destinations.Touch(dest, m.Calendar.Day)
		m.Services.Touch(dest.Service, m.Calendar.Day)
		if dossier := m.Dossier(dest, in.Now()); dossier != nil && dossier.Connect(in.Event.Record.First) {
			v.dossier = dossier
			d.judge(&v, report)
		}
		if named {
			d.alias(in, dest)
		}
		return
	} else if ok {
		v.repeat = true
	} else if d.isAlias(in, dest, named) {
		m.Destinations.AddAlias(dest, m.Calendar.Day)
		return
	} else if v.party = named && knownParty(m, dest); v.party && knownService(m, dest.Service) {
		// Another way to reach a known party, by a service that is a habit:
		// from TCP to QUIC, say.
		m.Destinations.AddAlias(dest, m.Calendar.Day)
		return
	}
	d.novel(&v, report)
}

// verdict is what is gathered about one destination while it is judged.
type verdict struct {
	in       *Input
	dest     baseline.Destination
	label    string // of its entity, for people
	named    bool
	repeat   bool
	party    bool // the entity is known, by another service
	dossier  *baseline.Dossier
	fresh    int     // new keys of the service today, this one included
	service  float64 // p of the service being new, marks included; 1 if it is not
	svcMarks baseline.Marks
}

// flag keeps the destination, and its service if that is new as well, from
// being learned.
func (v *verdict) flag() {
	m := v.in.ClientModel
	m.Destinations.Flag(v.dest, m.Calendar.Day)
	if v.service < 1 {
		m.Services.Flag(v.dest.Service, m.Calendar.Day)
	}
}

// novel judges a destination that the device never met, and learns it.
func (d *destinations) novel(v *verdict, report func(Finding)) {
	in, m := v.in, v.in.ClientModel
	day, days := m.Calendar.Day, m.Calendar.Days()
	q1, fresh := m.Destinations.Once(day, func(k baseline.Destination) bool { return alike(k.Service, v.dest.Service) })
	all, _ := m.Destinations.Once(day, func(k baseline.Destination) bool { return k.Scope == v.dest.Scope })
	v.fresh = fresh + 1
	if !knownService(m, v.dest.Service) {
		var silent baseline.Marks
		if in.Event.Record.Packets[1] == 0 && in.Event.Kind == flow.End {
			silent = markUnanswered
		}
		v.service, v.svcMarks = serviceNovelty(m, v.dest.Service, d.services, silent)
	}
	young := in.young(m, d.cfg.Learn)
	if in.Learn || young {
		d.learn(in, v.dest, v.named, v.repeat)
	}
	if young {
		return
	}
	v.dossier = m.Dossier(v.dest, in.Now())
	if v.dossier == nil {
		v.dossier = m.OpenDossier(v.dest, in.Now(), baseline.NewKeysRate(v.fresh, q1, all, days))
	}
	v.dossier.Connect(in.Event.Record.First)
	v.dossier.Marks |= marksOf(v)
	d.judge(v, report)
}

func marksOf(v *verdict) baseline.Marks {
	if v.dest.Scope != baseline.WAN {
		return 0
	}
	var set baseline.Marks
	if !v.named && !byAddress(v.dest.Service) {
		set |= markLiteral
	} else if looksGenerated(v.label) {
		set |= markGenerated
	}
	if r := &v.in.Event.Record; v.in.Event.Kind == flow.End && r.Packets[1] == 0 {
		set |= markNoAnswer
	}
	if !commonWAN(v.dest.Proto, v.dest.Port) {
		set |= markPort
	}
	return set
}

// byAddress reports services that are reached by address as a matter of course:
// a resolver is needed before there are names, a ping asks whether there is a
// way out, and whom a device asks for the time it looked up weeks ago.
func byAddress(s baseline.Service) bool {
	switch s.Proto {
	case protoTCP, protoUDP:
		return s.Port == 53 || s.Proto == protoUDP && s.Port == 123
	}
	return s.Proto == protoICMP || s.Proto == protoICMPv6
}

// noAnswer adds to a dossier that a flow ended without an answer.
func (d *destinations) noAnswer(in *Input, report func(Finding)) {
	m := in.ClientModel
	dest, label, named := destinationOf(in)
	dossier := m.Dossier(dest, in.Now())
	if dossier == nil || dossier.Marks&markNoAnswer != 0 || dest.Scope != baseline.WAN {
		return
	}
	dossier.Marks |= markNoAnswer
	d.judge(&verdict{in: in, dest: dest, label: label, named: named, dossier: dossier, service: 1}, report)
}

func (d *destinations) learn(in *Input, dest baseline.Destination, named, flagged bool) {
	m := in.ClientModel
	day := m.Calendar.Day
	if flagged {
		m.Destinations.Touch(dest, day)
		return
	}
	m.Destinations.Add(dest, day)
	if !m.Services.Touch(dest.Service, day) {
		m.Services.Add(dest.Service, day)
	}
	if named {
		d.alias(in, dest)
	}
}

// alias remembers the network of a named destination, so that a later flow to
// it without a name (an address from a cache) is no news.
func (d *destinations) alias(in *Input, dest baseline.Destination) {
	if dest.Scope != baseline.WAN || !in.Learn {
		return
	}
	m := in.ClientModel
	dest.Entity = networkOf(in)
	if !m.Networks.Touch(dest, m.Calendar.Day) {
		m.Networks.Add(dest, m.Calendar.Day)
	}
}

// isAlias reports whether a destination is another name of a known one: a name
// for a network that the device has been talking to without one, or no name for
// a network that it knows by one.
func (d *destinations) isAlias(in *Input, dest baseline.Destination, named bool) bool {
	if dest.Scope != baseline.WAN {
		return false
	}
	m := in.ClientModel
	if !named && dest.Proto == protoUDP && dest.Port == 123 {
		// A pool of time servers hands out others at every lookup, four or
		// more at a time (RFC 8633 section 3.2), and clients hold on to them
		// for weeks: that the device asks for the time is a habit, whom it
		// asks is not.
		s, ok := m.Services.Get(dest.Service)
		return ok && !s.Flagged
	}
	if !named {
		_, ok := m.Networks.Get(dest)
		return ok
	}
	dest.Entity = networkOf(in)
	s, ok := m.Destinations.Get(dest)
	return ok && !s.Flagged && s.First != m.Calendar.Day
}

func networkOf(in *Input) baseline.Entity {
	return baseline.EntityOf(Network(in.Event.Record.Server.Addr))
}

// knownParty reports whether the device deals with a destination already, by
// whatever service.
func knownParty(m *baseline.Model, dest baseline.Destination) bool {
	for k, s := range m.Destinations.All {
		if k.Entity == dest.Entity && k.Scope == dest.Scope && !s.Flagged && s.First != m.Calendar.Day {
			return true
		}
	}
	return false
}

// judge reports a finding about the verdict's dossier.
func (d *destinations) judge(v *verdict, report func(Finding)) {
	in, m := v.in, v.in.ClientModel
	p := v.dossier.P(d.marks)
	kind := NewDestination
	if v.service > 0 && v.service < 1 {
		if name := serviceName(v.dest.Proto, v.dest.Port); v.service < p || name != "" && v.dest.Port != 443 && v.dest.Port != 80 {
			kind = NewService
		}
		p = min(p, v.service)
	}
	if v.party {
		// Only the service is news, and neither its rhythm nor its port
		// makes the party a stranger.
		kind, p = NewService, v.service
	}
	if (v.party || v.dest.Scope == baseline.LAN) && v.svcMarks&markRemote == 0 {
		// On the local network, and with a party that the device deals with
		// anyway, a first contact by another service is everyday life: the
		// laptop prints. It takes a service that intruders move by.
		p = max(p, noteOnly)
	}
	r := &in.Event.Record
	f := Finding{
		Kind: kind, Class: Novelty, Severity: d.severity(v, p), Device: in.Client,
		Subject: v.label,
		Peer:    peerOf(in), Time: in.Now(), First: r.First,
		P: p, Confidence: confidence(m),
		Attack: []string{"T1071"}, Flow: *r, Repeat: v.repeat,
		Summary: d.summary(v, kind),
		Why:     d.reasons(v),
		Flag:    v.flag,
	}
	if kind == NewService || !v.named || v.dest.Scope == baseline.LAN {
		f.Subject = fmt.Sprintf("%s/%d to %s", protoName(r.Proto), r.Server.Port, v.label)
	}
	if m.Destinations.Crowd(v.dest, m.Calendar.Day) {
		f.Subject = "many new destinations"
		f.Summary = fmt.Sprintf("%s contacts many new destinations, such as %s.", in.Client.Name, in.peerLabel())
	}
	if v.dest.Scope == baseline.LAN {
		f.Attack = []string{"T1021"}
	} else if v.dossier.Marks&markPort != 0 {
		f.Attack = append(f.Attack, "T1571")
	}
	report(f)
}

func (d *destinations) severity(v *verdict, p float64) Severity {
	odd := 0
	for bit := markLiteral; bit <= markGenerated; bit <<= 1 {
		if v.dossier.Marks&bit != 0 {
			odd++
		}
	}
	switch {
	case v.svcMarks&markRemote != 0, odd >= 2, v.dossier.Marks&markGenerated != 0, p < 1e-4:
		return High
	case v.fresh >= 2 || odd == 1 || v.service < 1:
		return Medium
	}
	return Low
}

func (d *destinations) summary(v *verdict, kind Kind) string {
	r := &v.in.Event.Record
	peer := v.in.peerLabel()
	service := serviceName(r.Proto, r.Server.Port)
	if service == "" {
		service = fmt.Sprintf("%s port %d", strings.ToUpper(protoName(r.Proto)), r.Server.Port)
	}
	name := v.in.Client.Name
	switch {
	case kind == NewService:
		return fmt.Sprintf("%s used %s for the first time, to %s.", name, service, peer)
	case v.dossier.Connections >= baseline.RhythmAfter:
		return fmt.Sprintf("%s keeps contacting %s (%d times since %s), which it never did before.", name, peer,
			v.dossier.Connections, time.Unix(0, v.dossier.Opened).UTC().Format("2 January 15:04 UTC"))
	case v.fresh >= 2:
		return fmt.Sprintf("%s contacted %s, one of %d new destinations in a day.", name, peer, v.fresh)
	}
	return fmt.Sprintf("%s contacted %s for the first time.", name, peer)
}

// reasons explains a verdict, most surprising first.
func (d *destinations) reasons(v *verdict) []Why {
	m := v.in.ClientModel
	out := []Why{why("destination", v.label, knownPeers(m, v.dest.Service), baseline.AtLeastOne(v.dossier.Rate, 1))}
	if v.service < 1 {
		out = append(out, why("service", serviceLabel(v.dest.Service), knownServices(m, v.dest.Scope), v.service))
	}
	marks := v.dossier.Marks
	add := func(bit baseline.Marks, feature, observed, expected string, rate float64) {
		if marks&bit != 0 {
			out = append(out, why(feature, observed, expected, rate))
		}
	}
	add(markLiteral, "name", "reached by address, no name was looked up", "a name (85 % of new destinations)", .15)
	add(markNoAnswer, "answer", "nothing came back", "an answer (85 %)", .15)
	add(markPort, "port", fmt.Sprintf("%d, uncommon on the internet", v.in.Event.Record.Server.Port), "a common port (70 %)", .3)
	add(markGenerated, "name", "looks machine-generated", "a name that people chose (99 %)", .01)
	if n := v.dossier.Connections; n >= baseline.RhythmAfter {
		reg := baseline.Regularity(v.dossier.Gaps)
		out = append(out, why("rhythm", fmt.Sprintf("%d connections, evenly spaced to %.0f %%", n, 100*(1-min(1, reg))), "irregular, or few", reg))
	}
	sortWhy(out)
	return out
}

// alike reports whether two services are counted together: the ways to reach
// a web site are one habit.
func alike(a, b baseline.Service) bool { return a == b || a.Scope == b.Scope && isWeb(a) && isWeb(b) }

// knownService reports whether a device uses a service, or one that comes to
// the same: the step from TCP to QUIC is no news.
func knownService(m *baseline.Model, svc baseline.Service) bool {
	if s, ok := m.Services.Get(svc); ok {
		return !s.Flagged
	}
	for k, s := range m.Services.All {
		if alike(k, svc) && !s.Flagged {
			return true
		}
	}
	return false
}

func isWeb(s baseline.Service) bool {
	return (s.Proto == protoTCP && (s.Port == 80 || s.Port == 443 || s.Port == 8080 || s.Port == 8443)) || (s.Proto == protoUDP && s.Port == 443)
}

// knownPeers says in words whom a device knew by a service before today.
func knownPeers(m *baseline.Model, svc baseline.Service) string {
	known, once := 0, 0
	for k, s := range m.Destinations.All {
		if alike(k.Service, svc) && !s.Alias && !s.Flagged && s.First != m.Calendar.Day {
			known++
			if s.Days == 1 {
				once++
			}
		}
	}
	days := m.Calendar.Days()
	switch known {
	case 0:
		return fmt.Sprintf("nobody by this service in %d days", days)
	case 1:
		return fmt.Sprintf("the only one known by this service in %d days", days)
	}
	return fmt.Sprintf("one of %d known by this service in %d days, of whom %d were met on one day only", known, days, once)
}

// knownServices says in words which services a device knew before today.
func knownServices(m *baseline.Model, scope baseline.Scope) string {
	known := 0
	for k, s := range m.Services.All {
		if k.Scope == scope && !s.Flagged && s.First != m.Calendar.Day {
			known++
		}
	}
	days := m.Calendar.Days()
	switch known {
	case 0:
		return fmt.Sprintf("none in %d days", days)
	case 1:
		return fmt.Sprintf("the only one known in %d days", days)
	}
	return fmt.Sprintf("one of %d known in %d days", known, days)
}
