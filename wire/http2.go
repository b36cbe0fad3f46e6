package wire

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// HTTP/2 in clear (RFC 9113), with prior knowledge or after "Upgrade: h2c".
const (
	http2Preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // section 3.4
	http2FrameLen = 9

	http2Headers      = 1 // frame types (section 6)
	http2Settings     = 4
	http2PushPromise  = 5
	http2Continuation = 9

	http2EndHeaders = 0x04 // flags
	http2Padded     = 0x08
	http2Priority   = 0x20
)

const (
	// maxHTTP2Block bounds a header block, and maxHTTP2Table what a decoder
	// remembers of earlier ones: 4 KiB unless the ends agree on more.
	maxHTTP2Block = 64 << 10
	maxHTTP2Table = 64 << 10
	maxHTTP2Frame = 1 << 20 // far above the 16 KiB that ends begin with
	// maxHTTP2Waiting is the longest frame of headers that is waited for as a
	// whole: of a connection some 16 KiB are kept, and a longer one would not fit.
	maxHTTP2Waiting = 8 << 10
)

var (
	errHTTP2Kind  = fmt.Errorf("read http2 preface: %w", ErrNotMine)
	errHTTP2Frame = fmt.Errorf("read http2 frame: %w", ErrMalformed)
)

// http2Stream reads the requests and responses of one connection, for an
// httpStream whose client begins with the preface.
type http2Stream struct {
	half   [2]http2Half
	known  bool // the preface was read: one end is the client
	logins httpLogins
}

// http2Half is one direction.
type http2Half struct {
	begun   bool   // a preface was read, or a first frame where none is due
	left    int    // bytes of a frame that is passed over, still to come
	part    []byte // of a long frame
	decoder *hpack.Decoder
	block   []byte // of a header block that continues
	stream  uint32 // it belongs to
	fields  *http2Fields
}

// http2Fields takes the fields of one header block.
type http2Fields struct {
	request       HTTPRequest
	response      HTTPResponse
	authorization string
	query         *Login // of a target that holds a secret
}

// sniffHTTP2 recognises the client's preface, and the settings of a server that
// does not wait for it (section 3.4).
func sniffHTTP2(dir Dir, b []byte) Match {
	if len(b) > 0 && b[0] == 0 && dir == FromServer {
		return sniffHTTP2Settings(b)
	}
	return sniffHTTP2Preface(b)
}

// sniffHTTP2Settings recognises a SETTINGS frame with settings: one without
// says too little.
func sniffHTTP2Settings(b []byte) Match {
	// Length, type, flags, stream; the high byte of the first identifier.
	const settings = "\x00\x00.\x04\x00\x00\x00\x00\x00\x00"
	const each = 6 // bytes of a setting (section 6.5.1)
	for i, c := range b[:min(len(b), len(settings))] {
		switch {
		case i == 2 && c%each != 0, i != 2 && i != len(settings)-1 && c != settings[i]:
			return No
		case i == len(settings)-1 && b[2] > 0 && c != 0:
			return No
		}
	}
	if len(b) <= len(settings) || b[2] == 0 {
		return Maybe
	}
	const last = 9 // SETTINGS_NO_RFC7540_PRIORITIES, the highest in use
	return matchIf(b[len(settings)] >= 1 && b[len(settings)] <= last)
}

func sniffHTTP2Preface(b []byte) Match {
	n := min(len(b), len(http2Preface))
	switch {
	case string(b[:n]) != http2Preface[:n]:
		return No
	case n < len(http2Preface):
		return Maybe
	}
	return Yes
}

// Feed is that of Stream.
func (s *http2Stream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	h, n := &s.half[dir], 0
	if len(b) == 0 {
		return 0, msgs, nil
	}
	if !h.begun {
		switch m := sniffHTTP2Preface(b); {
		case m == Yes && !s.known:
			n, s.known = len(http2Preface), true
		case m == Maybe && !s.known:
			return 0, msgs, nil
		case s.known: // who answers has no preface
		case s.half[dir.Other()].begun || sniffHTTP2Settings(b) == No:
			return 0, msgs, errHTTP2Kind
		}
		h.begun = true
	}
	for n < len(b) {
		used, out, err := s.frame(dir, b[n:], msgs)
		n, msgs = n+used, out
		if err != nil {
			return n, s.logins.flush(FromServer, s.logins.flush(FromClient, msgs)), err
		}
		if used == 0 {
			break
		}
	}
	return n, msgs, nil
}

// Skip is that of Skipper: bodies need not be fed.
func (s *http2Stream) Skip(dir Dir) int64 {
	left := s.half[dir].left
	s.half[dir].left = 0
	return int64(left)
}

// Flush is that of Flusher.
func (s *http2Stream) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	return s.logins.flush(dir, msgs)
}

// Retained is that of Retainer.
func (s *http2Stream) Retained() int {
	n := 0
	for i := range s.half {
		n += cap(s.half[i].block) + cap(s.half[i].part)
		if s.half[i].decoder != nil {
			n += maxHTTP2Table / 8 // what tables of 4 KiB take, mostly
		}
	}
	return n
}

// frame consumes one frame, or a part of one that is passed over, 0 bytes if it
// is incomplete.
func (s *http2Stream) frame(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	h := &s.half[dir]
	if h.left > 0 {
		used := min(h.left, len(b))
		h.left -= used
		return used, msgs, nil
	}
	if len(h.part) > 0 {
		return s.gather(dir, b, msgs)
	}
	if len(b) < http2FrameLen {
		return 0, msgs, nil
	}
	size, kind, flags := int(b[0])<<16|int(b[1])<<8|int(b[2]), b[3], b[4]
	stream := binary.BigEndian.Uint32(b[5:]) &^ (1 << 31)
	if size > maxHTTP2Frame || (len(h.block) > 0) != (kind == http2Continuation) {
		return 0, msgs, errHTTP2Frame
	}
	switch kind {
	case http2Headers, http2PushPromise, http2Continuation:
	default:
		h.left = size
		return http2FrameLen, msgs, nil
	}
	if size > maxHTTP2Block || len(h.block)+size > maxHTTP2Block {
		return 0, msgs, errHTTP2Frame
	}
	switch {
	case len(b) >= http2FrameLen+size:
	case size > maxHTTP2Waiting:
		h.part = append(h.part, b...)
		return len(b), msgs, nil
	default:
		return 0, msgs, nil
	}
	part, ok := http2Fragment(kind, flags, b[http2FrameLen:http2FrameLen+size])
	if !ok || stream == 0 {
		return 0, msgs, errHTTP2Frame
	}
	if kind != http2Continuation {
		h.stream = stream
	}
	if flags&http2EndHeaders == 0 {
		h.block = append(h.block, part...)
		if len(h.block) == 0 {
			return 0, msgs, errHTTP2Frame // an empty beginning, which only attackers send
		}
		return http2FrameLen + size, msgs, nil
	}
	if len(h.block) > 0 {
		part = append(h.block, part...)
		h.block = nil
	}
	msgs, err := s.headers(dir, part, msgs)
	return http2FrameLen + size, msgs, err
}

// gather puts a long frame together.
func (s *http2Stream) gather(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	h := &s.half[dir]
	size := int(h.part[0])<<16 | int(h.part[1])<<8 | int(h.part[2])
	n := min(http2FrameLen+size-len(h.part), len(b))
	h.part = append(h.part, b[:n]...)
	if len(h.part) < http2FrameLen+size {
		return n, msgs, nil
	}
	whole := h.part
	h.part = nil
	_, msgs, err := s.frame(dir, whole, msgs)
	return n, msgs, err
}

// http2Fragment returns the part of a header block in the payload of a frame,
// without padding, priority and promised stream (sections 6.2 and 6.6).
func http2Fragment(kind, flags uint8, b []byte) ([]byte, bool) {
	padding := 0
	if flags&http2Padded != 0 && kind != http2Continuation {
		if len(b) == 0 {
			return nil, false
		}
		padding, b = int(b[0]), b[1:]
	}
	skip := 0
	switch {
	case kind == http2PushPromise:
		skip = 4
	case kind == http2Headers && flags&http2Priority != 0:
		skip = 5
	}
	if len(b) < skip+padding {
		return nil, false
	}
	return b[skip : len(b)-padding], true
}

// headers decodes a header block, which must be done for each, as it may refer
// to earlier ones, and tells a request or a response.
func (s *http2Stream) headers(dir Dir, block []byte, msgs []Message) ([]Message, error) {
	h := &s.half[dir]
	if h.decoder == nil {
		h.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { h.fields.add(f.Name, f.Value) })
		h.decoder.SetAllowedMaxDynamicTableSize(maxHTTP2Table)
		h.decoder.SetMaxStringLength(maxHTTP2Block)
	}
	h.fields = &http2Fields{
		request:  HTTPRequest{Version: "HTTP/2", Stream: h.stream, Length: -1},
		response: HTTPResponse{Version: "HTTP/2", Stream: h.stream, Length: -1},
	}
	if _, err := h.decoder.Write(block); err != nil {
		return msgs, errHTTP2Frame
	}
	if err := h.decoder.Close(); err != nil {
		return msgs, errHTTP2Frame
	}
	q, r := &h.fields.request, &h.fields.response
	switch {
	case q.Method != "":
		if login := httpScheme([]byte(h.fields.authorization)); login != nil {
			s.logins.wait(httpLogin{request: h.stream, from: dir, login: login})
		}
		if h.fields.query != nil {
			s.logins.waitForm(h.stream, dir, h.fields.query)
		}
		return append(msgs, q), nil
	case r.Status >= 200:
		return s.logins.responded(h.stream, r, append(msgs, r)), nil
	case r.Status > 0:
		return append(msgs, r), nil
	}
	return msgs, nil // trailers
}

// add takes one field of a block. Names are in lower case (section 8.2).
func (f *http2Fields) add(name, value string) {
	q, r := &f.request, &f.response
	text := func() string { return fieldText([]byte(value)) }
	switch name {
	case ":method":
		q.Method = value[:min(len(value), maxHTTPMethod)]
	case ":path":
		q.Target, f.query = redactQuery(value)
		q.Target = strings.Clone(q.Target[:min(len(q.Target), maxHTTPTarget)])
	case ":authority":
		q.Host = text()
	case "host":
		if q.Host == "" {
			q.Host = text()
		}
	case ":status":
		if n, err := strconv.ParseUint(value, 10, 16); err == nil && len(value) == 3 {
			r.Status = int(n)
		}
	case "user-agent":
		q.UserAgent = text()
	case "referer":
		q.Referer, _ = redactQuery(text())
	case "server":
		r.Server = text()
	case "content-type":
		q.ContentType = text()
		r.ContentType = q.ContentType
	case "location":
		r.Location, _ = redactQuery(text())
	case "content-length":
		q.Length = contentLength([]byte(value))
		r.Length = q.Length
	case "authorization":
		f.authorization = value
		q.AuthScheme = authScheme([]byte(value), true)
	case "www-authenticate":
		r.AuthScheme = authScheme([]byte(value), false)
	}
}
