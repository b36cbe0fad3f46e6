package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// wireGuardBody is a message of a handshake. Suricata does not read WireGuard.
type wireGuardBody struct {
	From     string `json:"from"`
	Type     string `json:"type"`
	Sender   uint32 `json:"sender,omitempty"`
	Receiver uint32 `json:"receiver,omitempty"`
}

func (w *Writer) wireGuard(ev *flow.Event, m *wire.WireGuard) error {
	w.begin("wireguard", "wireguard", &ev.Record, ev.Time)
	w.line.WireGuard = &wireGuardBody{sideName(m.From), m.Kind, m.Sender, m.Receiver}
	return w.put()
}
