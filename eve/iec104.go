package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// iec104Body is ours: Suricata does not have the protocol.
type iec104Body struct {
	Control   string  `json:"control,omitempty"` // of a frame without a data unit
	Type      *uint8  `json:"type_id,omitempty"`
	TypeName  string  `json:"type,omitempty"`
	Class     string  `json:"class,omitempty"`
	Cause     *uint8  `json:"cause,omitempty"`
	CauseName string  `json:"cause_name,omitempty"`
	Negative  bool    `json:"negative,omitempty"`
	Test      bool    `json:"test,omitempty"`
	Origin    *uint8  `json:"originator,omitempty"`
	Station   *uint16 `json:"common_address,omitempty"`
	Address   *uint32 `json:"object_address,omitempty"`
	Count     uint8   `json:"objects,omitempty"`
	Truncated bool    `json:"truncated,omitempty"`
}

// iec104 writes one data unit, or the start or stop of data transfer.
func (w *Writer) iec104(ev *flow.Event, m *wire.IEC104) error {
	body := &iec104Body{Control: m.ControlName(), Truncated: m.Truncated}
	if m.Control == 0 {
		body.Type, body.TypeName, body.Class = &m.Type, m.TypeName(), m.Class().String()
		body.Cause, body.CauseName = &m.Cause, iec104CauseName(m.Cause)
		body.Negative, body.Test, body.Origin = m.Negative, m.Test, &m.Origin
		body.Station, body.Count = &m.Station, m.Count
		if m.Count > 0 {
			body.Address = &m.Address
		}
	}
	w.begin("iec104", "iec104", &ev.Record, ev.Time)
	w.line.IEC104 = body
	return w.put()
}

// iec104CauseName abbreviates a cause of transmission as IEC 60870-5-101 does
// (clause 7.2.3), "" if it is not assigned.
func iec104CauseName(cause uint8) string {
	names := [...]string{
		1: "per/cyc", 2: "back", 3: "spont", 4: "init", 5: "req", 6: "act", 7: "actcon", 8: "deact", 9: "deactcon",
		10: "actterm", 11: "retrem", 12: "retloc", 13: "file", 20: "inrogen", 37: "reqcogen",
		44: "unknown type", 45: "unknown cause", 46: "unknown station", 47: "unknown object",
	}
	if int(cause) < len(names) {
		return names[cause]
	}
	return ""
}
