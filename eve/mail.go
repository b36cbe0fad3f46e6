package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// smtpBody is Suricata's smtp object.
type smtpBody struct {
	Helo      string   `json:"helo,omitempty"`
	MailFrom  string   `json:"mail_from,omitempty"`
	RcptTo    []string `json:"rcpt_to,omitempty"`
	StartTLS  bool     `json:"starttls,omitempty"`
	Truncated bool     `json:"truncated,omitempty"`
}

func (w *Writer) smtp(ev *flow.Event, m *wire.SMTP) error {
	w.begin("smtp", "smtp", &ev.Record, ev.Time)
	w.line.SMTP = &smtpBody{Helo: m.Helo, MailFrom: m.MailFrom, RcptTo: m.RcptTo, StartTLS: m.StartTLS, Truncated: m.Truncated}
	return w.put()
}

// pop3Body is Suricata's pop3 object without arguments and data.
type pop3Body struct {
	Request  *pop3Request  `json:"request,omitempty"`
	Response *pop3Response `json:"response,omitempty"`
}

type pop3Request struct {
	Command string `json:"command"`
}

type pop3Response struct {
	Success bool   `json:"success"`
	Status  string `json:"status"`
}

func (w *Writer) pop3(ev *flow.Event, m *wire.POP3) error {
	var body pop3Body
	if m.Command != "" {
		body.Request = &pop3Request{m.Command}
	}
	if m.Answered {
		body.Response = &pop3Response{m.OK, "ERR"}
		if m.OK {
			body.Response.Status = "OK"
		}
	}
	w.begin("pop3", "pop3", &ev.Record, ev.Time)
	w.line.POP3 = &body
	return w.put()
}

// imapBody is ours: Suricata does not log IMAP.
type imapBody struct {
	Command string `json:"command,omitempty"`
	Status  string `json:"status,omitempty"`
}

func (w *Writer) imap(ev *flow.Event, m *wire.IMAP) error {
	w.begin("imap", "imap", &ev.Record, ev.Time)
	w.line.IMAP = &imapBody{Command: m.Command, Status: m.Status}
	return w.put()
}
