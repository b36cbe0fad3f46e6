package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Radius is a packet of RADIUS (RFC 2865, accounting RFC 2866, changes of
// authorization RFC 5176) of a kind that was not seen before on its flow.
type Radius struct {
	Code       uint8      // 1 access request, 2 accept, 3 reject, 11 challenge, 4 and 5 accounting, 40 to 45 changes
	ID         uint8      // an answer has that of its request
	User       string     // at most 253 bytes, as all names
	Method     string     // of a request: "PAP", "CHAP", "MS-CHAP", "EAP", "" if none is shown
	NAS        string     // how the access server names itself
	NASAddr    netip.Addr // and its address, the zero Addr if not shown
	Calling    string     // who asks for access: often a hardware address
	Called     string     // where: often a hardware address and the name of a wireless network
	Framed     netip.Addr // address that the user gets or has
	Session    string     // of accounting
	Accounting uint8      // 1 start, 2 stop, 3 interim, 7 on, 8 off; 0 if it is none
}

// Protocol implements Message.
func (*Radius) Protocol() string { return "radius" }

const (
	radiusHeader    = 20
	maxRadius       = 4096 // RFC 2865 section 3
	maxRadiusKinds  = 64   // packets that are told apart on a flow
	maxRadiusLogins = 32   // requests that wait for their answer

	radiusRequest    = 1
	radiusAccept     = 2
	radiusReject     = 3
	radiusAccounting = 4
	radiusChallenge  = 11

	radiusEAP = 79 // attribute (RFC 3579 section 3.1)
)

var (
	errRadiusKind = fmt.Errorf("read radius: %w", ErrNotMine)
	errRadiusCut  = fmt.Errorf("read radius: %w", ErrTruncated)
)

// radiusFlow follows what an access server and a RADIUS server say, mostly
// about many users.
type radiusFlow struct {
	told    []uint64
	waiting []radiusLogin // oldest first
}

// radiusLogin is a request that waits for its answer.
type radiusLogin struct {
	id    uint8
	from  Dir
	login *Login
}

func newRadiusFlow() Datagrams { return &radiusFlow{} }

var _ Flusher = (*radiusFlow)(nil)

// radiusFields are the attributes that matter, within the packet.
type radiusFields struct {
	user, nas, calling, called, session, nasAddr, framed []byte
	method                                               string
	accounting                                           uint8
	attributes                                           int
	names                                                bool // who asks: every request does
	// An attribute is empty, other than the EAP message that asks to begin
	// (RFC 3579 section 2.1), or is a number of another size.
	odd bool
}

// sniffRadius recognises a packet by its code, its length and attributes that
// fill it exactly.
func sniffRadius(b []byte) bool {
	f, err := readRadius(b)
	if err != nil || f.odd {
		return false
	}
	if b[0] == radiusRequest || b[0] == radiusAccounting {
		return f.names
	}
	return f.attributes > 0
}

// isRadius recognises any packet on the ports of RADIUS, also answers without
// attributes.
func isRadius(b []byte) bool {
	_, err := readRadius(b)
	return err == nil
}

// Datagram implements Datagrams.
func (f *radiusFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	fields, err := readRadius(b)
	if err != nil {
		return msgs, err
	}
	code, id := b[0], b[1]
	if f.isNew(fields.kind(dir, code)) {
		msgs = append(msgs, fields.message(code, id))
	}
	switch code {
	case radiusRequest:
		if fields.user != nil && f.waitsFor(dir, id) < 0 { // else it is repeated
			return f.begin(dir, id, &fields, msgs), nil
		}
	case radiusAccept, radiusReject, radiusChallenge:
		if i := f.waitsFor(dir.Other(), id); i >= 0 {
			l := f.waiting[i].login
			f.waiting = append(f.waiting[:i], f.waiting[i+1:]...)
			if code == radiusChallenge { // asks for more, in another request
				return msgs, nil
			}
			l.Outcome = outcomeOf(code == radiusAccept)
			msgs = append(msgs, l)
		}
	}
	return msgs, nil
}

// begin notes a request to be let in. The password in it is encrypted.
func (f *radiusFlow) begin(dir Dir, id uint8, fields *radiusFields, msgs []Message) []Message {
	if len(f.waiting) == maxRadiusLogins {
		msgs = append(msgs, f.waiting[0].login)
		f.waiting = append(f.waiting[:0], f.waiting[1:]...)
	}
	l := &Login{Service: "radius", User: userText(fields.user), Mechanism: fields.method}
	f.waiting = append(f.waiting, radiusLogin{id, dir, l})
	return msgs
}

// waitsFor returns which request of dir waits, -1 if none with this id does.
func (f *radiusFlow) waitsFor(dir Dir, id uint8) int {
	for i, w := range f.waiting {
		if w.id == id && w.from == dir {
			return i
		}
	}
	return -1
}

// isNew reports whether nothing of this kind was told.
func (f *radiusFlow) isNew(kind uint64) bool {
	for _, k := range f.told {
		if k == kind {
			return false
		}
	}
	if len(f.told) == maxRadiusKinds {
		return false
	}
	f.told = append(f.told, kind)
	return true
}

// Flush implements Flusher.
func (f *radiusFlow) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	for _, w := range f.waiting {
		if w.from != dir {
			msgs = append(msgs, w.login)
		}
	}
	return msgs
}

// readRadius finds the attributes of a packet, whose end may be padding.
func readRadius(b []byte) (f radiusFields, err error) {
	if len(b) < radiusHeader {
		return f, errRadiusCut
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	switch code := b[0]; {
	case size < radiusHeader || size > maxRadius:
		return f, errRadiusKind
	case code < 1 || code > 5 && code != radiusChallenge && code != 12 && (code < 40 || code > 45):
		return f, errRadiusKind
	case len(b) < size:
		return f, errRadiusCut
	}
	for c := (cursor{b: b[radiusHeader:size]}); len(c.b) > 0; {
		kind, n := c.u8(), int(c.u8())
		value := c.take(n - 2)
		if c.short || kind == 0 {
			return f, errRadiusKind
		}
		f.odd = f.odd || len(value) == 0 && kind != radiusEAP || radiusNumber(kind) && len(value) != 4
		f.attribute(kind, value)
		f.attributes++
	}
	return f, nil
}

// radiusNumber tells the attributes that are a number or an address of IPv4,
// and so of four bytes, of RFC 2865 and RFC 2866.
func radiusNumber(kind uint8) bool {
	switch kind {
	case 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 23, 27, 28, 29, 37, 38, 40, 41, 42, 43, 45, 46, 47, 48, 49, 51, 61, 62:
		return true
	}
	return false
}

// attribute keeps one attribute (RFC 2865 section 5, RFC 2866, RFC 3579).
func (f *radiusFields) attribute(kind uint8, value []byte) {
	const (
		userName, userPassword, chapPassword, nasAddress, framedAddress = 1, 2, 3, 4, 8
		vendor, calledStation, callingStation, nasIdentifier, nasIP6    = 26, 30, 31, 32, 95
		accountingStatus, session                                       = 40, 44
	)
	switch kind {
	case userName:
		f.user, f.names = value, true
	case userPassword:
		f.method = "PAP"
	case chapPassword:
		f.method = "CHAP"
	case radiusEAP:
		f.method = "EAP"
	case vendor: // RFC 2548: Microsoft's 1 is a response, 25 one of version 2
		if len(value) > 4 && binary.BigEndian.Uint32(value) == 311 && (value[4] == 1 || value[4] == 25) {
			f.method = "MS-CHAP"
		}
	case nasAddress, nasIP6:
		f.nasAddr, f.names = value, true
	case nasIdentifier:
		f.nas, f.names = value, true
	case framedAddress:
		f.framed = value
	case calledStation:
		f.called = value
	case callingStation:
		f.calling = value
	case session:
		f.session = value
	case accountingStatus:
		if len(value) == 4 {
			f.accounting = value[3]
		}
	}
}

// kind is what packets are told once for.
func (f *radiusFields) kind(dir Dir, code uint8) uint64 {
	h := habit(0).with(uint64(dir)).with(uint64(code)).with(uint64(f.accounting)).withText(f.method)
	for _, part := range [...][]byte{f.user, f.nas, f.nasAddr, f.calling} {
		h = h.withBytes(part)
	}
	return h.value()
}

func (f *radiusFields) message(code, id uint8) *Radius {
	m := &Radius{
		Code: code, ID: id, User: string(f.user), Method: f.method, NAS: string(f.nas),
		Calling: string(f.calling), Called: string(f.called), Session: string(f.session), Accounting: f.accounting,
	}
	m.NASAddr, _ = netip.AddrFromSlice(f.nasAddr)
	m.Framed, _ = netip.AddrFromSlice(f.framed)
	return m
}

// CodeName names the kind of packet in lower case (IANA, RADIUS packet type
// codes), "" if it is unknown.
func (m *Radius) CodeName() string {
	switch m.Code {
	case radiusRequest:
		return "access_request"
	case radiusAccept:
		return "access_accept"
	case radiusReject:
		return "access_reject"
	case radiusAccounting:
		return "accounting_request"
	case 5:
		return "accounting_response"
	case radiusChallenge:
		return "access_challenge"
	case 12:
		return "status_server"
	case 40:
		return "disconnect_request"
	case 41:
		return "disconnect_ack"
	case 42:
		return "disconnect_nak"
	case 43:
		return "coa_request"
	case 44:
		return "coa_ack"
	case 45:
		return "coa_nak"
	}
	return ""
}

// AccountingName names what accounting reports, "" if it is none.
func (m *Radius) AccountingName() string {
	switch m.Accounting {
	case 1:
		return "start"
	case 2:
		return "stop"
	case 3:
		return "interim"
	case 7:
		return "on"
	case 8:
		return "off"
	}
	return ""
}
