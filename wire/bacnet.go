package wire

import "fmt"

// BACnet is one BACnet/IP message (ANSI/ASHRAE 135-2020, annex J).
type BACnet struct {
	BVLC uint8 // function of the virtual link: 4 forwarded, 10 unicast, 11 broadcast, 5 register foreign device ...
	// Destination and Source are the remote networks of a routed message, 0 if
	// it names none; 65535 is a global broadcast.
	Destination, Source uint16
	// Network is the type of a network layer message plus one, 0 if an
	// application message follows.
	Network uint16
	// PDU is the type of an application message plus one: 1 confirmed request,
	// 2 unconfirmed request, 3 simple and 4 complex acknowledgement, 5 segment
	// acknowledgement, 6 error, 7 reject, 8 abort. 0 if there is none.
	PDU       uint8
	Invoke    uint8 // of all but unconfirmed requests
	Service   uint8 // of requests, acknowledgements and errors
	Reason    uint8 // of a reject or abort
	Segmented bool
	// ErrorClass and ErrorCode say why a request failed, if HasError.
	ErrorClass, ErrorCode uint16
	HasError              bool
	// Object is the first object that the message is about, type in the upper
	// 10 bits and instance in the lower 22; of an I-Am, the device itself.
	Object      uint32
	HasObject   bool
	Property    uint32 // of the object, if HasProperty
	HasProperty bool
	Vendor      uint16 // of an I-Am
	Truncated   bool   // the end of the message was never seen
}

// Protocol implements Message.
func (*BACnet) Protocol() string { return "bacnet" }

// Types of PDU, plus one.
const (
	BACnetConfirmed   = 1
	BACnetUnconfirmed = 2
	BACnetSimpleAck   = 3
	BACnetComplexAck  = 4
	BACnetSegmentAck  = 5
	BACnetError       = 6
	BACnetReject      = 7
	BACnetAbort       = 8
)

const (
	bvlcType      = 0x81
	bvlcForwarded = 4
	bvlcSecure    = 12
	bvlcHeader    = 4

	npduVersion     = 1
	npduNetwork     = 0x80
	npduDestination = 0x20
	npduSource      = 0x08

	bacnetIAm           = 0
	bacnetIHave         = 1
	bacnetReadProperty  = 12
	bacnetReadMultiple  = 14
	bacnetWriteProperty = 15
	bacnetWriteMultiple = 16
)

var (
	errBACnetKind = fmt.Errorf("read bacnet header: %w", ErrNotMine)
	errBACnetCut  = fmt.Errorf("read bacnet header: %w", ErrTruncated)
)

// sniffBACnet recognises the type, function and length of the virtual link,
// and the version and reserved bits of the network layer behind it.
func sniffBACnet(b []byte) bool {
	if len(b) < bvlcHeader || b[0] != bvlcType || b[1] > bvlcSecure || len(b) != int(b[2])<<8|int(b[3]) {
		return false
	}
	npdu, ok := npduOf(b)
	switch {
	case !ok:
		return false
	case npdu == nil: // of the virtual link alone
		return bvlcFits(b[1], len(b))
	}
	return len(npdu) >= 2 && npdu[0] == npduVersion && npdu[1]&0x50 == 0
}

// bvlcFits knows the lengths of messages without a network layer.
func bvlcFits(function uint8, n int) bool {
	switch function {
	case 0, 5:
		return n == 6
	case 1, 3, 7:
		return (n-bvlcHeader)%10 == 0
	case 2, 6:
		return n == 4
	case 8:
		return n == 10
	}
	return false
}

// npduOf returns what is above the virtual link, nil if the function has
// nothing there.
func npduOf(b []byte) (npdu []byte, ok bool) {
	switch b[1] {
	case bvlcForwarded: // behind the address of the first sender
		if len(b) < bvlcHeader+6 {
			return nil, false
		}
		return b[bvlcHeader+6:], true
	case 9, 10, 11:
		return b[bvlcHeader:], true
	}
	return nil, true
}

func parseBACnet(b []byte) (Message, error) {
	if len(b) < bvlcHeader {
		return nil, errBACnetCut
	}
	size := int(b[2])<<8 | int(b[3])
	if b[0] != bvlcType || b[1] > bvlcSecure || size < bvlcHeader || size < len(b) {
		return nil, errBACnetKind
	}
	m := &BACnet{BVLC: b[1], Truncated: size > len(b)}
	npdu, ok := npduOf(b)
	if !ok {
		return nil, errBACnetCut
	}
	if npdu == nil {
		if !bvlcFits(m.BVLC, size) && m.BVLC != bvlcSecure {
			return nil, errBACnetKind
		}
		return m, nil
	}
	c := cursor{b: npdu}
	if version, control := c.u8(), c.u8(); !c.short && version == npduVersion {
		m.network(&c, control)
	} else if !c.short {
		return nil, errBACnetKind
	}
	m.Truncated = m.Truncated || c.short
	return m, nil
}

// network reads the rest of the network layer's header (clause 6.2).
func (m *BACnet) network(c *cursor, control uint8) {
	if control&npduDestination != 0 {
		m.Destination = c.u16()
		c.skip(int(c.u8()))
	}
	if control&npduSource != 0 {
		m.Source = c.u16()
		c.skip(int(c.u8()))
	}
	if control&npduDestination != 0 {
		c.u8() // hops left
	}
	if c.short || len(c.b) == 0 {
		c.short = true
		return
	}
	if control&npduNetwork != 0 {
		m.Network = uint16(c.u8()) + 1
		return
	}
	m.application(c)
}

// application reads the header of an application message (clause 20.1).
func (m *BACnet) application(c *cursor) {
	head := c.u8()
	pdu := head>>4 + 1
	segmented := head&0x08 != 0
	if pdu > BACnetAbort {
		return
	}
	m.PDU = pdu
	switch pdu {
	case BACnetConfirmed:
		c.u8() // sizes that the sender accepts
		m.Invoke = c.u8()
		m.segment(c, segmented)
		m.Service = c.u8()
		m.about(c)
	case BACnetUnconfirmed:
		m.Service = c.u8()
		if m.Service == bacnetIAm && !c.short {
			m.iAm(c)
		} else {
			m.about(c)
		}
	case BACnetSimpleAck:
		m.Invoke, m.Service = c.u8(), c.u8()
	case BACnetError:
		m.Invoke, m.Service = c.u8(), c.u8()
		m.errorOf(c)
	case BACnetComplexAck:
		m.Invoke = c.u8()
		m.segment(c, segmented)
		m.Service = c.u8()
		m.about(c)
	case BACnetSegmentAck:
		m.Invoke = c.u8()
	case BACnetReject, BACnetAbort:
		m.Invoke, m.Reason = c.u8(), c.u8()
	}
}

func (m *BACnet) segment(c *cursor, segmented bool) {
	if segmented {
		m.Segmented = true
		c.skip(2) // sequence number, window
	}
}

// about reads the object that a message names, and the property of it behind
// that.
func (m *BACnet) about(c *cursor) {
	want, property := m.objectTag()
	if want == 0 || c.short || m.Segmented {
		return
	}
	const objectSize = 4
	p := cursor{b: c.b} // many parameters are optional: without one the message is not cut
	if m.PDU == BACnetUnconfirmed && m.Service == bacnetIHave {
		p.skip(1 + objectSize) // the device
	}
	for range maxBACnetTags {
		tag, size := bacnetTag(&p)
		if p.short {
			break
		}
		if tag == want && size == objectSize {
			m.Object, m.HasObject = p.u32(), !p.short
			if property && m.HasObject {
				m.propertyOf(&p)
			}
			break
		}
		p.skip(size)
	}
	c.short = c.short || !m.HasObject && m.mustName()
}

// maxBACnetTags is how many parameters are in front of an object at most, those
// that open a list counted.
const maxBACnetTags = 4

// bacnetTag reads a tag (clause 20.2.1) and returns its number and class as its
// first byte has them, and how many bytes of value follow.
func bacnetTag(c *cursor) (tag uint8, size int) {
	const opening, extended, extended16, extended32 = 6, 5, 254, 255
	first := c.u8()
	size = int(first & 7)
	switch {
	case size >= opening:
		size = 0
	case size == extended:
		switch size = int(c.u8()); size {
		case extended16:
			size = int(c.u16())
		case extended32:
			size = int(c.u32())
		}
	}
	return first &^ 7, size
}

// objectTag is the tag of the object that a service is about (clauses 13 to
// 17), 0 if it is about none, and whether a property of it follows.
func (m *BACnet) objectTag() (tag uint8, property bool) {
	const application, context0, context1, context2 = 0xc0, 0x08, 0x18, 0x28
	request := m.PDU == BACnetConfirmed
	if m.PDU == BACnetUnconfirmed {
		switch m.Service {
		case bacnetIHave:
			return application, false
		case 2, 3, 7: // notifications, who-Has
			return context2, false
		}
		return 0, false
	}
	switch m.Service {
	case bacnetReadProperty, bacnetReadMultiple, 26: // readRange
		return context0, true
	case bacnetWriteProperty, bacnetWriteMultiple, 8, 9: // elements of lists
		return context0, true
	case 0, 5, 28: // acknowledgeAlarm, subscribeCOV, subscribeCOVProperty
		return context1, false
	case 1, 2: // notifications
		return context2, false
	case 6, 7, 10, 11: // files; objects are created and deleted
		if m.Service == 10 && request {
			return context1, false
		}
		if request || m.Service == 10 {
			return application, false
		}
	}
	return 0, false
}

// mustName reports whether a request without an object was cut.
func (m *BACnet) mustName() bool {
	if m.PDU != BACnetConfirmed {
		return false
	}
	switch m.Service {
	case bacnetReadProperty, bacnetReadMultiple, bacnetWriteProperty, bacnetWriteMultiple:
		return true
	}
	return false
}

// propertyOf reads the property behind an object, or the first of a list.
func (m *BACnet) propertyOf(c *cursor) {
	const property, opening, first, result = 0x18, 0x1e, 0x08, 0x28
	if len(c.b) > 0 && c.b[0] == opening {
		c.u8()
	}
	tag, size := bacnetTag(c)
	if tag != property && tag != first && tag != result || size == 0 || size > 4 {
		return
	}
	v := uint32(0)
	for range size {
		v = v<<8 | uint32(c.u8())
	}
	if !c.short {
		m.Property, m.HasProperty = v, true
	}
}

// errorOf reads class and code of an error, which some services wrap.
func (m *BACnet) errorOf(c *cursor) {
	const enumerated, opening = 0x90, 0x0e
	p := cursor{b: c.b}
	if len(p.b) > 0 && p.b[0] == opening {
		p.u8()
	}
	var v [2]uint16
	for i := range v {
		switch tag, size := bacnetTag(&p); {
		case tag == enumerated && size == 1:
			v[i] = uint16(p.u8())
		case tag == enumerated && size == 2:
			v[i] = p.u16()
		default:
			return
		}
	}
	if !p.short {
		m.ErrorClass, m.ErrorCode, m.HasError = v[0], v[1], true
	}
}

// iAm reads the device, its limits and its vendor.
func (m *BACnet) iAm(c *cursor) {
	const objectTag = 0xc4
	if c.u8() != objectTag {
		return
	}
	if object := c.u32(); !c.short {
		m.Object, m.HasObject = object, true
	}
	for range 2 { // longest message, segmentation
		c.skip(int(c.u8() & 7))
	}
	switch tag := c.u8(); {
	case c.short:
	case tag == 0x21:
		m.Vendor = uint16(c.u8())
	case tag == 0x22:
		m.Vendor = c.u16()
	}
}

// Response reports whether the message answers another.
func (m *BACnet) Response() bool { return m.PDU > BACnetUnconfirmed }

// AppendCommands implements Commander.
func (m *BACnet) AppendCommands(dst []Command) []Command {
	switch {
	case m.Truncated && m.PDU == 0:
		return dst
	case m.PDU == BACnetConfirmed || m.PDU == BACnetUnconfirmed:
		c := Command{Protocol: "bacnet", Unit: uint32(m.Destination), Function: uint32(m.Service) | uint32(m.PDU-1)<<8}
		c.Name, c.Class = m.service()
		return append(dst, c)
	case m.PDU == 0 && m.Network == 0 && m.BVLC != 0:
		name, class := bvlcFunction(m.BVLC)
		return append(dst, Command{Protocol: "bacnet", Function: uint32(m.BVLC) | 0xff00, Name: name, Class: class})
	}
	return dst
}

var _ Commander = (*BACnet)(nil)
