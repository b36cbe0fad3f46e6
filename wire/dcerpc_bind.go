package wire

import "slices"

// rpcProposed reads the interfaces that a bind proposes ([C706] section
// 12.6.4.3): each with the syntaxes that its data may be in.
func rpcProposed(p *rpcPDU, b []byte) (list []DCERPCInterface) {
	const listAt, syntaxLen = rpcHeader + 8, 20
	if len(b) < listAt+4 {
		return nil
	}
	count := min(int(b[listAt]), maxRPCInterfaces)
	c := cursor{b: b[listAt+4:]}
	for range count {
		head, syntax := c.take(4), c.take(syntaxLen)
		if syntax == nil {
			return list
		}
		c.skip(syntaxLen * int(head[2]))
		list = append(list, DCERPCInterface{
			Context: p.order.Uint16(head), UUID: rpcUUID(p, syntax),
			Major: p.order.Uint16(syntax[16:]), Minor: p.order.Uint16(syntax[18:]),
		})
	}
	return list
}

// rpcUUID reads a UUID into the order in which it is written.
func rpcUUID(p *rpcPDU, b []byte) (id [16]byte) {
	copy(id[:], b)
	if rpcOrder(0x10) == p.order {
		slices.Reverse(id[:4])
		slices.Reverse(id[4:6])
		slices.Reverse(id[6:8])
	}
	return id
}

// acked reads the answer to a bind: a result for each interface, in their order.
func (c *rpcConn) acked(p *rpcPDU, b []byte, msgs []Message) (*DCERPC, []Message) {
	m := c.waiting(p.call, rpcBind, rpcAlter)
	if m == nil {
		return nil, msgs
	}
	m.Answered, m.Response = true, p.kind
	if p.kind == rpcBindNak {
		if len(b) >= rpcHeader+2 {
			m.Fault = uint32(p.order.Uint16(b[rpcHeader:]))
		}
		c.done(m)
		return c.tell(m), c.attempt.end(Failed, msgs)
	}
	m.results(p, b)
	for _, bound := range m.Interfaces {
		c.bind(bound)
	}
	c.done(m)
	if p.kind == rpcAlterResp {
		// The last leg of SPNEGO: the server has agreed to it.
		msgs = c.attempt.end(Succeeded, msgs)
	}
	return c.tell(m), msgs
}

// results reads the results behind the secondary address, which is padded to
// four bytes.
func (m *DCERPC) results(p *rpcPDU, b []byte) {
	const addressAt, resultLen = rpcHeader + 8, 24
	if len(b) < addressAt+2 {
		return
	}
	at := addressAt + 2 + int(p.order.Uint16(b[addressAt:]))
	at += -at & 3
	if len(b) < at+4 {
		return
	}
	count := int(b[at])
	c := cursor{b: b[at+4:]}
	for i := range min(count, len(m.Interfaces)) {
		result := c.take(resultLen)
		if result == nil {
			return
		}
		of := &m.Interfaces[i]
		of.Acked, of.Result, of.Reason = true, p.order.Uint16(result), p.order.Uint16(result[2:])
	}
}

// bind notes what the number of a context stands for from now on.
func (c *rpcConn) bind(to DCERPCInterface) {
	if i := c.context(to.Context); i >= 0 {
		c.bound[i] = to
	} else if len(c.bound) < maxRPCInterfaces {
		c.bound = append(c.bound, to)
	}
}

// context returns where a context is in bound, -1 if it is not.
func (c *rpcConn) context(id uint16) int {
	return slices.IndexFunc(c.bound, func(b DCERPCInterface) bool { return b.Context == id })
}

// security reads who logs in, behind the body of a bind ([MS-RPCE] 2.2.2.11).
func (c *rpcConn) security(dir Dir, p *rpcPDU, b []byte, msgs []Message) []Message {
	if p.authLen == 0 || p.size-p.authLen > len(b) {
		return msgs
	}
	blob := b[max(rpcHeader, p.size-p.authLen):min(len(b), p.size)]
	l := &Login{Service: "dcerpc"}
	if token, kind := findNTLM(blob); kind == ntlmAuthenticate {
		who := parseNTLM(token)
		if who == nil {
			return msgs
		}
		l = who.login("dcerpc")
	} else if kind == 0 && findTicket(blob) != nil {
		l.Mechanism = "Kerberos"
	} else {
		return msgs
	}
	return c.attempt.begin(dir, l, msgs)
}
