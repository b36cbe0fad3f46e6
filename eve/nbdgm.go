package eve

import (
	"fmt"
	"net/netip"

	"gatehouse/wire"
)

// nbdgmBody is a datagram of NetBIOS, and what a Windows system announces in it.
type nbdgmBody struct {
	Type         string     `json:"type"`
	Source       string     `json:"source,omitempty"`
	SourceSuffix string     `json:"source_suffix,omitempty"` // hex
	Dest         string     `json:"destination,omitempty"`
	DestSuffix   string     `json:"destination_suffix,omitempty"` // hex
	Addr         netip.Addr `json:"address"`                      // of the sender, as it says
	Mailslot     string     `json:"mailslot,omitempty"`
	Announcement string     `json:"announcement,omitempty"`
	Host         string     `json:"host,omitempty"`
	Version      string     `json:"os_version,omitempty"`
	Roles        []string   `json:"roles,omitempty"`
	Comment      string     `json:"comment,omitempty"`
}

func nbdgmOf(m *wire.NBDGM) *nbdgmBody {
	body := &nbdgmBody{
		Type: nbdgmType(m.Type), Source: m.Source, Dest: m.Dest, Addr: m.Addr, Mailslot: m.Mailslot,
		Announcement: browseName(m.Browse), Host: m.Host, Roles: serverRoles(m.Server), Comment: m.Comment,
	}
	if m.Source != "" {
		body.SourceSuffix = hexByte(m.SourceSuffix)
	}
	if m.Dest != "" {
		body.DestSuffix = hexByte(m.DestSuffix)
	}
	if m.Host != "" {
		body.Version = fmt.Sprintf("%d.%d", m.Major, m.Minor)
	}
	return body
}

func nbdgmType(t uint8) string {
	names := [...]string{"direct_unique", "direct_group", "broadcast", "error", "query_request", "positive_query_response", "negative_query_response"}
	if i := int(t) - 0x10; i >= 0 && i < len(names) {
		return names[i]
	}
	return hexByte(t)
}

// browseName names a frame of the browser service ([MS-BRWS] 2.2).
func browseName(b uint8) string {
	switch b {
	case 0:
		return ""
	case 1:
		return "host"
	case 2:
		return "request"
	case 8:
		return "election"
	case 9:
		return "get_backup_list"
	case 10:
		return "backup_list"
	case 11:
		return "become_backup"
	case 12:
		return "domain"
	case 13:
		return "master"
	case 14:
		return "reset_state"
	case 15:
		return "local_master"
	}
	return hexByte(b)
}

// serverRoles spells out what a host serves as ([MS-BRWS] 2.2.1, SV_TYPE bits).
func serverRoles(bits uint32) []string {
	names := [...]string{
		"workstation", "server", "sql_server", "domain_controller", "backup_domain_controller", "time_source", "afp", "novell",
		"domain_member", "print_queue", "dialin", "xenix", "nt_workstation", "windows_for_workgroups", "", "nt_server",
	}
	var out []string
	for i, name := range names {
		if name != "" && bits>>i&1 != 0 {
			out = append(out, name)
		}
	}
	return out
}
