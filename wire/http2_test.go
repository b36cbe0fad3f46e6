package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"
)

// recordingConn records what passes over a connection.
type recordingConn struct {
	net.Conn
	mu  *sync.Mutex
	log *[]chunk
}

func (c recordingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.note(FromServer, b[:n])
	return n, err
}

func (c recordingConn) Write(b []byte) (int, error) {
	c.note(FromClient, b)
	return c.Conn.Write(b)
}

func (c recordingConn) note(dir Dir, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(b) > 0 {
		*c.log = append(*c.log, chunk{dir, bytes.Clone(b)})
	}
}

// pipeListener hands out one end of a pipe.
type pipeListener struct {
	conns chan net.Conn
	once  *sync.Once
}

func (l pipeListener) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l pipeListener) Close() error {
	l.once.Do(func() { close(l.conns) })
	return nil
}

func (pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// http2Session lets Go's own client and server speak HTTP/2 in clear, and
// returns what crossed.
func http2Session(tb testing.TB, requests ...*http.Request) []chunk {
	tb.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "camera/2")
		w.Header().Set("Content-Type", "text/plain")
		if _, password, ok := r.BasicAuth(); ok && password != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 20000)) // more than a frame
	})}
	var mu sync.Mutex
	var log []chunk
	listener := pipeListener{make(chan net.Conn, 1), new(sync.Once)}
	transport := &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
		c, s := net.Pipe()
		listener.conns <- s
		return recordingConn{c, &mu, &log}, nil
	}}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(listener) })
	for _, r := range requests {
		answer, err := transport.RoundTrip(r)
		if err != nil {
			tb.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	transport.CloseIdleConnections()
	server.Close()
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	return log
}

func TestHTTP2Session(t *testing.T) {
	plain, err := http.NewRequest(http.MethodGet, "http://cam.example:8080/state?id=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	plain.Header.Set("User-Agent", "app/1.0")
	login := plain.Clone(t.Context())
	login.Method = http.MethodDelete
	login.SetBasicAuth("eve", "wrong")
	right := plain.Clone(t.Context())
	right.SetBasicAuth("eve", "right")
	chunks := http2Session(t, plain, login, right)
	want := []Message{
		&HTTPRequest{Method: "GET", Target: "/state?id=1", Version: "HTTP/2", Stream: 1, Host: "cam.example:8080", UserAgent: "app/1.0", Length: -1},
		&HTTPResponse{Status: 200, Version: "HTTP/2", Stream: 1, Server: "camera/2", ContentType: "text/plain", Length: -1},
		&HTTPRequest{Method: "DELETE", Target: "/state?id=1", Version: "HTTP/2", Stream: 3, Host: "cam.example:8080", UserAgent: "app/1.0", AuthScheme: "Basic", Length: -1},
		&HTTPResponse{Status: 401, Version: "HTTP/2", Stream: 3, Server: "camera/2", ContentType: "text/plain", Length: 0},
		&Login{Service: "http", User: "eve", Mechanism: "Basic", Outcome: Failed, Clear: true},
		&HTTPRequest{Method: "GET", Target: "/state?id=1", Version: "HTTP/2", Stream: 5, Host: "cam.example:8080", UserAgent: "app/1.0", AuthScheme: "Basic", Length: -1},
		&HTTPResponse{Status: 200, Version: "HTTP/2", Stream: 5, Server: "camera/2", ContentType: "text/plain", Length: -1},
		&Login{Service: "http", User: "eve", Mechanism: "Basic", Outcome: Succeeded, Clear: true},
	}
	for _, step := range []int{0, 1, 7} {
		msgs, err := play(t, newHTTPStream(), chunks, step)
		if err != nil {
			t.Errorf("step %d: %v", step, err)
		}
		if diff := cmp.Diff(want, msgs, anyWaiting); diff != "" {
			t.Errorf("step %d: messages differ (-want +got):\n%s", step, diff)
		}
	}
}

// h2Frame is a frame of HTTP/2.
func h2Frame(kind, flags, stream int, payload ...any) []byte {
	b := join(payload...)
	return join(len(b)>>16, len(b)>>8, len(b), kind, flags, 0, 0, 0, stream, b)
}

// h2Block encodes fields, names and values in turn.
func h2Block(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // a buffer does not fail
	}
	return b.Bytes()
}

func TestHTTP2Frames(t *testing.T) {
	get := h2Block(":method", "GET", ":path", "/", ":authority", "a")
	half := len(get) / 2
	settings := h2Frame(4, 0, 0)
	request := &HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/2", Stream: 1, Host: "a", Length: -1}
	long := strings.Repeat("x", 3000)
	for _, tt := range []struct {
		name string
		in   []byte
		want []Message
		err  error
	}{
		{"headers", h2Frame(1, 4, 1, get), []Message{request}, nil},
		{"padding and priority", h2Frame(1, 4|8|0x20, 1, 3, 0, 0, 0, 0, 16, get, 0, 0, 0), []Message{request}, nil},
		{"continued", join(h2Frame(1, 0, 1, get[:half]), h2Frame(9, 4, 1, get[half:])), []Message{request}, nil},
		{"behind data", join(h2Frame(0, 0, 3, long), h2Frame(1, 4, 1, get)), []Message{request}, nil},
		{"host instead of authority", h2Frame(1, 4, 1, h2Block(":method", "GET", ":path", "/", "host", "a")), []Message{request}, nil},
		{"trailers", h2Frame(1, 5, 1, h2Block("grpc-status", "0")), nil, nil},
		{"interim response", h2Frame(1, 4, 1, h2Block(":status", "103")), []Message{&HTTPResponse{Status: 103, Version: "HTTP/2", Stream: 1, Length: -1}}, nil},
		{"an endless target", h2Frame(1, 4, 1, h2Block(":method", "GET", ":path", long)), []Message{&HTTPRequest{Method: "GET", Target: long[:maxHTTPTarget], Version: "HTTP/2", Stream: 1, Length: -1}}, nil},
		{"another frame within a block", join(h2Frame(1, 0, 1, get[:half]), settings), nil, ErrMalformed},
		{"a continuation of nothing", h2Frame(9, 4, 1, get), nil, ErrMalformed},
		{"an empty beginning", h2Frame(1, 0, 1), nil, ErrMalformed},
		{"more padding than frame", h2Frame(1, 4|8, 1, 99, get), nil, ErrMalformed},
		{"headers of no stream", h2Frame(1, 4, 0, get), nil, ErrMalformed},
		{"an index that does not exist", h2Frame(1, 4, 1, 0xff, 0xff, 0xff, 0xff, 0x0f), nil, ErrMalformed},
		{"a frame of 16 MB", join(255, 255, 255, 0, 0, 0, 0, 0, 1), nil, ErrMalformed},
	} {
		for _, step := range []int{0, 1} {
			msgs, err := play(t, newHTTPStream(), []chunk{{FromClient, join(http2Preface, settings, tt.in)}}, step)
			if !errors.Is(err, tt.err) {
				t.Errorf("%s, step %d: got error %v, want %v", tt.name, step, err, tt.err)
			}
			if diff := cmp.Diff(tt.want, msgs, anyWaiting); diff != "" {
				t.Errorf("%s, step %d: messages differ (-want +got):\n%s", tt.name, step, diff)
			}
		}
	}
	if _, err := play(t, newHTTPStream(), []chunk{{FromServer, h2Frame(1, 4, 1, get)}}, 0); !errors.Is(err, ErrNotMine) {
		t.Errorf("without a preface: got %v", err)
	}
}

// TestHTTP2ServerFirst: a server need not wait for the preface, and a client
// must have one (RFC 9113 section 3.4).
func TestHTTP2ServerFirst(t *testing.T) {
	// SETTINGS_MAX_CONCURRENT_STREAMS = 100, as nghttpd says it at once.
	settings := h2Frame(4, 0, 0, 0, 3, 0, 0, 0, 100)
	get := h2Frame(1, 5, 13, h2Block(":method", "GET", ":path", "/index.html", ":authority", "a"))
	ok := h2Frame(1, 4, 13, h2Block(":status", "200", "content-length", "19"))
	want := []Message{
		&HTTPRequest{Method: "GET", Target: "/index.html", Version: "HTTP/2", Stream: 13, Host: "a", Length: -1},
		&HTTPResponse{Status: 200, Version: "HTTP/2", Stream: 13, Length: 19},
	}
	for _, first := range [][]byte{settings, h2Frame(4, 0, 0)} {
		chunks := []chunk{{FromServer, first}, {FromClient, join(http2Preface, h2Frame(4, 0, 0), get)}, {FromServer, ok}}
		for _, step := range []int{0, 1, 10} {
			msgs, err := play(t, newHTTPStream(), chunks, step)
			if err != nil {
				t.Errorf("step %d: %v", step, err)
			}
			if diff := cmp.Diff(want, msgs, anyWaiting); diff != "" {
				t.Errorf("step %d: messages differ (-want +got):\n%s", step, diff)
			}
			if len(msgs) > 0 && msgs[0].Protocol() != "http2" {
				t.Errorf("protocol %s", msgs[0].Protocol())
			}
		}
	}
	// A client that would rather upgrade is not understood, and asks all the same.
	old := []chunk{{FromServer, settings}, {FromClient, []byte("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n")}, {FromServer, settings}}
	msgs, err := play(t, newHTTPStream(), old, 0)
	if diff := cmp.Diff([]Message{&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/1.1", Upgrade: "h2c", Length: -1}}, msgs); diff != "" || err != nil {
		t.Errorf("a client of HTTP/1: %v, messages differ (-want +got):\n%s", err, diff)
	}
	if _, err := play(t, newHTTPStream(), []chunk{{FromServer, settings}, {FromClient, get}}, 0); !errors.Is(err, ErrNotMine) {
		t.Errorf("a client without preface: got %v", err)
	}
	for _, tt := range []struct {
		name string
		in   []byte
		want Match
	}{
		{"settings", settings, Yes},
		{"no settings", h2Frame(4, 0, 0), Maybe},
		{"first bytes", settings[:10], Maybe},
		{"acknowledgement", h2Frame(4, 1, 0), No},
		{"of a stream", h2Frame(4, 0, 1, 0, 3, 0, 0, 0, 100), No},
		{"of seven bytes", h2Frame(4, 0, 0, 0, 3, 0, 0, 0, 100, 0), No},
		{"an identifier that is not in use", h2Frame(4, 0, 0, 0, 77, 0, 0, 0, 1), No},
		{"data", h2Frame(0, 0, 1, "abc"), No},
	} {
		if got := sniffAnyHTTP(FromServer, tt.in); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := sniffAnyHTTP(FromClient, settings); got != No {
		t.Errorf("settings of a client: got %v", got)
	}
}

// TestHTTP2LongBlock: headers of more than is kept of a connection, in frames
// as long as they may be by default.
func TestHTTP2LongBlock(t *testing.T) {
	const most = 16 << 10
	block := h2Block(":method", "GET", ":path", "/", "x-long", strings.Repeat("\x01", 20000), ":authority", "a")
	if len(block) < most+100 {
		t.Fatalf("a block of %d bytes", len(block))
	}
	in := join(http2Preface, h2Frame(1, 0, 1, block[:most]), h2Frame(9, 4, 1, block[most:]))
	want := []Message{&HTTPRequest{Method: "GET", Target: "/", Version: "HTTP/2", Stream: 1, Host: "a", Length: -1}}
	for _, step := range []int{0, 1448} {
		s := newHTTPStream()
		msgs, err := play(t, s, []chunk{{FromClient, in}}, step)
		if err != nil {
			t.Errorf("step %d: %v", step, err)
		}
		if diff := cmp.Diff(want, msgs, anyWaiting); diff != "" {
			t.Errorf("step %d: messages differ (-want +got):\n%s", step, diff)
		}
	}
}

// TestHTTP2Bounded: a block that never ends is given up.
func TestHTTP2Bounded(t *testing.T) {
	s := &http2Stream{}
	_, _, err := s.Feed(FromClient, []byte(http2Preface), nil)
	part := h2Frame(1, 0, 1, make([]byte, 16<<10))
	for n := 0; err == nil && n < 100; n++ {
		_, _, err = s.Feed(FromClient, part, nil)
		part = h2Frame(9, 0, 1, make([]byte, 16<<10))
	}
	if !errors.Is(err, ErrMalformed) || s.Retained() > 4*maxHTTP2Block {
		t.Errorf("%d bytes kept, %v", s.Retained(), err)
	}
}

func FuzzHTTP2(f *testing.F) {
	get := h2Block(":method", "GET", ":path", "/", "authorization", "Basic YTpi")
	f.Add(join(255, http2Preface, h2Frame(4, 0, 0), h2Frame(1, 4, 1, get), h2Frame(1, 4, 3, get)))
	f.Add(join(3, http2Preface, h2Frame(1, 4, 1, h2Block(":status", "200"))))
	f.Add(join(40, h2Frame(4, 0, 0, 0, 3, 0, 0, 0, 100), http2Preface, h2Frame(1, 4, 1, get)))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newHTTPStream, b) })
}

// BenchmarkHTTP2Request is one header block of a connection under way.
func BenchmarkHTTP2Request(b *testing.B) {
	s := &http2Stream{}
	if _, _, err := s.Feed(FromClient, []byte(http2Preface), nil); err != nil {
		b.Fatal(err)
	}
	in := h2Frame(1, 4, 1, h2Block(":method", "GET", ":path", "/api/v1/state?id=42", ":authority", "cloud.example", "user-agent", "Thing/1.2"))
	b.ReportAllocs()
	for b.Loop() {
		if _, msgs, err := s.Feed(FromClient, in, nil); err != nil || len(msgs) != 1 {
			b.Fatal(msgs, err)
		}
	}
}
