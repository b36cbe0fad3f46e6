package wire

import (
	"fmt"
	"strings"
	"testing"
)

func be32(n int) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }

// amqpCall is a method frame of 0-9-1.
func amqpCall(class, method int, args ...any) []byte {
	b := join(0, class, 0, method, join(args...))
	return join(amqpMethod, 0, 0, be32(len(b)), b, amqpFrameEnd)
}

func longText(s string) []byte { return join(be32(len(s)), s) }

// amqpField is a field of a table with a long string.
func amqpField(name, value string) []byte { return join(len(name), name, "S", longText(value)) }

func amqpTable(parts ...any) []byte {
	b := join(parts...)
	return join(be32(len(b)), b)
}

func TestAMQPStream(t *testing.T) {
	const header = "AMQP\x00\x00\x09\x01"
	start := amqpCall(10, 10, 0, 9, amqpTable(
		4, "caps", "F", amqpTable(1, "a", "t", 1), 1, "n", "I", be32(5), 1, "v", "V", // passed over
		amqpField("product", "RabbitMQ"), amqpField("version", "3.12.1"), amqpField("platform", "Erlang/OTP 25"),
	), longText("PLAIN AMQPLAIN"), longText("en_US"))
	startOK := func(mechanism, response string) []byte {
		return amqpCall(10, 11, amqpTable(amqpField("product", "Celery"), amqpField("version", "5")),
			len(mechanism), mechanism, longText(response), 5, "en_US")
	}
	tune := amqpCall(10, 30, 7, 0xff, be32(131072), 0, 60)
	open := amqpCall(10, 40, 6, "/plant", 0, 0)
	server := AMQPPeer{Product: "RabbitMQ", Version: "3.12.1", Platform: "Erlang/OTP 25"}
	client := AMQPPeer{Product: "Celery", Version: "5"}
	login := func(user, mechanism string, o Outcome, clear, known bool) *Login {
		return &Login{Service: "amqp", User: user, Mechanism: mechanism, Outcome: o, Clear: clear, Default: known}
	}
	from := func(dir Dir, parts ...any) chunk { return chunk{dir, join(parts...)} }
	publish := amqpCall(60, 40, 0, 0, 2, "ev", 3, "a.b", 0)
	playAll(t, newAMQPStream, []dialogue{
		{"default credentials", []chunk{
			from(FromClient, header), from(FromServer, start),
			from(FromClient, startOK("PLAIN", "\x00guest\x00guest")), from(FromServer, tune),
			from(FromClient, amqpCall(10, 31, 7, 0xff, be32(131072), 0, 60), open), from(FromServer, amqpCall(10, 41, 0)),
			from(FromClient, publish, publish, // its header and its body, in which nothing is looked for
				join(amqpHeader, 0, 1, be32(3), "abc", amqpFrameEnd), join(amqpBody, 0, 1, be32(len(publish)), publish, amqpFrameEnd)),
			from(FromServer, amqpCall(60, 60, 1, "t", be32(0), be32(1), 0, 2, "ev", 3, "a.c"), join(amqpHeartbeat, 0, 0, be32(0), amqpFrameEnd)),
		}, []Message{
			login("guest", "PLAIN", Succeeded, true, true),
			&AMQP{Version: "0-9-1", Client: client, Server: server, VirtualHost: "/plant"},
			&AMQPPublish{FromClient, "ev", "a.b"}, &AMQPPublish{FromServer, "ev", "a.c"},
		}, nil},
		{"refused", []chunk{
			from(FromClient, header), from(FromServer, start), from(FromClient, startOK("AMQPLAIN", string(join(amqpField("LOGIN", "anna"), amqpField("PASSWORD", "S3cret"))))),
			from(FromServer, amqpCall(10, 50, 403>>8, 403&0xff, 14, "ACCESS_REFUSED", 0, 10, 0, 11)),
		}, []Message{
			login("anna", "AMQPLAIN", Failed, true, false), &AMQP{Version: "0-9-1", Client: client, Server: server, Code: 403},
		}, nil},
		{"in steps, the virtual host does not exist", []chunk{
			from(FromServer, start), from(FromClient, startOK("SCRAM-SHA-256", "n,,n=anna,r=x")), from(FromServer, amqpCall(10, 20, longText("r=xy"))),
			from(FromClient, amqpCall(10, 21, longText("c=biws"))), from(FromServer, tune), from(FromClient, open),
			from(FromServer, amqpCall(10, 50, 530>>8, 530&0xff, 0, 0, 10, 0, 40)),
		}, []Message{
			login("anna", "SCRAM-SHA-256", Succeeded, false, false),
			&AMQP{Client: client, Server: server, VirtualHost: "/plant", Code: 530},
		}, nil},
		{"the client gives up", []chunk{
			from(FromClient, header, startOK("EXTERNAL", ""), amqpCall(10, 50, 403>>8, 403&0xff, 0, 0, 0, 0, 0)),
		}, []Message{
			login("", "EXTERNAL", OutcomeUnknown, false, false), &AMQP{Version: "0-9-1", Client: client, Code: 403},
		}, nil},
		{"no answer", []chunk{from(FromClient, header, startOK("PLAIN", "\x00guest\x00S3cret"))}, []Message{
			login("guest", "PLAIN", OutcomeUnknown, true, false), &AMQP{Version: "0-9-1", Client: client},
		}, nil},
		{"cut within the response", []chunk{from(FromClient, header, startOK("PLAIN", "\x00guest\x00S3cret")[:70])}, []Message{
			login("", "PLAIN", OutcomeUnknown, false, false), &AMQP{Version: "0-9-1", Client: client},
		}, nil},
		{"another version is spoken", []chunk{from(FromClient, header), from(FromServer, "AMQP\x00\x01\x00\x00")}, []Message{&AMQP{Version: "0-9-1"}}, nil},
		{"0-10", []chunk{from(FromClient, "AMQP\x01\x01\x00\x0a")}, []Message{&AMQP{Version: "0-10"}}, ErrDone},
		{"from the middle on", []chunk{from(FromClient, publish)}, []Message{&AMQPPublish{FromClient, "ev", "a.b"}}, nil},
		{"got one by one", []chunk{from(FromClient, publish), from(FromServer, amqpCall(60, 71, make([]byte, 8), 0, 2, "ev", 3, "a.c", 0, 0, 0, 0))}, []Message{
			&AMQPPublish{FromClient, "ev", "a.b"}, &AMQPPublish{FromServer, "ev", "a.c"},
		}, nil},
		{"no end", []chunk{from(FromClient, publish[:len(publish)-1], 0)}, nil, ErrMalformed},
		{"fields overrun the frame", []chunk{from(FromClient, amqpCall(60, 40, 0, 0, 200, "ev"))}, nil, ErrMalformed},
		{"no frame", []chunk{from(FromClient, header, "\x16")}, []Message{&AMQP{Version: "0-9-1"}}, ErrMalformed},
		{"too long", []chunk{from(FromClient, amqpBody, 0, 0, 0x7f, 0, 0, 0)}, nil, ErrMalformed},
	})
	checkSniffs(t, sniffAMQP, FromClient, []opening{
		{header, Yes},
		{"AMQP\x03\x01\x00\x00", Yes},
		{"AMQP\x00\x00\x09\x02", No},
		{"AMQX", No},
		{string(publish), Yes},
		{string(join(publish[:len(publish)-1], 0)), No},
		{"\x08\x00\x00\x00\x00\x00\x00\xce", Yes},
		{"\x08\x00\x00\x00\x00\x00\x00\x00", No},
		{"\x01\x00\x00\x00\x00\x00\x08\x00\x3d\x00\x28", No},
		{"\x01\x00\x00\x01", No},
	})
}

// amqp1Frame is a frame of 1.0 with a performative and its fields.
func amqp1Frame(kind, code int, fields ...any) []byte {
	b := join(fields...)
	b = join(2, kind, 0, 0, 0, 0x53, code, 0xd0, be32(len(b)+4), be32(len(fields)), b)
	return join(be32(len(b)+4), b)
}

func amqpSymbol(s string) []byte { return join(0xa3, len(s), s) }

func TestAMQP1Stream(t *testing.T) {
	const null = "\x40"
	from := func(dir Dir, parts ...any) chunk { return chunk{dir, join(parts...)} }
	start := from(FromClient, "AMQP\x03\x01\x00\x00")
	startBack := from(FromServer, "AMQP\x03\x01\x00\x00", amqp1Frame(1, 0x40, amqpSymbol("PLAIN")))
	attempt := from(FromClient, amqp1Frame(1, 0x41, amqpSymbol("PLAIN"), join(0xa0, 14, "\x00admin\x00S3cret"), null))
	properties := join(amqpSymbol("product"), 0xa1, 4, "qpid", amqpSymbol("count"), 0x54, 3, amqpSymbol("version"), 0xa1, 3, "1.5")
	opened := func(name string) []byte {
		return amqp1Frame(0, 0x10, join(0xa1, len(name), name), join(0xa1, 4, "host"), join(0x70, be32(65536)), join(0x60, 0, 255),
			null, null, null, join(0xe0, 4, 1, 0xa3, 1, "x"), null, join(0xc1, len(properties)+1, 6, properties))
	}
	login := func(o Outcome) *Login {
		return &Login{Service: "amqp", User: "admin", Mechanism: "PLAIN", Outcome: o, Clear: true}
	}
	peer := func(name string) AMQPPeer { return AMQPPeer{Product: "qpid", Version: "1.5", Container: name} }
	playAll(t, newAMQPStream, []dialogue{
		{"accepted", []chunk{
			start, startBack, attempt, from(FromServer, amqp1Frame(1, 0x44, "\x50\x00")),
			from(FromClient, "AMQP\x00\x01\x00\x00", opened("plc-7")), from(FromServer, "AMQP\x00\x01\x00\x00", opened("broker")),
			from(FromClient, join(be32(8), 2, 0, 0, 0), // a heartbeat
				amqp1Frame(0, 0x14, "\x43"), amqp1Frame(0, 0x18)),
		}, []Message{login(Succeeded), &AMQP{Version: "1.0", Client: peer("plc-7"), Server: peer("broker"), VirtualHost: "host"}}, nil},
		{"refused", []chunk{start, startBack, attempt, from(FromServer, amqp1Frame(1, 0x44, "\x50\x01"))}, []Message{
			login(Failed), &AMQP{Version: "1.0"},
		}, nil},
		{"the broker has a problem", []chunk{start, startBack, attempt, from(FromServer, amqp1Frame(1, 0x44, "\x50\x02"))}, []Message{
			login(OutcomeUnknown), &AMQP{Version: "1.0"},
		}, nil},
		{"closed with an error", []chunk{
			from(FromClient, "AMQP\x00\x01\x00\x00", opened("plc-7")),
			from(FromServer, "AMQP\x00\x01\x00\x00", amqp1Frame(0, 0x18, join(0, 0x53, 0x1d, 0xc0, 28, 1, amqpSymbol("amqp:unauthorized-access")))),
		}, []Message{&AMQP{Version: "1.0", Client: peer("plc-7"), VirtualHost: "host", Condition: "amqp:unauthorized-access"}}, nil},
		{"TLS follows", []chunk{from(FromClient, "AMQP\x02\x01\x00\x00"), from(FromServer, "AMQP\x02\x01\x00\x00")}, []Message{&AMQP{Version: "1.0"}}, ErrUpgrade},
		{"shorter than its header", []chunk{start, from(FromClient, be32(7), 2, 0, 0, 0)}, []Message{&AMQP{Version: "1.0"}}, ErrMalformed},
		{"no performative", []chunk{start, from(FromClient, be32(10), 2, 0, 0, 0, 0x53, 0x10)}, []Message{&AMQP{Version: "1.0"}}, ErrMalformed},
	})
}

// TestAMQPKeepsNoSecret looks for the secret in all that is said of a login.
func TestAMQPKeepsNoSecret(t *testing.T) {
	const secret = "S3cret"
	for _, in := range [][]byte{
		join("AMQP\x00\x00\x09\x01", amqpCall(10, 11, amqpTable(), 5, "PLAIN", longText("\x00anna\x00"+secret), 0)),
		join("AMQP\x00\x00\x09\x01", amqpCall(10, 11, amqpTable(), 8, "AMQPLAIN", longText(string(amqpField("PASSWORD", secret))), 0)),
		join("AMQP\x03\x01\x00\x00", amqp1Frame(1, 0x41, amqpSymbol("PLAIN"), join(0xa0, 8, "\x00a", 0, secret[:5]), "\x40")),
	} {
		s := newAMQPStream()
		_, msgs, err := s.Feed(FromClient, in, nil)
		if err != nil {
			t.Errorf("%q: %v", in, err)
		}
		msgs = s.(Flusher).Flush(FromServer, nil, msgs)
		if len(msgs) != 2 {
			t.Errorf("%q: %d messages", in, len(msgs))
		}
		for _, m := range msgs {
			if said := fmt.Sprintf("%+v", m); strings.Contains(said, secret[:5]) {
				t.Errorf("%q: kept in %s", in, said)
			}
		}
	}
}

func FuzzAMQP(f *testing.F) {
	fuzzLines(f, newAMQPStream, 5672,
		join("AMQP\x00\x00\x09\x01", amqpCall(10, 11, amqpTable(amqpField("product", "x")), 5, "PLAIN", longText("\x00a\x00b"), 0)),
		join("AMQP\x03\x01\x00\x00", amqp1Frame(1, 0x41, amqpSymbol("PLAIN"), join(0xa0, 4, "\x00a\x00b"), "\x40")),
		join("AMQP\x00\x01\x00\x00", amqp1Frame(0, 0x10, amqpSymbol("a"), amqpSymbol("b"))),
		amqpCall(60, 40, 0, 0, 1, "a", 1, "b", 0))
}

func BenchmarkAMQPPublish(b *testing.B) {
	in := join(amqpCall(60, 40, 0, 0, 2, "ev", 3, "a.b", 0), amqpHeader, 0, 1, be32(3), "abc", amqpFrameEnd,
		amqpBody, 0, 1, be32(100), make([]byte, 100), amqpFrameEnd)
	s := newAMQPStream()
	if _, _, err := s.Feed(FromClient, in, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if n, msgs, err := s.Feed(FromClient, in, nil); err != nil || n != len(in) || len(msgs) > 0 {
			b.Fatal(n, len(msgs), err)
		}
	}
}
