package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// ikeBody is Suricata's ike object, as far as both versions share it.
type ikeBody struct {
	Major        uint8    `json:"version_major"`
	Minor        uint8    `json:"version_minor"`
	InitiatorSPI string   `json:"init_spi"`
	ResponderSPI string   `json:"resp_spi"`
	MessageID    uint32   `json:"message_id"`
	Exchange     uint8    `json:"exchange_type"`
	Verbose      string   `json:"exchange_type_verbose,omitempty"`
	Payloads     []string `json:"payload,omitempty"`
	Role         string   `json:"role"`

	Encrypted bool `json:"encrypted,omitempty"`
}

func (w *Writer) ike(ev *flow.Event, m *wire.IKE) error {
	body := &ikeBody{
		Major: m.Major, Minor: m.Minor, InitiatorSPI: m.InitiatorSPI, ResponderSPI: m.ResponderSPI,
		MessageID: m.MessageID, Exchange: m.Exchange, Verbose: m.ExchangeName(), Role: "initiator",
		Encrypted: m.Encrypted,
	}
	if m.From == wire.FromServer {
		body.Role = "responder"
	}
	for _, p := range m.Payloads {
		body.Payloads = append(body.Payloads, wire.IKEPayloadName(p))
	}
	w.begin("ike", "ike", &ev.Record, ev.Time)
	w.line.IKE = body
	return w.put()
}
