package wire

import (
	"bytes"
	"iter"
	"strings"
)

const (
	// maxHTTPForm bounds the forms that are read: those of logins have some 30
	// to 500 bytes, also with the tokens that frameworks put in.
	maxHTTPForm = 2 << 10
	// maxFormSecret bounds what is decoded of a secret. What is longer is no
	// password but the outcome of a computation with one.
	maxFormSecret = 96
	redacted      = "***"
)

// httpForm is the form that a request announces: how its fields are written,
// and whether the path says that it is a login.
type httpForm struct {
	kind    formKind
	request uint32 // its number on the connection
	atLogin bool
}

type formKind uint8

const (
	formNone formKind = iota
	formURL           // application/x-www-form-urlencoded
	formJSON
)

// formOf tells the form in a request's body.
func formOf(m *HTTPRequest, number uint32) httpForm {
	if m.Length <= 0 || m.Length > maxHTTPForm || m.Method != "POST" && m.Method != "PUT" {
		return httpForm{}
	}
	kind, _, _ := strings.Cut(m.ContentType, ";")
	f := httpForm{request: number, atLogin: loginPath(m.Target)}
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/x-www-form-urlencoded":
		f.kind = formURL
	case "application/json":
		f.kind = formJSON
	}
	return f
}

// form reads the body of a form once all of it is there.
func (s *httpStream) form(dir Dir, b []byte) int {
	h := &s.half[dir]
	if int64(len(b)) < h.left {
		return 0
	}
	body := b[:h.left]
	h.left, h.phase = 0, phaseHead
	fields := urlFields(body)
	if h.form.kind == formJSON {
		fields = jsonFields(body)
	}
	if m := formLogin(fields, h.form.atLogin); m != nil {
		m.Mechanism = "form"
		s.logins.waitForm(h.form.request, dir, m)
	}
	return len(body)
}

// formLogin makes a login of the fields of a form or query: one secret, and the
// name of a user unless the path says that it is a login. Several secrets are a
// change of them, and a secret among other things is a setting. It returns nil
// if it is none.
func formLogin(fields iter.Seq2[[]byte, []byte], atLogin bool) *Login {
	var user, secret []byte
	named, secrets := false, 0
	for name, value := range fields {
		switch {
		case len(value) == 0:
		case isSecretField(name):
			secret = value
			secrets++
		case !named && isUserField(name):
			user, named = value, true
		}
	}
	if secrets != 1 || !named && !atLogin {
		return nil
	}
	return &Login{
		Service: "http", User: plainText(user[:min(len(user), maxUser)]),
		Clear: !looksHashed(secret), Default: factoryDefault(user, secret),
	}
}

// The words that tell fields and paths. They are those of the login pages of
// routers, cameras, printers and common frameworks.
var (
	secretWords = [...]string{"passw", "pwd", "psw", "passcode"}
	userWords   = [...]string{"user", "login", "email", "account", "usr"}
	otherWords  = [...]string{"wifi", "wlan", "wpa", "psk", "ssid", "new", "confirm", "hint", "remember", "forgot", "type", "csrf", "token", "btn", "submit"}
	loginWords  = [...]string{"login", "logon", "signin", "sign_in", "auth", "session"}
	// failWords are in the addresses that a refused login leads to.
	failWords = [...]string{"login", "logon", "signin", "sign_in", "error", "fail", "denied", "invalid"}
	// queryWords begin the names of secrets, all with a p: a query without one
	// need not be taken apart.
	queryWords = [...]string{"pass", "pwd", "psw", "pw="}
)

func isSecretField(name []byte) bool {
	word := lowerField(name)
	return (word == "pass" || word == "pw" || containsAny(word, secretWords[:])) && !containsAny(word, otherWords[:])
}

func isUserField(name []byte) bool {
	word := lowerField(name)
	return (word == "log" || word == "uid" || word == "uname" || containsAny(word, userWords[:])) && !containsAny(word, otherWords[:])
}

// loginPath tells the target of a login page.
func loginPath(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return containsAny(strings.ToLower(path), loginWords[:])
}

func lowerField(name []byte) string {
	const longest = 64
	return strings.ToLower(string(name[:min(len(name), longest)]))
}

func containsAny(text string, words []string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// looksHashed tells what pages compute of a password before they send it: hex
// digits of MD5, SHA-1, SHA-256 or SHA-512, or longer than anybody types.
func looksHashed(secret []byte) bool {
	switch len(secret) {
	case 32, 40, 64:
		for _, c := range secret {
			if !isHex(c) {
				return false
			}
		}
		return true
	}
	return len(secret) >= maxFormSecret
}

// urlFields are the fields of a form or a query, decoded.
func urlFields(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for field := range bytes.SplitSeq(b, []byte("&")) {
			name, value, _ := bytes.Cut(field, []byte("="))
			if !yield(unescapeURL(name), unescapeURL(value)) {
				return
			}
		}
	}
}

// unescapeURL decodes %XX and "+", at most maxUser bytes.
func unescapeURL(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return b
	}
	out := make([]byte, 0, min(len(b), maxUser))
	for i := 0; i < len(b) && len(out) < maxUser; i++ {
		c := b[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(b) && isHex(b[i+1]) && isHex(b[i+2]):
			c = hexValue(b[i+1])<<4 | hexValue(b[i+2])
			i += 2
		}
		out = append(out, c)
	}
	return out
}

// mayHoldSecret reports whether one of queryWords is in a query, in any case.
func mayHoldSecret(query string) bool {
	for i := range len(query) {
		if query[i]|0x20 != 'p' {
			continue
		}
		for _, w := range queryWords {
			if rest := query[i:]; len(rest) >= len(w) && strings.EqualFold(rest[:len(w)], w) {
				return true
			}
		}
	}
	return false
}

// redactQuery replaces the secrets in the query of a target or link, and
// returns the login that it is, if any.
func redactQuery(target string) (clean string, login *Login) {
	path, query, ok := strings.Cut(target, "?")
	if !ok || !mayHoldSecret(query) {
		return target, nil
	}
	login = formLogin(urlFields([]byte(query)), loginPath(path))
	if login != nil {
		login.Mechanism = "query"
	}
	var b strings.Builder
	b.WriteString(path)
	separator := byte('?')
	for field := range strings.SplitSeq(query, "&") {
		b.WriteByte(separator)
		separator = '&'
		name, value, ok := strings.Cut(field, "=")
		if ok && value != "" && isSecretField(unescapeURL([]byte(name))) {
			field = name + "=" + redacted
		}
		b.WriteString(field)
	}
	return b.String(), login
}
