package detect

import (
	"fmt"
	"net/netip"

	"gatehouse/baseline"
	"gatehouse/flow"
)

// offers is the other side of model A: which services a device offers.
type offers struct {
	cfg   Config
	marks *baseline.MarkTable
}

func newOffers(cfg Config) *offers { return &offers{cfg: cfg, marks: newOfferMarks()} }

// Spec implements Detector.
func (*offers) Spec() Spec {
	return Spec{
		Name:    "service",
		Kinds:   []Kind{NewService},
		Class:   Novelty,
		Summary: "A device answers on a port on which it never answered.",
		Attack:  []string{"T1205", "T1571"},
	}
}

// Tick implements Detector.
func (*offers) Tick(int64, func(Finding)) {}

// Observe implements Detector.
func (o *offers) Observe(in *Input, report func(Finding)) {
	r := &in.Event.Record
	if in.Server == nil || in.Server.Gateway || in.Conn == nil || in.Conn.Offered || !answered(r) || leftOut(in) {
		return
	}
	// Who opened a UDP flow that was joined late is a guess; that a device
	// offers something is too much to hang on it.
	if r.Initiator != flow.BySYN && r.Initiator != flow.ByPort {
		return
	}
	in.Conn.Offered = true
	scope := baseline.InboundLAN
	if in.Client == nil && !local(r.Client.Addr) {
		scope = baseline.InboundWAN
	}
	m := in.ServerModel
	svc := baseline.NewServiceKey(scope, r.Proto, r.Server.Port)
	day := m.Calendar.Day
	s, known := m.Services.Get(svc)
	if known && !s.Flagged {
		m.Services.Touch(svc, day)
		return
	}
	young := in.young(m, o.cfg.Learn)
	var exposed baseline.Marks
	if scope == baseline.InboundWAN {
		exposed = markFromWAN
	}
	p, marks := serviceNovelty(m, svc, o.marks, exposed)
	if !known && (in.Learn || young) {
		m.Services.Add(svc, day)
	}
	if young {
		return
	}
	if scope == baseline.InboundLAN {
		// The device at the other end is the one that did something new, and
		// it is judged for that; that somebody answered is a note.
		p = max(p, noteOnly)
	}
	o.report(in, svc, p, marks, known, report)
}

func (o *offers) report(in *Input, svc baseline.Service, p float64, marks baseline.Marks, repeat bool, report func(Finding)) {
	r, m := &in.Event.Record, in.ServerModel
	from, severity := "the local network", Medium
	if svc.Scope == baseline.InboundWAN {
		from, severity = "the internet", High
	}
	if marks&markRemote != 0 {
		severity = High
	}
	reasons := []Why{why("service", serviceLabel(svc), knownServices(m, svc.Scope), p)}
	if marks&markRemote != 0 {
		reasons = append(reasons, why("purpose", "remote administration or file sharing", "anything else (85 %)", .15))
	}
	report(Finding{
		Kind: NewService, Class: Novelty, Severity: severity, Device: in.Server,
		Subject: fmt.Sprintf("offers %s/%d to %s", protoName(r.Proto), r.Server.Port, from),
		Peer:    Peer{IP: r.Client.Addr.String(), Port: r.Server.Port, Proto: protoName(r.Proto)},
		Time:    in.Now(), First: r.First, P: p, Confidence: confidence(m),
		Summary: fmt.Sprintf("%s answers %s on %s, a service it never offered before.", in.Server.Name, from, serviceLabel(svc)),
		Why:     reasons, Attack: []string{"T1205"}, Flow: *r, Repeat: repeat,
		Flag: func() { m.Services.Flag(svc, m.Calendar.Day) },
	})
}

// local reports whether an address cannot come from the internet: then it is
// the gateway's own, as other local clients are devices.
func local(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback()
}

// answered reports whether the server of a flow took part in it.
func answered(r *flow.Record) bool {
	if r.Proto == protoTCP {
		return r.Flags[1]&(flagSYN|flagACK) == flagSYN|flagACK && r.Payload[1] > 0
	}
	return r.Payload[1] > 0 && r.Payload[0] > 0
}

// serviceNovelty is the p-value of a service that a device never used or
// offered, with its marks.
func serviceNovelty(m *baseline.Model, svc baseline.Service, table *baseline.MarkTable, marks baseline.Marks) (float64, baseline.Marks) {
	q1, fresh := m.Services.Once(m.Calendar.Day, func(k baseline.Service) bool { return k.Scope == svc.Scope })
	if remoteService(svc.Proto, svc.Port) {
		marks |= markRemote
	}
	return baseline.AtLeastOne(baseline.NewKeysRate(fresh+1, q1, q1, m.Calendar.Days()), table.P(marks)), marks
}
