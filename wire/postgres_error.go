package wire

import "bytes"

// PgError is an error of the server. Of a statement, what the text quotes is
// left out. Each field has at most 256 bytes.
type PgError struct {
	Severity  string // in the language of the server
	Plain     string // the same as ERROR, FATAL or PANIC; since version 9.6
	Code      string // SQLSTATE
	Text      string
	Position  string // in the statement, characters
	File      string // of the server's source
	Line      string
	Routine   string
	Truncated bool
}

// pgErrorOf reads an error; masked leaves out what its text quotes.
func pgErrorOf(body []byte, masked bool) *PgError {
	e := &PgError{}
	for len(body) > 1 && body[0] != 0 {
		value, rest, ok := bytes.Cut(body[1:], []byte{0})
		field := e.field(body[0])
		if !ok {
			e.Truncated = true
		}
		if field != nil {
			*field = userText(value)
			if body[0] == 'M' && masked {
				*field = maskQuoted(*field)
			}
		}
		body = rest
	}
	return e
}

// field returns where a field of an error goes, nil if it is not kept: details
// and hints have values of the data in them.
func (e *PgError) field(kind byte) *string {
	switch kind {
	case 'S':
		return &e.Severity
	case 'V':
		return &e.Plain
	case 'C':
		return &e.Code
	case 'M':
		return &e.Text
	case 'P':
		return &e.Position
	case 'F':
		return &e.File
	case 'L':
		return &e.Line
	case 'R':
		return &e.Routine
	}
	return nil
}

// maskQuoted leaves out what stands between double quotes.
func maskQuoted(s string) string {
	var out []byte
	inside := false
	for i := range len(s) {
		if s[i] == '"' {
			if inside = !inside; inside {
				out = append(out, `"?"`...)
			}
		} else if !inside {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// pgOutcome reads the SQLSTATE of an error: class 28 is about who logs in.
func pgOutcome(body []byte) Outcome {
	for field := range bytes.SplitSeq(body, []byte{0}) {
		if len(field) == 6 && field[0] == 'C' && string(field[1:3]) == "28" {
			return Failed
		}
	}
	return OutcomeUnknown
}
