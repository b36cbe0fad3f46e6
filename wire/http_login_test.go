package wire

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHTTPLogins(t *testing.T) {
	basic := func(s string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s)) + "\r\n"
	}
	get := func(fields ...string) chunk {
		return chunk{FromClient, []byte("GET / HTTP/1.1\r\nHost: a\r\n" + strings.Join(fields, "") + "\r\n")}
	}
	answer := func(status string) chunk {
		return chunk{FromServer, []byte("HTTP/1.1 " + status + " X\r\nContent-Length: 0\r\n\r\n")}
	}
	login := func(user string, o Outcome, isDefault bool) *Login {
		return &Login{Service: "http", User: user, Mechanism: "Basic", Outcome: o, Clear: true, Default: isDefault}
	}
	ntlm := "Authorization: NTLM " + base64.StdEncoding.EncodeToString(ntlmAuth("HOME", "eve", "PC")) + "\r\n"
	long := strings.Repeat("u", 1000)
	for _, tt := range []struct {
		name string
		in   []chunk
		want []*Login
	}{
		{"no credentials", []chunk{get(), answer("401")}, nil},
		{"accepted", []chunk{get(basic("eve:s3cret")), answer("200")}, []*Login{login("eve", Succeeded, false)}},
		{"a factory default", []chunk{get(basic("admin:admin")), answer("302")}, []*Login{login("admin", Succeeded, true)}},
		{"refused twice", []chunk{get(basic("a:b")), answer("401"), get(basic("a:c")), answer("403")}, []*Login{login("a", Failed, false), login("a", Failed, false)}},
		{"with every request", []chunk{get(basic("a:b")), answer("200"), get(basic("a:b")), answer("304")}, []*Login{login("a", Succeeded, false)}},
		{"pipelined", []chunk{get(), get(basic("a:b")), get(), answer("401"), answer("200"), answer("401")}, []*Login{login("a", Succeeded, false)}},
		{"an answer that does not tell", []chunk{get(basic("a:b")), answer("503")}, []*Login{login("a", OutcomeUnknown, false)}},
		{"after an interim answer", []chunk{get(basic("a:b")), {FromServer, []byte("HTTP/1.1 100 Continue\r\n\r\n")}, answer("200")}, []*Login{login("a", Succeeded, false)}},
		{"never answered", []chunk{get(basic("a:b"))}, []*Login{login("a", OutcomeUnknown, false)}},
		{"colon in the password", []chunk{get(basic("a:b:c")), answer("200")}, []*Login{login("a", Succeeded, false)}},
		{"no colon", []chunk{get(basic("a")), answer("200")}, nil},
		{"not base64", []chunk{get("Authorization: Basic %%%\r\n"), answer("200")}, nil},
		{"an endless name", []chunk{get(basic(long)), answer("401")}, []*Login{login(long[:maxUser], Failed, false)}},
		{"digest", []chunk{get(`Authorization: Digest realm="x", username="eve", uri="/"` + "\r\n"), answer("200")}, []*Login{{Service: "http", User: "eve", Mechanism: "Digest", Outcome: Succeeded}}},
		{"digest with a hashed name", []chunk{get(`Authorization: Digest username="eve", userhash=true` + "\r\n"), answer("200")}, []*Login{{Service: "http", Mechanism: "Digest", Outcome: Succeeded}}},
		{"digest with half a name", []chunk{get(`Authorization: Digest username="eve` + "\r\n"), answer("401")}, []*Login{{Service: "http", Mechanism: "Digest", Outcome: Failed}}},
		{"NTLM", []chunk{get(ntlm), answer("200")}, []*Login{{Service: "http", User: `HOME\eve`, Mechanism: "NTLM", Outcome: Succeeded}}},
		{"a token", []chunk{get("Authorization: Bearer eve\r\n"), answer("200")}, nil},
		{"a proxy", []chunk{
			{FromClient, []byte("CONNECT a:443 HTTP/1.1\r\nProxy-" + basic("a:b") + "\r\n")},
			answer("407"),
		}, []*Login{login("a", Failed, false)}},
		{"a proxy that lets through", []chunk{
			{FromClient, []byte("CONNECT a:443 HTTP/1.1\r\nProxy-" + basic("a:b") + "\r\n")},
			answer("200"),
		}, []*Login{login("a", Succeeded, false)}},
		{"an error behind it", []chunk{get(basic("a:b")), {FromServer, []byte("\x00\x01\x02\x03\n")}}, []*Login{login("a", OutcomeUnknown, false)}},
	} {
		for _, step := range []int{0, 1} {
			s := newHTTPStream()
			msgs, _ := play(t, s, tt.in, step)
			for dir := range Dir(2) {
				msgs = s.(Flusher).Flush(dir, nil, msgs)
			}
			var got []*Login
			for _, m := range msgs {
				if l, ok := m.(*Login); ok {
					got = append(got, l)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, step %d: logins differ (-want +got):\n%s", tt.name, step, diff)
			}
		}
	}
}

func TestHTTPUpgrade(t *testing.T) {
	msgs, err := play(t, newHTTPStream(), []chunk{
		{FromClient, []byte("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")},
		{FromServer, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n")},
	}, 0)
	if err == nil || len(msgs) != 2 {
		t.Fatalf("got %+v, %v", msgs, err)
	}
	if q, r := msgs[0].(*HTTPRequest).Upgrade, msgs[1].(*HTTPResponse).Upgrade; q != "websocket" || r != "WebSocket" {
		t.Errorf("got %q and %q", q, r)
	}
}
