package eve

import (
	"strings"

	"gatehouse/flow"
	"gatehouse/wire"
)

// rdpBody is Suricata's rdp object for the negotiation, and for the
// certificate behind it.
type rdpBody struct {
	EventType string     `json:"event_type"` // initial_request, initial_response, connect_request, connect_response, tls_handshake
	Cookie    string     `json:"cookie,omitempty"`
	Flags     []string   `json:"flags,omitempty"` // of the client's request
	Supports  []string   `json:"server_supports,omitempty"`
	Protocol  string     `json:"protocol,omitempty"` // that the server chose
	Offered   []string   `json:"offered,omitempty"`
	ErrorCode uint32     `json:"error_code,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Serials   []string   `json:"x509_serials,omitempty"`
	Client    *rdpClient `json:"client,omitempty"`
	Channels  []string   `json:"channels,omitempty"`
}

func (w *Writer) rdp(ev *flow.Event, m *wire.RDP) error {
	body := &rdpBody{EventType: "initial_request", Cookie: m.Cookie}
	switch protocols := wire.RDPProtocols(m.Protocols); {
	case !m.Response:
		body.Offered, body.Flags = protocols, wire.RDPRequestFlags(m.Flags)
	case m.Failure != 0:
		body.EventType, body.ErrorCode, body.Reason = "initial_response", m.Failure, rdpReason(m.Failure)
	default:
		body.EventType, body.Supports = "initial_response", wire.RDPSupport(m.Flags)
		if len(protocols) == 1 {
			body.Protocol = protocols[0]
		}
	}
	w.begin("rdp", "rdp", &ev.Record, ev.Time)
	w.line.RDP = body
	return w.put()
}

// rdpCertificate writes the number of the server's certificate as Suricata does
// in this object: hexadecimal without leading zeros.
func (w *Writer) rdpCertificate(ev *flow.Event, m *wire.Certificate) error {
	serial := strings.TrimLeft(m.Serial, "0")
	if serial == "" {
		return nil
	}
	w.begin("rdp", "rdp", &ev.Record, ev.Time)
	w.line.RDP = &rdpBody{EventType: "tls_handshake", Serials: []string{serial}}
	return w.put()
}

// rdpReason names why a server refuses ([MS-RDPBCGR] section 2.2.1.2.2), ""
// for a number without a name.
func rdpReason(code uint32) string {
	names := [...]string{
		1: "ssl required by server", 2: "ssl not allowed by server", 3: "ssl cert not on server",
		4: "inconsistent flags", 5: "hybrid required by server", 6: "ssl with user auth required by server",
	}
	if code < uint32(len(names)) {
		return names[code]
	}
	return ""
}
