package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/notify/format"
)

func syslogTo(address, protocol string) *Syslog {
	c := (&Syslog{Format: "cef", Facility: "local0", MaxSize: defaultSyslogSize, Hostname: "gate"})
	c.Address, c.Protocol = address, protocol
	return c
}

// rsyslog starts one that writes what it receives to the file: facility and
// severity, host, program, message id and message.
func rsyslog(t *testing.T, input string) string {
	t.Helper()
	dir := t.TempDir()
	got := filepath.Join(dir, "got")
	config := filepath.Join(dir, "rsyslog.conf")
	text := fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k")
%s
template(name="line" type="string" string="%%pri%% %%hostname%% %%app-name%% %%msgid%% %%msg%%\n")
action(type="omfile" file=%q template="line" asyncWriting="off")
`, dir, input, got)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, "rsyslogd", "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	return got
}

// wantSyslog are the lines that rsyslog writes.
func wantSyslog(t *testing.T, notices []alert.Notice, f format.Format) []string {
	t.Helper()
	heads := []string{"131 gate gatehouse new_service ", "131 gate gatehouse incident ", "133 gate gatehouse digest "}
	for i := range notices {
		text, err := f.Render(&notices[i], format.Meta{Site: "plant 3", Version: "1.2.3"})
		if err != nil {
			t.Fatal(err)
		}
		heads[i] += string(text)
	}
	return heads
}

// TestSyslogReachesRsyslog, each protocol with another format.
func TestSyslogReachesRsyslog(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.server(t, "siem")
	clientCert, clientKey := ca.client(t, "gate")
	for _, tc := range []struct{ protocol, format, input string }{
		{"udp", "cef", `module(load="imudp") input(type="imudp" address="127.0.0.1" port="%s")` + "\n" + `module(load="imtcp") input(type="imtcp" address="127.0.0.1" port="%[1]s")`},
		{"tcp", "leef", `module(load="imtcp") input(type="imtcp" address="127.0.0.1" port="%s")`},
		{"tls", "json", fmt.Sprintf(`global(defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q)
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")`, ca.caFile, cert, key) + `
input(type="imtcp" address="127.0.0.1" port="%s")`},
	} {
		t.Run(tc.protocol, func(t *testing.T) {
			port := freePort(t)
			got := rsyslog(t, fmt.Sprintf(tc.input, port))
			awaitPort(t, port)
			c := syslogTo("127.0.0.1:"+port, tc.protocol)
			c.Format = tc.format
			if tc.protocol == "tls" {
				c.TLS = TLS{CAFile: ca.caFile, CertFile: clientCert, KeyFile: clientKey}
			}
			sink, notices := open(t, c), testNotices(t)
			f, err := findFormat(tc.format)
			if err != nil {
				t.Fatal(err)
			}
			deliverAll(t, sink, notices)
			deliverAll(t, sink, notices[:1]) // over the same connection
			lines := awaitLines(t, got, 4)
			want := wantSyslog(t, notices, f)
			want = append(want, want[0])
			for i := range want {
				// rsyslog writes control characters in octal.
				if line := strings.ReplaceAll(lines[i], "#011", "\t"); line != want[i] {
					t.Errorf("line %d:\n got %s\nwant %s", i, line, want[i])
				}
			}
		})
	}
}

// TestSyslogRefusesWrongCertificates holds both ends to recognise each other.
func TestSyslogCertificates(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	cert, key := ca.client(t, "gate")
	foreignCert, foreignKey := other.client(t, "gate")
	for name, tc := range map[string]struct {
		tls TLS
		ask bool
		ok  bool
	}{
		"right":                      {TLS{CAFile: ca.caFile}, false, true},
		"unknown authority":          {TLS{}, false, false},
		"another authority":          {TLS{CAFile: other.caFile}, false, false},
		"wrong name":                 {TLS{CAFile: ca.caFile, ServerName: "siem2"}, false, false},
		"client certificate":         {TLS{CAFile: ca.caFile, CertFile: cert, KeyFile: key}, true, true},
		"foreign client certificate": {TLS{CAFile: ca.caFile, CertFile: foreignCert, KeyFile: foreignKey}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := swallow(t, ca, tc.ask)
			c := syslogTo(addr, "tls")
			c.TLS = tc.tls
			n, err := open(t, c).Deliver(t.Context(), testNotices(t))
			if tc.ok != (err == nil) || tc.ok != (n == 3) || errors.Is(err, ErrRejected) {
				t.Errorf("accepted %d, %v", n, err)
			}
		})
	}
}

// TestSyslogMessages reads what we write with another parser.
func TestSyslogMessages(t *testing.T) {
	parser := rfc5424.NewParser(rfc5424.WithBestEffort())
	bare := alert.Notice{Alert: &alert.Alert{ID: "a-1", Revision: 1, Severity: detect.Critical, Summary: "ünïcode\nline"}}
	late := alert.Notice{Alert: &alert.Alert{ID: "a-1", Revision: 1, Severity: detect.Low, LastSeen: time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)}}
	for _, hostname := range []string{"gate", "with space and ümlaut", strings.Repeat("x", 300), ""} {
		for _, name := range []string{"cef", "leef", "text"} {
			c := syslogTo("127.0.0.1:514", "tcp")
			c.Format = name
			s := open(t, c).(*syslog)
			s.hostname = hostname
			for _, n := range append(testNotices(t), bare, late) {
				text, err := s.message(&n)
				if err != nil {
					t.Fatal(err)
				}
				m, err := parser.Parse(text)
				if err != nil || m == nil {
					t.Errorf("%s: %v", text, err)
					continue
				}
				if got := m.(*rfc5424.SyslogMessage); *got.Facility != 16 || got.Message == nil || *got.Appname != "gatehouse" {
					t.Errorf("%s reads as %+v", text, got)
				}
			}
		}
	}
}

// swallow reads messages with octet counting and counts them.
func swallow(t testing.TB, ca *authority, ask bool) (addr string, messages chan string) {
	t.Helper()
	messages = make(chan string, 100)
	return misbehave(t, func(ctx context.Context, c net.Conn) {
		if ca != nil {
			c = tlsServer(c, ca.config(t, "siem", ask))
		}
		for r := bufio.NewReader(c); ; {
			m, err := readFrame(r)
			if err != nil {
				return
			}
			select {
			case messages <- m:
			case <-ctx.Done():
			}
		}
	}), messages
}

// readFrame reads a message with octet counting.
func readFrame(r *bufio.Reader) (string, error) {
	var size int
	if _, err := fmt.Fscanf(r, "%d ", &size); err != nil {
		return "", err
	}
	m := make([]byte, size)
	_, err := io.ReadFull(r, m)
	return string(m), err
}

// TestSyslogReconnects: a connection that the other end has left is found out
// before anything is lost.
func TestSyslogReconnects(t *testing.T) {
	served, left := make(chan string, 10), make(chan struct{}, 10)
	addr := misbehave(t, func(_ context.Context, c net.Conn) {
		if m, err := readFrame(bufio.NewReader(c)); err == nil {
			served <- m
		}
		_ = c.Close()
		left <- struct{}{}
	})
	s := open(t, syslogTo(addr, "tcp")).(*syslog)
	for i := range 5 {
		n := testNotice(i)
		for accepted := 0; accepted == 0; {
			// The server may be gone before it is certain that all arrived:
			// then it is sent again.
			accepted, _ = s.Deliver(t.Context(), []alert.Notice{n})
		}
		for id := "externalId=a-" + strconv.Itoa(i) + " "; ; {
			if got := <-served; strings.Contains(got, id) {
				break
			}
		}
		<-left
		if s.conn != nil {
			<-s.conn.end // the reader has noticed
		}
	}
}

func TestSyslogBadServers(t *testing.T) {
	t.Run("tls", func(t *testing.T) {
		ca := newAuthority(t)
		checkBadServers(t, func(addr string) Config {
			c := syslogTo(addr, "tls")
			c.MaxSize, c.TLS.CAFile = 1<<30, ca.caFile
			return c
		})
	})
	// Over plain TCP a few bytes are accepted by the other kernel, whatever
	// the program behind it does; what it does not take is noticed.
	big := testNotices(t)[:1]
	big[0].Alert.Subject = "x"
	big[0].Alert.Summary = strings.Repeat("long ", 2_000_000)
	for name, serve := range badServers() {
		t.Run("tcp "+name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			c := syslogTo(misbehave(t, serve), "tcp")
			c.MaxSize, c.Format = 1<<30, "json"
			if n, err := open(t, c).Deliver(ctx, big); n != 0 || err == nil || errors.Is(err, ErrRejected) {
				t.Errorf("accepted %d, %v", n, err)
			}
		})
	}
	for _, protocol := range []string{"tcp", "udp"} {
		s := open(t, syslogTo(refusing(t), protocol))
		// A datagram is refused when the next one is sent.
		if n, err := s.Deliver(t.Context(), append(testNotices(t), testNotices(t)...)); n != 0 && protocol == "tcp" || err == nil && protocol == "tcp" {
			t.Errorf("%s to nobody: accepted %d, %v", protocol, n, err)
		}
	}
}

// TestSyslogShortens: what is too long for a datagram loses what can be looked
// up, and only what is too long even then is rejected.
func TestSyslogShortens(t *testing.T) {
	c := syslogTo("127.0.0.1:514", "udp")
	c.Format, c.MaxSize = "json", 2048
	s := open(t, c).(*syslog)
	n := testNotices(t)[0]
	for range 100 {
		n.Alert.Why = append(n.Alert.Why, n.Alert.Why[0])
	}
	text, err := s.message(&n)
	if err != nil || len(text) > 2048 || !strings.Contains(string(text), n.Alert.Summary) {
		t.Errorf("an alert with many reasons: %d bytes, %v", len(text), err)
	}
	i := testNotices(t)[1]
	for k := range 4000 {
		i.Incident.Alerts = append(i.Incident.Alerts, fmt.Sprint("a-", k))
	}
	if text, err = s.message(&i); err != nil || len(text) > 2048 || !strings.Contains(string(text), i.Incident.Lead) {
		t.Errorf("an incident of 4,000 alerts: %d bytes, %v", len(text), err)
	}
	if len(i.Incident.Alerts) != 4001 || len(n.Alert.Why) != 102 {
		t.Error("the caller's notice was changed")
	}
	n.Alert.Summary = strings.Repeat("x", 3000)
	if _, err = s.message(&n); !errors.Is(err, ErrRejected) {
		t.Errorf("a long summary: %v", err)
	}
	// It stops at the first that is bad, and sends those before it.
	if accepted, err := s.Deliver(t.Context(), []alert.Notice{testNotices(t)[0], n, i}); accepted != 1 || !errors.Is(err, ErrRejected) {
		t.Errorf("accepted %d, %v", accepted, err)
	}
}

func TestSyslogValidate(t *testing.T) {
	for _, tc := range []struct {
		key    string
		change func(*Syslog)
	}{
		{"", func(*Syslog) {}},
		{"", func(c *Syslog) { c.Address = "[2001:db8::1]:6514" }},
		{"address", func(c *Syslog) { c.Address = "" }},
		{"address", func(c *Syslog) { c.Address = "siem.example.net" }},
		{"address", func(c *Syslog) { c.Address = "siem.example.net:syslog" }},
		{"address", func(c *Syslog) { c.Address = ":514" }},
		{"protocol", func(c *Syslog) { c.Protocol = "relp" }},
		{"format", func(c *Syslog) { c.Format = "xml" }},
		{"facility", func(c *Syslog) { c.Facility = "kern" }},
		{"max_size", func(c *Syslog) { c.MaxSize = 480 }},
		{"max_size", func(c *Syslog) { c.Protocol, c.MaxSize = "udp", 70_000 }},
		{"tls", func(c *Syslog) { c.Protocol, c.TLS.CAFile = "tcp", "x" }},
		{"tls.cert_file", func(c *Syslog) { c.TLS.KeyFile = "x" }},
	} {
		c := syslogTo("siem.example.net:6514", "tls")
		tc.change(c)
		err := c.Validate()
		var field *FieldError
		if tc.key == "" && err != nil || tc.key != "" && (!errors.As(err, &field) || field.Key != tc.key) {
			t.Errorf("%+v: got %v, want one about %q", c, err, tc.key)
		}
	}
}
