package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// opcuaBody is ours: Suricata does not have the protocol.
type opcuaBody struct {
	Kind      string `json:"message"`
	Type      string `json:"type"` // request or response
	Channel   uint32 `json:"channel,omitempty"`
	Request   uint32 `json:"request_id,omitempty"`
	Endpoint  string `json:"endpoint,omitempty"`
	Policy    string `json:"security_policy,omitempty"`
	Mode      string `json:"security_mode,omitempty"`
	Service   string `json:"service,omitempty"`
	Raw       uint32 `json:"service_id,omitempty"`
	Class     string `json:"class,omitempty"`
	Status    string `json:"status,omitempty"` // hex
	Truncated bool   `json:"truncated,omitempty"`
}

// opcua writes one message.
func (w *Writer) opcua(ev *flow.Event, m *wire.OPCUA) error {
	body := &opcuaBody{
		Kind: m.Kind, Type: requestOr(m.Response), Channel: m.Channel, Request: m.Request, Endpoint: m.Endpoint,
		Policy: m.Policy, Service: m.ServiceName(), Raw: m.Service, Truncated: m.Truncated,
	}
	if body.Service != "" {
		body.Class = m.Class().String()
	}
	if m.Mode < 4 {
		body.Mode = [...]string{"", "none", "sign", "sign_and_encrypt"}[m.Mode]
	}
	if m.Status != 0 {
		body.Status = hexByte(uint8(m.Status>>24)) + hexByte(uint8(m.Status>>16)) + hexByte(uint8(m.Status>>8)) + hexByte(uint8(m.Status))
	}
	w.begin("opcua", "opcua", &ev.Record, ev.Time)
	w.line.OPCUA = body
	return w.put()
}
