package wire

import (
	"fmt"
	"net/netip"
)

// NBNS is one message of the NetBIOS name service (RFC 1002 section 4.2).
type NBNS struct {
	ID       uint16
	Response bool
	Opcode   uint8 // 0 query, 5 registration, 6 release, 7 wait, 8 and 9 refresh, 15 multi-homed registration
	RCode    uint8
	Name     string       // as asked for or claimed, without the blanks that fill it up
	Suffix   uint8        // its last byte: 0x00 workstation, 0x20 file server, 0x1c domain controllers ...
	Type     uint16       // 32 address, 33 node status
	Addrs    []netip.Addr // that the name is claimed for or has, at most 8
	// Names and MAC are what a node status response says of its sender; at
	// most 16 names.
	Names     []NetBIOSName
	MAC       [6]byte
	Truncated bool // the end of the message was never seen
}

// NetBIOSName is a name that a node has.
type NetBIOSName struct {
	Name   string
	Suffix uint8
	Group  bool // shared, as a workgroup's name is
}

// Protocol implements Message.
func (*NBNS) Protocol() string { return "nbns" }

const (
	nbnsHeader   = 12
	nbnsEncoded  = 32 // bytes of a first label: 16 bytes, half a byte each
	nbnsAddress  = 32
	nbnsStatus   = 33
	maxNBNSAddrs = 8
	maxNBNSNames = 16
	nbnsNameLen  = 15
)

var (
	errNBNSCut  = fmt.Errorf("read nbns: %w", ErrTruncated)
	errNBNSKind = fmt.Errorf("read nbns: %w", ErrNotMine)
)

// parseNBNS parses one message. Names that are not encoded as NetBIOS names
// are, as of the DNS, are ErrNotMine.
func parseNBNS(b []byte) (Message, error) {
	c := cursor{b: b}
	m := &NBNS{ID: c.u16()}
	flags := c.u16()
	questions, answers, authority, additional := c.u16(), c.u16(), c.u16(), c.u16()
	if c.short {
		return nil, errNBNSCut
	}
	m.Response, m.Opcode, m.RCode = flags&0x8000 != 0, uint8(flags>>11&15), uint8(flags&15)
	if questions > 1 || answers > 1 || authority > 1 || additional > 1 || questions+answers+additional == 0 {
		return nil, errNBNSKind
	}
	switch m.Opcode {
	case 0, 5, 6, 7, 8, 9, 15:
	default:
		return nil, errNBNSKind
	}
	var ok bool
	if m.Name, m.Suffix, ok = netBIOSName(&c); !ok {
		if c.short {
			return nil, errNBNSCut
		}
		return nil, errNBNSKind
	}
	m.Type = c.u16()
	if c.short {
		return nil, errNBNSCut
	}
	if m.Type != nbnsAddress && m.Type != nbnsStatus && m.Type != 10 { // 10: no data, in negative answers
		return nil, errNBNSKind
	}
	c.skip(2) // class
	if questions == 1 && (answers+additional == 0 || !skipNBNSName(&c)) {
		return m, nil
	}
	if questions == 1 {
		c.skip(4) // type, class of the record
	}
	m.record(&c)
	return m, nil
}

// skipNBNSName passes over the name of a record: mostly a pointer to that of
// the question.
func skipNBNSName(c *cursor) bool {
	if len(c.b) > 0 && c.b[0] >= 0xc0 {
		c.skip(2)
		return !c.short
	}
	_, _, ok := netBIOSName(c)
	return ok
}

// record reads time to live, length and data of a record.
func (m *NBNS) record(c *cursor) {
	c.skip(4)
	n := int(c.u16())
	data := cursor{b: c.upTo(n)}
	m.Truncated = c.short
	if m.Type == nbnsStatus {
		m.status(&data)
		return
	}
	for len(data.b) >= 6 && len(m.Addrs) < maxNBNSAddrs {
		data.skip(2) // group bit, kind of node
		m.Addrs = append(m.Addrs, group4(&data))
	}
}

// status reads a node status: the names, then statistics that begin with the
// hardware address.
func (m *NBNS) status(c *cursor) {
	n := int(c.u8())
	for i := range n {
		name, suffix, flags := c.take(nbnsNameLen), c.u8(), c.u16()
		if c.short {
			m.Truncated = true
			return
		}
		if i < maxNBNSNames {
			m.Names = append(m.Names, NetBIOSName{plainText(name), suffix, flags&0x8000 != 0})
		}
	}
	copy(m.MAC[:], c.take(6))
}

// netBIOSName decodes a name (RFC 1001 section 14.1) and passes over the scope
// behind it.
func netBIOSName(c *cursor) (name string, suffix uint8, ok bool) {
	if c.u8() != nbnsEncoded {
		return "", 0, false
	}
	label := c.take(nbnsEncoded)
	if label == nil {
		return "", 0, false
	}
	var plain [nbnsEncoded / 2]byte
	for i := range plain {
		high, low := label[2*i]-'A', label[2*i+1]-'A'
		if high > 15 || low > 15 {
			return "", 0, false
		}
		plain[i] = high<<4 | low
	}
	for range 8 { // labels of the scope
		n := c.u8()
		switch {
		case c.short || n > 63:
			return "", 0, false
		case n == 0:
			return plainText(plain[:nbnsNameLen]), plain[nbnsNameLen], true
		}
		c.skip(int(n))
	}
	return "", 0, false
}

// OpcodeName names the operation in lower case, "" if it is unknown.
func (m *NBNS) OpcodeName() string {
	switch m.Opcode {
	case 0:
		return "query"
	case 5:
		return "registration"
	case 6:
		return "release"
	case 7:
		return "wait"
	case 8, 9:
		return "refresh"
	case 15:
		return "multihomed_registration"
	}
	return ""
}
