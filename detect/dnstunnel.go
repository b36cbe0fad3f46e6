package detect

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"gatehouse/baseline"
	"gatehouse/wire"
)

// Constants of the tunnel model, per hour. Measured on real smart-home
// captures; see docs/detection.md. RITA calls 100 subdomains a tunnel.
const (
	tunnelWindow = time.Hour
	tunnelSweep  = 5 * time.Minute // memory may be kept that much longer

	domainNames = 8.0    // names per registered domain at which surprise begins
	domainBytes = 400.0  // label bytes per registered domain
	deviceNames = 15.0   // names per device
	deviceBytes = 1200.0 // label bytes per device
	// tunnelLabel is how many label bytes a name of a domain has on average
	// before the domain counts for the device: of 41 registered domains with
	// more than two names in captures of homes and offices, the 4 that exceed
	// it are clouds and content networks (30 to 36 bytes). dnscat2 sends 168.
	tunnelLabel = 24

	// Per device and hour, the distinct names that are counted in all, and the
	// registered domains. Where room is needed, the domain with the fewest names
	// is forgotten: browsing makes way for tunnels, never the other way round.
	maxTunnelNames   = 1024
	maxTunnelDomains = 128
)

// DomainTunnelP is the p-value of u distinct names with b bytes of labels in
// all below one registered domain within an hour.
func DomainTunnelP(u, b int) float64 { return tunnelTail(u, b, domainNames, domainBytes) }

// DeviceTunnelP is the same for all domains of a device together.
func DeviceTunnelP(u, b int) float64 { return tunnelTail(u, b, deviceNames, deviceBytes) }

func tunnelTail(u, b int, names, bytes float64) float64 {
	return math.Pow(1+float64(u)/names, -3) * math.Pow(1+float64(b)/bytes, -1.5)
}

// tunnels notices data that leaves in the names of DNS queries.
type tunnels struct {
	devices   map[string]*tunnelHour
	nextSweep int64
}

func newTunnels() *tunnels { return &tunnels{devices: make(map[string]*tunnelHour)} }

// tunnelHour counts the names of one device in the running hour.
type tunnelHour struct {
	start   int64 // ns since the Unix epoch
	domains map[string]*tunnelDomain
	names   int // of all domains
}

type tunnelDomain struct {
	first int64                        // ns: first query
	names map[baseline.Entity]struct{} // as hashes
	bytes int                          // of the labels below the registered domain
	types [4]int                       // queries by kind: A/AAAA, TXT, CNAME/MX/NULL, other
}

// Spec implements Detector.
func (*tunnels) Spec() Spec {
	return Spec{
		Name:     "dnstunnel",
		Kinds:    []Kind{DNSTunnel},
		Class:    DNS,
		AlwaysOn: true,
		Summary:  "A device hides data in the names that it looks up.",
		Attack:   []string{"T1071.004", "T1572", "T1048"},
	}
}

// Tick implements Detector: hours that are over are forgotten. It does not
// matter when, because a query after the end of one begins another anyway.
func (t *tunnels) Tick(now int64, _ func(Finding)) {
	if now < t.nextSweep {
		return
	}
	t.nextSweep = now + int64(tunnelSweep)
	for id, h := range t.devices {
		if now-h.start > int64(tunnelWindow) {
			delete(t.devices, id)
		}
	}
}

// Observe implements Detector.
func (t *tunnels) Observe(in *Input, report func(Finding)) {
	if in.Client == nil {
		return
	}
	for _, m := range in.Event.Messages {
		if q, ok := m.(*wire.DNS); ok && q.Proto == "dns" && !q.Response && len(q.Questions) > 0 {
			t.query(in, &q.Questions[0], report)
		}
	}
}

func (t *tunnels) query(in *Input, q *wire.DNSQuestion, report func(Finding)) {
	w := in.Names.words.of(q.Name)
	if !w.onInternet {
		return
	}
	h := t.devices[in.Client.ID]
	if h == nil || in.Now()-h.start > int64(tunnelWindow) {
		h = &tunnelHour{start: in.Now(), domains: make(map[string]*tunnelDomain)}
		t.devices[in.Client.ID] = h
	}
	name, domain := w.name, w.domain
	d := h.domains[domain]
	if d == nil {
		if len(h.domains) >= maxTunnelDomains {
			h.forgetSmallest("")
		}
		d = &tunnelDomain{first: in.Now(), names: make(map[baseline.Entity]struct{})}
		h.domains[domain] = d
	}
	d.types[queryKind(q.Type)]++
	if _, known := d.names[w.entity]; known {
		return
	}
	if h.names >= maxTunnelNames && !h.forgetSmallest(domain) {
		return // one domain has it all, and has been reported long since
	}
	d.names[w.entity] = struct{}{}
	h.names++
	d.bytes += len(name) - len(domain)
	t.judge(in, h, d, domain, name, report)
}

// forgetSmallest forgets the domain with the fewest names, but not keep; of
// equals the first by name. It reports whether there was one.
func (h *tunnelHour) forgetSmallest(keep string) bool {
	smallest := ""
	for name, d := range h.domains {
		if name == keep {
			continue
		}
		least := h.domains[smallest]
		if least == nil || len(d.names) < len(least.names) || len(d.names) == len(least.names) && name < smallest {
			smallest = name
		}
	}
	if smallest == "" {
		return false
	}
	h.names -= len(h.domains[smallest].names)
	delete(h.domains, smallest)
	return true
}

func (t *tunnels) judge(in *Input, h *tunnelHour, d *tunnelDomain, domain, name string, report func(Finding)) {
	var names, bytes, domains, odd, queries int
	for _, o := range h.domains {
		// Many domains with a name or two each are browsing, or generated
		// domains, which another detector counts; and so are many with a few
		// short ones. A tunnel needs many names below each of its domains, and
		// room for data in them.
		if len(o.names) > 2 && o.bytes >= tunnelLabel*len(o.names) {
			names += len(o.names)
			bytes += o.bytes
			domains++
			odd += o.types[1] + o.types[2]
			queries += o.types[0] + o.types[1] + o.types[2] + o.types[3]
		}
	}
	first := d.first
	p, wide := DomainTunnelP(len(d.names), d.bytes), DeviceTunnelP(names, bytes)
	if min(p, wide) > worthNoting {
		return // nearly always: without a sentence about it
	}
	subject, below, perName, perByte := "several domains", fmt.Sprintf("%d domains", domains), deviceNames, deviceBytes
	if wide < p && domains > 1 {
		p, first = wide, h.start
	} else {
		subject, below, perName, perByte = domain, shorten(domain, 80), domainNames, domainBytes
		names, bytes = len(d.names), d.bytes
		odd, queries = d.types[1]+d.types[2], d.types[0]+d.types[1]+d.types[2]+d.types[3]
	}
	if p > worthNoting {
		return
	}
	r := &in.Event.Record
	reasons := []Why{
		why("names", fmt.Sprintf("%d different names below %s within an hour", names, below), "a handful", tunnelTail(names, 0, perName, perByte)),
		why("length", fmt.Sprintf("%d bytes of name, %d a name", bytes, bytes/max(1, names)), "short words", tunnelTail(0, bytes, perName, perByte)),
	}
	if odd > 0 {
		reasons = append(reasons, why("type", fmt.Sprintf("%d of %d queries for TXT, MX, CNAME or NULL", odd, queries), "addresses", 1))
	}
	report(Finding{
		Kind: DNSTunnel, Class: DNS, Severity: High, Device: in.Client, Subject: subject,
		Peer: Peer{IP: r.Server.Addr.String(), Name: below, Port: r.Server.Port, Proto: protoName(r.Proto)},
		Time: in.Now(), First: first, P: p, Confidence: 1,
		Summary: fmt.Sprintf("%s seems to send data out hidden in DNS lookups: %d different long names below %s within an hour (for example %s).",
			in.Client.Name, names, below, shorten(name, 40)),
		Why: reasons, Attack: []string{"T1071.004", "T1572"}, Flow: *r,
	})
}

func queryKind(qtype uint16) int {
	switch qtype {
	case 1, 28:
		return 0
	case 16:
		return 1
	case 5, 10, 15:
		return 2
	}
	return 3
}

// shorten cuts a string for a sentence, to at most n bytes and an ellipsis,
// between characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
