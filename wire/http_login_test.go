package wire

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wantHTTPLogins plays an exchange in segments and byte by byte.
func wantHTTPLogins(t *testing.T, name string, in []chunk, want []*Login) {
	t.Helper()
	for _, step := range []int{0, 1} {
		s := newHTTPStream()
		msgs, _ := play(t, s, in, step)
		for dir := range Dir(2) {
			msgs = s.(Flusher).Flush(dir, nil, msgs)
		}
		var got []*Login
		for _, m := range msgs {
			if l, ok := m.(*Login); ok {
				got = append(got, l)
			}
		}
		if diff := cmp.Diff(want, got, anyWaiting); diff != "" {
			t.Errorf("%s, step %d: logins differ (-want +got):\n%s", name, step, diff)
		}
	}
}

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
		{"a proxy that does not go there", []chunk{
			{FromClient, []byte("CONNECT a:9 HTTP/1.1\r\nProxy-" + basic("a:b") + "\r\n")},
			answer("403"),
		}, []*Login{login("a", OutcomeUnknown, false)}},
		{"an error behind it", []chunk{get(basic("a:b")), {FromServer, []byte("\x00\x01\x02\x03\n")}}, []*Login{login("a", OutcomeUnknown, false)}},
	} {
		wantHTTPLogins(t, tt.name, tt.in, tt.want)
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

// TestHTTPFormLogins: the login pages of devices, and forms that are none.
func TestHTTPFormLogins(t *testing.T) {
	const url, json = "application/x-www-form-urlencoded", "application/json; charset=utf-8"
	post := func(target, kind, body string) chunk {
		return chunk{FromClient, fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", target, kind, len(body), body)}
	}
	answer := func(status, field string) chunk {
		return chunk{FromServer, []byte("HTTP/1.1 " + status + " X\r\n" + field + "Content-Length: 0\r\n\r\n")}
	}
	login := func(user, mechanism string, o Outcome, inferred bool) *Login {
		return &Login{Service: "http", User: user, Mechanism: mechanism, Outcome: o, Inferred: inferred, Clear: true}
	}
	hashed := &Login{Service: "http", User: "admin", Mechanism: "form"}
	factory := login("admin", "form", Succeeded, true)
	factory.Default = true
	for _, tt := range []struct {
		name string
		in   []chunk
		want []*Login
	}{
		{"a page that leads on", []chunk{post("/goform/auth", url, "username=eve%40a.example&password=x%26y+z"), answer("302", "Location: /index.htm\r\n")}, []*Login{login("eve@a.example", "form", Succeeded, true)}},
		{"one that leads back", []chunk{post("/", url, "user=eve&pwd=xyz"), answer("303", "Location: /login.htm?err=1\r\n")}, []*Login{login("eve", "form", Failed, true)}},
		{"one that may say anything", []chunk{post("/", url, "log=eve&pwd=xyz"), answer("200", "")}, []*Login{login("eve", "form", OutcomeUnknown, false)}},
		{"refused", []chunk{post("/api", json, `{"method": "do", "login": {"username": "eve", "password": "x\"yz"}}`), answer("401", "")}, []*Login{login("eve", "form", Failed, false)}},
		{"a factory default", []chunk{post("/", url, "username=admin&password=admin"), answer("302", "Location: /home\r\n")}, []*Login{factory}},
		{"hashed by the page", []chunk{post("/", url, "username=admin&password=21232f297a57a5a743894a0e4a801fc3"), answer("200", "")}, []*Login{hashed}},
		{"a password alone, where logins go", []chunk{post("/login.cgi", url, "password=xyz"), answer("403", "")}, []*Login{login("", "form", Failed, false)}},
		{"a password alone, elsewhere", []chunk{post("/mail.cgi", url, "server=a&password=xyz"), answer("200", "")}, nil},
		{"a change of password", []chunk{post("/user", url, "user=eve&password=a&password2=b"), answer("200", "")}, nil},
		{"the key of a network", []chunk{post("/user", url, "user=eve&wifi_password=abcdefgh"), answer("200", "")}, nil},
		{"no password", []chunk{post("/login", url, "username=eve&password="), answer("200", "")}, nil},
		{"a file", []chunk{post("/login", "text/plain", "username=eve&password=xyz"), answer("200", "")}, nil},
		{"longer than forms are", []chunk{post("/login", url, "username=eve&password="+strings.Repeat("x", maxHTTPForm)), answer("200", "")}, nil},
		{"tried again and again", []chunk{post("/", url, "user=a&pass=b"), answer("200", ""), post("/", url, "user=a&pass=c"), answer("200", "")}, []*Login{login("a", "form", OutcomeUnknown, false), login("a", "form", OutcomeUnknown, false)}},
		{"answered before the form came", []chunk{
			{FromClient, []byte("POST /login HTTP/1.1\r\nContent-Type: " + url + "\r\nContent-Length: 13\r\n\r\nuser")},
			answer("401", ""),
			{FromClient, []byte("=a&pass=b")},
		}, []*Login{login("a", "form", OutcomeUnknown, false)}},
		{"in a query", []chunk{{FromClient, []byte("GET /cgi?user=eve&pwd=xyz HTTP/1.1\r\n\r\n")}, answer("401", "")}, []*Login{login("eve", "query", Failed, false)}},
		{"nested without end", []chunk{post("/login", json, strings.Repeat(`{"a":`, 300)+`"`), answer("200", "")}, nil},
	} {
		wantHTTPLogins(t, tt.name, tt.in, tt.want)
	}
}

// TestRedactQuery: secrets in addresses go, all else stays as it was sent.
func TestRedactQuery(t *testing.T) {
	for in, want := range map[string]string{
		"/a?user=eve&password=x%20y&z=1": "/a?user=eve&password=***&z=1",
		"/a?Passwd=x":                    "/a?Passwd=***",
		"/a?p%61ss=x#y":                  "/a?p%61ss=x#y", // no page names its fields so
		"/a?password=&b":                 "/a?password=&b",
		"/a?q=password":                  "/a?q=password",
		"/pass/word=1":                   "/pass/word=1",
		"http://a/?pwd=1?pwd=2&pwd=3":    "http://a/?pwd=***&pwd=***",
	} {
		if got, _ := redactQuery(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	msgs, err := play(t, newHTTPStream(), []chunk{
		{FromClient, []byte("GET /?pwd=1 HTTP/1.1\r\nReferer: http://a/?pwd=1\r\n\r\n")},
		{FromServer, []byte("HTTP/1.1 302 X\r\nLocation: /?pwd=1\r\nContent-Length: 0\r\n\r\n")},
	}, 0)
	want := []Message{
		&HTTPRequest{Method: "GET", Target: "/?pwd=***", Version: "HTTP/1.1", Referer: "http://a/?pwd=***", Length: -1},
		&HTTPResponse{Status: 302, Version: "HTTP/1.1", Location: "/?pwd=***", Length: 0},
	}
	if diff := cmp.Diff(want, msgs, anyWaiting); diff != "" || err != nil {
		t.Errorf("%v, messages differ (-want +got):\n%s", err, diff)
	}
}
