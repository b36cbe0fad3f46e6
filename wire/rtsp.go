package wire

// RTSP is a request or a response of RTSP (RFC 2326, RFC 7826), with which
// cameras are asked for their pictures.
type RTSP struct {
	Method    string // of a request, else ""
	URL       string // of a request, at most 2,048 bytes; credentials in it are cut out
	Status    int    // of a response, else 0
	UserAgent string
	Server    string
	Auth      string // scheme of Authorization, or of WWW-Authenticate in a response
	Truncated bool   // the end of the head was never seen
}

// Protocol implements Message.
func (*RTSP) Protocol() string { return "rtsp" }

const (
	rtspVersion = "RTSP/1."
	rtspMethods = "OPTIONS DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER REDIRECT RECORD"
)

// rtspHeads follows the logins of a connection. RTSP repeats credentials with
// every request: what has succeeded once is not told again, but for a refusal.
type rtspHeads struct {
	attempt attempt
	seq     int64 // CSeq of its request, -1 if there was none
	shown   Login // the last that succeeded, as it was tried
}

func newRTSPStream() Stream { return &headStream{headed: &rtspHeads{}} }

// sniffRTSP recognises a start line.
func sniffRTSP(_ Dir, b []byte) Match { return sniffHead(b, rtspVersion, rtspMethods) }

func (*rtspHeads) sniff(b []byte) Match { return sniffRTSP(0, b) }

func (s *rtspHeads) head(dir Dir, head, _ []byte, cut bool, msgs []Message) []Message {
	line, rest := cutLine(head)
	request, _, first, second := startLine(line, rtspVersion)
	m := &RTSP{Truncated: cut}
	if request {
		m.Method, m.URL = text(first, maxHTTPMethod), text(withoutUserInfo(second), maxHTTPTarget)
	} else {
		m.Status = int(contentLength(first))
	}
	var login *Login
	var transport []byte
	stale := false
	seq := int64(-1)
	for name, value, ok := nextField(&rest); ok; name, value, ok = nextField(&rest) {
		switch {
		case fieldIs(name, "cseq"):
			seq = contentLength(value)
		case fieldIs(name, "user-agent"):
			m.UserAgent = fieldText(value)
		case fieldIs(name, "server"):
			m.Server = fieldText(value)
		case fieldIs(name, "transport") && !request && m.Status == 200:
			transport = value
		case fieldIs(name, "authorization") && request:
			m.Auth, login = authScheme(value, true), credentials("rtsp", value)
		case fieldIs(name, "www-authenticate") && !request:
			if m.Auth == "" {
				m.Auth = authScheme(value, false)
			}
			stale = stale || containsFold(value, "stale=true")
		}
	}
	msgs = appendTransport(append(msgs, m), dir, transport)
	if request && login != nil {
		return s.tried(dir, login, seq, msgs)
	}
	earlier := seq >= 0 && seq < s.seq // an answer to a request without the credentials
	if request || s.attempt.login == nil || s.attempt.from == dir || earlier {
		return msgs
	}
	if stale {
		s.attempt.login = nil // the proof was right, and too old
		return msgs
	}
	return s.answered(statusOutcome(m.Status), msgs)
}

// tried notes the credentials of a request.
func (s *rtspHeads) tried(dir Dir, login *Login, seq int64, msgs []Message) []Message {
	if s.attempt.login != nil && s.attempt.login.User == login.User {
		return msgs
	}
	s.forget()
	s.seq = seq
	return s.attempt.begin(dir, login, msgs)
}

// answered tells the login that was tried.
func (s *rtspHeads) answered(o Outcome, msgs []Message) []Message {
	if o != Failed {
		s.forget()
	}
	if o == Succeeded && s.attempt.login != nil {
		s.shown = *s.attempt.login
	}
	return s.attempt.end(o, msgs)
}

// forget drops a login that the connection has shown to succeed.
func (s *rtspHeads) forget() {
	if s.attempt.login != nil && *s.attempt.login == s.shown {
		s.attempt.login = nil
	}
}

func (s *rtspHeads) ended(dir Dir, msgs []Message) []Message {
	if s.attempt.from != dir {
		s.forget()
	}
	return s.attempt.flush(dir, msgs)
}

// statusOutcome judges a login by the status of the answer, of which RTSP and
// SIP have the classes of HTTP.
func statusOutcome(status int) Outcome {
	switch {
	case status == 401 || status == 403 || status == 407:
		return Failed
	case status >= 200 && status < 400:
		return Succeeded
	}
	return OutcomeUnknown
}

// withoutUserInfo cuts "user:secret@" out of a URL.
func withoutUserInfo(url []byte) []byte {
	for i := 0; i+3 <= len(url); i++ {
		if string(url[i:i+3]) != "://" {
			continue
		}
		start := i + 3
		end := start
		at := -1
		for ; end < len(url) && url[end] != '/' && url[end] != '?'; end++ {
			if url[end] == '@' {
				at = end
			}
		}
		if at < 0 {
			return url
		}
		return append(append([]byte(nil), url[:start]...), url[at+1:]...)
	}
	return url
}
