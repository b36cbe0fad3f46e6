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
	Response bool // of modes 6 and 7
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
// that real clocks have, and a list of clients by its request code and the
// size of its items. Control packets are not recognised.
func sniffNTP(b []byte) bool {
	m, err := parseNTP(b)
	switch {
	case err != nil:
		return false
	case m.Mode == ntpPrivate:
		return sniffMonlist(b, m)
	case m.Mode != 3 && m.Mode != 4 || m.Version < 3 || m.Stratum > 16:
		return false
	}
	// Behind the header: an authenticator of 20 or 24 bytes, or extensions.
	size := len(b) == ntpHeader || len(b) == ntpHeader+20 || len(b) == ntpHeader+24
	delay, dispersion := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	poll, precision := int8(b[2]), int8(b[3])
	return size && poll >= 0 && poll <= 17 && precision <= 0 && precision >= -32 &&
		delay < 16<<16 && dispersion < 1<<24 &&
		(m.Mode == 3 || m.Stratum > 0 || binary.BigEndian.Uint32(b[40:]) != 0) // a server names its time
}

// sniffMonlist: the implementation is 2 or 3, an item has the 32 or 72 bytes
// of an entry, or a request none.
func sniffMonlist(b []byte, m *NTP) bool {
	if !m.Monlist || b[2] != 2 && b[2] != 3 || len(b) < 8 {
		return false
	}
	items, size := int(binary.BigEndian.Uint16(b[4:])&0xfff), int(binary.BigEndian.Uint16(b[6:])&0xfff)
	if !m.Response {
		return items == 0 && size == 0
	}
	return size == 32 || size == 72 || size == 0
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
		m.Response = b[1]&0x80 != 0
		return m, nil
	case ntpPrivate:
		m.Response = b[0]&0x80 != 0
		m.Monlist = b[3] == ntpMonlist || b[3] == ntpMonlist1
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
