package wire

import (
	"bytes"
	"fmt"
)

// headed is a protocol over TCP whose messages look like those of HTTP: a
// start line, fields, an empty line and a body of Content-Length.
type headed interface {
	// sniff tells whether b is, or may become, the head of a message.
	sniff(b []byte) Match
	// head appends what a head says; cut is set if its end was never seen. body
	// is what of the body has come with it.
	head(dir Dir, head, body []byte, cut bool, msgs []Message) []Message
	// ended appends what there is to say when nothing more of dir can be read.
	ended(dir Dir, msgs []Message) []Message
}

// headStream takes a connection apart into heads and passes over bodies and
// the binary frames that RTSP puts between them (RFC 2326 section 10.12).
type headStream struct {
	headed  headed
	left    [2]int64
	scanned [2]int
}

var (
	_ Flusher = (*headStream)(nil)
	_ Skipper = (*headStream)(nil)
)

var errHeadKind = fmt.Errorf("read head: another protocol, or longer than 32 KiB: %w", ErrMalformed)

// Feed implements Stream.
func (s *headStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		rest := b[n:]
		if s.left[dir] > 0 {
			passed := int(min(s.left[dir], int64(len(rest))))
			s.left[dir] -= int64(passed)
			n += passed
			continue
		}
		if rest[0] == '\r' || rest[0] == '\n' || rest[0] == 0 { // keep-alives and empty lines
			n++
			continue
		}
		if rest[0] == '$' {
			if len(rest) < 4 {
				break
			}
			n += 4
			s.left[dir] = int64(rest[2])<<8 | int64(rest[3])
			continue
		}
		end := headEnd(rest, s.scanned[dir])
		if end < 0 && len(rest) <= maxHTTPHead && s.headed.sniff(rest) != No {
			s.scanned[dir] = len(rest)
			break
		}
		s.scanned[dir] = 0
		if end < 0 || s.headed.sniff(rest) != Yes {
			for d := range Dir(2) {
				msgs = s.headed.ended(d, msgs)
			}
			return n, msgs, errHeadKind
		}
		s.left[dir] = max(0, headLength(rest[:end]))
		body := rest[end:min(int64(len(rest)), int64(end)+min(s.left[dir], int64(len(rest))))]
		msgs = s.headed.head(dir, rest[:end], body, false, msgs)
		n += end
	}
	return n, msgs, nil
}

// Skip implements Skipper.
func (s *headStream) Skip(dir Dir) int64 {
	n := s.left[dir]
	s.left[dir] = 0
	return n
}

// Flush implements Flusher.
func (s *headStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if s.left[dir] == 0 && s.headed.sniff(b) == Yes {
		msgs = s.headed.head(dir, b, nil, true, msgs)
	}
	return s.headed.ended(dir, msgs)
}

// headLength is the Content-Length of a head, -1 if it has none.
func headLength(head []byte) int64 {
	_, rest := cutLine(head)
	for name, value, ok := nextField(&rest); ok; name, value, ok = nextField(&rest) {
		if fieldIs(name, "content-length") || fieldIs(name, "l") {
			return contentLength(value)
		}
	}
	return -1
}

// startLine splits "METHOD target VERSION" or "VERSION code reason"; version is
// as given, such as "RTSP/1.". It reports which of the two it is.
func startLine(line []byte, version string) (request, response bool, first, second []byte) {
	if bytes.HasPrefix(line, []byte(version)) {
		v, rest := word(line)
		code, reason := word(rest)
		if len(v) == len(version)+1 && len(code) == 3 && isDigit(code[0]) && isDigit(code[1]) && isDigit(code[2]) {
			return false, true, code, reason
		}
		return false, false, nil, nil
	}
	method, rest := word(line)
	i := bytes.LastIndexByte(rest, ' ')
	if i <= 0 || !bytes.HasPrefix(rest[i+1:], []byte(version)) || len(rest)-i-1 != len(version)+1 {
		return false, false, nil, nil
	}
	return true, false, method, rest[:i]
}

// sniffHead recognises a start line with this version and one of the methods.
func sniffHead(b []byte, version, methods string) Match {
	if prefix(b, []byte(version)) == No && opensWith(b, methods) == No {
		return No
	}
	return eachLine(b, func(_ int, line []byte) (Match, bool) {
		request, response, method, _ := startLine(line, version)
		return matchIf(response || request && command(method, methods) != ""), true
	})
}

// credentials reads the value of an Authorization field: who logs in to
// service. Nil if there is no user in it.
func credentials(service string, value []byte) *Login {
	l := httpScheme(value)
	if l != nil {
		l.Service = service
	}
	return l
}
