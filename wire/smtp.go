package wire

import "bytes"

// SMTP is a mail transaction (RFC 5321), or a connection that ended without
// one.
type SMTP struct {
	Helo      string   // argument of EHLO or HELO, at most 256 bytes
	MailFrom  string   // reverse path as sent, with its angle brackets
	RcptTo    []string // forward paths, at most 32
	StartTLS  bool     // the connection goes on encrypted (RFC 3207)
	Truncated bool     // more recipients than are kept
}

// Protocol implements Message.
func (*SMTP) Protocol() string { return "smtp" }

const (
	maxSMTPPath       = 256 // RFC 5321 section 4.5.3.1.3
	maxSMTPRecipients = 32
	smtpCommands      = "EHLO HELO LHLO MAIL RCPT DATA BDAT STARTTLS AUTH RSET QUIT NOOP VRFY EXPN HELP ETRN XCLIENT"
)

type smtpDialogue struct {
	mail     SMTP
	reported bool
	sasl     sasl
	client   Dir   // who sent the last command
	data     bool  // the text of a mail is under way
	chunk    int64 // bytes of it that BDAT has announced and that are still to come
	starttls bool  // STARTTLS waits for its reply
}

func newSMTPStream() Stream { return &lineStream{liner: &smtpDialogue{}} }

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
	case s.data && dir == s.client:
		s.data = string(line) != "."
		return msgs, nil
	case s.chunk > 0 && dir == s.client:
		s.chunk -= int64(len(line) + len("\r\n"))
		return msgs, nil
	case s.sasl.login != nil && dir == s.client:
		if !cut {
			s.sasl.response(line)
		}
		return msgs, nil
	}
	if code, more, ok := replyCode(line); ok {
		if more {
			return msgs, nil
		}
		return s.reply(code, msgs)
	}
	verb, rest := word(line)
	name := command(verb, smtpCommands)
	if name == "" {
		return msgs, nil
	}
	s.client = dir
	switch name {
	case "STARTTLS":
		s.starttls = true
	case "EHLO", "HELO", "LHLO":
		s.mail.Helo = text(rest, maxSMTPPath)
		s.reported = false
	case "MAIL":
		s.mail.MailFrom, s.mail.RcptTo, s.mail.Truncated = smtpPath(rest), nil, false
	case "RCPT":
		if len(s.mail.RcptTo) < maxSMTPRecipients {
			s.mail.RcptTo = append(s.mail.RcptTo, smtpPath(rest))
		} else {
			s.mail.Truncated = true
		}
	case "BDAT": // text by size instead of a last line (RFC 3030)
		size, _ := word(rest)
		s.chunk = max(0, contentLength(size))
		if s.mail.MailFrom != "" { // the first part of a mail
			return s.report(msgs), nil
		}
	case "AUTH":
		mechanism, initial := word(rest)
		s.sasl.begin("smtp", mechanism)
		if len(initial) > 0 && !cut {
			s.sasl.response(initial)
		}
	}
	return msgs, nil
}

// smtpPath returns the path of MAIL FROM:<path> or RCPT TO:<path>, without
// parameters.
func smtpPath(rest []byte) string {
	_, path, _ := bytes.Cut(rest, []byte(":"))
	path = bytes.TrimLeft(path, " ")
	if end := bytes.IndexByte(path, '>'); end >= 0 {
		path = path[:end+1]
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
		outcome := OutcomeUnknown
		if code == 235 || code >= 500 {
			outcome = outcomeOf(code == 235)
		}
		return append(msgs, s.sasl.end(outcome)), nil
	case code == 354:
		s.data = true
		return s.report(msgs), nil
	case s.starttls && code == 220:
		s.mail.StartTLS = true
		return s.report(msgs), ErrUpgrade
	}
	return msgs, nil
}

// report says what is known of the transaction, once.
func (s *smtpDialogue) report(msgs []Message) []Message {
	m := s.mail
	s.mail = SMTP{Helo: m.Helo}
	s.reported = true
	return append(msgs, &m)
}

func (s *smtpDialogue) ended(_ Dir, msgs []Message) []Message {
	if !s.reported && (s.mail.Helo != "" || s.mail.MailFrom != "") {
		msgs = s.report(msgs)
	}
	if l := s.sasl.end(OutcomeUnknown); l != nil {
		msgs = append(msgs, l)
	}
	return msgs
}
