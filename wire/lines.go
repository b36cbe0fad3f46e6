package wire

import (
	"bytes"
	"math"
)

// liner is a protocol over TCP that is a dialogue in lines of text.
type liner interface {
	// line appends what one line says, which comes without its end. cut is
	// set if it is only the beginning of a line that is too long, or whose end
	// was never seen. An error ends the stream.
	line(dir Dir, line []byte, cut bool, msgs []Message) ([]Message, error)
	// ended appends what there is to say when nothing more of dir can be read.
	ended(dir Dir, msgs []Message) []Message
}

// maxLine is how much of a line is looked at: twice what RFC 5321 section
// 4.5.3.1.6 demands of a server. The longest that matters is an NTLM message
// in base 64.
const maxLine = 2048

// bulky is a liner between whose lines bytes stand that are none.
type bulky interface {
	// pass returns how many of the next n bytes of dir are no lines, and regards
	// them as passed over.
	pass(dir Dir, n int64) int64
	// retained is what Retained says.
	retained() int
}

// lineStream takes a connection apart into lines.
type lineStream struct {
	liner liner
	bulky bulky   // the same, nil if it has lines alone
	long  [2]bool // the rest of a long line is being passed over
}

var (
	_ Flusher  = (*lineStream)(nil)
	_ Skipper  = (*lineStream)(nil)
	_ Retainer = (*lineStream)(nil)
)

func newLineStream(l liner) *lineStream {
	b, _ := l.(bulky)
	return &lineStream{liner: l, bulky: b}
}

// Feed implements Stream.
func (s *lineStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		rest := b[n:]
		if s.bulky != nil {
			if passed := s.bulky.pass(dir, int64(len(rest))); passed > 0 {
				n += int(passed)
				continue
			}
		}
		end := bytes.IndexByte(rest[:min(len(rest), maxLine)], '\n')
		if s.long[dir] {
			if end < 0 {
				n += min(len(rest), maxLine)
				continue
			}
			s.long[dir] = false
			n += end + 1
			continue
		}
		cut := end < 0
		if cut && len(rest) < maxLine {
			break
		}
		line, used := rest[:min(len(rest), maxLine)], min(len(rest), maxLine)
		if !cut {
			line, used = bytes.TrimRight(rest[:end], "\r"), end+1
		}
		s.long[dir] = cut
		n += used
		var err error
		if msgs, err = s.liner.line(dir, line, cut, msgs); err != nil {
			for d := range Dir(2) {
				msgs = s.liner.ended(d, msgs)
			}
			return n, msgs, err
		}
	}
	return n, msgs, nil
}

// Skip implements Skipper.
func (s *lineStream) Skip(dir Dir) int64 {
	if s.bulky == nil {
		return 0
	}
	return s.bulky.pass(dir, math.MaxInt64)
}

// Retained implements Retainer.
func (s *lineStream) Retained() int {
	if s.bulky == nil {
		return 0
	}
	return s.bulky.retained()
}

// Flush implements Flusher.
func (s *lineStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if len(b) > 0 && !s.long[dir] {
		msgs, _ = s.liner.line(dir, bytes.TrimRight(b, "\r"), true, msgs) // what it says is all there is
	}
	return s.liner.ended(dir, msgs)
}

// word splits the first word off a line. Blanks before the rest are dropped.
func word(line []byte) (first, rest []byte) {
	first, rest, _ = bytes.Cut(bytes.TrimLeft(line, " "), []byte(" "))
	return first, bytes.TrimLeft(rest, " ")
}

// isWord compares a word with one in upper case, as commands are: letter case
// does not count.
func isWord(w []byte, upper string) bool {
	if len(w) != len(upper) {
		return false
	}
	for i, c := range w {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return false
		}
	}
	return true
}

// command returns a command in upper case if it is one of the blank-separated
// list, "" if not: what is no command may be a secret at the wrong place.
func command(w []byte, list string) string {
	for list != "" {
		var name string
		name, list = cutWord(list)
		if isWord(w, name) {
			return name
		}
	}
	return ""
}

func cutWord(list string) (first, rest string) {
	for i := range len(list) {
		if list[i] == ' ' {
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// containsFold reports whether b contains lower, whatever the letter case.
func containsFold(b []byte, lower string) bool {
	for i := 0; i+len(lower) <= len(b); i++ {
		match := true
		for j := range len(lower) {
			c := b[i+j]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if c != lower[j] {
				match = false
				break
			}
		}
		if match {
			return true
		}
	}
	return false
}

// text copies at most n bytes of a line.
func text(b []byte, n int) string { return string(b[:min(len(b), n)]) }

// replyCode reads the code of a reply as FTP and SMTP have it (RFC 5321
// section 4.2): three digits; more is set if lines of the same reply follow.
func replyCode(line []byte) (code int, more, ok bool) {
	if len(line) < 3 || line[0] < '1' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return 0, false, false
	}
	if len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, false, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	return code, len(line) > 3 && line[3] == '-', true
}

// eachLine calls f for the complete lines at the head of b until it returns a
// verdict, and is Maybe if it never does.
func eachLine(b []byte, f func(i int, line []byte) (Match, bool)) Match {
	for i := 0; ; i++ {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return Maybe
		}
		if m, done := f(i, bytes.TrimRight(b[:end], "\r")); done {
			return m
		}
		b = b[end+1:]
	}
}

// opensWith judges the beginning of a line that is not complete: whether it
// may become one of the blank-separated words, in any letter case.
func opensWith(b []byte, list string) Match {
	for list != "" {
		var name string
		name, list = cutWord(list)
		n := min(len(b), len(name))
		if isWord(b[:n], name[:n]) && (len(b) <= len(name) || b[len(name)] == ' ' || b[len(name)] == '\r' || b[len(name)] == '\n') {
			return Maybe
		}
	}
	return No
}
