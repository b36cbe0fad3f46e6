package wire

// POP3 is a command with the first line of its response (RFC 1939, RFC 2449,
// RFC 2595), up to the login: what follows is mail. The server's greeting has
// an empty command.
type POP3 struct {
	Command  string // upper case; arguments are not kept
	OK       bool   // "+OK"
	Answered bool   // a response was seen
}

// Protocol implements Message.
func (*POP3) Protocol() string { return "pop3" }

const (
	pop3Shared   = "USER PASS QUIT NOOP LIST RETR DELE STAT RSET AUTH"
	pop3Own      = "CAPA APOP UIDL STLS TOP UTF8 XTND"
	pop3Commands = pop3Shared + " " + pop3Own
)

type pop3Dialogue struct {
	waits   *POP3
	user    []byte
	sasl    sasl
	attempt attempt
	client  Dir
	known   bool // client is: the end that commands, or is answered
	greeted bool
}

func newPOP3Stream() Stream { return &lineStream{liner: &pop3Dialogue{}} }

// sniffPOP3 recognises the server by a greeting with a text ("+OK" alone is
// Redis); the client by a command that no other protocol has.
func sniffPOP3(_ Dir, b []byte) Match {
	if prefix(b, []byte("+OK ")) != No {
		return eachLine(b, func(_ int, line []byte) (Match, bool) {
			return maybeYes(len(line) > len("+OK ")), true
		})
	}
	if opensWith(b, pop3Commands) == No {
		return No
	}
	return eachLine(b, func(_ int, line []byte) (Match, bool) {
		verb, rest := word(line)
		switch {
		case command(verb, pop3Own) != "":
			return Yes, true
		case command(verb, pop3Shared) == "" || isWord(verb, "AUTH") && (isWord(rest, "TLS") || isWord(rest, "SSL")):
			return No, true
		}
		return Maybe, false
	})
}

func (s *pop3Dialogue) line(dir Dir, line []byte, cut bool, msgs []Message) ([]Message, error) {
	if s.sasl.login != nil && dir == s.client {
		if !cut {
			s.sasl.response(line)
		}
		return msgs, nil
	}
	if s.known && dir == s.client {
		return s.command(dir, line, cut, msgs), nil
	}
	ok, failed := prefix(line, []byte("+OK")) == Yes, prefix(line, []byte("-ERR")) == Yes
	if ok || failed {
		s.client, s.known = dir.Other(), true
		return s.response(ok, msgs)
	}
	if s.known {
		return msgs, nil // a line of a list, which may look like a command, or a challenge
	}
	return s.command(dir, line, cut, msgs), nil
}

// command reads a command of the client.
func (s *pop3Dialogue) command(dir Dir, line []byte, cut bool, msgs []Message) []Message {
	verb, rest := word(line)
	name := command(verb, pop3Commands)
	if name == "" {
		return msgs
	}
	if s.waits != nil {
		msgs = append(msgs, s.waits)
	}
	s.client, s.known, s.waits = dir, true, &POP3{Command: name}
	switch name {
	case "USER":
		s.user = append(s.user[:0], rest[:min(len(rest), maxUser)]...)
	case "PASS":
		l := &Login{Service: "pop3", User: string(s.user), Mechanism: "password", Clear: true}
		l.Default = !cut && factoryDefault(s.user, rest)
		msgs = s.attempt.begin(dir, l, msgs)
	case "APOP":
		user, _ := word(rest)
		msgs = s.attempt.begin(dir, &Login{Service: "pop3", User: userText(user), Mechanism: "APOP"}, msgs)
	case "AUTH":
		mechanism, initial := word(rest)
		if len(mechanism) == 0 {
			break // asks for the list of mechanisms
		}
		s.sasl.begin("pop3", mechanism)
		if len(initial) > 0 && !cut {
			s.sasl.response(initial)
		}
	}
	return msgs
}

func (s *pop3Dialogue) response(ok bool, msgs []Message) ([]Message, error) {
	m := s.waits
	s.waits = nil
	if m == nil {
		if s.greeted {
			return msgs, nil
		}
		m = &POP3{}
	}
	s.greeted = true
	m.OK, m.Answered = ok, true
	msgs = append(msgs, m)
	switch m.Command {
	case "STLS":
		if ok {
			return msgs, ErrUpgrade
		}
	case "PASS", "APOP":
		msgs = s.attempt.end(outcomeOf(ok), msgs)
	case "AUTH":
		if s.sasl.login == nil {
			return msgs, nil
		}
		msgs = append(msgs, s.sasl.end(outcomeOf(ok)))
	default:
		return msgs, nil
	}
	if ok {
		return msgs, ErrDone // mail follows
	}
	return msgs, nil
}

func (s *pop3Dialogue) ended(dir Dir, msgs []Message) []Message {
	if s.waits != nil && dir == s.client {
		return msgs // the server may still answer
	}
	if s.waits != nil {
		msgs = append(msgs, s.waits)
		s.waits = nil
	}
	if l := s.sasl.end(OutcomeUnknown); l != nil {
		msgs = append(msgs, l)
	}
	return s.attempt.end(OutcomeUnknown, msgs)
}
