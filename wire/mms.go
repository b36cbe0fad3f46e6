package wire

import (
	"fmt"
	"strings"
)

// MMS is one PDU of the Manufacturing Message Specification (ISO 9506), which
// IEC 61850 and older controllers speak over the ISO stack.
type MMS struct {
	PDU     MMSType
	Invoke  uint32 // number that a response has in common with its request
	Service int    // confirmed or unconfirmed service, see ServiceName; -1 if the PDU names none
	Error   bool   // the service was refused
	// Domain and Item name the first object that the PDU is about: in IEC
	// 61850 the logical device and the node ("GGIO1$CO$SPCSO1$Oper"); at most
	// 64 bytes each, as both standards allow.
	Domain, Item    string
	Calling, Called string // transport selectors, "" if the beginning of the connection was not seen
	Truncated       bool   // the end of the PDU was never seen
}

// Protocol implements Message.
func (*MMS) Protocol() string { return "mms" }

// MMSType is the number of a PDU within MMSpdu.
type MMSType uint8

// Types of PDU.
const (
	MMSConfirmedRequest  MMSType = 0
	MMSConfirmedResponse MMSType = 1
	MMSConfirmedError    MMSType = 2
	MMSUnconfirmed       MMSType = 3
	MMSReject            MMSType = 4
	MMSCancelRequest     MMSType = 5
	MMSCancelResponse    MMSType = 6
	MMSCancelError       MMSType = 7
	MMSInitiateRequest   MMSType = 8
	MMSInitiateResponse  MMSType = 9
	MMSInitiateError     MMSType = 10
	MMSConcludeRequest   MMSType = 11
	MMSConcludeResponse  MMSType = 12
	MMSConcludeError     MMSType = 13
)

// The layers between COTP and MMS: ISO 8327 session, ISO 8823 presentation,
// ISO 8650 ACSE.
const (
	spduGiveTokens       = 1
	spduDataTransfer     = 1
	spduConnect          = 13
	spduAccept           = 14
	spduUserData         = 193
	spduExtendedUserData = 194
	presentationUserData = 0x61

	maxMMSName = 64
)

var errMMS = fmt.Errorf("read mms: %w", ErrMalformed)

// readMMS reads what one message of COTP holds. Some implementations leave out
// session and presentation.
func readMMS(_ Dir, b []byte, cut bool, f *cotpFraming, msgs []Message) ([]Message, error) {
	pdu := b
	switch {
	case b[0]>>6 == 2: // an MMSpdu at once
	case len(b) >= 4 && b[0] == spduGiveTokens && b[1] == 0 && b[2] == spduDataTransfer && b[3] == 0:
		pdu = presentationData(b[4:])
	case b[0] == spduConnect || b[0] == spduAccept:
		pdu = acseUser(sessionUser(b))
	case b[0] > 0 && b[0] < 64: // another session PDU: finish, disconnect, abort
		return msgs, nil
	default:
		return msgs, errUpper
	}
	if pdu == nil {
		return msgs, nil
	}
	m, err := parseMMS(pdu, cut)
	if err != nil {
		return msgs, err
	}
	m.Calling, m.Called = f.calling, f.called
	return append(msgs, m), nil
}

// Elements that a PDU is wrapped in (ISO 8823-1, ISO 8650-1).
var (
	tagSequence = berTag{0, 16}
	tagExternal = berTag{0, 8}
	tagSingle   = berTag{2, 0} // single-ASN1-type: the value itself
)

// presentationData unwraps User-data: a list of presentation data values, each
// with the number of its context.
func presentationData(b []byte) []byte {
	user, _, ok := nextBER(b)
	if !ok || user.class != 1 || user.tag != 1 {
		return nil
	}
	return user.at(tagSequence, tagSingle)
}

// sessionUser returns the user data of a connect or accept: parameters with a
// length of one byte, or 255 and two.
func sessionUser(b []byte) []byte {
	c := cursor{b: b}
	c.u8()
	sessionLength(&c)
	for range 32 { // parameters; some ten are defined
		code := c.u8()
		v := c.upTo(sessionLength(&c))
		if code == spduUserData || code == spduExtendedUserData {
			return v
		}
		if c.short {
			break
		}
	}
	return nil
}

func sessionLength(c *cursor) int {
	if n := c.u8(); n != 255 {
		return int(n)
	}
	return int(c.u16())
}

// acseUser unwraps a connect PDU of presentation and the association PDU in
// it: normal-mode parameters, user data, AARQ or AARE, user information.
func acseUser(b []byte) []byte {
	outer, _, ok := nextBER(b)
	if !ok || outer.tag != 17 {
		return nil
	}
	normalMode, userData, information := berTag{2, 2}, berTag{1, 1}, berTag{2, 30}
	association, _, ok := nextBER(outer.at(normalMode, userData, tagSequence, tagSingle))
	if !ok {
		return nil
	}
	return association.at(information, tagExternal, tagSingle)
}

func parseMMS(b []byte, cut bool) (*MMS, error) {
	e, _, ok := nextBER(b)
	if !ok || e.class != 2 || e.tag > uint32(MMSConcludeError) || e.cut && !cut {
		return nil, errMMS
	}
	m := &MMS{PDU: MMSType(e.tag), Service: -1, Truncated: cut}
	switch m.PDU {
	case MMSConfirmedRequest, MMSConfirmedResponse:
		m.confirmed(&e)
	case MMSConfirmedError:
		m.Error = true
		if id, ok := e.child(2, 0); ok {
			m.Invoke = uint32(id.uint())
		}
	case MMSUnconfirmed:
		if service, _, ok := nextBER(e.content); ok {
			m.Service = int(service.tag)
			m.object(service.content, 0)
		}
	case MMSCancelRequest, MMSCancelResponse:
		m.Invoke = uint32(e.uint())
	case MMSReject, MMSCancelError, MMSInitiateError, MMSConcludeError:
		m.Error = true
	}
	return m, nil
}

// confirmed reads the invoke identifier and the service behind it.
func (m *MMS) confirmed(e *ber) {
	for b := e.content; ; {
		c, rest, ok := nextBER(b)
		if !ok {
			return // without a service
		}
		switch {
		case c.class == 0 && c.tag == 2:
			m.Invoke = uint32(c.uint())
		case c.class == 2:
			m.Service = int(c.tag)
			if m.PDU == MMSConfirmedRequest {
				m.object(c.content, 0)
			}
			return
		}
		b = rest
	}
}

// object looks for the first name: domain-specific, two visible strings in a
// row, or one alone.
func (m *MMS) object(b []byte, depth int) bool {
	const visibleString = 26
	for depth < maxBERDepth {
		e, rest, ok := nextBER(b)
		if !ok {
			return false
		}
		switch {
		case e.class == 0 && e.tag == visibleString && !e.nested:
			first := mmsName(e.content)
			if second, _, ok := nextBER(rest); ok && second.class == 0 && second.tag == visibleString {
				m.Domain, m.Item = first, mmsName(second.content)
			} else {
				m.Item = first
			}
			return true
		case e.nested && m.object(e.content, depth+1):
			return true
		}
		b = rest
	}
	return false
}

func mmsName(b []byte) string { return plainText(b[:min(len(b), maxMMSName)]) }

// HasInvoke reports whether the PDU is of a kind that has an invoke identifier.
func (m *MMS) HasInvoke() bool {
	return m.PDU <= MMSConfirmedError || m.PDU == MMSCancelRequest || m.PDU == MMSCancelResponse
}

// Response reports whether the PDU answers another.
func (m *MMS) Response() bool {
	switch m.PDU {
	case MMSConfirmedRequest, MMSUnconfirmed, MMSCancelRequest, MMSInitiateRequest, MMSConcludeRequest:
		return false
	}
	return true
}

// Class is what the service does to the device, for a response too. A write to
// a control object of IEC 61850 (functional constraint CO) operates something.
func (m *MMS) Class() CommandClass {
	if m.PDU != MMSConfirmedRequest && m.PDU != MMSConfirmedResponse {
		return CommandOther
	}
	_, class := mmsService(m.Service)
	if class == CommandWrite && strings.Contains(m.Item, "$CO$") {
		return CommandControl
	}
	return class
}

// AppendCommands implements Commander.
func (m *MMS) AppendCommands(dst []Command) []Command {
	if m.PDU != MMSConfirmedRequest || m.Service < 0 {
		return dst
	}
	return append(dst, Command{Protocol: "mms", Function: uint32(max(m.Service, 0)), Name: m.ServiceName(), Class: m.Class()})
}

var _ Commander = (*MMS)(nil)
