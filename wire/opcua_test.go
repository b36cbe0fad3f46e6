package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// uaString is a string behind its length; uaNull is none.
func uaString(s string) []byte { return join(len(s), len(s)>>8, 0, 0, s) }

var uaNull = join(255, 255, 255, 255)

// ua is an OPC UA message.
func ua(kind string, body ...any) []byte {
	b := join(body...)
	n := len(b) + 8
	return join(kind, n, n>>8, 0, 0, b)
}

// uaCall is a request or response on channel 7 with a number.
func uaCall(request, service int, body ...any) []byte {
	return ua("MSGF", 7, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, request, 0, 0, 0, 1, 0, service, service>>8, join(body...))
}

var (
	uaHello  = ua("HELF", make([]byte, 20), uaString("opc.tcp://plc:4840/"))
	uaHeader = join(0, 0, make([]byte, 16), uaNull, 0, 0, 0, 0, 0, 0, 0) // of a request: no token, no audit entry
	// uaGood and uaDenied head responses.
	uaGood   = make([]byte, 16)
	uaDenied = join(make([]byte, 12), 0, 0, 0x1f, 0x80)
)

// uaActivate activates a session with an identity token.
func uaActivate(request, kind int, token ...any) []byte {
	b := join(token...)
	return uaCall(request, 467, uaHeader, uaNull, uaNull, uaNull, 1, 0, 0, 0, uaString("en"),
		1, 0, kind, kind>>8, 1, len(b), 0, 0, 0, b)
}

func TestOPCUAStream(t *testing.T) {
	client := func(b []byte) chunk { return chunk{FromClient, b} }
	server := func(b []byte) chunk { return chunk{FromServer, b} }
	call := func(response bool, request, service uint32) *OPCUA {
		return &OPCUA{Kind: "MSG", Response: response, Channel: 7, Request: request, Service: service}
	}
	open := ua("OPNF", 0, 0, 0, 0, uaString(opcuaPolicyPrefix+"None"), uaNull, uaNull, 1, 0, 0, 0, 1, 0, 0, 0,
		1, 0, 0xbe, 1, uaHeader, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)
	user := uaActivate(4, 324, uaString("0"), uaString("operator"), uaString("hunter2"), uaNull)
	failed := call(true, 4, 470)
	failed.Status = 0x801f0000
	testStream(t, newOPCUAStream, []streamCase{
		{
			name: "hello, channel without security, a write",
			in: []chunk{
				client(uaHello), server(ua("ACKF", make([]byte, 20))), client(open),
				client(uaCall(2, 673)), server(uaCall(2, 676, uaGood)),
			},
			want: []Message{
				&OPCUA{Kind: "HEL", Endpoint: "opc.tcp://plc:4840/"},
				&OPCUA{Kind: "ACK", Response: true},
				&OPCUA{Kind: "OPN", Request: 1, Policy: "None", Mode: 1, Service: 446},
				call(false, 2, 673), call(true, 2, 676),
			},
		},
		{
			name: "password in clear, refused",
			in:   []chunk{client(user), server(uaCall(4, 470, uaDenied))},
			want: []Message{
				call(false, 4, 467), failed,
				&Login{Service: "opcua", User: "operator", Mechanism: "password", Outcome: Failed, Clear: true},
			},
		},
		{
			name: "encrypted password, accepted; anonymous, accepted",
			in: []chunk{
				client(uaActivate(4, 324, uaString("0"), uaString("operator"), uaString("\x01\x02"), uaString("rsa-oaep"))),
				client(uaActivate(5, 321, uaString("0"))),
				server(uaCall(5, 470, uaGood)), server(uaCall(4, 470, uaGood)),
			},
			want: []Message{
				call(false, 4, 467), call(false, 5, 467),
				call(true, 5, 470), &Login{Service: "opcua", Mechanism: "anonymous", Outcome: Succeeded},
				call(true, 4, 470), &Login{Service: "opcua", User: "operator", Mechanism: "password", Outcome: Succeeded},
			},
		},
		{
			name: "never answered", in: []chunk{client(uaActivate(4, 327, uaString("0")))}, flush: []byte{},
			want: []Message{call(false, 4, 467), &Login{Service: "opcua", Mechanism: "certificate"}},
		},
		{
			name: "encrypted channel",
			in: []chunk{
				client(ua("OPNF", 0, 0, 0, 0, uaString(opcuaPolicyPrefix+"Basic256Sha256"), uaString("cert"), uaString("thumb"), make([]byte, 64))),
				client(ua("MSGF", 7, 0, 0, 0, 1, 0, 0, 0, make([]byte, 64))),
			},
			want: []Message{
				&OPCUA{Kind: "OPN", Policy: "Basic256Sha256"}, &OPCUA{Kind: "MSG", Channel: 7},
			},
		},
		{
			name: "encrypted bytes that begin like a long node identifier are not cut ones",
			in: []chunk{
				client(ua("OPNF", 0, 0, 0, 0, uaString(opcuaPolicyPrefix+"Basic256Sha256"), uaString("cert"), uaString("thumb"), make([]byte, 64))),
				client(ua("CLOF", 7, 0, 0, 0, 1, 0, 0, 0, make([]byte, 8), 3, 0, 0, 0xff, 0xff, 0xff, 0x7f, make([]byte, 32))),
			},
			want: []Message{&OPCUA{Kind: "OPN", Policy: "Basic256Sha256"}, &OPCUA{Kind: "CLO", Channel: 7}},
		},
		{
			name: "a channel is closed",
			in:   []chunk{client(open), client(ua("CLOF", 7, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0xc4, 1, uaHeader))},
			want: []Message{
				&OPCUA{Kind: "OPN", Request: 1, Policy: "None", Mode: 1, Service: 446},
				&OPCUA{Kind: "CLO", Channel: 7, Request: 6, Service: 452},
			},
		},
		{
			name: "error", in: []chunk{server(ua("ERRF", 0, 0, 0x80, 0x80, uaString("no")))},
			want: []Message{&OPCUA{Kind: "ERR", Response: true, Status: 0x80800000}},
		},
		{
			name: "cut in the endpoint", flush: uaHello[:36],
			want: []Message{&OPCUA{Kind: "HEL", Truncated: true}},
		},
		{name: "another protocol", in: []chunk{client([]byte("HELO mail.example\r\n"))}, err: ErrNotMine},
		{name: "size that cannot be", in: []chunk{client(join("MSGF", 255, 255, 255, 255))}, err: ErrNotMine},
	})
}

func TestSniffOPCUA(t *testing.T) {
	testSniff(t, sniffOPCUA, []sniffCase{
		{"nothing", nil, Maybe},
		{"hello", uaHello, Yes},
		{"hello, cut", uaHello[:6], Maybe},
		{"call", uaCall(1, 631), Yes},
		{"SMTP", []byte("HELO a"), No},
		{"message of a chat", []byte("MSG 1 N 20\r\n"), No},
		{"hello of an impossible size", join("HELF", 9, 0, 0, 0), No},
	})
}

func TestOPCUACommands(t *testing.T) {
	in := OPCUA{Kind: "MSG", Service: 712}
	want := []Command{{"opcua", 0, 712, "CallRequest", CommandControl}}
	if diff := cmp.Diff(want, in.AppendCommands(nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, in := range []OPCUA{{Kind: "MSG"}, {Kind: "MSG", Service: 715, Response: true}} {
		if got := in.AppendCommands(nil); got != nil {
			t.Errorf("%+v is %v", in, got)
		}
	}
}

func FuzzOPCUA(f *testing.F) {
	fuzzSeeds(f, 4840)
	f.Add(join(255, uaHello, uaActivate(4, 324, uaString("0"), uaString("u"), uaString("p"), uaNull)))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newOPCUAStream, b) })
}

func BenchmarkOPCUA(b *testing.B) { benchStream(b, newOPCUAStream, uaCall(1, 631)) }
