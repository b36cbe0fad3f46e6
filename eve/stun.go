package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// stunBody is a message of STUN or TURN. Suricata does not read them.
type stunBody struct {
	From       string `json:"from"`
	Class      string `json:"class"`
	Method     uint16 `json:"method"`
	Verbose    string `json:"method_verbose,omitempty"`
	Software   string `json:"software,omitempty"`
	User       string `json:"user,omitempty"`
	Realm      string `json:"realm,omitempty"`
	MappedIP   string `json:"mapped_ip,omitempty"`
	MappedPort uint16 `json:"mapped_port,omitempty"`
	Error      int    `json:"error_code,omitempty"`
}

func (w *Writer) stun(ev *flow.Event, m *wire.STUN) error {
	body := &stunBody{
		From: sideName(m.From), Class: m.Class, Method: m.Method, Verbose: m.MethodName(),
		Software: m.Software, User: m.User, Realm: m.Realm, Error: m.Error,
	}
	if m.Mapped.IsValid() {
		body.MappedIP, body.MappedPort = m.Mapped.Addr().String(), m.Mapped.Port()
	}
	w.begin("stun", "stun", &ev.Record, ev.Time)
	w.line.STUN = body
	return w.put()
}
