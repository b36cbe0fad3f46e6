package eve

import (
	"net/netip"

	"gatehouse/wire"
)

// icmpBody is an ICMP error with the flow that it is about.
type icmpBody struct {
	Type      uint8      `json:"type"`
	Code      uint8      `json:"code"`
	Gateway   netip.Addr `json:"gateway,omitzero"`
	MTU       uint32     `json:"mtu,omitempty"`
	Original  *original  `json:"original,omitempty"`
	Truncated bool       `json:"truncated,omitempty"`
}

// original is the packet that an ICMP error quotes.
type original struct {
	SrcIP    netip.Addr `json:"src_ip"`
	SrcPort  uint16     `json:"src_port,omitempty"`
	DestIP   netip.Addr `json:"dest_ip"`
	DestPort uint16     `json:"dest_port,omitempty"`
	Proto    string     `json:"proto"`
}

type ndpBody struct {
	Type        string       `json:"type"`
	Target      netip.Addr   `json:"target,omitzero"`
	Destination netip.Addr   `json:"destination,omitzero"`
	SourceMAC   string       `json:"source_mac,omitempty"`
	TargetMAC   string       `json:"target_mac,omitempty"`
	Router      bool         `json:"router,omitempty"`
	Solicited   bool         `json:"solicited,omitempty"`
	Override    bool         `json:"override,omitempty"`
	Lifetime    *uint16      `json:"lifetime,omitempty"` // seconds
	HopLimit    uint8        `json:"hop_limit,omitempty"`
	Managed     bool         `json:"managed,omitempty"`
	OtherInfo   bool         `json:"other_config,omitempty"`
	MTU         uint32       `json:"mtu,omitempty"`
	Prefixes    []string     `json:"prefixes,omitempty"`
	DNS         []netip.Addr `json:"dns_servers,omitempty"`
	Search      []string     `json:"search,omitempty"`
	Truncated   bool         `json:"truncated,omitempty"`
}

type membershipBody struct {
	Type      string            `json:"type"` // query, report or leave
	Version   uint8             `json:"version"`
	Groups    []membershipGroup `json:"groups,omitempty"`
	Truncated bool              `json:"truncated,omitempty"`
}

type membershipGroup struct {
	Addr    netip.Addr `json:"group"`
	Mode    string     `json:"mode,omitempty"`
	Sources uint16     `json:"sources,omitempty"`
}

type dhcpv6Body struct {
	Type       string       `json:"type"`
	XID        uint32       `json:"id"`
	Relayed    bool         `json:"relayed,omitempty"`
	ClientID   string       `json:"client_duid,omitempty"` // hex
	ServerID   string       `json:"server_duid,omitempty"` // hex
	FQDN       string       `json:"fqdn,omitempty"`
	Enterprise uint32       `json:"vendor_enterprise,omitempty"`
	Vendor     string       `json:"vendor_class,omitempty"`
	MUD        string       `json:"mud_url,omitempty"`
	Addrs      []netip.Addr `json:"addresses,omitempty"`
	Prefixes   []string     `json:"prefixes,omitempty"`
	DNS        []netip.Addr `json:"dns_servers,omitempty"`
	Search     []string     `json:"search,omitempty"`
	Options    []uint16     `json:"options,omitempty"`
	Requested  []uint16     `json:"requested_options,omitempty"`
	Truncated  bool         `json:"truncated,omitempty"`
}

func icmpOf(m *wire.ICMPError) *icmpBody {
	body := &icmpBody{Type: m.Type, Code: m.Code, Gateway: m.Gateway, MTU: m.MTU, Truncated: m.Truncated}
	if m.Src.IsValid() {
		body.Original = &original{m.Src, m.SrcPort, m.Dst, m.DstPort, protoName(m.Proto)}
	}
	return body
}

func ndpOf(m *wire.NDP) *ndpBody {
	const routerAdvertisement = 134
	body := &ndpBody{
		Type: m.TypeName(), Target: m.Target, Destination: m.Destination,
		SourceMAC: macOrNone(m.SourceMAC), TargetMAC: macOrNone(m.TargetMAC),
		Router: m.Router, Solicited: m.Solicited, Override: m.Override, HopLimit: m.HopLimit,
		Managed: m.Managed, OtherInfo: m.OtherInfo, MTU: m.MTU, Prefixes: prefixTexts(m.Prefixes),
		DNS: m.DNS, Search: m.Search, Truncated: m.Truncated,
	}
	if m.Type == routerAdvertisement {
		body.Lifetime = &m.Lifetime // 0 says: not a default router
	}
	return body
}

func prefixTexts(list []netip.Prefix) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}

func membershipOf(m *wire.Membership) *membershipBody {
	body := &membershipBody{Type: m.Kind, Version: m.Version, Truncated: m.Truncated}
	modes := [...]string{"", "include", "exclude", "to_include", "to_exclude", "allow", "block"}
	for _, g := range m.Groups {
		mode := ""
		if int(g.Mode) < len(modes) {
			mode = modes[g.Mode]
		}
		body.Groups = append(body.Groups, membershipGroup{g.Addr, mode, g.Sources})
	}
	return body
}

func dhcpv6Of(m *wire.DHCPv6) *dhcpv6Body {
	return &dhcpv6Body{
		Type: m.TypeName(), XID: m.XID, Relayed: m.Relayed, ClientID: colonHex(m.ClientID), ServerID: colonHex(m.ServerID),
		FQDN: m.FQDN, Enterprise: m.Enterprise, Vendor: m.Vendor, MUD: m.MUD, Addrs: m.Addrs,
		Prefixes: prefixTexts(m.Prefixes), DNS: m.DNS, Search: m.Search, Options: m.Options, Requested: m.Requested,
		Truncated: m.Truncated,
	}
}
