package wire

import (
	"bytes"
	"fmt"
)

// syslogStream is syslog over TCP (RFC 6587): messages with their length before
// them, or with a line end behind.
type syslogStream struct {
	flow syslogFlow
	left [2]int64 // of a message that was read as far as is of interest
	long [2]bool  // the same, up to a line end
}

const (
	// maxSyslogHead is how much of a message is looked at: priority, time, host
	// and program, at their longest.
	maxSyslogHead = 512
	// maxSyslogCount is as many digits as a length may have.
	maxSyslogCount = 5
)

var errSyslogFrame = fmt.Errorf("read syslog frame: %w", ErrMalformed)

var (
	_ Flusher = (*syslogStream)(nil)
	_ Skipper = (*syslogStream)(nil)
)

func newSyslogStream() Stream { return &syslogStream{} }

// sniffSyslogStream recognises a priority with a version or a date behind it,
// and a length before it or not.
func sniffSyslogStream(_ Dir, b []byte) Match {
	const enough = maxSyslogCount + 1 + len("<191>") + len("2026-03-14T09:26:53.123456789+01:00 ")
	_, message, ok := syslogCount(b)
	if !ok {
		return No
	}
	for i, c := range message[:min(len(message), len("<191>"))] {
		if c == '>' && i > 1 {
			break
		}
		if (i == 0) != (c == '<') || i > 0 && !isDigit(c) {
			return No
		}
	}
	m, rest, ok := syslogPriority(message)
	switch {
	case ok && (m.Version == 1 || syslogAnyDate(rest) > 0):
		return Yes
	case !ok && bytes.IndexByte(message[:min(len(message), len("<191>"))], '>') >= 0:
		return No
	case ok && len(rest) > 0 && rest[0] != '1' && !isDigit(rest[0]) && bytes.IndexByte([]byte("JFMASOND"), rest[0]) < 0:
		return No
	case len(b) >= enough:
		return No
	}
	return Maybe
}

// syslogCount splits the length off a message that may have one; 0 is none. It
// is not ok if b cannot begin a message.
func syslogCount(b []byte) (count int64, message []byte, ok bool) {
	n := 0
	for n < len(b) && n <= maxSyslogCount && isDigit(b[n]) {
		n++
	}
	switch {
	case n == 0:
		return 0, b, len(b) == 0 || b[0] == '<'
	case n > maxSyslogCount || b[0] == '0':
		return 0, nil, false
	case n == len(b):
		return 0, nil, true // its end is still to come
	case b[n] != ' ' || n+1 < len(b) && b[n+1] != '<':
		return 0, nil, false
	}
	return contentLength(b[:n]), b[n+1:], true
}

// Feed implements Stream.
func (s *syslogStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		rest := b[n:]
		switch {
		case s.left[dir] > 0:
			passed := min(s.left[dir], int64(len(rest)))
			s.left[dir] -= passed
			n += int(passed)
			continue
		case s.long[dir]:
			end := bytes.IndexByte(rest, '\n')
			s.long[dir] = end < 0
			if end < 0 {
				return len(b), msgs, nil
			}
			n += end + 1
			continue
		case rest[0] == '\n' || rest[0] == '\r' || rest[0] == 0: // between messages, or at their end
			n++
			continue
		}
		used, head, err := s.message(dir, rest)
		if used == 0 || err != nil {
			return n, msgs, err
		}
		n += used
		if m, text, ok := syslogPriority(head); ok {
			msgs = s.flow.tell(m, text, msgs)
		} else {
			return n, msgs, errSyslogFrame
		}
	}
	return n, msgs, nil
}

// message takes a message off b, as far as it is of interest; 0 bytes if that is
// incomplete.
func (s *syslogStream) message(dir Dir, b []byte) (used int, head []byte, err error) {
	count, text, ok := syslogCount(b)
	switch {
	case !ok:
		return 0, nil, errSyslogFrame
	case count > 0:
		want := int(min(count, maxSyslogHead))
		if len(text) < want {
			return 0, nil, nil
		}
		s.left[dir] = count - int64(want)
		return len(b) - len(text) + want, text[:want], nil
	}
	text = b[:min(len(b), maxSyslogHead)]
	end := bytes.IndexByte(text, '\n')
	switch {
	case end >= 0:
		return end + 1, text[:end], nil
	case len(text) < maxSyslogHead:
		return 0, nil, nil
	}
	s.long[dir] = true
	return len(text), text, nil
}

// Skip implements Skipper.
func (s *syslogStream) Skip(dir Dir) int64 {
	n := s.left[dir]
	s.left[dir] = 0
	return n
}

// Flush implements Flusher: the last line may have no end.
func (s *syslogStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if s.left[dir] > 0 || s.long[dir] {
		return msgs
	}
	if count, _, ok := syslogCount(b); !ok || count > 0 {
		return msgs
	}
	if m, text, ok := syslogPriority(b); ok {
		msgs = s.flow.tell(m, text, msgs)
	}
	return msgs
}
