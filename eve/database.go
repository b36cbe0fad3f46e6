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
