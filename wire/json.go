package wire

import (
	"bytes"
	"encoding/json"
	"iter"
)

// jsonMembers calls f for the members of a JSON object (RFC 8259) whose values
// are neither objects nor arrays, as far as it can be read: with a string as it
// stands between its quotes, or a number, true, false or null.
func jsonMembers(b []byte, f func(name, value []byte)) {
	depth := 0
	var name []byte // of the member whose value comes next; nil before a name
	named := false
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '{' || c == '[':
			depth++
			i++
			named = false
		case c == '}' || c == ']':
			depth--
			i++
			named = false
		case c == ',':
			named = false
			i++
		case c == ':':
			named = true
			i++
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
		default:
			value, used := jsonScalar(b[i:])
			if used == 0 {
				return
			}
			i += used
			switch {
			case depth != 1:
			case !named:
				name = value
			default:
				f(name, value)
			}
		}
	}
}

// jsonFields are the members of objects whose values are strings, at any depth.
// What is not of the form "name": "value" is passed over, and escapes stay as
// they were sent.
func jsonFields(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for {
			name, rest, ok := jsonString(b)
			if !ok {
				return
			}
			b = rest
			rest = bytes.TrimLeft(rest, " \t\r\n")
			if len(rest) == 0 || rest[0] != ':' {
				continue
			}
			rest = bytes.TrimLeft(rest[1:], " \t\r\n")
			if len(rest) == 0 || rest[0] != '"' {
				continue
			}
			value, rest, ok := jsonString(rest)
			if !ok || !yield(name, value) {
				return
			}
			b = rest
		}
	}
}

// jsonString finds the next string.
func jsonString(b []byte) (value, rest []byte, ok bool) {
	start := bytes.IndexByte(b, '"')
	if start < 0 {
		return nil, nil, false
	}
	value, used := jsonScalar(b[start:])
	return value, b[start+used:], used > 0
}

// jsonScalar returns the string or word at the head of b and how many bytes it
// takes, 0 if it has no end.
func jsonScalar(b []byte) (value []byte, used int) {
	if b[0] == '"' {
		for i := 1; i < len(b); i++ {
			switch b[i] {
			case '\\':
				i++
			case '"':
				return b[1:i], i + 1
			}
		}
		return nil, 0
	}
	for i, c := range b {
		switch c {
		case ',', ':', '}', ']', ' ', '\t', '\r', '\n', '"':
			return b[:i], i
		}
	}
	return nil, 0
}

// jsonText copies what stands between the quotes of a string, with its escapes
// undone, at most n bytes of it.
func jsonText(b []byte, n int) string {
	for _, c := range b {
		if c != '\\' {
			continue
		}
		quoted := make([]byte, 0, len(b)+2)
		quoted = append(append(append(quoted, '"'), b...), '"')
		var s string
		if json.Unmarshal(quoted, &s) == nil {
			return s[:min(len(s), n)]
		}
		break
	}
	return text(b, n)
}
