package eve

import (
	"net/netip"
	"strconv"

	"gatehouse/flow"
	"gatehouse/wire"
)

// radiusBody is ours: Suricata does not read RADIUS.
type radiusBody struct {
	Code       string     `json:"code"`
	ID         uint8      `json:"id"`
	User       string     `json:"user,omitempty"`
	Method     string     `json:"method,omitempty"`
	NAS        string     `json:"nas_identifier,omitempty"`
	NASAddr    netip.Addr `json:"nas_ip,omitzero"`
	Calling    string     `json:"calling_station,omitempty"`
	Called     string     `json:"called_station,omitempty"`
	Framed     netip.Addr `json:"framed_ip,omitzero"`
	Accounting string     `json:"accounting,omitempty"`
	Session    string     `json:"session,omitempty"`
}

func (w *Writer) radius(ev *flow.Event, m *wire.Radius) error {
	body := &radiusBody{
		Code: m.CodeName(), ID: m.ID, User: m.User, Method: m.Method, NAS: m.NAS, NASAddr: m.NASAddr, Calling: m.Calling,
		Called: m.Called, Framed: m.Framed, Accounting: m.AccountingName(), Session: m.Session,
	}
	if body.Accounting == "" && m.Accounting != 0 {
		body.Accounting = strconv.Itoa(int(m.Accounting))
	}
	w.begin("radius", "radius", &ev.Record, ev.Time)
	w.line.Radius = body
	return w.put()
}
