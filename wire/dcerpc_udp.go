package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Calls over UDP are version 4 of the protocol ([C706] section 12.5): PROFINET
// sets up its connections with them, and old Windows its messages.

var errRPCDatagram = fmt.Errorf("read dcerpc datagram: %w", ErrNotMine)

const rpcDatagramHeader = 80

// rpcDatagram is the header of a datagram.
type rpcDatagram struct {
	kind, flags   uint8
	opnum, number uint16 // number is that of the fragment
	size          int    // of the body
	sequence      uint32
	version       uint32 // of the interface
	iface         [16]byte
	activity      [16]byte
}

// parseRPCDatagram reads the header, false if it cannot be one.
func parseRPCDatagram(b []byte) (d rpcDatagram, ok bool) {
	const version, cancelAck, unusedFlags2 = 4, 10, 0xfc
	if len(b) < rpcDatagramHeader || b[0] != version || b[1] > cancelAck || b[3]&unusedFlags2 != 0 ||
		rpcOrder(b[4]) == nil || b[5] > 3 || b[6] != 0 {
		return d, false
	}
	p := rpcPDU{order: rpcOrder(b[4])}
	d = rpcDatagram{
		kind: b[1], flags: b[2],
		iface: rpcUUID(&p, b[24:40]), activity: rpcUUID(&p, b[40:56]),
		version: p.order.Uint32(b[60:]), sequence: p.order.Uint32(b[64:]), opnum: p.order.Uint16(b[68:]),
		size: int(p.order.Uint16(b[74:])), number: p.order.Uint16(b[76:]),
	}
	return d, d.activity != [16]byte{} && rpcDatagramHeader+d.size <= len(b)
}

// sniffRPCDatagram recognises a request or an answer: its header says how long
// it is.
func sniffRPCDatagram(b []byte) bool {
	const authTrailer = 64 // more than any has
	d, ok := parseRPCDatagram(b)
	return ok && d.iface != [16]byte{} && rpcDatagramHeader+d.size+authTrailer > len(b)
}

// rpcFlow follows the calls of one flow.
type rpcFlow struct {
	calls []*DCERPC // that wait, at most maxRPCCalls
	told  int
}

var _ Flusher = (*rpcFlow)(nil)

func newRPCFlow() Datagrams { return &rpcFlow{} }

// Datagram implements Datagrams.
func (f *rpcFlow) Datagram(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	d, ok := parseRPCDatagram(b)
	if !ok {
		return msgs, errRPCDatagram
	}
	switch d.kind {
	case rpcRequest:
		return f.request(&d, msgs), nil
	case rpcResponse, rpcFault, 6: // 6: reject
		return f.response(&d, b[rpcDatagramHeader:], rpcOrder(b[4]), msgs), nil
	}
	return msgs, nil
}

// request notes a call; what was sent before in another fragment, or in vain, is
// the same call.
func (f *rpcFlow) request(d *rpcDatagram, msgs []Message) []Message {
	const fragment = 4 // flag: the call has more than one
	if i := f.find(d); i >= 0 {
		if d.flags&fragment != 0 && int(d.number) == f.calls[i].Sent.Fragments {
			f.calls[i].Sent.Fragments++
			f.calls[i].Sent.Size += d.size
		}
		return msgs
	}
	if f.told == maxRPCTold {
		return msgs
	}
	if len(f.calls) == maxRPCCalls {
		f.told++
		msgs = append(msgs, f.calls[0])
		f.calls = slices.Delete(f.calls, 0, 1)
	}
	f.calls = append(f.calls, &DCERPC{
		Major: 4, Asked: true, Request: d.kind, CallID: d.sequence, Activity: d.activity, Opnum: d.opnum,
		Interfaces: []DCERPCInterface{{UUID: d.iface, Major: uint16(d.version), Minor: uint16(d.version >> 16)}},
		Sent:       DCERPCStub{1, d.size},
	})
	return msgs
}

func (f *rpcFlow) find(d *rpcDatagram) int {
	return slices.IndexFunc(f.calls, func(m *DCERPC) bool { return m.Activity == d.activity && m.CallID == d.sequence })
}

// response reads an answer or a fragment of it.
func (f *rpcFlow) response(d *rpcDatagram, body []byte, order binary.ByteOrder, msgs []Message) []Message {
	const last, fragment = 2, 4
	i := f.find(d)
	if i < 0 {
		return msgs
	}
	m := f.calls[i]
	if d.kind == rpcResponse {
		m.Received.Fragments++
		m.Received.Size += d.size
		if d.flags&fragment != 0 && d.flags&last == 0 {
			return msgs
		}
	} else if len(body) >= 4 {
		m.Fault = order.Uint32(body)
	}
	m.Answered, m.Response = true, d.kind
	f.calls = slices.Delete(f.calls, i, i+1)
	f.told++
	return append(msgs, m)
}

// Flush implements Flusher: it tells of the calls that were not answered.
func (f *rpcFlow) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	if dir == FromClient {
		return msgs
	}
	for _, m := range f.calls {
		msgs = append(msgs, m)
	}
	f.calls = nil
	return msgs
}
