package eve

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"

	"gatehouse/flow"
)

// record is one line: what all events have in common, and one of the objects.
type record struct {
	Timestamp   string     `json:"timestamp"`
	FlowID      uint64     `json:"flow_id,omitempty"`
	Iface       string     `json:"in_iface,omitempty"`
	EventType   string     `json:"event_type"`
	VLAN        []uint16   `json:"vlan,omitempty"`
	InTunnel    bool       `json:"in_tunnel,omitempty"`
	SrcIP       netip.Addr `json:"src_ip,omitzero"`
	SrcPort     *uint16    `json:"src_port,omitempty"`
	DestIP      netip.Addr `json:"dest_ip,omitzero"`
	DestPort    *uint16    `json:"dest_port,omitempty"`
	Proto       string     `json:"proto,omitempty"`
	IPVersion   int        `json:"ip_v,omitempty"`
	ICMPType    *uint8     `json:"icmp_type,omitempty"`
	ICMPCode    *uint8     `json:"icmp_code,omitempty"`
	AppProto    string     `json:"app_proto,omitempty"`
	AppOrig     string     `json:"app_proto_orig,omitempty"`     // before an agreed change
	Expected    string     `json:"app_proto_expected,omitempty"` // by the server's port, which the content contradicts
	CommunityID string     `json:"community_id,omitempty"`
	Ether       *ether     `json:"ether,omitempty"`

	DNS  *dnsBody  `json:"dns,omitempty"`
	TLS  *tlsBody  `json:"tls,omitempty"`
	HTTP *httpBody `json:"http,omitempty"`
	DHCP *dhcpBody `json:"dhcp,omitempty"`
	ARP  *arpBody  `json:"arp,omitempty"`
	secureBodies
	serviceBodies
	industrialBodies
	discoveryBodies
	Flow *flowBody `json:"flow,omitempty"`
	TCP  *tcpBody  `json:"tcp,omitempty"`
}

// ether holds hardware addresses. Suricata lists those of a flow, of which it
// may have seen several, and names those of a packet.
type ether struct {
	SrcMAC   string   `json:"src_mac,omitempty"`
	DestMAC  string   `json:"dest_mac,omitempty"`
	SrcMACs  []string `json:"src_macs,omitempty"`
	DestMACs []string `json:"dest_macs,omitempty"`
}

// IP protocol numbers.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

// begin starts a line about a flow: from its client to its server.
func (w *Writer) begin(eventType, app string, r *flow.Record, at int64) {
	w.line = record{
		Timestamp: timestamp(at),
		// A number that JavaScript and every JSON reader holds exactly.
		FlowID:    r.ID >> (64 - 53),
		EventType: eventType,
		InTunnel:  r.Tunnel,
		AppProto:  app,
	}
	if w.iface != nil {
		w.line.Iface = w.iface(r.Iface)
	}
	if r.VLAN != 0 {
		w.line.VLAN = []uint16{r.VLAN}
	}
	if r.Client.Addr.IsValid() {
		w.addresses(r)
	}
	w.line.Ether = packetEther(r)
}

// addresses fills the five-tuple. What points into r is written before r
// changes.
func (w *Writer) addresses(r *flow.Record) {
	l := &w.line
	l.SrcIP, l.DestIP = r.Client.Addr, r.Server.Addr
	l.Proto = protoName(r.Proto)
	l.IPVersion = 6
	if r.Client.Addr.Is4() {
		l.IPVersion = 4
	}
	switch r.Proto {
	case protoTCP, protoUDP, protoSCTP:
		l.SrcPort, l.DestPort = &r.Client.Port, &r.Server.Port
	case protoICMP, protoICMPv6:
		l.ICMPType, l.ICMPCode = &r.ICMPType, &r.ICMPCode
	}
	l.CommunityID = flow.CommunityID(r)
}

// packetEther returns the hardware addresses of both ends, nil if neither is
// known.
func packetEther(r *flow.Record) *ether {
	src, dest := macOrNone(r.Client.MAC), macOrNone(r.Server.MAC)
	if src == "" && dest == "" {
		return nil
	}
	return &ether{SrcMAC: src, DestMAC: dest}
}

// asFlow is the same for a flow event.
func (e *ether) asFlow() *ether {
	if e == nil {
		return nil
	}
	return &ether{SrcMACs: some(e.SrcMAC), DestMACs: some(e.DestMAC)}
}

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// reverse turns a line around, for a message that the server sent and whose
// event is about the packet.
func (l *record) reverse() {
	l.SrcIP, l.DestIP = l.DestIP, l.SrcIP
	l.SrcPort, l.DestPort = l.DestPort, l.SrcPort
	if l.Ether != nil {
		l.Ether.SrcMAC, l.Ether.DestMAC = l.Ether.DestMAC, l.Ether.SrcMAC
	}
}

// timestamp renders nanoseconds since the Unix epoch as Suricata does: ISO
// 8601 with microseconds and a zone without colon, here always UTC.
func timestamp(at int64) string {
	return time.Unix(0, at).UTC().Format("2006-01-02T15:04:05.000000-0700")
}

// protoName spells an IP protocol as Suricata does; the number if it is none
// of those that occur on gateways.
func protoName(proto uint8) string {
	switch proto {
	case protoICMP:
		return "ICMP"
	case 2:
		return "IGMP"
	case protoTCP:
		return "TCP"
	case protoUDP:
		return "UDP"
	case 41:
		return "IPv6"
	case 47:
		return "GRE"
	case 50:
		return "ESP"
	case 51:
		return "AH"
	case protoICMPv6:
		return "IPv6-ICMP"
	case 89:
		return "OSPFIGP"
	case 103:
		return "PIM"
	case 112:
		return "VRRP"
	case protoSCTP:
		return "SCTP"
	default:
		return strconv.Itoa(int(proto))
	}
}

func macOrNone(mac [6]byte) string {
	if mac == ([6]byte{}) {
		return ""
	}
	return colonHex(mac[:])
}

// colonHex renders bytes as Suricata renders addresses and fingerprints:
// "00:1b:21:aa:bb:cc".
func colonHex(b []byte) string {
	out := make([]byte, 0, 3*len(b))
	for i := range b {
		if i > 0 {
			out = append(out, ':')
		}
		out = hex.AppendEncode(out, b[i:i+1])
	}
	return string(out)
}
