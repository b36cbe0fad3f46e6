package wire

import (
	"cmp"
	"net/netip"
	"time"
)

// DNS is one DNS, mDNS or LLMNR message (RFC 1035, RFC 6762, RFC 4795).
type DNS struct {
	Proto    string // "dns", "mdns" or "llmnr"
	ID       uint16
	Response bool
	Opcode   uint8
	RCode    uint8 // extended by EDNS where an OPT record is present, at most 255
	Flags    uint16
	// Truncated: the TC bit, records that were cut off by the snap length, or
	// more than 256 records in a section, of which the first 256 are kept.
	Truncated bool
	Questions []DNSQuestion
	Answers   []DNSRecord // answer section
	// Authority holds the other records of the authority section of unicast DNS:
	// NS and SOA say who answers for a name.
	Authority []DNSRecord
	// Additional holds the address, PTR, SRV and TXT records of the authority and
	// additional sections (mDNS puts a device's name and address there).
	Additional []DNSRecord
}

// DNSQuestion is one entry of the question section.
type DNSQuestion struct {
	// Name is in presentation form without the final dot, in the case that
	// was sent; "" is the root. Bytes that are not printable ASCII, dots and
	// backslashes within a label are escaped as \DDD (RFC 4343).
	Name  string
	Type  uint16
	Class uint16 // with the mDNS unicast-response bit removed
}

// DNSRecord is one resource record of the kinds that matter here; others
// carry only Name and Type.
type DNSRecord struct {
	Name             string
	Type             uint16
	TTL              uint32     // seconds
	Addr             netip.Addr // A, AAAA
	Target           string     // CNAME, PTR, NS, MX, SRV, DNAME; of SSHFP "algorithm type hex" (RFC 4255)
	Port             uint16     // SRV, as Priority and Weight
	Priority, Weight uint16
	Text             []string // TXT, each string cut at 255 bytes
	SOA              *DNSSOA  // SOA
}

// DNSSOA is the data of an SOA record (RFC 1035 section 3.3.13). Times are in
// seconds.
type DNSSOA struct {
	MName, RName                            string
	Serial, Refresh, Retry, Expire, Minimum uint32
}

// Protocol implements Message.
func (m *DNS) Protocol() string { return m.Proto }

// ClientHello is a TLS ClientHello (RFC 8446 section 4.1.2, RFC 5246), also one
// of DTLS (RFC 9147) or in QUIC (RFC 9001), or what stands for it in Google's older QUIC: then only
// SNI, UserAgent and QUICVersion are known.
type ClientHello struct {
	Proto            string   // "quic" or "dtls"; "" for TLS over TCP
	RecordVersion    uint16   // of the TLS record, 0 in QUIC
	Version          uint16   // legacy_version
	Versions         []uint16 // supported_versions, GREASE removed
	SNI              string   // host_name of server_name, lower case, "" if absent
	ALPN             []string // in order
	Ciphers          []uint16 // in order, GREASE removed
	Extensions       []uint16 // in order, GREASE removed
	Curves           []uint16 // supported_groups, GREASE removed
	PointFormats     []uint8
	SignatureSchemes []uint16
	JA4              string // FoxIO JA4 (client)
	JA3              string // MD5, hex
	ECH              bool   // an encrypted_client_hello extension is present
	SessionID        bool   // a non-empty legacy_session_id or a PSK: may resume
	QUICVersion      uint32 // 1 is RFC 9000, see QUICVersionName; 0 for TLS over TCP
	UserAgent        string // as some of Google's QUIC clients name themselves
	CYU              string // of Google's QUIC Crypto: its version and tags, "46,PAD-SNI-VER" ("": not that)
	// Truncated: the end of the message was never seen, or contradicts its
	// lengths. Extensions and what derives from them are those that could be
	// read; JA3 and JA4 are empty.
	Truncated bool
}

// Protocol implements Message.
func (m *ClientHello) Protocol() string { return cmp.Or(m.Proto, "tls") }

// MaxVersion is the highest version that the client offers. Those of DTLS count
// downwards.
func (m *ClientHello) MaxVersion() uint16 {
	if len(m.Versions) == 0 {
		return m.Version
	}
	best := m.Versions[0]
	for _, v := range m.Versions {
		if (v > best) != (m.Proto == "dtls") {
			best = v
		}
	}
	return best
}

// TLSVersion is the version of TLS that gives the same protection: DTLS 1.0 is
// TLS 1.1 over datagrams (RFC 4347), DTLS 1.2 TLS 1.2 (RFC 6347), DTLS 1.3 TLS
// 1.3 (RFC 9147). Unlike versions on the wire, these can be compared.
func (m *ServerHello) TLSVersion() uint16 {
	switch m.Version {
	case versionDTLSBad, versionDTLS10:
		return versionTLS11
	case versionDTLS12:
		return versionTLS12
	case versionDTLS13:
		return versionTLS13
	}
	return m.Version
}

// ServerHello is a TLS ServerHello; Version is the negotiated one (from
// supported_versions where present). A HelloRetryRequest sets Retry.
type ServerHello struct {
	Proto         string // "quic" or "dtls"; "" for TLS over TCP
	RecordVersion uint16
	Version       uint16
	Cipher        uint16
	ALPN          string // "" when absent or encrypted (TLS 1.3)
	Resumed       bool   // the server echoed the client's non-empty session id below TLS 1.3, or chose a PSK
	Retry         bool
	JA3S          string // text of the fingerprint, whose MD5 is its hash
}

// Protocol implements Message.
func (m *ServerHello) Protocol() string { return cmp.Or(m.Proto, "tls") }

// Certificate is a TLS Certificate message that crossed in clear (up to TLS
// 1.2). The chain is as sent, leaf first.
type Certificate struct {
	Proto      string    // "dtls"; "" for TLS over TCP
	FromClient bool      // a client certificate
	Raw        [][]byte  // DER, leaf first; at most 10 certificates
	Subject    string    // of the leaf, RFC 2253 form
	Issuer     string    // of the leaf
	Serial     string    // hex
	NotBefore  time.Time // of the leaf
	NotAfter   time.Time // of the leaf
	SPKI       [32]byte  // SHA-256 of the leaf's SubjectPublicKeyInfo
	Names      []string  // DNS names and IPs of the leaf, at most 100
	SelfSigned bool      // subject equals issuer and the signature is its own
	ParseError string    // why the leaf could not be parsed, else ""
	Truncated  bool      // the end of the message was never seen: Raw holds the certificates before it
}

// Protocol implements Message.
func (m *Certificate) Protocol() string { return cmp.Or(m.Proto, "tls") }

// TLSAlert is an alert record that crossed in clear (RFC 8446 section 6), or
// one as which a QUIC connection was closed during its handshake.
type TLSAlert struct {
	Proto       string // "quic" or "dtls"; "" for TLS over TCP
	From        Dir
	Fatal       bool
	Description uint8
}

// Protocol implements Message.
func (m *TLSAlert) Protocol() string { return cmp.Or(m.Proto, "tls") }

// HTTPRequest is the head of an HTTP/1 request (RFC 9112), or the fields of one
// of HTTP/2 (RFC 9113).
type HTTPRequest struct {
	Method    string
	Target    string // as sent, cut at 2,048 bytes
	Version   string // "HTTP/1.1", "HTTP/2"; "" of HTTP/0.9, which says none
	Stream    uint32 // of HTTP/2, by which request and response belong together; 0 in HTTP/1
	Host      string // Host field as sent, "" if absent; several, as of UserAgent, are joined by ", "
	UserAgent string
	Referer   string // page that led here
	// SOAPAction is what a request asks of a service of UPnP or another one of
	// SOAP: "urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping".
	SOAPAction string
	// AuthScheme is the first word of Authorization ("Basic"); credentials
	// themselves are never kept.
	AuthScheme  string
	ContentType string
	Upgrade     string // protocols that the client would go on in: "websocket", "h2c"
	Length      int64  // Content-Length, -1 if absent
	Truncated   bool   // the end of the head was never seen
}

// Protocol implements Message.
func (m *HTTPRequest) Protocol() string { return httpName(m.Stream) }

// HTTPResponse is the head of an HTTP/1 response, or the fields of one of HTTP/2.
type HTTPResponse struct {
	Status      int
	Version     string
	Stream      uint32 // of HTTP/2, 0 in HTTP/1
	Server      string
	ContentType string
	Location    string
	AuthScheme  string // first word of WWW-Authenticate
	Upgrade     string // with status 101 the protocol that follows
	// ContentRange says which part of the whole this is: "bytes 0-99/1000".
	ContentRange string
	Length       int64 // Content-Length, -1 if absent
	Truncated    bool  // the end of the head was never seen
	// Waiting is how many requests of HTTP/1 waited for a response, the one that
	// this answers and those behind it; 0 if its request was not seen, as where
	// bytes were lost; -1 if they were too many to know.
	Waiting int
}

// Protocol implements Message.
func (m *HTTPResponse) Protocol() string { return httpName(m.Stream) }

func httpName(stream uint32) string {
	if stream != 0 {
		return "http2"
	}
	return "http"
}

// HTTPBody is the end of the body of an HTTP/1 response that did not announce
// its length: one in chunks, or one that ends with its connection. It is also
// that of a response whose request was not seen: a body that such a one
// announces need not come, as after a HEAD.
type HTTPBody struct {
	// Length is how many bytes of it crossed, with the sizes and line ends of
	// chunks but without the trailers.
	Length int64
}

// Protocol implements Message.
func (*HTTPBody) Protocol() string { return "http" }

// DHCPv4 is one DHCP or BOOTP message (RFC 2131, RFC 2132).
type DHCPv4 struct {
	Type      uint8 // option 53: 1 discover ... 8 inform; 0 for plain BOOTP
	XID       uint32
	Reply     bool // op = BOOTREPLY
	ClientMAC [6]byte
	ClientIP  netip.Addr // ciaddr, zero Addr if 0.0.0.0
	YourIP    netip.Addr // yiaddr
	NextIP    netip.Addr // siaddr
	RelayIP   netip.Addr // giaddr
	Requested netip.Addr // option 50
	ServerID  netip.Addr // option 54
	Routers   []netip.Addr
	DNS       []netip.Addr
	Mask      int           // prefix length of option 1, -1 if absent or not contiguous
	Lease     time.Duration // option 51
	Renewal   time.Duration // option 58
	Rebinding time.Duration // option 59
	Hostname  string        // option 12, or the host part of option 81
	Domain    string        // option 15
	Vendor    string        // option 60
	ClientID  []byte        // option 61, with its type byte
	Params    []uint8       // option 55, in order
	Options   []uint8       // option codes in order of appearance
}

// Protocol implements Message.
func (*DHCPv4) Protocol() string { return "dhcp" }

// ARP is one Ethernet/IPv4 ARP message (RFC 826).
type ARP struct {
	Op                   uint16 // 1 request, 2 reply
	SenderMAC, TargetMAC [6]byte
	SenderIP, TargetIP   netip.Addr
}

// Protocol implements Message.
func (*ARP) Protocol() string { return "arp" }
