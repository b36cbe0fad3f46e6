package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// telnetBody is ours: Suricata does not log Telnet.
type telnetBody struct {
	Options []int `json:"options,omitempty"` // numbers of the IANA's registry
}

func (w *Writer) telnet(ev *flow.Event, m *wire.Telnet) error {
	var body telnetBody
	for _, o := range m.Options {
		body.Options = append(body.Options, int(o))
	}
	w.begin("telnet", "telnet", &ev.Record, ev.Time)
	w.line.Telnet = &body
	return w.put()
}
