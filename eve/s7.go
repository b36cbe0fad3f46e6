package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// cotpBody names the ends of an ISO transport connection. Suricata has none of
// the protocols of this file.
type cotpBody struct {
	Calling   string `json:"calling_tsap,omitempty"`
	Called    string `json:"called_tsap,omitempty"`
	Confirmed bool   `json:"confirmed"`
}

type s7Body struct {
	Type      string   `json:"type"` // request or response
	Kind      string   `json:"kind"`
	Ref       uint16   `json:"reference"`
	Function  uint8    `json:"function_raw,omitempty"`
	Group     *uint8   `json:"group,omitempty"`
	Sub       *uint8   `json:"subfunction,omitempty"`
	Name      string   `json:"function,omitempty"`
	Class     string   `json:"class"`
	Items     []s7Item `json:"items,omitempty"`
	Service   string   `json:"service,omitempty"`
	Block     string   `json:"block,omitempty"`
	Error     uint16   `json:"error,omitempty"`
	Calling   string   `json:"calling_tsap,omitempty"`
	Called    string   `json:"called_tsap,omitempty"`
	Truncated bool     `json:"truncated,omitempty"`
}

type s7Item struct {
	Area    uint8  `json:"area"`
	DB      uint16 `json:"db"`
	Type    uint8  `json:"type"`
	Count   uint16 `json:"count"`
	Address uint32 `json:"address"` // in bits
}

type s7PlusBody struct {
	Type      string `json:"type"` // request, response or notification
	Version   uint8  `json:"version"`
	Function  uint16 `json:"function_raw,omitempty"`
	Name      string `json:"function,omitempty"`
	Class     string `json:"class"`
	Sequence  uint16 `json:"sequence,omitempty"`
	Calling   string `json:"calling_tsap,omitempty"`
	Called    string `json:"called_tsap,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
}

type mmsBody struct {
	PDU       string  `json:"pdu"`
	Invoke    *uint32 `json:"invoke_id,omitempty"`
	Service   string  `json:"service,omitempty"`
	Raw       *int    `json:"service_raw,omitempty"`
	Class     string  `json:"class"`
	Domain    string  `json:"domain,omitempty"`
	Item      string  `json:"item,omitempty"`
	Error     bool    `json:"error,omitempty"`
	Calling   string  `json:"calling_tsap,omitempty"`
	Called    string  `json:"called_tsap,omitempty"`
	Truncated bool    `json:"truncated,omitempty"`
}

func (w *Writer) cotp(ev *flow.Event, m *wire.COTP) error {
	w.begin("cotp", "cotp", &ev.Record, ev.Time)
	w.line.COTP = &cotpBody{Calling: m.Calling, Called: m.Called, Confirmed: m.Confirmed}
	return w.put()
}

func (w *Writer) s7(ev *flow.Event, m *wire.S7) error {
	body := &s7Body{
		Type: requestOr(m.Response), Kind: s7KindName(m.Kind), Ref: m.Ref, Function: m.Function, Name: m.FunctionName(),
		Class: m.Class().String(), Service: m.Service, Block: m.Block, Error: m.Error,
		Calling: m.Calling, Called: m.Called, Truncated: m.Truncated,
	}
	if m.Kind == wire.S7Userdata {
		body.Group, body.Sub = &m.Group, &m.Sub
	}
	for _, i := range m.Items {
		body.Items = append(body.Items, s7Item(i))
	}
	w.begin("s7comm", "s7comm", &ev.Record, ev.Time)
	w.line.S7 = body
	return w.put()
}

func s7KindName(k wire.S7Kind) string {
	switch k {
	case wire.S7Job:
		return "job"
	case wire.S7Ack:
		return "ack"
	case wire.S7AckData:
		return "ack_data"
	default:
		return "userdata"
	}
}

// requestOr names the two kinds of message that most protocols have.
func requestOr(response bool) string {
	if response {
		return "response"
	}
	return "request"
}

func (w *Writer) s7Plus(ev *flow.Event, m *wire.S7Plus) error {
	kind := requestOr(m.Response())
	if m.Opcode == 0x33 {
		kind = "notification"
	}
	w.begin("s7comm_plus", "s7comm_plus", &ev.Record, ev.Time)
	w.line.S7Plus = &s7PlusBody{
		Type: kind, Version: m.Version, Function: m.Function, Name: m.FunctionName(), Class: m.Class().String(),
		Sequence: m.Sequence, Calling: m.Calling, Called: m.Called, Truncated: m.Truncated,
	}
	return w.put()
}

func (w *Writer) mms(ev *flow.Event, m *wire.MMS) error {
	w.begin("mms", "mms", &ev.Record, ev.Time)
	w.line.MMS = &mmsBody{
		PDU: m.TypeName(), Service: m.ServiceName(), Class: m.Class().String(),
		Domain: m.Domain, Item: m.Item, Error: m.Error, Calling: m.Calling, Called: m.Called, Truncated: m.Truncated,
	}
	if m.HasInvoke() {
		w.line.MMS.Invoke = &m.Invoke
	}
	if m.Service >= 0 {
		w.line.MMS.Raw = &m.Service
	}
	return w.put()
}
