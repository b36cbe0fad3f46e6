package eve

import (
	"strconv"
	"strings"

	"gatehouse/flow"
	"gatehouse/wire"
)

// pgsqlBody is Suricata's pgsql object, without secrets and data.
type pgsqlBody struct {
	Request  pgsqlRequest   `json:"request"`
	Response *pgsqlResponse `json:"response,omitempty"`
}

type pgsqlRequest struct {
	Message    string           `json:"message,omitempty"`
	Version    string           `json:"protocol_version,omitempty"`
	Parameters *pgsqlParameters `json:"startup_parameters,omitempty"`
	Mechanism  string           `json:"sasl_authentication_mechanism,omitempty"`
	Query      string           `json:"simple_query,omitempty"`
	Prepared   string           `json:"prepared_query,omitempty"`
	CopyIn     *pgsqlCopyIn     `json:"copy_data_in,omitempty"`
	Process    uint32           `json:"process_id,omitempty"`
	Truncated  bool             `json:"truncated,omitempty"`
}

type pgsqlParameters struct {
	User     string              `json:"user"`
	Optional []map[string]string `json:"optional_parameters,omitempty"`
}

type pgsqlResponse struct {
	Message   string              `json:"message,omitempty"`
	SSL       *bool               `json:"ssl_accepted,omitempty"`
	GSS       *bool               `json:"gss_accepted,omitempty"`
	Status    []map[string]string `json:"parameter_status,omitempty"`
	Process   uint32              `json:"process_id,omitempty"`
	Columns   int                 `json:"field_count,omitempty"`
	Rows      int                 `json:"data_rows,omitempty"`
	Size      int64               `json:"data_size,omitempty"`
	CopyOut   *pgsqlCopyOut       `json:"copy_data_out,omitempty"`
	CopyInOf  *pgsqlCopyColumns   `json:"copy_in_response,omitempty"`
	CopyOutOf *pgsqlCopyColumns   `json:"copy_out_response,omitempty"`
	Completed string              `json:"command_completed,omitempty"`
	Severity  string              `json:"severity_localizable,omitempty"`
	Plain     string              `json:"severity_non_localizable,omitempty"`
	Code      string              `json:"code,omitempty"`
	Position  string              `json:"position,omitempty"`
	File      string              `json:"file,omitempty"`
	Line      string              `json:"line,omitempty"`
	Routine   string              `json:"routine,omitempty"`
}

type pgsqlCopyOut struct {
	Rows int   `json:"row_count"`
	Size int64 `json:"data_size"`
}

// pgsqlCopyColumns is what the server says when bulk data is to begin.
type pgsqlCopyColumns struct {
	Columns int `json:"copy_column_count"`
}

type pgsqlCopyIn struct {
	Messages int   `json:"msg_count"`
	Size     int64 `json:"data_size"`
}

func (w *Writer) pgsql(ev *flow.Event, m *wire.PostgreSQL) error {
	w.begin("pgsql", "pgsql", &ev.Record, ev.Time)
	w.line.PgSQL = &pgsqlBody{pgsqlRequestOf(m), pgsqlResponseOf(m)}
	return w.put()
}

func pgsqlRequestOf(m *wire.PostgreSQL) pgsqlRequest {
	r := pgsqlRequest{Mechanism: saslName(m.Mechanism), Process: m.Process, Truncated: m.Truncated}
	switch m.Request {
	case wire.PgSSL:
		r.Message = "SSL Request"
	case wire.PgGSS:
		r.Message = "GSS Request"
	case wire.PgStart:
		r.Version = "3." + strconv.Itoa(int(m.Minor))
		r.Parameters = &pgsqlParameters{User: m.User, Optional: pgsqlPairs(m.Parameters)}
	case wire.PgCancel:
		r.Message = "cancel_request"
	case wire.PgEnd:
		r.Message = "termination_message"
	case wire.PgQuery:
		r.Query = m.Statement
	case wire.PgPrepared:
		r.Prepared = m.Statement
	case wire.PgSASL, wire.PgProof:
	}
	if m.Copy == wire.PgCopyIn {
		r.CopyIn = &pgsqlCopyIn{m.Rows, m.Size}
		if m.CopyDone {
			r.Message = pgsqlCopyDone
		}
	}
	return r
}

// saslName spells a mechanism as Suricata does.
func saslName(mechanism string) string {
	switch mechanism {
	case "SCRAM-SHA-256":
		return "scram_SHA256"
	case "SCRAM-SHA-256-PLUS":
		return "scram_SHA256_plus"
	}
	return mechanism
}

func pgsqlResponseOf(m *wire.PostgreSQL) *pgsqlResponse {
	r := pgsqlResponse{
		Message: pgsqlAnswer(m.Answer), Status: pgsqlPairs(m.Status), Process: m.Backend,
		Columns: m.Columns, Rows: m.Rows, Size: m.Size, Completed: m.Completed,
	}
	some := m.Answer != wire.PgNone || m.Columns > 0 || m.Rows > 0 || m.Completed != "" || m.Error != nil
	if !some {
		return nil
	}
	accepted := m.Answer == wire.PgAccepted
	switch m.Request {
	case wire.PgSSL:
		r.SSL = &accepted
	case wire.PgGSS:
		r.GSS = &accepted
	default:
	}
	switch m.Copy {
	case wire.PgCopyOut:
		r.CopyOut, r.CopyOutOf = &pgsqlCopyOut{m.Rows, m.Size}, &pgsqlCopyColumns{m.Columns}
		r.Columns, r.Rows, r.Size = 0, 0, 0
		if m.CopyDone {
			r.Message = pgsqlCopyDone
		}
	case wire.PgCopyIn:
		r.CopyInOf = &pgsqlCopyColumns{m.Columns}
		r.Columns, r.Rows, r.Size = 0, 0, 0
	case wire.PgNoCopy:
	}
	if e := m.Error; e != nil {
		r.Severity, r.Plain, r.Code, r.Message = e.Severity, e.Plain, e.Code, e.Text
		r.Position, r.File, r.Line, r.Routine = e.Position, e.File, e.Line, e.Routine
	}
	return &r
}

// pgsqlCopyDone is Suricata's word for the end of bulk data.
const pgsqlCopyDone = "copy_done"

func pgsqlAnswer(a wire.PgAnswer) string {
	switch a {
	case wire.PgOK:
		return "authentication_ok"
	case wire.PgPassword:
		return "authentication_cleartext_password"
	case wire.PgMD5:
		return "authentication_md5_password"
	case wire.PgGSSAPI:
		return "authentication_gss"
	case wire.PgSSPI:
		return "authentication_sspi"
	case wire.PgMechanisms:
		return "authentication_sasl"
	case wire.PgSASLContinue:
		return "authentication_sasl_continue"
	case wire.PgNone, wire.PgAccepted, wire.PgRefused:
	}
	return ""
}

// pgsqlPairs lists parameters by their names in Suricata's spelling: DateStyle
// is date_style.
func pgsqlPairs(parameters []wire.PgParameter) []map[string]string {
	var out []map[string]string
	for _, p := range parameters {
		out = append(out, map[string]string{snakeCase(p.Name): p.Value})
	}
	return out
}

func snakeCase(name string) string {
	var b strings.Builder
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}
