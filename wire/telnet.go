package wire

import "bytes"

// Telnet is what a Telnet session (RFC 854) has negotiated when its first text
// comes, or when it ends.
type Telnet struct {
	Options []uint8 // named in negotiation by either end, in order of appearance, at most 32
}

// Protocol implements Message.
func (*Telnet) Protocol() string { return "telnet" }

const (
	maxTelnetOptions = 32
	maxTelnetLine    = 128
	// maxTelnetOpening is how much text may come without a login before the
	// session is given up: a greeting of the day has some hundred bytes.
	maxTelnetOpening = 8 << 10
)

// Commands of Telnet.
const (
	telnetSE   = 240
	telnetSB   = 250
	telnetWill = 251
	telnetDont = 254
	telnetIAC  = 255
)

// telnetStream follows a session byte by byte, through the prompts of a login.
type telnetStream struct {
	half     [2]telnetHalf
	options  []uint8
	reported bool
	seen     int // bytes of text

	phase  telnetPhase
	user   []byte
	secret []byte // being typed; cleared as soon as it has been looked at
	login  *Login
}

// telnetHalf is one direction.
type telnetHalf struct {
	state byte   // 0, or the command within which the next byte stands
	line  []byte // text since the last line end, without escape sequences
	cr    bool   // the last byte was a carriage return
	esc   byte   // the escape sequence within which the next byte stands, 0: none
}

type telnetPhase uint8

const (
	telnetIdle     telnetPhase = iota
	telnetUser                 // the server has asked for a user
	telnetPassword             // the server has asked for a password
	telnetJudging              // both are given
)

func newTelnetStream() Stream { return &telnetStream{} }

var _ Flusher = (*telnetStream)(nil)

// sniffTelnet recognises the negotiation of an option, with which servers
// begin: IAC, a verb and one of the options that the IANA lists; then another
// command or text. Zeros would be those of a Modbus header.
func sniffTelnet(_ Dir, b []byte) Match {
	switch {
	case len(b) > 0 && b[0] != telnetIAC, len(b) > 1 && (b[1] < telnetWill || b[1] > telnetDont):
		return No
	case len(b) < 3:
		return Maybe
	case b[2] > 49 && (b[2] < 138 || b[2] > 141) && b[2] != telnetIAC:
		return No
	case len(b) == 3 || b[3] == telnetIAC || b[3] >= ' ' && b[3] < 0x7f:
		return Yes
	}
	switch b[3] {
	case '\a', '\b', '\t', '\n', '\r', 0x1b:
		return Yes
	}
	return No
}

// Feed implements Stream.
func (s *telnetStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	for i, c := range b {
		h := &s.half[dir]
		if !s.command(h, c) {
			continue
		}
		if !s.reported {
			s.reported = true
			msgs = append(msgs, &Telnet{Options: s.options})
		}
		if s.seen++; s.seen > maxTelnetOpening {
			return i + 1, s.end(OutcomeUnknown, msgs), ErrDone
		}
		var done bool
		if msgs, done = s.text(dir, h, c, msgs); done {
			return i + 1, msgs, ErrDone
		}
	}
	return len(b), msgs, nil
}

// Flush implements Flusher.
func (s *telnetStream) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	if !s.reported && len(s.options) > 0 {
		s.reported = true
		msgs = append(msgs, &Telnet{Options: s.options})
	}
	if s.phase == telnetJudging && s.atPrompt() {
		return s.welcome(msgs)
	}
	return s.end(OutcomeUnknown, msgs)
}

// command follows the commands in the stream; it reports whether c is text.
func (s *telnetStream) command(h *telnetHalf, c byte) bool {
	switch h.state {
	case 0:
		if c == telnetIAC {
			h.state = telnetIAC
			return false
		}
		return c != 0
	case telnetIAC:
		h.state = 0
		if c >= telnetSB && c < telnetIAC {
			h.state = c
		}
		return false // a doubled IAC stands for a byte 255, which no prompt has
	case telnetSB: // until IAC SE
		if c == telnetIAC {
			h.state = telnetSE
		}
		return false
	case telnetSE:
		h.state = telnetSB
		if c == telnetSE {
			h.state = 0
		}
		return false
	}
	h.state = 0
	if !s.reported && len(s.options) < maxTelnetOptions && bytes.IndexByte(s.options, c) < 0 {
		s.options = append(s.options, c)
	}
	return false
}

// text takes one byte of text; done says that the login is over.
func (s *telnetStream) text(dir Dir, h *telnetHalf, c byte, msgs []Message) ([]Message, bool) {
	// Who asks is the server, whichever end that is: a login typed by the
	// other one is never taken for a prompt, as it is not echoed here.
	if dir == FromClient {
		return s.typed(h, c, msgs)
	}
	if h.escaped(c) {
		return msgs, false
	}
	if c == '\n' || c == '\r' {
		h.line = h.line[:0]
		return msgs, false
	}
	if len(h.line) == maxTelnetLine {
		return msgs, false
	}
	h.line = append(h.line, c)
	switch {
	case asksPassword(h.line):
		s.phase, s.secret = telnetPassword, s.secret[:0]
	case asksUser(h.line):
		// To be asked again is to be refused.
		msgs = s.end(Failed, msgs)
		s.phase, s.user = telnetUser, s.user[:0]
	case s.phase == telnetJudging && refusal(h.line):
		msgs = s.end(Failed, msgs)
		s.phase = telnetIdle
	case s.phase == telnetJudging && c == ' ' && string(h.line) != "% " && s.atPrompt():
		return s.welcome(msgs), true // "% " begins what Cisco IOS complains about
	}
	return msgs, false
}

// atPrompt reports whether the server's last line is the prompt of a shell.
func (s *telnetStream) atPrompt() bool {
	return shellPrompt(bytes.TrimRight(s.half[FromServer].line, " "))
}

// welcome ends a login that led to a shell.
func (s *telnetStream) welcome(msgs []Message) []Message {
	if s.login != nil {
		s.login.Inferred = true
	}
	return s.end(Succeeded, msgs)
}

// escaped follows the escape sequences with which terminals are told of colours
// and titles (ECMA-48); it reports whether c is part of one.
func (h *telnetHalf) escaped(c byte) bool {
	const escape, bell = 0x1b, '\a'
	switch h.esc {
	case 0:
		if c != escape {
			return false
		}
		h.esc = escape
	case escape:
		if h.esc = 0; c == '[' || c == ']' {
			h.esc = c
		}
	case '[': // until a letter or the like
		if c >= '@' && c <= '~' || c < ' ' {
			h.esc = 0
		}
	case ']': // a title, until BEL or ESC \
		switch c {
		case bell, '\n':
			h.esc = 0
		case escape:
			h.esc = escape
		}
	}
	return true
}

// typed takes a byte that the client types.
func (s *telnetStream) typed(h *telnetHalf, c byte, msgs []Message) ([]Message, bool) {
	second := h.cr && c == '\n' // of a line end
	h.cr = c == '\r'
	if second {
		return msgs, false
	}
	answer := &s.user
	switch s.phase {
	case telnetIdle:
		return msgs, false
	case telnetPassword:
		answer = &s.secret
	case telnetJudging:
		if s.atPrompt() {
			return s.welcome(msgs), true
		}
		return msgs, false
	}
	switch {
	case c == '\r' || c == '\n':
		s.answered()
	case c == 0x7f || c == '\b':
		*answer = (*answer)[:max(0, len(*answer)-1)]
	case len(*answer) < maxUser:
		*answer = append(*answer, c)
	}
	return msgs, false
}

// answered is called at the end of what was typed at a prompt.
func (s *telnetStream) answered() {
	if s.phase == telnetUser {
		s.phase = telnetIdle // until the next prompt
		return
	}
	s.login = &Login{
		Service: "telnet", User: userText(s.user), Mechanism: "password", Clear: true,
		Default: factoryDefault(s.user, s.secret),
	}
	clear(s.secret)
	s.secret = s.secret[:0]
	s.phase = telnetJudging
}

// end reports the login, if there is one.
func (s *telnetStream) end(o Outcome, msgs []Message) []Message {
	if s.login == nil {
		return msgs
	}
	m := s.login
	s.login = nil
	m.Outcome = o
	return append(msgs, m)
}

// Prompts in the languages that devices come with. Of a word that may begin
// with a capital letter outside of ASCII, the first letter is left out.
var (
	telnetUserWords = [...]string{
		"login", "username", "user name", "user", "account",
		"benutzername", "benutzer", "anmeldename", "utilisateur", "identifiant", "usuario", "usuário", "usu\xe1rio", "utente",
		"gebruikersnaam", "användarnamn", "огин", "льзователя", // Russian "login", "(name) of the user"
		"用户名", "用戶名", "账号", "帐号", // Chinese "user name", "account"
	}
	telnetSecretWords = [...]string{
		"password", "passwd", "passwort", "kennwort", "mot de passe", "contraseña", "contrase\xf1a", "contrasena", "clave", "senha",
		"wachtwoord", "lösenord", "hasło", "ароль", // Russian "password"
		"密码", "密碼", // Chinese "password"
	}
)

// asksUser tells a line that has just become a prompt for a user's name.
// "Last login: ..." greets, and does not ask.
func asksUser(line []byte) bool {
	return asks(line, telnetUserWords[:]) && !containsFold(line, "last ")
}

// asksPassword tells a line that has just become a prompt for a password.
func asksPassword(line []byte) bool { return asks(line, telnetSecretWords[:]) }

// asks reports whether a line ends with one of the words and a colon.
func asks(line []byte, words []string) bool {
	if line[len(line)-1] != ':' {
		return false
	}
	line = line[:len(line)-1]
	for _, word := range words {
		if endsFold(line, word) {
			return true
		}
	}
	return false
}

func endsFold(line []byte, lower string) bool {
	line = bytes.TrimRight(line, " ")
	return len(line) >= len(lower) && containsFold(line[len(line)-len(lower):], lower)
}

// refusal tells a line that has just come to say that a login was refused.
func refusal(line []byte) bool {
	for _, word := range [...]string{"incorrect", "denied", "failed", "failure", "invalid", "bad password", "wrong", "refused", "fehlgeschlagen", "denegado", "rifiutato"} {
		if endsFold(line, word) {
			return true
		}
	}
	return false
}

// shellPrompt tells a line that ends like the prompt of a shell.
func shellPrompt(line []byte) bool {
	if len(line) == 0 || len(line) > 80 {
		return false
	}
	switch line[len(line)-1] {
	case '$', '#', '>', '%':
		return true
	}
	return false
}
