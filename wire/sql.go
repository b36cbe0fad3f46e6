package wire

import "bytes"

// maskSQL appends a statement of SQL without the data in it: strings become
// '?' (also those between dollar signs), numbers of eight digits and more ?,
// comments are left out, runs of blanks become one. What stands in a statement
// may be a password (ALTER ROLE) or somebody's name; what is done to which
// table is neither. src may be cut off anywhere. Where the end of a string
// cannot be told, the rest is left out.
func maskSQL(dst, src []byte) []byte {
	for len(src) > 0 {
		switch c := src[0]; {
		case c == '\'':
			rest, ok := afterString(src, escapes(dst))
			dst = placeholder(dst)
			if !ok {
				return dst
			}
			src = rest
		case c == '"':
			n := afterIdentifier(src)
			dst, src = append(dst, src[:n]...), src[n:]
		case c == '$':
			n := dollarQuote(src)
			if n == 0 {
				dst, src = append(dst, c), src[1:]
				continue
			}
			dst = placeholder(dst)
			end := bytes.Index(src[n:], src[:n])
			if end < 0 {
				return dst
			}
			src = src[n+end+n:]
		case c == '-' && len(src) > 1 && src[1] == '-':
			_, src, _ = bytes.Cut(src, []byte("\n"))
			dst = blank(dst)
		case c == '/' && len(src) > 1 && src[1] == '*':
			src = afterComment(src)
			dst = blank(dst)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			dst, src = blank(dst), src[1:]
		case isDigit(c):
			n := 1
			for n < len(src) && isDigit(src[n]) {
				n++
			}
			const long = 8 // telephone numbers, cards, accounts
			if n < long {
				dst = append(dst, src[:n]...)
			} else {
				dst = append(dst, '?')
			}
			src = src[n:]
		default:
			dst, src = append(dst, c), src[1:]
		}
	}
	return dst
}

// blank appends a blank unless there is one, or nothing.
func blank(dst []byte) []byte {
	if len(dst) == 0 || dst[len(dst)-1] == ' ' {
		return dst
	}
	return append(dst, ' ')
}

// placeholder appends what stands for a string. Two of them in a row would be
// one.
func placeholder(dst []byte) []byte {
	if len(dst) > 0 && dst[len(dst)-1] == '\'' {
		dst = append(dst, ' ')
	}
	return append(dst, "'?'"...)
}

// escapes reports whether backslashes escape in the string that follows: E'...'.
func escapes(before []byte) bool {
	n := len(before)
	if n == 0 || before[n-1]|0x20 != 'e' {
		return false
	}
	return n == 1 || !isAlnum(before[n-2]) && before[n-2] != '_'
}

// afterString passes over a string from its first quote on. ok is false if its
// end is not there, or if it cannot be told: a backslash before a quote escapes
// it on some servers and not on others.
func afterString(b []byte, escapes bool) (rest []byte, ok bool) {
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '\\' && (escapes || i+1 < len(b) && b[i+1] == '\\'):
			i++
		case b[i] == '\\' && i+1 < len(b) && b[i+1] == '\'':
			return nil, false
		case b[i] != '\'':
		case i+1 < len(b) && b[i+1] == '\'':
			i++
		default:
			return b[i+1:], true
		}
	}
	return nil, false
}

// afterIdentifier is the length of an identifier between quotes.
func afterIdentifier(b []byte) int {
	if i := bytes.IndexByte(b[1:], '"'); i >= 0 {
		return i + 2
	}
	return len(b)
}

// afterComment passes over a comment; they nest.
func afterComment(b []byte) []byte {
	depth := 0
	for i := 0; i+1 < len(b); i++ {
		switch {
		case b[i] == '/' && b[i+1] == '*':
			depth++
			i++
		case b[i] == '*' && b[i+1] == '/':
			if depth--; depth == 0 {
				return b[i+2:]
			}
			i++
		}
	}
	return nil
}

// dollarQuote is the length of a tag such as $$ or $body$, 0 if it is none.
func dollarQuote(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '$':
			return i + 1
		case !isAlnum(c) && c != '_' && c < 0x80 || i == 1 && isDigit(c):
			return 0
		}
	}
	return 0
}
