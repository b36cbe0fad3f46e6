package wire

import (
	"bytes"
	"fmt"
	"slices"
)

// SIP is a request or a response of SIP (RFC 3261).
type SIP struct {
	Method    string // of a request, else ""
	URI       string // of a request, at most 256 bytes
	Code      int    // of a response, else 0
	Reason    string // of a response, at most 256 bytes
	From, To  string // as sent, at most 256 bytes each
	UserAgent string // User-Agent of a request, Server of a response
	Truncated bool   // the end of the head was never seen
}

// Protocol implements Message.
func (*SIP) Protocol() string { return "sip" }

const (
	sipVersion = "SIP/2."
	sipMethods = "INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK SUBSCRIBE NOTIFY PUBLISH INFO REFER MESSAGE UPDATE"
	maxSIPText = 256
)

var errSIPKind = fmt.Errorf("read sip start line: %w", ErrNotMine)

// sipHeads keeps the logins that wait for their responses: through the flow of
// a proxy go the dialogs of many, one within the other.
type sipHeads struct{ waiting []sipLogin }

// sipLogin is a request that proves who sends it.
type sipLogin struct {
	attempt
	call, sequence string // Call-ID and CSeq, which its responses repeat (section 8.2.6.2)
}

const (
	maxSIPWaiting  = 16
	maxSIPCall     = 64 // more of a Call-ID than is the same by chance
	maxSIPSequence = 24 // ten digits and a method
)

func newSIPStream() Stream { return &headStream{headed: &sipHeads{}} }

// sniffSIP recognises a start line.
func sniffSIP(_ Dir, b []byte) Match { return sniffHead(b, sipVersion, sipMethods) }

// sniffSIPDatagram recognises a complete start line.
func sniffSIPDatagram(b []byte) bool { return sniffSIP(0, b) == Yes }

// leadsSIP: a method or the version.
func leadsSIP(first byte) bool { return first >= 'A' && first <= 'U' }

func (*sipHeads) sniff(b []byte) Match { return sniffSIP(0, b) }

// sipFlow is SIP over UDP: a message a datagram.
type sipFlow struct{ heads sipHeads }

func newSIPFlow() Datagrams { return &sipFlow{} }

var _ Flusher = (*sipFlow)(nil)

// Datagram implements Datagrams.
func (f *sipFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	if len(bytes.Trim(b, "\r\n\x00")) == 0 {
		return msgs, nil // a keep-alive (RFC 5626 section 3.5.1)
	}
	if !sniffSIPDatagram(b) && !isSIPExtension(b) {
		return msgs, errSIPKind
	}
	end := headEnd(b, 0)
	if end < 0 {
		return f.heads.head(dir, b, nil, true, msgs), nil
	}
	return f.heads.head(dir, b[:end], b[end:], false, msgs), nil
}

// isSIPExtension tells a request with a method that is not registered, by its
// URI.
func isSIPExtension(b []byte) bool {
	line, _ := cutLine(b)
	request, _, method, uri := startLine(line, sipVersion)
	return request && len(method) <= maxHTTPMethod && plainASCII(method) &&
		(bytes.HasPrefix(uri, []byte("sip:")) || bytes.HasPrefix(uri, []byte("sips:")))
}

// Flush implements Flusher.
func (f *sipFlow) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	return f.heads.ended(dir, msgs)
}

func (s *sipHeads) head(dir Dir, head, body []byte, cut bool, msgs []Message) []Message {
	line, rest := cutLine(head)
	request, _, first, second := startLine(line, sipVersion)
	m := &SIP{Truncated: cut}
	if request {
		m.Method, m.URI = text(first, maxHTTPMethod), text(second, maxSIPText)
	} else {
		m.Code, m.Reason = int(contentLength(first)), text(second, maxSIPText)
	}
	var login *Login
	var call, sequence []byte
	described := false
	for name, value, ok := nextField(&rest); ok; name, value, ok = nextField(&rest) {
		switch {
		case fieldIs(name, "from") || fieldIs(name, "f"):
			m.From = text(value, maxSIPText)
		case fieldIs(name, "to") || fieldIs(name, "t"):
			m.To = text(value, maxSIPText)
		case fieldIs(name, "call-id") || fieldIs(name, "i"):
			call = value[:min(len(value), maxSIPCall)]
		case fieldIs(name, "cseq"):
			sequence = value[:min(len(value), maxSIPSequence)]
		case fieldIs(name, "user-agent") || fieldIs(name, "server"):
			m.UserAgent = text(value, maxSIPText)
		case fieldIs(name, "content-type") || fieldIs(name, "c"):
			described = containsFold(value, "application/sdp")
		case request && (fieldIs(name, "authorization") || fieldIs(name, "proxy-authorization")):
			login = credentials("sip", value)
		}
	}
	msgs = append(msgs, m)
	if described && (request || m.Code < 300) {
		msgs = appendSDP(msgs, dir, body)
	}
	switch {
	case login != nil && m.Method != "ACK": // it repeats the proof of its INVITE (section 22.1)
		return s.requested(dir, login, call, sequence, msgs)
	case !request && m.Code >= 200:
		return s.responded(dir, m.Code, call, sequence, msgs)
	}
	return msgs
}

// requested notes a login, but not that of a request that is repeated.
func (s *sipHeads) requested(dir Dir, login *Login, call, sequence []byte, msgs []Message) []Message {
	if s.find(dir, call, sequence) >= 0 {
		return msgs
	}
	if len(s.waiting) == maxSIPWaiting {
		msgs = s.waiting[0].end(OutcomeUnknown, msgs)
		s.waiting = slices.Delete(s.waiting, 0, 1)
	}
	s.waiting = append(s.waiting, sipLogin{attempt{login, dir}, string(call), string(sequence)})
	return msgs
}

// responded tells the login of the request that is answered.
func (s *sipHeads) responded(dir Dir, code int, call, sequence []byte, msgs []Message) []Message {
	i := s.find(1-dir, call, sequence)
	if i < 0 {
		return msgs
	}
	msgs = s.waiting[i].end(statusOutcome(code), msgs)
	s.waiting = slices.Delete(s.waiting, i, i+1)
	return msgs
}

// find returns the index of the login that waits for a response to what from
// sent, -1 if there is none.
func (s *sipHeads) find(from Dir, call, sequence []byte) int {
	return slices.IndexFunc(s.waiting, func(w sipLogin) bool {
		return w.from == from && w.call == string(call) && w.sequence == string(sequence)
	})
}

func (s *sipHeads) ended(dir Dir, msgs []Message) []Message {
	for i := range s.waiting {
		msgs = s.waiting[i].flush(dir, msgs)
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(w sipLogin) bool { return w.login == nil })
	return msgs
}
