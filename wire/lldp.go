package wire

import (
	"fmt"
	"net/netip"
)

// Neighbor is what a device says of itself to those on the same cable: by LLDP
// (IEEE 802.1AB-2016, ANSI/TIA-1057 for the inventory) or by Cisco's CDP. Texts
// are at most 255 bytes.
type Neighbor struct {
	Proto       string // "lldp" or "cdp"
	Chassis     string // identifier of the device; a hardware address is written with colons, a network address as such
	Port        string // identifier of the port
	PortText    string // description of the port
	TTL         uint16 // seconds
	Name        string
	Description string // system description, or the software version of CDP
	// Capabilities are bits. LLDP: 1 repeater, 2 bridge, 3 access point, 4
	// router, 5 telephone, 7 station, counted from 0. CDP: 0 router, 1 and 3
	// bridges, 4 host, 7 telephone.
	Capabilities uint32
	Addrs        []netip.Addr // for management, at most 8
	// Inventory of LLDP-MED; Model is also CDP's platform.
	Hardware, Firmware, Software, Serial, Manufacturer, Model string
	MUD                                                       string // URL of a manufacturer usage description (RFC 8520)
	VLAN                                                      uint16 // CDP: native VLAN, LLDP: port VLAN; 0 if it names none
	Truncated                                                 bool   // the end of the message was never seen
}

// Protocol implements Message.
func (m *Neighbor) Protocol() string { return m.Proto }

const (
	lldpEnd          = 0
	lldpChassis      = 1
	lldpPort         = 2
	lldpTTL          = 3
	lldpPortText     = 4
	lldpName         = 5
	lldpDescription  = 6
	lldpCapabilities = 7
	lldpManagement   = 8
	lldpOrganization = 127

	maxNeighborText  = 255
	maxNeighborTLVs  = 128
	maxNeighborAddrs = 8
)

var (
	errLLDPCut  = fmt.Errorf("read lldp: %w", ErrTruncated)
	errLLDPKind = fmt.Errorf("read lldp: no chassis at the beginning: %w", ErrMalformed)
	errCDPKind  = fmt.Errorf("read 802.2 frame: not cdp: %w", ErrNotMine)
	errCDPCut   = fmt.Errorf("read cdp: %w", ErrTruncated)
)

// parseLLDP parses the payload of an Ethernet frame of type 0x88cc.
func parseLLDP(b []byte) (Message, error) {
	m := &Neighbor{Proto: "lldp"}
	c := cursor{b: b}
	for i := range maxNeighborTLVs {
		head := c.u16()
		kind, n := head>>9, int(head&0x1ff)
		if i == 0 && c.short {
			return nil, errLLDPCut
		}
		if i == 0 && (kind != lldpChassis || n < 2) {
			return nil, errLLDPKind
		}
		if c.short || kind == lldpEnd {
			break
		}
		v := cursor{b: c.upTo(n)}
		m.lldp(kind, &v)
		if c.short {
			m.Truncated = true
			break
		}
	}
	return m, nil
}

// lldp reads the value of one element.
func (m *Neighbor) lldp(kind uint16, v *cursor) {
	const chassisMAC, chassisAddr, portMAC, portAddr = 4, 5, 3, 4
	switch kind {
	case lldpChassis:
		sub := v.u8()
		m.Chassis = neighborID(sub == chassisMAC, sub == chassisAddr, v.b)
	case lldpPort:
		sub := v.u8()
		m.Port = neighborID(sub == portMAC, sub == portAddr, v.b)
	case lldpTTL:
		m.TTL = v.u16()
	case lldpPortText:
		m.PortText = neighborText(v.b)
	case lldpName:
		m.Name = neighborText(v.b)
	case lldpDescription:
		m.Description = neighborText(v.b)
	case lldpCapabilities:
		v.skip(2) // those it has; then those that are on
		m.Capabilities = uint32(v.u16())
	case lldpManagement:
		n := int(v.u8())
		m.address(v.u8(), v.take(n-1))
	case lldpOrganization:
		m.organization(uint32(v.u8())<<16|uint32(v.u16()), v.u8(), v)
	}
}

// organization reads the elements of IEEE 802.1, TIA and IANA.
func (m *Neighbor) organization(oui uint32, sub uint8, v *cursor) {
	const ieee8021, tia, iana = 0x0080c2, 0x0012bb, 0x00005e
	switch {
	case oui == ieee8021 && sub == 1:
		m.VLAN = v.u16()
	case oui == iana && sub == 1:
		m.MUD = neighborText(v.b)
	case oui == tia:
		switch sub {
		case 5:
			m.Hardware = neighborText(v.b)
		case 6:
			m.Firmware = neighborText(v.b)
		case 7:
			m.Software = neighborText(v.b)
		case 8:
			m.Serial = neighborText(v.b)
		case 9:
			m.Manufacturer = neighborText(v.b)
		case 10:
			m.Model = neighborText(v.b)
		}
	}
}

// address adds a management address of an IANA family.
func (m *Neighbor) address(family uint8, b []byte) {
	if a, ok := familyAddr(family, b); ok && len(m.Addrs) < maxNeighborAddrs {
		m.Addrs = append(m.Addrs, a)
	}
}

// familyAddr reads an address of an IANA family, 1 for IPv4 and 2 for IPv6.
func familyAddr(family uint8, b []byte) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(b)
	return a, ok && (family == 1 && a.Is4() || family == 2 && a.Is6())
}

func neighborText(b []byte) string { return plainText(b[:min(len(b), maxNeighborText)]) }

// neighborID writes an identifier that is a hardware address, a network address
// behind its family, or a text.
func neighborID(mac, addr bool, b []byte) string {
	const digits = "0123456789abcdef"
	if addr && len(b) > 0 {
		if a, ok := familyAddr(b[0], b[1:]); ok {
			return a.String()
		}
	}
	if !mac || len(b) != 6 {
		return neighborText(b)
	}
	out := make([]byte, 0, 17)
	for i, c := range b {
		if i > 0 {
			out = append(out, ':')
		}
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

// parseCDP parses an 802.2 frame from its DSAP on: SNAP of Cisco's OUI, type
// 0x2000, then version, time to live, check sum and elements.
func parseCDP(b []byte) (Message, error) {
	const snap = "\xaa\xaa\x03\x00\x00\x0c\x20\x00"
	if len(b) < len(snap) || string(b[:len(snap)]) != snap {
		return nil, errCDPKind
	}
	c := cursor{b: b[len(snap):]}
	m := &Neighbor{Proto: "cdp"}
	version, ttl := c.u8(), c.u8()
	c.skip(2)
	if c.short {
		return nil, errCDPCut
	}
	if version != 1 && version != 2 {
		return nil, errCDPKind
	}
	m.TTL = uint16(ttl)
	for range maxNeighborTLVs {
		if len(c.b) < 4 {
			break
		}
		kind, n := c.u16(), int(c.u16())-4
		if n < 0 {
			break
		}
		v := cursor{b: c.upTo(n)}
		m.cdp(kind, &v)
		if c.short {
			m.Truncated = true
			break
		}
	}
	return m, nil
}

// cdp reads the value of one element.
func (m *Neighbor) cdp(kind uint16, v *cursor) {
	switch kind {
	case 1:
		m.Chassis = neighborText(v.b)
		m.Name = m.Chassis
	case 2, 0x16:
		m.cdpAddresses(v)
	case 3:
		m.Port = neighborText(v.b)
	case 4:
		m.Capabilities = v.u32()
	case 5:
		m.Description = neighborText(v.b)
	case 6:
		m.Model = neighborText(v.b)
	case 0x0a:
		m.VLAN = v.u16()
	}
}

// cdpAddresses reads a list: protocol as its kind, length and number, then the
// address.
func (m *Neighbor) cdpAddresses(v *cursor) {
	for range min(v.u32(), maxNeighborAddrs) {
		v.u8()
		v.skip(int(v.u8()))
		b := v.take(int(v.u16()))
		if v.short {
			return
		}
		family := uint8(1)
		if len(b) == 16 {
			family = 2
		}
		m.address(family, b)
	}
}
