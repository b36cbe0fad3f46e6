package notify

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/notify/format"
)

// Email sends what is due at the same time as one mail. How many that are, and
// from when on they are summed up, is set by batch and summarize_above.
type Email struct {
	Server   string   `yaml:"server"`   // host:port
	Security string   `yaml:"security"` // starttls, tls or none
	User     string   `yaml:"user"`
	Password Secret   `yaml:"password"`
	From     string   `yaml:"from"`
	To       []string `yaml:"to"`
	TLS      TLS      `yaml:"tls"`
	Proxy    Secret   `yaml:"proxy"` // none, a URL with user and password if need be, or environment
}

// maxRecipients keeps to what every server takes (RFC 5321, section 4.5.3.1.8).
const maxRecipients = 100

// Validate implements Config.
func (c *Email) Validate() error {
	if err := checkAddress(c.Server); err != nil {
		return &FieldError{"server", errors.New("has to be a host and a port, such as smtp.example.net:587")}
	}
	switch c.Security {
	case "starttls", "tls":
	case "none":
		if !c.Password.IsZero() {
			return &FieldError{"security", errors.New("cannot be none with a password, which everybody on the way could read: use starttls or tls")}
		}
	default:
		return &FieldError{"security", fmt.Errorf("%q is none: use starttls (port 587), tls (port 465) or none (port 25)", c.Security)}
	}
	if (c.User == "") != c.Password.IsZero() {
		return &FieldError{"user", errors.New("and password belong together: give both or neither")}
	}
	if _, err := netmail.ParseAddress(c.From); err != nil {
		return &FieldError{"from", fmt.Errorf("has to be an address such as gatehouse@example.net: %w", err)}
	}
	if len(c.To) == 0 || len(c.To) > maxRecipients {
		return &FieldError{"to", fmt.Errorf("has to be a list of 1 to %d addresses", maxRecipients)}
	}
	for _, to := range c.To {
		if _, err := netmail.ParseAddress(to); err != nil {
			return &FieldError{"to", fmt.Errorf("%q is no address: %w", to, err)}
		}
	}
	if _, err := parseProxy(c.Proxy, c.target()); err != nil {
		return &FieldError{"proxy", err}
	}
	return c.TLS.validate()
}

// target is the server as an address, for what the environment says of proxies.
func (c *Email) target() *url.URL { return &url.URL{Scheme: "https", Host: c.Server} }

// Open implements Config.
func (c *Email) Open(o Options) (Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if _, err := c.TLS.client(); err != nil {
		return nil, err
	}
	d, err := newDialer(c.Proxy, c.target(), nil, &c.TLS)
	if err != nil {
		return nil, err
	}
	return &email{config: *c, dialer: d, meta: format.Meta{Site: o.Site, Version: o.Version}, now: o.Now}, nil
}

type email struct {
	config Email
	dialer *dialer
	meta   format.Meta
	now    func() time.Time
}

// Deliver implements Sink: all of the notices or none of them.
func (s *email) Deliver(ctx context.Context, notices []alert.Notice) (int, error) {
	if len(notices) == 0 {
		return 0, nil
	}
	m, err := s.compose(notices)
	if err != nil {
		return 0, Rejected(err)
	}
	if err := s.send(ctx, m); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		err = scrub(fmt.Errorf("mail through %s: %w", s.config.Server, err), append(s.dialer.secrets(), s.config.Password)...)
		// Of several it is not known which one the server does not want.
		if unwanted(err) && len(notices) == 1 {
			err = Rejected(err)
		}
		return 0, err
	}
	return len(notices), nil
}

// unwanted reports whether a server has turned down the content: 552 (too
// large) or 554 (policy) after it, not the sender, the receiver or the login.
func unwanted(err error) bool {
	var e *mail.SendError
	if !errors.As(err, &e) || e.Reason != mail.ErrSMTPDataClose {
		return false
	}
	return e.ErrorCode() == 552 || e.ErrorCode() == 554
}

// compose writes the mail. The same notices give the same Message-ID, by which
// servers recognise what they have already; all revisions of an alert refer to
// it, so that mail programs show them together.
func (s *email) compose(notices []alert.Notice) (*mail.Msg, error) {
	subject, text := format.Mail(notices, s.meta)
	m := mail.NewMsg()
	if err := errors.Join(m.From(s.config.From), m.To(s.config.To...)); err != nil {
		return nil, err
	}
	from, err := netmail.ParseAddress(s.config.From)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	hash := sha256.New()
	highest := detect.Low
	for i := range notices {
		_, _ = hash.Write([]byte(notices[i].Key() + "\n")) // a hash does not fail
		highest = max(highest, notices[i].Severity())
	}
	m.SetMessageIDWithValue(hex.EncodeToString(hash.Sum(nil)[:16]) + "@" + domain)
	if len(notices) == 1 {
		m.SetGenHeader("References", "<"+slug(notices[0].ID())+".gatehouse@"+domain+">")
	}
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday replies
	if highest >= detect.High {
		m.SetImportance(mail.ImportanceHigh)
	}
	m.SetDateWithValue(s.now())
	m.SetUserAgent(strings.TrimRight("Gatehouse/"+s.meta.Version, "/"))
	m.Subject(subject)
	m.SetBodyString(mail.TypeTextPlain, text)
	return m, nil
}

func (s *email) send(ctx context.Context, m *mail.Msg) error {
	config, err := s.config.TLS.client()
	if err != nil {
		return err
	}
	host, portText, err := net.SplitHostPort(s.config.Server)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return err
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	timeout := 30 * time.Second
	if end, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(end), time.Millisecond)
	}
	// The library looks at a context only while it dials, and leaves TLS from
	// the start to whoever does that.
	var stop func() bool
	dial := func(dialCtx context.Context, network, address string) (net.Conn, error) {
		conn, err := s.dialer.DialContext(dialCtx, network, address)
		if err != nil {
			return nil, err
		}
		stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
		if s.config.Security != "tls" {
			return conn, nil
		}
		t := tls.Client(conn, config)
		if err := t.HandshakeContext(dialCtx); err != nil {
			_ = conn.Close() // the handshake's error says more
			return nil, fmt.Errorf("agree on TLS: %w", err)
		}
		return t, nil
	}
	options := []mail.Option{mail.WithPort(port), mail.WithTimeout(timeout), mail.WithTLSConfig(config), mail.WithDialContextFunc(dial), mail.WithoutNoop()}
	switch s.config.Security {
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.config.User != "" {
		// In this order, as far as the server knows them. Discovery by the
		// library takes our TLS from the start for none.
		options = append(options, mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin),
			mail.WithUsername(s.config.User), mail.WithPassword(s.config.Password.Reveal()))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return err
	}
	defer func() {
		if stop != nil {
			stop()
		}
	}()
	if err := client.DialWithContext(ctx); err != nil {
		return err
	}
	err = client.Send(m)
	_ = client.Close() // what was taken is taken, whatever the farewell
	return err
}

// Close implements Sink.
func (s *email) Close() error { return nil }
