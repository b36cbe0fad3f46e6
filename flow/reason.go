package flow

// Reason says why a frame yielded no flow packet.
type Reason uint8

// Reasons. Frames of other protocols and encrypted ones are in order, just
// not readable; everything from UnknownLink on is refused as malformed or
// unsupported.
const (
	Accepted           Reason = iota
	NonIP                     // a well-formed frame of another protocol (ARP is Accepted)
	Encrypted                 // protected 802.11 frame
	UnknownLink               // link type without a decoder
	TruncatedLink             // frame ends inside a link-layer header
	BadLink                   // link-layer header contradicts itself
	BadFCS                    // radio frame that failed its checksum at the receiver
	TooManyTags               // more VLAN, MPLS and PPPoE headers than maxTags
	TruncatedNetwork          // frame ends inside an IP header
	BadVersion                // IP version field contradicts the frame's type
	BadHeaderLength           // IHL or TCP data offset below the minimum or beyond the packet
	BadLength                 // IP or UDP length smaller than its own header
	BadExtension              // IPv6 extension header or AH beyond the packet
	TooManyHeaders            // more IPv6 extension headers than maxExtensions
	TruncatedTransport        // packet ends inside the transport header
	BadFragment               // fragment beyond 65,535 bytes, or of a length that cannot be
	numReasons
)

// String names the reason as it appears in statistics, in snake case.
func (r Reason) String() string {
	switch r {
	case Accepted:
		return "accepted"
	case NonIP:
		return "non_ip"
	case Encrypted:
		return "encrypted"
	case UnknownLink:
		return "unknown_link_type"
	case TruncatedLink:
		return "truncated_link_header"
	case BadLink:
		return "bad_link_header"
	case BadFCS:
		return "bad_frame_check"
	case TooManyTags:
		return "too_many_tags"
	case TruncatedNetwork:
		return "truncated_ip_header"
	case BadVersion:
		return "bad_ip_version"
	case BadHeaderLength:
		return "bad_header_length"
	case BadLength:
		return "bad_length"
	case BadExtension:
		return "bad_extension_header"
	case TooManyHeaders:
		return "too_many_headers"
	case TruncatedTransport:
		return "truncated_transport_header"
	case BadFragment:
		return "bad_fragment"
	default:
		return "unknown"
	}
}
