package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// STUN is the first message of one kind that an end sends in a flow (RFC 8489,
// with the methods of TURN, RFC 8656).
type STUN struct {
	From     Dir
	Class    string         // "request", "indication", "success", "error"
	Method   uint16         // 1: Binding, 3: Allocate ... see MethodName
	Software string         // at most 255 bytes
	User     string         // at most 256 bytes; of ICE, two fragments that were made up for the call
	Realm    string         // at most 255 bytes; with long-term credentials
	Mapped   netip.AddrPort // the address of the client as the server sees it
	Error    int            // code of an error, 0 if there is none
}

// Protocol implements Message.
func (*STUN) Protocol() string { return "stun" }

// MethodName is the name of a method in the IANA registry, "" if it has none.
func (m *STUN) MethodName() string {
	switch m.Method {
	case 1:
		return "Binding"
	case stunAllocate:
		return "Allocate"
	case 4:
		return "Refresh"
	case 6:
		return "Send"
	case 7:
		return "Data"
	case 8:
		return "CreatePermission"
	case 9:
		return "ChannelBind"
	case 10:
		return "Connect"
	case 11:
		return "ConnectionBind"
	case 12:
		return "ConnectionAttempt"
	}
	return ""
}

const (
	stunHeaderLen = 20
	stunCookie    = 0x2112a442
	stunAllocate  = 3

	maxSTUNKinds = 16  // messages of a flow that are told
	maxSTUNQuiet = 256 // media follows
)

// Attributes (RFC 8489 section 18.3).
const (
	stunMapped    = 0x0001
	stunUsername  = 0x0006
	stunIntegrity = 0x0008
	stunErrorCode = 0x0009
	stunRealm     = 0x0014
	stunXORMapped = 0x0020
	stunSoftware  = 0x8022
)

var errSTUNKind = fmt.Errorf("read stun message: %w", ErrNotMine)

// stunFlow follows one flow.
type stunFlow struct {
	told  [maxSTUNKinds]stunKind
	count int
	quiet int
	login attempt
}

// stunKind is what messages are told once for.
type stunKind struct {
	dir  Dir
	kind uint16 // class and method
	code int
}

func newSTUNFlow() Datagrams { return &stunFlow{} }

var _ Flusher = (*stunFlow)(nil)

// Datagram implements Datagrams.
func (f *stunFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	if len(b) >= 4 && b[0]>>6 == 1 { // ChannelData of TURN (RFC 8656 section 12.4)
		return f.silent(msgs)
	}
	m, credentials, err := parseSTUN(dir, b)
	if err != nil {
		return msgs, err
	}
	kind := stunKind{dir, binary.BigEndian.Uint16(b), m.Error}
	known := false
	for _, t := range f.told[:f.count] {
		known = known || t == kind
	}
	if !known && f.count < maxSTUNKinds {
		f.told[f.count] = kind
		f.count++
		f.quiet = 0
		msgs = append(msgs, m)
	}
	msgs = f.authenticate(dir, m, credentials, msgs)
	if known {
		return f.silent(msgs)
	}
	return msgs, nil
}

// silent counts what has nothing to tell.
func (f *stunFlow) silent(msgs []Message) ([]Message, error) {
	if f.quiet++; f.quiet > maxSTUNQuiet {
		return f.login.end(OutcomeUnknown, msgs), ErrDone
	}
	return msgs, nil
}

// Flush implements Flusher.
func (f *stunFlow) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	return f.login.flush(dir, msgs)
}

// authenticate follows logins to a TURN server, with long-term credentials
// (RFC 8489 section 9.2): the first request has none and is told the realm.
func (f *stunFlow) authenticate(dir Dir, m *STUN, credentials bool, msgs []Message) []Message {
	switch {
	case m.Method != stunAllocate:
	case m.Class == "request" && credentials && f.login.login == nil:
		return f.login.begin(dir, &Login{Service: "stun", User: m.User, Mechanism: "TURN"}, msgs)
	case f.login.login == nil || dir == f.login.from:
	case m.Class == "success":
		return f.login.end(Succeeded, msgs)
	case m.Class == "error" && (m.Error == 401 || m.Error == 403):
		return f.login.end(Failed, msgs)
	}
	return msgs
}

// parseSTUN reads one message. credentials says that it is signed with a user's
// password of the realm.
func parseSTUN(dir Dir, b []byte) (m *STUN, credentials bool, err error) {
	if !stunHeader(b) && !classicSTUN(b) {
		return nil, false, errSTUNKind
	}
	size := stunHeaderLen + int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < size {
		size = len(b)
	}
	kind := binary.BigEndian.Uint16(b)
	m = &STUN{
		From: dir,
		// The two bits of the class lie among those of the method (section 5).
		Class:  [...]string{"request", "indication", "success", "error"}[kind>>4&1|kind>>7&2],
		Method: kind&0x0f | kind>>1&0x70 | kind>>2&0xf80,
	}
	c := cursor{b: b[stunHeaderLen:size]}
	signed := false
	for len(c.b) >= 4 {
		id, n := c.u16(), int(c.u16())
		value := c.take(n)
		if c.short {
			break
		}
		c.skip(-n & 3)
		switch id {
		case stunUsername:
			m.User = plainText(value[:min(n, maxUser)])
		case stunRealm:
			m.Realm = plainText(value[:min(n, 255)])
		case stunSoftware:
			m.Software = plainText(value[:min(n, 255)])
		case stunIntegrity:
			signed = true
		case stunErrorCode:
			if n >= 4 {
				m.Error = int(value[2]&7)*100 + int(value[3])
			}
		case stunMapped:
			if len(value) == 8 && value[1] == 1 && !m.Mapped.IsValid() {
				m.Mapped = netip.AddrPortFrom(netip.AddrFrom4([4]byte(value[4:])), binary.BigEndian.Uint16(value[2:]))
			}
		case stunXORMapped:
			m.Mapped = stunAddress(b, value)
		}
	}
	return m, signed && m.Realm != "" && m.User != "", nil
}

// stunAddress reads an address that is mixed with the cookie and the
// transaction id (section 14.2).
func stunAddress(head, value []byte) netip.AddrPort {
	if len(value) != 8 && len(value) != 20 || value[1] != 1 && value[1] != 2 || (value[1] == 2) != (len(value) == 20) {
		return netip.AddrPort{}
	}
	var ip [16]byte
	n := copy(ip[:], value[4:])
	for i := range n {
		ip[i] ^= head[4+i]
	}
	addr, _ := netip.AddrFromSlice(ip[:n])
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(value[2:])^stunCookie>>16)
}

// stunHeader tells a header: two zero bits, a length in whole words, and the
// cookie.
func stunHeader(b []byte) bool {
	return len(b) >= stunHeaderLen && b[0]>>6 == 0 && b[3]&3 == 0 && binary.BigEndian.Uint32(b[4:]) == stunCookie
}

// sniffSTUN recognises a message with the cookie, of the length that it says,
// or one of the time before it.
func sniffSTUN(b []byte) bool {
	return stunHeader(b) && len(b) == stunHeaderLen+int(binary.BigEndian.Uint16(b[2:])) || classicSTUN(b)
}

// leadsSTUN tells the bytes that a message begins with (RFC 7983 allows fewer,
// but Facebook's servers have methods of their own).
func leadsSTUN(b byte) bool { return b>>6 == 0 }

// stunStream is STUN over TCP (section 6.2.2), in ICE with the length of each
// packet before it (RFC 4571), as media and DTLS take turns with it there.
type stunStream struct {
	flow     stunFlow
	prefixed bool
	known    bool // whether it is
}

const (
	maxSTUNHead = 2 << 10 // of a message, which is more than those of TURN take
	stunPrefix  = 2       // bytes of a length before a packet
)

func newSTUNStream() Stream { return &framedStream{framing: &stunStream{}, head: maxSTUNHead} }

func (s *stunStream) size(b []byte) (int, error) {
	if !s.known {
		if len(b) < stunPrefix+stunHeaderLen {
			return s.shortFirst(b)
		}
		s.known, s.prefixed = true, stunAt(b[stunPrefix:]) == Yes
	}
	if len(b) < 4 {
		return 0, nil
	}
	if s.prefixed {
		return stunPrefix + int(binary.BigEndian.Uint16(b)), nil
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	switch b[0] >> 6 {
	case 0:
		if n&3 != 0 {
			return 0, errSTUNKind
		}
		return stunHeaderLen + n, nil
	case 1:
		return 4 + (n+3)&^3, nil // ChannelData is padded over TCP
	}
	return 0, errSTUNKind
}

// shortFirst returns the length of a first message that ends before one with
// a length before it could be told: a header alone.
func (s *stunStream) shortFirst(b []byte) (int, error) {
	if len(b) >= stunHeaderLen && stunAt(b) == Yes && binary.BigEndian.Uint16(b[2:]) == 0 {
		s.known = true
		return stunHeaderLen, nil
	}
	return 0, nil
}

func (s *stunStream) read(dir Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	if !s.prefixed {
		return s.flow.Datagram(dir, b, msgs)
	}
	msgs, err := s.flow.Datagram(dir, b[stunPrefix:], msgs)
	if errors.Is(err, ErrNotMine) {
		err = nil // DTLS or media
	}
	return msgs, err
}

func (s *stunStream) ended(dir Dir, msgs []Message) []Message { return s.flow.Flush(dir, nil, msgs) }

// sniffSTUNStream recognises a header, or one with a length before it.
func sniffSTUNStream(_ Dir, b []byte) Match {
	plain := stunAt(b)
	if plain != No || len(b) < stunPrefix {
		return plain
	}
	framed := stunAt(b[stunPrefix:])
	if framed == Yes && binary.BigEndian.Uint16(b) != stunHeaderLen+binary.BigEndian.Uint16(b[stunPrefix+2:]) {
		return No
	}
	return framed
}

// stunAt judges the first bytes of a message: zero bits, a length in words, and
// the cookie.
func stunAt(b []byte) Match {
	const cookie = "\x21\x12\xa4\x42"
	switch {
	case len(b) > 0 && b[0]>>6 != 0, len(b) > 3 && b[3]&3 != 0,
		len(b) > 4 && string(b[4:min(len(b), 8)]) != cookie[:min(len(b), 8)-4]:
		return No
	case len(b) < stunHeaderLen:
		return Maybe
	}
	return Yes
}
