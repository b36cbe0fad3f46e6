package detect

import (
	"net/netip"
	"strings"

	"gatehouse/flow"
	"gatehouse/wire"
)

// maxConns bounds the flows remembered at a time; a flow beyond it is judged
// by each of its events alone.
const maxConns = 65536

// FlowID tells flows apart: the five-tuple and the time of the first packet.
type FlowID struct {
	Client, Server netip.AddrPort
	Proto          uint8
	First          int64
}

// IDOf returns the identity of a record.
func IDOf(r *flow.Record) FlowID {
	return FlowID{
		Client: netip.AddrPortFrom(r.Client.Addr, r.Client.Port),
		Server: netip.AddrPortFrom(r.Server.Addr, r.Server.Port),
		Proto:  r.Proto,
		First:  r.First,
	}
}

// Conn is what is remembered of one flow between its events.
type Conn struct {
	Name    string            // the name that the client called the server by: SNI, Host, else the answer it looked up
	Spoken  bool              // Name was said in the flow itself
	Hello   *wire.ClientHello // the client's last
	Judged  bool              // the destination has been judged
	Offered bool              // the service has been judged
}

// Conns remembers flows between their events.
type Conns struct{ m map[FlowID]*Conn }

// NewConns returns an empty memory.
func NewConns() *Conns { return &Conns{m: make(map[FlowID]*Conn)} }

// Of returns the memory of the event's flow, updated with the names that the
// event's messages tell. It is forgotten with the flow's End.
func (c *Conns) Of(ev *flow.Event) *Conn {
	if ev.Kind == flow.Frame {
		return nil
	}
	id := IDOf(&ev.Record)
	conn := c.m[id]
	if conn == nil {
		conn = &Conn{}
		if len(c.m) < maxConns && ev.Kind != flow.End {
			c.m[id] = conn
		}
	}
	if ev.Kind == flow.End {
		delete(c.m, id)
	}
	for _, m := range ev.Messages {
		switch m := m.(type) {
		case *wire.ClientHello:
			conn.Hello = m
			conn.speak(m.SNI)
		case *wire.HTTPRequest:
			if !strings.EqualFold(m.Method, "CONNECT") {
				conn.speak(hostOnly(m.Host))
			}
		}
	}
	return conn
}

func (c *Conn) speak(name string) {
	if name == "" || c.Spoken {
		return
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return // an address is no name
	}
	c.Name, c.Spoken = strings.ToLower(name), true
}

// hostOnly strips the port of a Host field.
func hostOnly(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.Contains(host[i:], "]") && strings.Count(host, ":") == 1 {
		return host[:i]
	}
	return host
}
