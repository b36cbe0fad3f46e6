package eve

import (
	"net/netip"

	"gatehouse/flow"
	"gatehouse/wire"
)

// discoveryBodies are the objects of the protocols by which devices find
// networks and one another. Suricata has none of them.
type discoveryBodies struct {
	Neighbor    *neighborBody   `json:"neighbor,omitempty"` // of lldp and cdp
	EAPOL       *eapolBody      `json:"eapol,omitempty"`
	ICMP        *icmpBody       `json:"icmp,omitempty"`
	NDP         *ndpBody        `json:"ndp,omitempty"`
	Membership  *membershipBody `json:"membership,omitempty"` // of igmp and mld
	DHCPv6      *dhcpv6Body     `json:"dhcpv6,omitempty"`
	NBNS        *nbnsBody       `json:"nbns,omitempty"`
	NBDGM       *nbdgmBody      `json:"nbdgm,omitempty"`
	SSDP        *ssdpBody       `json:"ssdp,omitempty"`
	WSDiscovery *wsdBody        `json:"ws_discovery,omitempty"`
}

type neighborBody struct {
	Chassis      string       `json:"chassis_id,omitempty"`
	Port         string       `json:"port_id,omitempty"`
	PortText     string       `json:"port_description,omitempty"`
	TTL          uint16       `json:"ttl"` // seconds
	Name         string       `json:"system_name,omitempty"`
	Description  string       `json:"system_description,omitempty"`
	Capabilities []string     `json:"capabilities,omitempty"`
	Addrs        []netip.Addr `json:"management,omitempty"`
	Hardware     string       `json:"hardware,omitempty"`
	Firmware     string       `json:"firmware,omitempty"`
	Software     string       `json:"software,omitempty"`
	Serial       string       `json:"serial,omitempty"`
	Manufacturer string       `json:"manufacturer,omitempty"`
	Model        string       `json:"model,omitempty"`
	MUD          string       `json:"mud_url,omitempty"`
	VLAN         uint16       `json:"vlan,omitempty"`
	Truncated    bool         `json:"truncated,omitempty"`
}

type eapolBody struct {
	Type      string `json:"type"`
	Version   uint8  `json:"version"`
	Code      string `json:"code,omitempty"`
	Method    uint8  `json:"method,omitempty"`
	Identity  string `json:"identity,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
}

type ssdpBody struct {
	Type      string `json:"type"` // notify, search or response
	Target    string `json:"target,omitempty"`
	State     string `json:"nts,omitempty"`
	USN       string `json:"usn,omitempty"`
	Server    string `json:"server,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	Location  string `json:"location,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
}

type wsdBody struct {
	Action    string   `json:"action,omitempty"`
	Endpoint  string   `json:"endpoint,omitempty"`
	Types     []string `json:"types,omitempty"`
	Scopes    []string `json:"scopes,omitempty"`
	XAddrs    []string `json:"xaddrs,omitempty"`
	Truncated bool     `json:"truncated,omitempty"`
}

type nbnsBody struct {
	Type      string       `json:"type"` // request or response
	ID        uint16       `json:"id"`
	Operation string       `json:"operation"`
	RCode     uint8        `json:"rcode,omitempty"`
	Name      string       `json:"name"`
	Suffix    string       `json:"suffix"` // hex
	RRType    uint16       `json:"rrtype"`
	Addrs     []netip.Addr `json:"addresses,omitempty"`
	Names     []nbnsName   `json:"names,omitempty"`
	MAC       string       `json:"mac,omitempty"`
	Truncated bool         `json:"truncated,omitempty"`
}

type nbnsName struct {
	Name   string `json:"name"`
	Suffix string `json:"suffix"` // hex
	Group  bool   `json:"group,omitempty"`
}

// discovery writes one message of such a protocol, and reports whether it is
// of one.
func (w *Writer) discovery(ev *flow.Event, m wire.Message) (known bool, err error) {
	w.begin(m.Protocol(), m.Protocol(), &ev.Record, ev.Time)
	l := &w.line
	switch m := m.(type) {
	case *wire.Neighbor:
		l.Neighbor, l.AppProto = neighborOf(m), ""
	case *wire.EAPOL:
		l.EAPOL, l.AppProto = eapolOf(m), ""
	case *wire.ICMPError:
		l.ICMP, l.AppProto = icmpOf(m), ""
	case *wire.NDP:
		l.NDP, l.AppProto = ndpOf(m), ""
	case *wire.Membership:
		l.Membership, l.AppProto = membershipOf(m), ""
	case *wire.DHCPv6:
		l.DHCPv6 = dhcpv6Of(m)
	case *wire.NBNS:
		l.NBNS = nbnsOf(m)
	case *wire.NBDGM:
		l.NBDGM = nbdgmOf(m)
	case *wire.SSDP:
		l.SSDP = ssdpOf(m)
	case *wire.WSDiscovery:
		body := wsdBody(*m)
		l.WSDiscovery = &body
	default:
		return false, nil
	}
	return true, w.put()
}

func neighborOf(m *wire.Neighbor) *neighborBody {
	return &neighborBody{
		Chassis: m.Chassis, Port: m.Port, PortText: m.PortText, TTL: m.TTL, Name: m.Name, Description: m.Description,
		Capabilities: capabilityNames(m), Addrs: m.Addrs, Hardware: m.Hardware, Firmware: m.Firmware,
		Software: m.Software, Serial: m.Serial, Manufacturer: m.Manufacturer, Model: m.Model, MUD: m.MUD,
		VLAN: m.VLAN, Truncated: m.Truncated,
	}
}

// capabilityNames spells out the bits of IEEE 802.1AB (table 8-4) or of CDP.
func capabilityNames(m *wire.Neighbor) []string {
	names := []string{
		"other", "repeater", "bridge", "wlan_access_point", "router", "telephone", "docsis_cable_device", "station",
		"cvlan", "svlan", "two_port_relay",
	}
	if m.Proto == "cdp" {
		names = []string{"router", "transparent_bridge", "source_route_bridge", "switch", "host", "igmp", "repeater", "telephone"}
	}
	var out []string
	for i, name := range names {
		if m.Capabilities>>i&1 != 0 {
			out = append(out, name)
		}
	}
	return out
}

func eapolOf(m *wire.EAPOL) *eapolBody {
	body := &eapolBody{Version: m.Version, Method: m.Method, Identity: m.Identity, Truncated: m.Truncated}
	if names := [...]string{"eap", "start", "logoff", "key", "asf_alert", "mka", "announcement", "announcement", "announcement_request"}; int(m.Type) < len(names) {
		body.Type = names[m.Type]
	}
	if names := [...]string{"", "request", "response", "success", "failure"}; int(m.Code) < len(names) {
		body.Code = names[m.Code]
	}
	return body
}

func ssdpOf(m *wire.SSDP) *ssdpBody {
	kind := "response"
	switch m.Method {
	case "NOTIFY":
		kind = "notify"
	case "M-SEARCH":
		kind = "search"
	}
	return &ssdpBody{
		Type: kind, Target: m.Target, State: m.State, USN: m.USN, Server: m.Server, UserAgent: m.UserAgent,
		Location: m.Location, Truncated: m.Truncated,
	}
}

func nbnsOf(m *wire.NBNS) *nbnsBody {
	body := &nbnsBody{
		Type: requestOr(m.Response), ID: m.ID, Operation: m.OpcodeName(), RCode: m.RCode,
		Name: m.Name, Suffix: hexByte(m.Suffix), RRType: m.Type, Addrs: m.Addrs, MAC: macOrNone(m.MAC), Truncated: m.Truncated,
	}
	for _, n := range m.Names {
		body.Names = append(body.Names, nbnsName{n.Name, hexByte(n.Suffix), n.Group})
	}
	return body
}
