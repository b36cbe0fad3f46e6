package wire

import (
	"errors"
	"testing"
)

func TestSocksStream(t *testing.T) {
	hello, none, password := []byte{5, 2, 0, 2}, []byte{5, 0}, []byte{5, 2}
	connect := join(5, 1, 0, 3, 11, "example.com", 1, 0xbb)
	granted, refused := []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}, []byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}
	asked := func(method, reply uint8) *Socks {
		return &Socks{Version: 5, Command: 1, Host: "example.com", Port: 443, Method: method, Answered: true, Reply: reply}
	}
	login := func(o Outcome) *Login {
		return &Login{Service: "socks", User: "root", Mechanism: "password", Outcome: o, Clear: true, Default: true}
	}
	playAll(t, newSocksStream, []dialogue{
		{"open to all; TLS follows", []chunk{
			{FromClient, hello},
			{FromServer, none},
			{FromClient, connect},
			{FromServer, granted},
			{FromClient, []byte{22, 3, 1}},
		}, []Message{asked(0, 0)}, ErrUpgrade},
		{"a password, then refused", []chunk{
			{FromClient, hello},
			{FromServer, password},
			{FromClient, join(1, 4, "root", 4, "root")},
			{FromServer, []byte{1, 0}},
			{FromClient, connect},
			{FromServer, refused},
		}, []Message{login(Succeeded), asked(2, 5)}, ErrDone},
		{"a wrong password", []chunk{
			{FromClient, hello},
			{FromServer, password},
			{FromClient, join(1, 4, "root", 4, "root")},
			{FromServer, []byte{1, 1}},
		}, []Message{login(Failed), &Socks{Version: 5, Method: 2}}, ErrDone},
		{"no method", []chunk{{FromClient, []byte{5, 1, 2}}, {FromServer, []byte{5, 0xff}}}, []Message{&Socks{Version: 5, Method: 255}}, ErrDone},
		{"all at once", []chunk{{FromClient, join(5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 80)}, {FromServer, join(none, granted)}}, []Message{
			&Socks{Version: 5, Command: 1, Host: "192.0.2.1", Port: 80, Answered: true},
		}, ErrUpgrade},
		{"for UDP, from an address of IPv6", []chunk{
			{FromClient, []byte{5, 1, 0}},
			{FromServer, none},
			{FromClient, join(5, 3, 0, 4, make([]byte, 15), 1, 0, 0)},
			{FromServer, granted},
		}, []Message{&Socks{Version: 5, Command: 3, Host: "::1", Answered: true}}, ErrDone},
		{"for UDP, relayed at a port", []chunk{
			{FromClient, []byte{5, 1, 0}},
			{FromServer, none},
			{FromClient, join(5, 3, 0, 1, 0, 0, 0, 0, 0, 0)},
			{FromServer, []byte{5, 0, 0, 1, 192, 0, 2, 1, 0xaf, 0x21}},
		}, []Message{
			&Socks{Version: 5, Command: 3, Host: "0.0.0.0", Answered: true},
			&Expectation{App: "socks", Over: 17, Listener: FromServer, Port: 0xaf21},
		}, ErrDone},
		{"never answered", []chunk{{FromClient, hello}, {FromServer, none}, {FromClient, connect}}, []Message{
			&Socks{Version: 5, Command: 1, Host: "example.com", Port: 443},
		}, nil},
		{"a greeting alone proves nothing", []chunk{{FromClient, hello}}, nil, nil},
		{"an answer of something else", []chunk{{FromClient, hello}, {FromServer, []byte("220 ")}}, nil, ErrMalformed},
		{"version 4", []chunk{{FromClient, join(4, 1, 0, 80, 192, 0, 2, 1, "me", 0)}, {FromServer, []byte{0, 90, 0, 0, 0, 0, 0, 0}}}, []Message{
			&Socks{Version: 4, Command: 1, Host: "192.0.2.1", Port: 80, User: "me", Answered: true, Reply: 90},
		}, ErrUpgrade},
		{"version 4a, refused", []chunk{{FromClient, join(4, 1, 0, 25, 0, 0, 0, 7, 0, "mx.example", 0)}, {FromServer, []byte{0, 91, 0, 0, 0, 0, 0, 0}}}, []Message{
			&Socks{Version: 4, Command: 1, Host: "mx.example", Port: 25, Answered: true, Reply: 91},
		}, ErrDone},
		{"version 4, another answer", []chunk{{FromClient, join(4, 1, 0, 80, 192, 0, 2, 1, 0)}, {FromServer, []byte("HTTP/1.1")}}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffSocks, FromClient, []opening{
		{"\x05\x01\x00", Yes},
		{"\x05\x03\x00\x01\x02", Yes},
		{"\x05\x01\x00\x05\x01\x00\x03", Yes},
		{"\x05\x01\x02\x01\x04root", Yes},
		{"\x04\x01\x00\x50\xc0\x00\x02\x01me\x00", Yes},
		{"\x04\x01\x00\x19\x00\x00\x00\x07\x00a\x00", Yes},
		{"\x04\x01\x00\x19\x00\x00\x00\x07\x00a", Maybe},
		{"\x05\x64\x05\xc4", No},                         // DNP3
		{"\x05\x00\x0b\x03", No},                         // DCE RPC
		{"\x05\x02\x00\x00", No},                         // a method twice
		{"\x05\x01\x20", No},                             // no such method
		{"\x05\x01\x00\x47", No},                         // what comes next is no request
		{"\x05\x01\x00\x05\x09", No},                     //
		{"\x04\x01\x00\x28\x00\x00\x00\x01\x00\x80", No}, // TDS: a response
		{"\x04\x01\x00\x00", No},                         // port 0
		{"\x04\x01\x00\x50\xc0\x00\x02\x01\x00x", No},
	})
	if sniffSocks(FromServer, hello) != No {
		t.Error("recognised by what the server says")
	}
}

func FuzzSocks(f *testing.F) {
	fuzzLines(f, newSocksStream, 1080, []byte{5, 1, 0, 5, 0, 5, 1, 0, 1, 1, 2, 3, 4, 0, 80}, join(4, 1, 0, 80, 0, 0, 0, 1, 0, "a", 0, 0, 90, make([]byte, 6)),
		[]byte{5, 1, 2, 1, 1, 'a', 1, 'b', 5, 2, 1, 0})
}

func TestSocksRelay(t *testing.T) {
	dns := join(0, 0, 0, 1, 192, 0, 2, 53, 0, 53, "a question")
	for _, tt := range []struct {
		name string
		in   []byte
		err  error
	}{
		{"to an address", dns, nil},
		{"to a name", join(0, 0, 0, 3, 9, "localhost", 0x22, 0xb8, "hello"), nil},
		{"to an address of IPv6, a fragment", join(0, 0, 1, 4, make([]byte, 16), 0, 53), nil},
		{"reserved bytes", join(0, 1, dns[2:]), ErrNotMine},
		{"no type of address", join(0, 0, 0, 2, dns[4:]), ErrNotMine},
		{"cut", dns[:9], ErrNotMine},
		{"empty", nil, ErrNotMine},
	} {
		if msgs, err := newSocksRelay().Datagram(FromClient, tt.in, nil); !errors.Is(err, tt.err) || len(msgs) > 0 {
			t.Errorf("%s: got %v, %v", tt.name, msgs, err)
		}
	}
	r := newSocksRelay()
	for i, want := range []error{nil, nil, ErrDone} {
		if _, err := r.Datagram(Dir(i/2), dns, nil); !errors.Is(err, want) {
			t.Errorf("datagram %d: got %v, want %v", i, err, want)
		}
	}
}
