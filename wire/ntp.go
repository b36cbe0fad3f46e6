package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// NTP is a packet of NTP (RFC 5905) unlike those before it on its flow.
type NTP struct {
	Mode    uint8 // 1, 2 symmetric, 3 client, 4 server, 5 broadcast, 6 control, 7 private
	Version uint8 // 1 to 4
	Stratum uint8 // 0 unspecified or a kiss of death, 1 primary, up to 15
	// Reference is where the server has its time from: a name at stratum 1,
	// an address above it, a code at 0 ("RATE").
	Reference string
	// Monlist: a request of mode 7 for the list of clients, which floods are
	// reflected with (CVE-2013-5211).
	Monlist  bool
	Response bool  // of modes 6 and 7
	Code     uint8 // of mode 6 the operation, of mode 7 the request
	Error    uint8 // of a response of modes 6 and 7, 0 if there is none
}

// Protocol implements Message.
func (*NTP) Protocol() string { return "ntp" }

const (
	ntpHeader  = 48
	ntpControl = 6
	ntpPrivate = 7
	// Request codes 20 and 42 of mode 7 (ntpd's include/ntp_request.h).
	ntpMonlist, ntpMonlist1 = 20, 42
)

var (
	errNTPKind = fmt.Errorf("read ntp: %w", ErrNotMine)
	errNTPCut  = fmt.Errorf("read ntp: %w", ErrTruncated)
)

// ntpFlow tells each kind of packet once.
type ntpFlow struct{ seen []NTP }

func newNTPFlow() Datagrams { return &ntpFlow{} }

// leadsNTP: a version from 1 to 4, and a mode.
func leadsNTP(first byte) bool {
	version := first >> 3 & 7
	return version >= 1 && version <= 4 && first&7 != 0
}

// sniffNTP recognises a packet of a client or server by its size and by values
// that real clocks have, and what controls a server by lengths that agree.
func sniffNTP(b []byte) bool {
	m, err := parseNTP(b)
	switch {
	case err != nil:
		return false
	case m.Mode == ntpPrivate:
		return sniffPrivate(b, m)
	case m.Mode == ntpControl:
		return sniffControl(b, m)
	case m.Mode != 3 && m.Mode != 4 || m.Version < 3 || m.Stratum > 16:
		return false
	}
	// Behind the header: an authenticator of 20 or 24 bytes, or extensions.
	size := len(b) == ntpHeader || len(b) == ntpHeader+20 || len(b) == ntpHeader+24
	delay, dispersion := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	poll, precision := int8(b[2]), int8(b[3])
	// Clients that say no more than they have to send 32 (draft-ietf-ntp-data-minimization).
	return size && poll >= 0 && poll <= 17 && (precision <= 0 && precision >= -32 || m.Mode == 3 && precision == 32) &&
		delay < 16<<16 && dispersion < 1<<24 &&
		(m.Mode == 3 || m.Stratum > 0 || binary.BigEndian.Uint32(b[40:]) != 0) // a server names its time
}

// isNTP recognises a packet on the port of NTP, where any mode, authenticator
// and extension is to be expected.
func isNTP(b []byte) bool {
	const privateHeader, controlHeader = 8, 12
	m, err := parseNTP(b)
	switch {
	case err != nil:
		return false
	case m.Mode == ntpPrivate:
		return len(b) >= privateHeader && (b[2] == 0 || b[2] == 2 || b[2] == 3) && b[6]&0xf0 == 0 && !plainASCII(b[:privateHeader])
	case m.Mode == ntpControl:
		// Data of the length that is given, padding, and an authenticator.
		const largestMAC = 4 + 20
		more := len(b) - controlHeader
		return more >= 0 && m.CodeName() != "" && int(binary.BigEndian.Uint16(b[10:])) >= more-3-largestMAC &&
			int(binary.BigEndian.Uint16(b[10:])) <= more
	}
	// No clock is farther than 16 from a reference, or ticks slower than once in
	// a second; what clients send instead is 32.
	precision := int8(b[3])
	return m.Stratum <= 16 && int8(b[2]) <= 24 && (precision <= 0 || precision == 32)
}

// sniffPrivate: the implementation is 2 or 3, the request one of ntpd's; items
// of a response fill it, those of a request fit into it, and a request does
// not report an error (ntpd's include/ntp_request.h).
func sniffPrivate(b []byte, m *NTP) bool {
	const header, lastRequest, more = 8, 45, 0x40
	if b[2] != 2 && b[2] != 3 || m.Code > lastRequest || len(b) < header || b[6]&0xf0 != 0 {
		return false
	}
	items, size := int(binary.BigEndian.Uint16(b[4:])&0xfff), int(binary.BigEndian.Uint16(b[6:])&0xfff)
	if m.Response {
		return len(b) == header+items*size && (m.Error == 0 || items == 0) && m.Error <= 7
	}
	return b[0]&more == 0 && b[1]&0x7f == 0 && m.Error == 0 && (items == 0 && size == 0 || m.Code != ntpMonlist && m.Code != ntpMonlist1) &&
		items*size <= len(b)-header && (items > 0) == (size > 0)
}

// sniffControl: the operation is one of RFC 9327 or of ntpd, the length is that
// of the data with padding and perhaps an authenticator; a request neither
// reports a status nor goes on.
func sniffControl(b []byte, m *NTP) bool {
	const header = 12
	if len(b) < header || m.Code == 0 || m.Code > 12 && m.Code != 31 {
		return false
	}
	count := int(binary.BigEndian.Uint16(b[10:]))
	rest := len(b) - header - (count+3)&^3
	whole := rest == 0 || rest == 4+16 || rest == 4+20 || len(b) == header+count
	if m.Response {
		return whole && (count > 0 || m.Error != 0 || m.Code == 31)
	}
	const responseErrorMore = 0xe0
	return whole && b[1]&responseErrorMore == 0 && binary.BigEndian.Uint16(b[4:]) == 0 && binary.BigEndian.Uint16(b[8:]) == 0
}

// Datagram implements Datagrams.
func (f *ntpFlow) Datagram(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	m, err := parseNTP(b)
	if err != nil {
		return msgs, err
	}
	const kinds = 8 // packets that are told apart
	for _, old := range f.seen {
		if old == *m {
			return msgs, nil
		}
	}
	if len(f.seen) == kinds {
		return msgs, nil
	}
	f.seen = append(f.seen, *m)
	return append(msgs, m), nil
}

func parseNTP(b []byte) (*NTP, error) {
	if len(b) < 4 {
		return nil, errNTPCut
	}
	if !leadsNTP(b[0]) {
		return nil, errNTPKind
	}
	m := &NTP{Version: b[0] >> 3 & 7, Mode: b[0] & 7}
	switch m.Mode {
	case ntpControl:
		m.Response, m.Code = b[1]&0x80 != 0, b[1]&0x1f
		if m.Response && b[1]&0x40 != 0 && len(b) > 4 {
			m.Error = max(1, b[4]) // RFC 9327 section 3.4: the upper half of the status
		}
		return m, nil
	case ntpPrivate:
		m.Response, m.Code = b[0]&0x80 != 0, b[3]
		m.Monlist = m.Code == ntpMonlist || m.Code == ntpMonlist1
		if len(b) > 4 {
			m.Error = b[4] >> 4
		}
		return m, nil
	}
	if len(b) < ntpHeader {
		return nil, errNTPCut
	}
	if m.Stratum = b[1]; m.Stratum > 16 {
		return nil, errNTPKind
	}
	if m.Mode == 4 || m.Mode == 5 {
		m.Reference = ntpReference(m.Stratum, [4]byte(b[12:16]))
	}
	return m, nil
}

// CodeName names what a packet of mode 6 or 7 asks for (RFC 9327 section 2,
// ntpd's include/ntp_request.h), "" if it is of another mode or not known.
func (m *NTP) CodeName() string {
	control := [...]string{
		1: "read_status", "read_variables", "write_variables", "read_clock", "write_clock", "set_trap", "async",
		"configure", "save_config", "read_mru", "read_ordered_list", "request_nonce", 31: "unset_trap",
	}
	private := [...]string{
		0: "peer_list", "peer_list_sum", "peer_info", "peer_stats", "sys_info", "sys_stats", "io_stats", "mem_stats", "loop_info",
		"timer_stats", "config", "unconfig", "set_sys_flag", "clear_sys_flag", "monitor", "no_monitor", "get_restrict",
		"add_restrict", "sub_restrict", "unrestrict", "mon_getlist", "reset_stats", "reset_peer", "reread_keys", "do_dirty_hack",
		"dont_dirty_hack", "trust_key", "untrust_key", "auth_info", "traps", "add_trap", "clear_trap", "request_key",
		"control_key", "get_control_stats", "get_leap_info", "get_clock_info", "set_clock_fudge", "get_kernel", "get_clock_bug_info",
		41: "set_precision", "mon_getlist_1", "hostname_associd", "if_stats", "if_reload",
	}
	switch {
	case m.Mode == ntpControl && int(m.Code) < len(control):
		return control[m.Code]
	case m.Mode == ntpPrivate && int(m.Code) < len(private):
		return private[m.Code]
	}
	return ""
}

// ntpReference reads a reference id (RFC 5905 section 7.3).
func ntpReference(stratum uint8, id [4]byte) string {
	if stratum > 1 {
		return netip.AddrFrom4(id).String()
	}
	n := 0
	for n < len(id) && id[n] > ' ' && id[n] <= '~' {
		n++
	}
	return string(id[:n])
}
