package wire

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
)

// httpLogins are the logins of the requests that wait for their responses.
// HTTP repeats credentials with every request: an outcome that a connection
// has shown already is not told again, but for a refusal.
type httpLogins struct {
	waiting []httpLogin // in the order of the requests
	last    Login       // the last that was told
}

// httpLogin is the login of one request.
type httpLogin struct {
	request uint32 // its number on the connection, or its stream
	from    Dir
	form    bool // of a form or a query, which pages answer as they like
	login   *Login
	connect bool // to a proxy, which is asked for a connection
}

// requested notes the credentials of a request.
func (l *httpLogins) requested(dir Dir, head []byte, m *HTTPRequest, number uint32) {
	field := "authorization"
	if m.AuthScheme == "" {
		if m.Method != "CONNECT" && !strings.Contains(m.Target, "://") { // the forms for proxies
			return
		}
		field = "proxy-authorization"
	}
	if login := httpCredentials(head, field); login != nil {
		l.wait(httpLogin{request: number, from: dir, login: login, connect: m.Method == "CONNECT"})
	}
}

// wait notes a login until its request is answered.
func (l *httpLogins) wait(w httpLogin) {
	if len(l.waiting) < maxHTTPQueue {
		l.waiting = append(l.waiting, w)
	}
}

// waitForm notes that of a form or a query.
func (l *httpLogins) waitForm(number uint32, dir Dir, login *Login) {
	if len(l.waiting) < maxHTTPQueue {
		l.waiting = append(l.waiting, httpLogin{request: number, from: dir, form: true, login: login})
	}
}

// responded tells the logins of a request that has been answered.
func (l *httpLogins) responded(number uint32, m *HTTPResponse, msgs []Message) []Message {
	for {
		i := slices.IndexFunc(l.waiting, func(w httpLogin) bool { return w.request == number })
		if i < 0 {
			return msgs
		}
		w := l.waiting[i]
		l.waiting = slices.Delete(l.waiting, i, i+1)
		w.conclude(m)
		msgs = l.tell(&w, msgs)
	}
}

// conclude reads the outcome of a login. A page that is sent in answer to a form
// may say anything; a redirect leads back to the form or on.
func (w *httpLogin) conclude(m *HTTPResponse) {
	switch login := w.login; {
	case m.Status == 403 && w.connect: // a proxy knows the user, and does not go there
	case m.Status == 401 || m.Status == 403 || m.Status == 407:
		login.Outcome = Failed
	case w.form && m.Status/100 == 3 && m.Location != "":
		login.Outcome, login.Inferred = Succeeded, true
		if containsAny(strings.ToLower(m.Location), failWords[:]) {
			login.Outcome = Failed
		}
	case !w.form && (m.Status/100 == 2 || m.Status/100 == 3):
		login.Outcome = Succeeded
	}
}

// flush tells the logins that dir will not answer any more.
func (l *httpLogins) flush(dir Dir, msgs []Message) []Message {
	for len(l.waiting) > 0 && l.waiting[0].from != dir {
		msgs = l.tell(&l.waiting[0], msgs)
		l.waiting = l.waiting[1:]
	}
	return msgs
}

func (l *httpLogins) tell(w *httpLogin, msgs []Message) []Message {
	m := w.login
	if m.Outcome != Failed && !w.form && *m == l.last {
		return msgs
	}
	l.last = *m
	return append(msgs, m)
}

// httpCredentials reads the credentials in a field of a request head: those of
// a user, not of a program, as tokens are. It returns nil if there are none.
func httpCredentials(head []byte, field string) *Login {
	_, rest := cutLine(head)
	for name, value, ok := nextField(&rest); ok; name, value, ok = nextField(&rest) {
		if !fieldIs(name, field) {
			continue
		}
		return httpScheme(value)
	}
	return nil
}

// httpScheme reads credentials behind their scheme. It returns nil if they
// are not those of a user.
func httpScheme(value []byte) *Login {
	scheme, credentials, _ := bytes.Cut(value, []byte(" "))
	credentials = bytes.TrimSpace(credentials)
	switch strings.ToLower(string(scheme[:min(len(scheme), maxHTTPMethod)])) {
	case "basic":
		return httpBasic(credentials)
	case "digest":
		return &Login{Service: "http", Mechanism: "Digest", User: digestUser(credentials)}
	case "ntlm", "negotiate":
		return httpNTLM(credentials)
	}
	return nil
}

// httpBasic reads user and password (RFC 7617), of which the password is looked
// at and forgotten.
func httpBasic(credentials []byte) *Login {
	var room [2 * maxUser]byte
	text := decodeBase64(room[:], credentials)
	user, secret, ok := bytes.Cut(text, []byte(":"))
	if !ok {
		if len(text) < len(room) {
			return nil
		}
		user = text // a name so long that the colon was cut off
	}
	m := &Login{
		Service: "http", Mechanism: "Basic", User: plainText(user[:min(len(user), maxUser)]),
		Clear: true, Default: ok && factoryDefault(user, secret),
	}
	clear(room[:])
	return m
}

// httpNTLM reads the last message of the NTLM handshake, with the name of the
// user; those before it are no attempt yet, and Kerberos shows no name.
func httpNTLM(credentials []byte) *Login {
	var room [2 << 10]byte // names and responses take some 500 bytes
	message, kind := findNTLM(decodeBase64(room[:], credentials))
	if kind != ntlmAuthenticate {
		return nil
	}
	if m := parseNTLM(message); m != nil {
		return m.login("http")
	}
	return nil
}

// decodeBase64 decodes as much of src as fits into dst and as is well formed.
func decodeBase64(dst, src []byte) []byte {
	src = bytes.TrimRight(src, "=")
	src = src[:min(len(src), base64.RawStdEncoding.EncodedLen(len(dst)))]
	n, _ := base64.RawStdEncoding.Decode(dst, src) // up to the first byte that is none
	return dst[:n]
}

// digestUser finds the parameter username (RFC 7616 section 3.4), "" if it is
// absent or hashed.
func digestUser(params []byte) string {
	if bytes.Contains(params, []byte("userhash=true")) {
		return ""
	}
	const name = `username="`
	i := bytes.Index(params, []byte(name))
	if i < 0 {
		return ""
	}
	rest := params[i+len(name):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return ""
	}
	return plainText(rest[:min(end, maxUser)])
}
