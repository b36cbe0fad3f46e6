package wire

import (
	"slices"
	"strings"
	"testing"
)

// says joins lines with line ends.
func says(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n") + "\r\n") }

// replied is a reply of one line.
func replied(code int, text string) []FTPReply { return []FTPReply{{code, text}} }

func TestFTPStream(t *testing.T) {
	ready := &FTP{Code: 220, Replies: replied(220, "FTP ready")}
	welcome := &FTP{Code: 220, Replies: []FTPReply{{220, "Welcome"}, {0, " to"}, {220, "FTP ready"}}}
	user := &FTP{Command: "USER", Argument: "pi", Code: 331, Replies: replied(331, "Password?")}
	playAll(t, newFTPStream, []dialogue{
		{"default credentials, then a transfer", []chunk{
			{FromServer, says("220-Welcome", " to", "220 FTP ready")},
			{FromClient, says("USER pi")},
			{FromServer, says("331 Password?")},
			{FromClient, says("PASS raspberry")},
			{FromServer, says("230 In")},
			{FromClient, says("retr a b.bin")},
			{FromServer, says("150 Coming", "226 Done")},
		}, []Message{
			welcome, user,
			&FTP{Command: "PASS", Code: 230, Replies: replied(230, "In")},
			&Login{Service: "ftp", User: "pi", Mechanism: "password", Outcome: Succeeded, Clear: true, Default: true},
			&FTP{Command: "RETR", Argument: "a b.bin", Code: 226, Replies: []FTPReply{{150, "Coming"}, {226, "Done"}}},
		}, nil},
		{"refused", []chunk{
			{FromClient, says("USER pi", "PASS other")},
			{FromServer, says("331 Password?", "530 No")},
		}, []Message{
			user,
			&FTP{Command: "PASS", Code: 530, Replies: replied(530, "No")},
			&Login{Service: "ftp", User: "pi", Mechanism: "password", Outcome: Failed, Clear: true},
		}, nil},
		{"refused at once", []chunk{{FromClient, says("USER x")}, {FromServer, says("530 Anonymous only")}}, []Message{
			&FTP{Command: "USER", Argument: "x", Code: 530, Replies: replied(530, "Anonymous only")},
			&Login{Service: "ftp", User: "x", Mechanism: "none", Outcome: Failed},
		}, nil},
		{"the question for the password is late", []chunk{
			{FromServer, says("220 FTP ready", "331 Password?")},
			{FromClient, says("USER pi", "PASS other")},
			{FromServer, says("230 In")},
		}, []Message{
			ready,
			&FTP{Command: "USER", Argument: "pi", Code: 230, Replies: replied(230, "In")},
			&Login{Service: "ftp", User: "pi", Mechanism: "password", Outcome: Succeeded, Clear: true},
			&FTP{Command: "PASS"},
		}, nil},
		{"no answer", []chunk{{FromServer, says("220 FTP ready")}, {FromClient, says("USER pi", "PASS x")}}, []Message{
			ready,
			&FTP{Command: "USER", Argument: "pi"},
			&FTP{Command: "PASS"},
			&Login{Service: "ftp", User: "pi", Mechanism: "password", Clear: true},
		}, nil},
		{"TLS follows", []chunk{
			{FromClient, says("AUTH TLS")},
			{FromServer, append(says("220 FTP ready", "234 Go"), 22, 3, 3)},
		}, []Message{&FTP{Command: "AUTH", Argument: "TLS", Code: 234, Replies: replied(234, "Go")}}, ErrUpgrade},
		{"a command that nobody knows, one out of order, ABOR with signals of Telnet", []chunk{
			{FromServer, says("220 FTP ready")},
			{FromClient, says("QUIT", "FOO bar", "PASS x", "\xff\xf4\xff\xf2ABOR", "USER")},
			{FromServer, says("221 a", "500 b", "503 c", "225 d  ", "501 e")},
		}, []Message{
			ready,
			&FTP{Command: "QUIT", Code: 221, Replies: replied(221, "a")},
			&FTP{Command: "PASS", Code: 503, Replies: replied(503, "c")},
			&Login{Service: "ftp", Mechanism: "password", Clear: true},
			&FTP{Command: "ABOR", Code: 225, Replies: replied(225, "d")},
			&FTP{Command: "USER", Code: 501, Replies: replied(501, "e")},
		}, nil},
		{"a mail server that greets like one of FTP", []chunk{
			{FromServer, says("220 mx.example at your service")},
			{FromClient, says("EHLO me")},
		}, []Message{&SMTP{Helo: "me"}}, nil},
		{"a greeting that may be either", []chunk{{FromServer, says("220 mx.example at your service")}}, nil, nil},
		{"an endless line", []chunk{{FromClient, says("CWD "+strings.Repeat("a", 5000), "PWD")}}, []Message{
			&FTP{Command: "CWD", Argument: strings.Repeat("a", maxFTPText)},
			&FTP{Command: "PWD"},
		}, nil},
		{"a reply of many lines", []chunk{
			{FromClient, says("FEAT")},
			{FromServer, says("211-Have", strings.Repeat(" x\r\n", 40)+"211 End")},
		}, []Message{&FTP{Command: "FEAT", Code: 211, Replies: slices.Concat(
			replied(211, "Have"), slices.Repeat(replied(0, " x"), 14), replied(211, "End"))}}, nil},
		{"something else", []chunk{{FromClient, says("HELLO")}}, nil, ErrMalformed},
	})
}

// TestFTPData: where data connections are awaited, and what they are for.
func TestFTPData(t *testing.T) {
	expect := func(listener Dir, port uint16, command, file string) *Expectation {
		return &Expectation{App: "ftp-data", Over: overTCP, Listener: listener, Port: port, Message: &FTPData{command, file}}
	}
	const passive, extended = "Entering Passive Mode (10,0,0,1,192,11)", "Entering Extended Passive Mode (|||6446|)"
	playAll(t, newFTPStream, []dialogue{
		{"passive, once for each transfer", []chunk{
			{FromClient, says("PASV")},
			{FromServer, says("227 " + passive)},
			{FromClient, says("STOR a")},
			{FromClient, says("STOR b")},
		}, []Message{
			&FTP{Command: "PASV", Code: 227, Replies: replied(227, passive), DataPort: 49163},
			expect(FromServer, 49163, "STOR", "a"),
			&FTP{Command: "STOR", Argument: "a"}, &FTP{Command: "STOR", Argument: "b"},
		}, nil},
		{"extended passive", []chunk{
			{FromClient, says("EPSV")},
			{FromServer, says("229 " + extended)},
			{FromClient, says("MLSD")},
		}, []Message{
			&FTP{Command: "EPSV", Code: 229, Replies: replied(229, extended), DataPort: 6446},
			expect(FromServer, 6446, "MLSD", ""),
			&FTP{Command: "MLSD"},
		}, nil},
		{"active", []chunk{{FromClient, says("PORT 10,0,0,9,4,1", "RETR f")}}, []Message{
			expect(FromClient, 1025, "RETR", "f"),
			&FTP{Command: "PORT", Argument: "10,0,0,9,4,1", DataPort: 1025, Active: true}, &FTP{Command: "RETR", Argument: "f"},
		}, nil},
		{"refused", []chunk{{FromClient, says("PASV")}, {FromServer, says("425 1,2,3,4,5,6")}, {FromClient, says("LIST")}}, []Message{
			&FTP{Command: "PASV", Code: 425, Replies: replied(425, "1,2,3,4,5,6")}, &FTP{Command: "LIST"},
		}, nil},
	})
	for _, c := range []struct {
		command, line string
		want          uint16
	}{
		{"PORT", "10,0,0,9,4,1", 1025},
		{"PASV", "227 =10,0,0,9,4,1", 1025}, // no parentheses: RFC 1123 section 4.1.2.6
		{"PASV", "227 in 20 s (10,0,0,9,255,255).", 65535},
		{"PORT", "10,0,0,9,4", 0},
		{"PORT", "10,0,0,9,4,256", 0},
		{"PORT", "10,0,0,9,,1", 0},
		{"PORT", "10,0,0,9,0,1000", 0},
		{"EPRT", "|1|10.0.0.9|6275|", 6275},
		{"EPRT", "!2!::1!65535!", 65535},
		{"EPRT", "|1|10.0.0.9|65536|", 0},
		{"EPRT", "|1|10.0.0.9|62x5|", 0},
		{"EPRT", "|1|10.0.0.9|6275", 0},
		{"EPRT", "", 0},
		{"EPSV", "229 (!!!1!)", 1},
		{"EPSV", "229 none", 0},
		{"EPSV", "229 (", 0},
	} {
		if got := ftpPort(c.command, []byte(c.line)); got != c.want {
			t.Errorf("%s %q: port %d, want %d", c.command, c.line, got, c.want)
		}
	}
}

func TestSMTPStream(t *testing.T) {
	auth := func(o Outcome, mechanism string) *Login {
		return &Login{Service: "smtp", User: "camera", Mechanism: mechanism, Outcome: o, Clear: true}
	}
	playAll(t, newSMTPStream, []dialogue{
		{"mails in parts of a size, all sent at once", []chunk{
			{FromServer, says("220 mx ESMTP")},
			{FromClient, says("EHLO cam", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 24", "Subject: x", "", "QUIT now", "BDAT 14 LAST", "RCPT TO:<e@f>"[:12],
				"MAIL FROM:<g@h>", "RCPT TO:<i@j>", "BDAT 3 LAST", "x")},
		}, []Message{
			&SMTP{Helo: "cam", MailFrom: "<a@b>", RcptTo: []string{"<c@d>"}}, &SMTP{Helo: "cam", MailFrom: "<g@h>", RcptTo: []string{"<i@j>"}},
		}, nil},
		{"a mail after a login", []chunk{
			{FromServer, says("220 mx ESMTP")},
			{FromClient, says("EHLO cam")},
			{FromServer, says("250-mx", "250 AUTH PLAIN")},
			{FromClient, says("AUTH PLAIN AGNhbWVyYQBzZWNyZXQ=")}, // NUL camera NUL secret
			{FromServer, says("235 OK")},
			{FromClient, says("MAIL FROM:<a@b> SIZE=3", "RCPT TO: <c@d>", "DATA")},
			{FromServer, says("250 OK", "250 OK", "354 Go")},
			{FromClient, says("Subject: 1", "", "AUTH PLAIN AAAA", ".", "QUIT")},
			{FromServer, says("250 Queued", "221 Bye")},
		}, []Message{
			auth(Succeeded, "PLAIN"),
			&SMTP{Helo: "cam", MailFrom: "<a@b>", RcptTo: []string{"<c@d>"}},
		}, nil},
		{"LOGIN, refused", []chunk{
			{FromClient, says("EHLO cam", "AUTH LOGIN")},
			{FromServer, says("334 VXNlcm5hbWU6")},
			{FromClient, says("Y2FtZXJh")},
			{FromServer, says("334 UGFzc3dvcmQ6")},
			{FromClient, says("c2VjcmV0")},
			{FromServer, says("535 No")},
		}, []Message{auth(Failed, "LOGIN"), &SMTP{Helo: "cam"}}, nil},
		{"cancelled", []chunk{{FromClient, says("AUTH CRAM-MD5")}, {FromServer, says("334 PDE+")}, {FromClient, says("*")}, {FromServer, says("501 Cancelled")}}, []Message{
			&Login{Service: "smtp", Mechanism: "CRAM-MD5"}, // nothing has failed
		}, nil},
		{"a mechanism that is not offered", []chunk{{FromClient, says("AUTH CRAM-MD5")}, {FromServer, says("535 5.7.8 Invalid mechanism")}}, []Message{
			&Login{Service: "smtp", Mechanism: "CRAM-MD5"},
		}, nil},
		{"commands before the outcome is known", []chunk{
			{FromClient, says("EHLO cam", "AUTH PLAIN AGFubmEAc2VjcmV0", "MAIL FROM:<a@x>", "RCPT TO:<b@x>", "DATA")},
			{FromServer, says("220 x", "250 x", "454 4.7.0 later", "250 ok", "250 ok", "354 go on")},
			{FromClient, says("Subject: x", "", "MAIL FROM:<evil@x>", "354 x", ".", "QUIT")},
			{FromServer, says("250 ok", "221 bye")},
		}, []Message{
			&Login{Service: "smtp", User: "anna", Mechanism: "PLAIN", Clear: true},
			&SMTP{Helo: "cam", MailFrom: "<a@x>", RcptTo: []string{"<b@x>"}},
		}, nil},
		{"texts with their commands, in one segment", []chunk{
			{FromClient, says("EHLO cam", "MAIL FROM:<a@x>", "RCPT TO:<b@x>", "DATA", "MAIL FROM:<evil@x>", "DATA", ".", "MAIL FROM:<c@x>", "RCPT TO:<d@x>", "DATA", "x", ".", "QUIT")},
			{FromServer, says("220 x", "250 x", "250 ok", "550 no", "354 go on", "250 ok", "250 ok", "250 ok", "354 go on", "250 ok", "221 bye")},
		}, []Message{
			&SMTP{Helo: "cam", MailFrom: "<a@x>", RcptTo: []string{"<b@x>"}},
			&SMTP{Helo: "cam", MailFrom: "<c@x>", RcptTo: []string{"<d@x>"}},
		}, nil},
		{"DATA is refused", []chunk{
			{FromClient, says("HELO cam", "MAIL FROM:<a@x>", "RCPT TO:<b@x>", "DATA")},
			{FromServer, says("220 x", "250 x", "250 ok", "550 no", "554 no recipients")},
			{FromClient, says("MAIL FROM:<c@x>", "QUIT")},
		}, []Message{&SMTP{Helo: "cam", MailFrom: "<c@x>"}}, nil},
		{"text by size: any bytes, of two parts", []chunk{
			{FromClient, says("EHLO cam", "MAIL FROM:<a@x>", "RCPT TO:<b@x>")},
			{FromClient, []byte("BDAT 22\r\nMAIL FROM:<evil@x>\n\r\n\r")},
			{FromClient, []byte("BDAT 3 LAST\r\na\nbMAIL FROM:<c@x>\r\nQUIT\r\n")},
		}, []Message{
			&SMTP{Helo: "cam", MailFrom: "<a@x>", RcptTo: []string{"<b@x>"}},
			&SMTP{Helo: "cam", MailFrom: "<c@x>"},
		}, nil},
		{"the client alone, two logins", []chunk{{FromClient, says("EHLO cam", "AUTH LOGIN", "YW5uYQ==", "c2VjcmV0", "auth login YW5uYQ==", "c2VjcmV0",
			"MAIL FROM:<a@x>", "RCPT TO:<b@x>", "DATA", "MAIL FROM:<evil@x>", ".", "QUIT")}}, []Message{
			&Login{Service: "smtp", User: "anna", Mechanism: "LOGIN", Clear: true},
			&SMTP{Helo: "cam", MailFrom: "<a@x>", RcptTo: []string{"<b@x>"}},
			&Login{Service: "smtp", User: "anna", Mechanism: "LOGIN", Clear: true},
		}, nil},
		{"cut off within a path", []chunk{{FromClient, []byte("HELO cam\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x")}}, []Message{
			&SMTP{Helo: "cam", MailFrom: "<a@x>", Truncated: true},
		}, nil},
		{"cut off within a name", []chunk{{FromServer, says("220 mx.example ESMTP")}, {FromClient, []byte("HELO ca")}}, []Message{&SMTP{}}, nil},
		{"a greeting alone", []chunk{{FromServer, says("220 mx.example ESMTP")}, {FromClient, says("GET / HTTP/1.0")}}, []Message{&SMTP{}}, nil},
		{"TLS follows", []chunk{
			{FromClient, says("EHLO cam", "STARTTLS")},
			{FromServer, says("250 STARTTLS", "220 Go")},
		}, []Message{&SMTP{Helo: "cam", StartTLS: true}}, ErrUpgrade},
	})
}

func TestPOP3Stream(t *testing.T) {
	playAll(t, newPOP3Stream, []dialogue{
		{"login, then mail", []chunk{
			{FromServer, says("+OK POP3 ready")},
			{FromClient, says("USER anna")},
			{FromServer, says("+OK")},
			{FromClient, says("PASS a secret with blanks")},
			{FromServer, says("+OK in")},
		}, []Message{
			&POP3{OK: true, Answered: true},
			&POP3{Command: "USER", OK: true, Answered: true},
			&POP3{Command: "PASS", OK: true, Answered: true},
			&Login{Service: "pop3", User: "anna", Mechanism: "password", Outcome: Succeeded, Clear: true},
		}, ErrDone},
		{"APOP, both lines of the server late", []chunk{{FromClient, says("APOP anna c4c9334bac560ecc979e58001b3e22fb")}, {FromServer, says("+OK <1@x>", "-ERR no")}}, []Message{
			&POP3{OK: true, Answered: true},
			&POP3{Command: "APOP", Answered: true},
			&Login{Service: "pop3", User: "anna", Mechanism: "APOP", Outcome: Failed},
		}, nil}, // out of order
		{"several commands at once, the second login is right", []chunk{
			{FromServer, says("+OK ready")},
			{FromClient, says("USER root", "PASS xc3511", "USER anna", "PASS secret", "STAT")},
			{FromServer, says("+OK", "-ERR [AUTH] no", "+OK", "+OK in", "+OK 1 355")},
		}, []Message{
			&POP3{OK: true, Answered: true},
			&POP3{Command: "USER", OK: true, Answered: true},
			&POP3{Command: "PASS", Answered: true},
			&Login{Service: "pop3", User: "root", Mechanism: "password", Outcome: Failed, Clear: true, Default: true},
			&POP3{Command: "USER", OK: true, Answered: true},
			&POP3{Command: "PASS", OK: true, Answered: true},
			&Login{Service: "pop3", User: "anna", Mechanism: "password", Outcome: Succeeded, Clear: true},
		}, ErrDone},
		{"given up", []chunk{
			{FromClient, says("AUTH PLAIN")},
			{FromServer, says("+ ")},
			{FromClient, says("*")},
			{FromServer, says("-ERR cancelled")},
		}, []Message{&POP3{Command: "AUTH", Answered: true}, &Login{Service: "pop3", Mechanism: "PLAIN"}}, nil},
		{"the list of mechanisms, then one", []chunk{
			{FromClient, says("AUTH")},
			{FromServer, says("-ERR no", ".")},
			{FromClient, says("AUTH PLAIN")},
			{FromServer, says("+ ")},
			{FromClient, says("AGFubmEAcHc=")},
			{FromServer, says("-ERR no")},
		}, []Message{
			&POP3{Command: "AUTH", Answered: true},
			&POP3{Command: "AUTH", Answered: true},
			&Login{Service: "pop3", User: "anna", Mechanism: "PLAIN", Outcome: Failed, Clear: true},
		}, nil},
		{"a list that looks like commands", []chunk{
			{FromClient, says("CAPA")},
			{FromServer, says("+OK", "USER", "STLS", ".")},
			{FromClient, says("QUIT")},
			{FromServer, says("+OK bye")},
		}, []Message{
			&POP3{Command: "CAPA", OK: true, Answered: true}, &POP3{Command: "QUIT", OK: true, Answered: true},
		}, nil},
		{"TLS follows", []chunk{{FromClient, says("STLS")}, {FromServer, says("+OK go")}}, []Message{
			&POP3{Command: "STLS", OK: true, Answered: true},
		}, ErrUpgrade},
	})
}

func TestIMAPStream(t *testing.T) {
	login := &Login{Service: "imap", User: "anna", Mechanism: "password", Outcome: Succeeded, Clear: true}
	playAll(t, newIMAPStream, []dialogue{
		{"quoted", []chunk{
			{FromServer, says("* OK ready")},
			{FromClient, says(`a1 LOGIN "anna" "se\"cret"`)},
			{FromServer, says("* CAPABILITY IMAP4rev1", "a1 OK done")},
		}, []Message{&IMAP{Status: "OK"}, &IMAP{Command: "LOGIN", Status: "OK"}, login}, ErrDone},
		{"literals", []chunk{
			{FromClient, says("a1 LOGIN {4}")},
			{FromServer, says("+ go on")},
			{FromClient, says("anna {6}")},
			{FromServer, says("+ go on")},
			{FromClient, says("secret")},
			{FromServer, says("a1 OK done")},
		}, []Message{&IMAP{Command: "LOGIN", Status: "OK"}, login}, ErrDone},
		{"refused, default credentials", []chunk{{FromClient, says("a1 login root xc3511")}, {FromServer, says("a1 NO no")}}, []Message{
			&IMAP{Command: "LOGIN", Status: "NO"},
			&Login{Service: "imap", User: "root", Mechanism: "password", Outcome: Failed, Clear: true, Default: true},
		}, nil},
		{"SCRAM", []chunk{
			{FromClient, says("a1 AUTHENTICATE SCRAM-SHA-256 biwsbj1hbm5hLHI9eA==")}, // n,,n=anna,r=x
			{FromServer, says("a1 OK")},
		}, []Message{
			&IMAP{Command: "AUTHENTICATE", Status: "OK"},
			&Login{Service: "imap", User: "anna", Mechanism: "SCRAM-SHA-256", Outcome: Succeeded},
		}, ErrDone},
		{"several commands at once, answered in another order", []chunk{
			{FromClient, says("a1 CAPABILITY", "a2 LOGIN bob wrong", "a3 NOOP", "a4 LOGIN anna secret", "a5 SELECT INBOX")},
			{FromServer, says("* OK ready", "a1 OK", "a3 OK", "a9 OK", "a2 NO [AUTHENTICATIONFAILED] x", "a4 OK in")},
		}, []Message{
			&IMAP{Status: "OK"},
			&IMAP{Command: "CAPABILITY", Status: "OK"},
			&IMAP{Command: "NOOP", Status: "OK"},
			&IMAP{Command: "LOGIN", Status: "NO"},
			&Login{Service: "imap", User: "bob", Mechanism: "password", Outcome: Failed, Clear: true},
			&IMAP{Command: "LOGIN", Status: "OK"},
			login,
		}, ErrDone},
		{"a mechanism that is not offered", []chunk{{FromClient, says("a1 AUTHENTICATE FOO")}, {FromServer, says("a1 NO [CANNOT] no")}}, []Message{
			&IMAP{Command: "AUTHENTICATE", Status: "NO"},
			&Login{Service: "imap", Mechanism: "FOO"},
		}, nil},
		{"TLS follows", []chunk{{FromClient, says("1 STARTTLS")}, {FromServer, says("1 OK go")}}, []Message{
			&IMAP{Command: "STARTTLS", Status: "OK"},
		}, ErrUpgrade},
	})
}

func TestTelnetStream(t *testing.T) {
	negotiation := []byte{255, 253, 24, 255, 251, 1, 255, 250, 24, 1, 255, 240} // DO 24, WILL 1, SB 24 SEND SE
	options := &Telnet{Options: []uint8{24, 1}}
	root := func(o Outcome, inferred bool) *Login {
		return &Login{Service: "telnet", User: "root", Mechanism: "password", Outcome: o, Clear: true, Default: true, Inferred: inferred}
	}
	playAll(t, newTelnetStream, []dialogue{
		{"a shell", []chunk{
			{FromServer, negotiation},
			{FromServer, []byte("\r\nLast login: Monday\r\ndvr login: ")},
			{FromClient, []byte("root\r\x00")},
			{FromServer, []byte("root\r\nPassword: ")},
			{FromClient, []byte("vizxvv\x7f\r\n")}, // with a typing error
			{FromServer, []byte("\r\nWelcome\r\n# ")},
		}, []Message{options, root(Succeeded, true)}, ErrDone},
		{"a router's prompt without a blank", []chunk{
			{FromServer, []byte("Username:")},
			{FromClient, []byte("root\r\n")},
			{FromServer, []byte("Password:")},
			{FromClient, []byte("vizxv\r\n")},
			{FromServer, []byte("router>")},
			{FromClient, []byte("show")},
		}, []Message{&Telnet{}, root(Succeeded, true)}, ErrDone},
		{"refused twice, in words and by another prompt", []chunk{
			{FromServer, []byte("login: ")},
			{FromClient, []byte("root\n")},
			{FromServer, []byte("Password: ")},
			{FromClient, []byte("vizxv\n")},
			{FromServer, []byte("\nLogin incorrect\nlogin: ")},
			{FromClient, []byte("root\n")},
			{FromServer, []byte("Password: ")},
			{FromClient, []byte("vizxv\n")},
			{FromServer, []byte("\nlogin: ")},
		}, []Message{&Telnet{}, root(Failed, false), root(Failed, false)}, nil},
		{"an empty password", []chunk{
			{FromServer, []byte("login: ")},
			{FromClient, []byte("root\r\n")},
			{FromServer, []byte("Password: ")},
			{FromClient, []byte("\r\n")},
			{FromServer, []byte("\r\nbye")},
		}, []Message{&Telnet{}, root(OutcomeUnknown, false)}, nil},
		{"negotiation alone", []chunk{{FromServer, negotiation}}, []Message{options}, nil},
		{"a router complains, then lets in: the last that is seen is its prompt", []chunk{
			{FromServer, []byte("User Access Verification\r\n\r\nUsername: ")},
			{FromClient, []byte("root\r\n")},
			{FromServer, []byte("root\r\nPassword: ")},
			{FromClient, []byte("vizxv\r\n")},
			{FromServer, []byte("\r\n% ")},
			{FromServer, []byte("Login invalid\r\n\r\nUsername: ")},
			{FromClient, []byte("root\r\n")},
			{FromServer, []byte("Password: ")},
			{FromClient, []byte("vizxv\r\n")},
			{FromServer, []byte("\r\nrouter>")},
		}, []Message{&Telnet{}, root(Failed, false), root(Succeeded, true)}, nil},
		{"in colours, with a title", []chunk{
			{FromServer, []byte("\x1b[1;32mlogin\x1b[0m: ")},
			{FromClient, []byte("root\r\n")},
			{FromServer, []byte("\x1b[1mPassword\x1b[0m: ")},
			{FromClient, []byte("vizxv\r\n")},
			{FromServer, []byte("\r\n\x1b]0;login incorrect\a\x1b[?2004h\x1b[31mroot@dvr\x1b[0m:/\x1b[0m# ")},
		}, []Message{&Telnet{}, root(Succeeded, true)}, ErrDone},
	})
	for _, prompts := range [][2]string{
		{"Benutzername: ", "Passwort: "},
		{"Nom d'utilisateur : ", "Mot de passe : "},
		{"usuario: ", "contrase\xf1a: "}, // ISO 8859-1
		{"Usuario: ", "Contraseña: "},
		{"Логин: ", "Пароль: "},
		{"имя пользователя: ", "пароль: "},
		{"用户名: ", "密码: "},
		{"用戶名: ", "密碼: "},
		{"Usuário: ", "Senha: "},
		{"Utente: ", "Password: "},
		{"Gebruikersnaam: ", "Wachtwoord: "},
		{"Användarnamn: ", "Lösenord: "},
		{"login: ", "Hasło: "},
	} {
		playAll(t, newTelnetStream, []dialogue{{prompts[0], []chunk{
			{FromServer, []byte("\r\n" + prompts[0])},
			{FromClient, []byte("root\r\n")},
			{FromServer, []byte(prompts[1])},
			{FromClient, []byte("vizxv\r\n")},
			{FromServer, []byte("\r\n" + prompts[0])},
		}, []Message{&Telnet{}, root(Failed, false)}, nil}})
	}
}

func TestSniffLines(t *testing.T) {
	all := map[string]func(Dir, []byte) Match{
		"ftp": sniffFTP, "smtp": sniffSMTP, "pop3": sniffPOP3, "imap": sniffIMAP, "telnet": sniffTelnet,
	}
	for in, want := range map[string]string{
		"220 FileZilla Server\r\n":              "ftp",
		"220-\r\n":                              "ftp",
		"220 mx.example ESMTP\r\n":              "smtp",
		"USER a\r\nPASS b\r\nSYST\r\n":          "ftp",
		"USER a\r\nPASS b\r\nUIDL\r\n":          "pop3",
		"USER a\r\nPASS b\r\n":                  "",
		"NICK a\r\nUSER a 8 * :a\r\n":           "", // IRC
		"AUTH TLS\r\n":                          "ftp",
		"EHLO a\r\n":                            "smtp",
		"HELO a\r\n":                            "smtp",
		"MAIL FROM:<a>\r\n":                     "smtp",
		"MAIL a\r\n":                            "",
		"+OK POP3 ready\r\n":                    "pop3",
		"+OK\r\n":                               "", // Redis
		"* OK ready\r\n":                        "imap",
		"* 1 EXISTS\r\n":                        "",
		"a1 LOGIN a b\r\n":                      "imap",
		"1 STARTTLS\r\n":                        "imap",
		"GET /a1 LOGIN HTTP/1.1\r\n":            "",
		"OPTIONS sip:a@example.com SIP/2.0\r\n": "",
		"\xff\xfd\x18":                          "telnet",
		"\xff\xfd\xff":                          "telnet",
		"\xff\xd8\xff\xe0":                      "", // a JPEG image
		"\xff\xfb\x90":                          "", // an MP3 stream
		"220":                                   "",
		"SSH-2.0-OpenSSH_9.6\r\n":               "",
	} {
		got := ""
		for name, sniff := range all {
			if sniff(FromClient, []byte(in)) == Yes {
				got += name
			}
			for n := range len(in) {
				if want == name && sniff(FromClient, []byte(in[:n])) == No {
					t.Errorf("%s says No to %q", name, in[:n])
				}
			}
		}
		if got != want {
			t.Errorf("%q recognised as %q, want %q", in, got, want)
		}
	}
}

func fuzzLines(f *testing.F, newStream func() Stream, port uint16, seeds ...[]byte) {
	f.Helper()
	fuzzSeeds(f, port)
	for _, s := range seeds {
		f.Add(append([]byte{255}, s...))
		f.Add(append([]byte{2}, s...))
	}
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newStream, b) })
}

func FuzzFTP(f *testing.F) {
	fuzzLines(f, newFTPStream, 21, says("USER a", "PASS b", "220 x", "331 y", "230 z"), says("AUTH TLS", "234 x"), says("PASV", "227 1,2,3,4,5,6", "LIST"), says("EPRT |1|a|5|", "RETR x"))
}

func FuzzSMTP(f *testing.F) {
	fuzzLines(f, newSMTPStream, 25, says("EHLO a", "AUTH PLAIN AGEAYg==", "235 x"), says("AUTH LOGIN", "334 x", "YQ==", "Yg=="),
		says("MAIL FROM:<a>", "DATA", "x", ".", "354 x"), []byte("MAIL FROM:<a>\r\nBDAT 3\r\na\nbBDAT 1 LAST\r\nx"))
}

func FuzzPOP3(f *testing.F) {
	fuzzLines(f, newPOP3Stream, 110, says("USER a", "PASS b", "+OK x"), says("AUTH NTLM", "TlRMTVNTUAADAAAA"))
}

func FuzzIMAP(f *testing.F) {
	fuzzLines(f, newIMAPStream, 143, says("a1 LOGIN {1}", "b {1}", "c", "a1 OK"), says(`a1 LOGIN "a\"" b`, "a1 NO"))
}

func FuzzTelnet(f *testing.F) {
	fuzzLines(f, newTelnetStream, 23, []byte("\xff\xfd\x18login: a\r\nPassword: b\r\n# "), []byte("\x1b]0;x\a\x1b[1mПароль\x1b[0m: "))
}

func BenchmarkSMTPLogin(b *testing.B) {
	in := says("EHLO cam", "AUTH PLAIN AGNhbWVyYQBzZWNyZXQ=")
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		s := newSMTPStream()
		if _, _, err := s.Feed(FromClient, in, nil); err != nil {
			b.Fatal(err)
		}
		if _, msgs, err := s.Feed(FromServer, []byte("235 OK\r\n"), nil); err != nil || len(msgs) != 1 {
			b.Fatal(len(msgs), err)
		}
	}
}
