package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Socks is a request to a SOCKS proxy with its answer (SOCKS 4 and 4a; 5: RFC
// 1928, RFC 1929). What runs through the proxy afterwards is read as what it is.
type Socks struct {
	Version uint8  // 4 or 5
	Command uint8  // 1 connect, 2 bind, 3 UDP associate; 0 if it did not come to a request
	Host    string // target: a name of at most 255 bytes or an address
	Port    uint16 // of the target
	User    string // of version 4, at most 256 bytes; that of version 5 is in its Login
	Method  uint8  // of version 5: 0 none, 1 GSSAPI, 2 password, 255 no method is good enough
	// Answered: the proxy has answered with Reply, which is 0 (version 5) or 90
	// (version 4) if the request was granted.
	Answered bool
	Reply    uint8
}

// Protocol implements Message.
func (*Socks) Protocol() string { return "socks" }

// Granted reports whether the proxy does what it was asked for.
func (m *Socks) Granted() bool {
	return m.Answered && m.Command != 0 && (m.Version == 5 && m.Reply == 0 || m.Version == 4 && m.Reply == socks4Granted)
}

const (
	socksConnect    = 1
	socksAssociate  = 3
	socksPassword   = 2
	socksRefused    = 0xff
	socks4Granted   = 90
	socks4Answer    = 8
	maxSocksMethods = 8   // that clients offer at once: curl 3, OpenSSH 1
	maxSocksText    = 255 // names have a byte for their length
)

var (
	errSocks      = fmt.Errorf("read socks: %w", ErrMalformed)
	errSocksRelay = fmt.Errorf("read socks datagram: %w", ErrNotMine)
)

type socksStream struct {
	msg      Socks
	client   Dir
	greeted  bool // the client has
	asked    bool // the client has made its request
	chosen   bool // the proxy has chosen a method
	verdicts int  // on logins that the proxy has still to give
	attempt  attempt
}

func newSocksStream() Stream { return &socksStream{} }

var _ Flusher = (*socksStream)(nil)

// sniffSocks recognises a greeting of version 5 that is all the client says
// before it is answered, or that a login or a request follows; and a request
// of version 4.
func sniffSocks(dir Dir, b []byte) Match {
	if dir == FromServer {
		return No
	}
	switch {
	case len(b) == 0:
		return Maybe
	case b[0] == 5:
		return sniffSocks5(b)
	case b[0] == 4:
		return sniffSocks4(b)
	}
	return No
}

func sniffSocks5(b []byte) Match {
	if len(b) < 2 {
		return Maybe
	}
	n := int(b[1])
	if n == 0 || n > maxSocksMethods {
		return No
	}
	var seen [256]bool
	for _, m := range b[2:min(len(b), 2+n)] {
		if seen[m] || m > 9 && m < 0x80 || m == socksRefused { // IANA: 3 to 9 assigned, from 0x80 private
			return No
		}
		seen[m] = true
	}
	if len(b) < 2+n {
		return Maybe
	}
	switch rest := b[2+n:]; {
	case len(rest) == 0:
		return Yes
	case rest[0] == 1 && seen[socksPassword] && (len(rest) == 1 || rest[1] > 0):
		return Yes
	case rest[0] == 5 && (len(rest) < 2 || rest[1] >= socksConnect && rest[1] <= socksAssociate) &&
		(len(rest) < 3 || rest[2] == 0) && (len(rest) < 4 || rest[3] == 1 || rest[3] == 3 || rest[3] == 4):
		return Yes
	}
	return No
}

func sniffSocks4(b []byte) Match {
	if len(b) > 1 && (b[1] < socksConnect || b[1] > socksConnect+1) || len(b) > 3 && b[2] == 0 && b[3] == 0 {
		return No
	}
	if len(b) < 9 {
		return Maybe
	}
	m, n := parseSocks4(b)
	switch {
	case m == nil || textAddress([4]byte(b[4:8])):
		return No
	case n == 0:
		return Maybe
	}
	return matchIf(n == len(b)) // the client waits for an answer
}

// parseSocks4 reads a request; n is 0 if its end is not there yet, m is nil if
// it cannot be one.
func parseSocks4(b []byte) (m *Socks, n int) {
	m = &Socks{Version: 4, Command: b[1], Port: binary.BigEndian.Uint16(b[2:])}
	user, after, ok := socks4Text(b[8:])
	if !ok || after == 0 {
		return keepIf(m, ok), 0
	}
	m.User, n = userText(user), 8+after
	addr := [4]byte(b[4:8])
	m.Host = netip.AddrFrom4(addr).String()
	if addr[0] == 0 && addr != [4]byte{3: addr[3]} {
		return nil, 0 // no host is there
	}
	if addr[0] == 0 && addr[1] == 0 && addr[2] == 0 && addr[3] != 0 { // 4a: a name follows
		name, after, ok := socks4Text(b[n:])
		if !ok || after == 0 {
			return keepIf(m, ok), 0
		}
		m.Host, n = text(name, maxSocksText), n+after
	}
	return m, n
}

// textAddress reports whether what stands for an address is rather of a text
// behind its type and length: letters, and no more than zeros between them. One
// address in 200 looks like that.
func textAddress(addr [4]byte) bool {
	letters, zeros := 0, 0
	for _, c := range addr {
		if c == 0 {
			zeros++
		} else if c |= 0x20; c >= 'a' && c <= 'z' {
			letters++
		}
	}
	return letters == 4 || letters >= 2 && zeros > 0
}

func keepIf(m *Socks, ok bool) *Socks {
	if !ok {
		return nil
	}
	return m
}

// socks4Text reads printable text up to a zero; after is 0 if that is not there
// yet, ok is false if it is no text or too long.
func socks4Text(b []byte) (v []byte, after int, ok bool) {
	for i, c := range b {
		switch {
		case c == 0:
			return b[:i], i + 1, true
		case c < ' ' || c >= 0x7f || i >= maxSocksText:
			return nil, 0, false
		}
	}
	return nil, 0, true
}

// Feed implements Stream.
func (s *socksStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) {
		if !s.greeted {
			s.client = dir
		}
		read := s.answer
		if dir == s.client {
			read = s.say
		}
		used, more, err := read(b[n:], msgs)
		msgs = more
		n += used
		if err != nil {
			return n, s.attempt.end(OutcomeUnknown, msgs), err
		}
		if used == 0 {
			break
		}
	}
	return n, msgs, nil
}

// say reads what the client says; 0 bytes if it is not all there.
func (s *socksStream) say(b []byte, msgs []Message) (int, []Message, error) {
	switch {
	case !s.greeted:
		return s.greeting(b, msgs)
	case s.asked: // what follows is for the target
		return 0, msgs, nil
	case b[0] == 1:
		return s.login(b, msgs)
	}
	return s.request(b, msgs)
}

// answer reads what the proxy says.
func (s *socksStream) answer(b []byte, msgs []Message) (int, []Message, error) {
	switch {
	case s.msg.Version == 5 && !s.chosen:
		if len(b) < 2 {
			return 0, msgs, nil
		}
		s.msg.Method, s.chosen = b[1], true
		switch {
		case b[0] != 5:
			return 0, msgs, errSocks
		case s.msg.Method != 0 && s.msg.Method != socksPassword: // none, or GSSAPI: what follows is its own
			return 2, s.tell(msgs), ErrDone
		}
		return 2, msgs, nil
	case s.verdicts > 0:
		if len(b) < 2 {
			return 0, msgs, nil
		}
		s.verdicts--
		msgs = s.attempt.end(outcomeOf(b[1] == 0), msgs)
		if b[1] != 0 {
			return 2, s.tell(msgs), ErrDone
		}
		return 2, msgs, nil
	case !s.asked:
		return 0, msgs, nil
	}
	return s.reply(b, msgs)
}

func (s *socksStream) greeting(b []byte, msgs []Message) (int, []Message, error) {
	if b[0] == 4 {
		if len(b) < 9 {
			return 0, msgs, nil
		}
		m, n := parseSocks4(b)
		if m == nil {
			return 0, msgs, errSocks
		}
		if n > 0 {
			s.msg, s.greeted, s.asked = *m, true, true
		}
		return n, msgs, nil
	}
	if b[0] != 5 || len(b) > 1 && b[1] == 0 {
		return 0, msgs, errSocks
	}
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return 0, msgs, nil
	}
	s.msg.Version, s.greeted = 5, true
	return 2 + int(b[1]), msgs, nil
}

// login reads a user and a password (RFC 1929).
func (s *socksStream) login(b []byte, msgs []Message) (int, []Message, error) {
	c := cursor{b: b[1:]}
	user := c.take(int(c.u8()))
	secret := c.take(int(c.u8()))
	if c.short {
		return 0, msgs, nil
	}
	l := &Login{Service: "socks", User: userText(user), Mechanism: "password", Clear: true, Default: factoryDefault(user, secret)}
	s.verdicts++
	return len(b) - len(c.b), s.attempt.begin(s.client, l, msgs), nil
}

func (s *socksStream) request(b []byte, msgs []Message) (int, []Message, error) {
	c := cursor{b: b}
	version, command, reserved := c.u8(), c.u8(), c.u8()
	host, ok := socksHost(&c)
	port := c.u16()
	switch {
	case version != 5 || len(b) > 2 && reserved != 0 || !ok:
		return 0, msgs, errSocks
	case c.short:
		return 0, msgs, nil
	}
	s.msg.Command, s.msg.Host, s.msg.Port, s.asked = command, host, port, true
	return len(b) - len(c.b), msgs, nil
}

// socksHost reads an address with its type; ok is false if there is no such
// type.
func socksHost(c *cursor) (host string, ok bool) {
	switch kind := c.u8(); {
	case c.short:
		return "", true
	case kind == 1:
		if v := c.take(4); v != nil {
			host = netip.AddrFrom4([4]byte(v)).String()
		}
	case kind == 3:
		host = plainText(c.take(int(c.u8())))
	case kind == 4:
		if v := c.take(16); v != nil {
			host = netip.AddrFrom16([16]byte(v)).String()
		}
	default:
		return "", false
	}
	return host, true
}

// reply reads what the proxy says to the request. If it grants it, what
// follows is between the client and the target.
func (s *socksStream) reply(b []byte, msgs []Message) (int, []Message, error) {
	n, bound := socks4Answer, uint16(0)
	if s.msg.Version == 5 {
		c := cursor{b: b}
		c.skip(3)
		_, ok := socksHost(&c)
		bound = c.u16()
		if b[0] != 5 || !ok {
			return 0, msgs, errSocks
		}
		if c.short {
			return 0, msgs, nil
		}
		n = len(b) - len(c.b)
	}
	switch {
	case len(b) < n:
		return 0, msgs, nil
	case s.msg.Version == 4 && (b[0] != 0 || b[1] < socks4Granted || b[1] > 93):
		return 0, msgs, errSocks
	}
	s.msg.Answered, s.msg.Reply = true, b[1]
	msgs = s.tell(msgs)
	switch {
	case !s.msg.Granted():
	case s.msg.Command == socksConnect:
		return n, msgs, ErrUpgrade
	case s.msg.Command == socksAssociate && bound != 0:
		msgs = append(msgs, &Expectation{App: "socks", Over: overUDP, Listener: s.client.Other(), Port: bound})
	}
	return n, msgs, ErrDone
}

func (s *socksStream) tell(msgs []Message) []Message {
	m := s.msg
	s.chosen, s.asked = false, false // told
	return append(msgs, &m)
}

// Flush implements Flusher.
func (s *socksStream) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	if dir == s.client {
		return msgs // the proxy may still answer
	}
	msgs = s.attempt.end(OutcomeUnknown, msgs)
	if s.chosen || s.msg.Version == 4 && s.asked { // both have spoken, or it is plain enough
		msgs = s.tell(msgs)
	}
	return msgs
}
