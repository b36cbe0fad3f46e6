package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/baseline"
	"gatehouse/device"
	"gatehouse/flow"
	"gatehouse/wire"
)

// Whatever a thousand devices do at a time, what waits is bounded, and all of it
// is reported in the end.
func TestPendingCertificatesAreBounded(t *testing.T) {
	w := newWorld(t)
	c := newCertificates(Config{Roots: w.authority.roots})
	message, err := w.authority.message(map[string]string{"by": "self", "name": "x.example.com", "from": "-1", "to": "9"})
	if err != nil {
		t.Fatal(err)
	}
	reported := 0
	report := func(f Finding) {
		reported++
		if f.Device == nil {
			t.Error("a finding without a device")
		}
	}
	const flood = 10 * maxPending
	for i := range flood {
		in := &Input{
			Event: &flow.Event{Kind: flow.Update, Time: epoch.UnixNano(), Messages: message, Record: flow.Record{ID: uint64(i + 1), Server: flow.Endpoint{Addr: addr(i), Port: 443}}},
			Conn:  &Conn{Name: fmt.Sprintf("s%d.example.com", i), Spoken: true}, Client: &device.Device{ID: "d", Name: "d"},
			ClientModel: baseline.NewModel(epoch.UnixNano()), Names: w.names,
		}
		c.Observe(in, report)
	}
	if len(c.pending) > maxPending || len(c.verdicts) > maxVerdicts || len(c.strikes) > clockServers {
		t.Errorf("%d pending, %d verdicts, %d strikes", len(c.pending), len(c.verdicts), len(c.strikes))
	}
	c.Tick(epoch.UnixNano()+int64(verdictWait)-1, report)
	if len(c.pending) != maxPending {
		t.Errorf("%d wait after less than %v, want %d", len(c.pending), verdictWait, maxPending)
	}
	c.Tick(epoch.UnixNano()+int64(verdictWait), report)
	if len(c.pending) != 0 || reported != flood {
		t.Errorf("%d still wait, %d of %d are reported", len(c.pending), reported, flood)
	}
}

// The cache must not answer for a renewed certificate, another name or another time.
func TestVerdictCache(t *testing.T) {
	w := newWorld(t)
	c := newCertificates(Config{Roots: w.authority.roots})
	in := &Input{Event: &flow.Event{Time: epoch.UnixNano()}}
	cert := func(by string) *wire.Certificate {
		m, err := w.authority.message(map[string]string{"by": by, "name": "x.example.com", "from": "-1", "to": "9"})
		if err != nil {
			t.Fatal(err)
		}
		return m[0].(*wire.Certificate)
	}
	good, bad := cert("trusted"), cert("private")
	bad.SPKI = good.SPKI // as if it were the same key
	for _, tt := range []struct {
		name string
		m    *wire.Certificate
		host string
		at   time.Duration
		want wire.CertStatus
	}{
		{"valid", good, "x.example.com", 0, wire.CertValid},
		{"from the cache", good, "x.example.com", 0, wire.CertValid},
		{"another certificate for the same key", bad, "x.example.com", 0, wire.CertUnknownAuthority},
		{"another name", good, "y.example.com", 0, wire.CertNameMismatch},
		{"later", good, "x.example.com", 10 * 24 * time.Hour, wire.CertExpired},
	} {
		in.Event.Time = epoch.Add(tt.at).UnixNano()
		if v := c.verify(in, tt.m, tt.host); v.Status != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, v.Status, tt.want)
		}
	}
	if len(c.verdicts) != 4 {
		t.Errorf("%d verdicts are kept, want 4", len(c.verdicts))
	}
}

// A chain that was cut off is not blamed for a missing intermediate, and a
// certificate after which the client sends nothing was refused.
func TestCertificateReactions(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name      string
		truncated bool
		sent      uint64 // payload of the client by the end
		alert     bool
		want      string
	}{
		{"went on", false, 300, false, "went on regardless."},
		{"sent nothing more", false, 100, false, "refused it."},
		{"refused with an alert", false, 107, true, "refused it."},
		{"cut off", true, 300, false, ""},
	} {
		c := newCertificates(Config{Roots: w.authority.roots})
		message, err := w.authority.message(map[string]string{"by": "private", "name": "x.example.com", "from": "-1", "to": "9"})
		if err != nil {
			t.Fatal(err)
		}
		cert := *message[0].(*wire.Certificate)
		cert.Truncated = tt.truncated
		ev := &flow.Event{Kind: flow.Update, Time: epoch.UnixNano(), Messages: []wire.Message{&cert}, Record: flow.Record{ID: 1, Server: flow.Endpoint{Addr: addr(1), Port: 443}, Payload: [2]uint64{100, 3000}}}
		in := &Input{Event: ev, Conn: &Conn{Name: "x.example.com", Spoken: true}, Client: &device.Device{ID: "d", Name: "d"}, ClientModel: baseline.NewModel(epoch.UnixNano()), Names: w.names}
		var found []string
		report := func(f Finding) { found = append(found, f.Summary) }
		c.Observe(in, report)
		if len(found) != 0 {
			t.Errorf("%s: reported before the reaction was known: %q", tt.name, found)
		}
		ev.Messages, ev.Kind, ev.Record.Payload[0] = nil, flow.End, tt.sent
		if tt.alert {
			ev.Messages = []wire.Message{&wire.TLSAlert{From: wire.FromClient, Fatal: true}}
		}
		c.Observe(in, report)
		if tt.want == "" && len(found) == 0 {
			continue
		}
		if len(found) != 1 || !strings.HasSuffix(found[0], tt.want) {
			t.Errorf("%s: %q, want one that ends in %q", tt.name, found, tt.want)
		}
	}
}

// A chain that cannot be judged to the end counts neither way: it must not make
// a later fault look like a change.
func TestUndecidableChainsAreNotLearned(t *testing.T) {
	w := newWorld(t)
	message, err := w.authority.message(map[string]string{"by": "private", "name": "x.example.com", "from": "-1", "to": "9"})
	if err != nil {
		t.Fatal(err)
	}
	whole := message[0].(*wire.Certificate)
	cut := *whole
	cut.Truncated = true
	for _, tt := range []struct {
		name  string
		first Config
		cert  *wire.Certificate
	}{
		{"no roots at first", Config{}, whole},
		{"cut off at first", Config{Roots: w.authority.roots}, &cut},
	} {
		ev := &flow.Event{Kind: flow.Update, Time: epoch.UnixNano(), Record: flow.Record{ID: 1, Server: flow.Endpoint{Addr: addr(1), Port: 443}}}
		in := &Input{Event: ev, Conn: &Conn{Name: "x.example.com", Spoken: true}, Client: &device.Device{ID: "d", Name: "d"}, ClientModel: baseline.NewModel(epoch.UnixNano()), Names: w.names}
		ev.Messages = []wire.Message{tt.cert}
		c := newCertificates(tt.first)
		for range 5 {
			c.Observe(in, func(f Finding) { t.Errorf("%s: %s", tt.name, f.Summary) })
		}
		c.Tick(ev.Time+int64(verdictWait), func(f Finding) { t.Errorf("%s: %s", tt.name, f.Summary) })
		ev.Messages = []wire.Message{whole}
		c = newCertificates(Config{Roots: w.authority.roots})
		c.Observe(in, func(Finding) {})
		var p []float64
		c.Tick(ev.Time+int64(verdictWait), func(f Finding) { p = append(p, f.P) })
		if len(p) != 1 || p[0] != untrustedP {
			t.Errorf("%s: a first contact with a private authority has p %v, want %v", tt.name, p, untrustedP)
		}
	}
}
