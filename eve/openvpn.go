package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// openVPNBody is the packet that opens a session. Suricata does not read
// OpenVPN.
type openVPNBody struct {
	From     string `json:"from"`
	Version  uint8  `json:"version"`
	Session  string `json:"session_id"`
	Wrapping string `json:"wrapping"`
}

func (w *Writer) openVPN(ev *flow.Event, m *wire.OpenVPN) error {
	w.begin("openvpn", "openvpn", &ev.Record, ev.Time)
	w.line.OpenVPN = &openVPNBody{sideName(m.From), m.Version, m.Session, m.Wrapping}
	return w.put()
}
