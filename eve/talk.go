package eve

import (
	"strconv"

	"gatehouse/flow"
	"gatehouse/wire"
)

// rtspBody is ours, in the words of Suricata's http object.
type rtspBody struct {
	Method          string `json:"method,omitempty"`
	URL             string `json:"url,omitempty"`
	Status          int    `json:"status,omitempty"`
	UserAgent       string `json:"user_agent,omitempty"`
	Server          string `json:"server,omitempty"`
	Authorization   string `json:"authorization,omitempty"`
	WWWAuthenticate string `json:"www_authenticate,omitempty"`
	Truncated       bool   `json:"truncated,omitempty"`
}

func (w *Writer) rtsp(ev *flow.Event, m *wire.RTSP) error {
	body := rtspBody{
		Method: m.Method, URL: m.URL, Status: m.Status, UserAgent: m.UserAgent, Server: m.Server, Truncated: m.Truncated,
	}
	if m.Method != "" {
		body.Authorization = m.Auth
	} else {
		body.WWWAuthenticate = m.Auth
	}
	w.begin("rtsp", "rtsp", &ev.Record, ev.Time)
	w.line.RTSP = &body
	return w.put()
}

// sipBody is Suricata's sip object.
type sipBody struct {
	Method    string `json:"method,omitempty"`
	URI       string `json:"uri,omitempty"`
	Version   string `json:"version"`
	Request   string `json:"request_line,omitempty"`
	Code      string `json:"code,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Response  string `json:"response_line,omitempty"`
	From      string `json:"from,omitempty"`
	To        string `json:"to,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
}

func (w *Writer) sip(ev *flow.Event, m *wire.SIP) error {
	body := &sipBody{
		Method: m.Method, URI: m.URI, Version: "SIP/2.0", Reason: m.Reason,
		From: m.From, To: m.To, UserAgent: m.UserAgent, Truncated: m.Truncated,
	}
	if m.Method != "" {
		body.Request = m.Method + " " + m.URI + " " + body.Version
	} else {
		body.Code = strconv.Itoa(m.Code)
		body.Response = body.Version + " " + body.Code + " " + m.Reason
	}
	w.begin("sip", "sip", &ev.Record, ev.Time)
	w.line.SIP = body
	return w.put()
}
