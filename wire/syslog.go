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

// sniffSyslog recognises a priority with a version, a date or a tag behind it,
// or with text and nothing else, as firewalls send it: "<189>date=2021-12-09
// time=16:29:06 devname=".
func sniffSyslog(b []byte) bool {
	m, rest, ok := syslogPriority(b)
	return ok && (m.Version == 1 || syslogAnyDate(rest) > 0 || syslogNumbered(rest) || len(syslogTag(rest)) > 0 ||
		syslogText(rest))
}

// syslogText tells text: ASCII for a start, and no control characters behind it.
func syslogText(b []byte) bool {
	const start = 16
	b = bytes.TrimRight(b, "\r\n\x00")
	if len(b) < start {
		return false
	}
	for i, c := range b {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7f || i < start && c > 0x7f {
			return false
		}
	}
	return true
}

// Datagram implements Datagrams.
func (f *syslogFlow) Datagram(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	m, rest, ok := syslogPriority(b)
	if !ok {
		return msgs, errSyslogKind
	}
	return f.tell(m, rest, msgs), nil
}

// tell appends who sends a message, if that is new.
func (f *syslogFlow) tell(m Syslog, rest []byte, msgs []Message) []Message {
	host, program := m.header(rest)
	for i := range f.seen {
		if f.seen[i].Host == string(host) && f.seen[i].Program == string(program) {
			return msgs
		}
	}
	if len(f.seen) == maxSyslogKinds {
		return msgs
	}
	told := m
	told.Host, told.Program = string(host), string(program)
	f.seen = append(f.seen, told)
	return append(msgs, &told)
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

// syslogTime tells "Mmm dd hh:mm:ss" (RFC 3164 section 4.1.2).
func syslogTime(b []byte) bool {
	if len(b) < len("Oct 11 22:14:15") || b[3] != ' ' || b[6] != ' ' || b[9] != ':' || b[12] != ':' {
		return false
	}
	i := bytes.Index([]byte("JanFebMarAprMayJunJulAugSepOctNovDec"), b[:3])
	return i >= 0 && i%3 == 0
}

// syslogDate returns the length of "Mmm dd hh:mm:ss ", 0 if there is none.
func syslogDate(b []byte) int {
	const date = len("Oct 11 22:14:15 ")
	if len(b) < date || b[date-1] != ' ' || !syslogTime(b) {
		return 0
	}
	return date
}

// syslogAnyDate returns the length of the date of a message that is not of RFC
// 5424, with the blank behind it; 0 if there is none. Some put the year behind
// it, as RFC 3164 section 5.1 has it done elsewhere, and rsyslog and others write
// that of RFC 3339: "2026-03-14T09:26:53+01:00 ".
func syslogAnyDate(b []byte) int {
	if n := syslogDate(b); n > 0 {
		if year, _ := word(b[n:]); len(year) == len("2026") && (year[0] == '1' || year[0] == '2') && decimalPort(year) > 0 {
			n += len(year) + len(" ")
		}
		return min(n, len(b))
	}
	const shortest, longest = len("2026-03-14T09:26:53"), len("2026-03-14T09:26:53.123456789+01:00")
	n := bytes.IndexByte(b[:min(len(b), longest+1)], ' ')
	if n < shortest {
		return 0
	}
	for i, c := range []byte("0000-00-00T00:00:00") {
		if c == '0' && !isDigit(b[i]) || c != '0' && b[i] != c {
			return 0
		}
	}
	return n + 1
}

// syslogNumbered tells how Cisco IOS begins: a running number and the time,
// which is marked where the clock is not set: "30: *Sep 22 13:34:49.195: ".
func syslogNumbered(b []byte) bool {
	n := 0
	for n < len(b) && n < 10 && isDigit(b[n]) {
		n++
	}
	rest, ok := bytes.CutPrefix(b[n:], []byte(": "))
	return ok && n > 0 && syslogTime(bytes.TrimLeft(rest, "*."))
}

// syslogTag returns the program of a message that has no date, as small
// devices send it: "snmpd[6956]: ", "ssg: ". nil if there is none.
func syslogTag(b []byte) []byte {
	n := 0
	for n < len(b) && n <= maxSyslogProgram && (isAlnum(b[n]) || n > 0 && (b[n] == '-' || b[n] == '_' || b[n] == '.')) {
		n++
	}
	if n == 0 || n > maxSyslogProgram || isDigit(b[0]) {
		return nil
	}
	rest := b[n:]
	if len(rest) > 0 && rest[0] == '[' {
		end := 1
		for end < len(rest) && end <= 10 && isDigit(rest[end]) {
			end++
		}
		if end == 1 || end == len(rest) || rest[end] != ']' {
			return nil
		}
		rest = rest[end+1:]
	}
	if !bytes.HasPrefix(rest, []byte(": ")) {
		return nil
	}
	return b[:n]
}

// header finds host and program.
func (m *Syslog) header(rest []byte) (host, program []byte) {
	if m.Version == 1 {
		_, rest = word(rest) // time
		host, rest = word(rest)
		program, _ = word(rest)
		return unlessNil(host, maxSyslogHost), unlessNil(program, maxSyslogProgram)
	}
	n := syslogAnyDate(rest)
	if n == 0 {
		return nil, syslogTag(rest)
	}
	host, rest = word(rest[n:])
	if bytes.HasSuffix(host, []byte(":")) { // no host, as many devices do
		return nil, nil
	}
	end := bytes.IndexFunc(rest, func(r rune) bool { return r == ':' || r == '[' || r == ' ' })
	if end > 0 && rest[end] != ' ' {
		program = rest[:min(end, maxSyslogProgram)]
	}
	return host[:min(len(host), maxSyslogHost)], program
}

// unlessNil is a field of RFC 5424, nil for its NILVALUE.
func unlessNil(b []byte, n int) []byte {
	if string(b) == "-" {
		return nil
	}
	return b[:min(len(b), n)]
}
