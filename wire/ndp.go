package wire

import (
	"net/netip"
)

// NDP is one message of Neighbor Discovery for IPv6 (RFC 4861, RFC 8106).
type NDP struct {
	Type   uint8      // 133 router solicitation, 134 router and 136 neighbor advertisement, 135 neighbor solicitation, 137 redirect
	Target netip.Addr // of a neighbor message or redirect
	// Destination is what a redirect is about.
	Destination netip.Addr
	// SourceMAC and TargetMAC are the link-layer addresses in the options,
	// zero if there are none.
	SourceMAC, TargetMAC [6]byte
	// Router, Solicited and Override are the flags of a neighbor advertisement.
	Router, Solicited, Override bool
	// Of a router advertisement: default lifetime in seconds, hop limit,
	// whether addresses and other settings come by DHCPv6, MTU, prefixes on
	// the link, DNS servers and search domains, at most eight of each.
	Lifetime           uint16
	HopLimit           uint8
	Managed, OtherInfo bool
	MTU                uint32
	Prefixes           []netip.Prefix
	DNS                []netip.Addr
	Search             []string
	Truncated          bool // the end of the message was never seen
}

// Protocol implements Message.
func (*NDP) Protocol() string { return "ndp" }

const (
	ndpSourceMAC = 1
	ndpTargetMAC = 2
	ndpPrefix    = 3
	ndpMTU       = 5
	ndpRDNSS     = 25
	ndpDNSSL     = 31

	maxNDPList    = 8
	maxNDPOptions = 32
)

// parseNDP reads a message whose type is known to be one.
func parseNDP(b []byte) (Message, error) {
	m := &NDP{Type: b[0]}
	c := cursor{b: b}
	c.skip(4) // type, code, check sum
	switch m.Type {
	case ndpRouterSolicit:
		c.skip(4)
	case ndpRouterAdvert:
		m.HopLimit = c.u8()
		flags := c.u8()
		m.Managed, m.OtherInfo = flags&0x80 != 0, flags&0x40 != 0
		m.Lifetime = c.u16()
		c.skip(8)
	case ndpNeighborAsk, ndpNeighborTell:
		if flags := c.u8(); m.Type == ndpNeighborTell {
			m.Router, m.Solicited, m.Override = flags&0x80 != 0, flags&0x40 != 0, flags&0x20 != 0
		}
		c.skip(3)
		m.Target = addr6(&c)
	case ndpRedirect:
		c.skip(4)
		m.Target, m.Destination = addr6(&c), addr6(&c)
	}
	if c.short {
		return nil, errICMPCut
	}
	for range maxNDPOptions {
		if len(c.b) == 0 || !m.option(&c) {
			break
		}
	}
	return m, nil
}

// option reads one option: type, length in units of eight bytes, value.
func (m *NDP) option(c *cursor) bool {
	kind, n := c.u8(), 8*int(c.u8())-2
	if n < 0 {
		return false
	}
	v := cursor{b: c.take(n)}
	if c.short {
		m.Truncated = true
		return false
	}
	switch kind {
	case ndpSourceMAC:
		copy(m.SourceMAC[:], v.take(6))
	case ndpTargetMAC:
		copy(m.TargetMAC[:], v.take(6))
	case ndpPrefix:
		bits := int(v.u8())
		v.skip(1 + 12)
		if p := netip.PrefixFrom(addr6(&v), bits); p.IsValid() && len(m.Prefixes) < maxNDPList {
			m.Prefixes = append(m.Prefixes, p)
		}
	case ndpMTU:
		v.skip(2)
		m.MTU = v.u32()
	case ndpRDNSS:
		v.skip(2 + 4)
		for len(v.b) >= 16 && len(m.DNS) < maxNDPList {
			m.DNS = append(m.DNS, addr6(&v))
		}
	case ndpDNSSL:
		v.skip(2 + 4)
		m.Search = domainNames(v.b, m.Search, maxNDPList)
	}
	return true
}

// addr6 reads an IPv6 address, the zero Addr if it is not all there.
func addr6(c *cursor) netip.Addr {
	if v := c.take(16); v != nil {
		return netip.AddrFrom16([16]byte(v))
	}
	return netip.Addr{}
}

// domainNames appends the names of a list in DNS wire form without compression
// (RFC 8106, RFC 8415 section 10) up to a number of entries; zeros fill up the
// option.
func domainNames(b []byte, names []string, most int) []string {
	var name []byte
	for len(b) > 0 && len(names) < most {
		n := int(b[0])
		switch {
		case n == 0:
			if len(name) > 0 {
				names = append(names, plainText(name))
			}
			name, b = name[:0], b[1:]
		case n > 63 || 1+n > len(b) || len(name)+n > maxDNSName:
			return names
		default:
			if len(name) > 0 {
				name = append(name, '.')
			}
			name, b = append(name, b[1:1+n]...), b[1+n:]
		}
	}
	if len(name) > 0 && len(names) < most { // a partial name, RFC 4704 section 4.2
		names = append(names, plainText(name))
	}
	return names
}

// TypeName names the message in lower case.
func (m *NDP) TypeName() string {
	switch m.Type {
	case ndpRouterSolicit:
		return "router_solicitation"
	case ndpRouterAdvert:
		return "router_advertisement"
	case ndpNeighborAsk:
		return "neighbor_solicitation"
	case ndpNeighborTell:
		return "neighbor_advertisement"
	case ndpRedirect:
		return "redirect"
	}
	return ""
}
