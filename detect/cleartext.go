package detect

import (
	"fmt"
	"net/http"
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
type clearTexts struct{}

// clearRequest waits in its Conn for the response: a server that only sends
// the client to the encrypted address did no harm.
type clearRequest struct {
	name, request string
	encrypted     uint16 // connections before
}

func newClearText() *clearTexts { return &clearTexts{} }

// clearProtocol is the protocol that is spoken in clear at a port and has an
// encrypted form elsewhere, "" if there is none. HTTP is recognised by its
// content. XMPP (5222) is left out: it turns to TLS within the connection, and
// messengers use its port for encryption of their own.
func clearProtocol(port uint16) string {
	switch port {
	case 23:
		return "Telnet"
	case 1883:
		return "MQTT"
	}
	return ""
}

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
	if w := in.Conn.clear; w != nil {
		in.Conn.clear = nil
		c.report(in, w, "no answer", report)
	}
	r := &in.Event.Record
	protocol := clearProtocol(r.Server.Port)
	if protocol == "" || r.Proto != protoTCP || r.App == "tls" || r.Payload[0] == 0 || r.Payload[1] == 0 {
		return
	}
	if w := c.suspicious(in, protocol); w != nil {
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
	if s.Encrypted == 0 {
		s.First = m.Calendar.Day
	}
	baseline.Bump(&s.Encrypted)
	s.Last = m.Calendar.Day
	m.Clarity.Put(name, s)
}

// suspicious describes clear text to the server's name if it is news; if it is
// not, it learns it and returns nil.
func (c *clearTexts) suspicious(in *Input, request string) *clearRequest {
	m, name := in.ClientModel, in.name()
	if name == "" {
		return nil
	}
	s, _ := m.Clarity.Get(name)
	// Some cameras speak both to one name from their first minute: HTTPS to
	// register, HTTP to fetch firmware. "Always" takes days.
	always := int(m.Calendar.Day)-int(s.First) >= baseline.MinDays
	if always && s.Encrypted >= minEncrypted && s.Clear == 0 {
		return &clearRequest{name: name, request: request, encrypted: s.Encrypted}
	}
	if in.Learn {
		baseline.Bump(&s.Clear)
		s.Last = m.Calendar.Day
		m.Clarity.Put(name, s)
	}
	return nil
}

func (c *clearTexts) request(in *Input, m *wire.HTTPRequest) {
	if in.Conn.clear == nil {
		in.Conn.clear = c.suspicious(in, "HTTP "+shorten(m.Method, 16))
	}
}

func (c *clearTexts) response(in *Input, m *wire.HTTPResponse, report func(Finding)) {
	w := in.Conn.clear
	if w == nil || m.Status < 200 {
		return
	}
	in.Conn.clear = nil
	if m.Status >= 300 && m.Status < 400 && strings.HasPrefix(strings.ToLower(m.Location), "https:") {
		return // sent on to the encrypted address, as browsers see it every day
	}
	if m.Status == http.StatusNoContent && (w.request == "HTTP GET" || w.request == "HTTP HEAD") {
		return // how phones and browsers ask whether the way out is open
	}
	c.report(in, w, fmt.Sprintf("status %d", m.Status), report)
}

func (c *clearTexts) report(in *Input, w *clearRequest, answer string, report func(Finding)) {
	m, r := in.ClientModel, &in.Event.Record
	p := baseline.ClearTextP(int(m.ClearEvents), m.Calendar.Days())
	baseline.Bump(&m.ClearEvents)
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
