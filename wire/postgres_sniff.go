package wire

import (
	"bytes"
	"encoding/binary"
)

// sniffPostgreSQL recognises a startup message by its length, its version and
// its parameters, or a request for encryption or cancellation; and a simple
// query or what answers one, where a session is joined that has long begun.
func sniffPostgreSQL(_ Dir, b []byte) Match {
	switch {
	case len(b) == 0:
		return Maybe
	case b[0] == 'Q':
		return sniffPgQuery(b)
	case b[0] != 0:
		return sniffPgAnswer(b)
	}
	n := min(len(b), 8)
	if n > 0 && b[0] != 0 || n > 1 && b[1] != 0 {
		return No
	}
	if n < 8 {
		request := [8]byte{0, 0, 0, 8, 4, 210, 22, 47} // length 8, code 80877103 or ...104
		startup := n < 5 || b[4] == 0 && (n < 6 || b[5] == pgMajor)
		cancel := n < 5 || b[2] <= 1 && bytes.Equal(b[4:n], request[4:n])
		return maybeIf(startup || cancel || bytes.Equal(b[:n], request[:n]))
	}
	size, code := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	switch {
	case size == 8 && (code == pgTLSRequest || code == pgGSSRequest):
		return Yes
	case code == pgCancel: // process, and a key of 4 bytes, since 3.2 of up to 256
		return matchIf(size >= 16 && size <= 12+256)
	case code>>16 != pgMajor || code&0xffff > maxPgMinor || size < 16 || size > maxPgLogin:
		return No
	}
	return sniffPgParameters(b[8:min(len(b), int(size))], len(b) >= int(size))
}

// sniffPgQuery: a length, and a text that begins with a word and that a zero
// ends where the length says.
func sniffPgQuery(b []byte) Match {
	const head, shortest = 1 + 4, 4 + 2 + 1 // a word of two letters, and zero
	if len(b) > 1 && b[1] != 0 || len(b) > 2 && b[2] != 0 {
		return No
	}
	if len(b) < head {
		return Maybe
	}
	size := int(binary.BigEndian.Uint32(b[1:]))
	if size < shortest || size > maxPgLogin {
		return No
	}
	text := b[head:min(len(b), 1+size)]
	for i, c := range text[:min(len(text), size-head)] {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || i < 2 && !isPgName(c) && c != '-' && c != '/' && c != ' ' && c != '(' {
			return No
		}
	}
	if len(b) < 1+size {
		return Maybe
	}
	return matchIf(text[len(text)-1] == 0)
}

// sniffPgAnswer: messages of a server up to one that says that it is ready for
// another query.
func sniffPgAnswer(b []byte) Match {
	const head, ready, longest = 1 + 4, 5, 1 << 16
	for len(b) > 0 {
		switch b[0] {
		case 'T', 'D', 'C', 'E', 'N', 'S', 'I', '1', '2', '3', 't', 'n', 's', 'Z':
		default:
			return No
		}
		if len(b) > 1 && b[1] != 0 {
			return No
		}
		if len(b) < head {
			return Maybe
		}
		size := int(binary.BigEndian.Uint32(b[1:]))
		if size < 4 || size > longest || b[0] == 'Z' && size != ready {
			return No
		}
		if len(b) < 1+size {
			return Maybe
		}
		if b[0] == 'Z' {
			return matchIf(b[head] == 'I' || b[head] == 'T' || b[head] == 'E')
		}
		b = b[1+size:]
	}
	return Maybe
}

// sniffPgParameters recognises the parameters of a session. Most clients begin
// with one of a few; of others the user must be among them, without whom there
// is no session.
func sniffPgParameters(b []byte, whole bool) Match {
	for {
		for _, name := range [...]string{"user\x00", "database\x00", "application_name\x00", "client_encoding\x00"} {
			if prefix(b, []byte(name)) == Yes {
				return Yes
			}
		}
		i := 0
		for i < len(b) && i <= maxPgName && isPgName(b[i]) {
			i++
		}
		if i == len(b) {
			return maybeIf(!whole)
		}
		if i == 0 || b[i] != 0 {
			return No
		}
		value := bytes.IndexByte(b[i+1:], 0)
		if value < 0 {
			return maybeIf(!whole)
		}
		b = b[i+1+value+1:]
	}
}

// isPgName tells the letters of the name of a parameter; a dot separates that
// of an extension from its own.
func isPgName(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || isDigit(c) || c == '_' || c == '.'
}
