package wire

import (
	"fmt"
	"net/netip"
	"slices"
)

// DHCPv6 is one message of DHCP for IPv6 (RFC 8415, RFC 4704 for names). Of a
// relayed one, the message inside.
type DHCPv6 struct {
	Type    uint8 // 1 solicit ... 11 information-request, 12 and 13 relayed
	XID     uint32
	Relayed bool
	// ClientID and ServerID are DUIDs with their type; at most 130 bytes as
	// the standard allows.
	ClientID, ServerID []byte
	FQDN               string
	// Enterprise and Vendor are the vendor class: an IANA enterprise number
	// and the first text; Vendor is at most 255 bytes.
	Enterprise uint32
	Vendor     string
	MUD        string         // URL of a manufacturer usage description (RFC 8520)
	Addrs      []netip.Addr   // leased or asked for, at most 8
	Prefixes   []netip.Prefix // delegated, at most 8
	DNS        []netip.Addr   // at most 8
	Search     []string       // at most 8
	Options    []uint16       // in order of appearance, at most 64
	Requested  []uint16       // option request, in order, at most 64
	Truncated  bool           // the end of the message was never seen
}

// Protocol implements Message.
func (*DHCPv6) Protocol() string { return "dhcpv6" }

const (
	dhcp6RelayForward = 12
	dhcp6RelayReply   = 13

	dhcp6ClientID    = 1
	dhcp6ServerID    = 2
	dhcp6NonTemp     = 3
	dhcp6Temporary   = 4
	dhcp6Address     = 5
	dhcp6Requested   = 6
	dhcp6Relay       = 9
	dhcp6VendorClass = 16
	dhcp6DNS         = 23
	dhcp6Search      = 24
	dhcp6Delegation  = 25
	dhcp6Prefix      = 26
	dhcp6FQDN        = 39
	dhcp6MUD         = 112

	maxDUID         = 130
	maxDHCP6List    = 8
	maxDHCP6Options = 64
	maxDHCP6Depth   = 4   // relays on the way, at most 8 by the standard; and options in options
	maxDHCP6Code    = 150 // options beyond are not assigned
)

var (
	errDHCP6Cut  = fmt.Errorf("read dhcpv6: %w", ErrTruncated)
	errDHCP6Kind = fmt.Errorf("read dhcpv6: %w", ErrNotMine)
)

// parseDHCPv6 parses one message.
func parseDHCPv6(b []byte) (Message, error) {
	m := &DHCPv6{}
	if err := m.read(b, 0); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *DHCPv6) read(b []byte, depth int) error {
	c := cursor{b: b}
	m.Type = c.u8()
	switch {
	case c.short:
		return errDHCP6Cut
	case m.Type == 0 || m.Type > dhcp6RelayReply || depth == maxDHCP6Depth:
		return errDHCP6Kind
	case m.Type >= dhcp6RelayForward:
		m.Relayed = true
		c.skip(1 + 16 + 16) // hops, link, peer
	default:
		m.XID = uint32(c.u8())<<16 | uint32(c.u16())
	}
	if c.short {
		return errDHCP6Cut
	}
	if len(c.b) < 4 { // no message is without options
		return errDHCP6Cut
	}
	for len(c.b) > 0 && len(m.Options) < maxDHCP6Options {
		code, n := c.u16(), int(c.u16())
		v := c.upTo(n)
		switch first := len(m.Options) == 0; {
		case code == 0 || first && code > maxDHCP6Code:
			return errDHCP6Kind
		case c.short && first:
			return errDHCP6Cut
		case c.short && !m.identified():
			return errDHCP6Cut
		case c.short:
			m.Truncated = true
			return nil
		}
		if code == dhcp6Relay {
			inner := DHCPv6{Relayed: true}
			if inner.read(v, depth+1) == nil { // else the relay's own options are what there is
				*m = inner
			}
			return nil
		}
		m.Options = append(m.Options, code)
		m.option(code, v)
	}
	if len(m.Options) < maxDHCP6Options && !m.identified() {
		return errDHCP6Kind
	}
	return nil
}

// identified reports whether a message says who sent it, as all but a request
// for information must (RFC 8415 section 16). A relay's says what it relays, or
// nothing that is known.
func (m *DHCPv6) identified() bool {
	const information = 11
	has := func(code uint16) bool { return slices.Contains(m.Options, code) }
	switch m.Type {
	case information, dhcp6RelayForward, dhcp6RelayReply:
		return true
	}
	return has(dhcp6ClientID) || has(dhcp6ServerID)
}

// option reads the value of one option.
func (m *DHCPv6) option(code uint16, b []byte) {
	v := cursor{b: b}
	switch code {
	case dhcp6ClientID:
		m.ClientID = append([]byte(nil), b[:min(len(b), maxDUID)]...)
	case dhcp6ServerID:
		m.ServerID = append([]byte(nil), b[:min(len(b), maxDUID)]...)
	case dhcp6NonTemp, dhcp6Delegation:
		v.skip(12) // identity, two times
		m.association(&v)
	case dhcp6Temporary:
		v.skip(4)
		m.association(&v)
	case dhcp6Requested:
		for len(v.b) >= 2 && len(m.Requested) < maxDHCP6Options {
			m.Requested = append(m.Requested, v.u16())
		}
	case dhcp6VendorClass:
		if enterprise, text := v.u32(), v.take(int(v.u16())); !v.short {
			m.Enterprise, m.Vendor = enterprise, plainText(text[:min(len(text), 255)])
		}
	case dhcp6DNS:
		for len(v.b) >= 16 && len(m.DNS) < maxDHCP6List {
			m.DNS = append(m.DNS, addr6(&v))
		}
	case dhcp6Search:
		m.Search = domainNames(b, m.Search, maxDHCP6List)
	case dhcp6FQDN:
		if v.skip(1); !v.short {
			if names := domainNames(v.b, nil, 1); len(names) == 1 {
				m.FQDN = names[0]
			}
		}
	case dhcp6MUD:
		m.MUD = plainText(b[:min(len(b), 255)])
	}
}

// association reads the addresses and prefixes within an identity association.
func (m *DHCPv6) association(c *cursor) {
	for len(c.b) > 0 {
		code, n := c.u16(), int(c.u16())
		v := cursor{b: c.take(n)}
		switch code {
		case dhcp6Address:
			if a := addr6(&v); a.IsValid() && len(m.Addrs) < maxDHCP6List {
				m.Addrs = append(m.Addrs, a)
			}
		case dhcp6Prefix:
			v.skip(8)
			bits := int(v.u8())
			if p := netip.PrefixFrom(addr6(&v), bits); p.IsValid() && len(m.Prefixes) < maxDHCP6List {
				m.Prefixes = append(m.Prefixes, p)
			}
		}
	}
}

// TypeName names the message as RFC 8415 does, in lower case.
func (m *DHCPv6) TypeName() string {
	names := [...]string{
		1: "solicit", 2: "advertise", 3: "request", 4: "confirm", 5: "renew", 6: "rebind", 7: "reply",
		8: "release", 9: "decline", 10: "reconfigure", 11: "information-request", 12: "relay-forw", 13: "relay-repl",
	}
	if int(m.Type) < len(names) {
		return names[m.Type]
	}
	return ""
}
