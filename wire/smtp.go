package wire

import "bytes"

// SMTP is a mail transaction (RFC 5321), or a connection that ended without
// one.
type SMTP struct {
	Helo      string   // argument of EHLO or HELO, at most 256 bytes
	MailFrom  string   // reverse path as sent, with its angle brackets
	RcptTo    []string // forward paths, at most 100
	StartTLS  bool     // the connection goes on encrypted (RFC 3207)
	Truncated bool     // more recipients than are kept
}

// Protocol implements Message.
func (*SMTP) Protocol() string { return "smtp" }

const (
	maxSMTPPath       = 256 // RFC 5321 section 4.5.3.1.3
	maxSMTPRecipients = 100 // that every server must take (section 4.5.3.1.8)
	smtpCommands      = "EHLO HELO LHLO MAIL RCPT DATA BDAT STARTTLS AUTH RSET QUIT NOOP VRFY EXPN HELP ETRN XCLIENT"
)

type smtpDialogue struct {
	mail     SMTP
	reported bool
	sasl     sasl
	client   Dir      // who sent the last command
	data     smtpData // how far the text of a mail is
	early    int      // texts that were over before the reply to their DATA was seen
	chunk    int64    // bytes of it that BDAT has announced and that are still to come
	starttls bool     // STARTTLS waits for its reply
	greeted  bool     // the server has greeted like one of mail
	held     int      // bytes of the envelope
}

// smtpData is where the text of a mail stands. It ends with a line of its own,
// and begins with the reply to DATA: which is not seen in time, or not at all,
// where a client does not wait for it or one direction is missing.
type smtpData uint8

const (
	smtpNoText  smtpData = iota
	smtpAsked            // DATA waits for its reply
	smtpUnasked          // text is under way, and the reply was not seen
	smtpText             // text is under way
)

var _ bulky = (*smtpDialogue)(nil)

func newSMTPStream() Stream { return newLineStream(&smtpDialogue{}) }

// isMailGreeting tells the greeting of a mail server from that of an FTP
// server, which has the same code.
func isMailGreeting(line []byte) bool {
	if containsFold(line, "ftp") {
		return false
	}
	return containsFold(line, "smtp") || containsFold(line, "mail") || containsFold(line, "postfix") || containsFold(line, "exim")
}

// sniffSMTP recognises the server by its greeting, if that is of a mail server
// beyond doubt, and else leaves it to FTP; the client by a greeting or an
// envelope.
func sniffSMTP(_ Dir, b []byte) Match {
	if prefix(b, []byte("220")) != No {
		return eachLine(b, func(_ int, line []byte) (Match, bool) {
			if _, _, ok := replyCode(line); ok && isMailGreeting(line) {
				return Yes, true
			}
			return No, true
		})
	}
	if opensWith(b, "EHLO HELO LHLO MAIL RCPT") == No {
		return No
	}
	return eachLine(b, func(_ int, line []byte) (Match, bool) {
		verb, rest := word(line)
		switch command(verb, "EHLO HELO LHLO MAIL RCPT") {
		case "EHLO", "HELO", "LHLO":
			if len(rest) > 0 || isWord(verb, "EHLO") {
				return Yes, true
			}
		case "MAIL", "RCPT":
			if containsFold(rest[:min(len(rest), 6)], "from:") || containsFold(rest[:min(len(rest), 6)], "to:") {
				return Yes, true
			}
		}
		return No, true
	})
}

func (s *smtpDialogue) line(dir Dir, line []byte, cut bool, msgs []Message) ([]Message, error) {
	switch {
	case dir == s.client && s.data != smtpNoText:
		return s.text(line, msgs), nil
	case dir == s.client && s.sasl.isResponse(line):
		if !cut {
			s.sasl.response(line)
		}
		return msgs, nil
	}
	if code, more, ok := replyCode(line); ok {
		s.greeted = s.greeted || code == 220 && isMailGreeting(line)
		if more {
			return msgs, nil
		}
		return s.reply(code, msgs)
	}
	return s.command(dir, line, cut, msgs), nil
}

// text reads a line of a mail, of which only the last one is of interest.
func (s *smtpDialogue) text(line []byte, msgs []Message) []Message {
	if s.data == smtpAsked {
		msgs = s.report(msgs)
		s.data = smtpUnasked
	}
	if string(line) == "." {
		if s.data == smtpUnasked {
			s.early++
		}
		s.data = smtpNoText
	}
	return msgs
}

// command reads a command of the client.
func (s *smtpDialogue) command(dir Dir, line []byte, cut bool, msgs []Message) []Message {
	verb, rest := word(line)
	name := command(verb, smtpCommands)
	if name == "" {
		return msgs
	}
	s.client = dir
	switch name {
	case "STARTTLS":
		s.starttls = true
	case "DATA":
		if s.mail.MailFrom != "" {
			s.data = smtpAsked
		}
	case "EHLO", "HELO", "LHLO":
		s.reported = false
		if s.mail.Helo = ""; !cut {
			s.mail.Helo = text(rest, maxSMTPPath)
		}
	case "MAIL":
		s.mail.MailFrom, s.mail.RcptTo = smtpPath(rest, cut), nil
		s.mail.Truncated = s.mail.MailFrom == ""
		s.held = len(s.mail.MailFrom)
	case "RCPT":
		if path := smtpPath(rest, cut); path != "" && len(s.mail.RcptTo) < maxSMTPRecipients {
			s.mail.RcptTo = append(s.mail.RcptTo, path)
			s.held += len(path) + 2*16 // with the list, which grows by halves
		} else {
			s.mail.Truncated = true
		}
	case "BDAT": // text by size instead of a last line (RFC 3030)
		size, _ := word(rest)
		s.chunk = max(0, contentLength(size))
		if s.mail.MailFrom != "" { // the first part of a mail
			return s.report(msgs)
		}
	case "AUTH":
		if l := s.sasl.end(OutcomeUnknown); l != nil {
			msgs = append(msgs, l)
		}
		mechanism, initial := word(rest)
		s.sasl.begin("smtp", mechanism)
		if len(initial) > 0 && !cut {
			s.sasl.response(initial)
		}
	}
	return msgs
}

// pass implements bulky: a part of a mail by size may hold any bytes.
func (s *smtpDialogue) pass(dir Dir, n int64) int64 {
	if dir != s.client {
		return 0
	}
	n = min(n, s.chunk)
	s.chunk -= n
	return n
}

func (s *smtpDialogue) retained() int { return s.held }

// smtpPath returns the path of MAIL FROM:<path> or RCPT TO:<path>, without
// parameters; "" if its end was cut off.
func smtpPath(rest []byte, cut bool) string {
	_, path, _ := bytes.Cut(rest, []byte(":"))
	path = bytes.TrimLeft(path, " ")
	if end := bytes.IndexByte(path, '>'); end >= 0 {
		path = path[:end+1]
	} else if cut {
		return ""
	} else {
		path, _ = word(path)
	}
	return text(path, maxSMTPPath)
}

func (s *smtpDialogue) reply(code int, msgs []Message) ([]Message, error) {
	switch {
	case s.sasl.login != nil && code == 334:
		return msgs, nil // a challenge
	case s.sasl.login != nil:
		return append(msgs, s.sasl.end(smtpOutcome(code))), nil
	case code == 354 && s.early > 0:
		s.early--
	case code == 354 && s.data >= smtpUnasked:
		s.data = smtpText
	case code == 354:
		s.data = smtpText
		return s.report(msgs), nil
	case code >= 400 && s.data == smtpAsked:
		s.data = smtpNoText // it is to a recipient sent with DATA, or there will be no text
	case s.starttls && code == 220:
		s.mail.StartTLS = true
		return s.report(msgs), ErrUpgrade
	}
	return msgs, nil
}

// smtpOutcome judges a login by its reply (RFC 4954 section 6). Those from 500 to
// 504 say that the command was not understood, or given up.
func smtpOutcome(code int) Outcome {
	switch {
	case code == 235:
		return Succeeded
	case code > 504:
		return Failed
	}
	return OutcomeUnknown
}

// report says what is known of the transaction, once.
func (s *smtpDialogue) report(msgs []Message) []Message {
	m := s.mail
	s.mail, s.held = SMTP{Helo: m.Helo}, 0
	s.reported = true
	return append(msgs, &m)
}

func (s *smtpDialogue) ended(_ Dir, msgs []Message) []Message {
	if s.mail.MailFrom != "" || !s.reported && (s.mail.Helo != "" || s.greeted) {
		msgs = s.report(msgs)
	}
	if l := s.sasl.end(OutcomeUnknown); l != nil {
		msgs = append(msgs, l)
	}
	return msgs
}
