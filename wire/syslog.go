package wire

import (
	"bytes"
	"fmt"
)

// Syslog is who sends syslog messages, told once for each host and program on
// a flow (RFC 3164, RFC 5424). Their text is not kept.
type Syslog struct {
	Facility uint8  // 0 kern to 23 local7
	Severity uint8  // 0 emerg to 7 debug
	Host     string // as sent, at most 255 bytes; "" if absent
	Program  string // app name or tag, at most 48 bytes; "" if absent
	Version  uint8  // 1: RFC 5424, 0: RFC 3164
}

// Protocol implements Message.
func (*Syslog) Protocol() string { return "syslog" }

var errSyslogKind = fmt.Errorf("read syslog priority: %w", ErrNotMine)

const (
	maxSyslogHost    = 255 // RFC 5424 section 6
	maxSyslogProgram = 48
	maxSyslogKinds   = 16 // hosts and programs that are told apart on a flow
)

type syslogFlow struct{ seen []Syslog }

func newSyslogFlow() Datagrams { return &syslogFlow{} }

// sniffSyslog recognises a priority with a version or a date behind it.
func sniffSyslog(b []byte) bool {
	m, rest, ok := syslogPriority(b)
	return ok && (m.Version == 1 || syslogDate(rest) > 0)
}

// Datagram implements Datagrams.
func (f *syslogFlow) Datagram(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	m, rest, ok := syslogPriority(b)
	if !ok {
		return msgs, errSyslogKind
	}
	m.header(rest)
	for _, old := range f.seen {
		if old.Host == m.Host && old.Program == m.Program {
			return msgs, nil
		}
	}
	if len(f.seen) == maxSyslogKinds {
		return msgs, nil
	}
	f.seen = append(f.seen, m)
	return append(msgs, &m), nil
}

// syslogPriority reads "<PRI>", and the version that RFC 5424 puts behind it.
func syslogPriority(b []byte) (m Syslog, rest []byte, ok bool) {
	end := bytes.IndexByte(b[:min(len(b), 5)], '>')
	if end < 2 || b[0] != '<' {
		return m, nil, false
	}
	pri := 0
	for _, c := range b[1:end] {
		if !isDigit(c) {
			return m, nil, false
		}
		pri = 10*pri + int(c-'0')
	}
	if pri > 191 { // 24 facilities of 8 severities
		return m, nil, false
	}
	m.Facility, m.Severity, rest = uint8(pri>>3), uint8(pri&7), b[end+1:]
	if bytes.HasPrefix(rest, []byte("1 ")) {
		m.Version, rest = 1, rest[2:]
	}
	return m, rest, true
}

// syslogDate returns the length of "Mmm dd hh:mm:ss " (RFC 3164 section
// 4.1.2), 0 if there is none.
func syslogDate(b []byte) int {
	const date = len("Oct 11 22:14:15 ")
	if len(b) < date || b[3] != ' ' || b[6] != ' ' || b[9] != ':' || b[12] != ':' || b[15] != ' ' {
		return 0
	}
	if i := bytes.Index([]byte("JanFebMarAprMayJunJulAugSepOctNovDec"), b[:3]); i < 0 || i%3 != 0 {
		return 0
	}
	return date
}

// header reads host and program.
func (m *Syslog) header(rest []byte) {
	if m.Version == 1 {
		_, rest = word(rest) // time
		host, rest := word(rest)
		program, _ := word(rest)
		m.Host, m.Program = unlessNil(host, maxSyslogHost), unlessNil(program, maxSyslogProgram)
		return
	}
	n := syslogDate(rest)
	if n == 0 {
		return
	}
	host, rest := word(rest[n:])
	if bytes.HasSuffix(host, []byte(":")) { // no host, as many devices do
		host, rest = nil, rest[:0:0]
	}
	m.Host = text(host, maxSyslogHost)
	end := bytes.IndexFunc(rest, func(r rune) bool { return r == ':' || r == '[' || r == ' ' })
	if end > 0 && rest[end] != ' ' {
		m.Program = text(rest[:end], maxSyslogProgram)
	}
}

// unlessNil is a field of RFC 5424, "" for its NILVALUE.
func unlessNil(b []byte, n int) string {
	if string(b) == "-" {
		return ""
	}
	return text(b, n)
}
