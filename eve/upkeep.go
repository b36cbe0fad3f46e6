package eve

import (
	"strconv"

	"gatehouse/flow"
	"gatehouse/wire"
)

// ntpBody is Suricata's ntp object, with what a clock says of itself.
type ntpBody struct {
	Version   uint8  `json:"version"`
	Mode      uint8  `json:"mode"`
	Stratum   *uint8 `json:"stratum,omitempty"` // not in modes 6 and 7
	Reference string `json:"reference_id,omitempty"`
	Monlist   bool   `json:"monlist,omitempty"`
	Response  bool   `json:"response,omitempty"`
	Code      *uint8 `json:"code,omitempty"` // of modes 6 and 7
	Operation string `json:"operation,omitempty"`
	Error     uint8  `json:"error,omitempty"`
}

func (w *Writer) ntp(ev *flow.Event, m *wire.NTP) error {
	w.begin("ntp", "ntp", &ev.Record, ev.Time)
	w.line.NTP = &ntpBody{
		Version: m.Version, Mode: m.Mode, Reference: m.Reference, Monlist: m.Monlist, Response: m.Response,
		Operation: m.CodeName(), Error: m.Error,
	}
	if m.Mode < 6 {
		w.line.NTP.Stratum = &m.Stratum
	} else {
		w.line.NTP.Code = &m.Code
	}
	return w.put()
}

// syslogBody is ours: Suricata does not log syslog.
type syslogBody struct {
	Facility string `json:"facility"`
	Severity string `json:"severity"`
	Host     string `json:"host,omitempty"`
	Program  string `json:"program,omitempty"`
}

func (w *Writer) syslog(ev *flow.Event, m *wire.Syslog) error {
	w.begin("syslog", "syslog", &ev.Record, ev.Time)
	w.line.Syslog = &syslogBody{
		Facility: facilityName(m.Facility), Host: m.Host, Program: m.Program,
		Severity: [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}[m.Severity&7],
	}
	return w.put()
}

// facilityName names a facility as syslog.conf does; the number of those that
// systems use in different ways.
func facilityName(n uint8) string {
	names := [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"}
	switch {
	case int(n) < len(names):
		return names[n]
	case n >= 16 && n < 24:
		return "local" + strconv.Itoa(int(n-16))
	}
	return strconv.Itoa(int(n))
}

// tftpBody is Suricata's tftp object; errors are ours.
type tftpBody struct {
	Packet string  `json:"packet"`
	File   *string `json:"file,omitempty"` // of a request, which may name none
	Mode   string  `json:"mode,omitempty"`
	Code   uint16  `json:"error_code,omitempty"`
	Error  string  `json:"error,omitempty"`
}

func (w *Writer) tftp(ev *flow.Event, m *wire.TFTP) error {
	w.begin("tftp", "tftp", &ev.Record, ev.Time)
	body := &tftpBody{Packet: m.Op, Mode: m.Mode, Code: m.Code, Error: m.Error}
	if m.Mode != "" {
		body.File = &m.File
	}
	w.line.TFTP = body
	return w.put()
}
