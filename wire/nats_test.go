package wire

import (
	"strings"
	"testing"
)

func TestNATSStream(t *testing.T) {
	const info = `INFO {"server_id":"NAX","server_name":"hub","version":"2.9.10","cluster":"plant","auth_required":true,` +
		`"connect_urls":["10.0.0.2:4222"],"max_payload":1048576} ` + "\r\n"
	const connect = `CONNECT {"verbose":false,"user":"anna","pass":"s3cret \" }","name":"plc <7>","lang":"go","version":"1.31.0","sub":{"user":"x"}}` + "\r\n"
	server := &NATS{Server: &NATSPeer{Name: "hub", Version: "2.9.10", Cluster: "plant"}, AuthRequired: true}
	client := &NATS{Client: &NATSPeer{Name: "plc <7>", Version: "1.31.0", Lang: "go"}}
	nobody := &NATS{Client: &NATSPeer{}}
	login := func(o Outcome) *Login {
		return &Login{Service: "nats", User: "anna", Mechanism: "password", Clear: true, Outcome: o}
	}
	from := func(dir Dir, s string) chunk { return chunk{dir, []byte(s)} }
	playAll(t, newNATSStream, []dialogue{
		{"login accepted", []chunk{from(FromServer, info), from(FromClient, connect+"PING\r\n"), from(FromServer, "PONG\r\n")}, []Message{
			server, client, login(Succeeded),
		}, nil},
		{"login refused", []chunk{from(FromServer, info), from(FromClient, connect+"PING\r\n"), from(FromServer, "-ERR 'Authorization Violation'\r\n")}, []Message{
			server, client, &NATS{Error: "Authorization Violation"}, login(Failed),
		}, nil},
		{"verbose", []chunk{from(FromServer, info), from(FromClient, connect), from(FromServer, "+OK\r\n")}, []Message{
			server, client, login(Succeeded),
		}, nil},
		{"no answer", []chunk{from(FromServer, info), from(FromClient, connect)}, []Message{server, client, login(OutcomeUnknown)}, nil},
		{"a token", []chunk{from(FromClient, `CONNECT {"auth_token":"admin"}`+"\r\n"), from(FromServer, "PONG\r\n")}, []Message{
			nobody, &Login{Service: "nats", Mechanism: "token", Outcome: Succeeded, Clear: true, Default: factoryDefault(nil, []byte("admin"))},
		}, nil},
		{"a key, which signs", []chunk{from(FromClient, `CONNECT {"nkey":"UAX","sig":"c2ln"}`+"\r\n")}, []Message{
			nobody, &Login{Service: "nats", User: "UAX", Mechanism: "nkey"},
		}, nil},
		{"anonymous, refused", []chunk{from(FromClient, "CONNECT {}\r\n"), from(FromServer, "-ERR 'Authorization Violation'\r\n")}, []Message{
			nobody, &NATS{Error: "Authorization Violation"}, &Login{Service: "nats", Mechanism: "none", Outcome: Failed},
		}, nil},
		{"a right that is missing says nothing about the login", []chunk{
			from(FromClient, connect), from(FromServer, "-ERR 'Permissions Violation for Publish to \"b.x\"'\r\n"),
		}, []Message{client, &NATS{Error: `Permissions Violation for Publish to "b.x"`}, login(OutcomeUnknown)}, nil},
		{"subjects once each, payloads passed over", []chunk{
			from(FromClient, "CONNECT {}\r\nSUB plant.> workers 1\r\nSUB a 2\r\nPUB plant.7 _INBOX.1 9\r\nPUB x 1\r\n\r\nPUB plant.7 0\r\n\r\nHPUB a 12 15\r\nNATS/1.0\r\n\r\nabc\r\n"),
			from(FromServer, "MSG plant.7 1 6\r\nPONG\r\n\r\nHMSG a 2 12 15\r\nNATS/1.0\r\n\r\nabc\r\nMSG a 2 0\r\n\r\n"),
		}, []Message{
			nobody,
			&NATSSubject{Subscribe: true, Subject: "plant.>", Queue: "workers"},
			&NATSSubject{Subscribe: true, Subject: "a"},
			&NATSSubject{Subject: "plant.7"},
			&NATSSubject{Subject: "a"},
			&NATSSubject{From: FromServer, Subject: "plant.7"},
			&NATSSubject{From: FromServer, Subject: "a"},
		}, nil},
		{"TLS follows", []chunk{
			from(FromServer, `INFO {"server_id":"N","tls_required":true}`+"\r\n"), from(FromClient, "\x16\x03\x01"),
		}, []Message{&NATS{Server: &NATSPeer{}, TLSRequired: true}}, ErrUpgrade},
		{"between servers", []chunk{from(FromServer, info), from(FromClient, connect+"RS+ $G a 1\r\n")}, []Message{server, client, login(OutcomeUnknown)}, ErrDone},
		{"cut in the middle of the object", []chunk{from(FromClient, connect[:60])}, []Message{
			nobody, &Login{Service: "nats", User: "anna", Mechanism: "password", Clear: true},
		}, nil},
		{"no such operation", []chunk{from(FromClient, "CONNECT {}\r\nGET / HTTP/1.1\r\n")}, []Message{nobody}, ErrMalformed},
		{"not a size", []chunk{from(FromClient, "CONNECT {}\r\nPUB a 1x\r\n")}, []Message{nobody}, ErrMalformed},
		{"a size beyond all bounds", []chunk{from(FromClient, "CONNECT {}\r\nPUB a 99999999999999999999\r\n")}, []Message{nobody}, ErrMalformed},
		{"a line without end", []chunk{from(FromClient, "CONNECT {}\r\nSUB "+strings.Repeat("a", 3*maxNATSLine)+"\r\nSUB b 1\r\n")}, []Message{
			nobody,
			&NATSSubject{Subscribe: true, Subject: strings.Repeat("a", maxNATSText)},
			&NATSSubject{Subscribe: true, Subject: "b"},
		}, nil},
	})
}

func TestSniffNATS(t *testing.T) {
	checkSniffs(t, sniffNATS, FromServer, []opening{
		{"", Maybe},
		{`INFO {"server_id":"NA`, Yes},
		{`INFO {"version":"1","server_id":"NA`, Yes},
		{`INFO {"version":"1"} ` + "\r\n", No},
		{"INFO sip:a SIP/2.0\r\n", No},
		{`CONNECT {"verbose"`, Yes},
		{"CONNECT {}\r\n", Yes},
		{"CONNECT {", Maybe},
		{"CONNECT a:443 HTTP/1.1\r\n", No},
		{"PING\r\n", No},
	})
	for in, want := range map[string]bool{
		"MSG plant.7 1 6\r\nvalue!\r\n":               true,
		"PUB plant.7 6\r\nvalue!\r\nPUB a":            true,
		"HMSG a.b 2 12 15\r\nNATS/1.0\r\n\r\nabc\r\n": true,
		"PUB plant.7 6\r\nvalue\r\n":                  false, // one byte less
		"MSG plant.7 6\r\nvalue!\r\n":                 false, // no identifier
		"PUB plant.7 6\nvalue!\r\n":                   false,
		"SUB plant.7 1\r\n":                           false, // many protocols have three words
		"\r\n":                                        false,
	} {
		if sniffLateNATS([]byte(in)) != want {
			t.Errorf("%q: recognised %v", in, !want)
		}
	}
}

func TestJSONMembers(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"x","b":2,"c":true}`:                     "a=x b=2 c=true",
		`{"a" : "x\"y", "b":{"a":1},"c":[1],"d":null}`: `a=x"y d=null`,
		`{"a":"\u003cx\u003e","b":"\q"}`:               `a=<x> b=\q`,
		`{"a":"x","b":"no end`:                         "a=x",
		`{"a":1`:                                       "", // more digits may follow
		`[["a":1]]}}}:,{"a`:                            "",
		`{"a":"b":"c"}`:                                "a=b a=c", // not JSON
		"":                                             "",
	} {
		var got []string
		jsonMembers([]byte(in), func(name, value []byte) { got = append(got, string(name)+"="+jsonText(value, 99)) })
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %s, want %s", in, s, want)
		}
	}
	if got := jsonText([]byte(`\u00e4\u00e4`), 3); got != "ä\xc3" {
		t.Errorf("got %q", got)
	}
}

func FuzzNATS(f *testing.F) {
	fuzzSeeds(f, 4222)
	f.Add([]byte("\xff" + `INFO {"server_id":"N","auth_required":true}` + "\r\n"))
	f.Add([]byte("\xff" + `CONNECT {"user":"a","pass":"\"","name":["x"]}` + "\r\nPUB a.b 3\r\nabc\r\nHPUB a 4 5\r\nabcde\r\nSUB a q 1\r\n-ERR 'x'\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		sniffLateNATS(b)
		fuzzStream(t, newNATSStream, b)
	})
}

func BenchmarkNATSPublish(b *testing.B) {
	in := []byte("PUB plant.line7.temperature 40\r\n" + strings.Repeat("x", 40) + "\r\n")
	s := newNATSStream()
	if _, _, err := s.Feed(FromClient, in, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, msgs, err := s.Feed(FromClient, in, nil); err != nil || len(msgs) != 0 {
			b.Fatal(len(msgs), err)
		}
	}
}
