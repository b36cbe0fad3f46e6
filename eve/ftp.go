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
	Received string   `json:"reply_received"`
}

func (w *Writer) ftp(ev *flow.Event, m *wire.FTP) error {
	body := ftpBody{Command: m.Command, Data: m.Argument, Received: "no"}
	if m.Code != 0 {
		body.Received = "yes"
		body.Code, body.Reply = []string{strconv.Itoa(m.Code)}, some(m.Reply)
	}
	w.begin("ftp", "ftp", &ev.Record, ev.Time)
	w.line.FTP = &body
	return w.put()
}
