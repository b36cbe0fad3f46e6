package ebpf

// Class says why a head was sent up. Each class has a token bucket for each
// CPU, so that a flood of one cannot starve another.
type Class uint8

// Classes of heads; the order is that of flow.bpf.c.
const (
	ClassARP        Class = iota + 1
	ClassLink             // EAPOL, LLDP
	ClassLinkOther        // any other frame that is not IP
	ClassNeighbour        // IPv6 neighbour discovery, router discovery, IGMP, MLD
	ClassICMPError        // ICMP and ICMPv6 error messages and redirects
	ClassHandshake        // TCP segments with SYN
	ClassTCP              // first payloads of a connection
	ClassUDP              // first datagrams of a flow
	ClassOther            // first packets of other protocols, and fragments
	ClassDHCP             // the following by port
	ClassDNS              //
	ClassDiscovery        // mDNS, LLMNR, NetBIOS names, SSDP, WS-Discovery
	ClassIndustrial       // Modbus, S7 and others
	ClassPort             // commands, keys and logins, and ports that the user named
	numClasses
	classSweep = numClasses // not a head: the flow table is full
	numBuckets = 16         // in the kernel, a power of two
)

// String names the class as in statistics, in snake case.
func (c Class) String() string {
	names := [...]string{
		ClassARP: "arp", ClassLink: "link", ClassLinkOther: "link_other",
		ClassNeighbour: "neighbour", ClassICMPError: "icmp_error",
		ClassHandshake: "handshake", ClassTCP: "tcp", ClassUDP: "udp", ClassOther: "other",
		ClassDHCP: "dhcp", ClassDNS: "dns", ClassDiscovery: "discovery",
		ClassIndustrial: "industrial", ClassPort: "port",
	}
	if int(c) >= len(names) || names[c] == "" {
		return "unknown"
	}
	return names[c]
}

// Classes lists all classes in order.
func Classes() []Class {
	var out []Class
	for c := ClassARP; c < numClasses; c++ {
		out = append(out, c)
	}
	return out
}

// Reason says why a frame was not added to a flow.
type Reason uint8

// Reasons; the order is that of parse.h, the meaning that of the reasons of
// package flow. All but NonIP are faults.
const (
	NonIP              Reason = iota + 1
	TruncatedLink             // frame ends inside a link-layer header
	TooManyTags               // more than 4 VLAN tags
	TruncatedNetwork          // frame ends inside an IP header
	BadVersion                // IP version contradicts the frame's type
	BadHeaderLength           // IHL or TCP data offset below the minimum or beyond the packet
	BadLength                 // IP or UDP length smaller than its own header
	BadExtension              // IPv6 extension header or AH beyond the packet
	TooManyHeaders            // more than 8 IPv6 extension headers, or 1,024 bytes of headers
	TruncatedTransport        // packet ends inside the transport header
	BadFragment               // fragment beyond 65,535 bytes, or of a length that cannot be
	Unreadable                // the kernel had no memory to bring the headers together
	numReasons
)

// String names the reason as in statistics, in snake case.
func (r Reason) String() string {
	names := [...]string{
		NonIP: "non_ip", TruncatedLink: "truncated_link_header", TooManyTags: "too_many_tags",
		TruncatedNetwork: "truncated_ip_header", BadVersion: "bad_ip_version",
		BadHeaderLength: "bad_header_length", BadLength: "bad_length",
		BadExtension: "bad_extension_header", TooManyHeaders: "too_many_headers",
		TruncatedTransport: "truncated_transport_header", BadFragment: "bad_fragment",
		Unreadable: "unreadable",
	}
	if int(r) >= len(names) || names[r] == "" {
		return "unknown"
	}
	return names[r]
}

// Reasons lists all reasons in order.
func Reasons() []Reason {
	var out []Reason
	for r := NonIP; r < numReasons; r++ {
		out = append(out, r)
	}
	return out
}
