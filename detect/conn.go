package detect

import (
	"net"
	"strconv"
	"strings"

	"gatehouse/baseline"
	"gatehouse/flow"
	"gatehouse/wire"
)

// maxConns bounds the flows remembered at a time; a flow beyond it is judged
// by each of its events alone.
const maxConns = 65536

// socksConnect is the command of SOCKS that asks for a connection (RFC 1928).
const socksConnect = 1

// Conn is what is remembered of one flow between its events. It holds no
// message: what a peer makes a parser allocate must not outlive the event.
type Conn struct {
	// Name is what the client calls the server: the name said in the flow
	// itself (SNI, Host), else the one for which it got the address.
	Name   string
	Spoken bool // Name was said in the flow itself
	// Proxied is whom the server, a proxy, was asked to connect to; zero if it
	// is none. A handshake that follows is with that end, not with the proxy.
	Proxied baseline.Endpoint
	Hello   bool   // the client sent a ClientHello
	JA4     string // of the latest ClientHello, "" if that was cut off
	Judged  bool   // the destination has been judged
	Offered bool   // the service has been judged

	clear *clearRequest // a suspicious request in clear whose response is still out
}

// Conns remembers flows between their events, by the id of their record.
type Conns struct {
	m     map[uint64]*Conn
	ended *Conn   // of the latest event, if that was its flow's last
	spare []*Conn // of flows that have ended, to be used again
}

// maxSpare bounds the memory kept for later flows to 56 KiB.
const maxSpare = 1024

// NewConns returns an empty memory.
func NewConns() *Conns { return &Conns{m: make(map[uint64]*Conn)} }

// Of returns the memory of the event's flow, updated with the names that the
// event's messages tell; nil for an event that is not of a flow. It is
// forgotten with the flow's End: the result is valid until the next call.
func (c *Conns) Of(ev *flow.Event) *Conn {
	if ev.Kind == flow.Frame {
		return nil
	}
	c.recycle()
	conn := c.m[ev.Record.ID]
	if conn == nil {
		conn = c.fresh()
		if len(c.m) < maxConns && ev.Kind != flow.End {
			c.m[ev.Record.ID] = conn
		} else {
			c.ended = conn
		}
	} else if ev.Kind == flow.End {
		delete(c.m, ev.Record.ID)
		c.ended = conn
	}
	for _, m := range ev.Messages {
		switch m := m.(type) {
		case *wire.ClientHello:
			conn.Hello, conn.JA4 = true, m.JA4
			conn.speak(m.SNI)
		case *wire.HTTPRequest:
			// What a proxy is asked to connect to is not the proxy's name.
			if strings.EqualFold(m.Method, "CONNECT") {
				conn.proxy(net.SplitHostPort(m.Target))
			} else {
				conn.speak(withoutPort(m.Host))
			}
		case *wire.Socks:
			if m.Granted() && m.Command == socksConnect {
				conn.proxy(m.Host, strconv.Itoa(int(m.Port)), nil)
			}
		}
	}
	return conn
}

// recycle takes back what nobody looks at any more.
func (c *Conns) recycle() {
	if c.ended != nil && len(c.spare) < maxSpare {
		*c.ended = Conn{}
		c.spare = append(c.spare, c.ended)
	}
	c.ended = nil
}

func (c *Conns) fresh() *Conn {
	n := len(c.spare)
	if n == 0 {
		return &Conn{}
	}
	conn := c.spare[n-1]
	c.spare = c.spare[:n-1]
	return conn
}

// speak notes the first name said in the flow.
func (c *Conn) speak(name string) {
	if name = hostname(name); name != "" && !c.Spoken {
		c.Name, c.Spoken = name, true
	}
}

// proxy notes whom a proxy was asked to connect to, by name or address. Of
// what is neither nothing is noted.
func (c *Conn) proxy(host, port string, err error) {
	number, malformed := strconv.ParseUint(port, 10, 16)
	if err != nil || malformed != nil {
		return
	}
	name := hostname(host)
	if name == "" && isAddr(host) {
		name = host
	}
	if name != "" {
		c.Proxied = baseline.Endpoint{Name: name, Port: uint16(number)}
	}
}

// withoutPort strips the port of a Host field. What has more than one colon is
// an address, which is no name anyway.
func withoutPort(host string) string {
	if i := strings.IndexByte(host, ':'); i >= 0 && strings.LastIndexByte(host, ':') == i {
		return host[:i]
	}
	return host
}

// maxHostname is the longest name that DNS can carry, in presentation form
// (RFC 1035 section 2.3.4).
const maxHostname = 253

// hostname returns a name in lower case and without its final dot, or "" if it
// is an address or holds anything but letters, digits, hyphens, underscores
// and dots: names end up in sentences, logs and terminals.
func hostname(name string) string {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxHostname || name[0] == '.' {
		return ""
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', isDigit(c), c == '-', c == '.', c == '_':
		default:
			return ""
		}
	}
	if isDigit(name[len(name)-1]) && isAddr(name) {
		return ""
	}
	return strings.ToLower(name)
}
