package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
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
	// clockServers is how many servers, with none in between whose certificate
	// is valid and none of them longer ago than clockWindow, must seem out of
	// date before the clock that stamps the packets is doubted instead.
	clockServers = 3
	clockWindow  = time.Hour
	// maxPending bounds the findings that wait for a reaction; those beyond it
	// are reported without.
	maxPending = 256
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
	strikes  []strike      // servers that seemed out of date, since one that was valid; oldest first
}

// verdictKey is all that a verdict depends on. It covers the whole chain, not
// the leaf's key alone, which outlives a renewal.
type verdictKey struct {
	chain [sha256.Size]byte
	name  string
	day   int64 // packet time: an intermediate may expire too
	// Whether the leaf is not yet or no longer valid, to the second.
	before, after bool
}

type pendingCert struct {
	flow    uint64 // Record.ID
	since   int64  // ns
	sent    uint64 // payload bytes that the client had sent until then
	finding Finding
	refused bool
}

type strike struct {
	server string
	at     int64 // ns
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
				c.certificate(in, m, report)
			}
		case *wire.TLSAlert:
			if m.From == wire.FromClient && m.Fatal {
				c.refuse(in.Event.Record.ID)
			}
		}
	}
	if in.Event.Kind == flow.End {
		c.ended(&in.Event.Record, report)
	}
}

func (c *certificates) refuse(flow uint64) {
	for i := range c.pending {
		if c.pending[i].flow == flow {
			c.pending[i].refused = true
		}
	}
}

// ended releases what waits for a flow that is over. A client that sent
// nothing after the certificate has refused it without a word.
func (c *certificates) ended(r *flow.Record, report func(Finding)) {
	for i := 0; i < len(c.pending); {
		p := &c.pending[i]
		if p.flow != r.ID {
			i++
			continue
		}
		p.refused = p.refused || r.Payload[0] <= p.sent
		c.release(i, report)
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

func (c *certificates) certificate(in *Input, m *wire.Certificate, report func(Finding)) {
	model := in.ClientModel
	end := endpointOf(in)
	// Only the name that was said in the handshake is the one to judge by: by
	// address alone, another host of the same server may have been meant.
	name := ""
	if in.Conn.Spoken {
		name = in.Conn.Name
	}
	severe := c.verify(in, m, name).Faults & faultsSevere
	faults := severe & c.decidable(m)
	clock := c.doubtClock(in.Now(), end.Name, faults)
	seen, _ := model.Chains.Get(end)
	day := model.Calendar.Day
	seen.Last = day
	if faults == 0 && severe != 0 {
		return // no fault that is certain, and not valid either
	}
	if faults == 0 {
		baseline.Bump(&seen.Valid)
		seen.Issuer = m.Issuer
		model.Chains.Put(end, seen)
		return
	}
	p := untrustedP
	switch {
	case clock:
		p = 1
	case seen.Valid > 0:
		p = 0.1 * baseline.DowngradeP(model.Calendar.Days())
	case faults&faultsNow != 0 && faults&wire.FaultSelfSigned == 0:
		// Who vouches for nobody but himself vouches for no dates either:
		// peer-to-peer programs make such certificates up.
		p = outOfDateP
	}
	if seen.Valid == 0 {
		baseline.Bump(&seen.Invalid)
		model.Chains.Put(end, seen)
		if seen.Invalid > 1 && faults&faultsNow == 0 {
			return // it was never any different
		}
	}
	f := c.finding(in, m, end, faults, seen, p)
	if len(c.pending) >= maxPending {
		report(f)
		return
	}
	r := &in.Event.Record
	c.pending = append(c.pending, pendingCert{flow: r.ID, since: in.Now(), sent: r.Payload[0], finding: f})
}

// decidable are the faults that can be told from what is at hand: without roots
// nobody is trusted, and of a chain that was cut off the missing part may be
// what leads to one.
func (c *certificates) decidable(m *wire.Certificate) wire.CertFaults {
	switch {
	case c.cfg.Roots == nil:
		return faultsNow | wire.FaultUnparsable
	case m.Truncated:
		return ^wire.FaultUnknownAuthority
	}
	return ^wire.CertFaults(0)
}

func (c *certificates) verify(in *Input, m *wire.Certificate, name string) wire.Verdict {
	at := time.Unix(0, in.Now()).UTC()
	key := verdictKey{digest(m.Raw), name, in.Now() / int64(24*time.Hour), at.Before(m.NotBefore), at.After(m.NotAfter)}
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

// digest identifies a chain.
func digest(chain [][]byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, der := range chain {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(der))))
		h.Write(der)
	}
	h.Sum(sum[:0])
	return sum
}

// doubtClock reports whether so many servers in a row seem out of date, and
// have no other fault, that the gateway's clock is the likelier one.
func (c *certificates) doubtClock(now int64, server string, faults wire.CertFaults) bool {
	if faults == 0 {
		c.strikes = c.strikes[:0]
	}
	if faults == 0 || faults&^faultsNow != 0 {
		return false
	}
	c.strikes = slices.DeleteFunc(c.strikes, func(s strike) bool {
		return s.server == server || now-s.at > int64(clockWindow)
	})
	c.strikes = append(c.strikes, strike{server, now})
	if len(c.strikes) > clockServers {
		c.strikes = slices.Delete(c.strikes, 0, len(c.strikes)-clockServers)
	}
	return len(c.strikes) == clockServers
}

func (c *certificates) finding(in *Input, m *wire.Certificate, end baseline.Endpoint, faults wire.CertFaults, seen baseline.Chain, p float64) Finding {
	r := &in.Event.Record
	words := describeFaults(faults, m, time.Unix(0, in.Now()))
	expected, issuer := "a valid certificate", "an authority that the gateway trusts"
	more := ""
	if seen.Valid > 0 {
		expected = fmt.Sprintf("a valid certificate, as in %d earlier connections", seen.Valid)
		issuer = shorten(seen.Issuer, 80)
		more = " Until now it was always valid."
		if seen.Invalid > 0 {
			more = " It was valid before."
		}
	}
	if p == 1 {
		more = fmt.Sprintf(" So did those of %d other servers within the hour: the gateway's clock may be wrong.", clockServers-1)
	}
	return Finding{
		Kind: CertificateFailure, Class: TLS, Severity: High, Device: in.Client,
		Subject: fmt.Sprintf("%s:%d %s", end.Name, end.Port, faults.Status()), Peer: peerOf(in),
		Time: in.Now(), First: r.First, P: p, Confidence: 1,
		Summary: fmt.Sprintf("%s connected to %s, whose certificate %s.%s", in.Client.Name, certifiedPeer(in, m), words[0], more),
		Why: differences(
			why("certificate", strings.Join(words, "; "), expected, p),
			why("issuer", shorten(m.Issuer, 80), issuer, 1),
			why("subject", shorten(m.Subject, 80), "CN="+end.Name, 1),
		),
		Attack: []string{"T1557"}, Flow: *r,
	}
}

// differences leaves out reasons that were as expected.
func differences(reasons ...Why) []Why {
	return slices.DeleteFunc(reasons, func(w Why) bool { return w.Observed == w.Expected })
}

// certifiedPeer is the server for a sentence. One known by its address alone
// goes by the first name in its certificate, which says at least what it
// claims to be.
func certifiedPeer(in *Input, m *wire.Certificate) string {
	label := in.handshakeLabel()
	if in.Conn.Proxied.Name != "" || in.Server != nil || in.name() != "" || len(m.Names) == 0 {
		return label
	}
	if name := hostname(strings.TrimPrefix(m.Names[0], "*.")); name != "" {
		return fmt.Sprintf("%s (%s)", name, label)
	}
	return label
}

// describeFaults says in words of a house what is wrong, worst first.
func describeFaults(faults wire.CertFaults, m *wire.Certificate, now time.Time) []string {
	var words []string
	for ; faults != 0; faults &= faults - 1 {
		words = append(words, describeFault(faults.Status(), m, now))
	}
	return words
}

func describeFault(status wire.CertStatus, m *wire.Certificate, now time.Time) string {
	switch status {
	case wire.CertExpired:
		switch days := int(now.Sub(m.NotAfter) / (24 * time.Hour)); days {
		case 0:
			return "has just expired"
		case 1:
			return "expired a day before"
		default:
			return fmt.Sprintf("expired %d days before", days)
		}
	case wire.CertNotYetValid:
		return "is not valid before " + m.NotBefore.UTC().Format("2 January 2006")
	case wire.CertSelfSigned:
		return "is signed by nobody but itself"
	case wire.CertNameMismatch:
		return "is made out to somebody else (" + shorten(m.Subject, 60) + ")"
	case wire.CertUnknownAuthority:
		return "is signed by an unknown authority (" + shorten(m.Issuer, 60) + ")"
	case wire.CertUnparsable:
		return "cannot be read"
	}
	return "is broken or forged"
}
