package wire

import "bytes"

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
	waits   []pop3Command // in order: clients may send several (RFC 2449 section 6.6)
	user    []byte
	sasl    sasl
	client  Dir
	known   bool // client is: the end that commands, or is answered
	greeted bool
}

// pop3Command waits for its response.
type pop3Command struct {
	message *POP3
	login   *Login // that it tries, nil if none
}

// maxPOP3Pending bounds the commands that wait.
const maxPOP3Pending = 16

func newPOP3Stream() Stream { return newLineStream(&pop3Dialogue{}) }

// sniffPOP3 recognises the server by a greeting with a text ("+OK" alone is
// Redis); the client by a command that no other protocol has.
func sniffPOP3(_ Dir, b []byte) Match {
	if prefix(b, []byte("+OK ")) != No {
		return eachLine(b, func(_ int, line []byte) (Match, bool) {
			return matchIf(len(line) > len("+OK ")), true
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
	if dir == s.client && s.sasl.isResponse(line) {
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
		if ok && !s.greeted && len(s.waits) > 0 && isPOP3Greeting(line) { // seen out of order
			s.greeted = true
			return append(msgs, &POP3{OK: true, Answered: true}), nil
		}
		return s.response(ok, msgs)
	}
	if s.known {
		return msgs, nil // a line of a list, which may look like a command, or a challenge
	}
	return s.command(dir, line, cut, msgs), nil
}

// isPOP3Greeting tells a greeting from the answer to a login: it names what
// serves, or a time for APOP (RFC 1939 section 7).
func isPOP3Greeting(line []byte) bool {
	return containsFold(line, "ready") || containsFold(line, "pop3") ||
		bytes.IndexByte(line, '<') > 0 && bytes.IndexByte(line, '@') > 0
}

// command reads a command of the client.
func (s *pop3Dialogue) command(dir Dir, line []byte, cut bool, msgs []Message) []Message {
	verb, rest := word(line)
	name := command(verb, pop3Commands)
	if name == "" {
		return msgs
	}
	if len(s.waits) == maxPOP3Pending {
		msgs = s.waits[0].unanswered(msgs)
		s.waits = s.waits[1:]
	}
	c := pop3Command{message: &POP3{Command: name}}
	s.client, s.known = dir, true
	switch name {
	case "USER":
		s.user = append(s.user[:0], rest[:min(len(rest), maxUser)]...)
	case "PASS":
		c.login = &Login{Service: "pop3", User: string(s.user), Mechanism: "password", Clear: true}
		c.login.Default = !cut && factoryDefault(s.user, rest)
	case "APOP":
		user, _ := word(rest)
		c.login = &Login{Service: "pop3", User: userText(user), Mechanism: "APOP"}
	case "AUTH":
		mechanism, initial := word(rest)
		if len(mechanism) == 0 {
			break // asks for the list of mechanisms
		}
		if l := s.sasl.end(OutcomeUnknown); l != nil {
			msgs = append(msgs, l)
		}
		s.sasl.begin("pop3", mechanism)
		if len(initial) > 0 && !cut {
			s.sasl.response(initial)
		}
	}
	s.waits = append(s.waits, c)
	return msgs
}

// unanswered reports a command that has no response.
func (c pop3Command) unanswered(msgs []Message) []Message {
	msgs = append(msgs, c.message)
	if c.login != nil {
		msgs = append(msgs, c.login)
	}
	return msgs
}

func (s *pop3Dialogue) response(ok bool, msgs []Message) ([]Message, error) {
	c := pop3Command{message: &POP3{}} // the greeting
	switch {
	case len(s.waits) > 0:
		c, s.waits = s.waits[0], s.waits[1:]
	case s.greeted:
		return msgs, nil
	}
	s.greeted = true
	m := c.message
	m.OK, m.Answered = ok, true
	msgs = append(msgs, m)
	switch m.Command {
	case "STLS":
		if ok {
			return msgs, ErrUpgrade
		}
	case "PASS", "APOP":
		c.login.Outcome = outcomeOf(ok)
		msgs = append(msgs, c.login)
	case "AUTH":
		if s.sasl.login == nil {
			return msgs, nil
		}
		msgs = append(msgs, s.sasl.end(outcomeOf(ok)))
	default:
		return msgs, nil
	}
	if ok {
		s.waits = nil
		return msgs, ErrDone // mail follows
	}
	return msgs, nil
}

func (s *pop3Dialogue) ended(dir Dir, msgs []Message) []Message {
	if len(s.waits) > 0 && dir == s.client {
		return msgs // the server may still answer
	}
	for _, c := range s.waits {
		msgs = c.unanswered(msgs)
	}
	s.waits = nil
	if l := s.sasl.end(OutcomeUnknown); l != nil {
		msgs = append(msgs, l)
	}
	return msgs
}
