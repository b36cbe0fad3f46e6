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
	// Object is the first object that the message is about, type in the upper
	// 10 bits and instance in the lower 22; of an I-Am, the device itself.
	Object    uint32
	HasObject bool
	Property  uint32 // of a read or write
	Vendor    uint16 // of an I-Am
	Truncated bool   // the end of the message was never seen
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
		m.confirmed(c)
	case BACnetUnconfirmed:
		m.Service = c.u8()
		if m.Service == bacnetIAm && !c.short {
			m.iAm(c)
		}
	case BACnetSimpleAck, BACnetError:
		m.Invoke, m.Service = c.u8(), c.u8()
	case BACnetComplexAck:
		m.Invoke = c.u8()
		m.segment(c, segmented)
		m.Service = c.u8()
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

// confirmed reads the object and the property that a request is about: tags 0
// and 1 of the common services.
func (m *BACnet) confirmed(c *cursor) {
	const object, property1, property2 = 0x0c, 0x19, 0x1a
	switch m.Service {
	case bacnetReadProperty, bacnetReadMultiple, bacnetWriteProperty, bacnetWriteMultiple:
	default:
		return
	}
	if c.short || m.Segmented || len(c.b) < 5 || c.b[0] != object {
		return
	}
	c.u8()
	m.Object, m.HasObject = c.u32(), true
	if m.Service == bacnetReadMultiple || m.Service == bacnetWriteMultiple {
		const opening = 0x1e
		if len(c.b) == 0 || c.u8() != opening {
			return
		}
		const first1, first2 = 0x09, 0x0a
		switch c.u8() {
		case first1:
			m.Property = uint32(c.u8())
		case first2:
			m.Property = uint32(c.u16())
		}
		return
	}
	switch c.u8() {
	case property1:
		m.Property = uint32(c.u8())
	case property2:
		m.Property = uint32(c.u16())
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
