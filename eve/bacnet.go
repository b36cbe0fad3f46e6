package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// bacnetBody is ours: Suricata does not have the protocol.
type bacnetBody struct {
	BVLC        string        `json:"bvlc"`
	Destination uint16        `json:"destination_network,omitempty"`
	Source      uint16        `json:"source_network,omitempty"`
	Network     *uint16       `json:"network_message,omitempty"`
	PDU         string        `json:"pdu,omitempty"`
	Invoke      *uint8        `json:"invoke_id,omitempty"`
	Service     string        `json:"service,omitempty"`
	Class       string        `json:"class,omitempty"`
	Reason      *uint8        `json:"reason,omitempty"`
	ErrorClass  *uint16       `json:"error_class,omitempty"`
	ErrorCode   *uint16       `json:"error_code,omitempty"`
	Object      *bacnetObject `json:"object,omitempty"`
	Property    *uint32       `json:"property,omitempty"`
	Vendor      *uint16       `json:"vendor_id,omitempty"`
	Truncated   bool          `json:"truncated,omitempty"`
}

type bacnetObject struct {
	Type     uint32 `json:"type"`
	Instance uint32 `json:"instance"`
}

// bacnet writes one message.
func (w *Writer) bacnet(ev *flow.Event, m *wire.BACnet) error {
	const iAm = 0
	body := &bacnetBody{
		BVLC: nameOr(m.BVLCName(), uint64(m.BVLC)), Destination: m.Destination, Source: m.Source,
		PDU: bacnetPDUName(m.PDU), Truncated: m.Truncated,
	}
	if m.Network != 0 {
		kind := m.Network - 1
		body.Network = &kind
	}
	switch m.PDU {
	case 0:
	case wire.BACnetReject, wire.BACnetAbort:
		body.Invoke, body.Reason = &m.Invoke, &m.Reason
	case wire.BACnetSegmentAck:
		body.Invoke = &m.Invoke
	default:
		body.Service, body.Class = nameOr(m.ServiceName(), uint64(m.Service)), m.Class().String()
		if m.PDU != wire.BACnetUnconfirmed {
			body.Invoke = &m.Invoke
		}
	}
	if m.HasError {
		body.ErrorClass, body.ErrorCode = &m.ErrorClass, &m.ErrorCode
	}
	if m.HasObject {
		const instanceBits = 22
		body.Object = &bacnetObject{m.Object >> instanceBits, m.Object & (1<<instanceBits - 1)}
		if m.HasProperty {
			body.Property = &m.Property
		} else if m.PDU == wire.BACnetUnconfirmed && m.Service == iAm && (m.Vendor != 0 || !m.Truncated) {
			body.Vendor = &m.Vendor
		}
	}
	w.begin("bacnet", "bacnet", &ev.Record, ev.Time)
	w.line.BACnet = body
	return w.put()
}

func bacnetPDUName(pdu uint8) string {
	names := [...]string{
		wire.BACnetConfirmed: "confirmed-request", wire.BACnetUnconfirmed: "unconfirmed-request",
		wire.BACnetSimpleAck: "simple-ack", wire.BACnetComplexAck: "complex-ack", wire.BACnetSegmentAck: "segment-ack",
		wire.BACnetError: "error", wire.BACnetReject: "reject", wire.BACnetAbort: "abort",
	}
	if int(pdu) < len(names) {
		return names[pdu]
	}
	return ""
}
