package flow

import "gatehouse/wire"

const (
	// maxExpected bounds the announced flows that are waited for; of more, the
	// oldest are forgotten.
	maxExpected = 1024
	// maxExpectation is how long an announced flow is waited for, nanoseconds:
	// as long as vsftpd's connect_timeout and accept_timeout, and longer than
	// the retries of a TFTP client.
	maxExpectation = 60e9
)

// expectations are the flows that messages of other flows have announced:
// data connections of FTP, transfers of TFTP. Both are between the same two
// hosts, and so on the same shard.
type expectations struct {
	byKey map[key]expected // nil before the first
	order []key            // by age, from next on
	next  int
}

// expected is a flow that is waited for.
type expected struct {
	message wire.Message
	until   int64
	row     uint8  // plus one, 0 with a message
	place   uint16 // in order
}

// expect notes the flow that a message of e announces.
func (s *Shard) expect(e *entry, x *wire.Expectation) {
	row := uint8(0)
	if x.Message == nil {
		if row = s.rowOf(x.App); row == 0 {
			return
		}
	}
	listener := e.client ^ side(x.Listener)
	port := x.Port
	if port == 0 {
		port = e.key.port[listener]
	}
	g := &s.expected
	if g.byKey == nil {
		g.byKey, g.order = make(map[key]expected), make([]key, maxExpected)
	}
	if old := g.order[g.next]; old.proto != 0 {
		if have, ok := g.byKey[old]; ok && int(have.place) == g.next {
			delete(g.byKey, old)
		}
	}
	k := listenerKey(&e.key, x.Over, listener, port)
	g.order[g.next] = k
	g.byKey[k] = expected{message: x.Message, until: s.now + maxExpectation, row: row, place: uint16(g.next)}
	g.next = (g.next + 1) % maxExpected
}

// listenerKey is what a flow is expected by: both hosts and the port of one.
// Of a host that talks to itself, the order of its ends says nothing.
func listenerKey(k *key, proto uint8, listener side, port uint16) key {
	out := *k
	if out.addr[0] == out.addr[1] {
		listener = 0
	}
	out.proto, out.id = proto, 0
	out.port[listener], out.port[listener^1] = port, 0
	return out
}

// announced returns what a flow without a name is that a message of another
// has announced, and forgets the announcement.
func (s *Shard) announced(e *entry) (x expected, ok bool) {
	if len(s.expected.byKey) == 0 || e.app != 0 {
		return expected{}, false
	}
	for i := range side(2) {
		k := listenerKey(&e.key, e.key.proto, i, e.key.port[i])
		if x, ok = s.expected.byKey[k]; ok {
			delete(s.expected.byKey, k)
			return x, s.now < x.until
		}
	}
	return expected{}, false
}

// rowOf returns the row of a protocol by its name, plus one, 0 for none.
func (s *Shard) rowOf(name string) uint8 {
	for i := range s.protocols {
		if s.protocols[i].Name == name {
			return uint8(i + 1)
		}
	}
	return 0
}
