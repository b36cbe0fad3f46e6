package wire

import (
	"bytes"
	"strconv"
	"strings"
)

// maxHTTPEmptyLines before a request are passed over by its recogniser.
const maxHTTPEmptyLines = 4

// sniffAnyHTTP recognises the first bytes of a connection: of HTTP/1, or the
// preface of HTTP/2.
func sniffAnyHTTP(dir Dir, b []byte) Match {
	if m := sniffHTTP2(dir, b); m != No {
		return m
	}
	for range maxHTTPEmptyLines { // before the request, see httpStream.head
		if len(b) == 0 || b[0] != '\r' {
			break
		}
		switch {
		case prefix(b, []byte("\r\n")) == No:
			return No
		case len(b) <= 2:
			return Maybe
		}
		b = b[2:]
	}
	return sniffHTTP(dir, b)
}

// sniffHTTP recognises the first line of an HTTP/1 request or response: a
// token, a blank, a target, " HTTP/1."; or "HTTP/1." and a status code.
func sniffHTTP(_ Dir, b []byte) Match {
	if m := sniffStatusLine(b); m != No {
		return m
	}
	method := 0
	for method < len(b) && isToken(b[method]) {
		if method++; method > maxHTTPMethod {
			return No
		}
	}
	if method == len(b) {
		return Maybe
	}
	if method == 0 || b[method] != ' ' {
		return No
	}
	rest := b[method+1:]
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		if len(rest) > maxHTTPHead || !plausibleTarget(rest) {
			return No
		}
		return Maybe
	}
	target, _ := requestTarget(rest[:end])
	if len(target) == 0 {
		target, _ = simpleRequest(b)
	}
	return matchIf(len(target) > 0)
}

// plausibleTarget judges the beginning of a request target: printable, and
// starting as one of the four forms of RFC 9112 section 3.2 does. Blanks say
// nothing, as some clients leave them in.
func plausibleTarget(b []byte) bool {
	b = bytes.TrimLeft(b, " ")
	if len(b) > 0 && !isAlnum(b[0]) && b[0] != '/' && b[0] != '*' && b[0] != '[' {
		return len(b) == 1 && b[0] == '\r'
	}
	for _, c := range b {
		if c < ' ' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return true
}

// httpVersion begins every version of HTTP/1; maxHTTPVersion leaves room for
// the oddities that follow it.
const (
	httpVersion    = "HTTP/1."
	maxHTTPVersion = 16
)

// sniffStatusLine recognises "HTTP/1.x NNN".
func sniffStatusLine(b []byte) Match {
	n := min(len(b), len(httpVersion))
	if string(b[:n]) != httpVersion[:n] {
		return No
	}
	const end = len(httpVersion) + len("1 200")
	for i := n; i < min(len(b), end); i++ {
		if blank := i == len(httpVersion)+1; blank != (b[i] == ' ') || !blank && !isDigit(b[i]) {
			return No
		}
	}
	if len(b) < end {
		return Maybe
	}
	return Yes
}

// requestTarget splits "target HTTP/1.x" into its two parts. Blanks within the
// target, which some clients forget to escape, are taken as part of it; so are
// versions like "HTTP/1.0.8", which a weather station in the field sends.
func requestTarget(line []byte) (target, version []byte) {
	whole := line
	for len(line) > 0 && (line[len(line)-1] == '\r' || line[len(line)-1] == ' ') {
		line = line[:len(line)-1]
	}
	i := bytes.LastIndexByte(line, ' ')
	if i <= 0 {
		return nil, nil
	}
	target, version = bytes.TrimLeft(line[:i], " "), line[i+1:]
	if len(version) <= len(httpVersion) || len(version) > maxHTTPVersion || string(version[:len(httpVersion)]) != httpVersion ||
		!isDigit(version[len(httpVersion)]) || !plausibleTarget(whole) {
		return nil, nil
	}
	return target, version
}

// simpleRequest returns the target of a request of HTTP/0.9, which is a line
// without a version (RFC 1945 section 4.1), and how many bytes it takes. Only
// those are believed that name a path and end with it.
func simpleRequest(b []byte) (target []byte, n int) {
	const method = "GET "
	if len(b) < len(method) || string(b[:len(method)]) != method {
		return nil, 0
	}
	end := bytes.IndexByte(b[:min(len(b), maxHTTPTarget)], '\n')
	if end < 0 {
		return nil, 0
	}
	target = bytes.TrimRight(b[len(method):end], " \r")
	if len(target) == 0 || target[0] != '/' || bytes.IndexByte(target, ' ') >= 0 || !plausibleTarget(target) {
		return nil, 0
	}
	return target, end + 1
}

// httpFraming is how a head says where its body ends.
type httpFraming struct {
	length    int64 // the last Content-Length, -1 if absent or no number
	chunked   bool
	conflicts bool   // lengths that contradict each other
	query     *Login // of a request whose target holds a secret
}

// field takes in a field if it is about framing.
func (f *httpFraming) field(name, value []byte) {
	switch {
	case fieldIs(name, "transfer-encoding"):
		f.chunked = f.chunked || strings.HasSuffix(strings.ToLower(fieldText(value)), "chunked")
	case fieldIs(name, "content-length"):
		n := contentLength(value)
		f.conflicts = f.conflicts || n < 0 || f.length >= 0 && n != f.length
		f.length = n
	}
}

// ambiguous reports that what follows the head cannot be told apart. A transfer
// encoding overrides lengths (RFC 9112 section 6.3).
func (f *httpFraming) ambiguous() bool { return f.conflicts && !f.chunked }

// parseHTTPRequest parses a request head, which may lack its end. It returns
// nil if the first line is not that of a request.
func parseHTTPRequest(head []byte) (*HTTPRequest, httpFraming) {
	framing := httpFraming{length: -1}
	line, rest := cutLine(head)
	end := bytes.IndexByte(line, ' ')
	if end <= 0 || end > maxHTTPMethod || !isTokens(line[:end]) {
		return nil, framing
	}
	method := line[:end]
	target, version := requestTarget(line[end+1:])
	if len(target) == 0 {
		return nil, framing
	}
	m := &HTTPRequest{
		Method:  httpMethod(method),
		Target:  string(target),
		Version: httpVersionText(version),
	}
	m.Target, framing.query = redactQuery(m.Target)
	if len(m.Target) > maxHTTPTarget {
		m.Target = strings.Clone(m.Target[:maxHTTPTarget])
	}
	for name, value, ok := nextField(&rest); ok; name, value, ok = nextField(&rest) {
		switch {
		case fieldIs(name, "host"):
			m.Host = again(m.Host, fieldText(value))
		case fieldIs(name, "user-agent"):
			m.UserAgent = again(m.UserAgent, fieldText(value))
		case fieldIs(name, "referer"):
			m.Referer, _ = redactQuery(fieldText(value))
		case fieldIs(name, "upgrade"):
			m.Upgrade = fieldText(value)
		case fieldIs(name, "authorization"):
			m.AuthScheme = authScheme(value, true)
		case fieldIs(name, "content-type"):
			m.ContentType = fieldText(value)
		case fieldIs(name, "soapaction"):
			m.SOAPAction = fieldText(bytes.Trim(value, ` "`))
		default:
			framing.field(name, value)
		}
	}
	m.Length = framing.length
	return m, framing
}

// parseHTTPResponse parses a response head, which may lack its end. It returns
// nil if the first line is not that of a response.
func parseHTTPResponse(head []byte) (*HTTPResponse, httpFraming) {
	framing := httpFraming{length: -1}
	if sniffStatusLine(head) != Yes {
		return nil, framing
	}
	line, rest := cutLine(head)
	code := line[len(httpVersion)+2:]
	m := &HTTPResponse{
		Status:  int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0'),
		Version: httpVersionText(line[:len(httpVersion)+1]),
	}
	for name, value, ok := nextField(&rest); ok; name, value, ok = nextField(&rest) {
		switch {
		case fieldIs(name, "server"):
			m.Server = fieldText(value)
		case fieldIs(name, "content-type"):
			m.ContentType = again(m.ContentType, fieldText(value))
		case fieldIs(name, "location"):
			location, _ := redactQuery(fieldText(value))
			m.Location = again(m.Location, location)
		case fieldIs(name, "content-range"):
			m.ContentRange = fieldText(value)
		case fieldIs(name, "upgrade"):
			m.Upgrade = fieldText(value)
		case fieldIs(name, "www-authenticate"):
			if m.AuthScheme == "" {
				m.AuthScheme = authScheme(value, false)
			}
		default:
			framing.field(name, value)
		}
	}
	m.Length = framing.length
	return m, framing
}

// httpMethod and httpVersionText spare the common ones their allocation.

func httpMethod(b []byte) string {
	switch string(b) {
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "POST":
		return "POST"
	}
	return string(b)
}

func httpVersionText(b []byte) string {
	switch string(b) {
	case "HTTP/1.0":
		return "HTTP/1.0"
	case "HTTP/1.1":
		return "HTTP/1.1"
	}
	return string(b)
}

// cutLine splits off the first line, without its line end.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// nextField splits the next field off rest, together with its folded
// continuation lines (obs-fold, RFC 9112 section 5.2). Lines without a colon
// are passed over. It reports false at the empty line and at the end.
func nextField(rest *[]byte) (name, value []byte, ok bool) {
	for {
		b := *rest
		end := bytes.IndexByte(b, '\n')
		if end < 0 || end == 0 || end == 1 && b[0] == '\r' {
			return nil, nil, false // what has no line end may be cut off
		}
		for end+1 < len(b) && (b[end+1] == ' ' || b[end+1] == '\t') {
			next := bytes.IndexByte(b[end+1:], '\n')
			if next < 0 {
				return nil, nil, false
			}
			end += 1 + next
		}
		*rest = b[end+1:]
		if name, value, ok = bytes.Cut(b[:end], []byte(":")); ok {
			for len(name) > 0 && (name[len(name)-1] == ' ' || name[len(name)-1] == '\t') {
				name = name[:len(name)-1] // bytes.TrimRight builds a set of bytes each time
			}
			return name, bytes.TrimSpace(value), true
		}
	}
}

// fieldIs compares a field name with one in lower case.
func fieldIs(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if c != lower[i] && (c < 'A' || c > 'Z' || c|0x20 != lower[i]) {
			return false
		}
	}
	return true
}

// fieldText makes a field value a string: folds become one blank each, the
// rest stays as sent, at most 1,024 bytes.
func fieldText(value []byte) string {
	value = value[:min(len(value), maxHTTPField)]
	if bytes.IndexByte(value, '\n') < 0 {
		return string(value)
	}
	var b strings.Builder
	for line := range bytes.SplitSeq(value, []byte("\n")) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.Write(bytes.TrimSpace(line))
	}
	return b.String()
}

// again joins the values of a field that is sent more than once, up to about
// 2,048 bytes (RFC 9110 section 5.3): a second Host is how attacks slip past
// those who look at one of the two.
func again(before, value string) string {
	switch {
	case before == "":
		return value
	case len(before) > maxHTTPField:
		return before
	}
	return before + ", " + value
}

// authScheme is the scheme of a credentials or challenge field: a short token
// with a blank behind it. Credentials without a blank are a secret that was
// sent without a scheme; a challenge may consist of the scheme alone.
func authScheme(value []byte, credentials bool) string {
	end := 0
	for end < len(value) && isToken(value[end]) {
		end++
	}
	alone := end == len(value)
	if end == 0 || end > maxHTTPMethod || alone && credentials || !alone && value[end] != ' ' {
		return ""
	}
	return string(value[:end])
}

// contentLength is -1 for what is not a decimal number below 2^63, or a list of
// the same one, as which proxies pass on fields that came twice (RFC 9110
// section 8.6).
func contentLength(value []byte) int64 {
	if first, rest, ok := bytes.Cut(value, []byte(",")); ok {
		n := contentLength(bytes.TrimSpace(first))
		for one := range bytes.SplitSeq(rest, []byte(",")) {
			if contentLength(bytes.TrimSpace(one)) != n {
				return -1
			}
		}
		return n
	}
	if len(value) == 0 || !isDigit(value[0]) {
		return -1
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// isToken tells the characters of a token (RFC 9110 section 5.6.2).
func isToken(c byte) bool {
	return isAlnum(c) || c > ' ' && c < 0x7f && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isTokens(b []byte) bool {
	for _, c := range b {
		if !isToken(c) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
