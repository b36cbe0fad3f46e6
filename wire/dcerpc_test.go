package wire

import (
	"encoding/binary"
	"testing"
)

// Interfaces as they cross the wire, in little-endian order, and as they are
// written.
var (
	samrWire    = []byte{0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0, 1, 0x23, 0x45, 0x67, 0x89, 0xac}
	samrUUID    = [16]byte{0x12, 0x34, 0x57, 0x78, 0x12, 0x34, 0xab, 0xcd, 0xef, 0, 1, 0x23, 0x45, 0x67, 0x89, 0xac}
	ndrSyntax   = []byte{4, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 8, 0, 0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0}
	samrContext = DCERPCInterface{UUID: samrUUID, Major: 1, Context: 3}
)

// rpc puts the header of version 5 before the body of a PDU ([C706] 12.6.3.1),
// as its first and last fragment unless flags say otherwise. auth are the bytes
// of a token behind its trailer.
func rpc(kind, flags, call int, auth []byte, body ...any) []byte {
	b := join(body...)
	if auth != nil {
		b = join(b, 10, 6, 0, 0, 0, 0, 0, 0, auth) // NTLM, privacy, padding, context
	}
	return join(5, 0, kind, flags, 0x10, 0, 0, 0, le16(rpcHeader+len(b)), le16(len(auth)), call, 0, 0, 0, b)
}

func rpcBindTo(kind, call int, auth []byte) []byte {
	return rpc(kind, 3, call, auth,
		le16(4280), le16(4280), 0, 0, 0, 0, // fragments, association
		1, 0, 0, 0, // one context
		3, 0, 1, 0, samrWire, 1, 0, 0, 0, ndrSyntax)
}

func rpcBindAnswer(kind, call, result int) []byte {
	return rpc(kind, 3, call, nil,
		le16(4280), le16(4280), 1, 0, 0, 0,
		6, 0, "49154\x00", // secondary address: 8 bytes, which need no padding
		1, 0, 0, 0, result, 0, 4*min(result, 1), 0, ndrSyntax)
}

func rpcCall(flags, call, opnum, size int) []byte {
	return rpc(rpcRequest, flags, call, nil, size, 0, 0, 0, 3, 0, le16(opnum), make([]byte, size))
}

func rpcAnswer(flags, call, size int) []byte {
	return rpc(rpcResponse, flags, call, nil, size, 0, 0, 0, 3, 0, 0, 0, make([]byte, size))
}

func TestDCERPCStream(t *testing.T) {
	accepted := samrContext
	accepted.Acked = true
	refused := accepted
	refused.Result, refused.Reason = 2, 4
	bound := &DCERPC{
		Major: 5, Asked: true, Request: rpcBind, Answered: true, Response: rpcBindAck, CallID: 1, Interfaces: []DCERPCInterface{accepted},
	}
	call := func(change func(m *DCERPC)) *DCERPC {
		m := &DCERPC{
			Major: 5, Asked: true, Request: rpcRequest, Answered: true, Response: rpcResponse, CallID: 2,
			Interfaces: []DCERPCInterface{accepted}, Context: 3, Opnum: 64, Sent: DCERPCStub{1, 60}, Received: DCERPCStub{1, 40},
		}
		change(m)
		return m
	}
	open := []chunk{{FromClient, rpcBindTo(rpcBind, 1, nil)}, {FromServer, rpcBindAnswer(rpcBindAck, 1, 0)}}
	with := func(more ...chunk) []chunk { return append(open[:2:2], more...) }
	auth := ntlmAuth("LAB", "anna", "PC")
	third := &DCERPC{Major: 5, Asked: true, Request: rpcAuth3, CallID: 1}
	login := func(o Outcome) *Login {
		return &Login{Service: "dcerpc", User: `LAB\anna`, Mechanism: "NTLM", Outcome: o}
	}
	playAll(t, newRPCStream, []dialogue{
		{
			"a call", with(chunk{FromClient, rpcCall(3, 2, 64, 60)}, chunk{FromServer, rpcAnswer(3, 2, 40)}),
			[]Message{bound, call(func(*DCERPC) {})},
			nil,
		},
		{"in fragments", with(
			chunk{FromClient, join(rpcCall(1, 2, 64, 60), rpcCall(0, 2, 64, 60), rpcCall(2, 2, 64, 7))},
			chunk{FromServer, join(rpcAnswer(1, 2, 40), rpcAnswer(2, 2, 2))},
		), []Message{bound, call(func(m *DCERPC) { m.Sent, m.Received = DCERPCStub{3, 127}, DCERPCStub{2, 42} })}, nil},
		{"two at once, answered in another order", with(
			chunk{FromClient, join(rpcCall(3, 2, 64, 60), rpcCall(3, 3, 5, 60))},
			chunk{FromServer, join(rpcAnswer(3, 3, 40), rpcAnswer(3, 2, 40))},
		), []Message{bound, call(func(m *DCERPC) { m.CallID, m.Opnum = 3, 5 }), call(func(*DCERPC) {})}, nil},
		{
			"no answer", with(chunk{FromClient, rpcCall(3, 2, 64, 60)}),
			[]Message{bound, call(func(m *DCERPC) { m.Answered, m.Response, m.Received = false, 0, DCERPCStub{} })},
			nil,
		},
		{"access denied", with(
			chunk{FromClient, rpcCall(3, 2, 64, 60)},
			chunk{FromServer, rpc(rpcFault, 3, 2, nil, 0, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0)},
		), []Message{bound, call(func(m *DCERPC) { m.Response, m.Fault, m.Received = rpcFault, 5, DCERPCStub{} })}, nil},
		{"an interface that is not there", []chunk{
			{FromClient, rpcBindTo(rpcBind, 1, nil)},
			{FromServer, rpcBindAnswer(rpcBindAck, 1, 2)},
		}, []Message{&DCERPC{
			Major: 5, Asked: true, Request: rpcBind, Answered: true, Response: rpcBindAck, CallID: 1, Interfaces: []DCERPCInterface{refused},
		}}, nil},
		{"bind refused", []chunk{
			{FromClient, rpcBindTo(rpcBind, 1, nil)},
			{FromServer, rpc(rpcBindNak, 3, 1, nil, 8, 0, 0, 0)}, // authentication type not recognised
		}, []Message{&DCERPC{
			Major: 5, Asked: true, Request: rpcBind, Answered: true, Response: rpcBindNak, CallID: 1, Fault: 8, Interfaces: []DCERPCInterface{samrContext},
		}}, nil},
		{"login by NTLM in a third leg", with(
			chunk{FromClient, join(rpc(rpcAuth3, 3, 1, auth, 0, 0, 0, 0), rpcCall(3, 2, 64, 60))},
			chunk{FromServer, rpcAnswer(3, 2, 40)},
		), []Message{bound, third, login(Succeeded), call(func(*DCERPC) {})}, nil},
		{"a wrong password", with(
			chunk{FromClient, join(rpc(rpcAuth3, 3, 1, auth, 0, 0, 0, 0), rpcCall(3, 2, 64, 60))},
			chunk{FromServer, rpc(rpcFault, 3, 2, nil, 0, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0)},
		), []Message{bound, third, login(Failed), call(func(m *DCERPC) { m.Response, m.Fault, m.Received = rpcFault, 5, DCERPCStub{} })}, nil},
		{"login by Kerberos within the bind", []chunk{
			{FromClient, rpcBindTo(rpcBind, 1, []byte("\x60\x30\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00t"))},
			{FromServer, rpcBindAnswer(rpcBindAck, 1, 0)},
			{FromClient, rpcBindTo(rpcAlter, 2, nil)},
			{FromServer, rpcBindAnswer(rpcAlterResp, 2, 0)},
		}, []Message{
			bound, &Login{Service: "dcerpc", Mechanism: "Kerberos", Outcome: Succeeded},
			&DCERPC{
				Major: 5, Asked: true, Request: rpcAlter, Answered: true, Response: rpcAlterResp, CallID: 2, Interfaces: []DCERPCInterface{accepted},
			},
		}, nil},
		{"joined within the connection", []chunk{
			{FromServer, rpcAnswer(3, 1, 40)}, {FromClient, rpcCall(3, 2, 64, 60)}, {FromServer, rpcAnswer(3, 2, 40)},
		}, []Message{call(func(m *DCERPC) { m.Interfaces = nil })}, nil},
		{"no PDU behind one", with(chunk{FromClient, []byte("GET / HTTP/1.1\r\n")}), []Message{bound}, ErrMalformed},
	})
}

// TestDCERPCBigEndian: the byte order is the sender's ([C706] section 14.1).
func TestDCERPCBigEndian(t *testing.T) {
	bind := join(5, 1, rpcBind, 3, 0, 0, 0, 0, 0, 72, 0, 0, 0, 0, 0, 9, // header
		0x10, 0xb8, 0x10, 0xb8, 0, 0, 0, 0, 1, 0, 0, 0,
		0, 0, 1, 0, samrUUID[:], 0, 1, 0, 0, ndrSyntax)
	msgs, err := playFlushed(t, newRPCStream(), []chunk{{FromClient, bind}}, 0)
	if err != nil || len(msgs) != 1 {
		t.Fatal(msgs, err)
	}
	if m := msgs[0].(*DCERPC); m.CallID != 9 || m.Minor != 1 || len(m.Interfaces) != 1 || m.Interfaces[0].UUID != samrUUID || m.Interfaces[0].Major != 1 {
		t.Errorf("got %+v", m)
	}
}

// TestDCERPCIsBounded: after some calls only new operations are told.
func TestDCERPCIsBounded(t *testing.T) {
	s := newRPCStream()
	told := 0
	for i := range 1000 {
		for _, c := range []chunk{{FromClient, rpcCall(3, i&0x7f, i%3, 8)}, {FromServer, rpcAnswer(3, i&0x7f, 8)}} {
			_, msgs, err := s.Feed(c.dir, c.b, nil)
			if err != nil {
				t.Fatal(err)
			}
			told += len(msgs)
		}
	}
	if want := maxRPCTold + 3; told != want {
		t.Errorf("%d calls told, want %d", told, want)
	}
	for i := range 1000 { // none is answered
		if _, _, err := s.Feed(FromClient, rpcCall(3, i&0x7f, i, 8), nil); err != nil {
			t.Fatal(err)
		}
	}
	if c := &s.(*framedStream).framing.(*rpcFraming).conn; len(c.calls) > maxRPCCalls || len(c.kinds) > maxRPCKinds {
		t.Errorf("%d calls and %d kinds kept", len(c.calls), len(c.kinds))
	}
}

func TestSniffDCERPC(t *testing.T) {
	checkSniffs(t, sniffRPC, FromClient, []opening{
		{string(rpcBindTo(rpcBind, 1, nil)), Yes},
		{string(rpcCall(3, 2, 64, 60)), Yes},
		{string(rpcAnswer(3, 2, 40)), Yes},
		{"\x05\x00\x0b", Maybe},
		{"\x05\x01\x00\x05\x01\x00", No}, // SOCKS 5: one method, then a request
		{"\x05\x02\x00\x02", No},
		{"\x05\x64\x05\xc0", No},                                                 // DNP3
		{"\x05\x00\x0b\x03\x10\x00\x00\x00\x18\x00\x00\x00\x01\x00\x00\x00", No}, // a bind to nothing
		{"\x05\x00\x00\x03\x10\x00\x00\x00\x18\x00\x18\x00\x01\x00\x00\x00", No}, // more signature than PDU
	})
}

// rpcDatagramOf is a datagram of version 4 ([C706] 12.5.2): to PROFINET's
// interface of devices, unless it is empty.
func rpcDatagramOf(kind, flags, opnum, fragment int, body []byte) []byte {
	h := make([]byte, rpcDatagramHeader)
	copy(h, []byte{4, byte(kind), byte(flags), 0, 0x10})
	copy(h[24:], []byte{1, 0, 0xa0, 0xde, 0x97, 0x6c, 0xd1, 0x11, 0x82, 0x71, 0, 0xa0, 0x24, 0x42, 0xdf, 0x7d})
	copy(h[40:], []byte{4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16})
	binary.LittleEndian.PutUint32(h[60:], 1)
	binary.LittleEndian.PutUint32(h[64:], 7)
	binary.LittleEndian.PutUint16(h[68:], uint16(opnum))
	binary.LittleEndian.PutUint16(h[74:], uint16(len(body)))
	binary.LittleEndian.PutUint16(h[76:], uint16(fragment))
	return join(h, body)
}

func TestDCERPCDatagrams(t *testing.T) {
	pnio := [16]byte{0xde, 0xa0, 0, 1, 0x6c, 0x97, 0x11, 0xd1, 0x82, 0x71, 0, 0xa0, 0x24, 0x42, 0xdf, 0x7d}
	call := DCERPC{
		Major: 4, Asked: true, CallID: 7, Activity: [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
		Interfaces: []DCERPCInterface{{UUID: pnio, Major: 1}}, Sent: DCERPCStub{1, 20},
	}
	answered := call
	answered.Answered, answered.Response, answered.Received = true, rpcResponse, DCERPCStub{1, 30}
	parts := answered
	parts.Sent, parts.Received = DCERPCStub{2, 25}, DCERPCStub{2, 31}
	refused := call
	refused.Answered, refused.Response, refused.Fault = true, 6, 0x1c010003
	connect := rpcDatagramOf(rpcRequest, 0x20, 0, 0, make([]byte, 20))
	for _, c := range []struct {
		name string
		in   []chunk
		want DCERPC
	}{
		{"a call that is repeated", []chunk{
			{FromClient, connect},
			{FromClient, connect},
			{FromServer, rpcDatagramOf(rpcResponse, 0x0a, 0, 0, make([]byte, 30))},
			{FromServer, rpcDatagramOf(rpcResponse, 0x0a, 0, 0, make([]byte, 30))},
		}, answered},
		{"in fragments", []chunk{
			{FromClient, rpcDatagramOf(rpcRequest, 0x24, 0, 0, make([]byte, 20))},
			{FromClient, rpcDatagramOf(rpcRequest, 0x26, 0, 1, make([]byte, 5))},
			{FromServer, rpcDatagramOf(rpcResponse, 0x04, 0, 0, make([]byte, 30))},
			{FromServer, rpcDatagramOf(rpcResponse, 0x06, 0, 1, make([]byte, 1))},
		}, parts},
		{"rejected", []chunk{{FromClient, connect}, {FromServer, rpcDatagramOf(6, 0, 0, 0, []byte{3, 0, 1, 0x1c})}}, refused},
		{"no answer", []chunk{{FromClient, connect}}, call},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newRPCFlow()
			msgs, err := playDatagrams(t, f, c.in)
			msgs = f.(Flusher).Flush(FromServer, nil, msgs)
			if err != nil || len(msgs) != 1 {
				t.Fatal(msgs, err)
			}
			if got := msgs[0].(*DCERPC); !equalRPC(got, &c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	for _, b := range [][]byte{
		nil, connect[:79], connect[:99], // cut
		join(5, connect[1:]), join(4, 11, connect[2:]), // another version, no such type
		join(connect, make([]byte, 64)),                    // more than it says
		join(connect[:40], make([]byte, 60)),               // no activity
		join(connect[:4], 0x20, connect[5:]),               // no such byte order
		join(connect[:3], 0xfc, connect[4:]),               // flags that nobody has
		join(connect[:24], make([]byte, 16), connect[40:]), // no interface
	} {
		if sniffRPCDatagram(b) {
			t.Errorf("recognised % x", b)
		}
	}
	if !sniffRPCDatagram(connect) {
		t.Error("a request is not recognised")
	}
}

func equalRPC(a, b *DCERPC) bool {
	x, y := *a, *b
	x.Interfaces, y.Interfaces = nil, nil
	return x.Major == y.Major && x.Request == y.Request && x.Response == y.Response && x.Asked == y.Asked && x.Answered == y.Answered &&
		x.CallID == y.CallID && x.Activity == y.Activity && x.Opnum == y.Opnum && x.Sent == y.Sent && x.Received == y.Received &&
		x.Fault == y.Fault && len(a.Interfaces) == len(b.Interfaces) && a.Interfaces[0] == b.Interfaces[0]
}

func FuzzDCERPC(f *testing.F) {
	fuzzSeeds(f, 135)
	client := join(rpcBindTo(rpcBind, 1, ntlmAuth("D", "u", "H")), rpcCall(3, 2, 1, 4))
	f.Add(join(len(client)/8, client, rpcBindAnswer(rpcBindAck, 1, 0), rpcAnswer(3, 2, 3)))
	f.Add(join(255, rpcAnswer(1, 1, 0), rpc(rpcFault, 3, 2, nil, make([]byte, 16))))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newRPCStream, b) })
}

func FuzzDCERPCDatagrams(f *testing.F) {
	f.Add(rpcDatagramOf(rpcRequest, 0x20, 0, 0, make([]byte, 20)), rpcDatagramOf(rpcResponse, 6, 0, 1, nil))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		flow := newRPCFlow()
		for _, c := range []chunk{{FromClient, a}, {FromServer, b}, {FromClient, b}} {
			_, err := flow.Datagram(c.dir, c.b, nil)
			checkError(t, nil, err)
			if sniffRPCDatagram(c.b) && err != nil {
				t.Errorf("recognised, but: %v", err)
			}
		}
		flow.(Flusher).Flush(FromServer, nil, nil)
	})
}

// BenchmarkDCERPCCall is a call and its answer on a connection with many.
func BenchmarkDCERPCCall(b *testing.B) {
	call, answer := rpcCall(3, 2, 64, 600), rpcAnswer(3, 2, 1400)
	s := newRPCStream()
	b.ReportAllocs()
	b.SetBytes(int64(len(call) + len(answer)))
	feed := func() (told int) {
		for _, c := range []chunk{{FromClient, call}, {FromServer, answer}} {
			_, msgs, err := s.Feed(c.dir, c.b, nil)
			if err != nil {
				b.Fatal(err)
			}
			told += len(msgs)
		}
		return told
	}
	for range maxRPCTold + 1 {
		feed()
	}
	for b.Loop() {
		if feed() != 0 {
			b.Fatal("told again")
		}
	}
}
