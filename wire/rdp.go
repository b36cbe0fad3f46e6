package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// RDP is the negotiation with which a Remote Desktop connection begins: a
// request of the client or the server's answer ([MS-RDPBCGR] sections 2.2.1.1
// and 2.2.1.2).
type RDP struct {
	Response bool
	// Cookie is the name of the user, by which a balancer finds the session, as
	// far as Windows sends it: nine characters; or a routing token. At most 256
	// bytes, "" if there is none.
	Cookie string
	// Protocols are the bits of the security protocols that the client offers,
	// or the one that the server chose: 0 is RDP's own, see RDPProtocols.
	Protocols uint32
	Flags     uint8  // of a request see RDPRequestFlags, of an answer what the server supports, see RDPSupport
	Failure   uint32 // why the server refuses, 0 if it does not
}

// Protocol implements Message.
func (*RDP) Protocol() string { return "rdp" }

// RDPProtocols names the security protocols of a mask as Suricata does.
func RDPProtocols(mask uint32) []string {
	if mask == 0 {
		return []string{"rdp"}
	}
	var names []string
	for bit, name := range [...]string{"ssl", "hybrid", "rdstls", "hybrid_ex", "rdsaad"} {
		if mask>>bit&1 != 0 {
			names = append(names, name)
		}
	}
	return names
}

// RDPRequestFlags names the flags of a client's request as Suricata does.
func RDPRequestFlags(flags uint8) []string {
	var names []string
	for bit, name := range [...]string{
		0: "restricted_admin_mode_required", 1: "redirected_authentication_mode_required", 3: "correlation_info_present",
	} {
		if name != "" && flags>>bit&1 != 0 {
			names = append(names, name)
		}
	}
	return names
}

// RDPSupport names the flags of a server's answer as Suricata does.
func RDPSupport(flags uint8) []string {
	var names []string
	for bit, name := range [...]string{
		0: "extended_client_data", 1: "dynvc_gfx", 3: "restricted_admin", 4: "redirected_authentication",
	} {
		if name != "" && flags>>bit&1 != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Negotiation structures (sections 2.2.1.1.1, 2.2.1.2.1 and 2.2.1.2.2).
const (
	rdpNegRequest  = 1
	rdpNegResponse = 2
	rdpNegFailure  = 3
	rdpNegLen      = 8

	rdpFixed = 11 // TPKT header and the fixed part of the X.224 TPDU
	maxRDP   = 512
)

var errRDPKind = fmt.Errorf("read rdp negotiation: %w", ErrNotMine)

// rdpStream reads the negotiation, behind which TLS or RDP's own encryption
// begins, and what either end says of itself before the latter.
type rdpStream struct {
	asked  bool // a request was read
	inside bool // RDP's own encryption was chosen
}

func newRDPStream() Stream { return &rdpStream{} }

// Feed implements Stream.
func (s *rdpStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	if len(b) == 0 {
		return 0, msgs, nil
	}
	if s.inside || s.asked && sniffRDP(dir, b) != Yes {
		return s.within(b, msgs)
	}
	switch sniffRDP(dir, b) {
	case No:
		return 0, msgs, errRDPKind
	case Maybe:
		return 0, msgs, nil
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	m := readRDP(b[:size])
	msgs = append(msgs, m)
	switch {
	case !m.Response:
	case m.Failure != 0:
		return size, msgs, ErrDone
	case m.Protocols != 0: // TLS follows, in CredSSP too
		return size, msgs, ErrUpgrade
	default:
		s.inside = true
	}
	s.asked = true
	n, msgs, err := s.Feed(dir, b[size:], msgs)
	return size + n, msgs, err
}

// within reads the TPKTs behind a request: an answer without a negotiation, which
// old servers give, and what the ends say of themselves.
func (s *rdpStream) within(b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		rest := b[n:]
		if rest[0] != tpktVersion {
			return n, msgs, ErrDone
		}
		if len(rest) < tpktHeader {
			return n, msgs, nil
		}
		size := int(binary.BigEndian.Uint16(rest[2:]))
		if size < tpktData || size > maxRDPConnect {
			return n, msgs, ErrDone
		}
		if len(rest) < size {
			return n, msgs, nil
		}
		n += size
		if !s.inside && size == rdpFixed && rest[5] == cotpConfirm {
			s.inside = true
			msgs = append(msgs, &RDP{Response: true})
			continue
		}
		m, done := readRDPConnect(rest[:size])
		if m != nil {
			msgs = append(msgs, m)
		}
		if done || !s.inside {
			return n, msgs, ErrDone
		}
	}
	return n, msgs, nil
}

// readRDP reads a negotiation that sniffRDP has recognised.
func readRDP(b []byte) *RDP {
	m := &RDP{Response: b[5] == cotpConfirm}
	rest := b[rdpFixed:]
	if end := bytes.Index(rest, []byte("\r\n")); end >= 0 && !m.Response {
		line := rest[:end]
		line = bytes.TrimPrefix(line, []byte("Cookie: "))
		line = bytes.TrimPrefix(line, []byte("mstshash="))
		m.Cookie = plainText(line[:min(len(line), maxUser)])
		rest = rest[end+2:]
	}
	if len(rest) < rdpNegLen {
		return m
	}
	switch value := binary.LittleEndian.Uint32(rest[4:]); rest[0] {
	case rdpNegRequest, rdpNegResponse:
		m.Protocols, m.Flags = value, rest[1]
	case rdpNegFailure:
		m.Failure = value
	}
	return m
}

// sniffRDP recognises a connection request or confirmation of X.224 over TPKT
// that holds a cookie or a negotiation, and nothing that it would in another
// protocol.
func sniffRDP(_ Dir, b []byte) Match {
	const open = -1 // lengths and the type, which are judged below, and the source reference
	for i, want := range [...]int{tpktVersion, 0, open, open, open, open, 0, 0, open, open, 0} {
		if i < len(b) && want != open && int(b[i]) != want {
			return No
		}
	}
	if len(b) < 6 {
		return Maybe
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	if size <= rdpFixed || size > maxRDP || int(b[4]) != size-tpktHeader-1 || b[5] != cotpConnect && b[5] != cotpConfirm {
		return No
	}
	if len(b) > rdpFixed && !plausibleRDP(b[5] == cotpConfirm, b[rdpFixed:min(len(b), size)]) {
		return No
	}
	if len(b) < size {
		return Maybe
	}
	rest := b[rdpFixed:size]
	if b[5] == cotpConnect {
		if end := bytes.Index(rest, []byte("\r\n")); end >= 0 {
			rest = rest[end+2:]
		} else if rest[0] != rdpNegRequest {
			return No
		}
	}
	return matchIf(len(rest) == 0 || len(rest) >= rdpNegLen && plausibleRDP(b[5] == cotpConfirm, rest[:rdpNegLen]))
}

// plausibleRDP judges the beginning of the variable part: a negotiation
// structure, or, in a request, a cookie or token before it.
func plausibleRDP(confirm bool, b []byte) bool {
	kinds := []byte{rdpNegRequest}
	if confirm {
		kinds = []byte{rdpNegResponse, rdpNegFailure}
	}
	if bytes.IndexByte(kinds, b[0]) >= 0 {
		return (len(b) < 3 || b[2] == rdpNegLen) && (len(b) < 4 || b[3] == 0)
	}
	for _, name := range []string{"Cookie: ", "tsv://"} {
		n := min(len(b), len(name))
		if !confirm && string(b[:n]) == name[:n] {
			return true
		}
	}
	return false
}
