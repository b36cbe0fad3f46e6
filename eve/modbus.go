package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// modbusBody is Suricata's modbus object with one of its two halves.
type modbusBody struct {
	Request  *modbusMessage `json:"request,omitempty"`
	Response *modbusMessage `json:"response,omitempty"`
}

type modbusMessage struct {
	Transaction uint16           `json:"transaction_id"`
	Unit        uint8            `json:"unit_id"`
	FunctionRaw uint8            `json:"function_raw"`
	Function    string           `json:"function_code,omitempty"`
	Class       string           `json:"class"`
	Exception   *modbusCode      `json:"exception,omitempty"`
	Diagnostic  *modbusCode      `json:"diagnostic,omitempty"`
	MEI         *modbusCode      `json:"mei,omitempty"`
	UMAS        *modbusCode      `json:"umas,omitempty"`
	Read        *modbusAccess    `json:"read,omitempty"`
	Write       *modbusAccess    `json:"write,omitempty"`
	Device      []modbusIdentity `json:"device,omitempty"`
	Truncated   bool             `json:"truncated,omitempty"`
}

type modbusCode struct {
	Raw  uint16 `json:"raw"`
	Code string `json:"code,omitempty"`
}

type modbusAccess struct {
	Address  uint16   `json:"address"`
	Quantity uint16   `json:"quantity"`
	Values   []uint16 `json:"values,omitempty"`
}

type modbusIdentity struct {
	ID    uint8  `json:"id"`
	Value string `json:"value"`
}

// modbus writes one message.
func (w *Writer) modbus(ev *flow.Event, m *wire.Modbus) error {
	half := &modbusMessage{
		Transaction: m.Transaction, Unit: m.Unit,
		FunctionRaw: m.Function, Function: m.FunctionName(), Class: m.Class().String(),
		Read: modbusAccessOf(m.Read, nil), Write: modbusAccessOf(m.Write, m.Values), Truncated: m.Truncated,
	}
	if m.Exception != 0 {
		half.Exception = &modbusCode{uint16(m.Exception), wire.ModbusExceptionName(m.Exception)}
	} else {
		half.sub(m)
	}
	for _, o := range m.Objects {
		half.Device = append(half.Device, modbusIdentity(o))
	}
	w.begin("modbus", "modbus", &ev.Record, ev.Time)
	if m.Response {
		w.line.Modbus = &modbusBody{Response: half}
	} else {
		w.line.Modbus = &modbusBody{Request: half}
	}
	return w.put()
}

// sub fills in the sub-function of the functions that have some.
func (half *modbusMessage) sub(m *wire.Modbus) {
	const diagnostics, mei, umas = 8, 43, 90
	code := &modbusCode{Raw: m.Sub, Code: m.FunctionName()}
	switch m.Function {
	case diagnostics:
		half.Diagnostic = code
	case mei:
		half.MEI = code
	case umas:
		half.UMAS = code
	}
}

func modbusAccessOf(r wire.ModbusRange, values []uint16) *modbusAccess {
	if r.Quantity == 0 {
		return nil
	}
	return &modbusAccess{Address: r.Address, Quantity: r.Quantity, Values: values}
}
