package eve

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gatehouse/flow"
	"gatehouse/wire"
)

// httpBody is Suricata's http object: one transaction. The names of the last
// but soap_action are those of its custom fields.
type httpBody struct {
	Hostname    string        `json:"hostname,omitempty"`
	Port        uint16        `json:"http_port,omitempty"`
	URL         string        `json:"url,omitempty"`
	UserAgent   string        `json:"http_user_agent,omitempty"`
	Referer     string        `json:"http_refer,omitempty"`
	ContentType string        `json:"http_content_type,omitempty"`
	Range       *contentRange `json:"content_range,omitempty"`
	Method      string        `json:"http_method,omitempty"`
	Protocol    string        `json:"protocol,omitempty"`
	Status      int           `json:"status,omitempty"`
	Redirect    string        `json:"redirect,omitempty"`
	Length      *int64        `json:"length,omitempty"` // bytes

	Server          string `json:"server,omitempty"`
	Upgrade         string `json:"upgrade,omitempty"` // protocol that follows
	SOAPAction      string `json:"soap_action,omitempty"`
	Authorization   string `json:"authorization,omitempty"`
	WWWAuthenticate string `json:"www_authenticate,omitempty"`

	Version string     `json:"version,omitempty"` // of HTTP/2: "2"
	HTTP2   *http2Body `json:"http2,omitempty"`
}

// contentRange is which part of the whole a response holds (RFC 9110 section
// 14.4): the field as sent, and what can be read of it.
type contentRange struct {
	Raw   string `json:"raw"`
	Start *int64 `json:"start,omitempty"` // offset of the first byte
	End   *int64 `json:"end,omitempty"`   // and of the last
	Size  *int64 `json:"size,omitempty"`  // of the whole
}

// http2Body is Suricata's object for what only HTTP/2 has.
type http2Body struct {
	Stream uint32 `json:"stream_id"`
}

// request holds a request until its response comes.
func (w *Writer) request(ev *flow.Event, m *wire.HTTPRequest) error {
	return w.hold(ev, func(c *conversation) {
		c.requests = append(c.requests, request{head: m, at: ev.Time})
	})
}

// response writes a transaction: HTTP/1 answers in the order of the requests
// (RFC 9112 section 9.3.2), HTTP/2 in any, by their streams. A response without a request, as when the capture
// began in between, is a line of its own.
func (w *Writer) response(ev *flow.Event, m *wire.HTTPResponse) error {
	if m.Status/100 == 1 && m.Status != http.StatusSwitchingProtocols {
		return nil // "100 Continue" and the like: the response is still to come
	}
	if err := w.body(ev, -1); err != nil { // the end of the one before was not seen
		return err
	}
	q, err := w.asked(ev, m)
	if err != nil {
		return err
	}
	untold := m.Length < 0 || m.Length > 0 && m.Waiting == 0 // an HTTPBody will say
	if m.Stream == 0 && untold && !m.Truncated && (q == nil || !bodiless(q.head.Method, m.Status)) && !bodiless("", m.Status) {
		return w.hold(ev, func(c *conversation) { c.answered = &answered{q, m, ev.Time} })
	}
	return w.transaction(&ev.Record, q, m, ev.Time, m.Length)
}

// asked takes the request that is answered, nil if it is not held. Those of
// HTTP/1 before it are written: what answered them was lost.
func (w *Writer) asked(ev *flow.Event, m *wire.HTTPResponse) (*request, error) {
	c := w.held.find(ev.Record.ID)
	if c == nil {
		return nil, nil
	}
	i := slices.IndexFunc(c.requests, func(q request) bool { return q.head.Stream == m.Stream })
	if m.Stream == 0 && m.Waiting >= 0 {
		i = max(len(c.requests)-m.Waiting, 0)
	}
	if i < 0 {
		return nil, nil
	}
	before, first := c.size(), i
	if m.Stream == 0 {
		first = 0 // which is i where nobody knows
	}
	taken := slices.Clone(c.requests[first:min(i+1, len(c.requests))])
	c.requests = slices.Delete(c.requests, first, first+len(taken))
	w.held.settle(c, before)
	for k := range taken {
		if first+k == i {
			return &taken[k], nil
		}
		if err := w.transaction(&ev.Record, &taken[k], nil, taken[k].at, -1); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// body writes the transaction whose body has ended, if there is one; length is
// that of the body in bytes, -1 if it is not known.
func (w *Writer) body(ev *flow.Event, length int64) error {
	c := w.held.find(ev.Record.ID)
	if c == nil || c.answered == nil {
		return nil
	}
	a, before := c.answered, c.size()
	c.answered = nil
	w.held.settle(c, before)
	return w.transaction(&ev.Record, a.request, a.head, a.at, length)
}

// transaction writes a request, a response or both. length is that of the
// response's body, -1 if it is not known.
func (w *Writer) transaction(r *flow.Record, q *request, m *wire.HTTPResponse, at, length int64) error {
	var body httpBody
	if q != nil {
		body.Hostname, body.Port = splitHost(requestHost(q.head))
		body.Hostname = strings.ToLower(body.Hostname)
		body.URL, body.Method, body.Protocol = q.head.Target, q.head.Method, q.head.Version
		body.UserAgent, body.Referer, body.Authorization = q.head.UserAgent, q.head.Referer, q.head.AuthScheme
		body.SOAPAction = q.head.SOAPAction
	}
	if m != nil {
		if body.Protocol == "" {
			body.Protocol = m.Version
		}
		body.Status, body.Redirect, body.Server = m.Status, m.Location, m.Server
		body.WWWAuthenticate = m.AuthScheme
		if m.Status == http.StatusSwitchingProtocols {
			body.Upgrade = m.Upgrade
		}
		body.ContentType, _, _ = strings.Cut(m.ContentType, ";")
		body.Range = rangeOf(m.ContentRange)
		switch {
		case bodiless(body.Method, m.Status):
			body.Length = new(int64(0))
		case length >= 0:
			body.Length = &length
		}
	}
	switch {
	case q != nil && q.head.Stream != 0:
		body.HTTP2 = &http2Body{q.head.Stream}
	case m != nil && m.Stream != 0:
		body.HTTP2 = &http2Body{m.Stream}
	}
	app := "http"
	if body.HTTP2 != nil {
		app, body.Version = "http2", "2"
	}
	w.begin("http", app, r, at)
	w.line.HTTP = &body
	return w.put()
}

// requestHost is whom a request is for. A target that names a host itself, as
// towards a proxy, outweighs the Host field (RFC 9112 sections 3.2.2 and 3.2.3).
func requestHost(m *wire.HTTPRequest) string {
	host := m.Host
	if m.Method == http.MethodConnect {
		host = m.Target
	} else if scheme, rest, ok := strings.Cut(m.Target, "://"); ok && !strings.ContainsAny(scheme, "/?#") {
		host = rest
		if end := strings.IndexAny(host, "/?#"); end >= 0 {
			host = host[:end]
		}
		host = host[strings.LastIndexByte(host, '@')+1:]
	}
	return cmp.Or(host, m.Host)
}

// rangeOf reads "unit first-last/size", in which the range or the size may be
// "*". It returns nil for a field that is absent.
func rangeOf(raw string) *contentRange {
	if raw == "" {
		return nil
	}
	r := &contentRange{Raw: raw}
	_, spec, ok := strings.Cut(raw, " ")
	span, size, ok2 := strings.Cut(spec, "/")
	if !ok || !ok2 {
		return r
	}
	if first, last, ok := strings.Cut(span, "-"); ok {
		start, end := offset(first), offset(last)
		if start != nil && end != nil {
			r.Start, r.End = start, end
		}
	}
	r.Size = offset(size)
	return r
}

// offset reads digits, nil for anything else.
func offset(s string) *int64 {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return nil
	}
	return new(int64(n))
}

// bodiless tells the responses that have no body whatever they announce (RFC
// 9112 section 6.3).
func bodiless(method string, status int) bool {
	switch status {
	case http.StatusSwitchingProtocols, http.StatusNoContent, http.StatusNotModified:
		return true
	}
	return method == http.MethodHead || method == http.MethodConnect && status/100 == 2
}

// splitHost takes a port off a Host field; 0 if it has none. Anything but
// name:number or [address]:number is left as it was sent.
func splitHost(host string) (name string, port uint16) {
	i := strings.LastIndexByte(host, ':')
	if i <= 0 {
		return host, 0
	}
	name = host[:i]
	n, err := strconv.ParseUint(host[i+1:], 10, 16)
	if err != nil || n == 0 || strings.Contains(name, ":") && !strings.HasSuffix(name, "]") {
		return host, 0
	}
	return name, uint16(n)
}
