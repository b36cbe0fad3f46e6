package capture

import "strconv"

// Link types that the flow room decodes; numbers and frame layouts are those
// of https://www.tcpdump.org/linktypes.html. Any other number is passed on
// as it was recorded.
const (
	LinkNull              LinkType = 0   // BSD loopback: 4-byte address family in the byte order of the sender
	LinkEthernet          LinkType = 1   // Ethernet II or 802.3, without FCS unless the file says otherwise
	LinkPPP               LinkType = 9   // PPP; starts with the protocol or with the HDLC bytes FF 03
	LinkPPPHDLC           LinkType = 50  // PPP in HDLC-like framing (RFC 1662)
	LinkPPPoE             LinkType = 51  // PPPoE session without its Ethernet header (RFC 2516)
	LinkRawIP             LinkType = 101 // IPv4 or IPv6, told apart by the version nibble
	LinkCiscoHDLC         LinkType = 104 // Cisco HDLC (RFC 1547, section 4.3.1)
	LinkIEEE80211         LinkType = 105 // 802.11 without a radio header
	LinkLoop              LinkType = 108 // OpenBSD loopback: address family in network byte order
	LinkLinuxSLL          LinkType = 113 // Linux "any" device, cooked header v1 (16 bytes)
	LinkIEEE80211Radiotap LinkType = 127 // 802.11 behind a radiotap header
	LinkIPv4              LinkType = 228 // IPv4 only
	LinkIPv6              LinkType = 229 // IPv6 only
	LinkLinuxSLL2         LinkType = 276 // Linux "any" device, cooked header v2 (20 bytes)
)

// dltRaw and dltRawOpenBSD are DLT_RAW as the BSDs number it at run time.
// Writers that did not translate DLT_ to LINKTYPE_ values left them in files;
// no LINKTYPE_ was ever given these numbers, to keep such files readable.
const (
	dltRaw        LinkType = 12
	dltRawOpenBSD LinkType = 14
)

// linkTypeOf extracts the link type from the last field of a pcap file header,
// whose upper 16 bits may hold the FCS length and reserved bits
// (draft-ietf-opsawg-pcap, section 4), or from a pcapng interface block.
func linkTypeOf(field uint32) LinkType {
	switch l := LinkType(field); l {
	case dltRaw, dltRawOpenBSD:
		return LinkRawIP
	default:
		return l
	}
}

// String names the link type for people; "link type 147" when it has no name
// here.
func (l LinkType) String() string {
	switch l {
	case LinkNull:
		return "BSD loopback"
	case LinkEthernet:
		return "Ethernet"
	case LinkPPP:
		return "PPP"
	case LinkPPPHDLC:
		return "PPP HDLC"
	case LinkPPPoE:
		return "PPPoE"
	case LinkRawIP:
		return "raw IP"
	case LinkCiscoHDLC:
		return "Cisco HDLC"
	case LinkIEEE80211:
		return "802.11"
	case LinkLoop:
		return "OpenBSD loopback"
	case LinkLinuxSLL:
		return "Linux cooked v1"
	case LinkIEEE80211Radiotap:
		return "802.11 radiotap"
	case LinkIPv4:
		return "raw IPv4"
	case LinkIPv6:
		return "raw IPv6"
	case LinkLinuxSLL2:
		return "Linux cooked v2"
	default:
		return "link type " + strconv.Itoa(int(l))
	}
}
