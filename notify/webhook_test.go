package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gatehouse/alert"
	"gatehouse/notify/format"
)

// webhookTo is a configuration for a server on this machine.
func webhookTo(url string) *Webhook {
	return &Webhook{URL: NewSecret(url), Format: "json", AllowLoopback: true}
}

func TestWebhookSendsEveryFormat(t *testing.T) {
	notices := testNotices(t)
	for _, f := range format.Table() {
		in := &inbox{}
		server := httptest.NewServer(in)
		c := webhookTo(server.URL + "/in")
		c.Format, c.Topic = f.Name, "gate"
		deliverAll(t, open(t, c), notices)
		server.Close()
		for i := range notices {
			want, err := f.Render(&notices[i], format.Meta{Site: "plant 3", Version: "1.2.3", Topic: "gate"})
			if err != nil {
				t.Fatal(err)
			}
			if in.bodies[i] != string(want) || in.requests[i].Header.Get("Content-Type") != f.MediaType || in.requests[i].Method != http.MethodPost {
				t.Errorf("%s: got %s %s %s", f.Name, in.requests[i].Method, in.requests[i].Header, in.bodies[i])
			}
		}
	}
}

// TestWebhookSignature has the reference implementation verify.
func TestWebhookSignature(t *testing.T) {
	in := &inbox{}
	server := httptest.NewServer(in)
	defer server.Close()
	const old, current = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	c := webhookTo(server.URL)
	c.Sign = NewSecret(old + " " + current)
	notices := testNotices(t)
	deliverAll(t, open(t, c), notices)
	for _, secret := range []string{old, current} {
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range in.requests {
			if err := verifier.Verify([]byte(in.bodies[i]), r.Header); err != nil {
				t.Errorf("%s: %v", notices[i].Key(), err)
			}
			if r.Header.Get("Webhook-Id") != notices[i].Key() {
				t.Errorf("id %s, want %s", r.Header.Get("Webhook-Id"), notices[i].Key())
			}
			if verifier.Verify([]byte(in.bodies[i]+" "), r.Header) == nil {
				t.Error("another body passes")
			}
		}
	}
}

func TestWebhookAuthentication(t *testing.T) {
	in := &inbox{}
	server := httptest.NewServer(in)
	defer server.Close()
	for _, tc := range []struct {
		change       func(*Webhook)
		header, want string
	}{
		{func(c *Webhook) { c.Token = NewSecret("tok") }, "Authorization", "Bearer tok"},
		{func(c *Webhook) { c.Token, c.Format = NewSecret("tok"), "splunk" }, "Authorization", "Splunk tok"},
		{func(c *Webhook) { c.User, c.Password = "me", NewSecret("pw") }, "Authorization", "Basic bWU6cHc="},
		{func(c *Webhook) { c.Headers = map[string]Secret{"X-Api-Key": NewSecret("k")} }, "X-Api-Key", "k"},
		{func(c *Webhook) { c.ContentType = "application/x-ndjson" }, "Content-Type", "application/x-ndjson"},
		{func(*Webhook) {}, "Idempotency-Key", `"a-d1ef6857ba93/1"`},
		{func(*Webhook) {}, "User-Agent", "gatehouse/1.2.3"},
	} {
		c := webhookTo(server.URL)
		tc.change(c)
		deliverAll(t, open(t, c), testNotices(t)[:1])
		if got := in.requests[len(in.requests)-1].Header.Get(tc.header); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.header, got, tc.want)
		}
	}
}

func TestWebhookAnswers(t *testing.T) {
	notices := testNotices(t)
	for _, tc := range []struct {
		status   int
		header   string // Retry-After
		body     string
		format   string
		ok       bool
		rejected bool
		after    time.Duration
	}{
		{status: 200, ok: true},
		{status: 202, body: "queued", ok: true},
		{status: 204, ok: true},
		{status: 200, body: `{"text":"Success","code":0}`, format: "splunk", ok: true},
		{status: 200, body: `{"text":"Invalid token","code":4}`, format: "splunk"},
		{status: 200, body: `{"code":200}`, ok: true}, // others number success otherwise
		{status: 200, body: `{"ok":false,"error":"channel_not_found"}`},
		{status: 200, body: `{"ok":true,"error":null}`, ok: true},
		{status: 200, body: `{"success":false}`},
		{status: 200, body: `{"errors":true,"items":[]}`},
		{status: 200, body: `{"errors":[]}`, ok: true},
		{status: 200, body: `{"errors":["no"]}`},
		{status: 200, body: `{"error":{"code":1}}`},
		{status: 200, body: `[1,2]`, ok: true},
		{status: 200, body: `{"error":`, ok: true}, // no JSON: says nothing
		{status: 200, body: "Webhook message delivery failed with error: 429", format: "teams"},
		{status: 400, rejected: true},
		{status: 413, rejected: true},
		{status: 422, rejected: true},
		{status: 401},
		{status: 403},
		{status: 404},
		{status: 408},
		{status: 410},
		{status: 500},
		{status: 502},
		{status: 429, header: "7", after: 7 * time.Second},
		{status: 503, header: "120", after: 2 * time.Minute},
		{status: 503, header: "soon"},
		{status: 304},
		{status: 302},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tc.header != "" {
				w.Header().Set("Retry-After", tc.header)
			}
			w.WriteHeader(tc.status)
			_, _ = io.WriteString(w, tc.body)
		}))
		c := webhookTo(server.URL)
		if tc.format != "" {
			c.Format = tc.format
		}
		n, err := open(t, c).Deliver(t.Context(), notices[:1])
		server.Close()
		var retry *RetryAfterError
		errors.As(err, &retry)
		if (err == nil) != tc.ok || (n == 1) != tc.ok || errors.Is(err, ErrRejected) != tc.rejected || (retry != nil) != (tc.after > 0) || retry != nil && retry.After != tc.after {
			t.Errorf("%d %s %q: got %d, %v", tc.status, tc.header, tc.body, n, err)
		}
	}
}

func TestWebhookExpect(t *testing.T) {
	for body, ok := range map[string]bool{"ok": true, "all is ok here": true, "no_service": false, "": false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		c := webhookTo(server.URL)
		c.Expect = "ok"
		if _, err := open(t, c).Deliver(t.Context(), testNotices(t)[:1]); (err == nil) != ok {
			t.Errorf("answer %q: %v", body, err)
		}
		server.Close()
	}
}

// TestWebhookStopsAtTheFirst: what came before it is accepted.
func TestWebhookStopsAtTheFirst(t *testing.T) {
	count := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if count++; count == 3 {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	defer server.Close()
	if n, err := open(t, webhookTo(server.URL)).Deliver(t.Context(), testNotices(t)); n != 2 || !errors.Is(err, ErrRejected) || count != 3 {
		t.Errorf("accepted %d after %d requests, %v", n, count, err)
	}
}

func TestWebhookRedirects(t *testing.T) {
	in := &inbox{}
	other := httptest.NewServer(in)
	defer other.Close()
	for _, tc := range []struct {
		status int
		to     string
		ok     bool
	}{
		{307, "/final", true},
		{308, "/final", true},
		{302, "/final", false}, // would become a GET
		{307, other.URL, false},
		{308, "//127.0.0.1:1/x", false},
		{307, "https://{host}/final", false},
		{307, "/loop", false},
		{307, "", false},
	} {
		got := ""
		var server *httptest.Server
		server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/final" {
				body, _ := io.ReadAll(r.Body)
				got = string(body)
				return
			}
			w.Header().Set("Location", strings.ReplaceAll(tc.to, "{host}", strings.TrimPrefix(server.URL, "http://")))
			w.WriteHeader(tc.status)
		}))
		n, err := open(t, webhookTo(server.URL+"/in")).Deliver(t.Context(), testNotices(t)[:1])
		server.Close()
		if (err == nil) != tc.ok || tc.ok && (n != 1 || !strings.Contains(got, "kitchen-cam")) || !tc.ok && got != "" {
			t.Errorf("%d to %q: accepted %d, %v", tc.status, tc.to, n, err)
		}
		if err != nil && !strings.Contains(err.Error(), "redirect") {
			t.Errorf("%d to %q: the error does not say why: %v", tc.status, tc.to, err)
		}
	}
	if len(in.bodies) > 0 {
		t.Error("another host got an alert")
	}
}

func TestGuard(t *testing.T) {
	for text, want := range map[string]string{
		"192.168.1.10": "", "10.0.0.1": "", "203.0.113.7": "", "2001:db8::1": "", "fd00::1": "", "100.64.0.1": "",
		"127.0.0.1": "loopback", "127.8.9.10": "loopback", "::1": "loopback", "::ffff:127.0.0.1": "loopback", "0.0.0.0": "loopback", "0.1.2.3": "loopback", "::": "loopback",
		"64:ff9b::7f00:1": "loopback",
		"169.254.169.254": "link", "fe80::1": "link", "fe80::1%eth0": "link", "::ffff:169.254.1.1": "link", "64:ff9b::a9fe:a9fe": "link",
		"224.0.0.1": "never", "ff02::1": "never",
	} {
		a := netip.MustParseAddr(text)
		strict, lax := guard{}.check(a), guard{loopback: true, linkLocal: true}.check(a)
		if (strict == nil) != (want == "") || (lax == nil) != (want != "never") {
			t.Errorf("%s is %q: strict %v, lax %v", text, want, strict, lax)
		}
		if want == "link" && (guard{loopback: true}).check(a) == nil || want == "loopback" && (guard{linkLocal: true}).check(a) == nil {
			t.Errorf("%s passes with the other permission", text)
		}
		if strict != nil && !errors.Is(strict, errForbidden) {
			t.Errorf("%s: %v", text, strict)
		}
	}
	if err := (guard{}).control("tcp", "nonsense", nil); !errors.Is(err, errForbidden) {
		t.Errorf("what cannot be read passes: %v", err)
	}
}

// TestWebhookChecksResolvedAddresses: a name that leads to this machine is as
// good as its address.
func TestWebhookChecksResolvedAddresses(t *testing.T) {
	in := &inbox{}
	server := httptest.NewServer(in)
	defer server.Close()
	for _, url := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		c := webhookTo(url)
		c.AllowLoopback = false
		if n, err := open(t, c).Deliver(t.Context(), testNotices(t)[:1]); n != 0 || !errors.Is(err, errForbidden) {
			t.Errorf("%s: delivered %d, %v", url, n, err)
		}
	}
	if len(in.bodies) > 0 {
		t.Error("an alert went out")
	}
}

// TestWebhookErrorsHoldNoSecrets: servers repeat what they were sent.
func TestWebhookErrorsHoldNoSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprint(w, r.RequestURI, r.Header.Get("X-Key"), r.Header.Get("Authorization"))
	}))
	c := webhookTo(server.URL + "/services/pathsecret")
	c.User, c.Password, c.Headers = "me", NewSecret("passwordsecret"), map[string]Secret{"X-Key": NewSecret("headersecret")}
	sink := open(t, c)
	check := func(err error) {
		t.Helper()
		if err == nil {
			t.Fatal("no error")
		}
		text := fmt.Sprintf("%v %+v %#v", err, err, err.Error())
		for _, secret := range []string{"pathsecret", "passwordsecret", "headersecret", c.basic()} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in %s", secret, text)
			}
		}
	}
	_, err := sink.Deliver(t.Context(), testNotices(t)[:1])
	check(err)
	server.Close()
	_, err = sink.Deliver(t.Context(), testNotices(t)[:1])
	check(err)
	for _, bad := range []string{"http://[::1/pathsecret", "ftp://x/pathsecret", "https://me:pathsecret@host/"} {
		check((&Webhook{URL: NewSecret(bad), Format: "json"}).Validate())
	}
}

func TestWebhookTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	cert, key := ca.client(t, "gate")
	foreignCert, foreignKey := other.client(t, "gate")
	for _, tc := range []struct {
		name   string
		server string // in its certificate, besides 127.0.0.1
		host   string
		ask    bool
		tls    TLS
		ok     bool
	}{
		{"own CA", "siem", "127.0.0.1", false, TLS{CAFile: ca.caFile}, true},
		{"unknown CA", "siem", "127.0.0.1", false, TLS{}, false},
		{"another CA", "siem", "127.0.0.1", false, TLS{CAFile: other.caFile}, false},
		{"wrong name", "siem", "127.0.0.2", false, TLS{CAFile: ca.caFile}, false},
		{"name given", "siem", "127.0.0.2", false, TLS{CAFile: ca.caFile, ServerName: "siem"}, true},
		{"client certificate", "siem", "127.0.0.1", true, TLS{CAFile: ca.caFile, CertFile: cert, KeyFile: key}, true},
		{"no client certificate", "siem", "127.0.0.1", true, TLS{CAFile: ca.caFile}, false},
		{"foreign client certificate", "siem", "127.0.0.1", true, TLS{CAFile: ca.caFile, CertFile: foreignCert, KeyFile: foreignKey}, false},
	} {
		in := &inbox{}
		server := httptest.NewUnstartedServer(in)
		server.TLS = ca.config(t, tc.server, tc.ask)
		server.Config.ErrorLog = nil
		listener, err := net.Listen("tcp", tc.host+":0")
		if err != nil {
			t.Fatal(err)
		}
		_ = server.Listener.Close()
		server.Listener = listener
		server.StartTLS()
		c := webhookTo(server.URL)
		c.TLS = tc.tls
		n, err := open(t, c).Deliver(t.Context(), testNotices(t)[:1])
		server.Close()
		if (err == nil) != tc.ok || tc.ok && n != 1 || !tc.ok && len(in.bodies) > 0 || errors.Is(err, ErrRejected) {
			t.Errorf("%s: delivered %d, %v", tc.name, n, err)
		}
	}
	for _, bad := range []TLS{{CAFile: "/nonexistent"}, {CAFile: key}, {CertFile: cert}, {CertFile: cert, KeyFile: foreignKey}} {
		c := webhookTo("https://siem.example.net")
		c.TLS = bad
		var field *FieldError
		if _, err := c.Open(testOptions()); !errors.As(err, &field) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestWebhookValidate(t *testing.T) {
	for _, tc := range []struct {
		key    string
		change func(*Webhook)
	}{
		{"", func(*Webhook) {}},
		{"", func(c *Webhook) { c.Format, c.Template = "template", "{{.Title}}" }},
		{"url", func(c *Webhook) { c.URL = Secret{} }},
		{"url", func(c *Webhook) { c.URL = NewSecret("siem.example.net") }},
		{"url", func(c *Webhook) { c.URL = NewSecret("https:///in") }},
		{"format", func(c *Webhook) { c.Format = "xml" }},
		{"template", func(c *Webhook) { c.Format = "template" }},
		{"template", func(c *Webhook) { c.Format, c.Template = "template", "{{" }},
		{"template", func(c *Webhook) { c.Template = "x" }},
		{"topic", func(c *Webhook) { c.Format = "ntfy" }},
		{"token", func(c *Webhook) { c.User, c.Token = "me", NewSecret("x") }},
		{"headers.X Y", func(c *Webhook) { c.Headers = map[string]Secret{"X Y": {}} }},
		{"headers.X", func(c *Webhook) { c.Headers = map[string]Secret{"X": NewSecret("a\r\nB: c")} }},
		{"headers.host", func(c *Webhook) { c.Headers = map[string]Secret{"host": {}} }},
		{"sign", func(c *Webhook) { c.Sign = NewSecret("whsec_short") }},
		{"tls.cert_file", func(c *Webhook) { c.TLS.KeyFile = "x" }},
	} {
		c := &Webhook{URL: NewSecret("https://siem.example.net/in"), Format: "json"}
		tc.change(c)
		err := c.Validate()
		var field *FieldError
		if tc.key == "" && err != nil || tc.key != "" && (!errors.As(err, &field) || field.Key != tc.key) {
			t.Errorf("%+v: got %v, want one about %q", c, err, tc.key)
		}
	}
}

func TestWebhookBadServers(t *testing.T) {
	checkBadServers(t, func(addr string) Config { return webhookTo("http://" + addr) })
}

func TestWebhookOverTLSBadServers(t *testing.T) {
	checkBadServers(t, func(addr string) Config { return webhookTo("https://" + addr) })
}

// TestWebhookSlowAnswer: what was taken is taken, however slowly that is said;
// but who waits for a word has to get it.
func TestWebhookSlowAnswer(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "o")
		w.(http.Flusher).Flush()
		<-done
	}))
	defer server.Close()
	defer close(done)
	for expect, accepted := range map[string]int{"": 1, "ok": 0} {
		c := webhookTo(server.URL)
		c.Expect = expect
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if n, err := open(t, c).Deliver(ctx, testNotices(t)[:1]); n != accepted || (err == nil) != (accepted == 1) {
			t.Errorf("expecting %q: accepted %d, %v", expect, n, err)
		}
		cancel()
	}
}

func TestWebhookUnwritable(t *testing.T) {
	in := &inbox{}
	server := httptest.NewServer(in)
	defer server.Close()
	notices := testNotices(t)
	bad := *notices[0].Alert
	bad.LastSeen = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)
	notices = slices.Insert(notices, 1, alert.Notice{Alert: &bad})
	if n, err := open(t, webhookTo(server.URL)).Deliver(t.Context(), notices); n != 1 || !errors.Is(err, ErrRejected) {
		t.Errorf("a year that JSON has no room for: accepted %d, %v", n, err)
	}
}

// FuzzWebhookAnswer: whatever a server answers with a good status, it is taken
// or an error that can be shown.
func FuzzWebhookAnswer(f *testing.F) {
	for _, s := range []string{`{"ok":false}`, `{"error":{"a":[1]}}`, `{"errors":[null]}`, `{"code":99999999999999999999}`, "\x00\xff", `[[[[`, ""} {
		f.Add([]byte(s), "splunk", "ok")
	}
	f.Fuzz(func(t *testing.T, answer []byte, name, expect string) {
		for _, e := range []string{"", expect} {
			w := &webhook{config: Webhook{Format: name, Expect: e}}
			if err := w.judge(answer); err != nil && (len(err.Error()) > 1000+4*len(e) || strings.ContainsAny(err.Error(), "\r\n")) {
				t.Errorf("the error has %d bytes: %q", len(err.Error()), err)
			}
		}
	})
}
