package eve

import (
	"strconv"

	"gatehouse/flow"
	"gatehouse/wire"
)

// ftpBody is Suricata's ftp object.
type ftpBody struct {
	Command  string   `json:"command,omitempty"`
	Data     string   `json:"command_data,omitempty"`
	Reply    []string `json:"reply,omitempty"`
	Code     []string `json:"completion_code,omitempty"`
	Port     uint16   `json:"dynamic_port,omitempty"`
	Mode     string   `json:"mode,omitempty"` // active, passive
	Received string   `json:"reply_received"`
}

func (w *Writer) ftp(ev *flow.Event, m *wire.FTP) error {
	body := ftpBody{Command: m.Command, Data: m.Argument, Port: m.DataPort, Received: "no"}
	switch {
	case m.Active:
		body.Mode = "active"
	case m.DataPort != 0:
		body.Mode = "passive"
	}
	if m.Code != 0 {
		body.Received = "yes"
	}
	for _, r := range m.Replies {
		if r.Code != 0 {
			body.Code = append(body.Code, strconv.Itoa(r.Code))
		}
		if r.Text != "" {
			body.Reply = append(body.Reply, r.Text)
		}
	}
	w.begin("ftp", "ftp", &ev.Record, ev.Time)
	w.line.FTP = &body
	return w.put()
}

// ftpDataBody is Suricata's ftp_data object.
type ftpDataBody struct {
	File    string `json:"filename,omitempty"`
	Command string `json:"command"`
}

func (w *Writer) ftpData(ev *flow.Event, m *wire.FTPData) error {
	w.begin("ftp_data", "ftp-data", &ev.Record, ev.Time)
	w.line.FTPData = &ftpDataBody{m.File, m.Command}
	return w.put()
}
