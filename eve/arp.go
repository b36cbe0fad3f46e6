package eve

import (
	"net/netip"

	"gatehouse/flow"
	"gatehouse/wire"
)

// arpBody is Suricata's arp object.
type arpBody struct {
	HWType    string     `json:"hw_type"`
	ProtoType string     `json:"proto_type"`
	Opcode    string     `json:"opcode"`
	SrcMAC    string     `json:"src_mac"`
	SrcIP     netip.Addr `json:"src_ip"`
	DestMAC   string     `json:"dest_mac"`
	DestIP    netip.Addr `json:"dest_ip"`
}

// arp writes one message. The addresses of the frame, which are in ether, need
// not be those that the message claims.
func (w *Writer) arp(ev *flow.Event, m *wire.ARP) error {
	w.begin("arp", "", &ev.Record, ev.Time)
	w.line.ARP = &arpBody{
		HWType:    "ethernet",
		ProtoType: "ipv4",
		Opcode:    arpOpcodeName(m.Op),
		SrcMAC:    colonHex(m.SenderMAC[:]),
		SrcIP:     m.SenderIP,
		DestMAC:   colonHex(m.TargetMAC[:]),
		DestIP:    m.TargetIP,
	}
	return w.put()
}

func arpOpcodeName(op uint16) string {
	switch op {
	case 1:
		return "request"
	case 2:
		return "reply"
	case 3:
		return "request_reverse"
	case 4:
		return "reply_reverse"
	default:
		return "unknown"
	}
}
