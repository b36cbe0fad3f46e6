package eve

import (
	"fmt"
	"net/netip"
	"strconv"

	"gatehouse/flow"
	"gatehouse/wire"
)

// ldapResultName names result codes (RFC 4511 section 4.1.9), the number if it is
// another.
func ldapResultName(code int) string {
	switch code {
	case 0:
		return "success"
	case 1:
		return "operations_error"
	case 2:
		return "protocol_error"
	case 3:
		return "time_limit_exceeded"
	case 4:
		return "size_limit_exceeded"
	case 5:
		return "compare_false"
	case 6:
		return "compare_true"
	case 7:
		return "auth_method_not_supported"
	case 8:
		return "stronger_auth_required"
	case 10:
		return "referral"
	case 11:
		return "admin_limit_exceeded"
	case 12:
		return "unavailable_critical_extension"
	case 13:
		return "confidentiality_required"
	case 14:
		return "sasl_bind_in_progress"
	case 16:
		return "no_such_attribute"
	case 17:
		return "undefined_attribute_type"
	case 18:
		return "inappropriate_matching"
	case 19:
		return "constraint_violation"
	case 20:
		return "attribute_or_value_exists"
	case 21:
		return "invalid_attribute_syntax"
	case 32:
		return "no_such_object"
	case 34:
		return "invalid_dn_syntax"
	case 48:
		return "inappropriate_authentication"
	case 49:
		return "invalid_credentials"
	case 50:
		return "insufficient_access_rights"
	case 51:
		return "busy"
	case 52:
		return "unavailable"
	case 53:
		return "unwilling_to_perform"
	case 64:
		return "naming_violation"
	case 65:
		return "object_class_violation"
	case 66:
		return "not_allowed_on_non_leaf"
	case 67:
		return "not_allowed_on_rdn"
	case 68:
		return "entry_already_exists"
	case 80:
		return "other"
	}
	return strconv.Itoa(code)
}

// snmpBody is Suricata's snmp object without the community, which is a secret.
type snmpBody struct {
	Version   uint8      `json:"version"`
	PDUType   string     `json:"pdu_type,omitempty"`
	Vars      []string   `json:"vars,omitempty"`
	USM       string     `json:"usm,omitempty"`
	Encrypted bool       `json:"encrypted,omitempty"`
	TrapType  string     `json:"trap_type,omitempty"`
	TrapOID   string     `json:"trap_oid,omitempty"`
	TrapAddr  netip.Addr `json:"trap_address,omitzero"`
	ErrorName string     `json:"error,omitempty"`
	Error     int        `json:"error_status,omitempty"`
	Truncated bool       `json:"truncated,omitempty"`
}

func (w *Writer) snmp(ev *flow.Event, m *wire.SNMP) error {
	body := &snmpBody{
		Version: m.Version, PDUType: m.PDU, Vars: m.Vars, USM: m.User,
		Encrypted: m.Encrypted, ErrorName: snmpError(m.Error), Error: m.Error, Truncated: m.Truncated,
	}
	if m.Encrypted {
		body.PDUType = "encrypted"
	}
	if t := m.Trap; t != nil {
		body.TrapType, body.TrapOID, body.TrapAddr = snmpTrap(t.Generic), t.Enterprise, t.Agent
	}
	w.begin("snmp", "snmp", &ev.Record, ev.Time)
	w.line.SNMP = body
	return w.put()
}

// snmpError writes the error of a response as Suricata does: those of RFC 1157
// by name, those of later versions by number, "" if there is none.
func snmpError(status int) string {
	names := [...]string{"", "TooBig", "NoSuchName", "BadValue", "ReadOnly", "GenErr"}
	if status >= 0 && status < len(names) {
		return names[status]
	}
	return fmt.Sprintf("ErrorStatus(%d)", status)
}

// snmpTrap names a generic trap (RFC 1157 section 4.1.6), "" if it is none.
func snmpTrap(kind int) string {
	names := [...]string{
		"coldStart", "warmStart", "linkDown", "linkUp", "authenticationFailure", "egpNeighborLoss", "enterpriseSpecific",
	}
	if kind >= 0 && kind < len(names) {
		return names[kind]
	}
	return ""
}

// coapBody is ours: Suricata does not log CoAP.
type coapBody struct {
	Type    string  `json:"type,omitempty"` // not over TCP, as the message id
	Code    string  `json:"code"`           // class and detail as RFC 7252 writes them: "0.01", "2.05"
	Method  string  `json:"method,omitempty"`
	ID      *uint16 `json:"message_id,omitempty"`
	Host    string  `json:"host,omitempty"`
	Path    string  `json:"path,omitempty"`
	Query   string  `json:"query,omitempty"`
	Observe *int    `json:"observe,omitempty"`
	Format  *int    `json:"content_format,omitempty"`
}

func (w *Writer) coap(ev *flow.Event, m *wire.CoAP) error {
	methods := [...]string{"", "GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"}
	body := coapBody{
		Code: fmt.Sprintf("%d.%02d", m.Code>>5, m.Code&31),
		Host: m.Host, Path: m.Path, Query: m.Query,
	}
	if !m.OverTCP {
		body.Type = [...]string{"confirmable", "non-confirmable", "acknowledgement", "reset"}[m.Type&3]
		body.ID = &m.ID
	}
	if int(m.Code) < len(methods) {
		body.Method = methods[m.Code]
	}
	if m.Observe >= 0 {
		body.Observe = &m.Observe
	}
	if m.Format >= 0 {
		body.Format = &m.Format
	}
	w.begin("coap", "coap", &ev.Record, ev.Time)
	w.line.CoAP = &body
	return w.put()
}
