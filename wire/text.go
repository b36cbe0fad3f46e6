package wire

import (
	"strings"
	"unicode"
)

// plainText makes a name or label sent by a device fit to show: valid UTF-8,
// without control characters and surrounding blanks. Many stacks count a
// final NUL in the length.
func plainText(b []byte) string {
	if plainASCII(b) {
		return string(trimBlanks(b))
	}
	s := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(b), "\uFFFD"))
	return strings.TrimSpace(s)
}

// plainASCII reports whether b is fit to show as it is, as nearly all names are.
func plainASCII(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// trimBlanks cuts off what surrounds b, of ASCII.
func trimBlanks(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// Bounds of an interner: 512 KiB of text.
const (
	maxInterned     = 2048
	maxInternedText = 256
)

// interner makes equal texts one string, so that only the first of them is
// allocated: devices say the same names all day. It belongs to one goroutine. A
// nil *interner remembers nothing.
type interner struct {
	known map[string]string
	last  [4]string // looked up last, and often asked for next
	turn  uint8     // the oldest of them
}

// text returns b as a string.
func (t *interner) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	for i := range t.last {
		if s := t.last[i]; s == string(b) {
			return s
		}
	}
	s, ok := t.known[string(b)]
	if !ok {
		s = string(b)
		if t.known == nil || len(t.known) >= maxInterned {
			t.known = make(map[string]string)
		}
		if len(s) <= maxInternedText {
			t.known[s] = s
		}
	}
	t.last[t.turn] = s
	t.turn = (t.turn + 1) % uint8(len(t.last))
	return s
}

// plain is plainText of what may have been said before.
func (t *interner) plain(b []byte) string {
	if t != nil && plainASCII(b) {
		return t.text(trimBlanks(b))
	}
	return plainText(b)
}
