package wire

import (
	"encoding/binary"
	"fmt"
)

// TDS is the start of a session with a Microsoft SQL Server, or one of its
// relatives ([MS-TDS]). What follows the login is not read.
type TDS struct {
	ServerVersion string // "15.0.2000", "" if it was not told
	Encryption    string // what the server settles: "off" (the login alone), "on", "not_supported", "required"; "" if not told
	TLS           bool   // the login is encrypted, and not shown
	Version       string // of the protocol, as the client asks for it: "7.4"
	User          string // these have at most 256 bytes each
	Host          string // how the client names itself
	Application   string
	Library       string // that the client uses
	Server        string // as the client calls it
	Database      string
	Program       string // how the server names itself
	Error         int    // number of the server's first error, 0 if none: 18456 login failed
	Truncated     bool   // the end of the login was never seen
}

// Protocol implements Message.
func (*TDS) Protocol() string { return "tds" }

// Types of packets (section 2.2.3.1.1).
const (
	tdsResponse = 4
	tdsLogin7   = 16
	tdsSSPI     = 17
	tdsPrelogin = 18

	tdsHeader    = 8
	maxTDSPacket = 8 << 10 // that is looked at
)

var errTDS = fmt.Errorf("read tds packet: %w", ErrMalformed)

// tdsFraming follows the packets up to the end of the login.
type tdsFraming struct {
	msg     TDS
	client  Dir
	begun   bool // the client has said something
	told    bool
	attempt attempt
}

func newTDSStream() Stream { return &framedStream{framing: &tdsFraming{}, head: maxTDSPacket} }

// sniffTDS recognises what either end says first: a table of options that
// begins with the version, or a login of version 7 with its length.
func sniffTDS(_ Dir, b []byte) Match {
	if len(b) == 0 {
		return Maybe
	}
	kind := b[0]
	if kind != tdsPrelogin && kind != tdsResponse && kind != tdsLogin7 || len(b) > 1 && b[1] != 1 {
		return No // one packet, the last of its message
	}
	if len(b) < tdsHeader {
		return Maybe
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	if b[6] > 1 || b[7] != 0 || size < tdsHeader+6 {
		return No
	}
	body := b[tdsHeader:]
	if kind == tdsLogin7 {
		if len(body) < 8 {
			return Maybe
		}
		return matchIf(int(binary.LittleEndian.Uint32(body)) == size-tdsHeader && body[7]>>4 == 7)
	}
	if len(body) > 0 && body[0] != 0 {
		return No
	}
	if len(body) < 6 {
		return Maybe
	}
	const option = 5
	at, length := int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	return matchIf(length == 6 && at > option && (at-1)%option == 0 && at+length <= size-tdsHeader)
}

func (s *tdsFraming) size(b []byte) (int, error) {
	if len(b) < tdsHeader {
		return 0, nil
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	if size < tdsHeader || b[0] == 0 || b[0] > tdsPrelogin {
		return 0, errTDS
	}
	return size, nil
}

func (s *tdsFraming) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) <= tdsHeader {
		return msgs, nil
	}
	body := b[tdsHeader:]
	if b[0] != tdsResponse {
		s.client, s.begun = dir, true
	}
	switch b[0] {
	case tdsPrelogin:
		if body[0] == recordHandshake {
			s.msg.TLS = true
			return s.tell(msgs), ErrDone
		}
		return msgs, nil
	case tdsLogin7:
		if s.told || s.attempt.login != nil {
			return msgs, nil
		}
		return s.login(dir, body, cut, msgs)
	case tdsSSPI:
		if l := s.attempt.login; l != nil {
			if m, kind := findNTLM(body); kind == ntlmAuthenticate {
				if who := parseNTLM(m); who != nil {
					l.User = who.login("tds").User
				}
			}
		}
		return msgs, nil
	case tdsResponse:
		if s.attempt.login == nil {
			s.options(body)
			return msgs, nil
		}
		return s.tokens(body, msgs)
	}
	return s.tell(msgs), ErrDone // a session that was joined later
}

// options reads the server's answer to a pre-login (section 2.2.6.5).
func (s *tdsFraming) options(b []byte) {
	const version, encryption, end = 0, 1, 0xff
	for c := (cursor{b: b}); ; {
		kind, at, length := c.u8(), int(c.u16()), int(c.u16())
		if c.short || kind == end || at+length > len(b) {
			return
		}
		value := b[at : at+length]
		switch {
		case kind == version && length >= 4:
			s.msg.ServerVersion = fmt.Sprintf("%d.%d.%d", value[0], value[1], binary.BigEndian.Uint16(value[2:]))
		case kind == encryption && length >= 1 && value[0] <= 3:
			s.msg.Encryption = [...]string{"off", "on", "not_supported", "required"}[value[0]]
		}
	}
}

// login reads a login (section 2.2.6.4): offsets and lengths, behind them the
// texts in UTF-16.
func (s *tdsFraming) login(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	const fixed = 36
	if len(b) < fixed+36 {
		return msgs, cutOr(cut, errTDS)
	}
	m := &s.msg
	m.Truncated = cut
	m.Version = fmt.Sprintf("%d.%d", b[7]>>4, b[7]&15)
	field := func(i int) []byte {
		at, n := int(binary.LittleEndian.Uint16(b[fixed+4*i:])), 2*int(binary.LittleEndian.Uint16(b[fixed+4*i+2:]))
		if at+n > len(b) {
			return nil
		}
		return b[at : at+n]
	}
	const host, user, password, application, server, library, database = 0, 1, 2, 3, 4, 6, 8
	m.Host, m.User, m.Application = utf16Text(field(host)), utf16Text(field(user)), utf16Text(field(application))
	m.Server, m.Library, m.Database = utf16Text(field(server)), utf16Text(field(library)), utf16Text(field(database))
	l := &Login{Service: "tds", User: m.User, Mechanism: "password"}
	if b[25]&0x80 != 0 { // fIntSecurity: who is logged in on Windows
		l.Mechanism = "SPNEGO"
		if _, kind := findNTLM(b); kind != 0 {
			l.Mechanism = "NTLM"
		}
	} else if m.User != "" {
		l.Clear, l.Default = true, tdsDefault(m.User, field(password))
	}
	return s.attempt.begin(dir, l, msgs), nil
}

// tdsDefault compares a password, whose bytes are disguised: halves swapped and
// every second bit flipped.
func tdsDefault(user string, disguised []byte) bool {
	var plain [maxFactory]byte
	n := len(disguised) / 2
	if n > len(plain) {
		return false
	}
	for i := range n {
		c := disguised[2*i] ^ 0xa5
		if disguised[2*i+1]^0xa5 != 0 {
			return false // not ASCII, as the whole list is
		}
		plain[i] = c<<4 | c>>4
	}
	found := factoryDefault([]byte(user), plain[:n])
	clear(plain[:])
	return found
}

// tokens reads what the server answers to a login, as far as an acknowledgement
// or an error (section 2.2.7).
func (s *tdsFraming) tokens(b []byte, msgs []Message) ([]Message, error) {
	const (
		errorToken, infoToken, ackToken, changeToken, sspiToken = 0xaa, 0xab, 0xad, 0xe3, 0xed
		loginFailed, severityOfAccess                           = 18456, 14
	)
	for c := (cursor{b: b}); len(c.b) > 0; {
		kind := c.u8()
		switch kind {
		case errorToken, infoToken, ackToken, changeToken, sspiToken:
		default:
			return msgs, nil
		}
		t := cursor{b: c.take(int(c.le16()))}
		if c.short {
			return msgs, nil
		}
		switch kind {
		case errorToken:
			s.msg.Error = int(int32(t.le32()))
			t.u8() // state
			outcome := OutcomeUnknown
			if s.msg.Error == loginFailed || t.u8() == severityOfAccess {
				outcome = Failed
			}
			return s.attempt.end(outcome, s.tell(msgs)), ErrDone
		case ackToken:
			t.skip(1 + 4) // interface, version
			s.msg.Program = utf16Text(t.take(2 * int(t.u8())))
			return s.attempt.end(Succeeded, s.tell(msgs)), ErrDone
		}
	}
	return msgs, nil
}

func (s *tdsFraming) tell(msgs []Message) []Message {
	if s.told {
		return msgs
	}
	s.told = true
	m := s.msg
	return append(msgs, &m)
}

func (s *tdsFraming) ended(dir Dir, msgs []Message) []Message {
	if s.begun && dir == s.client && !s.told {
		return msgs // the server may still answer
	}
	if s.begun || s.msg.ServerVersion != "" {
		msgs = s.tell(msgs)
	}
	return s.attempt.end(OutcomeUnknown, msgs)
}
