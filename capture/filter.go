package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrFilter is inside every error about a filter expression.
var ErrFilter = errors.New("invalid filter")

// Bounds of a filter expression. People write a line; these only keep a
// machine-made one from taking stack or memory without end.
const (
	maxFilterText  = 4096 // bytes
	maxFilterDepth = 64   // parentheses and negations around a test
)

// Filter says which frames of a live interface are captured; the kernel drops
// the others before they cost anything. The zero value lets everything pass.
//
// The language is a subset of pcap-filter(7), with the same meaning:
//
//	host ADDR      IPv4, IPv6 or ARP with this address at either end
//	net PREFIX     the same for a network, such as 192.0.2.0/24 or 2001:db8::/32
//	port N         TCP, UDP or SCTP with this port at either end
//	vlan [ID]      a frame with a VLAN tag, or with this VLAN id outermost
//	ip ip6 arp     by EtherType
//	tcp udp sctp   by IP protocol, over IPv4 and IPv6
//	icmp icmp6     ICMP over IPv4, ICMPv6 over IPv6
//	not and or ()  also written ! && ||
//
// A protocol may stand right before host, net or port: "udp port 53" is "udp
// and port 53".
//
// It differs from pcap-filter(7) in four ways, each the safer one. All tests
// look behind up to two VLAN tags, whether the kernel took them off or not,
// where pcap sees only untagged frames until "vlan" was said. A frame too
// short for a test fails that test, so that "not port 53" keeps it, where pcap
// drops it. "and" and "or" bind equally tightly in pcap, unlike in most
// languages, so mixing them needs parentheses here. IPv6 extension headers,
// fragment headers among them, are not followed: tests of ports and protocols
// see the first Next Header alone.
type Filter struct {
	text string
	root node // nil lets everything pass
}

// String returns the expression as it was given.
func (f Filter) String() string { return f.text }

// ParseFilter parses a filter expression. Blank text lets everything pass.
// Errors wrap ErrFilter and name the offending word and its position.
func ParseFilter(text string) (Filter, error) {
	if len(text) > maxFilterText {
		return Filter{}, fmt.Errorf("%w: %d bytes long, at most %d are allowed", ErrFilter, len(text), maxFilterText)
	}
	p := filterParser{tokens: filterTokens(text)}
	if len(p.tokens) == 0 {
		return Filter{text: text}, nil
	}
	root, err := p.expression()
	if err == nil && p.next < len(p.tokens) {
		err = p.unexpected("and, or, or the end")
	}
	if err != nil {
		return Filter{}, fmt.Errorf("%w %q: %w", ErrFilter, text, err)
	}
	return Filter{text: text, root: root}, nil
}

// node is a part of a parsed filter.
type node interface{ isNode() }

type (
	notNode   struct{ of node }
	allNode   struct{ of []node } // and
	anyNode   struct{ of []node } // or
	etherNode struct{ etherType uint16 }
	protoNode struct {
		proto     uint8
		etherType uint16 // 0: over either IP version
	}
	netNode  struct{ prefix netip.Prefix }
	portNode struct{ port uint16 }
	vlanNode struct {
		id  uint16
		any bool
	}
)

func (notNode) isNode()   {}
func (allNode) isNode()   {}
func (anyNode) isNode()   {}
func (etherNode) isNode() {}
func (protoNode) isNode() {}
func (netNode) isNode()   {}
func (portNode) isNode()  {}
func (vlanNode) isNode()  {}

// EtherTypes (IEEE 802 numbers) and IP protocols (IANA) that filters know.
const (
	etherIPv4       = 0x0800
	etherARP        = 0x0806
	etherVLAN       = 0x8100
	etherIPv6       = 0x86dd
	etherQinQ       = 0x88a8
	etherQinQLegacy = 0x9100

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

// protocolTest returns the test that a protocol keyword stands for, or nil.
func protocolTest(word string) node {
	switch word {
	case "ip":
		return etherNode{etherIPv4}
	case "ip6":
		return etherNode{etherIPv6}
	case "arp":
		return etherNode{etherARP}
	case "tcp":
		return protoNode{proto: protoTCP}
	case "udp":
		return protoNode{proto: protoUDP}
	case "sctp":
		return protoNode{proto: protoSCTP}
	case "icmp":
		return protoNode{protoICMP, etherIPv4}
	case "icmp6":
		return protoNode{protoICMPv6, etherIPv6}
	default:
		return nil
	}
}

// token is a word of a filter expression.
type token struct {
	text string
	at   int // bytes from the start of the expression
}

// filterTokens splits text at white space and around the symbols.
func filterTokens(text string) []token {
	var out []token
	for i := 0; i < len(text); {
		rest := text[i:]
		n := strings.IndexAny(rest, " \t\r\n()!&|")
		switch {
		case n > 0:
		case n < 0:
			n = len(rest)
		case strings.ContainsRune(" \t\r\n", rune(rest[0])):
			i++
			continue
		case strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "||"):
			n = 2
		default:
			n = 1
		}
		out = append(out, token{rest[:n], i})
		i += n
	}
	return out
}

// filterParser is a recursive descent over tokens.
type filterParser struct {
	tokens []token
	next   int
	depth  int
}

// peek returns the next word with symbols spelled out, "" at the end.
func (p *filterParser) peek() string {
	if p.next == len(p.tokens) {
		return ""
	}
	switch t := p.tokens[p.next].text; t {
	case "!":
		return "not"
	case "&&":
		return "and"
	case "||":
		return "or"
	default:
		return t
	}
}

func (p *filterParser) unexpected(want string) error {
	if p.next == len(p.tokens) {
		return fmt.Errorf("expected %s, found the end", want)
	}
	t := p.tokens[p.next]
	return fmt.Errorf("expected %s, found %q at byte %d", want, t.text, t.at)
}

// expression = term { "and" term } | term { "or" term }
func (p *filterParser) expression() (node, error) {
	first, err := p.term()
	if err != nil {
		return nil, err
	}
	operator := p.peek()
	if operator != "and" && operator != "or" {
		return first, nil
	}
	terms := []node{first}
	for p.peek() == operator {
		p.next++
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	if other := p.peek(); other == "and" || other == "or" {
		return nil, fmt.Errorf("and and or side by side (byte %d): put one of them in parentheses", p.tokens[p.next].at)
	}
	if operator == "and" {
		return allNode{terms}, nil
	}
	return anyNode{terms}, nil
}

// term = "not" term | "(" expression ")" | [protocol] test | protocol
func (p *filterParser) term() (node, error) {
	if p.depth++; p.depth > maxFilterDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxFilterDepth)
	}
	defer func() { p.depth-- }()
	word := p.peek()
	switch word {
	case "not":
		p.next++
		t, err := p.term()
		return notNode{t}, err
	case "(":
		p.next++
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		if p.peek() != ")" {
			return nil, p.unexpected("and, or, or a closing parenthesis")
		}
		p.next++
		return e, nil
	}
	protocol := protocolTest(word)
	if protocol == nil {
		return p.test()
	}
	p.next++
	switch p.peek() {
	case "host", "net", "port":
		t, err := p.test()
		return allNode{[]node{protocol, t}}, err
	}
	return protocol, nil
}

// test = "host" ADDR | "net" PREFIX | "port" N | "vlan" [N]
func (p *filterParser) test() (node, error) {
	word := p.peek()
	switch word {
	case "host", "net", "port", "vlan":
		p.next++
	default:
		return nil, p.unexpected("host, net, port, vlan, ip, ip6, arp, tcp, udp, sctp, icmp, icmp6, not or (")
	}
	value := p.peek()
	switch word {
	case "vlan":
		if value == "" || value[0] < '0' || value[0] > '9' {
			return vlanNode{any: true}, nil
		}
		id, err := strconv.ParseUint(value, 10, 12)
		if err != nil {
			return nil, p.unexpected("a VLAN id from 0 to 4095")
		}
		p.next++
		return vlanNode{id: uint16(id)}, nil
	case "port":
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return nil, p.unexpected("a port from 0 to 65535")
		}
		p.next++
		return portNode{uint16(port)}, nil
	case "host":
		addr, err := netip.ParseAddr(value)
		if err != nil || addr.Zone() != "" {
			return nil, p.unexpected("an IPv4 or IPv6 address (names are not looked up)")
		}
		p.next++
		return hostNode(addr), nil
	default:
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			return nil, p.unexpected("a network such as 192.0.2.0/24")
		}
		if prefix != prefix.Masked() {
			return nil, p.unexpected("a network without host bits, such as " + prefix.Masked().String())
		}
		p.next++
		return netNode{prefix}, nil
	}
}

// hostNode tests for one address. An IPv4-mapped IPv6 address stands for the
// IPv4 address: it never occurs in a packet.
func hostNode(addr netip.Addr) node {
	addr = addr.Unmap()
	return netNode{netip.PrefixFrom(addr, addr.BitLen())}
}
