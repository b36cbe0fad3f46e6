package detect

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gatehouse/wire"
)

// Constants of the tunnel model, per hour. Measured on real smart-home
// captures; see docs/detection.md. RITA calls 100 subdomains a tunnel.
const (
	tunnelWindow = time.Hour

	domainNames = 8.0    // names per registered domain at which surprise begins
	domainBytes = 400.0  // label bytes per registered domain
	deviceNames = 15.0   // names per device
	deviceBytes = 1200.0 // label bytes per device

	maxTunnelDomains = 128  // registered domains counted at a time, per device
	maxTunnelNames   = 1024 // distinct names counted per domain and hour
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
type tunnels struct{ devices map[string]*tunnelHour }

func newTunnels() *tunnels { return &tunnels{devices: make(map[string]*tunnelHour)} }

// tunnelHour counts the names of one device in the running hour.
type tunnelHour struct {
	start   int64
	domains map[string]*tunnelDomain
}

type tunnelDomain struct {
	names map[string]struct{}
	bytes int
	types [4]int // queries by kind: A/AAAA, TXT, CNAME/MX/NULL, other
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

// Tick implements Detector: hours that are over are forgotten.
func (t *tunnels) Tick(now int64, _ func(Finding)) {
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
	name := strings.ToLower(q.Name)
	if name == "" || strings.HasSuffix(name, ".arpa") || strings.HasSuffix(name, ".local") {
		return
	}
	h := t.devices[in.Client.ID]
	if h == nil || in.Now()-h.start > int64(tunnelWindow) {
		h = &tunnelHour{start: in.Now(), domains: make(map[string]*tunnelDomain)}
		t.devices[in.Client.ID] = h
	}
	domain := RegisteredDomain(name)
	d := h.domains[domain]
	if d == nil {
		if len(h.domains) >= maxTunnelDomains {
			return
		}
		d = &tunnelDomain{names: make(map[string]struct{})}
		h.domains[domain] = d
	}
	d.types[queryKind(q.Type)]++
	if _, known := d.names[name]; known || len(d.names) >= maxTunnelNames {
		return
	}
	d.names[name] = struct{}{}
	d.bytes += len(name) - len(domain)
	t.judge(in, h, d, domain, name, report)
}

func (t *tunnels) judge(in *Input, h *tunnelHour, d *tunnelDomain, domain, name string, report func(Finding)) {
	names, bytes, domains := 0, 0, 0
	for _, o := range h.domains {
		// Many domains with a name or two each are browsing, or generated
		// domains, which another detector counts; a tunnel needs many names
		// below each of its domains.
		if len(o.names) > 2 {
			names += len(o.names)
			bytes += o.bytes
			domains++
		}
	}
	p, wide := DomainTunnelP(len(d.names), d.bytes), DeviceTunnelP(names, bytes)
	subject := domain
	if wide < p && domains > 1 {
		p = wide
		subject = fmt.Sprintf("%d domains", domains)
	} else {
		names, bytes = len(d.names), d.bytes
	}
	if p > worthNoting {
		return
	}
	r := &in.Event.Record
	reasons := []Why{
		why("names", fmt.Sprintf("%d different names below %s within an hour", names, subject), "a handful", math.Pow(1+float64(names)/domainNames, -3)),
		why("length", fmt.Sprintf("%d bytes of name, %d a name", bytes, bytes/max(1, names)), "short words", math.Pow(1+float64(bytes)/domainBytes, -1.5)),
	}
	if odd := d.types[1] + d.types[2]; odd > 0 {
		reasons = append(reasons, why("type", fmt.Sprintf("%d of %d queries for TXT, MX, CNAME or NULL", odd, odd+d.types[0]+d.types[3]), "addresses", 1))
	}
	report(Finding{
		Kind: DNSTunnel, Class: DNS, Severity: High, Device: in.Client, Subject: subject,
		Peer: Peer{IP: r.Server.Addr.String(), Name: subject, Port: r.Server.Port, Proto: protoName(r.Proto)},
		Time: in.Now(), First: h.start, P: p, Confidence: 1,
		Summary: fmt.Sprintf("%s seems to send data out hidden in DNS lookups: %d different long names below %s within an hour (for example %s).",
			in.Client.Name, names, subject, shorten(name, 60)),
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

// shorten cuts a string for a sentence.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n-1] + "…"
}
