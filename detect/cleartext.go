package detect

import (
	"fmt"
	"strings"

	"gatehouse/baseline"
	"gatehouse/flow"
	"gatehouse/wire"
)

// minEncrypted is how many encrypted connections to a name must have been seen,
// and none in clear, before one in clear means anything.
const minEncrypted = 3

// clearTexts is model D on protocols: clear text to a name to which the device
// always spoke TLS.
type clearTexts struct {
	// waiting holds requests in clear whose response is still out: a server
	// that only sends the client to the encrypted address did no harm.
	waiting map[FlowID]clearRequest
}

type clearRequest struct {
	name, request string
	encrypted     uint16
}

// maxWaiting bounds what waits for a response; beyond it nothing is waited for.
const maxWaiting = 4096

// clearPorts are ports at which a protocol is spoken in clear that has an
// encrypted form elsewhere. HTTP is recognised by its content.
var clearPorts = map[uint16]string{23: "Telnet", 1883: "MQTT", 5222: "XMPP"}

func newClearText() *clearTexts { return &clearTexts{waiting: make(map[FlowID]clearRequest)} }

// Spec implements Detector.
func (*clearTexts) Spec() Spec {
	return Spec{
		Name:    "cleartext",
		Kinds:   []Kind{ProtocolDowngrade},
		Class:   TLS,
		Summary: "A device speaks in clear to a name to which it always spoke encrypted.",
		Attack:  []string{"T1562.010", "T1557", "T1040"},
	}
}

// Tick implements Detector.
func (*clearTexts) Tick(int64, func(Finding)) {}

// Observe implements Detector.
func (c *clearTexts) Observe(in *Input, report func(Finding)) {
	if in.Client == nil || in.Conn == nil || in.Scope != baseline.WAN {
		return
	}
	for _, m := range in.Event.Messages {
		switch m := m.(type) {
		case *wire.ClientHello:
			c.encrypted(in)
		case *wire.HTTPRequest:
			c.request(in, m)
		case *wire.HTTPResponse:
			c.response(in, m, report)
		}
	}
	if in.Event.Kind == flow.End {
		c.ended(in, report)
	}
}

// ended judges what can be judged only at the end of a flow.
func (c *clearTexts) ended(in *Input, report func(Finding)) {
	id := IDOf(&in.Event.Record)
	if w, ok := c.waiting[id]; ok {
		delete(c.waiting, id)
		c.report(in, w, "no answer", report)
	}
	r := &in.Event.Record
	protocol := clearPorts[r.Server.Port]
	name := in.name()
	if protocol == "" || name == "" || r.Proto != protoTCP || r.App == "tls" || r.Payload[0] == 0 || r.Payload[1] == 0 {
		return
	}
	if w, ok := c.suspicious(in, name); ok {
		w.request = protocol
		c.report(in, w, "an answer", report)
	}
}

func (c *clearTexts) encrypted(in *Input) {
	name := in.name()
	if name == "" || !in.Learn {
		return
	}
	m := in.ClientModel
	s, _ := m.Clarity.Get(name)
	s.Encrypted += uint16(min(1, int(^uint16(0)-s.Encrypted)))
	s.Last = m.Calendar.Day
	m.Clarity.Put(name, s)
}

// suspicious reports whether clear text to a name is news; if not it is learned.
func (c *clearTexts) suspicious(in *Input, name string) (clearRequest, bool) {
	m := in.ClientModel
	s, _ := m.Clarity.Get(name)
	if s.Encrypted >= minEncrypted && s.Clear == 0 {
		return clearRequest{name: name, encrypted: s.Encrypted}, true
	}
	if in.Learn {
		s.Clear += uint16(min(1, int(^uint16(0)-s.Clear)))
		s.Last = m.Calendar.Day
		m.Clarity.Put(name, s)
	}
	return clearRequest{}, false
}

func (c *clearTexts) request(in *Input, m *wire.HTTPRequest) {
	name := in.name()
	if name == "" || len(c.waiting) >= maxWaiting {
		return
	}
	if w, ok := c.suspicious(in, name); ok {
		w.request = "HTTP " + m.Method
		c.waiting[IDOf(&in.Event.Record)] = w
	}
}

func (c *clearTexts) response(in *Input, m *wire.HTTPResponse, report func(Finding)) {
	id := IDOf(&in.Event.Record)
	w, ok := c.waiting[id]
	if !ok {
		return
	}
	delete(c.waiting, id)
	if m.Status >= 300 && m.Status < 400 && strings.HasPrefix(strings.ToLower(m.Location), "https:") {
		return // sent on to the encrypted address, as browsers see it every day
	}
	c.report(in, w, fmt.Sprintf("status %d", m.Status), report)
}

func (c *clearTexts) report(in *Input, w clearRequest, answer string, report func(Finding)) {
	m, r := in.ClientModel, &in.Event.Record
	p := baseline.ClearTextP(int(m.ClearEvents), m.Calendar.Days())
	m.ClearEvents += uint16(min(1, int(^uint16(0)-m.ClearEvents)))
	report(Finding{
		Kind: ProtocolDowngrade, Class: TLS, Severity: High, Device: in.Client,
		Subject: "clear text " + w.name, Peer: peerOf(in),
		Time: in.Now(), First: r.First, P: p, Confidence: confidence(m),
		Summary: fmt.Sprintf("%s spoke to %s without encryption (%s, port %d), after %d connections that were all encrypted.",
			in.Client.Name, w.name, w.request, r.Server.Port, w.encrypted),
		Why: []Why{
			why("encryption", fmt.Sprintf("none: %s, %s", w.request, answer), fmt.Sprintf("TLS in all of %d connections to this name", w.encrypted), p),
		},
		Attack: []string{"T1562.010", "T1557", "T1040"}, Flow: *r,
	})
}
