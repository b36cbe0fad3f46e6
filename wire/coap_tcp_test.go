package wire

import (
	"strings"
	"testing"
)

// csm is the signal that libcoap begins with: the largest message, and that it
// transfers in blocks.
const csm = "\x50\xe1\x23\x80\x01\x00\x20"

func TestCoAPStream(t *testing.T) {
	from := func(dir Dir, s string) chunk { return chunk{dir, []byte(s)} }
	get := &CoAP{Code: 1, OverTCP: true, Path: "/time", Observe: -1, Format: -1}
	content := &CoAP{Code: 0x45, OverTCP: true, Observe: -1, Format: -1}
	playAll(t, newCoAPStream, []dialogue{
		{"a request and its answer", []chunk{
			from(FromClient, csm), from(FromServer, csm),
			from(FromClient, "\x51\x01\x01\xb4time"),                        // a token of one byte
			from(FromServer, "\xd0\x06\x45\xd1\x01\x01\xffNov 22 07:25:43"), // 13 and 6 bytes
			from(FromClient, "\x51\x01\x02\xb4time"),
			from(FromServer, "\x00\xe2\x00\xe3"), // ping, pong
		}, []Message{get, content}, nil},
		{"a payload that is passed over", []chunk{
			from(FromClient, csm+"\xe0\x06\xf8\x03\xb4time\xff"+strings.Repeat("x", 269+0x6f8-6)+"\x50\x01\xb4time"),
		}, []Message{&CoAP{Code: 3, OverTCP: true, Path: "/time", Observe: -1, Format: -1}, get}, nil},
		{"cut within an option", []chunk{from(FromClient, csm+"\x50\x01\xb4ti")}, nil, nil},
		{"an option that overruns the message", []chunk{from(FromClient, csm+"\x30\x01\xb4ti")}, nil, ErrMalformed},
		{"nine bytes of token", []chunk{from(FromClient, csm+"\x09\x01123456789")}, nil, ErrMalformed},
		{"no such class", []chunk{from(FromClient, csm+"\x00\x21")}, nil, ErrMalformed},
		{"longer than any message", []chunk{from(FromClient, csm+"\xf0\xff\xff\xff\xff\x01")}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffCoAPStream, FromClient, []opening{
		{"", Maybe},
		{csm, Yes},
		{"\x20\xe1\x21\x40", Yes},
		{"\x00\xe1", No},             // it may be empty, and then be anything
		{"\x20\xe1\x31\x40", No},     // no such option
		{"\x20\xe1\x25\x40", No},     // longer than a number
		{"\x20\xe1\x22\x40\x00", No}, // longer than the message
		{"\x50\x01\xb4time", No},     // it does not begin with a signal
	})
}

func FuzzCoAPStream(f *testing.F) {
	fuzzSeeds(f, 5683)
	f.Add([]byte("\xff" + csm + "\x51\x01\x01\xb4time\xd1\x06\x45\x01\xd1\x01\x01\xffNov 22 07:25:43"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newCoAPStream, b) })
}
