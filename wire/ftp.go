package wire

import (
	"bytes"
	"fmt"
	"slices"
)

// FTP is a command on an FTP control connection with its final reply (RFC 959,
// RFC 2228, RFC 4217). The server's greeting has an empty command.
type FTP struct {
	Command  string // upper case
	Argument string // at most 256 bytes; "" for secrets
	Code     int    // of the final reply, 0 if none was seen
	// Replies are the lines of the preliminary and the final reply, of more
	// than 16 the first ones and the last.
	Replies []FTPReply
	// DataPort is the TCP port on which one end awaits a data connection, 0 if
	// the command is not about one; Active if that end is the client.
	DataPort uint16
	Active   bool
}

// FTPReply is one line of a reply.
type FTPReply struct {
	Code int    // 0 within a reply of several lines
	Text string // at most 256 bytes
}

// Protocol implements Message.
func (*FTP) Protocol() string { return "ftp" }

const (
	maxFTPText    = 256
	maxFTPPending = 16 // commands that wait for their reply: clients send one at a time
	maxFTPReplies = 16 // lines that are kept of a reply
)

// The commands of FTP in the order of RFC 5797's registry; those that other
// protocols of lines have as well come first.
const (
	ftpShared   = "USER PASS QUIT NOOP LIST RETR DELE STAT HELP REST AUTH"
	ftpOwn      = "SYST FEAT PASV EPSV PORT EPRT TYPE CWD PWD XPWD OPTS PBSZ PROT SIZE MDTM SITE STOR STOU APPE NLST MLSD MLST MKD XMKD RMD XRMD RNFR RNTO CDUP XCUP MODE STRU ABOR ALLO SMNT REIN ACCT ADAT CCC CLNT MFMT HOST LANG LPRT LPSV XCWD XCRC XMD5 HASH AVBL COMB"
	ftpCommands = ftpShared + " " + ftpOwn
)

var errFTPReply = fmt.Errorf("read ftp reply: no reply code: %w", ErrMalformed)

type ftpDialogue struct {
	pending []*FTP // commands in order
	user    []byte // of USER, at most maxUser bytes
	attempt attempt
	greeted bool
	client  Dir  // who sent the first command that was known
	known   bool // client is
	// greeting waits for the client's first command: mail servers greet alike.
	greeting *FTP
	mail     *smtpDialogue // if it turned out to be one
	many     int           // code of a reply of several lines under way, 0 if none
	lines    []FTPReply    // of the reply under way
	data     ftpData
}

var _ bulky = (*ftpDialogue)(nil)

func newFTPStream() Stream { return newLineStream(&ftpDialogue{}) }

// sniffFTP recognises the server by its greeting, unless that is of a mail
// server (if it may be, the client's first command will tell); the client by
// a command that no other protocol has.
func sniffFTP(_ Dir, b []byte) Match {
	if prefix(b, []byte("220")) != No {
		return eachLine(b, func(_ int, line []byte) (Match, bool) {
			if _, _, ok := replyCode(line); ok && !isMailGreeting(line) {
				return Yes, true
			}
			return No, true
		})
	}
	if opensWith(b, ftpCommands) == No {
		return No
	}
	return eachLine(b, func(_ int, line []byte) (Match, bool) {
		verb, rest := word(line)
		switch {
		case bytes.Contains(rest, []byte(httpVersion)):
			return No, true // a request, whatever its method
		case isWord(verb, "AUTH"):
			if isWord(rest, "TLS") || isWord(rest, "SSL") || isWord(rest, "TLS-C") {
				return Yes, true
			}
			return No, true
		case isWord(verb, "TYPE"):
			kind, _ := word(rest)
			return matchIf(command(kind, "A I E L") != ""), true
		case isWord(verb, "SIZE"): // a word that programs of all kinds begin with
		case command(verb, ftpOwn) != "":
			return Yes, true
		case command(verb, ftpShared) == "":
			return No, true
		}
		return Maybe, false
	})
}

func (s *ftpDialogue) line(dir Dir, line []byte, cut bool, msgs []Message) ([]Message, error) {
	if s.mail != nil {
		return s.mail.line(dir, line, cut, msgs)
	}
	if code, more, ok := replyCode(line); ok || s.many != 0 {
		return s.reply(dir, line, code, more, ok, msgs)
	}
	if len(line) == 0 {
		return msgs, nil
	}
	verb, rest := word(withoutTelnet(line))
	name := command(verb, ftpCommands)
	if name == "" && s.greeting != nil && command(verb, "EHLO HELO LHLO") != "" {
		s.mail = &smtpDialogue{}
		return s.mail.line(dir, line, cut, msgs)
	}
	if name != "" && s.greeting != nil {
		msgs = append(msgs, s.greeting)
		s.greeting = nil
	}
	if name == "" {
		if !s.greeted && len(s.pending) == 0 {
			return msgs, errFTPReply
		}
		if s.known && dir == s.client && len(s.pending) < maxFTPPending {
			s.pending = append(s.pending, &FTP{}) // it will be answered too
		}
		return msgs, nil // unknown to us, or the text of a server that forgets codes
	}
	if !s.known {
		s.client, s.known = dir, true
	}
	m := &FTP{Command: name}
	switch name {
	case "PORT", "EPRT":
		m.Argument = text(rest, maxFTPText)
		if m.DataPort = ftpPort(name, rest); m.DataPort != 0 {
			m.Active, s.data = true, ftpData{dir, m.DataPort}
		}
	case "RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD":
		m.Argument = text(rest, maxFTPText)
		if s.data.port != 0 {
			msgs = append(msgs, s.data.expect(name, m.Argument))
			s.data = ftpData{}
		}
	case "USER":
		s.user = append(s.user[:0], rest[:min(len(rest), maxUser)]...)
		m.Argument = text(rest, maxFTPText)
	case "PASS":
		l := &Login{Service: "ftp", User: string(s.user), Mechanism: "password", Clear: true}
		l.Default = !cut && factoryDefault(s.user, rest)
		msgs = s.attempt.begin(dir, l, msgs)
	case "ACCT", "ADAT":
	default:
		m.Argument = text(rest, maxFTPText)
	}
	if len(s.pending) == maxFTPPending {
		msgs = s.pending[0].unanswered(msgs)
		s.pending = s.pending[1:]
	}
	s.pending = append(s.pending, m)
	return msgs, nil
}

// withoutTelnet cuts off the signals of Telnet that come before ABOR (RFC 959
// section 4.1.3): IAC IP IAC DM.
func withoutTelnet(line []byte) []byte {
	for len(line) > 1 && line[0] == telnetIAC {
		line = line[2:]
	}
	return line
}

// unanswered reports a command that has no reply; one that is unknown says
// nothing.
func (m *FTP) unanswered(msgs []Message) []Message {
	if m.Command == "" {
		return msgs
	}
	return append(msgs, m)
}

// reply reads a line of a reply; the last one ends a command.
func (s *ftpDialogue) reply(dir Dir, line []byte, code int, more, ok bool, msgs []Message) ([]Message, error) {
	greeting := !s.greeted && len(s.pending) == 0
	if greeting || len(s.pending) > 0 {
		s.keep(line, code, ok)
	}
	if s.many != 0 && (!ok || more || code != s.many) {
		return msgs, nil // within a reply of several lines anything may stand
	}
	if more {
		s.many = code
		return msgs, nil
	}
	s.many = 0
	if code < 200 {
		return msgs, nil // preliminary
	}
	replies := s.lines
	s.lines = nil
	if greeting {
		s.greeted = true
		s.greeting = &FTP{Code: code, Replies: replies}
		return msgs, nil
	}
	if len(s.pending) == 0 || !s.greeted && code == 220 {
		return msgs, nil // to a command that was not seen
	}
	m := s.pending[0]
	s.greeted, s.pending = true, s.pending[1:]
	if m.Command == "" {
		return msgs, nil
	}
	m.Code, m.Replies = code, replies
	if m.Command == "PASV" && code == 227 || m.Command == "EPSV" && code == 229 {
		if m.DataPort = ftpPort(m.Command, line); m.DataPort != 0 {
			s.data = ftpData{dir, m.DataPort}
		}
	}
	msgs = s.outcome(dir, m, append(msgs, m))
	if m.Command == "AUTH" && (code == 234 || code == 334) {
		return msgs, ErrUpgrade
	}
	return msgs, nil
}

// keep notes a line of the reply under way.
func (s *ftpDialogue) keep(line []byte, code int, ok bool) {
	line = bytes.TrimRight(line, " ")
	r := FTPReply{Text: text(line, maxFTPText)}
	if ok {
		r = FTPReply{code, text(line[min(4, len(line)):], maxFTPText)}
	}
	if len(s.lines) == maxFTPReplies {
		s.lines[maxFTPReplies-1] = r
		return
	}
	s.lines = append(s.lines, r)
}

// outcome reads what a reply says about a login: 230 and 202 welcome, 331 and
// 332 ask for more, anything from 500 on refuses, but for what says that the
// command was not understood, or out of order.
func (s *ftpDialogue) outcome(dir Dir, m *FTP, msgs []Message) []Message {
	switch m.Command {
	case "USER":
		if m.Code == 230 && s.attempt.login != nil {
			return s.attempt.end(Succeeded, msgs) // what asked for the password was not seen in time
		}
		if m.Code == 230 || m.Code > 504 { // without a password, or not at all
			msgs = s.attempt.begin(dir.Other(), &Login{Service: "ftp", User: string(s.user), Mechanism: "none"}, msgs)
			return s.attempt.end(outcomeOf(m.Code == 230), msgs)
		}
	case "PASS":
		switch {
		case m.Code == 230 || m.Code == 202:
			return s.attempt.end(Succeeded, msgs)
		case m.Code >= 500 && m.Code < 502 || m.Code > 504:
			return s.attempt.end(Failed, msgs)
		case m.Code >= 400 || m.Code == 332:
			return s.attempt.end(OutcomeUnknown, msgs)
		}
	}
	return msgs
}

func outcomeOf(ok bool) Outcome {
	if ok {
		return Succeeded
	}
	return Failed
}

// pass implements bulky, of a mail server.
func (s *ftpDialogue) pass(dir Dir, n int64) int64 {
	if s.mail == nil {
		return 0
	}
	return s.mail.pass(dir, n)
}

func (s *ftpDialogue) retained() int {
	if s.mail == nil {
		return 0
	}
	return s.mail.retained()
}

func (s *ftpDialogue) ended(dir Dir, msgs []Message) []Message {
	if s.mail != nil {
		return s.mail.ended(dir, msgs)
	}
	if s.greeting != nil && slices.ContainsFunc(s.greeting.Replies, func(r FTPReply) bool {
		return containsFold([]byte(r.Text), "ftp")
	}) {
		msgs = append(msgs, s.greeting)
	}
	s.greeting = nil
	if s.attempt.login != nil && s.attempt.from == dir {
		return msgs // the server may still answer
	}
	for _, m := range s.pending {
		msgs = m.unanswered(msgs)
	}
	s.pending = nil
	return s.attempt.flush(dir, msgs)
}
