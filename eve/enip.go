package eve

import (
	"strconv"

	"gatehouse/flow"
	"gatehouse/wire"
)

// enipBody is Suricata's enip object with one of its two halves.
type enipBody struct {
	Request  *enipMessage `json:"request,omitempty"`
	Response *enipMessage `json:"response,omitempty"`
}

type enipMessage struct {
	Command   string        `json:"command"`
	Status    string        `json:"status"`
	Session   uint32        `json:"session"`
	CIP       []cipBody     `json:"cip,omitempty"`
	Identity  *enipIdentity `json:"identity,omitempty"`
	Truncated bool          `json:"truncated,omitempty"`
}

type cipBody struct {
	Service    string  `json:"service"`
	ServiceRaw uint8   `json:"service_raw"`
	Action     string  `json:"class"` // read, write, control or other
	Status     *uint8  `json:"status,omitempty"`
	Class      *uint32 `json:"class_id,omitempty"`
	Instance   *uint32 `json:"instance_id,omitempty"`
	Attribute  *uint32 `json:"attribute_id,omitempty"`
	Symbol     string  `json:"symbol,omitempty"`
	PCCC       string  `json:"pccc,omitempty"` // hex
}

type enipIdentity struct {
	Vendor   uint16 `json:"vendor_id"`
	Type     uint16 `json:"device_type"`
	Product  uint16 `json:"product_code"`
	Revision string `json:"revision"`
	Serial   uint32 `json:"serial"`
	Name     string `json:"product_name"`
}

// enip writes one message.
func (w *Writer) enip(ev *flow.Event, m *wire.ENIP) error {
	half := &enipMessage{
		Command: nameOr(wire.ENIPCommandName(m.Command), uint64(m.Command)), Status: enipStatusName(m.Status),
		Session: m.Session, Truncated: m.Truncated,
	}
	for i := range m.CIP {
		half.CIP = append(half.CIP, cipOf(&m.CIP[i]))
	}
	if id := m.Identity; id != nil {
		half.Identity = &enipIdentity{
			Vendor: id.Vendor, Type: id.Type, Product: id.Product, Serial: id.Serial, Name: id.Name,
			Revision: strconv.Itoa(int(id.Major)) + "." + strconv.Itoa(int(id.Minor)),
		}
	}
	w.begin("enip", "enip", &ev.Record, ev.Time)
	if m.Response {
		w.line.ENIP = &enipBody{Response: half}
	} else {
		w.line.ENIP = &enipBody{Request: half}
	}
	return w.put()
}

func cipOf(r *wire.CIP) cipBody {
	c := cipBody{
		Service: nameOr(r.ServiceName(), uint64(r.Service)), ServiceRaw: r.Service,
		Action: r.ServiceClass().String(), Symbol: r.Symbol,
	}
	if r.Response {
		c.Status = &r.Status
	}
	if r.HasClass {
		c.Class = &r.Class
	}
	if r.HasInstance {
		c.Instance = &r.Instance
	}
	if r.HasAttribute {
		c.Attribute = &r.Attribute
	}
	if r.PCCC != 0 {
		c.PCCC = hexByte(uint8(r.PCCC)) + hexByte(uint8(r.PCCC>>8))
	}
	return c
}

// nameOr is a name, or a number that has none, as Suricata writes it.
func nameOr(name string, number uint64) string {
	if name != "" {
		return name
	}
	return "unknown-" + strconv.FormatUint(number, 10)
}

// enipStatusName names the status of the encapsulation layer.
func enipStatusName(s uint32) string {
	switch s {
	case 0:
		return "Success"
	case 1:
		return "InvalidCmd"
	case 2:
		return "NoResources"
	case 3:
		return "IncorrectData"
	case 0x64:
		return "InvalidSession"
	case 0x65:
		return "InvalidLength"
	case 0x69:
		return "UnsupportedProtRev"
	default:
		return nameOr("", uint64(s))
	}
}
