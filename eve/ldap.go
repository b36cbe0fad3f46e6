package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// ldapBody is Suricata's ldap object (of its version 8), without the values of
// attributes.
type ldapBody struct {
	Request   ldapRequest    `json:"request"`
	Responses []ldapResponse `json:"responses,omitempty"`
}

type ldapRequest struct {
	ID        int           `json:"message_id"`
	Operation string        `json:"operation"`
	Bind      *ldapBind     `json:"bind_request,omitempty"`
	Search    *ldapSearch   `json:"search_request,omitempty"`
	Modify    *ldapModify   `json:"modify_request,omitempty"`
	Add       *ldapAdd      `json:"add_request,omitempty"`
	Del       *ldapDel      `json:"del_request,omitempty"`
	ModDN     *ldapModDN    `json:"mod_dn_request,omitempty"`
	Compare   *ldapCompare  `json:"compare_request,omitempty"`
	Extended  *ldapExtended `json:"extended_request,omitempty"`
}

type ldapBind struct {
	Version int      `json:"version"`
	Name    string   `json:"name"`
	SASL    ldapSASL `json:"sasl"`
}

type ldapSASL struct {
	Mechanism string `json:"mechanism"`
}

type ldapSearch struct {
	Base       string      `json:"base_object"`
	Scope      int         `json:"scope"`
	Deref      int         `json:"deref_alias"`
	SizeLimit  int         `json:"size_limit"`
	TimeLimit  int         `json:"time_limit"`
	TypesOnly  bool        `json:"types_only"`
	Filter     *ldapFilter `json:"filter,omitempty"`
	Attributes []string    `json:"attributes,omitempty"`
}

type ldapFilter struct {
	Type  string `json:"type"` // present
	Value string `json:"value"`
}

type ldapModify struct {
	Object  string       `json:"object"`
	Changes []ldapChange `json:"changes,omitempty"`
}

type ldapChange struct {
	Operation    string           `json:"operation"`
	Modification ldapModification `json:"modification"`
}

type ldapModification struct {
	Attribute string `json:"attribute_type"`
}

type ldapAdd struct {
	Entry      string          `json:"entry"`
	Attributes []ldapAttribute `json:"attributes,omitempty"`
}

type ldapAttribute struct {
	Name string `json:"name"`
}

type ldapDel struct {
	DN string `json:"dn"`
}

type ldapModDN struct {
	Entry     string `json:"entry"`
	RDN       string `json:"new_rdn"`
	DeleteOld bool   `json:"delete_old_rdn"`
	Superior  string `json:"new_superior,omitempty"`
}

type ldapCompare struct {
	Entry     string        `json:"entry"`
	Assertion ldapAssertion `json:"attribute_value_assertion"`
}

type ldapAssertion struct {
	Description string `json:"description"`
}

type ldapExtended struct {
	Name string `json:"name"`
}

// ldapResponse is an entry that was found, or the result of an operation.
type ldapResponse struct {
	Operation string      `json:"operation"`
	Entry     *ldapEntry  `json:"search_result_entry,omitempty"`
	Done      *ldapResult `json:"search_result_done,omitempty"`
	Bind      *ldapResult `json:"bind_response,omitempty"`
	Modify    *ldapResult `json:"modify_response,omitempty"`
	Add       *ldapResult `json:"add_response,omitempty"`
	Del       *ldapResult `json:"del_response,omitempty"`
	ModDN     *ldapResult `json:"mod_dn_response,omitempty"`
	Compare   *ldapResult `json:"compare_response,omitempty"`
	Extended  *ldapResult `json:"extended_response,omitempty"`
}

type ldapEntry struct {
	Base string `json:"base_object"`
}

type ldapResult struct {
	Code    string `json:"result_code"`
	Matched string `json:"matched_dn"`
	Message string `json:"message"`
}

func (w *Writer) ldap(ev *flow.Event, m *wire.LDAP) error {
	body := &ldapBody{Request: ldapRequestOf(m)}
	for _, name := range m.Found {
		body.Responses = append(body.Responses, ldapResponse{Operation: "search_result_entry", Entry: &ldapEntry{name}})
	}
	if m.Result >= 0 {
		body.Responses = append(body.Responses, ldapResponseOf(m))
	}
	w.begin("ldap", "ldap", &ev.Record, ev.Time)
	w.line.LDAP = body
	return w.put()
}

func ldapRequestOf(m *wire.LDAP) ldapRequest {
	r := ldapRequest{ID: m.ID, Operation: m.Operation + "_request"}
	switch m.Operation {
	case "bind":
		r.Bind = &ldapBind{m.Version, m.Name, ldapSASL{m.Mechanism}}
	case "search":
		r.Search = ldapSearchOf(m.Name, m.Search)
	case "modify":
		r.Modify = &ldapModify{Object: m.Name}
		for _, c := range m.Changes {
			r.Modify.Changes = append(r.Modify.Changes, ldapChange{ldapChangeName(c.Operation), ldapModification{c.Attribute}})
		}
	case "add":
		r.Add = &ldapAdd{Entry: m.Name}
		for _, c := range m.Changes {
			r.Add.Attributes = append(r.Add.Attributes, ldapAttribute{c.Attribute})
		}
	case "del":
		r.Del = &ldapDel{m.Name}
	case "mod_dn":
		r.ModDN = &ldapModDN{m.Name, m.Rename.RDN, m.Rename.DeleteOld, m.Rename.Superior}
	case "compare":
		r.Compare = &ldapCompare{m.Name, ldapAssertion{m.Compare}}
	case "extended":
		r.Extended = &ldapExtended{m.Name}
	}
	return r
}

func ldapSearchOf(base string, s *wire.LDAPSearch) *ldapSearch {
	out := &ldapSearch{
		Base: base, Scope: s.Scope, Deref: s.Deref, SizeLimit: s.SizeLimit, TimeLimit: s.TimeLimit,
		TypesOnly: s.TypesOnly, Attributes: s.Attributes,
	}
	if s.Present != "" {
		out.Filter = &ldapFilter{"present", s.Present}
	}
	return out
}

func ldapResponseOf(m *wire.LDAP) ldapResponse {
	result := &ldapResult{ldapResultName(m.Result), m.Matched, m.Message}
	r := ldapResponse{Operation: m.Operation + "_response"}
	switch m.Operation {
	case "bind":
		r.Bind = result
	case "search":
		r.Operation, r.Done = "search_result_done", result
	case "modify":
		r.Modify = result
	case "add":
		r.Add = result
	case "del":
		r.Del = result
	case "mod_dn":
		r.ModDN = result
	case "compare":
		r.Compare = result
	case "extended":
		r.Extended = result
	}
	return r
}

// ldapChangeName names what is done to an attribute (RFC 4511 section 4.6).
func ldapChangeName(operation int) string {
	names := [...]string{"add", "delete", "replace", "increment"}
	if operation >= 0 && operation < len(names) {
		return names[operation]
	}
	return unknownWord
}
