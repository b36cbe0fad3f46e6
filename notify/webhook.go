package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/alert"
	"gatehouse/notify/format"
)

// Webhook sends each notice as a POST request of its own.
type Webhook struct {
	URL         Secret            `yaml:"url"`          // a secret, because with chats it is the password
	Format      string            `yaml:"format"`       // one of the formats, or "template"
	Template    string            `yaml:"template"`     // text/template, see format.View
	ContentType string            `yaml:"content_type"` // instead of that of the format
	Topic       string            `yaml:"topic"`        // of ntfy
	Token       Secret            `yaml:"token"`        // Authorization: Bearer …, or Splunk …
	User        string            `yaml:"user"`         // basic authentication
	Password    Secret            `yaml:"password"`
	Headers     map[string]Secret `yaml:"headers"`
	Sign        Secret            `yaml:"sign"`   // Standard Webhooks, whsec_…; several apart by spaces
	Expect      string            `yaml:"expect"` // text that a good answer has in it
	TLS         TLS               `yaml:"tls"`
	Proxy       Secret            `yaml:"proxy"` // none, a URL with user and password if need be, or environment

	AllowLoopback  bool `yaml:"allow_loopback"`
	AllowLinkLocal bool `yaml:"allow_link_local"`
}

// Validate implements Config.
func (c *Webhook) Validate() error {
	u, err := checkURL(c.URL.Reveal())
	if err != nil {
		return &FieldError{"url", err}
	}
	if _, err := parseProxy(c.Proxy, u); err != nil {
		return &FieldError{"proxy", err}
	}
	if _, err := c.render(); err != nil {
		return err
	}
	if c.Format == "ntfy" && c.Topic == "" {
		return &FieldError{"topic", errors.New("is required with the format ntfy; url is the root of the server, such as https://ntfy.sh")}
	}
	if !c.Token.IsZero() && c.User != "" {
		return &FieldError{"token", errors.New("and user are two ways to authenticate: choose one")}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if !validHeader(name, c.Headers[name].Reveal()) {
			return &FieldError{"headers." + name, errors.New("cannot be sent: want a name of letters, digits and hyphens, a value without line breaks, and neither Host nor Content-Length")}
		}
	}
	if _, err := signingKeys(c.Sign); err != nil {
		return &FieldError{"sign", err}
	}
	return c.TLS.validate()
}

// validHeader reports whether a header can be set as it is (RFC 9110, section
// 5.1 and 5.5). Host and Content-Length are net/http's own.
func validHeader(name, value string) bool {
	const special = "!#$%&'*+-.^_`|~"
	for _, r := range name {
		if r > '~' || r != '-' && !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') && !strings.ContainsRune(special, r) {
			return false
		}
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return false
	}
	return name != "" && !strings.EqualFold(name, "Host") && !strings.EqualFold(name, "Content-Length")
}

// render finds the format.
func (c *Webhook) render() (format.Format, error) {
	if c.Format == "template" {
		if c.Template == "" {
			return format.Format{}, &FieldError{"template", errors.New("is required with the format template")}
		}
		f, err := format.Template(c.Template)
		if err != nil {
			return format.Format{}, &FieldError{"template", err}
		}
		return f, nil
	}
	if c.Template != "" {
		return format.Format{}, &FieldError{"template", errors.New("is for the format template")}
	}
	return findFormat(c.Format, "template")
}

// findFormat names those that there are, and more that a sink knows, if there
// is no such format.
func findFormat(name string, more ...string) (format.Format, error) {
	f, ok := format.Find(name)
	if ok {
		return f, nil
	}
	for _, f := range format.Table() {
		more = append(more, f.Name)
	}
	slices.Sort(more)
	return format.Format{}, &FieldError{"format", fmt.Errorf("there is no format %q: use one of %s", name, strings.Join(more, ", "))}
}

// Open implements Config.
func (c *Webhook) Open(o Options) (Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	w := &webhook{config: *c, meta: format.Meta{Site: o.Site, Version: o.Version, Topic: c.Topic}, now: o.Now}
	w.url, _ = checkURL(c.URL.Reveal())
	w.format, _ = c.render()
	w.keys, _ = signingKeys(c.Sign)
	var err error
	if w.dialer, err = newDialer(c.Proxy, w.url, &guard{c.AllowLoopback, c.AllowLinkLocal}, &c.TLS); err != nil {
		return nil, err
	}
	if w.client, err = newHTTPClient(&w.config.TLS, w.dialer); err != nil {
		return nil, err
	}
	return w, nil
}

type webhook struct {
	config Webhook
	url    *url.URL
	format format.Format
	meta   format.Meta
	keys   [][]byte
	dialer *dialer
	client *http.Client
	now    func() time.Time
}

// Deliver implements Sink.
func (w *webhook) Deliver(ctx context.Context, notices []alert.Notice) (int, error) {
	for i := range notices {
		n := &notices[i]
		body, err := w.format.Render(n, w.meta)
		if err != nil {
			return i, Rejected(fmt.Errorf("write %s as %s: %w", n.Key(), w.format.Name, err))
		}
		if err := w.post(ctx, n.Key(), body); err != nil {
			return i, scrub(fmt.Errorf("post to %s: %w", w.url.Host, err), w.secrets()...)
		}
	}
	return len(notices), nil
}

func (w *webhook) post(ctx context.Context, id string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.String(), bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	w.header(req.Header, id, body)
	resp, err := w.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer resp.Body.Close()
	answer, err := readAnswer(resp)
	if resp.StatusCode/100 != 2 {
		return answered(resp, answer, w.now())
	}
	if err != nil && w.config.Expect != "" {
		return fmt.Errorf("read the answer: %w", err)
	}
	return w.judge(answer)
}

func (w *webhook) header(h http.Header, id string, body []byte) {
	h.Set("Content-Type", w.format.MediaType)
	if w.config.ContentType != "" {
		h.Set("Content-Type", w.config.ContentType)
	}
	h.Set("User-Agent", strings.TrimRight("gatehouse/"+w.meta.Version, "/"))
	// Who has seen this key may drop the request
	// (draft-ietf-httpapi-idempotency-key-header).
	h.Set("Idempotency-Key", strconv.Quote(id))
	switch c := &w.config; {
	case !c.Token.IsZero() && c.Format == "splunk":
		h.Set("Authorization", "Splunk "+c.Token.Reveal())
	case !c.Token.IsZero():
		h.Set("Authorization", "Bearer "+c.Token.Reveal())
	case c.User != "":
		h.Set("Authorization", "Basic "+c.basic())
	}
	if len(w.keys) > 0 {
		sign(h, id, w.now(), body, w.keys)
	}
	for name, value := range w.config.Headers {
		h.Set(name, value.Reveal())
	}
}

func (c *Webhook) basic() string {
	return base64.StdEncoding.EncodeToString([]byte(c.User + ":" + c.Password.Reveal()))
}

// judge looks for an error in an answer with a good status, as Splunk, Slack's
// API, Elasticsearch and old Teams connectors send one.
func (w *webhook) judge(answer []byte) error {
	if w.config.Expect != "" {
		if !bytes.Contains(answer, []byte(w.config.Expect)) {
			return fmt.Errorf("answered 2xx, but without %q%s", w.config.Expect, reason(answer))
		}
		return nil
	}
	var said struct {
		Code    *int  `json:"code"` // Splunk: 0 is success
		OK      *bool `json:"ok"`
		Success *bool `json:"success"`
		Errors  any   `json:"errors"`
		Error   any   `json:"error"`
	}
	// What is no such JSON says nothing of errors.
	_ = json.Unmarshal(answer, &said)
	text, isText := said.Error.(string)
	_, isObject := said.Error.(map[string]any)
	list, _ := said.Errors.([]any)
	if w.config.Format == "splunk" && said.Code != nil && *said.Code != 0 ||
		said.OK != nil && !*said.OK || said.Success != nil && !*said.Success ||
		isText && text != "" || isObject || said.Errors == true || len(list) > 0 ||
		w.config.Format == "teams" && bytes.Contains(answer, []byte("failed with error")) {
		return fmt.Errorf("answered 2xx with an error%s", reason(answer))
	}
	return nil
}

func (w *webhook) secrets() []Secret {
	c := &w.config
	all := []Secret{c.URL, c.Token, c.Password, c.Sign, {w.url.RequestURI()}, {c.basic()}}
	all = append(all, w.dialer.secrets()...)
	return append(all, slices.Collect(maps.Values(c.Headers))...)
}

// Close implements Sink.
func (w *webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}

// signingKeys reads the keys of Standard Webhooks: base64 of 24 to 64 bytes
// after whsec_, apart by spaces. Several are for the time in which they change.
func signingKeys(s Secret) ([][]byte, error) {
	var keys [][]byte
	for text := range strings.FieldsSeq(s.Reveal()) {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
		if err != nil || len(key) < 24 || len(key) > 64 {
			return nil, errors.New("is no key: want whsec_ and base64 of 24 to 64 bytes (echo whsec_$(openssl rand -base64 32))")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sign adds the headers of Standard Webhooks 1.0.0: an id that stays the same
// when a request is sent again, the time of this one, and an HMAC-SHA256 for
// each key over both and the body.
func sign(h http.Header, id string, now time.Time, body []byte, keys [][]byte) {
	at := strconv.FormatInt(now.Unix(), 10)
	signatures := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(id + "." + at + ".")) // a hash does not fail
		_, _ = mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
}
