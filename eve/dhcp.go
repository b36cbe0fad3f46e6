package eve

import (
	"net"
	"net/netip"
	"time"

	"gatehouse/flow"
	"gatehouse/wire"
)

// dhcpBody is Suricata's dhcp object, in its extended form.
type dhcpBody struct {
	Type        string       `json:"type"` // request or reply
	ID          uint32       `json:"id"`
	ClientMAC   string       `json:"client_mac"`
	AssignedIP  netip.Addr   `json:"assigned_ip"`
	ClientIP    netip.Addr   `json:"client_ip"`
	DHCPType    string       `json:"dhcp_type,omitempty"`
	NextIP      netip.Addr   `json:"next_server_ip,omitzero"` // of a reply
	RelayIP     netip.Addr   `json:"relay_ip,omitzero"`       // of a reply
	IDType      *uint8       `json:"client_id_type,omitempty"`
	ClientID    string       `json:"client_id,omitempty"` // hex
	Hostname    string       `json:"hostname,omitempty"`
	Domain      string       `json:"domain,omitempty"`
	RequestedIP netip.Addr   `json:"requested_ip,omitzero"`
	ServerID    netip.Addr   `json:"server_id,omitzero"`
	LeaseTime   int64        `json:"lease_time,omitempty"` // seconds, as the next two
	Renewal     int64        `json:"renewal_time,omitempty"`
	Rebinding   int64        `json:"rebinding_time,omitempty"`
	SubnetMask  string       `json:"subnet_mask,omitempty"`
	Routers     []netip.Addr `json:"routers,omitempty"`
	DNSServers  []netip.Addr `json:"dns_servers,omitempty"`
	VendorClass string       `json:"vendor_class_identifier,omitempty"`
	Params      []string     `json:"params,omitempty"`
	Requested   []uint16     `json:"requested_options,omitempty"`
}

// dhcp writes one message, from who sent it to whom.
func (w *Writer) dhcp(ev *flow.Event, m *wire.DHCPv4) error {
	body := dhcpBody{
		Type:        "request",
		ID:          m.XID,
		ClientMAC:   colonHex(m.ClientMAC[:]),
		AssignedIP:  orUnspecified(m.YourIP),
		ClientIP:    orUnspecified(m.ClientIP),
		DHCPType:    dhcpTypeName(m.Type),
		Hostname:    m.Hostname,
		Domain:      m.Domain,
		RequestedIP: m.Requested,
		ServerID:    m.ServerID,
		LeaseTime:   int64(m.Lease / time.Second),
		Renewal:     int64(m.Renewal / time.Second),
		Rebinding:   int64(m.Rebinding / time.Second),
		Routers:     m.Routers,
		DNSServers:  m.DNS,
		VendorClass: m.Vendor,
		Params:      paramNames(m.Params),
		Requested:   paramCodes(m.Params),
	}
	if m.Reply {
		body.Type, body.NextIP, body.RelayIP = "reply", orUnspecified(m.NextIP), orUnspecified(m.RelayIP)
	}
	if len(m.ClientID) > 0 {
		body.IDType, body.ClientID = new(m.ClientID[0]), colonHex(m.ClientID[1:])
	}
	if m.Mask >= 0 {
		body.SubnetMask = net.IP(net.CIDRMask(m.Mask, 32)).String()
	}
	w.begin("dhcp", "dhcp", &ev.Record, ev.Time)
	if sentByServer(&ev.Record, m.Reply) {
		w.line.reverse()
	}
	w.line.DHCP = &body
	return w.put()
}

// sentByServer says whether the server end of a flow sent a message: a reply
// leaves from port 67, a request from port 68 (RFC 2131 section 4.1). Between
// a relay and a server, both on 67, the client end is the relay.
func sentByServer(r *flow.Record, reply bool) bool {
	const serverPort, clientPort = 67, 68
	if r.Client.Port == r.Server.Port {
		return reply && r.Client.Port == serverPort && r.Packets[1] > 0
	}
	if reply {
		return r.Client.Port == clientPort
	}
	return r.Client.Port == serverPort && r.Server.Port == clientPort
}

func orUnspecified(a netip.Addr) netip.Addr {
	if !a.IsValid() {
		return netip.IPv4Unspecified()
	}
	return a
}

// dhcpTypeName returns the name of a message type (RFC 2132 section 9.6), ""
// for plain BOOTP.
func dhcpTypeName(t uint8) string {
	names := [...]string{
		1: "discover", 2: "offer", 3: "request", 4: "decline",
		5: "ack", 6: "nak", 7: "release", 8: "inform",
	}
	switch {
	case t == 0:
		return ""
	case int(t) < len(names):
		return names[t]
	default:
		return "unknown"
	}
}

// paramNames lists those options that a client asks for which Suricata names.
func paramNames(codes []uint8) []string {
	var out []string
	for _, c := range codes {
		if name := paramName(c); name != "" {
			out = append(out, name)
		}
	}
	return out
}

func paramName(code uint8) string {
	switch code {
	case 1:
		return "subnet_mask"
	case 3:
		return "router"
	case 6:
		return "dns_server"
	case 15:
		return "domain"
	case 35:
		return "arp_timeout"
	case 42:
		return "ntp_server"
	case 66:
		return "tftp_server_name"
	case 150:
		return "tftp_server_ip"
	}
	return ""
}

// paramCodes lists all options that a client asks for, in its order, which is a
// fingerprint.
func paramCodes(codes []uint8) []uint16 {
	var out []uint16
	for _, c := range codes {
		out = append(out, uint16(c))
	}
	return out
}
