package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"time"
)

// Offsets and lengths of the BOOTP header (RFC 951, RFC 2131 section 2).
const (
	dhcpSName   = 44
	dhcpFile    = 108
	dhcpMagic   = 236
	dhcpOptions = 240

	dhcpCookie = 0x63825363 // RFC 1497, before the first option

	// maxDHCPAddrs bounds the addresses kept of one option; lists longer than
	// a handful are not seen in practice.
	maxDHCPAddrs = 16
)

// Option codes that are read (RFC 2132, RFC 4702 for the FQDN).
const (
	dhcpPad          = 0
	dhcpMask         = 1
	dhcpRouter       = 3
	dhcpDNSServer    = 6
	dhcpHostname     = 12
	dhcpDomain       = 15
	dhcpRequested    = 50
	dhcpLease        = 51
	dhcpOverload     = 52
	dhcpType         = 53
	dhcpServerID     = 54
	dhcpRenewal      = 58
	dhcpRebinding    = 59
	dhcpParams       = 55
	dhcpVendor       = 60
	dhcpClientID     = 61
	dhcpFQDN         = 81
	dhcpEnd          = 255
	fqdnWireEncoding = 0x04 // the E flag of option 81: the name is in DNS wire form
)

var (
	errDHCPCut  = fmt.Errorf("read dhcp header: %w", ErrTruncated)
	errDHCPKind = fmt.Errorf("read dhcp header: %w", ErrNotMine)
)

// sniffDHCPv4 recognises DHCP by its magic cookie behind a plausible header.
func sniffDHCPv4(b []byte) bool {
	return len(b) >= dhcpOptions && (b[0] == 1 || b[0] == 2) && b[2] <= 16 &&
		binary.BigEndian.Uint32(b[dhcpMagic:]) == dhcpCookie
}

// parseDHCPv4 parses one DHCP or BOOTP message. Options that the snap length
// has cut off are missing from the result; a header that is cut off before
// the magic cookie is ErrTruncated.
func parseDHCPv4(b []byte) (Message, error) {
	if len(b) < 4 {
		return nil, errDHCPCut
	}
	if (b[0] != 1 && b[0] != 2) || b[2] > 16 {
		return nil, errDHCPKind
	}
	if len(b) < dhcpOptions {
		return nil, errDHCPCut
	}
	m := &DHCPv4{
		XID:      binary.BigEndian.Uint32(b[4:]),
		Reply:    b[0] == 2,
		ClientIP: addr4(b[12:16]),
		YourIP:   addr4(b[16:20]),
		NextIP:   addr4(b[20:24]),
		RelayIP:  addr4(b[24:28]),
		Mask:     -1,
	}
	if b[1] == 1 && b[2] == 6 { // hardware type Ethernet
		m.ClientMAC = [6]byte(b[28:34])
	}
	if binary.BigEndian.Uint32(b[dhcpMagic:]) == dhcpCookie {
		m.readOptions(dhcpAreasOf(b))
	} else if !plainBOOTP(b) {
		return nil, errDHCPKind
	}
	return m, nil
}

// plainBOOTP judges a message without options (RFC 951): from Ethernet, behind a
// few relays at most, and with two names that end in zeros.
func plainBOOTP(b []byte) bool {
	const maxHops = 16
	mac, rest := [6]byte(b[28:34]), [10]byte(b[34:44])
	return b[1] == 1 && b[2] == 6 && b[3] <= maxHops && mac != [6]byte{} && rest == [10]byte{} &&
		zeroEnded(b[dhcpSName:dhcpFile]) && zeroEnded(b[dhcpFile:dhcpMagic])
}

// zeroEnded reports whether b is printable text, perhaps none, and then zeros.
func zeroEnded(b []byte) bool {
	end := bytes.IndexByte(b, 0)
	return end >= 0 && plainASCII(b[:end]) && len(bytes.Trim(b[end:], "\x00")) == 0
}

// dhcpAreas are the parts of a message that hold options, in the order in
// which RFC 3396 section 5 joins them: options, file, sname.
type dhcpAreas [3][]byte

func dhcpAreasOf(b []byte) dhcpAreas {
	areas := dhcpAreas{b[dhcpOptions:]}
	if v, _ := areas.option(dhcpOverload, nil); len(v) == 1 {
		if v[0]&1 != 0 {
			areas[1] = b[dhcpFile:dhcpMagic]
		}
		if v[0]&2 != 0 {
			areas[2] = b[dhcpSName:dhcpFile]
		}
	}
	return areas
}

// nextOption splits the first option off an area. It reports false at the end
// option, at the end of the area, and at an option that is cut off.
func nextOption(area []byte) (code uint8, value, rest []byte, ok bool) {
	for len(area) > 0 && area[0] == dhcpPad {
		area = area[1:]
	}
	if len(area) < 2 || area[0] == dhcpEnd {
		return 0, nil, nil, false
	}
	end := 2 + int(area[1])
	if end > len(area) {
		return 0, nil, nil, false
	}
	return area[0], area[2:end], area[end:], true
}

// option returns the value of an option and whether it is present. An option
// that is split over several instances (RFC 3396) is joined in scratch, which
// is grown as needed; else the value aliases the message.
func (a dhcpAreas) option(want uint8, scratch []byte) (value []byte, found bool) {
	for _, area := range a {
		for {
			code, v, rest, ok := nextOption(area)
			if !ok {
				break
			}
			area = rest
			switch {
			case code != want:
			case !found:
				value, found = v, true
			default:
				value = append(append(scratch[:0], value...), v...)
				scratch = value[:0:0]
			}
		}
	}
	return value, found
}

func (m *DHCPv4) readOptions(a dhcpAreas) {
	for _, area := range a {
		for {
			code, _, rest, ok := nextOption(area)
			if !ok {
				break
			}
			m.Options = append(m.Options, code)
			area = rest
		}
	}
	get := func(code uint8) []byte {
		v, _ := a.option(code, nil)
		return v
	}
	if v := get(dhcpType); len(v) == 1 {
		m.Type = v[0]
	}
	m.Lease, m.Renewal, m.Rebinding = seconds4(get(dhcpLease)), seconds4(get(dhcpRenewal)), seconds4(get(dhcpRebinding))
	if v := get(dhcpMask); len(v) == 4 {
		m.Mask = prefixLen(binary.BigEndian.Uint32(v))
	}
	if v := get(dhcpRequested); len(v) == 4 {
		m.Requested = addr4(v)
	}
	if v := get(dhcpServerID); len(v) == 4 {
		m.ServerID = addr4(v)
	}
	m.Routers = addrs4(get(dhcpRouter))
	m.DNS = addrs4(get(dhcpDNSServer))
	m.Domain = plainText(get(dhcpDomain))
	m.Vendor = plainText(get(dhcpVendor))
	m.Params = append([]uint8(nil), get(dhcpParams)...)
	m.ClientID = append([]byte(nil), get(dhcpClientID)...)
	m.Hostname = plainText(get(dhcpHostname))
	if m.Hostname == "" {
		m.Hostname = hostOfFQDN(get(dhcpFQDN))
	}
}

// hostOfFQDN returns the first label of a client FQDN option (RFC 4702
// section 2): flags, two obsolete result codes, then a name in DNS wire form
// or, from older clients, in ASCII.
func hostOfFQDN(v []byte) string {
	if len(v) < 4 {
		return ""
	}
	name := v[3:]
	if v[0]&fqdnWireEncoding != 0 {
		n := int(name[0])
		if n == 0 || n > 63 || 1+n > len(name) {
			return ""
		}
		return plainText(name[1 : 1+n])
	}
	host, _, _ := strings.Cut(plainText(name), ".")
	return host
}

// seconds4 is a time in seconds, 0 for none.
func seconds4(v []byte) time.Duration {
	if len(v) != 4 {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint32(v)) * time.Second
}

// addr4 is the zero Addr for 0.0.0.0, which DHCP uses for "none".
func addr4(b []byte) netip.Addr {
	a := netip.AddrFrom4([4]byte(b))
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

func addrs4(b []byte) []netip.Addr {
	n := min(len(b)/4, maxDHCPAddrs)
	if n == 0 {
		return nil
	}
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = netip.AddrFrom4([4]byte(b[4*i : 4*i+4]))
	}
	return list
}

// prefixLen is -1 for a mask with holes.
func prefixLen(mask uint32) int {
	ones := bits.LeadingZeros32(^mask)
	if bits.OnesCount32(mask) != ones {
		return -1
	}
	return ones
}
