package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// industrialBodies are the objects of industrial protocols.
type industrialBodies struct {
	Modbus *modbusBody `json:"modbus,omitempty"`
	COTP   *cotpBody   `json:"cotp,omitempty"`
	S7     *s7Body     `json:"s7comm,omitempty"`
	S7Plus *s7PlusBody `json:"s7comm_plus,omitempty"`
	MMS    *mmsBody    `json:"mms,omitempty"`
	ENIP   *enipBody   `json:"enip,omitempty"`
	DNP3   *dnp3Body   `json:"dnp3,omitempty"`
	IEC104 *iec104Body `json:"iec104,omitempty"`
	BACnet *bacnetBody `json:"bacnet,omitempty"`
	OPCUA  *opcuaBody  `json:"opcua,omitempty"`
	DCP    *dcpBody    `json:"profinet_dcp,omitempty"`
	GOOSE  *gooseBody  `json:"goose,omitempty"`
	telegramBodies
}

// industrial writes one message of an industrial protocol.
func (w *Writer) industrial(ev *flow.Event, m wire.Message) error {
	switch m := m.(type) {
	case *wire.Modbus:
		return w.modbus(ev, m)
	case *wire.COTP:
		return w.cotp(ev, m)
	case *wire.S7:
		return w.s7(ev, m)
	case *wire.S7Plus:
		return w.s7Plus(ev, m)
	case *wire.MMS:
		return w.mms(ev, m)
	case *wire.ENIP:
		return w.enip(ev, m)
	case *wire.DNP3:
		return w.dnp3(ev, m)
	case *wire.IEC104:
		return w.iec104(ev, m)
	case *wire.BACnet:
		return w.bacnet(ev, m)
	case *wire.OPCUA:
		return w.opcua(ev, m)
	case *wire.DCP:
		return w.dcp(ev, m)
	case *wire.GOOSE:
		return w.goose(ev, m)
	case *wire.Telegram:
		return w.telegram(ev, m)
	default:
		if known, err := w.discovery(ev, m); known {
			return err
		}
		return w.service(ev, m)
	}
}
