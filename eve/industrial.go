package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// industrialBodies are the objects of industrial protocols.
type industrialBodies struct {
	Modbus *modbusBody `json:"modbus,omitempty"`
}

// industrial writes one message of an industrial protocol.
func (w *Writer) industrial(ev *flow.Event, m wire.Message) error {
	switch m := m.(type) {
	case *wire.Modbus:
		return w.modbus(ev, m)
	default:
		return w.service(ev, m)
	}
}
