package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/notify/format"
)

// Syslog sends messages of RFC 5424: over UDP (RFC 5426), over TCP with octet
// counting (RFC 6587, section 3.4.1) or over TLS (RFC 5425). Syslog has no
// answer: over TCP and TLS a notice counts as accepted when the other system
// has acknowledged its bytes, over UDP when it has been sent.
type Syslog struct {
	Address  string `yaml:"address"`  // host:port
	Protocol string `yaml:"protocol"` // udp, tcp or tls
	Format   string `yaml:"format"`
	Facility string `yaml:"facility"`
	Hostname string `yaml:"hostname"` // in messages; default that of the machine
	MaxSize  int    `yaml:"max_size"` // bytes of a message; what is longer is shortened
	TLS      TLS    `yaml:"tls"`
}

const (
	defaultSyslogSize = 8192 // rsyslog's maxMessageSize if nobody sets it
	minSyslogSize     = 1024
	maxUDPPayload     = 65507 // over IPv4
)

// syslogFacilities are those that fit (RFC 5424, table 1).
var syslogFacilities = map[string]int{
	"user": 1, "daemon": 3, "auth": 4, "authpriv": 10, "audit": 13, "alert": 14,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// Validate implements Config.
func (c *Syslog) Validate() error {
	if err := checkAddress(c.Address); err != nil {
		return &FieldError{"address", err}
	}
	if !slices.Contains([]string{"udp", "tcp", "tls"}, c.Protocol) {
		return &FieldError{"protocol", fmt.Errorf("%q is none: use udp, tcp or tls", c.Protocol)}
	}
	if _, err := findFormat(c.Format); err != nil {
		return err
	}
	if _, ok := syslogFacilities[c.Facility]; !ok {
		return &FieldError{"facility", fmt.Errorf("%q is none: use user, daemon, auth, authpriv, audit, alert or local0 to local7", c.Facility)}
	}
	if c.MaxSize < minSyslogSize || c.Protocol == "udp" && c.MaxSize > maxUDPPayload {
		return &FieldError{"max_size", fmt.Errorf("has to be %d bytes or more, and at most %d over udp", minSyslogSize, maxUDPPayload)}
	}
	if c.Protocol != "tls" && c.TLS != (TLS{}) {
		return &FieldError{"tls", errors.New("is for the protocol tls")}
	}
	return c.TLS.validate()
}

// checkAddress reports why a text is not host:port.
func checkAddress(s string) error {
	host, port, err := net.SplitHostPort(s)
	n, convErr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || convErr != nil || n == 0 {
		return errors.New("has to be a host and a port, such as siem.example.net:6514 or [2001:db8::1]:6514")
	}
	return nil
}

// Open implements Config.
func (c *Syslog) Open(o Options) (Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &syslog{config: *c, meta: format.Meta{Site: o.Site, Version: o.Version}, hostname: c.Hostname}
	s.format, _ = findFormat(c.Format)
	if s.hostname == "" {
		s.hostname, _ = os.Hostname() // "-" stands for one that is not known
	}
	if c.Protocol == "tls" {
		config, err := c.TLS.client()
		if err != nil {
			return nil, err
		}
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(c.Address)
		}
		s.tls = config
	}
	return s, nil
}

type syslog struct {
	config   Syslog
	format   format.Format
	meta     format.Meta
	hostname string
	tls      *tls.Config
	conn     *stream // nil while there is none
}

// Deliver implements Sink.
func (s *syslog) Deliver(ctx context.Context, notices []alert.Notice) (int, error) {
	messages := make([][]byte, 0, len(notices))
	var bad error
	for i := range notices {
		var m []byte
		if m, bad = s.message(&notices[i]); bad != nil {
			break
		}
		messages = append(messages, m)
	}
	if len(messages) == 0 {
		return 0, bad
	}
	if err := s.send(ctx, messages); err != nil {
		// How many of them arrived is not known, so all go again.
		return 0, fmt.Errorf("send to %s: %w", s.config.Address, err)
	}
	return len(messages), bad
}

func (s *syslog) send(ctx context.Context, messages [][]byte) error {
	if s.config.Protocol == "udp" {
		return s.sendDatagrams(ctx, messages)
	}
	var frames bytes.Buffer
	for _, m := range messages {
		frames.WriteString(strconv.Itoa(len(m)))
		frames.WriteByte(' ')
		frames.Write(m)
	}
	if s.conn != nil && s.conn.broken() != nil {
		s.hangUp()
	}
	if s.conn == nil {
		conn, err := dialStream(ctx, s.config.Address, s.tls)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	if err := s.conn.send(ctx, frames.Bytes()); err != nil {
		s.hangUp()
		return err
	}
	return nil
}

func (s *syslog) sendDatagrams(ctx context.Context, messages [][]byte) error {
	var d net.Dialer
	// Connected, so that an ICMP error of one datagram is one of the next
	// write. A new socket each time follows a name whose address changes.
	c, err := d.DialContext(ctx, "udp", s.config.Address)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, m := range messages {
		if _, err := c.Write(m); err != nil {
			return err
		}
	}
	return nil
}

// message renders one notice with the header of RFC 5424:
//
//	<134>1 2026-01-05T12:00:00.000000Z gate gatehouse - new_service - CEF:0|…
//
// The text is UTF-8. It has no byte order mark, although the RFC asks for one:
// readers look for "CEF:" or a brace where the message begins, and JSON must not
// have one (RFC 8259, section 8.1).
func (s *syslog) message(n *alert.Notice) ([]byte, error) {
	head := fmt.Appendf(nil, "<%d>1 %s %s gatehouse - %s - ",
		syslogFacilities[s.config.Facility]*8+syslogSeverity(n.Severity()),
		syslogTime(n.Time()), headerWord(s.hostname, 255), headerWord(messageID(n), 32))
	body, err := renderWithin(s.format, n, s.meta, s.config.MaxSize-len(head))
	return append(head, body...), err
}

// syslogTime is a timestamp of RFC 5424, which ends with the year 9999, "-"
// for none.
func syslogTime(t time.Time) string {
	if y := t.UTC().Year(); t.IsZero() || y < 0 || y > 9999 {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func messageID(n *alert.Notice) string {
	switch {
	case n.Alert != nil:
		return string(n.Alert.Kind)
	case n.Incident != nil:
		return "incident"
	}
	return "digest"
}

// headerWord keeps to what a field of the header may hold: 1 to limit
// printable ASCII characters without spaces.
func headerWord(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r
		}
		return -1
	}, s)
	return cmp.Or(s[:min(len(s), limit)], "-")
}

// syslogSeverity is the severity of RFC 5424, table 2.
func syslogSeverity(s detect.Severity) int {
	switch s {
	case detect.Critical:
		return 2 // critical
	case detect.High:
		return 3 // error
	case detect.Medium:
		return 4 // warning
	default:
		return 5 // notice
	}
}

func (s *syslog) hangUp() {
	if s.conn != nil {
		_ = s.conn.close() // there is nothing left to lose
		s.conn = nil
	}
}

// Close implements Sink.
func (s *syslog) Close() error {
	s.hangUp()
	return nil
}
