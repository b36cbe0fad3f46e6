package wire

import (
	"fmt"
	"net/netip"
)

// Membership is one message about multicast groups: of IGMP (RFC 1112, RFC
// 2236, RFC 3376) or of MLD (RFC 2710, RFC 3810).
type Membership struct {
	Proto   string // "igmp" or "mld"
	Kind    string // "query", "report" or "leave"
	Version uint8
	Groups  []MembershipGroup // at most 32; of a general query, none
	// Truncated: the end of the message was never seen, or more groups follow.
	Truncated bool
}

// MembershipGroup is one group. Mode is the record type of a report of IGMPv3
// or MLDv2: 1 include and 2 exclude are its state, 3 and 4 a change to them, 5
// and 6 allow and block sources; 0 in older versions.
type MembershipGroup struct {
	Addr    netip.Addr
	Mode    uint8
	Sources uint16 // how many are named
}

// Protocol implements Message.
func (m *Membership) Protocol() string { return m.Proto }

const (
	igmpQuery   = 0x11
	igmpReport1 = 0x12
	igmpReport2 = 0x16
	igmpLeave   = 0x17
	igmpReport3 = 0x22
	maxGroups   = 32
)

var (
	errIGMPCut  = fmt.Errorf("read igmp: %w", ErrTruncated)
	errIGMPKind = fmt.Errorf("read igmp: a routing protocol within: %w", ErrNotMine)
)

// parseIGMP reads an IGMP message from behind the IP header. What else runs
// under its number (DVMRP, PIM version 1, router discovery) is ErrNotMine.
func parseIGMP(b []byte) (Message, error) {
	if len(b) < 8 {
		return nil, errIGMPCut
	}
	m := &Membership{Proto: "igmp", Kind: "report", Version: 2}
	c := cursor{b: b[4:]}
	switch b[0] {
	case igmpQuery:
		m.Kind = "query"
		switch {
		case len(b) >= 12: // the length tells, RFC 3376 section 7.1
			m.Version = 3
		case b[1] == 0:
			m.Version = 1
		}
		m.group(group4(&c), 0, 0)
	case igmpReport1:
		m.Version = 1
		m.group(group4(&c), 0, 0)
	case igmpReport2:
		m.group(group4(&c), 0, 0)
	case igmpLeave:
		m.Kind = "leave"
		m.group(group4(&c), 0, 0)
	case igmpReport3:
		m.Version = 3
		m.records(&c, group4, 4)
	default:
		return nil, errIGMPKind
	}
	return m, nil
}

// parseMLD reads an ICMPv6 message whose type is known to be one of MLD.
func parseMLD(b []byte) (Message, error) {
	if len(b) < 8 {
		return nil, errICMPCut
	}
	m := &Membership{Proto: "mld", Kind: "report", Version: 1}
	c := cursor{b: b[4:]}
	if b[0] == mldReport2 {
		m.Version = 2
		m.records(&c, addr6, 16)
		return m, nil
	}
	c.skip(4)
	group := addr6(&c)
	if c.short {
		return nil, errICMPCut
	}
	switch b[0] {
	case mldQuery:
		m.Kind = "query"
		if len(c.b) > 0 {
			m.Version = 2
		}
	case mldDone:
		m.Kind = "leave"
	}
	m.group(group, 0, 0)
	return m, nil
}

// records reads the group records of a report: type, length of auxiliary data
// in words, number of sources, group, sources.
func (m *Membership) records(c *cursor, addr func(*cursor) netip.Addr, size int) {
	c.skip(2)
	n := int(c.u16())
	for i := range n {
		if i == maxGroups {
			m.Truncated = true
			return
		}
		mode, extra, sources := c.u8(), int(c.u8()), c.u16()
		group := addr(c)
		if c.short {
			m.Truncated = true
			return
		}
		m.group(group, mode, sources)
		c.skip(size*int(sources) + 4*extra)
	}
	m.Truncated = c.short
}

func (m *Membership) group(addr netip.Addr, mode uint8, sources uint16) {
	if addr.IsValid() && !addr.IsUnspecified() {
		m.Groups = append(m.Groups, MembershipGroup{addr, mode, sources})
	}
}

// group4 reads an IPv4 address.
func group4(c *cursor) netip.Addr {
	if v := c.take(4); v != nil {
		return netip.AddrFrom4([4]byte(v))
	}
	return netip.Addr{}
}
