package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// MySQL is the start of a session with a MySQL or MariaDB server (chapter
// "Connection Phase" of the MySQL internals). What follows the login is not
// read.
type MySQL struct {
	Version  string // of the server, at most 64 bytes; "" if its greeting was not seen
	User     string // at most 256 bytes
	Database string // at most 256 bytes
	Plugin   string // authentication method of the client
	TLS      bool   // the session goes on encrypted; the user is not shown
	Error    int    // code of the server's error, 0 if none: 1045 access denied
}

// Protocol implements Message.
func (*MySQL) Protocol() string { return "mysql" }

// Capabilities of the client.
const (
	mysqlWithDatabase = 1 << 3
	mysqlTLS          = 1 << 11
	mysqlSecure       = 1 << 15
	mysqlPluginAuth   = 1 << 19
	mysqlLongAuth     = 1 << 21

	maxMySQLPacket  = 8 << 10
	maxMySQLVersion = 64
	mysqlClear      = "mysql_clear_password"
)

var errMySQLPacket = fmt.Errorf("read mysql packet: %w", ErrMalformed)

// mysqlFraming follows the packets up to the end of the login.
type mysqlFraming struct {
	msg     MySQL
	empty   bool // the first proof had no bytes
	client  Dir
	attempt attempt
	told    bool
}

func newMySQLStream() Stream { return &framedStream{framing: &mysqlFraming{}, head: maxMySQLPacket} }

// sniffMySQL recognises the server's greeting, packet 0 of protocol 10 with a
// version in digits, and the client's answer to it, packet 1 with its reserved
// zeros.
func sniffMySQL(dir Dir, b []byte) Match {
	if len(b) > 2 && b[2] != 0 || len(b) > 1 && b[1] > 3 {
		return No
	}
	switch {
	case len(b) < 4:
		return Maybe
	case b[3] == 0 && len(b) > 4 && b[4] == 0xff:
		return sniffMySQLError(b)
	case b[3] == 0:
		return sniffMySQLGreeting(b[4:])
	case b[3] == 1:
		const largest = 1 << 30 // packet that servers allow, max_allowed_packet
		if len(b) < 36 {
			return Maybe
		}
		size := int(binary.LittleEndian.Uint16(b))
		caps, packet := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
		// A request for TLS ends here, else the name of the user follows.
		const protocol41, tls = 1 << 9, 1 << 11
		more := size == 32 && caps&tls != 0 || size > 32 && (len(b) == 36 || b[36] == 0 || b[36] >= ' ')
		if sniffTLS(dir, b) == Yes {
			return No // a record of 256 to 511 bytes, whose header reads the same
		}
		return matchIf(packet <= largest && size >= 32 && more && caps&protocol41 != 0 && bytes.Count(b[13:32], []byte{0}) == 19)
	}
	return No
}

// sniffMySQLError recognises a server that turns a client away instead of
// greeting it (too many connections, host not allowed): an error whose text
// fills the packet.
func sniffMySQLError(b []byte) Match {
	const head, shortest = 4 + 1 + 2, 16
	size := 4 + int(binary.LittleEndian.Uint16(b))
	switch {
	case size < head+shortest || size > head+512, len(b) > 6 && (b[6] < 1000>>8 || b[6] >= 2000>>8): // codes of servers begin at 1000
		return No
	case len(b) < size:
		return maybeIf(len(b) < head || plainASCII(b[head:]))
	}
	return matchIf(plainASCII(b[head:size]))
}

func sniffMySQLGreeting(b []byte) Match {
	if len(b) > 0 && b[0] != 10 || len(b) > 1 && !isDigit(b[1]) {
		return No
	}
	for i, c := range b[min(len(b), 1):] {
		switch {
		case c == 0:
			return matchIf(i >= 3 && bytes.IndexByte(b[1:1+i], '.') > 0)
		case i >= maxMySQLVersion || c < ' ' || c > '~':
			return No
		}
	}
	return Maybe
}

func (s *mysqlFraming) size(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	size := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	if size == 0 && s.attempt.login == nil || size > 1<<16 {
		return 0, errMySQLPacket // no packet of a login is like that
	}
	return 4 + size, nil // without bytes: the proof of who has no password
}

func (s *mysqlFraming) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) < 4 {
		return msgs, nil
	}
	body := b[4:]
	if len(body) == 0 {
		s.empty = dir == s.attempt.from && s.attempt.login != nil
		return msgs, nil
	}
	switch {
	case b[3] == 0 && body[0] == 10 && s.attempt.login == nil && !s.told:
		version, _, _ := bytes.Cut(body[1:], []byte{0})
		s.msg.Version, s.client = text(version, maxMySQLVersion), dir.Other()
		return msgs, nil
	case b[3] == 1 && s.attempt.login == nil && !s.told:
		return s.response(dir, body, cut, msgs)
	case s.attempt.login == nil:
		return s.verdict(body, msgs)
	case dir == s.attempt.from:
		if s.attempt.login.Mechanism == mysqlClear {
			secret, _, _ := bytes.Cut(body, []byte{0})
			s.attempt.login.Clear = true
			s.attempt.login.Default = factoryDefault([]byte(s.msg.User), secret)
		}
		s.empty = false
		return msgs, nil
	}
	return s.verdict(body, msgs)
}

// response reads the client's answer to the greeting.
func (s *mysqlFraming) response(dir Dir, body []byte, cut bool, msgs []Message) ([]Message, error) {
	c := cursor{b: body}
	caps := c.le32()
	c.skip(4 + 1 + 23)
	if caps&mysqlTLS != 0 && len(c.b) == 0 && !c.short {
		s.msg.TLS = true
		return s.tell(msgs), ErrUpgrade
	}
	user, rest, ok := bytes.Cut(c.b, []byte{0})
	if !ok || c.short {
		return msgs, cutOr(cut, errMySQLPacket)
	}
	c = cursor{b: rest}
	var proof []byte
	if caps&(mysqlLongAuth|mysqlSecure) != 0 { // lengths beyond one byte do not occur
		proof = c.take(int(c.u8()))
	} else {
		proof, c.b, _ = bytes.Cut(c.b, []byte{0})
	}
	s.msg.User = userText(user)
	if caps&mysqlWithDatabase != 0 {
		var database []byte
		database, c.b, _ = bytes.Cut(c.b, []byte{0})
		s.msg.Database = userText(database)
	}
	if caps&mysqlPluginAuth != 0 {
		plugin, _, _ := bytes.Cut(c.b, []byte{0})
		s.msg.Plugin = text(plugin, maxMySQLVersion)
	}
	s.empty = len(proof) == 0 && !c.short
	l := &Login{Service: "mysql", User: s.msg.User, Mechanism: s.msg.Plugin}
	if l.Mechanism == mysqlClear {
		secret, _, _ := bytes.Cut(proof, []byte{0})
		l.Clear, l.Default = true, factoryDefault(user, secret)
	}
	return s.attempt.begin(dir, l, msgs), nil
}

// verdict reads what the server answers.
func (s *mysqlFraming) verdict(body []byte, msgs []Message) ([]Message, error) {
	switch body[0] {
	case 0xfe: // another method, by its name
		if l := s.attempt.login; l != nil && len(body) > 1 {
			plugin, _, _ := bytes.Cut(body[1:], []byte{0})
			l.Mechanism = text(plugin, maxMySQLVersion)
		}
		return msgs, nil
	case 0x00:
		if l := s.attempt.login; l != nil && s.empty {
			l.Default = l.Default || factoryDefault([]byte(s.msg.User), nil) // no password
		}
		return s.attempt.end(Succeeded, s.tell(msgs)), ErrDone
	case 0xff:
		outcome := OutcomeUnknown
		if len(body) >= 3 {
			s.msg.Error = int(binary.LittleEndian.Uint16(body[1:]))
		}
		if s.msg.Error == 1045 || s.msg.Error == 1698 || s.msg.Error == 1044 {
			outcome = Failed
		}
		return s.attempt.end(outcome, s.tell(msgs)), ErrDone
	}
	return msgs, nil
}

func (s *mysqlFraming) tell(msgs []Message) []Message {
	s.told = true
	m := s.msg
	return append(msgs, &m)
}

func (s *mysqlFraming) ended(dir Dir, msgs []Message) []Message {
	if s.attempt.login != nil && s.attempt.from == dir {
		return msgs // the server may still answer
	}
	if !s.told && (s.msg.Version != "" || s.msg.User != "") && dir != s.client {
		msgs = s.tell(msgs)
	}
	return s.attempt.end(OutcomeUnknown, msgs)
}
