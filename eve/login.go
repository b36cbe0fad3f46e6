package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// loginBody is one attempt to log in. Suricata has no such object; ours is the
// same for all protocols, beside the object of the protocol itself.
type loginBody struct {
	User      string `json:"user,omitempty"`
	Mechanism string `json:"mechanism,omitempty"`
	Outcome   string `json:"outcome"`
	Inferred  bool   `json:"inferred,omitempty"`
	Clear     bool   `json:"clear_text,omitempty"`
	Default   bool   `json:"default_credentials,omitempty"`
}

// login writes a login as an event of its protocol.
func (w *Writer) login(ev *flow.Event, m *wire.Login) error {
	app := m.Service
	if app == "http" && ev.Record.App == "http2" {
		app = ev.Record.App
	}
	w.begin(m.Service, app, &ev.Record, ev.Time)
	w.line.Login = &loginBody{
		User: m.User, Mechanism: m.Mechanism, Outcome: m.Outcome.String(),
		Inferred: m.Inferred, Clear: m.Clear, Default: m.Default,
	}
	return w.put()
}
