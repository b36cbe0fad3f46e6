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

// tdsBody is ours: Suricata does not read TDS.
type tdsBody struct {
	ServerVersion string `json:"server_version,omitempty"`
	Encryption    string `json:"encryption,omitempty"`
	TLS           bool   `json:"tls,omitempty"`
	Version       string `json:"version,omitempty"`
	User          string `json:"user,omitempty"`
	Host          string `json:"client_host,omitempty"`
	Application   string `json:"application,omitempty"`
	Library       string `json:"library,omitempty"`
	Server        string `json:"server,omitempty"`
	Database      string `json:"database,omitempty"`
	Program       string `json:"server_program,omitempty"`
	Error         int    `json:"error,omitempty"`
	Truncated     bool   `json:"truncated,omitempty"`
}

func (w *Writer) tds(ev *flow.Event, m *wire.TDS) error {
	w.begin("tds", "tds", &ev.Record, ev.Time)
	body := tdsBody(*m)
	w.line.TDS = &body
	return w.put()
}

// mongoBody is ours: Suricata does not read MongoDB.
type mongoBody struct {
	Command     string       `json:"command,omitempty"`
	Database    string       `json:"database,omitempty"`
	Collection  string       `json:"collection,omitempty"`
	Client      *mongoClient `json:"client,omitempty"`
	ReplicaSet  string       `json:"replica_set,omitempty"`
	WireVersion int          `json:"max_wire_version,omitempty"`
	Version     string       `json:"server_version,omitempty"`
	Error       int          `json:"error,omitempty"`
	Compressed  bool         `json:"compressed,omitempty"`
}

type mongoClient struct {
	Application string `json:"application,omitempty"`
	Driver      string `json:"driver,omitempty"`
	Version     string `json:"driver_version,omitempty"`
	System      string `json:"os,omitempty"`
}

func (w *Writer) mongodb(ev *flow.Event, m *wire.MongoDB) error {
	w.begin("mongodb", "mongodb", &ev.Record, ev.Time)
	body := &mongoBody{
		Command: m.Command, Database: m.Database, Collection: m.Collection, ReplicaSet: m.ReplicaSet,
		WireVersion: m.WireVersion, Version: m.Version, Error: m.Error, Compressed: m.Compressed,
	}
	if c := (mongoClient{m.Application, m.Driver, m.DriverVersion, m.System}); c != (mongoClient{}) {
		body.Client = &c
	}
	w.line.MongoDB = body
	return w.put()
}
