package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

// beyond is the name by which tests ask a proxy for this machine. Nobody else
// can resolve it (RFC 6761, section 6.4).
const beyond = "gate.invalid"

// gateway is a proxy that knows what beyond is, and notes whom it was asked for.
type gateway struct {
	user  string // user:password that it asks for, "" for none
	mu    sync.Mutex
	asked []string
}

// dial connects to where beyond stands for, and to nobody else.
func (g *gateway) dial(ctx context.Context, address string) (net.Conn, error) {
	g.mu.Lock()
	g.asked = append(g.asked, address)
	g.mu.Unlock()
	host, port, err := net.SplitHostPort(address)
	if err != nil || host != beyond {
		return nil, fmt.Errorf("no way to %s", address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+port)
}

func (g *gateway) askedFor(address string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(g.asked, address)
}

// join copies between two connections until one ends.
func join(a, b net.Conn) {
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		wg.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		})
	}
	wg.Wait()
}

// ServeHTTP is a proxy over HTTP, which makes tunnels and passes requests on.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.user != "" {
		asker := http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
		if user, password, ok := asker.BasicAuth(); !ok || user+":"+password != g.user {
			w.Header().Set("Proxy-Authenticate", "Basic")
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
	}
	if r.Method != http.MethodConnect {
		forward := httputil.ReverseProxy{
			Rewrite: func(*httputil.ProxyRequest) {},
			Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return g.dial(ctx, address)
			}},
		}
		forward.ServeHTTP(w, r)
		return
	}
	target, err := g.dial(r.Context(), r.RequestURI)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	client, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	join(client, target)
}

// socks is a proxy that speaks SOCKS5 (RFC 1928, with passwords of RFC 1929)
// to one client.
func (g *gateway) socks(ctx context.Context, c net.Conn) {
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(c, b) // what is missing is 0, and wrong
		return b
	}
	methods := read(int(read(2)[1]))
	switch {
	case g.user == "":
		_, _ = c.Write([]byte{5, 0})
	case !slices.Contains(methods, 2):
		_, _ = c.Write([]byte{5, 0xff})
		return
	default:
		_, _ = c.Write([]byte{5, 2})
		user := read(int(read(2)[1]))
		if string(user)+":"+string(read(int(read(1)[0]))) != g.user {
			_, _ = c.Write([]byte{1, 1})
			return
		}
		_, _ = c.Write([]byte{1, 0})
	}
	var host string
	switch head := read(4); head[3] { // version, connect, reserved, kind of address
	case 1:
		host = netip.AddrFrom4([4]byte(read(4))).String()
	case 3:
		host = string(read(int(read(1)[0])))
	}
	port := read(2)
	target, err := g.dial(ctx, fmt.Sprintf("%s:%d", host, int(port[0])<<8|int(port[1])))
	if err != nil {
		_, _ = c.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0}) // not allowed by the rules
		return
	}
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	join(c, target)
}

// start runs the proxy for a scheme and returns its URL without a user.
func (g *gateway) start(t *testing.T, scheme string, ca *authority) *url.URL {
	t.Helper()
	if scheme == "socks5" {
		return &url.URL{Scheme: scheme, Host: misbehave(t, g.socks)}
	}
	server := httptest.NewUnstartedServer(g)
	server.EnableHTTP2 = false
	if scheme == "https" {
		server.TLS = ca.config(t, "proxy", false)
		server.TLS.NextProtos = []string{"http/1.1"}
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A case of a sink that reaches its server through a proxy.
type proxied struct {
	name  string
	start func(t *testing.T, ca *authority) (port string, got func() int) // a server, and how many notices it has
	sink  func(port, caFile string, proxy Secret) Config
}

func proxiedSinks() []proxied {
	httpServer := func(secure bool) func(*testing.T, *authority) (string, func() int) {
		return func(t *testing.T, ca *authority) (string, func() int) {
			in := &inbox{}
			server := httptest.NewUnstartedServer(in)
			if secure {
				server.TLS = ca.config(t, beyond, false)
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			_, port, err := net.SplitHostPort(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			return port, func() int { return len(in.bodies) }
		}
	}
	webhook := func(scheme string) func(port, caFile string, proxy Secret) Config {
		return func(port, caFile string, proxy Secret) Config {
			return &Webhook{URL: NewSecret(scheme + "://" + beyond + ":" + port + "/in"), Format: "json", TLS: TLS{CAFile: caFile}, Proxy: proxy}
		}
	}
	return []proxied{
		{"webhook", httpServer(false), webhook("http")},
		{"webhook over TLS", httpServer(true), webhook("https")},
		{"influxdb", httpServer(true), func(port, caFile string, proxy Secret) Config {
			c := influxAt("https://" + beyond + ":" + port)
			c.TLS.CAFile, c.Proxy = caFile, proxy
			return c
		}},
		{"email", func(t *testing.T, ca *authority) (string, func() int) {
			p := &post{}
			_, port, err := net.SplitHostPort(postOffice(t, p, "starttls", ca.config(t, beyond, false)))
			if err != nil {
				t.Fatal(err)
			}
			return port, func() int { return len(p.mails) }
		}, func(port, caFile string, proxy Secret) Config {
			c := emailTo(beyond+":"+port, "starttls")
			c.TLS.CAFile, c.Proxy = caFile, proxy
			return c
		}},
	}
}

// TestProxies: each sink arrives through each kind of proxy, which resolves the
// name of the server, and is told why it does not; no password is in that.
func TestProxies(t *testing.T) {
	ca := newAuthority(t)
	for _, sink := range proxiedSinks() {
		for _, scheme := range []string{"http", "https", "socks5"} {
			for _, user := range []string{"", "gate:proxy/secret"} {
				t.Run(fmt.Sprintf("%s %s %t", sink.name, scheme, user != ""), func(t *testing.T) {
					port, got := sink.start(t, ca)
					g := &gateway{user: user}
					at := g.start(t, scheme, ca)
					deliver := func(as *url.Userinfo, port string) error {
						at.User = as
						_, err := open(t, sink.sink(port, ca.caFile, NewSecret(at.String()))).Deliver(t.Context(), testNotices(t)[:1])
						if err != nil && (errors.Is(err, ErrRejected) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "proxy") && !strings.Contains(err.Error(), "502")) {
							t.Errorf("got %v", err)
						}
						return err
					}
					var right *url.Userinfo
					if name, password, ok := strings.Cut(user, ":"); ok {
						right = url.UserPassword(name, password)
						for _, wrong := range []*url.Userinfo{nil, url.UserPassword(name, "wrongsecret")} {
							if err := deliver(wrong, port); err == nil || got() > 0 {
								t.Errorf("as %v: %v", wrong, err)
							}
						}
					}
					if err := deliver(right, port); err != nil || got() != 1 || !g.askedFor(beyond+":"+port) {
						t.Errorf("%v; arrived %d, asked for %v", err, got(), g.asked)
					}
					if err := deliver(right, freePort(t)); err == nil {
						t.Error("to where nobody listens: no error")
					}
				})
			}
		}
	}
}

// A proxy whose certificate is of nobody we trust gets nothing to see.
func TestProxyIsRecognised(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	g := &gateway{}
	at := g.start(t, "https", other)
	c := &Webhook{URL: NewSecret("http://" + beyond + "/in"), Format: "json", Proxy: NewSecret(at.String()), TLS: TLS{CAFile: ca.caFile}}
	_, err := open(t, c).Deliver(t.Context(), testNotices(t)[:1])
	if unknown := (&tls.CertificateVerificationError{}); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "with the proxy") || len(g.asked) > 0 {
		t.Errorf("got %v", err)
	}
}

// What must not be talked to is not asked for by a proxy either, as far as it
// is written down.
func TestProxyGuard(t *testing.T) {
	in := &inbox{}
	server := httptest.NewServer(in)
	defer server.Close()
	g := &gateway{}
	at := NewSecret(g.start(t, "http", nil).String()) // of this machine itself, by its address: that is meant
	for _, target := range []string{"http://127.0.0.1/x", "http://localhost/x", "http://a.LOCALHOST./x", "http://[::1]/x", "http://169.254.169.254/x", "http://0.0.0.0/"} {
		c := &Webhook{URL: NewSecret(target), Format: "json", Proxy: at}
		var field *FieldError
		if _, err := c.Open(testOptions()); !errors.Is(err, errForbidden) || !errors.As(err, &field) || field.Key != "url" {
			t.Errorf("%s: %v", target, err)
		}
		c.AllowLoopback, c.AllowLinkLocal = true, true
		if _, err := c.Open(testOptions()); err != nil {
			t.Errorf("%s, allowed: %v", target, err)
		}
	}
	if len(g.asked) > 0 {
		t.Errorf("asked for %v", g.asked)
	}
	local, link := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("169.254.0.1")
	for _, tc := range []struct {
		proxy       string
		local, link bool // may be connected to
	}{
		{"127.0.0.1", true, false},
		{"::1", true, false},
		{"localhost", true, false},
		{"169.254.0.1", false, true},
		{"proxy.example.net", false, false}, // where it may resolve to either
		{"192.0.2.1", false, false},
	} {
		g := (&guard{}).allowing(tc.proxy)
		if (g.check(local) == nil) != tc.local || (g.check(link) == nil) != tc.link {
			t.Errorf("%s: %+v", tc.proxy, g)
		}
	}
}

func TestProxySettings(t *testing.T) {
	for _, tc := range []struct {
		proxy string
		ok    bool
	}{
		{"", true},
		{"http://proxy.example.net:3128", true},
		{"https://gate:secret@proxy.example.net", true},
		{"socks5://[2001:db8::1]:1080/", true},
		{"environment", true},
		{"proxy.example.net:3128", false},
		{"ftp://gate:secret@proxy.example.net", false},
		{"http://", false},
		{"http://gate:secret@proxy.example.net/path", false},
		{"http://gate:secret@proxy.example.net:port", false},
	} {
		for _, c := range []Config{
			&Webhook{URL: NewSecret("https://siem.example.net"), Format: "json", Proxy: NewSecret(tc.proxy)},
			func() Config { i := influxAt("https://influx.example.net"); i.Proxy = NewSecret(tc.proxy); return i }(),
			func() Config { e := emailTo("mail.example.net:25", "none"); e.Proxy = NewSecret(tc.proxy); return e }(),
		} {
			err := c.Validate()
			var field *FieldError
			if tc.ok != (err == nil) || err != nil && (!errors.As(err, &field) || field.Key != "proxy" || strings.Contains(err.Error(), "secret@")) {
				t.Errorf("%q: %v", tc.proxy, err)
			}
		}
	}
}

// The environment is not looked at unless it is asked for, and NO_PROXY counts
// then.
func TestProxyOfTheEnvironment(t *testing.T) {
	in := &inbox{}
	server := httptest.NewServer(in)
	defer server.Close()
	g := &gateway{}
	at := g.start(t, "http", nil)
	t.Setenv("HTTP_PROXY", at.String())
	t.Setenv("http_proxy", at.String())
	t.Setenv("NO_PROXY", "elsewhere.invalid")
	t.Setenv("no_proxy", "elsewhere.invalid")
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	deliver := func(host string, proxy string) error {
		c := &Webhook{URL: NewSecret("http://" + host + ":" + port), Format: "json", Proxy: NewSecret(proxy)}
		_, err := open(t, c).Deliver(t.Context(), testNotices(t)[:1])
		return err
	}
	var unresolved *net.DNSError
	if err := deliver(beyond, ""); !errors.As(err, &unresolved) {
		t.Errorf("not asked for: %v", err)
	}
	if err := deliver("elsewhere.invalid", fromEnvironment); !errors.As(err, &unresolved) {
		t.Errorf("NO_PROXY: %v", err)
	}
	if err := deliver(beyond, fromEnvironment); err != nil || len(in.bodies) != 1 {
		t.Errorf("asked for: %v", err)
	}
}

func TestProxyBadServers(t *testing.T) {
	for _, scheme := range []string{"http", "socks5"} {
		t.Run(scheme+" webhook", func(t *testing.T) {
			checkBadServers(t, func(addr string) Config {
				return &Webhook{URL: NewSecret("https://" + beyond), Format: "json", Proxy: NewSecret(scheme + "://" + addr)}
			})
		})
		t.Run(scheme+" email", func(t *testing.T) {
			checkBadServers(t, func(addr string) Config {
				c := emailTo(beyond+":587", "starttls")
				c.Proxy = NewSecret(scheme + "://" + addr)
				return c
			})
		})
	}
}

// tunnelOver asks a proxy that gives an answer whatever it is asked for.
func tunnelOver(ctx context.Context, answer io.Reader) (net.Conn, error) {
	ours, its := net.Pipe()
	go func() {
		_, _ = io.ReadFull(its, make([]byte, 4)) // "CONN"
		go func() { _, _ = io.Copy(io.Discard, its) }()
		_, _ = io.Copy(its, answer)
		_ = its.Close()
	}()
	d := &dialer{proxy: &url.URL{Scheme: "http", Host: "192.0.2.1"}}
	conn, err := d.tunnel(ctx, ours, "smtp.example.net:25")
	if err != nil {
		_ = ours.Close()
	}
	return conn, err
}

// What the server says first belongs to the tunnel, in one piece with the
// proxy's answer or not.
func TestTunnelOfAServerThatSpeaksFirst(t *testing.T) {
	const answer, greeting = "HTTP/1.0 200 OK\r\nVia: x\r\n\r\n", "220 smtp.example.net ESMTP\r\n"
	for name, r := range map[string]io.Reader{
		"at once":      strings.NewReader(answer + greeting),
		"byte by byte": iotest.OneByteReader(strings.NewReader(answer + greeting)),
	} {
		conn, err := tunnelOver(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := io.ReadAll(conn); err != nil || string(got) != greeting {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	// A head without end, and one that does not come.
	if _, err := tunnelOver(t.Context(), io.MultiReader(strings.NewReader(answer[:17]), neverEnding('x'))); err == nil {
		t.Error("a head without end: no error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	silent, write := io.Pipe()
	defer write.Close()
	if _, err := tunnelOver(ctx, silent); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
}

// neverEnding is one byte without end.
type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// Whatever a proxy answers, there is a tunnel or an error, and the error is
// about the proxy and not about a notice.
func FuzzProxyAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\n\r\n220 hello\r\n", "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 403\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", "HTTP/1.1 100 Continue\r\n\r\n", "220 smtp ESMTP\r\n", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		conn, err := tunnelOver(t.Context(), strings.NewReader(string(answer)))
		if err != nil {
			if errors.Is(err, ErrRejected) {
				t.Errorf("%q: %v", answer, err)
			}
			return
		}
		rest, err := io.ReadAll(conn)
		if err != nil || !strings.HasSuffix(string(answer), string(rest)) {
			t.Errorf("%q: the tunnel holds %q, %v", answer, rest, err)
		}
	})
}
