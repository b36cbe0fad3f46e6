package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// enip is an encapsulation message of session 0x01020304.
func enip(command int, body ...any) []byte {
	b := join(body...)
	return join(command, 0, len(b), len(b)>>8, 4, 3, 2, 1, make([]byte, 4), make([]byte, 8), make([]byte, 4), b)
}

// rrData carries an unconnected CIP message.
func rrData(cip ...any) []byte {
	b := join(cip...)
	return enip(0x6f, 0, 0, 0, 0, 0, 0, // interface handle, timeout
		2, 0, 0, 0, 0, 0, // two items; the address is null
		0xb2, 0, len(b), 0, b)
}

var (
	cipGetIdentity = join(0x01, 2, 0x20, 1, 0x24, 1) // Get_Attributes_All of class 1, instance 1
	cipReadTag     = join(0x4c, 4, 0x91, 5, "Speed", 0, 1, 0)
)

func TestENIPStream(t *testing.T) {
	client := func(b []byte) chunk { return chunk{FromClient, b} }
	server := func(b []byte) chunk { return chunk{FromServer, b} }
	message := func(response bool, command uint16, cip ...CIP) *ENIP {
		return &ENIP{Response: response, Command: command, Session: 0x01020304, CIP: cip}
	}
	identity := CIP{Service: 1, Class: 1, HasClass: true, Instance: 1, HasInstance: true}
	testStream(t, new(memory).newENIPStream, []streamCase{
		{
			name: "session, identity object",
			in: []chunk{
				client(enip(0x65, 1, 0, 0, 0)),
				server(enip(0x65, 1, 0, 0, 0)),
				client(rrData(cipGetIdentity)),
				server(rrData(0x81, 0, 8, 1, 0xff, 0)), // service not supported, one word of additional status
			},
			want: []Message{
				message(false, 0x65), message(true, 0x65),
				message(false, 0x6f, identity),
				message(true, 0x6f, CIP{Service: 1, Response: true, Status: 8}),
			},
		},
		{
			name: "a tag over a connection",
			in: []chunk{client(enip(0x70, 0, 0, 0, 0, 0, 0, 2, 0, 0xa1, 0, 4, 0, 9, 9, 9, 9,
				0xb1, 0, 2+len(cipReadTag), 0, 7, 0, cipReadTag))},
			want: []Message{message(false, 0x70, CIP{Service: 0x4c, Symbol: "Speed"})},
		},
		{
			name: "several services in one, sent on by the connection manager",
			in: []chunk{client(rrData(
				0x52, 2, 0x20, 6, 0x24, 1, 5, 0x99, 10+len(cipGetIdentity)+len(cipReadTag)+2, 0, // Unconnected Send
				0x0a, 2, 0x20, 2, 0x24, 1, 2, 0, 6, 0, 6+len(cipGetIdentity), 0, cipGetIdentity, cipReadTag,
			))},
			want: []Message{message(
				false, 0x6f,
				CIP{Service: 0x52, Class: 6, HasClass: true, Instance: 1, HasInstance: true},
				CIP{Service: 0x0a, Class: 2, HasClass: true, Instance: 1, HasInstance: true},
				identity, CIP{Service: 0x4c, Symbol: "Speed"},
			)},
		},
		{
			name: "PCCC: mode of a controller",
			in: []chunk{client(rrData(0x4b, 2, 0x20, 0x67, 0x24, 1,
				7, 1, 0, 4, 3, 2, 1, 0x0f, 0, 0x10, 0x20, 0x80, 6))},
			want: []Message{message(false, 0x6f, CIP{
				Service: 0x4b, Class: 0x67, HasClass: true, Instance: 1, HasInstance: true, PCCC: 0x800f,
			})},
		},
		{
			name:  "cut in the path",
			flush: rrData(join(0x0e, 3, 0x20, 1, 0x24, 1, 0x30, 7))[:24+20],
			want: []Message{&ENIP{
				Command: 0x6f, Session: 0x01020304, Truncated: true, CIP: []CIP{{Service: 0x0e, Class: 1, HasClass: true}},
			}},
		},
		{name: "another protocol", in: []chunk{client([]byte("GET /index.html HTTP/1.1\r\n"))}, err: ErrNotMine},
	})
}

func TestENIPDatagram(t *testing.T) {
	list := join(0x63, 0, 0, 0, make([]byte, 20))
	identity := join(2, 0, 2, 0xaf, 0x12, make([]byte, 12), 0, // version 1, socket address (last byte)
		1, 0, 14, 0, 0x37, 0, 20, 11, 0x30, 0, 0xef, 0xbe, 0xad, 0xde, 4, "1756", 3)
	answer := join(0x63, 0, len(identity)+6, 0, make([]byte, 20), 1, 0, 0x0c, 0, len(identity), 0, identity)
	// The item begins with a version of two bytes and 16 bytes of address.
	copy(answer[30:], join(1, 0, 0, 2, 0xaf, 0x12, 192, 0, 2, 7, make([]byte, 8), 1, 0, 14, 0, 0x37, 0, 20, 11, 0x30, 0, 0xef, 0xbe, 0xad, 0xde, 4))
	for _, c := range []struct {
		name string
		in   []byte
		want Message
	}{
		{"list identity", list, &ENIP{Command: 0x63}},
		{"answer", answer, &ENIP{Response: true, Command: 0x63, Identity: &ENIPIdentity{
			Vendor: 1, Type: 14, Product: 0x37, Major: 20, Minor: 11, Serial: 0xdeadbeef, Name: "1756",
		}}},
		{"text", []byte("M-SEARCH * HTTP/1.1\r\nHost: x\r\n"), nil},
		{"short", list[:20], nil},
	} {
		got, err := parseENIPDatagram(c.in)
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
		if sniffENIPDatagram(c.in) != (c.want != nil) {
			t.Errorf("%s: recognised: %v", c.name, c.want == nil)
		}
	}
}

func TestSniffENIP(t *testing.T) {
	testSniff(t, sniffENIP, []sniffCase{
		{"nothing", nil, Maybe},
		{"session", enip(0x65, 1, 0, 0, 0), Yes},
		{"session of version 2", enip(0x65, 2, 0, 0, 0), No},
		{"half a header", enip(0x65, 1, 0, 0, 0)[:20], Maybe},
		{"data", rrData(cipGetIdentity), Yes},
		{"data without items", enip(0x6f, 0, 0, 0, 0, 0, 0, 0, 0, make([]byte, 9)), No},
		{"end of a session", enip(0x66), No},
		{"text", []byte("opensesame"), No},
	})
}

func TestENIPCommands(t *testing.T) {
	m := &ENIP{Command: 0x6f, CIP: []CIP{
		{Service: 0x0a, Class: 2},
		{Service: 7, Class: 100},
		{Service: 0x4d, Symbol: "x"},
		{Service: 0x4b, Class: 0x67, PCCC: 0x800f},
		{Service: 1, Response: true},
	}}
	want := []Command{
		{"enip", 100, 7, "Stop", CommandControl},
		{"enip", 0, 0x4d, "Write_Tag", CommandWrite},
		{"enip", 0x67, 0x800f4b, "PCCC Change Mode", CommandControl},
	}
	if diff := cmp.Diff(want, m.AppendCommands(nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzENIP(f *testing.F) {
	fuzzSeeds(f, 44818)
	f.Add(join(255, rrData(cipGetIdentity)))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzStream(t, new(memory).newENIPStream, b)
		m, err := parseENIPDatagram(b)
		checkError(t, m, err)
	})
}

func BenchmarkENIP(b *testing.B) { benchStream(b, new(memory).newENIPStream, rrData(cipGetIdentity)) }

// BenchmarkENIPMultiple is a request of two services in one packet.
func BenchmarkENIPMultiple(b *testing.B) {
	benchStream(b, new(memory).newENIPStream, rrData(
		0x0a, 2, 0x20, 2, 0x24, 1, 2, 0, 6, 0, 6+len(cipGetIdentity), 0, cipGetIdentity, cipReadTag))
}
