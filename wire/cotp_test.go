package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tpkt wraps a TPDU.
func tpkt(parts ...any) []byte {
	b := join(parts...)
	return join(3, 0, (4+len(b))>>8, 4+len(b), b)
}

// cotpDT is a complete message over COTP.
func cotpDT(parts ...any) []byte { return tpkt(2, 0xf0, 0x80, join(parts...)) }

// s7 is an S7 message of a kind, with reference 1.
func s7(kind int, param, data []byte) []byte {
	var fault []byte
	if kind == 2 || kind == 3 {
		fault = []byte{0, 0}
	}
	return cotpDT(0x32, kind, 0, 0, 0, 1, 0, len(param), 0, len(data), fault, param, data)
}

var (
	cotpCR = tpkt(17, 0xe0, 0, 0, 0, 1, 0, // length, connection request, references, class 0
		0xc0, 1, 10, // TPDU size 1,024
		0xc1, 2, 1, 0, // calling selector
		0xc2, 2, 1, 2) // called selector: rack 0, slot 2
	cotpCC  = tpkt(17, 0xd0, 0, 1, 0, 2, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2)
	s7Item1 = join(0x12, 10, 0x10, 2, 0, 4, 0, 2, 0x84, 0, 0, 8) // DB2.DBB1, four bytes
	rdpCR   = tpkt(0x27, 0xe0, 0, 0, 0, 0, 0, "Cookie: mstshash=eltons\r\n", 1, 0, 8, 0, 3, 0, 0, 0)
)

func TestCOTPStream(t *testing.T) {
	client := func(parts ...any) chunk { return chunk{FromClient, join(parts...)} }
	server := func(parts ...any) chunk { return chunk{FromServer, join(parts...)} }
	const calling, called = "0100", "0102"
	// The password "secret  " as it crosses: XOR 0x55 and what was sent two
	// bytes before.
	secret := join('s'^0x55, 'e'^0x55, 'c'^0x55^'s'^0x55, 'r'^0x55^'e'^0x55,
		'e'^0x55^'c'^0x55^'s'^0x55, 't'^0x55^'r'^0x55^'e'^0x55,
		' '^0x55^'e'^0x55^'c'^0x55^'s'^0x55, ' '^0x55^'t'^0x55^'r'^0x55^'e'^0x55)
	password := s7(7, join(0, 1, 0x12, 4, 0x11, 0x45, 1, 0), join(0xff, 9, 0, 8, secret))
	answer := func(code int) []byte {
		return s7(7, join(0, 1, 0x12, 8, 0x12, 0x85, 1, 1, 0, 0, code, 0), join(0xff, 9, 0, 0))
	}
	passwordMessage := &S7{Kind: S7Userdata, Ref: 1, Group: 5, Sub: 1}
	answerMessage := &S7{Kind: S7Userdata, Response: true, Ref: 1, Group: 5, Sub: 1}
	refused := *answerMessage
	refused.Error = 0xd600
	testStream(t, new(memory).newCOTPStream, []streamCase{
		{
			name: "S7: connection, setup, a byte range is read",
			in: []chunk{
				client(cotpCR),
				server(cotpCC),
				client(s7(1, join(0xf0, 0, 0, 1, 0, 1, 1, 0xe0), nil)),
				server(s7(3, join(0xf0, 0, 0, 1, 0, 1, 1, 0xe0), nil)),
				client(s7(1, join(4, 1, s7Item1), nil)),
				server(s7(3, join(4, 1), join(0xff, 4, 0, 32, 1, 2, 3, 4))),
			},
			want: []Message{
				&S7{Kind: S7Job, Ref: 1, Function: 0xf0, Calling: calling, Called: called},
				&S7{Kind: S7AckData, Response: true, Ref: 1, Function: 0xf0, Calling: calling, Called: called},
				&S7{Kind: S7Job, Ref: 1, Function: 4, Items: []S7Item{{0x84, 2, 2, 4, 8}}, Calling: calling, Called: called},
				&S7{Kind: S7AckData, Response: true, Ref: 1, Function: 4, Calling: calling, Called: called},
			},
		},
		{
			name: "S7: download of a block, its activation, stop",
			in: []chunk{
				client(s7(1, join(0x1a, 0, 1, 0, 0, 0, 0, 0, 9, "_0800001P", 13, "1000202000126"), nil)),
				client(s7(1, join(0x28, 0, 0, 0, 0, 0, 0, 0xfd, 0, 10, 1, 0, "0800001P", 5, "_INSE"), nil)),
				client(s7(1, join(0x29, 0, 0, 0, 0, 0, 9, "P_PROGRAM"), nil)),
			},
			want: []Message{
				&S7{Kind: S7Job, Ref: 1, Function: 0x1a, Block: "_0800001P"},
				&S7{Kind: S7Job, Ref: 1, Function: 0x28, Service: "_INSE", Block: "0800001P"},
				&S7{Kind: S7Job, Ref: 1, Function: 0x29, Service: "P_PROGRAM"},
			},
		},
		{
			name: "S7: joined from two parts",
			in: []chunk{client(
				tpkt(2, 0xf0, 0, 0x32, 1, 0, 0, 0, 1, 0, 14, 0, 0, 4, 1),
				tpkt(2, 0xf0, 0x80, s7Item1))},
			want: []Message{&S7{Kind: S7Job, Ref: 1, Function: 4, Items: []S7Item{{0x84, 2, 2, 4, 8}}}},
		},
		{
			name: "S7: password, accepted",
			in:   []chunk{client(password), server(answer(0))},
			want: []Message{
				passwordMessage, answerMessage,
				&Login{Service: "s7comm", Mechanism: "password", Clear: true, Outcome: Succeeded},
			},
		},
		{
			name: "S7: password, refused",
			in:   []chunk{client(password), server(answer(0xd6))},
			want: []Message{
				passwordMessage, &refused,
				&Login{Service: "s7comm", Mechanism: "password", Clear: true, Outcome: Failed},
			},
		},
		{
			name: "S7: password, never answered", flush: []byte{},
			in:   []chunk{client(password)},
			want: []Message{passwordMessage, &Login{Service: "s7comm", Mechanism: "password", Clear: true}},
		},
		{name: "S7: cut in the header", flush: password[:15]},
		{name: "S7: cut before the function", flush: s7(1, join(4, 1, s7Item1), nil)[:17]},
		{name: "S7: cut before the group", flush: password[:22]},
		{
			name: "S7: cut in the parameters", flush: s7(1, join(4, 1, s7Item1), nil)[:20],
			want: []Message{&S7{Kind: S7Job, Ref: 1, Function: 4, Truncated: true}},
		},
		{
			name: "S7-plus",
			in: []chunk{
				client(cotpDT(0x72, 1, 0, 12, 0x31, 0, 0, 4, 0xca, 0, 0, 0, 1, 0, 0, 1, 0x72, 1, 0, 0)),
				server(cotpDT(0x72, 3, 0, 44, 32, make([]byte, 32), 0x32, 0, 0, 5, 0x42, 0, 0, 0, 2, 0, 0, 0x72, 3, 0, 0)),
				server(cotpDT(0x72, 2, 0, 5, 0x33, 0, 0, 0, 1)),
				server(cotpDT(0x72, 2, 0, 5, 9, 9, 9, 9, 9)), // a further part
			},
			want: []Message{
				&S7Plus{Version: 1, Opcode: 0x31, Function: 0x04ca, Sequence: 1},
				&S7Plus{Version: 3, Opcode: 0x32, Function: 0x0542, Sequence: 2},
				&S7Plus{Version: 2, Opcode: 0x33},
			},
		},
		{
			name: "nothing is said", in: []chunk{client(cotpCR), server(cotpCC)}, flush: []byte{},
			want: []Message{&COTP{Calling: calling, Called: called, Confirmed: true}},
		},
		{
			name: "MMS: a write to a control object of IEC 61850",
			in: []chunk{client(cotpDT(1, 0, 1, 0, 0x61, 50, 0x30, 48, 2, 1, 3, 0xa0, 43,
				0xa0, 41, 2, 1, 7, // confirmed request 7
				0xa5, 36, 0xa0, 29, 0x30, 27, 0xa0, 25, 0xa1, 23, // write, listOfVariable, name, domain-specific
				0x1a, 3, "LD0", 0x1a, 16, "GGIO1$CO$SP$Oper", 0xa0, 3, 0x83, 1, 1))},
			want: []Message{&MMS{Invoke: 7, Service: 5, Domain: "LD0", Item: "GGIO1$CO$SP$Oper"}},
		},
		{
			name: "MMS without session and presentation: read, refusal, cancellation, conclusion",
			in: []chunk{
				client(cotpDT(0xa0, 7, 2, 1, 8, 0xa4, 2, 0xa1, 0)),
				server(cotpDT(0xa2, 5, 0x80, 1, 8, 0xa2, 0)),
				client(cotpDT(0x85, 1, 8)),
				client(cotpDT(0x8b, 0)),
			},
			want: []Message{
				&MMS{Invoke: 8, Service: 4}, &MMS{Service: -1, PDU: MMSConfirmedError, Invoke: 8, Error: true},
				&MMS{Service: -1, PDU: MMSCancelRequest, Invoke: 8}, &MMS{Service: -1, PDU: MMSConcludeRequest},
			},
		},
		{
			name: "MMS: a report",
			in:   []chunk{server(cotpDT(0xa3, 11, 0xa0, 9, 0xa1, 5, 0x80, 3, "RPT", 0xa0, 0))},
			want: []Message{&MMS{PDU: MMSUnconfirmed}},
		},
		{name: "MMS: a length of indefinite form", in: []chunk{client(cotpDT(0xa0, 0x80, 2, 1, 8, 0, 0))}, err: ErrMalformed},
		{name: "another protocol above", in: []chunk{client(cotpDT(0x7f, 0x65))}, err: ErrNotMine},
		{name: "no TPKT", in: []chunk{client("GET / HTTP/1.1\r\n")}, err: ErrMalformed},
		{name: "TPKT too short", in: []chunk{client(3, 0, 0, 6, 1, 0xf0)}, err: ErrMalformed},
		{name: "COTP header longer than its message", in: []chunk{client(3, 0, 0, 8, 9, 0xe0, 0, 0)}, err: ErrMalformed},
	})
}

func TestSniffCOTP(t *testing.T) {
	read := s7(1, join(4, 1, s7Item1), nil)
	testSniff(t, sniffCOTP, []sniffCase{
		{"nothing", nil, Maybe},
		{"TPKT header", cotpCR[:4], Maybe},
		{"connection request", cotpCR, Yes},
		{"connection request, cut", cotpCR[:15], Maybe},
		{"RDP", rdpCR, No},
		{"RDP, cut", rdpCR[:15], No},
		{"RDP without cookie", tpkt(14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0), No},
		{"connection request without selectors", tpkt(6, 0xe0, 0, 0, 0, 0, 0), No},
		{"H.225 without COTP", join(3, 0, 0, 40, 8, 2, 1, 1, 5), No},
		{"S7", read, Yes},
		{"S7, cut", read[:8], Maybe},
		{"S7 of an unknown kind", s7(9, nil, nil), No},
		{"S7-plus", cotpDT(0x72, 1, 0, 8, 0x31, 0, 0, 4, 0xca, 0, 0, 0), Yes},
		{"S7-plus, length beyond its message", cotpDT(0x72, 1, 0, 99, 0x31, 0, 0, 4, 0xca), No},
		{"MMS data", cotpDT(1, 0, 1, 0, 0x61, 0), Yes},
		{"RDP data", cotpDT(0x7f, 0x65, 0x82, 1, 0xbe), No},
	})
}

func TestS7Commands(t *testing.T) {
	for _, c := range []struct {
		in   Commander
		want []Command
	}{
		{&S7{Kind: S7Job, Function: 0x29, Called: "0102"}, []Command{{"s7comm", 0x102, 0x29, "PLC Stop", CommandControl}}},
		{&S7{Kind: S7Userdata, Group: 4, Sub: 1, Called: "PLC"}, []Command{{"s7comm", 0, 0x10104, "Read SZL", CommandRead}}},
		{&S7{Kind: S7AckData, Response: true, Function: 4}, nil},
		{&S7Plus{Opcode: 0x31, Function: 0x0542}, []Command{{"s7comm_plus", 0, 0x0542, "SetMultiVariables", CommandWrite}}},
		{&S7Plus{Opcode: 0x32, Function: 0x0542}, nil},
		{&MMS{Service: 41}, []Command{{"mms", 0, 41, "stop", CommandControl}}},
		{&MMS{Service: 5, Item: "X$CO$Y"}, []Command{{"mms", 0, 5, "write", CommandControl}}},
		{&MMS{PDU: MMSConfirmedResponse, Service: 5}, nil},
	} {
		if diff := cmp.Diff(c.want, c.in.AppendCommands(nil)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.in, diff)
		}
	}
}

func FuzzCOTP(f *testing.F) {
	fuzzSeeds(f, 102)
	f.Add(join(1, cotpCR, s7(1, join(4, 1, s7Item1), nil)))
	f.Add(join(255, cotpDT(13, 9, 193, 7, 0x31, 5, 0xa2, 3, 0x61, 1, 0x30)))
	f.Add(join(255, cotpDT(1, 0, 1, 0, 0x61, 11, 0x30, 9, 0xa0, 7, 0xa0, 5, 2, 1, 1, 0xa1, 0)))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, new(memory).newCOTPStream, b) })
}

func BenchmarkS7Read(b *testing.B) {
	benchStream(b, new(memory).newCOTPStream, s7(1, join(4, 1, s7Item1), nil))
}
