package wire

import (
	"bytes"
	"slices"
)

// IMAP is a command with the status of its response (RFC 3501), up to the
// login: what follows is mail. The server's greeting has an empty command.
type IMAP struct {
	Command string // upper case; arguments are not kept
	Status  string // "OK", "NO", "BAD", "PREAUTH", "BYE"; "" if none was seen
}

// Protocol implements Message.
func (*IMAP) Protocol() string { return "imap" }

const (
	imapCommands = "CAPABILITY LOGIN AUTHENTICATE STARTTLS ID NOOP LOGOUT SELECT EXAMINE LIST LSUB NAMESPACE STATUS ENABLE UID IDLE"
	imapStatuses = "OK NO BAD PREAUTH BYE"
	maxIMAPTag   = 32
	maxLiteral   = 1024 // bytes of LOGIN's literals that are put together

	maxIMAPPending = 16 // commands that wait
)

type imapDialogue struct {
	waits   []imapCommand // clients may send several, and are answered in any order
	sasl    sasl
	client  Dir
	greeted bool
	partial []byte // a LOGIN whose literal follows
}

// imapCommand waits for the response with its tag.
type imapCommand struct {
	tag     string
	message *IMAP
	login   *Login // that it tries, nil if none
}

func newIMAPStream() Stream { return newLineStream(&imapDialogue{}) }

// sniffIMAP recognises the server by its untagged greeting, the client by a
// tag, which has a digit, and a command.
func sniffIMAP(_ Dir, b []byte) Match {
	if prefix(b, []byte("* ")) != No {
		return eachLine(b, func(_ int, line []byte) (Match, bool) {
			status, _ := word(line[2:])
			switch command(status, imapStatuses) {
			case "OK", "PREAUTH", "BYE":
				return Yes, true
			}
			return No, true
		})
	}
	end := bytes.IndexByte(b, ' ')
	if !plausibleTag(b[:min(len(b), max(end, 0)+maxIMAPTag+1)], end) {
		return No
	}
	if end < 0 || opensWith(b[end+1:], imapCommands) == No {
		return maybeIf(end < 0)
	}
	return eachLine(b, func(_ int, line []byte) (Match, bool) {
		verb, _ := word(line[end+1:])
		if command(verb, imapCommands) != "" {
			return Yes, true
		}
		return No, true
	})
}

// plausibleTag judges a tag that ends before a blank at end, or has no end
// yet: letters and digits, one digit at least.
func plausibleTag(b []byte, end int) bool {
	tag, digits := b, 0
	if end >= 0 {
		tag = b[:min(end, len(b))]
	}
	for _, c := range tag {
		if !isAlnum(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
		if isDigit(c) {
			digits++
		}
	}
	return len(tag) <= maxIMAPTag && (end < 0 || digits > 0 && len(tag) > 0)
}

func (s *imapDialogue) line(dir Dir, line []byte, cut bool, msgs []Message) ([]Message, error) {
	if dir == s.client && s.partial != nil {
		s.login(append(s.partial, line...), cut)
		return msgs, nil
	}
	if dir == s.client && s.sasl.isResponse(line) {
		if !cut {
			s.sasl.response(line)
		}
		return msgs, nil
	}
	tag, rest := word(line)
	verb, rest := word(rest)
	if status := command(verb, imapStatuses); status != "" {
		return s.response(tag, status, msgs)
	}
	name := command(verb, imapCommands)
	if name == "" || string(tag) == "*" || string(tag) == "+" || len(tag) > maxIMAPTag {
		return msgs, nil
	}
	if len(s.waits) == maxIMAPPending {
		msgs = s.waits[0].unanswered(msgs)
		s.waits = s.waits[1:]
	}
	s.client = dir
	s.waits = append(s.waits, imapCommand{tag: string(tag), message: &IMAP{Command: name}})
	switch name {
	case "LOGIN":
		s.waits[len(s.waits)-1].login = &Login{Service: "imap", Mechanism: "password", Clear: true}
		s.login(rest, cut)
	case "AUTHENTICATE":
		if l := s.sasl.end(OutcomeUnknown); l != nil {
			msgs = append(msgs, l)
		}
		mechanism, initial := word(rest)
		s.sasl.begin("imap", mechanism)
		if len(initial) > 0 && !cut {
			s.sasl.response(initial)
		}
	}
	return msgs, nil
}

// unanswered reports a command that has no response.
func (c *imapCommand) unanswered(msgs []Message) []Message {
	msgs = append(msgs, c.message)
	if c.login != nil {
		msgs = append(msgs, c.login)
	}
	return msgs
}

// login reads the two arguments of LOGIN: atoms, quoted strings or literals,
// of which the bytes follow on the next line (RFC 3501 section 4.3).
func (s *imapDialogue) login(args []byte, cut bool) {
	s.partial = nil
	user, rest, ok := imapString(args)
	if !ok {
		s.wait(args)
		return
	}
	secret, _, ok := imapString(rest)
	if !ok {
		s.wait(args)
	}
	if len(s.waits) == 0 {
		return
	}
	if l := s.waits[len(s.waits)-1].login; l != nil {
		l.User = userText(user)
		l.Default = ok && !cut && factoryDefault(user, secret)
	}
}

// wait keeps arguments whose literal is still to come.
func (s *imapDialogue) wait(args []byte) {
	if len(args) < maxLiteral && bytes.HasSuffix(args, []byte("}")) {
		s.partial = append(append([]byte(nil), args...), '\n')
	}
}

// imapString takes a string off args; ok is false if its literal is not there.
func imapString(args []byte) (s, rest []byte, ok bool) {
	args = bytes.TrimLeft(args, " ")
	if len(args) == 0 {
		return nil, nil, true
	}
	switch args[0] {
	case '"':
		s = make([]byte, 0, min(len(args), maxUser))
		for i := 1; i < len(args); i++ {
			switch {
			case args[i] == '"':
				return s, args[i+1:], true
			case args[i] == '\\' && i+1 < len(args):
				i++
			}
			s = append(s, args[i])
		}
		return s, nil, true
	case '{':
		length, text, found := bytes.Cut(args, []byte("}\n"))
		if !found {
			return nil, nil, false
		}
		n := contentLength(bytes.TrimSuffix(length[1:], []byte("+")))
		if n < 0 || n > int64(len(text)) {
			return text, nil, true
		}
		return text[:n], text[n:], true
	}
	s, rest = word(args)
	return s, rest, true
}

func (s *imapDialogue) response(tag []byte, status string, msgs []Message) ([]Message, error) {
	if string(tag) == "*" {
		if !s.greeted {
			s.greeted = true
			msgs = append(msgs, &IMAP{Status: status})
		}
		return msgs, nil
	}
	i := slices.IndexFunc(s.waits, func(c imapCommand) bool { return c.tag == string(tag) })
	if i < 0 {
		return msgs, nil
	}
	m, login := s.waits[i].message, s.waits[i].login
	s.waits = slices.Delete(s.waits, i, i+1)
	s.greeted = true
	if i == len(s.waits) { // its literals were not wanted
		s.partial = nil
	}
	m.Status = status
	msgs = append(msgs, m)
	ok := status == "OK"
	switch m.Command {
	case "STARTTLS":
		if ok {
			return msgs, ErrUpgrade
		}
	case "LOGIN":
		login.Outcome = imapOutcome(status)
		msgs = append(msgs, login)
	case "AUTHENTICATE":
		if l := s.sasl.end(imapOutcome(status)); l != nil {
			msgs = append(msgs, l)
		}
	default:
		return msgs, nil
	}
	if ok {
		s.waits = nil
		return msgs, ErrDone // mail follows
	}
	return msgs, nil
}

// imapOutcome: NO refuses, BAD did not understand.
func imapOutcome(status string) Outcome {
	switch status {
	case "OK":
		return Succeeded
	case "NO":
		return Failed
	}
	return OutcomeUnknown
}

func (s *imapDialogue) ended(dir Dir, msgs []Message) []Message {
	if len(s.waits) > 0 && dir == s.client {
		return msgs // the server may still answer
	}
	for i := range s.waits {
		msgs = s.waits[i].unanswered(msgs)
	}
	s.waits = nil
	if l := s.sasl.end(OutcomeUnknown); l != nil {
		msgs = append(msgs, l)
	}
	return msgs
}
