package wire

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// anyWaiting leaves the requests under way to TestHTTPWaiting.
var anyWaiting = cmpopts.IgnoreFields(HTTPResponse{}, "Waiting")

// TestHTTPWaiting: responses know how many requests they are behind.
func TestHTTPWaiting(t *testing.T) {
	const get, ok = "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	const hint = "HTTP/1.1 103 Hints\r\n\r\n"
	for _, tt := range []struct {
		name string
		in   []chunk
		want []int
	}{
		{"one after the other", []chunk{{FromClient, []byte(get)}, {FromServer, []byte(ok)}, {FromClient, []byte(get)}, {FromServer, []byte(ok)}}, []int{1, 1}},
		{"pipelined, with a hint", []chunk{{FromClient, []byte(get + get)}, {FromServer, []byte(ok + hint + ok)}}, []int{2, 1, 1}},
		{"not asked for", []chunk{{FromServer, []byte(ok)}, {FromClient, []byte(get)}, {FromServer, []byte(ok)}}, []int{0, 1}},
		{"too many", []chunk{{FromClient, []byte(strings.Repeat(get, maxHTTPQueue+1))}, {FromServer, []byte(ok + ok)}}, []int{-1, maxHTTPQueue - 1}},
	} {
		msgs, err := play(t, newHTTPStream(), tt.in, 0)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var got []int
		for _, m := range msgs {
			if r, ok := m.(*HTTPResponse); ok {
				got = append(got, r.Waiting)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestHTTPStream(t *testing.T) {
	get := &HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Host: "a", Length: -1}
	ok := func(length int64) *HTTPResponse {
		return &HTTPResponse{Status: 200, Version: "HTTP/1.1", Length: length}
	}
	const getBytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	tests := []struct {
		name string
		in   []chunk
		want []Message
		err  error
	}{
		{
			name: "fields of a request; credentials are not kept",
			in: []chunk{{FromClient, []byte("POST /x?y=1 HTTP/1.1\r\nhost:\ta:8080 \r\nUSER-AGENT: Thing/1 (a;\r\n\tb)\r\n" +
				"Authorization: Basic c2VjcmV0\r\nCookie: secret\r\nReferer: http://a/\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc")}},
			want: []Message{&HTTPRequest{
				Method: "POST", Target: "/x?y=1", Version: "HTTP/1.1", Host: "a:8080", UserAgent: "Thing/1 (a; b)",
				Referer: "http://a/", AuthScheme: "Basic", ContentType: "text/plain", Length: 3,
			}},
		},
		{
			name: "what is asked of a router by UPnP",
			in:   []chunk{{FromClient, []byte("POST /ctl/IPConn HTTP/1.1\r\nSOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping\"\r\n\r\n")}},
			want: []Message{&HTTPRequest{
				Method: "POST", Target: "/ctl/IPConn", Version: "HTTP/1.1", Length: -1,
				SOAPAction: "urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping",
			}},
		},
		{
			name: "fields of a response",
			in: []chunk{{FromServer, []byte("HTTP/1.0 401 Unauthorized\nServer: mini\nWWW-Authenticate: Digest realm=\"x\"\n" +
				"Location: /login\nContent-Type: text/html\nContent-Length: 0\n\n")}},
			want: []Message{&HTTPResponse{
				Status: 401, Version: "HTTP/1.0", Server: "mini", ContentType: "text/html", Location: "/login",
				AuthScheme: "Digest", Length: 0,
			}},
		},
		{
			name: "pipelined requests, an empty line between",
			in:   []chunk{{FromClient, []byte(getBytes + "\r\n" + getBytes + getBytes)}},
			want: []Message{get, get, get},
		},
		{
			name: "keep-alive with a chunked body and trailers",
			in: []chunk{
				{FromClient, []byte(getBytes)},
				{FromServer, []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4;x=y\r\nHTTP\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n")},
				{FromClient, []byte(getBytes)},
				{FromServer, []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")},
			},
			want: []Message{get, ok(-1), &HTTPBody{Length: 7 + 6 + 3 + 10 + 2 + 3}, get, ok(2)},
		},
		{
			name: "no body after HEAD, 204 and 304; an interim response",
			in: []chunk{
				{FromClient, []byte("HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")},
				{FromServer, []byte("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n" +
					"HTTP/1.1 304 No\r\nContent-Length: 99\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
			},
			want: []Message{
				&HTTPRequest{Method: "HEAD", Target: "/", Version: "HTTP/1.1", Length: -1},
				&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Length: -1},
				&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Length: -1},
				&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Length: -1},
				ok(99),
				&HTTPResponse{Status: 204, Version: "HTTP/1.1", Length: 9},
				&HTTPResponse{Status: 304, Version: "HTTP/1.1", Length: 99},
				&HTTPResponse{Status: 103, Version: "HTTP/1.1", Length: -1},
				ok(0),
			},
		},
		{
			name: "HTTP/0.9: what is answered has no head",
			in: []chunk{
				{FromClient, []byte("GET /old \r\n")},
				{FromServer, []byte("<html>")},
				{FromServer, []byte("HTTP/1.1 200 OK\r\n\r\n")},
			},
			want: []Message{&HTTPRequest{Method: "GET", Target: "/old", Length: -1}},
			err:  ErrDone,
		},
		{
			name: "HTTP/0.9 to a server that does not know it, the answer in parts",
			in: []chunk{
				{FromClient, []byte("GET /\n")},
				{FromServer, []byte("HTT")},
				{FromServer, []byte("P/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
			},
			want: []Message{&HTTPRequest{Method: "GET", Target: "/", Length: -1}, ok(0)},
		},
		{
			name: "HTTP/0.9 is the first request or none",
			in:   []chunk{{FromClient, []byte(getBytes + "GET /\r\n\r\n")}},
			want: []Message{get},
			err:  ErrNotMine,
		},
		{
			name: "a field that is sent twice, a part of the whole",
			in: []chunk{
				{FromClient, []byte("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nUser-Agent: c\r\nuser-agent: d\r\n\r\n")},
				{FromServer, []byte("HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\n")},
			},
			want: []Message{
				&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Host: "a, b", UserAgent: "c, d", Length: -1},
				&HTTPResponse{Status: 206, Version: "HTTP/1.1", ContentRange: "bytes 0-1/9", Length: 2},
			},
		},
		{
			name: "body until close holds no heads",
			in: []chunk{
				{FromClient, []byte(getBytes)},
				{FromServer, []byte("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")},
			},
			want: []Message{get, ok(-1)},
		},
		{
			name: "CONNECT granted",
			in: []chunk{
				{FromClient, []byte("CONNECT a:443 HTTP/1.1\r\n\r\n")},
				{FromServer, []byte("HTTP/1.1 200 Connection established\r\n\r\n")},
			},
			want: []Message{&HTTPRequest{Method: "CONNECT", Target: "a:443", Version: "HTTP/1.1", Length: -1}, ok(-1)},
			err:  ErrUpgrade,
		},
		{
			name: "CONNECT refused, then a plain request",
			in: []chunk{
				{FromClient, []byte("CONNECT a:443 HTTP/1.1\r\n\r\n")},
				{FromServer, []byte("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")},
				{FromClient, []byte(getBytes)},
			},
			want: []Message{
				&HTTPRequest{Method: "CONNECT", Target: "a:443", Version: "HTTP/1.1", Length: -1},
				&HTTPResponse{Status: 407, Version: "HTTP/1.1", Length: 0}, get,
			},
		},
		{
			name: "switch to WebSocket",
			in:   []chunk{{FromServer, []byte("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x00")}},
			want: []Message{&HTTPResponse{Status: 101, Version: "HTTP/1.1", Upgrade: "websocket", Length: -1}},
			err:  ErrUpgrade,
		},
		{
			name: "WebDAV method, absolute target, odd version, blank in the target",
			in:   []chunk{{FromClient, []byte("VERSION-CONTROL http://a/ HTTP/1.1\n\nGET /a b HTTP/1.0.8\n\n")}},
			want: []Message{
				&HTTPRequest{Method: "VERSION-CONTROL", Target: "http://a/", Version: "HTTP/1.1", Length: -1},
				&HTTPRequest{Method: "GET", Target: "/a b", Version: "HTTP/1.0.8", Length: -1},
			},
		},
		{
			name: "two lengths: nothing after can be trusted",
			in:   []chunk{{FromClient, []byte("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + getBytes)}},
			want: []Message{&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Length: 2}},
		},
		{
			name: "one length twice, as proxies join it, and in two fields",
			in: []chunk{{FromClient, []byte("GET / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabcGET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc" +
				"GET / HTTP/1.1\r\nContent-Length: 3, 4\r\n\r\n" + getBytes)}},
			want: []Message{
				&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Length: 3},
				&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Length: 3},
				&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Length: -1},
			},
		},
		{
			name: "fields of a response that are sent twice",
			in:   []chunk{{FromServer, []byte("HTTP/1.1 302 Found\r\nLocation: /1\r\nLocation: /2\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 0\r\n\r\n")}},
			want: []Message{&HTTPResponse{Status: 302, Version: "HTTP/1.1", Location: "/1, /2", ContentType: "a/b, c/d", Length: 0}},
		},
		{
			name: "secret without a scheme",
			in:   []chunk{{FromClient, []byte("GET / HTTP/1.1\r\nAuthorization: hunter2\r\n\r\n")}},
			want: []Message{&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Length: -1}},
		},
		{
			name: "chunk size that is no number", in: []chunk{{FromServer, []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")}},
			want: []Message{ok(-1)}, err: ErrMalformed,
		},
		{
			name: "chunk size of 2^64", in: []chunk{{FromServer, []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n")}},
			want: []Message{ok(-1)}, err: ErrMalformed,
		},
		{name: "RTSP", in: []chunk{{FromClient, []byte("OPTIONS rtsp://a/ RTSP/1.0\r\n\r\n")}}, err: ErrNotMine},
		{name: "SIP", in: []chunk{{FromClient, []byte("INVITE sip:a@b SIP/2.0\r\n\r\n")}}, err: ErrNotMine},
		{name: "binary after a request", in: []chunk{{FromClient, []byte(getBytes + "\x00\x01")}}, want: []Message{get}, err: ErrNotMine},
		{name: "endless head", in: []chunk{{FromClient, []byte("GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 8<<10))}}, err: ErrMalformed},
	}
	for _, tt := range tests {
		for _, step := range []int{0, 1, 5} {
			t.Run(fmt.Sprintf("%s/step %d", tt.name, step), func(t *testing.T) {
				got, err := play(t, newHTTPStream(), tt.in, step)
				if !errors.Is(err, tt.err) {
					t.Errorf("got error %v, want %v", err, tt.err)
				}
				if diff := cmp.Diff(tt.want, got, anyWaiting); diff != "" {
					t.Errorf("messages differ (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestHTTPSkip: a reader that passes over bodies finds the same heads.
func TestHTTPSkip(t *testing.T) {
	s := newHTTPStream()
	skip := func(dir Dir, in string, wantMsgs int, want int64) {
		t.Helper()
		n, msgs, err := s.Feed(dir, []byte(in), nil)
		if n != len(in) || err != nil || len(msgs) != wantMsgs {
			t.Fatalf("%.20q: consumed %d of %d, %d messages, %v", in, n, len(in), len(msgs), err)
		}
		if got := s.(Skipper).Skip(dir); got != want {
			t.Errorf("after %.20q: got %d to skip, want %d", in, got, want)
		}
	}
	skip(FromClient, "GET / HTTP/1.1\r\n\r\n", 1, 0)
	skip(FromServer, "HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\nabc", 1, 5000000000-3)
	skip(FromServer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc", 1, 255-3)
	skip(FromServer, "\r\n10\r\n", 0, 16)
	skip(FromServer, "\r\n0\r\n\r\n", 1, 0)
	skip(FromServer, "HTTP/1.1 200 OK\r\n\r\nabc", 1, math.MaxInt64-3)
}

// TestHTTPBodyLength: of a body that ends with its connection, what came of it.
func TestHTTPBodyLength(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		passed   int64 // over, of what Skip asked for
		want     []Message
	}{
		{"until close", "HTTP/1.1 200 OK\r\n\r\nabc", 4000, []Message{&HTTPBody{Length: 4003}}},
		{"nothing until close", "HTTP/1.1 200 OK\r\n\r\n", 0, []Message{&HTTPBody{Length: 0}}},
		{"within a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc", 7, nil},
		{"announced, its request not seen", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 2, []Message{&HTTPBody{Length: 5}}},
		{"announced and never begun, its request not seen", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 0, nil},
		{"lengths that contradict each other", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\nabc", 2, nil},
	} {
		s := &httpStream{}
		if n, msgs, err := s.Feed(FromServer, []byte(tt.in), nil); n != len(tt.in) || len(msgs) != 1 || err != nil {
			t.Fatalf("%s: consumed %d, %d messages, %v", tt.name, n, len(msgs), err)
		}
		if left := s.Skip(FromServer) - tt.passed; left > 0 {
			s.Unskip(FromServer, left)
		}
		if diff := cmp.Diff(tt.want, s.Flush(FromServer, nil, nil)); diff != "" {
			t.Errorf("%s: differs (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestHTTPUnasked: the request was not seen, so that a body which is announced
// need not come: it may have been HEAD.
func TestHTTPUnasked(t *testing.T) {
	ok := func(length int64) *HTTPResponse {
		return &HTTPResponse{Status: 200, Version: "HTTP/1.1", Length: length}
	}
	const (
		head    = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
		chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	)
	for _, tt := range []struct {
		name, in string
		want     []Message
	}{
		{"to a HEAD, then to a GET", head + head + "abc", []Message{ok(3), ok(3), &HTTPBody{Length: 3}}},
		{"to a HEAD of what comes in chunks", chunked + head + "abc", []Message{ok(-1), ok(3), &HTTPBody{Length: 3}}},
		{"to two GETs", head + "abc" + head + "HTM", []Message{ok(3), &HTTPBody{Length: 3}, ok(3), &HTTPBody{Length: 3}}},
	} {
		for _, size := range []int{0, 1} {
			s := &httpStream{}
			got, err := play(t, s, []chunk{{FromServer, []byte(tt.in)}}, size)
			if diff := cmp.Diff(tt.want, got, anyWaiting); diff != "" || err != nil {
				t.Errorf("%s, in pieces of %d: %v, differs (-want +got):\n%s", tt.name, size, err, diff)
			}
		}
	}
}

func TestHTTPFlush(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []Message
	}{
		{
			"GET /a HTTP/1.1\r\nHost: b\r\nUser-Agent: cut of",
			[]Message{&HTTPRequest{Method: "GET", Target: "/a", Version: "HTTP/1.1", Host: "b", Length: -1, Truncated: true}},
		},
		{
			"HTTP/1.1 500 Oh\r\nServer: x\r\nA: b",
			[]Message{&HTTPResponse{Status: 500, Version: "HTTP/1.1", Server: "x", Length: -1, Truncated: true}},
		},
		{"GET /a HTT", nil},
		{"", nil},
	} {
		s := newHTTPStream()
		n, _, err := s.Feed(FromClient, []byte(tt.in), nil)
		if n != 0 || err != nil {
			t.Fatalf("%q: consumed %d, %v", tt.in, n, err)
		}
		got := s.(Flusher).Flush(FromClient, []byte(tt.in), nil)
		if diff := cmp.Diff(tt.want, got, anyWaiting); diff != "" {
			t.Errorf("%q: differs (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestSniffHTTP(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Match
	}{
		{"", Maybe},
		{"G", Maybe},
		{"GET", Maybe},
		{"GET ", Maybe},
		{"GET /" + strings.Repeat("x", 3000), Maybe},
		{"GET / HTTP/1.1\r\n", Yes},
		{"M-SEARCH * HTTP/1.1\r\n", Yes},
		{"HTTP/1.", Maybe},
		{"HTTP/1.1 200", Yes},
		{"HTTP/1.1 2x", No},
		{"HTTP/2", No},
		{"PRI * HTTP/2.0\r\n", Maybe}, // the preface of HTTP/2 goes on
		{"\r\n\r\nGET / HTTP/1.1\r\n", Yes},
		{"\r\n\r", Maybe},
		{strings.Repeat("\r\n", 9), No},
		{"PRI * HTTP/2.0\r\n\r\nXY", No},
		{"PRI * HTTP/2", Maybe},
		{"SSH-2.0-OpenSSH_9.6 Debian\r\n", No},
		{"EHLO mail.example\r\n", No},
		{"USER a\r\n", No},
		{"GET \x01", No},
		{"\x16\x03\x01", No},
		{" GET /", No},
		{strings.Repeat("A", 25), No},
		{"OPTIONS rtsp://a RTSP/1", Maybe},
		{"OPTIONS rtsp://a RTSP/1.0\r\n", No},
		{"GET /old\r\n", Yes}, // HTTP/0.9
		{"GET /old", Maybe},
		{"GET /a b\r\n", No},
		{"GET old\r\n", No},
		{"POST /old\r\n", No},
		{"GET /\x01\r\n", No},
		{"\r", Maybe},
		{"\r\n", Maybe},
		{"\r\nGE", Maybe},
		{"\r\nGET / HTTP/1.1\r\n", Yes},
		{"\rG", No},
		{"\r\n220 ready\r\n", No},
	} {
		if got := sniffAnyHTTP(FromClient, []byte(tt.in)); got != tt.want {
			t.Errorf("%.40q: got %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestHTTPQueue(t *testing.T) {
	var q httpQueue
	for range 3 {
		for i := range maxHTTPQueue + 9 { // what does not fit is forgotten
			q.push([]httpKind{kindPlain, kindHead, kindConnect}[i%3])
		}
		var got []httpKind
		for range maxHTTPQueue {
			got = append(got, q.pop())
		}
		if !slices.Equal(got[:4], []httpKind{kindPlain, kindHead, kindConnect, kindPlain}) {
			t.Errorf("got %v", got[:4])
		}
		if k := q.pop(); k != kindPlain || q.count != 0 {
			t.Errorf("empty queue: got %v, count %d", k, q.count)
		}
	}
}
