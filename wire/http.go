package wire

import (
	"bytes"
	"fmt"
	"math"
)

// Bounds of the HTTP parser.
const (
	// maxHTTPHead bounds a head; servers allow 8 to 16 KiB by default.
	maxHTTPHead = 32 << 10
	// maxHTTPMethod is longer than every method in the IANA registry
	// ("UPDATEREDIRECTREF" has 17 characters).
	maxHTTPMethod = 24
	maxHTTPTarget = 2048
	maxHTTPField  = 1024
	// maxHTTPQueue bounds the requests that wait for a response. Browsers
	// that pipelined at all had 4 to 32 under way.
	maxHTTPQueue = 64
	maxChunkLine = 256
)

var (
	errHTTPKind  = fmt.Errorf("read http start line: %w", ErrNotMine)
	errHTTPLong  = fmt.Errorf("read http head: longer than 32 KiB: %w", ErrMalformed)
	errHTTPChunk = fmt.Errorf("read http chunk size: %w", ErrMalformed)
)

// httpStream follows the requests and responses of one HTTP connection, passing
// over their bodies.
type httpStream struct {
	begun  bool         // bytes have been consumed
	two    *http2Stream // reads everything if the client speaks HTTP/2
	half   [2]httpHalf
	queue  httpQueue
	logins httpLogins
}

// httpHalf is one direction.
type httpHalf struct {
	phase   httpPhase
	left    int64 // bytes of the body or chunk still to come
	scanned int   // bytes of the unfinished head that hold no end of head
	form    httpForm
	counted bool  // the end of this body is to be told
	unasked bool  // its request was not seen: after a HEAD it does not come
	size    int64 // of it so far, and of what is passed over
}

type httpPhase uint8

const (
	phaseHead      httpPhase = iota
	phaseBody                // left bytes, then a head
	phaseChunkSize           // a line with the size of the next chunk
	phaseChunk               // left bytes and the line end that closes the chunk
	phaseTrailer             // fields after the last chunk, up to an empty line
	phaseForm                // left bytes of a form, then a head
	phaseConnect             // a CONNECT waits for its answer
	phaseOpaque              // until the connection closes
)

func newHTTPStream() Stream { return &httpStream{} }

var (
	_ Flusher   = (*httpStream)(nil)
	_ Skipper   = (*httpStream)(nil)
	_ Unskipper = (*httpStream)(nil)
	_ Retainer  = (*httpStream)(nil)
)

// Retained implements Retainer.
func (s *httpStream) Retained() int {
	if s.two == nil {
		return 0
	}
	return s.two.Retained()
}

// Feed implements Stream.
func (s *httpStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	if !s.begun && s.two == nil {
		switch sniffHTTP2(dir, b) {
		case Yes:
			s.two = &http2Stream{}
		case Maybe:
			return 0, msgs, nil
		case No:
		}
	}
	if s.two != nil && s.disagree(dir, b) {
		s.two, s.half[dir.Other()].phase = nil, phaseOpaque
	}
	if s.two != nil {
		return s.two.Feed(dir, b, msgs)
	}
	h, n := &s.half[dir], 0
	for n < len(b) {
		used, err := 0, error(nil)
		if h.unsure() && h.answersHead(b[n:]) == Maybe {
			break
		}
		switch h.phase {
		case phaseHead:
			used, msgs, err = s.head(dir, b[n:], h.bodyTold(msgs))
		case phaseBody, phaseChunk:
			if used = h.body(len(b) - n); h.phase == phaseHead {
				msgs = h.bodyTold(msgs)
			}
		case phaseForm:
			used = s.form(dir, b[n:])
		case phaseChunkSize:
			used, err = h.chunkSize(b[n:])
			h.size += int64(used)
		case phaseTrailer:
			if used, err = h.trailer(b[n:]); h.phase == phaseHead {
				msgs = h.bodyTold(msgs)
			}
		case phaseOpaque:
			used = len(b) - n
			h.size += int64(used)
		}
		n += used
		s.begun = s.begun || used > 0
		if err != nil {
			return n, s.logins.flush(FromServer, s.logins.flush(FromClient, msgs)), err
		}
		if used == 0 {
			break
		}
	}
	if other := &s.half[dir.Other()]; h.phase == phaseOpaque && other.phase == phaseOpaque && !h.counted && !other.counted {
		return n, msgs, ErrDone
	}
	return n, msgs, nil
}

// disagree tells a client of HTTP/1 whose server began with HTTP/2: what that
// says will not be an answer.
func (s *httpStream) disagree(dir Dir, b []byte) bool {
	return !s.two.known && s.two.half[dir.Other()].begun && sniffHTTP2Preface(b) == No && sniffHTTP(dir, b) == Yes
}

// Skip implements Skipper: bodies need not be fed.
func (s *httpStream) Skip(dir Dir) int64 {
	if s.two != nil {
		return s.two.Skip(dir)
	}
	h := &s.half[dir]
	if h.unsure() {
		return 0
	}
	switch h.phase {
	case phaseOpaque:
		n := math.MaxInt64 - h.size // so that the sum fits
		h.size += n
		return n
	case phaseBody, phaseChunk:
		n := h.left
		h.left = 0
		h.size += n
		h.bodyEnd()
		return n
	}
	return 0
}

// Unskip implements Unskipper.
func (s *httpStream) Unskip(dir Dir, left int64) { s.half[dir].size -= left }

// Flush implements Flusher: it reads the head as far as it goes, if its first
// line is complete.
func (s *httpStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if s.two != nil {
		return s.two.Flush(dir, b, msgs)
	}
	h := &s.half[dir]
	switch h.phase {
	case phaseHead:
		msgs = h.bodyTold(msgs)
	case phaseOpaque:
		return s.logins.flush(dir, h.bodyTold(msgs))
	default: // a body that is not complete
		return s.logins.flush(dir, msgs)
	}
	return s.logins.flush(dir, s.flushHead(h, b, msgs))
}

func (s *httpStream) flushHead(h *httpHalf, b []byte, msgs []Message) []Message {
	h.phase = phaseOpaque
	b = skipEmptyLines(b)
	if bytes.IndexByte(b, '\n') < 0 {
		return msgs
	}
	if m, _ := parseHTTPResponse(b); m != nil {
		m.Truncated = true
		return append(msgs, m)
	}
	if m, _ := parseHTTPRequest(b); m != nil {
		m.Truncated = true
		return append(msgs, m)
	}
	return msgs
}

// head consumes one head, 0 bytes if it is incomplete. Empty lines before it
// are passed over, as RFC 9112 section 2.2 asks of servers.
func (s *httpStream) head(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	h := &s.half[dir]
	if lead := len(b) - len(skipEmptyLines(b)); lead > 0 {
		return lead, msgs, nil
	}
	if len(b) == 1 && b[0] == '\r' { // half an empty line
		return 0, msgs, nil
	}
	if !s.begun {
		if target, n := simpleRequest(b); n > 0 {
			h.phase = phaseOpaque
			s.queue.push(kindSimple)
			return n, append(msgs, &HTTPRequest{Method: "GET", Target: string(target), Length: -1}), nil
		}
	} else if s.queue.next() == kindSimple && h.phase == phaseHead {
		switch sniffStatusLine(b) {
		case No:
			h.phase = phaseOpaque
			return len(b), msgs, nil
		case Maybe:
			return 0, msgs, nil
		case Yes: // the server knows no HTTP/0.9
		}
	}
	end := headEnd(b, h.scanned)
	if end < 0 {
		if sniffHTTP(dir, b) == No {
			return 0, msgs, errHTTPKind
		}
		if len(b) > maxHTTPHead {
			return 0, msgs, errHTTPLong
		}
		h.scanned = len(b)
		return 0, msgs, nil
	}
	h.scanned = 0
	if m, framing := parseHTTPResponse(b[:end]); m != nil {
		msgs = append(msgs, m)
		m.Waiting = s.queue.waiting()
		if m.Status >= 200 && s.queue.count > 0 {
			msgs = s.logins.responded(s.queue.popped, m, msgs)
		}
		return end, msgs, s.responded(dir, m, framing)
	}
	m, framing := parseHTTPRequest(b[:end])
	if m == nil {
		return 0, msgs, errHTTPKind
	}
	number, known := s.queue.popped+uint32(s.queue.count), s.queue.count < maxHTTPQueue
	if known {
		s.logins.requested(dir, b[:end], m, number)
		if framing.query != nil {
			s.logins.waitForm(number, dir, framing.query)
		}
	}
	s.requested(dir, m, framing)
	if h.form = formOf(m, number); known && h.phase == phaseBody && h.form.kind != formNone {
		h.phase = phaseForm
	}
	return end, append(msgs, m), nil
}

func (s *httpStream) requested(dir Dir, m *HTTPRequest, framing httpFraming) {
	h := &s.half[dir]
	switch m.Method {
	case "CONNECT":
		s.queue.push(kindConnect)
		h.phase = phaseConnect
		return
	case "HEAD":
		s.queue.push(kindHead)
	default:
		s.queue.push(kindPlain)
	}
	h.enter(framing, false)
}

// responded sets what follows the head of a response (RFC 9112 section 6.3).
func (s *httpStream) responded(dir Dir, m *HTTPResponse, framing httpFraming) error {
	h := &s.half[dir]
	if m.Status == 101 {
		return ErrUpgrade
	}
	if m.Status < 200 { // an interim response; the final one is still to come
		return nil
	}
	unasked := s.queue.count == 0
	kind := s.queue.pop()
	if kind == kindConnect {
		if m.Status < 300 {
			return ErrUpgrade
		}
		s.half[dir.Other()].phase = phaseHead
	}
	if kind == kindHead || m.Status == 204 || m.Status == 304 {
		return nil
	}
	h.enter(framing, true)
	h.unasked = unasked && (h.counted || h.phase == phaseBody)
	h.counted = h.counted || h.unasked
	return nil
}

// enter moves to the phase after a head. Without framing a request has no
// body, and that of a response ends with the connection.
func (h *httpHalf) enter(framing httpFraming, response bool) {
	h.size = 0
	h.counted = response && (framing.chunked || framing.length < 0) && !framing.ambiguous()
	switch {
	case framing.ambiguous():
		h.phase = phaseOpaque
	case framing.chunked:
		h.phase = phaseChunkSize
	case framing.length > 0:
		h.phase, h.left = phaseBody, framing.length
	case framing.length < 0 && response:
		h.phase = phaseOpaque
	}
}

// headEnd returns the offset after the empty line that ends a head, -1 if
// there is none. The first scanned bytes are known not to hold its end.
func headEnd(b []byte, scanned int) int {
	off := max(scanned-2, 0) // the line end before may belong to the empty line
	for {
		i := bytes.IndexByte(b[off:], '\n')
		if i < 0 {
			return -1
		}
		off += i + 1
		switch rest := b[off:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return off + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return off + 2
		}
	}
}

func skipEmptyLines(b []byte) []byte {
	for {
		switch {
		case len(b) > 0 && b[0] == '\n':
			b = b[1:]
		case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
			b = b[2:]
		default:
			return b
		}
	}
}
