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
	Function    string           `json:"function_code"`
	Access      string           `json:"access_type"`
	Name        string           `json:"function,omitempty"` // in the words of the specification
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
	Data     *uint16  `json:"data,omitempty"` // of a single coil or register, as sent
	AndMask  *uint16  `json:"and_mask,omitempty"`
	OrMask   *uint16  `json:"or_mask,omitempty"`
}

type modbusIdentity struct {
	ID    uint8  `json:"id"`
	Value string `json:"value"`
}

// modbus writes one message.
func (w *Writer) modbus(ev *flow.Event, m *wire.Modbus) error {
	const refused = 0x80
	half := &modbusMessage{
		Transaction: m.Transaction, Unit: m.Unit,
		FunctionRaw: m.Function, Name: m.FunctionName(), Class: m.Class().String(),
		Read: modbusRead(m), Write: modbusWrite(m), Truncated: m.Truncated,
	}
	half.Function, half.Access = modbusFunctionCode(m.Function)
	if m.Exception != 0 {
		half.FunctionRaw |= refused
		half.Exception = &modbusCode{uint16(m.Exception), modbusExceptionCode(m.Exception)}
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
	switch m.Function {
	case diagnostics:
		half.Diagnostic = &modbusCode{m.Sub, modbusDiagnosticCode(m.Sub)}
	case mei:
		half.MEI = &modbusCode{m.Sub, modbusInterfaceCode(m.Sub)}
	case umas:
		half.UMAS = &modbusCode{m.Sub, m.FunctionName()}
	}
}

func modbusRead(m *wire.Modbus) *modbusAccess {
	if m.Read.Quantity == 0 {
		return nil
	}
	return &modbusAccess{Address: m.Read.Address, Quantity: m.Read.Quantity}
}

func modbusWrite(m *wire.Modbus) *modbusAccess {
	const writeCoil, writeRegister, maskWrite, coilOn = 5, 6, 22, 0xff00
	if m.Write.Quantity == 0 {
		return nil
	}
	a := &modbusAccess{Address: m.Write.Address, Quantity: m.Write.Quantity, Values: m.Values}
	switch {
	case len(m.Values) == 0:
	case m.Function == writeCoil:
		a.Data = new(m.Values[0] * coilOn)
	case m.Function == writeRegister:
		a.Data = new(m.Values[0])
	case m.Function == maskWrite && len(m.Values) == 2:
		a.AndMask, a.OrMask, a.Values = new(m.Values[0]), new(m.Values[1]), nil
	}
	return a
}
