package wire

import "fmt"

var errRPC = fmt.Errorf("read dcerpc pdu: %w", ErrMalformed)

// rpcFraming is DCE RPC straight over TCP: PDU after PDU.
type rpcFraming struct {
	conn rpcConn
	over [2]bool
}

func newRPCStream() Stream {
	f := &rpcFraming{}
	return &framedStream{framing: f, parted: f}
}

// sniffRPC recognises the header of a PDU that opens a connection, or of one
// within it.
func sniffRPC(_ Dir, b []byte) Match {
	if len(b) == 0 {
		return Maybe
	}
	// What begins within a call is its first or its last part.
	if m := sniffRPCHeader(b); m != Yes || b[2] >= rpcBind || b[3]&3 != 0 {
		return m
	}
	return No
}

func (*rpcFraming) size(b []byte) (int, error) {
	switch sniffRPCHeader(b) {
	case No:
		return 0, errRPC
	case Maybe:
		return 0, nil
	}
	p, _ := parseRPCPDU(b)
	return p.size, nil
}

// part implements parted.
func (*rpcFraming) part(b []byte, _ int) (int, error) {
	p, ok := parseRPCPDU(b)
	if !ok {
		return 0, errRPC
	}
	return rpcNeed(&p), nil
}

func (f *rpcFraming) read(dir Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	m, msgs := f.conn.pdu(dir, b, msgs)
	if m != nil {
		msgs = append(msgs, m)
	}
	return msgs, nil
}

// ended implements ender: the server may still answer what the client has
// asked.
func (f *rpcFraming) ended(dir Dir, msgs []Message) []Message {
	f.over[dir] = true
	if !f.over[FromServer] {
		return msgs
	}
	for m := f.conn.gone(); m != nil; m = f.conn.gone() {
		msgs = append(msgs, m)
	}
	return f.conn.attempt.end(OutcomeUnknown, msgs)
}
