package eve

import (
	"net/netip"

	"gatehouse/flow"
	"gatehouse/wire"
)

// dcpBody is ours, and so is gooseBody: Suricata looks at nothing above
// Ethernet but IP and ARP.
type dcpBody struct {
	Type      string     `json:"type"` // request or response
	Service   string     `json:"service"`
	Class     string     `json:"class"`
	OK        *bool      `json:"ok,omitempty"`
	XID       uint32     `json:"xid"`
	Station   string     `json:"station,omitempty"`
	Vendor    string     `json:"vendor,omitempty"`
	VendorID  uint16     `json:"vendor_id,omitempty"`
	DeviceID  uint16     `json:"device_id,omitempty"`
	Role      uint8      `json:"role,omitempty"`
	Addr      netip.Addr `json:"ip,omitzero"`
	Mask      netip.Addr `json:"mask,omitzero"`
	Gateway   netip.Addr `json:"gateway,omitzero"`
	Control   string     `json:"control,omitempty"`
	Truncated bool       `json:"truncated,omitempty"`
}

type gooseBody struct {
	AppID      uint16 `json:"app_id"`
	Control    string `json:"control_block,omitempty"`
	DataSet    string `json:"data_set,omitempty"`
	ID         string `json:"go_id,omitempty"`
	TTL        uint32 `json:"time_allowed_to_live"` // milliseconds
	State      uint32 `json:"st_num"`
	Sequence   uint32 `json:"sq_num"`
	Config     uint32 `json:"conf_rev"`
	Simulation bool   `json:"simulation,omitempty"`
	Entries    uint32 `json:"entries"`
	Truncated  bool   `json:"truncated,omitempty"`
}

// dcp writes one message.
func (w *Writer) dcp(ev *flow.Event, m *wire.DCP) error {
	body := &dcpBody{
		Type: requestOr(m.Response), Service: m.ServiceName(), Class: m.Class().String(), XID: m.XID,
		Station: m.Station, Vendor: m.Vendor, VendorID: m.VendorID, DeviceID: m.DeviceID, Role: m.Role,
		Addr: m.Addr, Mask: m.Mask, Gateway: m.Gateway, Control: dcpControlName(m.Control), Truncated: m.Truncated,
	}
	if m.Response {
		body.OK = &m.OK
	}
	w.begin("profinet_dcp", "", &ev.Record, ev.Time)
	w.line.DCP = body
	return w.put()
}

func dcpControlName(control uint8) string {
	switch control {
	case 1:
		return "start"
	case 2:
		return "end"
	case 3:
		return "signal"
	case 5:
		return "factory_reset"
	case 6:
		return "reset_to_factory"
	default:
		return ""
	}
}

// goose writes one message.
func (w *Writer) goose(ev *flow.Event, m *wire.GOOSE) error {
	w.begin("goose", "", &ev.Record, ev.Time)
	w.line.GOOSE = &gooseBody{
		AppID: m.AppID, Control: m.Control, DataSet: m.DataSet, ID: m.ID, TTL: m.TTL, State: m.State,
		Sequence: m.Sequence, Config: m.Config, Simulation: m.Simulation, Entries: m.Entries, Truncated: m.Truncated,
	}
	return w.put()
}
