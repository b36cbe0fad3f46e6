package notify

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// maxAnswer is how much of an answer is read, in bytes: enough for a reason.
const maxAnswer = 64 << 10

// newHTTPClient returns a client for one sink. It follows a redirect only to
// the same place and with the same request.
func newHTTPClient(settings *TLS, d *dialer) (*http.Client, error) {
	config, err := settings.client()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           2,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // an answer is short, or a trap
	}
	d.useBy(transport)
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			first := via[0]
			if len(via) > 3 || req.Method != first.Method || req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host {
				return http.ErrUseLastResponse // becomes an error with a reason, see answered
			}
			return nil
		},
	}, nil
}

// checkURL reads the address of an HTTP service.
func checkURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, errors.New("is required: where to send to, such as https://siem.example.net/in")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// The text of the error would show the address, which may be a secret.
		return nil, errors.New("is no address: want one such as https://siem.example.net/in")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("has to begin with https:// or http://")
	case u.Hostname() == "":
		return nil, errors.New("names no host")
	case u.User != nil:
		return nil, errors.New("must not hold a user or password: there are keys for them")
	}
	return u, nil
}

// answered turns what a server has answered into an error, nil for 2xx. The
// first body bytes are the reason that it gives.
func answered(resp *http.Response, body []byte, now time.Time) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err := fmt.Errorf("answered %d %s%s", resp.StatusCode, http.StatusText(resp.StatusCode), reason(body))
	switch resp.StatusCode {
	case http.StatusProxyAuthRequired:
		return fmt.Errorf("through the proxy: %w", proxyAnswered(resp))
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return Rejected(err)
	}
	if resp.StatusCode/100 == 3 {
		to := "nowhere"
		if u, locErr := resp.Location(); locErr == nil {
			to = u.Scheme + "://" + u.Host
		}
		return fmt.Errorf("answered %d, a redirect to %s, which is not followed: set url to where it leads if that is meant", resp.StatusCode, to)
	}
	return RetryAfter(resp.Header, now, err)
}

// reason is the beginning of an answer as part of an error.
func reason(body []byte) string {
	const shown = 200
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "")), " ")
	if text == "" {
		return ""
	}
	if len(text) > shown {
		text = strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return ": " + text
}

// readAnswer reads the beginning of an answer and leaves the connection fit
// for the next request if that was all.
func readAnswer(resp *http.Response) ([]byte, error) {
	return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
}

// withoutURL takes the address, which may be a secret, out of an error of
// net/http.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// errForbidden says that an address is not to be talked to.
var errForbidden = errors.New("not allowed")

// guard keeps a sink from addresses that belong to this machine or its link,
// where services trust whoever reaches them (RFC 6890; 169.254.169.254 hands
// out credentials in clouds). It looks at the address of the connection itself:
// a name may resolve to another one each time it is asked for.
type guard struct{ loopback, linkLocal bool }

func (g guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, errForbidden)
	}
	return g.check(at.Addr())
}

// nat64 is the well-known prefix that holds an IPv4 address in its last four
// bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func (g guard) check(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case a.IsLoopback(), a.IsUnspecified(), a.Is4() && a.As4()[0] == 0:
		if !g.loopback {
			return fmt.Errorf("connect to %s, which is this machine: %w: set allow_loopback if that is meant", a, errForbidden)
		}
	case a.IsLinkLocalUnicast():
		if !g.linkLocal {
			return fmt.Errorf("connect to %s, a link-local address: %w: set allow_link_local if that is meant", a, errForbidden)
		}
	case a.IsMulticast():
		return fmt.Errorf("connect to %s, a multicast address: %w", a, errForbidden)
	}
	return nil
}
