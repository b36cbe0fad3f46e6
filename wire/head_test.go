package wire

import (
	"slices"
	"strings"
	"testing"
)

func TestRTSPStream(t *testing.T) {
	describe := says("DESCRIBE rtsp://root:vizxv@cam/1?a=b@c RTSP/1.0", "CSeq: 2", "user-agent: nvr", "Authorization: Basic cm9vdDp2aXp4dg==", "")
	asked := &RTSP{Method: "DESCRIBE", URL: "rtsp://cam/1?a=b@c", UserAgent: "nvr", Auth: "Basic"}
	login := func(o Outcome) *Login {
		return &Login{Service: "rtsp", User: "root", Mechanism: "Basic", Outcome: o, Clear: true, Default: true}
	}
	playAll(t, newRTSPStream, []dialogue{
		{"default credentials, then pictures between answers", []chunk{
			{FromClient, says("OPTIONS * RTSP/1.0", "CSeq: 1", "")},
			{FromServer, says("RTSP/1.0 401 Unauthorized", `WWW-Authenticate: Digest realm="x"`, "WWW-Authenticate: Basic", "")},
			{FromClient, describe},
			{FromServer, append(says("RTSP/1.0 200 OK", "Server: cam", "Content-Length: 5", "", "v=0"), "$\x00\x00\x04RTSP"...)},
			{FromServer, says("RTSP/1.0 200 OK", "")},
		}, []Message{
			&RTSP{Method: "OPTIONS", URL: "*"},
			&RTSP{Status: 401, Auth: "Digest"},
			asked,
			&RTSP{Status: 200, Server: "cam"},
			login(Succeeded),
			&RTSP{Status: 200},
		}, nil},
		{"refused", []chunk{{FromClient, describe}, {FromServer, says("RTSP/1.0 401 No", "")}}, []Message{asked, &RTSP{Status: 401}, login(Failed)}, nil},
		{"credentials in every request, the last of them refused", []chunk{
			{FromClient, describe},
			{FromServer, says("RTSP/1.0 200 OK", "")},
			{FromClient, describe},
			{FromServer, says("RTSP/1.0 200 OK", "")},
			{FromClient, describe},
			{FromServer, says("RTSP/1.0 401 No", "")},
		}, []Message{asked, &RTSP{Status: 200}, login(Succeeded), asked, &RTSP{Status: 200}, asked, &RTSP{Status: 401}, login(Failed)}, nil},
		{"credentials in every request, the last without an answer", []chunk{
			{FromClient, describe},
			{FromServer, says("RTSP/1.0 200 OK", "")},
			{FromClient, describe},
		}, []Message{asked, &RTSP{Status: 200}, login(Succeeded), asked}, nil},
		{"two requests at once, of which the second is refused", []chunk{
			{FromClient, append(says("OPTIONS * RTSP/1.0", "CSeq: 1", ""), describe...)},
			{FromServer, says("RTSP/1.0 200 OK", "CSeq: 1", "")},
			{FromServer, says("RTSP/1.0 401 No", "CSeq: 2", "")},
		}, []Message{&RTSP{Method: "OPTIONS", URL: "*"}, asked, &RTSP{Status: 200}, &RTSP{Status: 401}, login(Failed)}, nil},
		{"no answer", []chunk{{FromClient, describe}}, []Message{asked, login(OutcomeUnknown)}, nil},
		{"cut", []chunk{{FromClient, describe[:50]}}, []Message{
			&RTSP{Method: "DESCRIBE", URL: "rtsp://cam/1?a=b@c", Truncated: true},
		}, nil},
		{"another protocol", []chunk{{FromClient, []byte("GET / HTTP/1.1\r\n\r\n")}}, nil, ErrMalformed},
		{"an endless head", []chunk{{FromClient, []byte("OPTIONS * RTSP/1.0\r\nA: " + strings.Repeat("a", maxHTTPHead))}}, nil, ErrMalformed},
	})
}

func TestSIP(t *testing.T) {
	register := says("REGISTER sip:pbx SIP/2.0", "f: <sip:42@pbx>", "t: <sip:42@pbx>", "User-Agent: phone",
		`Authorization: Digest realm="x", username="42"`, "")
	asked := &SIP{Method: "REGISTER", URI: "sip:pbx", From: "<sip:42@pbx>", To: "<sip:42@pbx>", UserAgent: "phone"}
	ok := says("SIP/2.0 200 OK", "Server: pbx", "")
	answer := &SIP{Code: 200, Reason: "OK", UserAgent: "pbx"}
	login := &Login{Service: "sip", User: "42", Mechanism: "Digest", Outcome: Succeeded}
	playFlows(t, newSIPFlow, []flowCase{
		{"registered", []chunk{
			{FromClient, []byte("\r\n\r\n")},
			{FromClient, register},
			{FromServer, says("SIP/2.0 100 Trying", "")},
			{FromServer, ok},
		}, []Message{asked, &SIP{Code: 100, Reason: "Trying"}, answer, login}, nil},
		{"cut", []chunk{{FromClient, register[:52]}}, []Message{
			&SIP{Method: "REGISTER", URI: "sip:pbx", From: "<sip:42@pbx>", Truncated: true},
		}, nil},
		{"HTTP", []chunk{{FromClient, []byte("NOTIFY * HTTP/1.1\r\n\r\n")}}, nil, ErrNotMine},
	})
	playAll(t, newSIPStream, []dialogue{
		{"over TCP", []chunk{{FromClient, register}, {FromServer, ok}}, []Message{asked, answer, login}, nil},
	})
}

// TestSIPLogins: a login has the outcome of its own request, whatever else goes
// through the flow.
func TestSIPLogins(t *testing.T) {
	request := func(user, call, sequence string) chunk {
		_, method, _ := strings.Cut(sequence, " ")
		return chunk{FromClient, says(method+" sip:pbx SIP/2.0", "Call-ID: "+call, "CSeq: "+sequence, `Authorization: Digest username="`+user+`"`, "")}
	}
	response := func(status, call, sequence string) chunk {
		return chunk{FromServer, says("SIP/2.0 "+status, "i: "+call, "CSeq: "+sequence, "")}
	}
	login := func(user string, o Outcome) Login {
		return Login{Service: "sip", User: user, Mechanism: "Digest", Outcome: o}
	}
	crowd := make([]chunk, maxSIPWaiting+1)
	for i := range crowd {
		crowd[i] = request("42", strings.Repeat("c", i), "1 REGISTER")
	}
	for _, c := range []struct {
		name string
		in   []chunk
		want []Login
	}{
		{"a refusal of the request before it comes twice", []chunk{
			response("401 Unauthorized", "a", "1 REGISTER"), request("42", "a", "2 REGISTER"),
			response("401 Unauthorized", "a", "1 REGISTER"), response("200 OK", "a", "2 REGISTER"),
		}, []Login{login("42", Succeeded)}},
		{"two within each other", []chunk{
			request("42", "a", "2 REGISTER"), request("43", "b", "2 REGISTER"),
			response("200 OK", "b", "2 REGISTER"), response("403 Forbidden", "a", "2 REGISTER"),
		}, []Login{login("43", Succeeded), login("42", Failed)}},
		{"a request that is repeated", []chunk{
			request("42", "a", "2 REGISTER"), request("42", "a", "2 REGISTER"), response("200 OK", "a", "2 REGISTER"),
		}, []Login{login("42", Succeeded)}},
		{"the acknowledgement has the proof of its call", []chunk{
			request("42", "a", "2 INVITE"), response("200 OK", "a", "2 INVITE"), request("42", "a", "2 ACK"),
		}, []Login{login("42", Succeeded)}},
		{"an answer to another", []chunk{request("42", "a", "2 REGISTER"), response("200 OK", "z", "2 REGISTER")}, []Login{login("42", OutcomeUnknown)}},
		{"more than are kept", crowd, slices.Repeat([]Login{login("42", OutcomeUnknown)}, len(crowd))},
	} {
		f := newSIPFlow()
		var msgs []Message
		for _, in := range c.in {
			msgs, _ = f.Datagram(in.dir, in.b, msgs)
		}
		msgs = f.(Flusher).Flush(FromServer, nil, msgs)
		var got []Login
		for _, m := range msgs {
			if l, ok := m.(*Login); ok {
				got = append(got, *l)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSniffHeads(t *testing.T) {
	for in, want := range map[string]string{
		"DESCRIBE rtsp://a RTSP/1.0\r\n": "rtsp",
		"RTSP/1.0 200 OK\r\n":            "rtsp",
		"OPTIONS * RTSP/1.0\r\n":         "rtsp",
		"OPTIONS sip:a SIP/2.0\r\n":      "sip",
		"SIP/2.0 100 Trying\r\n":         "sip",
		"OPTIONS * HTTP/1.1\r\n":         "",
		"NOTIFY * HTTP/1.1\r\n":          "", // SSDP
		"DESCRIBE rtsp://a RTSP/1.0":     "", // no end yet
		"RTSP/1.0 2x0 OK\r\n":            "",
		"GET a SIP/2.0\r\n":              "",
	} {
		got := ""
		for name, sniff := range map[string]func(Dir, []byte) Match{"rtsp": sniffRTSP, "sip": sniffSIP} {
			if sniff(FromClient, []byte(in)) == Yes {
				got += name
			}
			for n := range len(in) {
				if want == name && sniff(FromClient, []byte(in[:n])) == No {
					t.Errorf("%s says No to %q", name, in[:n])
				}
			}
		}
		if got != want {
			t.Errorf("%q recognised as %q, want %q", in, got, want)
		}
	}
}

func FuzzRTSP(f *testing.F) {
	fuzzLines(f, newRTSPStream, 554, says("OPTIONS rtsp://u:p@a RTSP/1.0", "Authorization: Basic dTpw", ""), []byte("RTSP/1.0 200 OK\r\n\r\n$\x00\x00\x01a"),
		says("RTSP/1.0 200 OK", "Transport: RTP/AVP;client_port=1-2", ""))
}

func FuzzSIP(f *testing.F) {
	fuzzLines(f, newSIPStream, 5060, says("REGISTER sip:a SIP/2.0", `Authorization: Digest username="u"`, "l: 1", "", "x"))
}

func FuzzSIPDatagram(f *testing.F) {
	fuzzFlow(f, newSIPFlow, sniffSIPDatagram, 5060, says("REGISTER sip:a SIP/2.0", `Authorization: Digest username="u"`, ""),
		[]byte("INVITE sip:a SIP/2.0\r\nc: application/sdp\r\n\r\nm=audio 1 RTP/AVP 0\r\n"))
}
