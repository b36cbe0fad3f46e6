package wire

import (
	"fmt"
	"net/netip"
)

// DCP is one message of PROFINET's Discovery and basic Configuration Protocol
// (IEC 61158-6-10), by which controllers find devices, and name and address
// them. It runs directly above Ethernet.
type DCP struct {
	Service  uint8 // 3 get, 4 set, 5 identify, 6 hello
	Response bool
	OK       bool // of a response: the service is supported
	XID      uint32
	// What the blocks of the message say; zero where there is none.
	Station  string // name of station
	Vendor   string // type of station
	VendorID uint16
	DeviceID uint16
	Role     uint8 // 1 device, 2 controller, 4 multidevice, 8 supervisor, added
	Addr     netip.Addr
	Mask     netip.Addr
	Gateway  netip.Addr
	// Control is the sub-option of a control block in a set request: 3 signals
	// (the lamp blinks), 5 and 6 reset to factory settings; 0 if there is none.
	Control   uint8
	Truncated bool // the end of the message was never seen
}

// Protocol implements Message.
func (*DCP) Protocol() string { return "profinet_dcp" }

// PROFINET frame identifiers and DCP services.
const (
	dcpHello    = 0xfefc
	dcpGetSet   = 0xfefd
	dcpIdentify = 0xfefe
	dcpAnswer   = 0xfeff

	dcpServiceGet = 3
	dcpServiceSet = 4
	maxDCPBlocks  = 32
	maxStation    = 240 // characters of a name of station
)

var (
	errDCPKind = fmt.Errorf("read profinet frame: not dcp: %w", ErrNotMine)
	errDCPCut  = fmt.Errorf("read profinet dcp: %w", ErrTruncated)
)

// parseDCP parses the payload of an Ethernet frame of type 0x8892. Cyclic data
// and alarms, which have other frame identifiers, are ErrNotMine.
func parseDCP(b []byte) (Message, error) {
	c := cursor{b: b}
	id := c.u16()
	if c.short {
		return nil, errDCPCut
	}
	if id < dcpHello {
		return nil, errDCPKind
	}
	m := &DCP{Service: c.u8()}
	kind := c.u8()
	m.XID = c.u32()
	c.u16() // how long answers may be delayed, or reserved
	n := int(c.u16())
	if c.short {
		return nil, errDCPCut
	}
	if m.Service < dcpServiceGet || m.Service > 6 {
		return nil, errDCPKind
	}
	m.Response, m.OK = kind&1 != 0, kind == 1
	blocks := cursor{b: c.upTo(n)}
	m.Truncated = c.short
	for range maxDCPBlocks {
		if len(blocks.b) == 0 || !m.block(&blocks) {
			break
		}
	}
	return m, nil
}

// block reads one block: option, sub-option, length, in sets and answers two
// bytes of information, the value, and a byte that makes it even.
func (m *DCP) block(c *cursor) bool {
	option, sub, n := c.u8(), c.u8(), int(c.u16())
	if m.Service == dcpServiceGet && !m.Response {
		return false // a list of options alone
	}
	v := cursor{b: c.upTo(n)}
	if c.short {
		m.Truncated = true
	} else if n&1 == 1 && len(c.b) > 0 {
		c.u8()
	}
	if (m.Response || m.Service == dcpServiceSet || m.Service == 6) && option != 5 {
		v.skip(2)
	}
	switch uint16(option)<<8 | uint16(sub) {
	case 0x0102, 0x0103:
		m.Addr, m.Mask, m.Gateway = addrOf(&v), addrOf(&v), addrOf(&v)
	case 0x0201:
		m.Vendor = plainText(v.b[:min(len(v.b), maxStation)])
	case 0x0202:
		m.Station = plainText(v.b[:min(len(v.b), maxStation)])
	case 0x0203:
		m.VendorID, m.DeviceID = v.u16(), v.u16()
	case 0x0204:
		m.Role = v.u8()
	}
	if option == 5 && !m.Response {
		m.Control = sub
	}
	return !c.short
}

// addrOf reads an IPv4 address, the zero Addr for 0.0.0.0.
func addrOf(c *cursor) netip.Addr {
	if v := c.take(4); v != nil {
		return addr4(v)
	}
	return netip.Addr{}
}

// ServiceName names the service in lower case, "" if it is unknown.
func (m *DCP) ServiceName() string {
	switch m.Service {
	case dcpServiceGet:
		return "get"
	case dcpServiceSet:
		return "set"
	case 5:
		return "identify"
	case 6:
		return "hello"
	}
	return ""
}

// Class is what the service does to the device: a set changes its name, its
// address or its settings.
func (m *DCP) Class() CommandClass {
	switch m.Service {
	case dcpServiceGet, 5:
		return CommandRead
	case dcpServiceSet:
		return CommandControl
	}
	return CommandOther
}

// AppendCommands implements Commander.
func (m *DCP) AppendCommands(dst []Command) []Command {
	if m.Response {
		return dst
	}
	return append(dst, Command{
		Protocol: "profinet_dcp", Function: uint32(m.Service) | uint32(m.Control)<<8,
		Name: m.ServiceName(), Class: m.Class(),
	})
}

var _ Commander = (*DCP)(nil)
