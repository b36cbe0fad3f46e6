package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// socksBody is ours: Suricata does not read SOCKS.
type socksBody struct {
	Version uint8  `json:"version"`
	Command string `json:"command,omitempty"`
	Host    string `json:"host,omitempty"`
	Port    uint16 `json:"port,omitempty"`
	User    string `json:"user,omitempty"`
	Method  *uint8 `json:"method,omitempty"` // of version 5
	Reply   *uint8 `json:"reply,omitempty"`
	Granted bool   `json:"granted"`
}

func (w *Writer) socks(ev *flow.Event, m *wire.Socks) error {
	body := &socksBody{Version: m.Version, Host: m.Host, Port: m.Port, User: m.User, Granted: m.Granted()}
	if names := [...]string{"", "connect", "bind", "udp_associate"}; int(m.Command) < len(names) {
		body.Command = names[m.Command]
	}
	if m.Version == 5 {
		body.Method = &m.Method
	}
	if m.Answered {
		body.Reply = &m.Reply
	}
	w.begin("socks", "socks", &ev.Record, ev.Time)
	w.line.Socks = body
	return w.put()
}
