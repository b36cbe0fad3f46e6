package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"
)

// fromEnvironment as a proxy stands for what HTTPS_PROXY, HTTP_PROXY and
// NO_PROXY say when the program starts; without it they are not looked at.
const fromEnvironment = "environment"

// proxyPorts are where proxies are if no port is given.
var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080"}

// errProxy says what a proxy can be. The text that was given may hold a secret.
var errProxy = errors.New("has to be http://, https:// or socks5:// with a host, user:password@ before it if need be, and nothing behind it; or environment")

// parseProxy reads the setting proxy, the way out of a network that has one;
// nil for none. The target matters to what the environment says.
func parseProxy(setting Secret, target *url.URL) (*url.URL, error) {
	text := setting.Reveal()
	switch text {
	case "":
		return nil, nil //nolint:nilnil // none is no error
	case fromEnvironment:
		u, err := httpproxy.FromEnvironment().ProxyFunc()(target)
		if err != nil || u == nil {
			return nil, err
		}
		text = u.String()
	}
	u, err := url.Parse(text)
	if err != nil || proxyPorts[u.Scheme] == "" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errProxy
	}
	return u, nil
}

// dialer makes the connections of a sink, through a proxy if it has one.
type dialer struct {
	direct net.Dialer
	proxy  *url.URL    // nil for none
	tls    *tls.Config // of a proxy that is reached over TLS
}

// newDialer returns a dialer to a target, whose scheme is https where what is
// sent to it is encrypted. The guard holds for what it connects to itself.
func newDialer(setting Secret, target *url.URL, g *guard, settings *TLS) (*dialer, error) {
	d := &dialer{direct: net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}}
	u, err := parseProxy(setting, target)
	if err != nil {
		return nil, &FieldError{"proxy", err}
	}
	if g != nil {
		d.direct.Control = g.control
	}
	if u == nil {
		return d, nil
	}
	d.proxy = u
	if g != nil {
		// Whom a name leads to is for the proxy to find out, and to refuse. What
		// is written down we refuse as ever.
		if err := g.checkHost(target.Hostname()); err != nil {
			return nil, &FieldError{"url", err}
		}
		d.direct.Control = g.allowing(u.Hostname()).control
	}
	if u.Scheme == "https" {
		if d.tls, err = proxyTLS(u.Hostname(), settings.CAFile); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// proxyTLS is how a proxy is recognised: by its name, and an authority that is
// public or that of the sink. Our certificate is not for it.
func proxyTLS(name, caFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if caFile == "" {
		return c, nil
	}
	var err error
	if c.RootCAs, err = x509.SystemCertPool(); err != nil {
		c.RootCAs = x509.NewCertPool()
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, &FieldError{"tls.ca_file", err}
	}
	c.RootCAs.AppendCertsFromPEM(pem)
	return c, nil
}

// secrets are what errors must not repeat.
func (d *dialer) secrets() []Secret {
	if d.proxy == nil || d.proxy.User == nil {
		return nil
	}
	password, _ := d.proxy.User.Password()
	return []Secret{{password}, {url.QueryEscape(password)}, {d.basic()}}
}

// basic is what a proxy over HTTP is told of who we are, "" for nothing.
func (d *dialer) basic() string {
	if d.proxy.User == nil {
		return ""
	}
	password, _ := d.proxy.User.Password()
	return base64.StdEncoding.EncodeToString([]byte(d.proxy.User.Username() + ":" + password))
}

// DialContext connects to an address of a target.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.proxy == nil {
		return d.direct.DialContext(ctx, network, address)
	}
	if d.proxy.Scheme == "socks5" {
		var auth *proxy.Auth
		if u := d.proxy.User; u != nil {
			password, _ := u.Password()
			auth = &proxy.Auth{User: u.Username(), Password: password}
		}
		s, err := proxy.SOCKS5("tcp", d.proxyAddress(), auth, &d.direct)
		if err != nil {
			return nil, err
		}
		conn, err := s.(proxy.ContextDialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, d.through(err)
		}
		return conn, nil
	}
	conn, err := d.dialProxy(ctx)
	if err != nil {
		return nil, err
	}
	tunnel, err := d.tunnel(ctx, conn, address)
	if err != nil {
		_ = conn.Close() // why it is of no use says more
		return nil, d.through(err)
	}
	return tunnel, nil
}

func (d *dialer) proxyAddress() string {
	port := d.proxy.Port()
	if port == "" {
		port = proxyPorts[d.proxy.Scheme]
	}
	return net.JoinHostPort(d.proxy.Hostname(), port)
}

// useBy lets an HTTP client go through the proxy in its own way: what is not
// encrypted is handed to the proxy, for which it need not make a tunnel.
func (d *dialer) useBy(t *http.Transport) {
	t.DialContext = d.DialContext
	if d.proxy == nil || d.proxy.Scheme == "socks5" {
		return
	}
	plain := *d.proxy
	plain.Scheme = "http" // dialProxy sees to TLS, and by which name
	t.Proxy = http.ProxyURL(&plain)
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dialProxy(ctx) }
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		return d.through(proxyAnswered(resp))
	}
}

// through says that the proxy is to blame.
func (d *dialer) through(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("through the proxy %s: %w", d.proxyAddress(), err)
}

// dialProxy connects to a proxy that speaks HTTP.
func (d *dialer) dialProxy(ctx context.Context) (net.Conn, error) {
	conn, err := d.direct.DialContext(ctx, "tcp", d.proxyAddress())
	if err != nil {
		return nil, fmt.Errorf("connect to the proxy: %w", err)
	}
	if d.tls == nil {
		return conn, nil
	}
	t := tls.Client(conn, d.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says more
		return nil, fmt.Errorf("agree on TLS with the proxy %s: %w", d.proxyAddress(), err)
	}
	return t, nil
}

// maxProxyAnswer bounds the head of a proxy's answer, in bytes.
const maxProxyAnswer = 16 << 10

// tunnel asks a proxy to connect to an address (RFC 9110, section 9.3.6).
func (d *dialer) tunnel(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if basic := d.basic(); basic != "" {
		req.Header.Set("Proxy-Authorization", "Basic "+basic)
	}
	if err := req.Write(conn); err != nil {
		return nil, orEnd(ctx, err)
	}
	head := &io.LimitedReader{R: conn, N: maxProxyAnswer}
	r := bufio.NewReader(head)
	resp, err := http.ReadResponse(r, req) //nolint:bodyclose // its body is the tunnel
	if err != nil {
		return nil, orEnd(ctx, fmt.Errorf("read its answer: %w", err))
	}
	if err := proxyAnswered(resp); err != nil {
		return nil, err
	}
	if !stop() {
		return nil, ctx.Err()
	}
	// The target may have spoken first, and been read along.
	early, err := r.Peek(r.Buffered())
	if err != nil {
		return nil, err
	}
	return &tunnelled{conn, io.MultiReader(strings.NewReader(string(early)), conn)}, nil
}

// orEnd prefers the end of time to what it has caused.
func orEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// proxyAnswered turns what a proxy says of a tunnel into an error, nil for 2xx.
// That is its condition and not that of a notice, whatever the number.
func proxyAnswered(resp *http.Response) error {
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode == http.StatusProxyAuthRequired:
		return errors.New("it answered 407: it does not know us; put user and password into proxy, as in http://user:password@proxy.example.net:3128")
	}
	return fmt.Errorf("it answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
}

// tunnelled is a connection of which the beginning has been read.
type tunnelled struct {
	net.Conn
	r io.Reader
}

func (t *tunnelled) Read(p []byte) (int, error) { return t.r.Read(p) }

// allowing is the guard for connections to a proxy. One that is written down as
// an address, or as localhost, is meant; a name must not lead there by itself.
func (g *guard) allowing(proxy string) *guard {
	out := *g
	if a, err := netip.ParseAddr(proxy); err == nil {
		out.loopback = out.loopback || a.IsLoopback()
		out.linkLocal = out.linkLocal || a.IsLinkLocalUnicast()
	}
	out.loopback = out.loopback || isLocalhost(proxy)
	return &out
}

// checkHost judges a host as far as it can be judged before a name is resolved.
func (g *guard) checkHost(host string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		return g.check(a)
	}
	if isLocalhost(host) {
		return g.check(netip.IPv6Loopback())
	}
	return nil
}

// isLocalhost reports whether a name is that of this machine (RFC 6761,
// section 6.3).
func isLocalhost(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
