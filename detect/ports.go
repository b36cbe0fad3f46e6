package detect

import (
	"cmp"
	"fmt"
	"slices"

	"gatehouse/baseline"
	"gatehouse/flow"
)

// IP protocol numbers and TCP flags.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58

	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// wellKnown names the services that a person may meet in an alert. remote
// marks those by which machines are administered or files shared: the way
// from one machine to the next (ATT&CK T1021). internet marks those common on
// the internet side of a home or factory.
var wellKnown = [...]struct {
	proto            uint8
	port             uint16
	name             string
	remote, internet bool
}{
	{protoTCP, 20, "FTP data", false, false},
	{protoTCP, 21, "FTP", true, false},
	{protoTCP, 22, "SSH", true, false},
	{protoTCP, 23, "Telnet", true, false},
	{protoTCP, 25, "SMTP mail", false, false},
	{protoUDP, 53, "DNS", false, true},
	{protoTCP, 53, "DNS", false, true},
	{protoUDP, 69, "TFTP", true, false},
	{protoTCP, 80, "HTTP", false, true},
	{protoTCP, 102, "S7 or MMS control", true, false},
	{protoTCP, 110, "POP3 mail", false, false},
	{protoUDP, 123, "NTP", false, true},
	{protoTCP, 135, "Windows RPC", true, false},
	{protoTCP, 139, "Windows file sharing", true, false},
	{protoTCP, 143, "IMAP mail", false, true},
	{protoUDP, 161, "SNMP", true, false},
	{protoTCP, 389, "LDAP", false, false},
	{protoTCP, 443, "HTTPS", false, true},
	{protoUDP, 443, "QUIC", false, true},
	{protoTCP, 445, "Windows file sharing", true, false},
	{protoTCP, 465, "SMTP mail", false, true},
	{protoTCP, 502, "Modbus", true, false},
	{protoTCP, 554, "RTSP video", false, false},
	{protoTCP, 587, "SMTP mail", false, true},
	{protoTCP, 631, "printing (IPP)", false, false},
	{protoTCP, 853, "DNS over TLS", false, true},
	{protoUDP, 853, "DNS over QUIC", false, true},
	{protoTCP, 873, "rsync", true, false},
	{protoTCP, 993, "IMAP mail", false, true},
	{protoTCP, 995, "POP3 mail", false, true},
	{protoTCP, 1883, "MQTT", false, true},
	{protoTCP, 2323, "Telnet", true, false},
	{protoTCP, 3389, "remote desktop", true, false},
	{protoUDP, 3478, "STUN", false, true},
	{protoTCP, 4840, "OPC UA", true, false},
	{protoTCP, 5222, "XMPP", false, true},
	{protoTCP, 5223, "push notifications", false, true},
	{protoTCP, 5228, "push notifications", false, true},
	{protoTCP, 5555, "Android debugging", true, false},
	{protoTCP, 5900, "VNC", true, false},
	{protoTCP, 5985, "Windows remote management", true, false},
	{protoTCP, 6667, "IRC", false, false},
	{protoTCP, 6697, "IRC", false, false},
	{protoTCP, 8080, "HTTP", false, true},
	{protoTCP, 8443, "HTTPS", false, true},
	{protoTCP, 8883, "MQTT over TLS", false, true},
	{protoTCP, 9100, "printing", false, false},
	{protoTCP, 20000, "DNP3", true, false},
	{protoTCP, 44818, "EtherNet/IP", true, false},
	{protoUDP, 47808, "BACnet", true, false},
}

// serviceName is the common name of a server port, "" if it has none.
func serviceName(proto uint8, port uint16) string {
	for i := range wellKnown {
		if wellKnown[i].proto == proto && wellKnown[i].port == port {
			return wellKnown[i].name
		}
	}
	return ""
}

func remoteService(proto uint8, port uint16) bool {
	for i := range wellKnown {
		if wellKnown[i].proto == proto && wellKnown[i].port == port {
			return wellKnown[i].remote
		}
	}
	return false
}

// commonWAN reports whether many benign devices use a port on the internet.
// ICMP has no ports and is common.
func commonWAN(proto uint8, port uint16) bool {
	if proto != protoTCP && proto != protoUDP {
		return true
	}
	for i := range wellKnown {
		if wellKnown[i].proto == proto && wellKnown[i].port == port {
			return wellKnown[i].internet
		}
	}
	return false
}

// serviceLabel is a service as people write it: "HTTPS (tcp/443)".
func serviceLabel(s baseline.Service) string {
	if s.Port == baseline.DynamicPort {
		return protoName(s.Proto) + " on a dynamic port"
	}
	number := fmt.Sprintf("%s/%d", protoName(s.Proto), s.Port)
	if name := serviceName(s.Proto, s.Port); name != "" {
		return name + " (" + number + ")"
	}
	return number
}

func protoName(proto uint8) string {
	switch proto {
	case protoICMP, protoICMPv6:
		return "icmp"
	case protoTCP:
		return "tcp"
	case protoUDP:
		return "udp"
	}
	return fmt.Sprintf("ip-%d", proto)
}

// leftOut reports flows that say nothing about whom a device deals with.
func leftOut(in *Input) bool {
	r := &in.Event.Record
	switch r.Proto {
	case protoTCP:
		// Stray segments of connections that ended or began out of sight.
		if r.Initiator == flow.ByFirstSeen {
			return true
		}
		return (r.Flags[0]|r.Flags[1])&flagSYN == 0 && (r.Flags[0]|r.Flags[1])&(flagRST|flagFIN) != 0
	case protoUDP:
		switch r.Server.Port {
		case 67, 68, 137, 138, 546, 547, 1900, 5353, 5355: // talk of the segment about itself
			return true
		case 53, 123:
			return in.Server != nil && in.Server.Gateway
		}
		// A late packet from the internet on a flow that the device opened.
		return in.Client == nil && r.Initiator == flow.ByFirstSeen
	case protoICMP:
		return r.ICMPType != 8 // anything but an echo request is about another flow
	case protoICMPv6:
		return r.ICMPType != 128
	}
	return false
}

// destinationOf is the key of the flow's destination as the client sees it,
// its entity for people, and whether that is a name.
func destinationOf(in *Input) (dest baseline.Destination, label string, named bool) {
	r := &in.Event.Record
	port := r.Server.Port
	if r.Proto == protoICMP || r.Proto == protoICMPv6 {
		port = 0
	}
	dest.Service = baseline.NewServiceKey(in.Scope, r.Proto, port)
	switch name := in.name(); {
	case in.Scope == baseline.LAN && in.Server != nil:
		dest.Entity = baseline.EntityOf(in.Server.ID)
		return dest, in.Server.Name, true
	case in.Scope == baseline.LAN:
		label = r.Server.Addr.String()
	case name != "":
		w := in.Names.words.of(name)
		dest.Entity = w.domainEntity
		return dest, w.domain, true
	default:
		label = Network(r.Server.Addr)
	}
	dest.Entity = baseline.EntityOf(label)
	return dest, label, named
}

// name is the server's name as the client knows it, "" if none was heard of.
func (in *Input) name() string {
	if in.Conn.Name == "" && in.Client != nil {
		in.Conn.Name = in.Names.Lookup(in.Client.ID, in.Event.Record.Server.Addr)
	}
	return in.Conn.Name
}

// peerLabel is the server for a sentence: its name, with its address if that
// is all there is.
func (in *Input) peerLabel() string {
	if in.Server != nil {
		return in.Server.Name
	}
	if name := in.name(); name != "" {
		return name
	}
	return in.Event.Record.Server.Addr.String()
}

// handshakeLabel is the other end of a TLS handshake for a sentence, with the
// proxy that lies in between.
func (in *Input) handshakeLabel() string {
	if in.Conn.Proxied.Name == "" {
		return in.peerLabel()
	}
	addr := in.Event.Record.Server.Addr
	proxy := addr.String()
	if in.Server != nil {
		proxy = in.Server.Name
	} else if name := in.Names.Lookup(in.Client.ID, addr); name != "" {
		proxy = name
	}
	return fmt.Sprintf("%s (through %s)", endpointOf(in).Name, proxy)
}

func peerOf(in *Input) Peer {
	r := &in.Event.Record
	p := Peer{IP: r.Server.Addr.String(), Port: r.Server.Port, Proto: protoName(r.Proto), Name: in.Conn.Name}
	if in.Server != nil {
		p.Name = in.Server.Name
	}
	return p
}

// sortWhy puts the most surprising reason first.
func sortWhy(w []Why) {
	slices.SortStableFunc(w, func(a, b Why) int { return cmp.Compare(b.Surprise, a.Surprise) })
}
