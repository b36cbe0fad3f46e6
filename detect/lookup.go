package detect

import (
	"fmt"
	"strings"

	"gatehouse/baseline"
	"gatehouse/wire"
)

// lookups is model A on the names that a device asks for, whether or not it
// goes there afterwards: a registered domain that it never asked for.
type lookups struct {
	cfg   Config
	marks *baseline.MarkTable
}

// maxFreshLookups is how many new domains a day are judged one by one.
const maxFreshLookups = 1

// markLookupGenerated is the only circumstance of a lookup.
const markLookupGenerated baseline.Marks = 1

func newLookups(cfg Config) *lookups {
	return &lookups{cfg: cfg, marks: baseline.NewMarkTable(.01)}
}

// Spec implements Detector.
func (*lookups) Spec() Spec {
	return Spec{
		Name:    "lookup",
		Kinds:   []Kind{NewDestination},
		Class:   DNS,
		Summary: "A device looks up a domain that it never asked for.",
		Attack:  []string{"T1071.004", "T1568"},
	}
}

// Tick implements Detector.
func (*lookups) Tick(int64, func(Finding)) {}

// Observe implements Detector.
func (l *lookups) Observe(in *Input, report func(Finding)) {
	if in.Client == nil {
		return
	}
	for _, msg := range in.Event.Messages {
		q, ok := msg.(*wire.DNS)
		if !ok || q.Proto != "dns" || q.Response || len(q.Questions) == 0 {
			continue
		}
		w := in.Names.words.of(q.Questions[0].Name)
		if !w.onInternet || !strings.Contains(w.name, ".") {
			continue
		}
		l.query(in, w, report)
	}
}

func (l *lookups) query(in *Input, w *word, report func(Finding)) {
	m := in.ClientModel
	day := m.Calendar.Day
	domain, key := w.domain, w.domainEntity
	s, known := m.Lookups.Get(key)
	if known && !s.Flagged {
		m.Lookups.Touch(key, day)
		return
	}
	days := m.Calendar.Days()
	young := in.young(m, l.cfg.Learn)
	q1, _ := m.Lookups.Once(day, func(baseline.Entity) bool { return true })
	fresh := m.Lookups.Fresh(day)
	if known && s.First == day {
		fresh-- // itself
	}
	if !known && (in.Learn || young) {
		m.Lookups.Add(key, day)
	}
	if young {
		return
	}
	if fresh >= maxFreshLookups {
		return // many at once are for the detector that counts names
	}
	marks, severity := baseline.Marks(0), Low
	if looksGenerated(domain) {
		marks, severity = markLookupGenerated, Medium
	}
	rate := baseline.NewKeyRate(q1, days)
	r := &in.Event.Record
	reasons := []Why{why("domain", domain, fmt.Sprintf("a known one; of those in %d days, %d were asked for on one day only", days, q1), baseline.AtLeastOne(rate, 1))}
	if marks != 0 {
		reasons = append(reasons, why("name", "looks machine-generated", "a name that people chose (99 %)", .01))
	}
	sortWhy(reasons)
	report(Finding{
		Kind: NewDestination, Class: DNS, Severity: severity, Device: in.Client, Subject: domain,
		Peer: Peer{Name: domain, Port: r.Server.Port, Proto: protoName(r.Proto)},
		Time: in.Now(), First: r.First, P: baseline.AtLeastOne(rate, l.marks.P(marks)), Confidence: confidence(m),
		Summary: fmt.Sprintf("%s looked up %s, a domain it never asked for before.", in.Client.Name, shorten(domain, 80)),
		Why:     reasons, Attack: []string{"T1071.004"}, Flow: *r, Repeat: known,
		Flag: func() { m.Lookups.Flag(key, day) },
	})
}
