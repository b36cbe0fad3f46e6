package wire

import (
	"encoding/binary"
	"slices"
)

// DCERPC is one exchange of DCE remote procedure calls ([C706] chapter 12,
// [MS-RPCE]): a bind to interfaces, or a call of one of their operations. Of a
// connection the first 64 are told, later only operations unlike these.
type DCERPC struct {
	Major, Minor uint8 // version: 5.0, 5.1, 4.0 over UDP
	// Request and Response are types of PDUs, see DCERPCTypeName. What was not
	// seen is not Asked or not Answered.
	Request, Response uint8
	Asked, Answered   bool
	CallID            uint32 // over UDP the number of the call in its activity
	Activity          [16]byte
	Interfaces        []DCERPCInterface // proposed by a bind, or that a call belongs to; at most 16
	Context, Opnum    uint16            // of a call: the number of its interface, and its operation
	Sent, Received    DCERPCStub        // arguments and results of a call
	Fault             uint32            // status of a FAULT, such as 5 (access denied), reason of a BINDNAK
}

// DCERPCStub is how much a call or its answer carries.
type DCERPCStub struct {
	Fragments int
	Size      int // bytes behind the headers, signatures included
}

// DCERPCInterface is an interface by its UUID, in the order in which it is
// written, and its version.
type DCERPCInterface struct {
	UUID         [16]byte
	Major, Minor uint16
	Context      uint16 // number that calls name it by
	Acked        bool
	Result       uint16 // of the server, 0: accepted, 2: refused, 3: negotiated
	Reason       uint16 // of a refusal
}

// Protocol implements Message.
func (*DCERPC) Protocol() string { return "dcerpc" }

// Types of PDUs ([C706] section 12.6.4.1).
const (
	rpcRequest   = 0
	rpcResponse  = 2
	rpcFault     = 3
	rpcBind      = 11
	rpcBindAck   = 12
	rpcBindNak   = 13
	rpcAlter     = 14
	rpcAlterResp = 15
	rpcAuth3     = 16
	rpcOrphaned  = 19
)

const (
	rpcHeader     = 16 // of every PDU
	rpcCallHeader = 24 // of a request or response, up to the stub
	// maxRPCBind bounds what is read of a bind: with a Kerberos ticket it has
	// some 4 KiB.
	maxRPCBind       = 8 << 10
	maxRPCInterfaces = 16
	maxRPCCalls      = 16 // that wait for their answer
	maxRPCTold       = 64 // exchanges that are told whatever they are
	maxRPCKinds      = 64 // operations that are told after these
)

// rpcPDU is the header of a PDU of version 5.
type rpcPDU struct {
	order         binary.ByteOrder
	kind, flags   uint8
	minor         uint8
	size, authLen int
	call          uint32
}

// first and last tell fragments of a call apart.
func (p *rpcPDU) first() bool { return p.flags&1 != 0 }
func (p *rpcPDU) last() bool  { return p.flags&2 != 0 }

// rpcOrder is the byte order that a label of the data representation names,
// nil if it names none.
func rpcOrder(label byte) binary.ByteOrder {
	switch label {
	case 0x10:
		return binary.LittleEndian
	case 0x00:
		return binary.BigEndian
	}
	return nil
}

// parseRPCPDU reads the header of a PDU, false if it cannot be one. b has at
// least 16 bytes.
func parseRPCPDU(b []byte) (p rpcPDU, ok bool) {
	if sniffRPCHeader(b) == No {
		return p, false
	}
	order := rpcOrder(b[4])
	return rpcPDU{
		order: order, minor: b[1], kind: b[2], flags: b[3],
		size: int(order.Uint16(b[8:])), authLen: int(order.Uint16(b[10:])), call: order.Uint32(b[12:]),
	}, true
}

// sniffRPCHeader judges as much of the header of a PDU as there is.
func sniffRPCHeader(b []byte) Match {
	const any = -1
	for i, want := range [...]int{5, any, any, any, any, 0, 0, 0} {
		if i < len(b) && want != any && int(b[i]) != want {
			return No
		}
	}
	if len(b) > 1 && b[1] > 1 || len(b) > 2 && !rpcKnown(b[2]) || len(b) > 4 && rpcOrder(b[4]) == nil {
		return No
	}
	if len(b) < rpcHeader {
		return Maybe
	}
	order := rpcOrder(b[4])
	size, auth := int(order.Uint16(b[8:])), int(order.Uint16(b[10:]))
	return matchIf(size >= rpcLeast(b[2]) && (auth == 0 || rpcHeader+8+auth <= size))
}

// rpcKnown tells the types of PDUs of a connection.
func rpcKnown(kind byte) bool {
	switch kind {
	case rpcRequest, rpcResponse, rpcFault:
		return true
	}
	return kind >= rpcBind && kind <= rpcOrphaned
}

// rpcLeast is how many bytes a PDU has at least.
func rpcLeast(kind byte) int {
	switch kind {
	case rpcRequest, rpcResponse:
		return rpcCallHeader
	case rpcFault, rpcBindAck, rpcAlterResp:
		return rpcHeader + 12
	case rpcBind, rpcAlter:
		return rpcHeader + 12 + 44 // one interface with one syntax
	}
	return rpcHeader
}

// rpcNeed is how much of a PDU is read: of calls the header alone.
func rpcNeed(p *rpcPDU) int {
	switch p.kind {
	case rpcRequest, rpcResponse:
		return rpcCallHeader
	case rpcFault:
		return min(p.size, rpcHeader+12)
	}
	return min(p.size, maxRPCBind)
}

// rpcConn follows the calls of one connection or pipe.
type rpcConn struct {
	bound   []DCERPCInterface // by their context, at most maxRPCInterfaces
	calls   []*DCERPC         // that wait, at most maxRPCCalls
	told    int
	kinds   []rpcKind // at most maxRPCKinds
	attempt attempt
}

// rpcKind is what calls are told once for.
type rpcKind struct {
	context, opnum uint16
	response       uint8
}

// pdu reads the next PDU, or as much of it as rpcNeed says, and returns an
// exchange that it completes, which may be nil.
func (c *rpcConn) pdu(dir Dir, b []byte, msgs []Message) (*DCERPC, []Message) {
	if len(b) < rpcHeader {
		return nil, msgs
	}
	p, ok := parseRPCPDU(b)
	if !ok {
		return nil, msgs
	}
	switch p.kind {
	case rpcBind, rpcAlter:
		m := &DCERPC{Major: 5, Minor: p.minor, Asked: true, Request: p.kind, CallID: p.call, Interfaces: rpcProposed(&p, b)}
		return c.asked(m), c.security(dir, &p, b, msgs)
	case rpcAuth3: // has no answer of its own
		return c.tell(&DCERPC{Major: 5, Minor: p.minor, Asked: true, Request: p.kind, CallID: p.call}), c.security(dir, &p, b, msgs)
	case rpcRequest:
		return c.request(&p, b), msgs
	case rpcBindAck, rpcAlterResp, rpcBindNak:
		return c.acked(&p, b, msgs)
	case rpcResponse, rpcFault:
		return c.response(&p, b, msgs)
	}
	return nil, msgs
}

// request notes a call, or one more fragment of it.
func (c *rpcConn) request(p *rpcPDU, b []byte) *DCERPC {
	if len(b) < rpcCallHeader {
		return nil
	}
	size := max(0, p.size-rpcCallHeader)
	if !p.first() {
		if m := c.waiting(p.call, rpcRequest); m != nil {
			m.Sent.Fragments++
			m.Sent.Size += size
		}
		return nil
	}
	context, opnum := p.order.Uint16(b[20:]), p.order.Uint16(b[22:])
	if c.told >= maxRPCTold && (len(c.kinds) == maxRPCKinds || slices.Contains(c.kinds, rpcKind{context, opnum, rpcResponse})) {
		return nil // told often enough, and not worth an allocation
	}
	m := &DCERPC{
		Major: 5, Minor: p.minor, Asked: true, Request: rpcRequest, CallID: p.call, Context: context, Opnum: opnum, Sent: DCERPCStub{1, size},
	}
	if i := c.context(context); i >= 0 {
		m.Interfaces = []DCERPCInterface{c.bound[i]}
	}
	return c.asked(m)
}

// asked notes what waits for an answer. What has waited longest gives way, and
// is told as it is.
func (c *rpcConn) asked(m *DCERPC) (given *DCERPC) {
	if len(c.calls) == maxRPCCalls {
		given = c.calls[0]
		c.calls = slices.Delete(c.calls, 0, 1)
	}
	c.calls = append(c.calls, m)
	return c.tell(given)
}

// waiting returns the exchange with this number that waits.
func (c *rpcConn) waiting(call uint32, kinds ...uint8) *DCERPC {
	for _, m := range c.calls {
		if m.CallID == call && slices.Contains(kinds, m.Request) {
			return m
		}
	}
	return nil
}

// done takes an exchange off those that wait.
func (c *rpcConn) done(m *DCERPC) {
	if i := slices.Index(c.calls, m); i >= 0 {
		c.calls = slices.Delete(c.calls, i, i+1)
	}
}

// tell returns m if it is to be told.
func (c *rpcConn) tell(m *DCERPC) *DCERPC {
	if m == nil {
		return nil
	}
	if c.told < maxRPCTold {
		c.told++
		return m
	}
	kind := rpcKind{m.Context, m.Opnum, m.Response}
	if slices.Contains(c.kinds, kind) || len(c.kinds) == maxRPCKinds {
		return nil
	}
	c.kinds = append(c.kinds, kind)
	return m
}

// response reads an answer to a call, or a fragment of it.
func (c *rpcConn) response(p *rpcPDU, b []byte, msgs []Message) (*DCERPC, []Message) {
	m := c.waiting(p.call, rpcRequest, rpcAlter)
	if m == nil {
		return nil, c.settled(p, b, msgs)
	}
	if p.kind == rpcResponse {
		m.Received.Fragments++
		m.Received.Size += max(0, p.size-rpcCallHeader)
		if !p.last() {
			return nil, msgs
		}
	} else if len(b) >= rpcHeader+12 {
		m.Fault = p.order.Uint32(b[24:])
	}
	m.Answered, m.Response = true, p.kind
	c.done(m)
	return c.tell(m), c.settled(p, b, msgs)
}

// settled reports the login that an answer says the outcome of: a call is
// answered, or refused because of it.
func (c *rpcConn) settled(p *rpcPDU, b []byte, msgs []Message) []Message {
	const accessDenied, authenticationFailed = 5, 0x721 // ERROR_ACCESS_DENIED, rpc_s_sec_pkg_error
	outcome := Succeeded
	if p.kind == rpcFault {
		if len(b) < rpcHeader+12 {
			return msgs
		}
		if status := p.order.Uint32(b[24:]); status == accessDenied || status == authenticationFailed {
			outcome = Failed
		}
	}
	return c.attempt.end(outcome, msgs)
}

// gone returns what is left without an answer, one after the other, and nil in
// the end.
func (c *rpcConn) gone() *DCERPC {
	for len(c.calls) > 0 {
		m := c.calls[0]
		c.calls = c.calls[1:]
		if m = c.tell(m); m != nil {
			return m
		}
	}
	return nil
}

// DCERPCTypeName names a type of PDU as Suricata does.
func DCERPCTypeName(kind uint8) string {
	names := [...]string{
		"REQUEST", "PING", "RESPONSE", "FAULT", "WORKING", "NOCALL", "REJECT", "ACK", "CL_CANCEL", "FACK", "CANCEL_ACK",
		"BIND", "BINDACK", "BINDNAK", "ALTER_CONTEXT", "ALTER_CONTEXT_RESP", "AUTH3", "SHUTDOWN", "CO_CANCEL", "ORPHANED",
	}
	if int(kind) < len(names) {
		return names[kind]
	}
	return "UNKNOWN"
}
