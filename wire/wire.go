// Package wire turns payload bytes into typed messages, one file per protocol.
// It owns the knowledge of wire formats above TCP and UDP (and of ARP) and
// nothing else: parsers are pure functions over byte slices, without I/O,
// logging or clocks.
//
// It promises that no bytes whatsoever make a parser panic, loop or allocate
// in proportion to a length field that it has not bounded. It must not keep a
// reference to the bytes it was given: a Message owns its memory.
package wire

import (
	"errors"
	"strings"
)

// What a parser may say instead of a message. They are wrapped with context.
var (
	// ErrTruncated: the bytes end before the message does, as far as they go
	// they are in order. With a stream this means "wants more".
	ErrTruncated = errors.New("truncated")
	// ErrMalformed: the bytes claim to be this protocol and contradict it.
	ErrMalformed = errors.New("malformed")
	// ErrNotMine: the bytes are of another protocol.
	ErrNotMine = errors.New("not this protocol")
	// ErrDone: the stream holds nothing more that a parser could read, for
	// instance because it is encrypted from here on.
	ErrDone = errors.New("nothing more to read")
	// ErrUpgrade: both ends have agreed to speak another protocol on this
	// connection (HTTP CONNECT answered by 2xx, or 101 Switching Protocols).
	// The stream is finished. In both directions, the bytes that it has not
	// consumed and those that follow belong to that protocol: sniff again.
	ErrUpgrade = errors.New("another protocol follows")
)

// Dir tells the two directions of a conversation apart.
type Dir uint8

// Directions. Which end is the client is the flow table's judgement (SYN
// sender, else first seen): parsers recognise requests and responses by
// content and use Dir only to keep the two directions apart.
const (
	FromClient Dir = 0
	FromServer Dir = 1
)

// Other is the opposite direction.
func (d Dir) Other() Dir { return d ^ 1 }

// Message is one parsed protocol message: *DNS, *ClientHello, *ServerHello,
// *Certificate, *TLSAlert, *HTTPRequest, *HTTPResponse, *DHCPv4 or *ARP.
type Message interface {
	// Protocol is the name of the protocol in the EVE vocabulary: "dns",
	// "mdns", "llmnr", "tls", "http", "http2", "dhcp", "arp", "quic", "dtls".
	Protocol() string
}

// Match is a recogniser's verdict on the first bytes of one direction.
type Match uint8

// Verdicts of Protocol.Sniff.
const (
	No    Match = iota // certainly another protocol
	Maybe              // too few bytes to tell
	Yes                // the bytes look like this protocol
)

// matchIf is Yes if the bytes fit, else No.
func matchIf(fits bool) Match {
	if fits {
		return Yes
	}
	return No
}

// maybeIf is Maybe if more bytes may fit, else No.
func maybeIf(may bool) Match {
	if may {
		return Maybe
	}
	return No
}

// Protocol is one row of the table of protocols that can be read.
type Protocol struct {
	Name     string   // EVE name
	UDPPorts []uint16 // registered server ports over UDP: tried first, never proof
	TCPPorts []uint16 // registered server ports over TCP: tried first, never proof

	// Datagram parses one UDP payload; nil if the protocol has none.
	Datagram func(b []byte) (Message, error)
	// NewDatagrams returns a parser for the payloads of one UDP flow. A
	// protocol has it instead of Datagram if its messages are spread over
	// datagrams, if one datagram holds several, or if most say nothing worth a
	// message.
	NewDatagrams func() Datagrams
	// SniffDatagram recognises a complete UDP payload on a port that is not in
	// UDPPorts (with NewDatagrams on any port), so strictly that its word may
	// be trusted; nil if the protocol cannot be told by content.
	SniffDatagram func(b []byte) bool
	// SniffAtPort recognises a complete UDP payload on a port in UDPPorts, where
	// less has to be told apart; nil if SniffDatagram is asked there too.
	SniffAtPort func(b []byte) bool
	// LeadByte reports whether a datagram that SniffDatagram recognises may
	// begin with this byte, so that it need not be called for others; nil if
	// with any.
	LeadByte func(first byte) bool

	// Sniff looks at the first in-order bytes of a TCP direction, at least one;
	// nil if the protocol does not run over TCP. It is a pure function, and
	// says No as early as it can. What it says No to, it says No to with any
	// bytes behind it. So it is not asked about a connection whose
	// first byte it rules out.
	Sniff func(dir Dir, b []byte) Match
	// SniffLate recognises, so strictly that its word may be trusted, the
	// first bytes of this protocol at the head of a segment in the middle of a
	// connection that began as another, unknown one: TLS after STARTTLS or the
	// first packets of a database, requests behind a SOCKS proxy's greeting.
	// nil if the protocol does not occur like that.
	SniffLate func(b []byte) bool
	// NewStream returns a parser for one TCP connection.
	NewStream func() Stream
	// LongLived says that every message of a connection matters, not only its
	// first ones: Modbus, MQTT. What the parser consumes is then not charged to
	// the budget of bytes, only what waits; let it pass over bulk with Skip.
	// Where bytes were lost, a new parser goes on at the next segment whose
	// first bytes Sniff says Yes to.
	LongLived bool

	// EtherTypes are those of a protocol directly above Ethernet, and Frame
	// parses what follows the EtherType: padding may follow the message, and
	// its end may be cut off. EtherLLC stands for frames with an 802.2 header,
	// which Frame is given from its DSAP on.
	EtherTypes []uint16
	Frame      func(b []byte) (Message, error)

	// IPProtos are the IP protocol numbers of a protocol directly above IP
	// (IGMP, ICMP), and Packet parses it from its first byte on, behind all IP
	// headers. The end may be cut off. ErrNotMine passes over a message that
	// is of no interest, neither message nor error over one of this protocol.
	IPProtos []uint8
	Packet   func(b []byte) (Message, error)
}

// EtherLLC stands in Protocol.EtherTypes for 802.3 frames with an 802.2 header
// that is neither SNAP with a known EtherType nor IP: spanning tree, CDP. It
// is what Linux calls them (ETH_P_802_2).
const EtherLLC = 0x0004

// Stream parses one TCP connection, both directions, in order. It is not safe
// for concurrent use. It may also be a Flusher and a Skipper.
type Stream interface {
	// Feed is given the bytes of one direction that it has not consumed yet,
	// in order and without gaps, and appends to msgs what it finds at their
	// head. It returns how many bytes it is done with; the rest will be given
	// again together with what follows. A nil error with n < len(b) means
	// that it wants more. ErrDone means that this stream needs no more
	// feeding in either direction, ErrUpgrade that another protocol follows;
	// any other error, that the bytes are not (or no longer) of this
	// protocol. Messages found before an error are returned together with it.
	Feed(dir Dir, b []byte, msgs []Message) (n int, out []Message, err error)
}

// Datagrams parses the UDP payloads of one flow, both directions, in the order
// in which they were seen. It is not safe for concurrent use. It may also be a
// Flusher; its Flush is given no bytes.
type Datagrams interface {
	// Datagram parses one payload, of which the end may be cut off by the snap
	// length, and appends to msgs what it finds. A nil error without a message
	// means that the payload is of this protocol and has nothing to tell yet.
	// ErrDone means that nothing of interest can follow in either direction;
	// it stays this protocol. Any other error means that this payload cannot
	// be read; the parser is as it was before and can be given the next.
	// Messages found before an error are returned together with it.
	Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error)
}

// Flusher is a Stream or Datagrams that can make something of a message that
// will never be complete.
type Flusher interface {
	// Flush is called at most once for a direction, when no more of its bytes
	// will be fed: the connection has ended, bytes were lost, or the byte
	// budget is spent. b are the bytes that Feed has not consumed (often
	// none). It appends what could be read of an unfinished message, marked
	// as Truncated. The direction must not be fed again.
	Flush(dir Dir, b []byte, msgs []Message) []Message
}

// Skipper is a Stream that knows how much of what follows it will not look
// at, such as the body of an HTTP response. It lets reassembly pass over
// those bytes without buffering them, even where some of them were lost, and
// without charging them to a byte budget.
type Skipper interface {
	// Skip is called after a Feed of dir that returned n == len(b). It
	// returns how many of the bytes that follow are of no interest, possibly
	// 0, and regards them as consumed: the next Feed of dir begins after
	// them. math.MaxInt64 means that dir need not be fed any more.
	Skip(dir Dir) int64
}

// Unskipper is a Skipper that wants to know how many of the bytes that it passed
// over never came, as where a body ends with its connection.
type Unskipper interface {
	// Unskip is called before Flush of dir if there are any and if the
	// connection has ended; left is at most what Skip of dir returned last.
	Unskip(dir Dir, left int64)
}

// Retainer is a Stream or Datagrams that keeps bytes of unfinished messages. It
// lets the bound on the memory of all connections hold for these bytes too: a
// parser that may keep more than 1 KiB must be one.
type Retainer interface {
	// Retained returns how many bytes the parser holds on to, their capacity
	// included. It is called after every Feed or Datagram, so it must be cheap.
	Retained() int
}

// Table lists every protocol that can be read. The slice is the caller's. The
// parsers that one table makes share what they remember, so all of them belong
// to one goroutine.
//
// TCP recognition is by content. The rows are so strict that at most one Sniff
// says Yes to the same bytes.
func Table() []Protocol {
	dns := new(dnsParser)
	shared := new(memory)
	return append([]Protocol{
		{
			Name: "dns", UDPPorts: []uint16{53}, TCPPorts: []uint16{53},
			Datagram: dns.dns, SniffDatagram: sniffDNSDatagram,
			Sniff: sniffDNSStream, NewStream: dns.newStream, LongLived: true,
		},
		{Name: "mdns", UDPPorts: []uint16{5353}, Datagram: dns.mdns},
		{Name: "llmnr", UDPPorts: []uint16{5355}, Datagram: dns.llmnr},
		{Name: "dhcp", UDPPorts: []uint16{67, 68}, Datagram: parseDHCPv4, SniffDatagram: sniffDHCPv4, LeadByte: leads("\x01\x02")},
		{
			Name: "tls", TCPPorts: []uint16{443, 853, 8443, 8883},
			Sniff: sniffTLS, SniffLate: sniffLateTLS, NewStream: shared.newTLSStream,
		},
		{Name: "dtls", UDPPorts: []uint16{4433, 5684}, SniffDatagram: sniffDTLS, LeadByte: leadsDTLS, NewDatagrams: shared.newDTLSFlow},
		{Name: "quic", UDPPorts: []uint16{443}, SniffDatagram: sniffQUIC, LeadByte: leadsQUIC, NewDatagrams: newQUICFlow},
		{Name: "rdp", TCPPorts: []uint16{3389}, Sniff: sniffRDP, NewStream: newRDPStream},
		{Name: "rfb", TCPPorts: []uint16{5900}, Sniff: sniffRFB, NewStream: newRFBStream},
		{Name: "wireguard", UDPPorts: []uint16{51820}, SniffDatagram: sniffWireGuard, SniffAtPort: isWireGuard, LeadByte: leads("\x01\x02\x03\x04"), NewDatagrams: newWireGuardFlow},
		{
			Name: "openvpn", UDPPorts: []uint16{1194}, SniffDatagram: sniffOpenVPN, LeadByte: leads("\x08\x10\x38\x40\x50"), NewDatagrams: newOpenVPNFlow,
			TCPPorts: []uint16{1194}, Sniff: sniffOpenVPNStream, NewStream: newOpenVPNStream,
		},
		{Name: "ike", UDPPorts: []uint16{500, 4500}, SniffDatagram: sniffIKE, NewDatagrams: newIKEFlow},
		{
			Name: "stun", UDPPorts: []uint16{3478, 19302}, SniffDatagram: sniffSTUN, LeadByte: leadsSTUN, NewDatagrams: newSTUNFlow,
			TCPPorts: []uint16{3478}, Sniff: sniffSTUNStream, NewStream: newSTUNStream,
		},
		{
			Name: "bittorrent", SniffDatagram: sniffBT, LeadByte: leads("dAB\x00"), NewDatagrams: newBTFlow,
			TCPPorts: []uint16{6881}, Sniff: sniffBTStream, NewStream: newBTStream,
		},
		{Name: "ssh", TCPPorts: []uint16{22, 2222}, Sniff: sniffSSH, NewStream: newSSHStream},
		{
			Name: "http", TCPPorts: []uint16{80, 8000, 8080},
			Sniff: sniffAnyHTTP, SniffLate: sniffLateHTTP, NewStream: newHTTPStream, LongLived: true,
		},
		// Services with logins.
		{Name: "amqp", TCPPorts: []uint16{5672}, Sniff: sniffAMQP, NewStream: newAMQPStream, LongLived: true},
		{
			Name: "coap", UDPPorts: []uint16{5683}, SniffDatagram: sniffCoAP, SniffAtPort: isCoAP, LeadByte: leadsCoAP, NewDatagrams: newCoAPFlow,
			TCPPorts: []uint16{5683}, Sniff: sniffCoAPStream, NewStream: newCoAPStream, LongLived: true,
		},
		{
			Name: "dcerpc", UDPPorts: []uint16{34964}, TCPPorts: []uint16{135}, SniffDatagram: sniffRPCDatagram, LeadByte: leads("\x04"),
			NewDatagrams: newRPCFlow, Sniff: sniffRPC, NewStream: newRPCStream, LongLived: true,
		},
		{Name: "ftp", TCPPorts: []uint16{21}, Sniff: sniffFTP, NewStream: newFTPStream, LongLived: true},
		{Name: "imap", TCPPorts: []uint16{143}, Sniff: sniffIMAP, NewStream: newIMAPStream},
		{
			Name: "krb5", UDPPorts: []uint16{88}, TCPPorts: []uint16{88}, SniffDatagram: sniffKerberos,
			LeadByte: leads("\x6a\x6b\x6c\x6d\x7e"), NewDatagrams: newKerberosFlow,
			Sniff: sniffKerberosTCP, NewStream: newKerberosStream,
		},
		{
			Name: "ldap", UDPPorts: []uint16{389}, SniffDatagram: sniffLDAPDatagram, LeadByte: leads("\x30"), NewDatagrams: newLDAPFlow,
			TCPPorts: []uint16{389}, Sniff: sniffLDAP, NewStream: newLDAPStream, LongLived: true,
		},
		{Name: "mongodb", TCPPorts: []uint16{27017}, Sniff: sniffMongo, NewStream: newMongoStream, LongLived: true},
		{Name: "mqtt", TCPPorts: []uint16{1883}, Sniff: sniffMQTTConnection, SniffLate: sniffLateMQTT, NewStream: newMQTTStream, LongLived: true},
		{Name: "mysql", TCPPorts: []uint16{3306}, Sniff: sniffMySQL, NewStream: newMySQLStream},
		{Name: "nats", TCPPorts: []uint16{4222}, Sniff: sniffNATS, SniffLate: sniffLateNATS, NewStream: newNATSStream, LongLived: true},
		{Name: "ntp", UDPPorts: []uint16{123}, SniffDatagram: sniffNTP, SniffAtPort: isNTP, LeadByte: leadsNTP, NewDatagrams: newNTPFlow},
		{Name: "pgsql", TCPPorts: []uint16{5432}, Sniff: sniffPostgreSQL, NewStream: newPgStream, LongLived: true},
		{Name: "pop3", TCPPorts: []uint16{110}, Sniff: sniffPOP3, NewStream: newPOP3Stream},
		{
			Name: "radius", UDPPorts: []uint16{1812, 1813, 1645, 1646, 3799}, SniffDatagram: sniffRadius, SniffAtPort: isRadius,
			LeadByte: leads("\x01\x02\x03\x04\x05\x0b\x0c\x28\x29\x2a\x2b\x2c\x2d"), NewDatagrams: newRadiusFlow,
		},
		{Name: "redis", TCPPorts: []uint16{6379}, Sniff: sniffRedis, NewStream: newRedisStream, LongLived: true},
		{Name: "rtcp", NewDatagrams: newRTCPFlow},
		{Name: "rtp", NewDatagrams: newRTPFlow},
		{Name: "rtsp", TCPPorts: []uint16{554, 8554}, Sniff: sniffRTSP, NewStream: newRTSPStream, LongLived: true},
		{
			Name: "sip", UDPPorts: []uint16{5060}, TCPPorts: []uint16{5060}, SniffDatagram: sniffSIPDatagram,
			LeadByte: leadsSIP, NewDatagrams: newSIPFlow, Sniff: sniffSIP, NewStream: newSIPStream, LongLived: true,
		},
		{Name: "socks", NewDatagrams: newSocksRelay, TCPPorts: []uint16{1080}, Sniff: sniffSocks, NewStream: newSocksStream}, // datagrams are announced
		{Name: "smb", TCPPorts: []uint16{445, 139}, Sniff: sniffSMB, NewStream: newSMBStream, LongLived: true},
		{Name: "smtp", TCPPorts: []uint16{25, 587}, Sniff: sniffSMTP, NewStream: newSMTPStream, LongLived: true},
		{Name: "snmp", UDPPorts: []uint16{161, 162}, SniffDatagram: sniffSNMP, LeadByte: leads("\x30"), NewDatagrams: newSNMPFlow},
		{
			Name: "syslog", UDPPorts: []uint16{514}, SniffDatagram: sniffSyslog, LeadByte: leads("<"), NewDatagrams: newSyslogFlow,
			TCPPorts: []uint16{514, 601}, Sniff: sniffSyslogStream, NewStream: newSyslogStream, LongLived: true,
		},
		{Name: "tftp", UDPPorts: []uint16{69}, SniffDatagram: sniffTFTP, LeadByte: leads("\x00"), NewDatagrams: newTFTPFlow},
		{Name: "tds", TCPPorts: []uint16{1433}, Sniff: sniffTDS, NewStream: newTDSStream},
		{Name: "telnet", TCPPorts: []uint16{23}, Sniff: sniffTelnet, NewStream: newTelnetStream},

		// Industrial protocols.
		{Name: "modbus", TCPPorts: []uint16{502}, Sniff: sniffModbus, NewStream: shared.newModbusStream, LongLived: true},
		{Name: "cotp", TCPPorts: []uint16{102}, Sniff: sniffCOTP, NewStream: shared.newCOTPStream, LongLived: true}, // S7, MMS
		{
			Name: "enip", UDPPorts: []uint16{44818}, TCPPorts: []uint16{44818},
			Datagram: parseENIPDatagram, SniffDatagram: sniffENIPDatagram, LeadByte: leads("\x04\x63\x64"),
			Sniff: sniffENIP, NewStream: shared.newENIPStream, LongLived: true,
		},
		{
			Name: "dnp3", UDPPorts: []uint16{20000}, TCPPorts: []uint16{20000},
			SniffDatagram: sniffDNP3Datagram, LeadByte: leads("\x05"), NewDatagrams: newDNP3Flow,
			Sniff: sniffDNP3, NewStream: newDNP3Stream, LongLived: true,
		},
		{Name: "iec104", TCPPorts: []uint16{2404}, Sniff: sniffIEC104, NewStream: newIEC104Stream, LongLived: true},
		{Name: "bacnet", UDPPorts: []uint16{47808}, Datagram: parseBACnet, SniffDatagram: sniffBACnet, LeadByte: leads("\x81")},
		{Name: "opcua", TCPPorts: []uint16{4840}, Sniff: sniffOPCUA, NewStream: newOPCUAStream, LongLived: true},
		{Name: "profinet_dcp", EtherTypes: []uint16{0x8892}, Frame: parseDCP},
		{Name: "goose", EtherTypes: []uint16{0x88b8}, Frame: shared.parseGOOSE},
		{
			Name: "fins", UDPPorts: []uint16{9600}, SniffDatagram: sniffFINSDatagram, SniffAtPort: isFINS,
			LeadByte: leads("\x80\x81"), NewDatagrams: shared.newFINSFlow,
			Sniff: sniffFINS, NewStream: shared.newFINSStream, LongLived: true,
		},
		{Name: "ads", Sniff: sniffADS, NewStream: shared.newADSStream, LongLived: true},
		{
			Name: "slmp", SniffDatagram: sniffSLMPDatagram, LeadByte: leads("\x50\x54"), NewDatagrams: shared.newSLMPFlow,
			Sniff: sniffSLMP, NewStream: shared.newSLMPStream, LongLived: true,
		},
		{
			Name: "knxnet_ip", UDPPorts: []uint16{3671}, TCPPorts: []uint16{3671}, SniffDatagram: isKNX,
			LeadByte: leads("\x06"), NewDatagrams: shared.newKNXFlow, Sniff: sniffKNX, NewStream: shared.newKNXStream, LongLived: true,
		},
		{
			Name: "hart_ip", UDPPorts: []uint16{5094}, TCPPorts: []uint16{5094}, SniffDatagram: sniffHARTDatagram, SniffAtPort: isHART,
			LeadByte: leads("\x01\x02"), NewDatagrams: shared.newHARTFlow, Sniff: sniffHART, NewStream: shared.newHARTStream, LongLived: true,
		},
		{
			Name: "c37118", UDPPorts: []uint16{4713}, TCPPorts: []uint16{4712}, SniffDatagram: isC37,
			LeadByte: leads("\xaa"), NewDatagrams: shared.newC37Flow, Sniff: sniffC37, NewStream: shared.newC37Stream, LongLived: true,
		},
		{Name: "cip_io", UDPPorts: []uint16{2222}, SniffDatagram: sniffCIPIO, LeadByte: leads("\x02"), NewDatagrams: newCIPIOFlow},

		// Discovery.
		{Name: "lldp", EtherTypes: []uint16{0x88cc}, Frame: parseLLDP},
		{Name: "cdp", EtherTypes: []uint16{EtherLLC}, Frame: parseCDP},
		{Name: "eapol", EtherTypes: []uint16{0x888e}, Frame: parseEAPOL},
		{Name: "icmp", IPProtos: []uint8{1}, Packet: parseICMP4},
		{Name: "icmpv6", IPProtos: []uint8{58}, Packet: parseICMP6}, // NDP, MLD
		{Name: "igmp", IPProtos: []uint8{2}, Packet: parseIGMP},
		{Name: "dhcpv6", UDPPorts: []uint16{546, 547}, Datagram: parseDHCPv6},
		{Name: "nbns", UDPPorts: []uint16{137}, Datagram: parseNBNS},
		{Name: "nbdgm", UDPPorts: []uint16{138}, SniffDatagram: sniffNBDGM, LeadByte: leadsNBDGM, NewDatagrams: newNBDGMFlow},
		{Name: "ssdp", UDPPorts: []uint16{1900}, Datagram: shared.parseSSDP, SniffDatagram: sniffSSDP, LeadByte: leads("NMH")},
		{Name: "ws_discovery", UDPPorts: []uint16{3702}, Datagram: parseWSDiscovery, SniffDatagram: sniffWSDiscovery, LeadByte: leads("<")},
	}, named()...)
}

// leads is Protocol.LeadByte for a few bytes.
func leads(first string) func(byte) bool {
	return func(b byte) bool { return strings.IndexByte(first, b) >= 0 }
}
