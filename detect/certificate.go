package detect

import (
	"fmt"
	"time"

	"gatehouse/baseline"
	"gatehouse/flow"
	"gatehouse/wire"
)

const (
	// outOfDateP is the p-value of a first contact with a server whose
	// certificate is out of date: rare, but some vendors never renew theirs.
	outOfDateP = 1e-3
	// untrustedP is that of a first contact with a chain that leads to no
	// trusted root: common with devices, whose vendors run their own authority.
	untrustedP = .2
	// verdictWait is how long the client's reaction to a certificate is waited for.
	verdictWait = 5 * time.Second
	// clockServers is how many servers in a row must seem out of date before
	// the clock that stamps the packets is doubted instead.
	clockServers = 3
	// maxVerdicts bounds the cache of judged chains; judging one takes about
	// 0.2 ms, and devices reconnect to the same few servers all day.
	maxVerdicts = 1024
)

// faultsNow are faults that cannot come from an authority of the vendor's own.
const faultsNow = wire.FaultExpired | wire.FaultNotYetValid

// faultsSevere are the faults that make a chain invalid. A weak key or
// signature alone is posture: it is reported with the device, not alerted.
const faultsSevere = ^wire.FaultWeak

// certificates is model D on certificates. It sees those that cross in clear:
// TLS 1.2 and below.
type certificates struct {
	cfg      Config
	verdicts map[verdictKey]wire.Verdict
	pending  []pendingCert // waiting for the client's reaction, oldest first
	strikes  []string      // servers that seemed out of date, since one that did not
}

type verdictKey struct {
	spki [32]byte
	name string
	hour int64
}

type pendingCert struct {
	id      FlowID
	since   int64
	finding Finding
	refused bool
}

func newCertificates(cfg Config) *certificates {
	return &certificates{cfg: cfg, verdicts: make(map[verdictKey]wire.Verdict)}
}

// Spec implements Detector.
func (*certificates) Spec() Spec {
	return Spec{
		Name:     "certificate",
		Kinds:    []Kind{CertificateFailure},
		Class:    TLS,
		AlwaysOn: true,
		Summary:  "A server proves who it is with a certificate that is not valid.",
		Attack:   []string{"T1557", "T1587.003"},
	}
}

// Tick implements Detector.
func (c *certificates) Tick(now int64, report func(Finding)) {
	for len(c.pending) > 0 && now-c.pending[0].since >= int64(verdictWait) {
		c.release(0, report)
	}
}

// Observe implements Detector.
func (c *certificates) Observe(in *Input, report func(Finding)) {
	if in.Client == nil || in.Conn == nil {
		return
	}
	for _, m := range in.Event.Messages {
		switch m := m.(type) {
		case *wire.Certificate:
			if !m.FromClient && len(m.Raw) > 0 {
				c.certificate(in, m)
			}
		case *wire.TLSAlert:
			if m.From == wire.FromClient && m.Fatal {
				c.refuse(IDOf(&in.Event.Record))
			}
		}
	}
	if in.Event.Kind == flow.End {
		id := IDOf(&in.Event.Record)
		for i := range c.pending {
			if c.pending[i].id == id {
				c.release(i, report)
				return
			}
		}
	}
}

func (c *certificates) refuse(id FlowID) {
	for i := range c.pending {
		if c.pending[i].id == id {
			c.pending[i].refused = true
		}
	}
}

// release reports a pending finding, now that the client's reaction is known.
func (c *certificates) release(i int, report func(Finding)) {
	p := c.pending[i]
	c.pending = append(c.pending[:i], c.pending[i+1:]...)
	f := p.finding
	if p.refused {
		f.Severity = Medium
		f.Summary += " The device refused it."
	} else {
		f.Summary += " The device went on regardless."
	}
	report(f)
}

func (c *certificates) certificate(in *Input, m *wire.Certificate) {
	model := in.ClientModel
	end := endpointOf(in)
	// Only the name that was said in the handshake is the one to judge by: by
	// address alone, another host of the same server may have been meant.
	name := ""
	if in.Conn.Spoken {
		name = in.Conn.Name
	}
	v := c.verify(in, m, name)
	faults := v.Faults & faultsSevere
	if c.cfg.Roots == nil {
		faults &= faultsNow | wire.FaultUnparsable
	}
	clock := c.doubtClock(end.Name, faults)
	seen, _ := model.Chains.Get(end)
	day := model.Calendar.Day
	seen.Last = day
	if faults == 0 {
		seen.Valid += uint16(min(1, int(^uint16(0)-seen.Valid)))
		seen.Issuer = m.Issuer
		model.Chains.Put(end, seen)
		return
	}
	f := c.finding(in, m, end, v, seen)
	switch {
	case clock:
		f.P = 1
	case seen.Valid > 0:
		f.P = 0.1 * baseline.DowngradeP(model.Calendar.Days())
	case faults&faultsNow != 0:
		f.P = outOfDateP
	default:
		f.P = untrustedP
	}
	if seen.Valid == 0 {
		seen.Invalid += uint16(min(1, int(^uint16(0)-seen.Invalid)))
		model.Chains.Put(end, seen)
	}
	if seen.Invalid > 1 && faults&faultsNow == 0 {
		return // it was never any different
	}
	if len(c.pending) < maxWaiting {
		c.pending = append(c.pending, pendingCert{id: IDOf(&in.Event.Record), since: in.Now(), finding: f})
	}
}

func (c *certificates) verify(in *Input, m *wire.Certificate, name string) wire.Verdict {
	at := time.Unix(0, in.Now()).UTC()
	key := verdictKey{m.SPKI, name, in.Now() / int64(time.Hour)}
	if v, ok := c.verdicts[key]; ok {
		return v
	}
	if len(c.verdicts) >= maxVerdicts {
		clear(c.verdicts)
	}
	v := wire.VerifyChain(m.Raw, c.cfg.Roots, name, at)
	c.verdicts[key] = v
	return v
}

// doubtClock reports whether so many servers in a row seem out of date that
// the gateway's clock is the likelier fault.
func (c *certificates) doubtClock(server string, faults wire.CertFaults) bool {
	if faults&faultsNow == 0 {
		c.strikes = c.strikes[:0]
		return false
	}
	for _, s := range c.strikes {
		if s == server {
			return len(c.strikes) >= clockServers
		}
	}
	if len(c.strikes) < clockServers {
		c.strikes = append(c.strikes, server)
	}
	return len(c.strikes) >= clockServers
}

func (c *certificates) finding(in *Input, m *wire.Certificate, end baseline.Endpoint, v wire.Verdict, seen baseline.Chain) Finding {
	r := &in.Event.Record
	fault := describeFault(v, m)
	expected := "a valid certificate"
	first := ""
	if seen.Valid > 0 {
		expected = fmt.Sprintf("a valid certificate, as in %d earlier connections (issuer %s)", seen.Valid, shorten(seen.Issuer, 60))
		first = " Until now it was always valid."
	}
	p := outOfDateP
	if seen.Valid > 0 {
		p = baseline.DowngradeP(in.ClientModel.Calendar.Days())
	}
	return Finding{
		Kind: CertificateFailure, Class: TLS, Severity: High, Device: in.Client,
		Subject: fmt.Sprintf("%s:%d %s", end.Name, end.Port, v.Status), Peer: peerOf(in),
		Time: in.Now(), First: r.First, Confidence: 1,
		Summary: fmt.Sprintf("%s connected to %s, whose certificate %s.%s", in.Client.Name, in.peerLabel(), fault, first),
		Why: []Why{
			why("certificate", v.Detail, expected, p),
			why("issuer", shorten(m.Issuer, 80), shorten(seen.Issuer, 80), 1),
			why("subject", shorten(m.Subject, 80), end.Name, 1),
		},
		Attack: []string{"T1557"}, Flow: *r,
	}
}

// describeFault says in words of a house what is wrong.
func describeFault(v wire.Verdict, m *wire.Certificate) string {
	switch v.Status {
	case wire.CertExpired:
		days := int(v.ExpiredBy / (24 * time.Hour))
		if days < 1 {
			return "has just expired"
		}
		if days == 1 {
			return "expired a day before"
		}
		return fmt.Sprintf("expired %d days before", days)
	case wire.CertNotYetValid:
		return "is not valid before " + m.NotBefore.Format("2 January 2006")
	case wire.CertSelfSigned:
		return "is signed by nobody but itself"
	case wire.CertNameMismatch:
		return "is made out to somebody else (" + shorten(m.Subject, 60) + ")"
	case wire.CertUnknownAuthority:
		return "is signed by an unknown authority (" + shorten(m.Issuer, 60) + ")"
	}
	return "is broken or forged"
}
