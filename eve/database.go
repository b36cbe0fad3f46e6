package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// mysqlBody is ours: Suricata does not log MySQL.
type mysqlBody struct {
	Version  string `json:"version,omitempty"`
	User     string `json:"user,omitempty"`
	Database string `json:"database,omitempty"`
	Plugin   string `json:"plugin,omitempty"`
	TLS      bool   `json:"tls,omitempty"`
	Error    int    `json:"error,omitempty"`
}

func (w *Writer) mysql(ev *flow.Event, m *wire.MySQL) error {
	w.begin("mysql", "mysql", &ev.Record, ev.Time)
	w.line.MySQL = &mysqlBody{
		Version: m.Version, User: m.User, Database: m.Database, Plugin: m.Plugin, TLS: m.TLS, Error: m.Error,
	}
	return w.put()
}

// pgsqlBody is Suricata's pgsql object, of which the start of a session.
type pgsqlBody struct {
	Request pgsqlRequest `json:"request"`
}

type pgsqlRequest struct {
	Version    string          `json:"protocol_version"`
	Parameters pgsqlParameters `json:"startup_parameters"`
}

type pgsqlParameters struct {
	User     string              `json:"user"`
	Optional []map[string]string `json:"optional_parameters,omitempty"`
}

func (w *Writer) pgsql(ev *flow.Event, m *wire.PostgreSQL) error {
	parameters := pgsqlParameters{User: m.User}
	for _, p := range [...][2]string{{"database", m.Database}, {"application_name", m.Application}} {
		if p[1] != "" {
			parameters.Optional = append(parameters.Optional, map[string]string{p[0]: p[1]})
		}
	}
	w.begin("pgsql", "pgsql", &ev.Record, ev.Time)
	w.line.PgSQL = &pgsqlBody{pgsqlRequest{"3.0", parameters}}
	return w.put()
}
