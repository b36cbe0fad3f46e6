package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"gatehouse/alert"
)

// post is a mail server: what it got, and what it says.
type post struct {
	mu     sync.Mutex
	mails  []mailGot
	refuse error  // after the content
	noUser string // receiver that it does not know
}

type mailGot struct {
	from string
	to   []string
	user string
	text string
}

func (p *post) NewSession(*smtp.Conn) (smtp.Session, error) { return &postSession{post: p}, nil }

type postSession struct {
	post *post
	mailGot
}

func (s *postSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == s.post.noUser {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *postSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.post.mu.Lock()
	defer s.post.mu.Unlock()
	if s.post.refuse != nil {
		return s.post.refuse
	}
	s.text = string(text)
	s.post.mails = append(s.post.mails, s.mailGot)
	return nil
}

func (s *postSession) Reset()        {}
func (s *postSession) Logout() error { return nil }

func (s *postSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *postSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "gate" || password != "mailsecret" {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "wrong, it was not " + password}
		}
		s.user = user
		return nil
	}), nil
}

// postOffice starts a mail server, with TLS from the start, by STARTTLS or not
// at all.
func postOffice(t *testing.T, p *post, security string, config *tls.Config) string {
	t.Helper()
	s := smtp.NewServer(p)
	s.Domain, s.AllowInsecureAuth = "localhost", security == "none"
	if security == "starttls" {
		s.TLSConfig = config
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if security == "tls" {
		l = tls.NewListener(l, config)
	}
	done := make(chan struct{})
	go func() {
		_ = s.Serve(l) // ends with the test
		close(done)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return addr
}

func emailTo(server, security string) *Email {
	return &Email{Server: server, Security: security, From: "Gatehouse <gate@example.net>", To: []string{"owner@example.net", "Soc <soc@example.net>"}}
}

// body decodes a mail.
func (m *mailGot) body(t *testing.T) (netmail.Header, string) {
	t.Helper()
	msg, err := netmail.ReadMessage(strings.NewReader(m.text))
	if err != nil {
		t.Fatal(err)
	}
	r := msg.Body
	if msg.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		r = quotedprintable.NewReader(r)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return msg.Header, strings.ReplaceAll(string(text), "\r\n", "\n")
}

func TestEmailArrives(t *testing.T) {
	ca := newAuthority(t)
	for _, security := range []string{"starttls", "tls", "none"} {
		p := &post{}
		c := emailTo(postOffice(t, p, security, ca.config(t, "mail", false)), security)
		c.TLS.CAFile = ca.caFile
		if security != "none" {
			c.User, c.Password = "gate", NewSecret("mailsecret")
		}
		notices := testNotices(t)
		notices[0].Alert.Summary = "ünïcode and a line of more than 78 characters, which mail does not like; so it is wrapped on its way."
		deliverAll(t, open(t, c), notices)
		if len(p.mails) != 1 {
			t.Fatalf("%s: %d mails", security, len(p.mails))
		}
		got := p.mails[0]
		header, text := got.body(t)
		if got.from != "gate@example.net" || !slices.Equal(got.to, []string{"owner@example.net", "soc@example.net"}) || got.user != c.User {
			t.Errorf("%s: from %s to %s by %q", security, got.from, got.to, got.user)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		if want := "[plant 3] High: New service on kitchen-cam and 2 more"; err != nil || subject != want {
			t.Errorf("%s: subject %q, want %q", security, subject, want)
		}
		for _, want := range []string{notices[0].Alert.Summary, "Peer: irc.example.net (198.51.100.7) tcp/6667, NL\n", notices[1].Incident.ID, notices[2].Digest.Summary} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in\n%s", security, want, text)
			}
		}
		if header.Get("Auto-Submitted") != "auto-generated" || header.Get("Importance") != "high" || header.Get("Date") == "" {
			t.Errorf("%s: header %v", security, header)
		}
	}
}

// TestEmailIsRecognised: the same notices have the same Message-ID, other
// revisions of an alert another, but refer to the same alert.
func TestEmailIsRecognised(t *testing.T) {
	p := &post{}
	s := open(t, emailTo(postOffice(t, p, "none", nil), "none"))
	one := testNotices(t)[:1]
	again := *one[0].Alert
	again.Revision = 2
	for _, n := range [][]alert.Notice{one, one, {{Alert: &again}}} {
		deliverAll(t, s, n)
	}
	var ids, references []string
	for i := range p.mails {
		h, _ := p.mails[i].body(t)
		ids, references = append(ids, h.Get("Message-Id")), append(references, h.Get("References"))
	}
	if ids[0] != ids[1] || ids[0] == ids[2] || !strings.HasSuffix(ids[0], "@example.net>") {
		t.Errorf("ids %q", ids)
	}
	if references[0] != "<a-d1ef6857ba93.gatehouse@example.net>" || references[2] != references[0] {
		t.Errorf("references %q", references)
	}
}

// TestEmailHeadersHold: a name cannot add a header.
func TestEmailHeadersHold(t *testing.T) {
	p := &post{}
	n := testNotices(t)[:1]
	n[0].Alert.Device.Name = "x\r\nBcc: evil@example.org\r\n\r\nhello"
	n[0].Alert.Summary = "\r\n.\r\nMAIL FROM:<evil@example.org>\r\n"
	deliverAll(t, open(t, emailTo(postOffice(t, p, "none", nil), "none")), n)
	h, text := p.mails[0].body(t)
	if len(p.mails) != 1 || len(p.mails[0].to) != 2 || h.Get("Bcc") != "" || !strings.Contains(text, "Id: a-d1ef6857ba93") {
		t.Errorf("got %+v", p.mails)
	}
}

func TestEmailAnswers(t *testing.T) {
	for _, tc := range []struct {
		name     string
		post     *post
		notices  int
		password string
		rejected bool
	}{
		{"too large", &post{refuse: &smtp.SMTPError{Code: 552, Message: "too large"}}, 1, "", true},
		{"too large, of several", &post{refuse: &smtp.SMTPError{Code: 552, Message: "too large"}}, 3, "", false},
		{"policy", &post{refuse: &smtp.SMTPError{Code: 554, Message: "spam"}}, 1, "", true},
		{"later", &post{refuse: &smtp.SMTPError{Code: 451, Message: "later"}}, 1, "", false},
		{"no such user", &post{noUser: "owner@example.net"}, 1, "", false},
		{"wrong password", &post{}, 1, "othersecret", false},
	} {
		ca := newAuthority(t)
		c := emailTo(postOffice(t, tc.post, "starttls", ca.config(t, "mail", false)), "starttls")
		c.TLS.CAFile = ca.caFile
		if tc.password != "" {
			c.User, c.Password = "gate", NewSecret(tc.password)
		}
		n, err := open(t, c).Deliver(t.Context(), testNotices(t)[:tc.notices])
		if n != 0 || err == nil || errors.Is(err, ErrRejected) != tc.rejected || strings.Contains(fmt.Sprint(err), "othersecret") {
			t.Errorf("%s: accepted %d, %v", tc.name, n, err)
		}
	}
}

// TestEmailInsistsOnTLS: nothing is sent in clear to a server that offers no
// TLS, or has the certificate of another.
func TestEmailInsistsOnTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	for name, tc := range map[string]struct{ server, client, ca string }{
		"none offered":               {"none", "starttls", ca.caFile},
		"unknown CA":                 {"starttls", "starttls", ""},
		"another CA":                 {"starttls", "starttls", other.caFile},
		"another CA, from the start": {"tls", "tls", other.caFile},
		"no TLS from the start":      {"starttls", "tls", ca.caFile},
	} {
		p := &post{}
		c := emailTo(postOffice(t, p, tc.server, ca.config(t, "mail", false)), tc.client)
		c.TLS.CAFile = tc.ca
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if n, err := open(t, c).Deliver(ctx, testNotices(t)); n != 0 || err == nil || len(p.mails) > 0 {
			t.Errorf("%s: accepted %d, %v", name, n, err)
		}
		cancel()
	}
}

func TestEmailBadServers(t *testing.T) {
	for _, security := range []string{"none", "starttls", "tls"} {
		t.Run(security, func(t *testing.T) {
			checkBadServers(t, func(addr string) Config { return emailTo(addr, security) })
		})
	}
}

func TestEmailValidate(t *testing.T) {
	for _, tc := range []struct {
		key    string
		change func(*Email)
	}{
		{"", func(*Email) {}},
		{"server", func(c *Email) { c.Server = "smtp.example.net" }},
		{"security", func(c *Email) { c.Security = "ssl" }},
		{"security", func(c *Email) { c.Security, c.User, c.Password = "none", "x", NewSecret("y") }},
		{"user", func(c *Email) { c.User = "x" }},
		{"from", func(c *Email) { c.From = "gatehouse" }},
		{"from", func(c *Email) { c.From = "a@b\r\nBcc: c@d" }},
		{"to", func(c *Email) { c.To = nil }},
		{"to", func(c *Email) { c.To = []string{"x"} }},
		{"to", func(c *Email) { c.To = slices.Repeat([]string{"a@b.c"}, 101) }},
		{"tls.cert_file", func(c *Email) { c.TLS.CertFile = "x" }},
	} {
		c := emailTo("smtp.example.net:587", "starttls")
		tc.change(c)
		var field *FieldError
		if err := c.Validate(); tc.key == "" && err != nil || tc.key != "" && (!errors.As(err, &field) || field.Key != tc.key) {
			t.Errorf("%+v: got %v, want one about %q", c, err, tc.key)
		}
	}
}
