package notify

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"gatehouse/alert"
	"gatehouse/detect"
	"gatehouse/device"
	"gatehouse/internal/testkit"
)

func influxAt(url string) *Influx {
	return &Influx{URL: url, Token: NewSecret("tokensecret"), Org: "home", Bucket: "gatehouse", Gzip: true, DeviceTag: "id", Texts: true, MaxSeries: 1000, Precision: "ns"}
}

var testMinute = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func testMinutes(devices, minutes int) []device.Minute {
	var out []device.Minute
	for m := range minutes {
		for d := range devices {
			out = append(out, device.Minute{
				Time: testMinute.Add(time.Duration(m) * time.Minute), Device: fmt.Sprintf("mac:%012x", d), Name: fmt.Sprintf("camera, no. %d", d), Group: "cameras",
				BytesIn: uint64(1000*d + m), BytesOut: 2000, Packets: 30, Flows: 4, Peers: 3, Names: 2, NXDomain: 1,
			})
		}
	}
	return out
}

var testHealth = Health{
	Time: testMinute, Visibility: .993, Packets: 1e9, Bytes: 7e11, Lost: 12, Flows: 40_000, Devices: 31, Alerts: 5,
	Problems: []string{"State is not being kept: disk full."},
}

// lines is a server that keeps the line protocol it gets.
type lines struct {
	inbox
	text bytes.Buffer
}

func (l *lines) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			panic(err)
		}
		r.Body = io.NopCloser(z)
	}
	l.inbox.ServeHTTP(w, r)
	fmt.Fprintf(&l.text, "# %s %s\n%s", r.Method, r.URL, l.bodies[len(l.bodies)-1])
	w.WriteHeader(http.StatusNoContent)
}

func TestInfluxLines(t *testing.T) {
	in := &lines{}
	server := httptest.NewServer(in)
	defer server.Close()
	s := open(t, influxAt(server.URL)).(*influx)
	deliverAll(t, s, testNotices(t))
	if err := s.DeliverSeries(t.Context(), testMinutes(2, 2)); err != nil {
		t.Fatal(err)
	}
	if err := s.DeliverHealth(t.Context(), testHealth); err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, in.text.Bytes(), "testdata/influx.golden")
	if got := in.requests[0].Header.Get("Authorization"); got != "Token tokensecret" {
		t.Errorf("authorization %q", got)
	}
	if err := s.DeliverSeries(t.Context(), nil); err != nil || len(in.requests) != 3 {
		t.Errorf("no minutes: %v, %d requests", err, len(in.requests))
	}
}

// hostileTexts are put into every text of an alert and have to read back.
var hostileTexts = []string{
	`quoted "text", with = and \ and a comma\`, "ünïcode €😀", "trailing\\", "#comment", "i,j k=l 1234567890",
}

func hostileAlert(i int, text string) alert.Notice {
	at := testMinute.Add(time.Duration(i) * time.Second)
	return alert.Notice{Alert: &alert.Alert{
		ID: fmt.Sprintf("a-%d", i), Revision: i, Time: at, FirstSeen: at, LastSeen: at, Count: 7, Kind: detect.DNSTunnel, Severity: detect.High,
		Class: detect.DNS, Score: 12.5, Confidence: .75, Visibility: .5, State: alert.Open, Incident: text, Playbook: text, Summary: text, Subject: text,
		Device: alert.Device{ID: text, Name: text, Group: text, MAC: text, IPs: []string{text}, Vendor: text, Type: text},
		Peer:   detect.Peer{IP: text, Name: text, Port: 443, Proto: text, Country: text, ASN: math.MaxUint32},
		Why:    []detect.Why{{Feature: text, Observed: text, Expected: text, Surprise: 1}}, Attack: []string{text},
		Evidence: []alert.Evidence{{CommunityID: text, Time: at}},
	}}
}

// TestInfluxAlertsOfOneMoment: two alerts that differ in nothing but their
// subject must not overwrite each other, as far as there is a finer time.
func TestInfluxAlertsOfOneMoment(t *testing.T) {
	for _, tc := range []struct {
		precision string
		unit, off time.Duration
		atLeast   int // points of 30 alerts: with seconds some 24 of 60 are expected
	}{
		{"ns", time.Nanosecond, time.Millisecond, 30},
		{"us", time.Microsecond, time.Millisecond, 28},
		{"ms", time.Millisecond, time.Second, 28},
		{"s", time.Second, time.Minute, 20},
	} {
		c := influxAt("")
		c.Precision = tc.precision
		p := newPoints("", c)
		times := map[int64]bool{}
		for i := range 30 {
			n := hostileAlert(0, "x")
			n.Alert.ID = fmt.Sprintf("a-%012x", i*7919)
			pt, err := p.notice(&n)
			if err != nil {
				t.Fatal(err)
			}
			at := pt.Time()
			if d := at.Sub(n.Alert.Time); d <= -tc.off || d >= tc.off || !at.Equal(at.Truncate(tc.unit)) {
				t.Errorf("%s: %s is %v off, at %v", tc.precision, n.Alert.ID, d, at)
			}
			times[at.UnixNano()] = true
		}
		if len(times) < tc.atLeast {
			t.Errorf("%s: %d points of 30 alerts", tc.precision, len(times))
		}
	}
}

// The server is told in what a time is written.
func TestInfluxPrecision(t *testing.T) {
	for precision := range precisions {
		in := &inbox{}
		server := httptest.NewServer(in)
		c := influxAt(server.URL)
		c.Precision, c.Gzip = precision, false
		s := open(t, c).(*influx)
		notices := testNotices(t)[:1]
		deliverAll(t, s, notices)
		if err := s.DeliverSeries(t.Context(), testMinutes(1, 1)); err != nil {
			t.Fatal(err)
		}
		server.Close()
		pt, err := s.points.notice(&notices[0])
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []struct {
			precision string
			stamp     int64
		}{
			{precision, pt.Time().UnixNano() / int64(precisions[precision].unit)},
			{"s", testMinute.Unix()},
		} {
			if got := in.requests[i].URL.Query().Get("precision"); got != want.precision || !strings.HasSuffix(in.bodies[i], fmt.Sprintf(" %d\n", want.stamp)) {
				t.Errorf("%s: precision %s of %s", precision, got, in.bodies[i])
			}
		}
	}
}

func TestInfluxAnswers(t *testing.T) {
	for _, tc := range []struct {
		status          int
		kind, body      string
		rejected, after bool
	}{
		{400, "application/json", `{"code":"invalid","message":"unable to parse"}`, true, false},
		{413, "text/plain", "too large", true, false},
		{422, "application/json", `{"code":"unprocessable entity","message":"outside retention"}`, true, false},
		{401, "application/json", `{"code":"unauthorized","message":"unauthorized tokensecret"}`, false, false},
		{404, "", "", false, false},
		{500, "", "", false, false},
		{429, "", "", false, true},
		{503, "application/json", `{`, false, true},
		{302, "", "", false, false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tc.kind != "" {
				w.Header().Set("Content-Type", tc.kind)
			}
			if tc.after {
				w.Header().Set("Retry-After", "30")
			}
			w.WriteHeader(tc.status)
			_, _ = io.WriteString(w, tc.body)
		}))
		n, err := open(t, influxAt(server.URL)).Deliver(t.Context(), testNotices(t)[:1])
		server.Close()
		var retry *RetryAfterError
		if n != 0 || err == nil || errors.Is(err, ErrRejected) != tc.rejected || errors.As(err, &retry) != tc.after || strings.Contains(err.Error(), "tokensecret") {
			t.Errorf("%d: accepted %d, %v", tc.status, n, err)
		}
	}
}

// TestInfluxFindsTheBadOne: of a batch that is refused, only the point at fault
// is rejected.
func TestInfluxFindsTheBadOne(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("a-1,")) || bytes.Contains(body, []byte(`id="a-1"`)) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		got = append(got, string(body))
	}))
	defer server.Close()
	c := influxAt(server.URL)
	c.Gzip = false
	notices := []alert.Notice{hostileAlert(0, "x"), hostileAlert(1, "x"), hostileAlert(2, "x")}
	s := open(t, c)
	if n, err := s.Deliver(t.Context(), notices); n != 1 || !errors.Is(err, ErrRejected) || len(got) != 1 {
		t.Errorf("accepted %d, %v", n, err)
	}
	// What cannot be written at all is told apart before anything is sent.
	notices[1].Alert.Time = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	if n, err := s.Deliver(t.Context(), notices); n != 1 || !errors.Is(err, ErrRejected) || !errors.Is(err, errTime) {
		t.Errorf("the year 2300: accepted %d, %v", n, err)
	}
	notices[1] = hostileAlert(3, "x")
	notices[1].Alert.Score = math.Inf(1)
	if n, err := s.Deliver(t.Context(), notices[1:]); n != 0 || !errors.Is(err, ErrRejected) {
		t.Errorf("an infinite score: accepted %d, %v", n, err)
	}
}

// TestInfluxEndlessAnswer: the library reads all of an error.
func TestInfluxEndlessAnswer(t *testing.T) {
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for chunk := bytes.Repeat([]byte("x"), 64<<10); r.Context().Err() == nil && sent < 1<<30; sent += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	if _, err := open(t, influxAt(server.URL)).Deliver(t.Context(), testNotices(t)[:1]); err == nil || len(err.Error()) > 1000 {
		t.Errorf("got %v", err)
	}
	server.Close()
	if sent > 100<<20 {
		t.Errorf("%d bytes of an answer were taken", sent)
	}
}

func TestInfluxBadServers(t *testing.T) {
	checkBadServers(t, func(addr string) Config { return influxAt("http://" + addr) })
}

func TestInfluxTLS(t *testing.T) {
	ca := newAuthority(t)
	in := &lines{}
	server := httptest.NewUnstartedServer(in)
	server.TLS = ca.config(t, "influx", true)
	server.StartTLS()
	defer server.Close()
	cert, key := ca.client(t, "gate")
	c := influxAt(server.URL)
	for _, tc := range []struct {
		tls TLS
		ok  bool
	}{{TLS{CAFile: ca.caFile, CertFile: cert, KeyFile: key}, true}, {TLS{CAFile: ca.caFile}, false}, {TLS{}, false}} {
		c.TLS = tc.tls
		if n, err := open(t, c).Deliver(t.Context(), testNotices(t)); (err == nil) != tc.ok || tc.ok && n != 3 {
			t.Errorf("%+v: accepted %d, %v", tc.tls, n, err)
		}
	}
}

func TestInfluxValidate(t *testing.T) {
	for _, tc := range []struct {
		key    string
		change func(*Influx)
	}{
		{"", func(*Influx) {}},
		{"url", func(c *Influx) { c.URL = "" }},
		{"url", func(c *Influx) { c.URL = "http://influx:8086/api/v2/write" }},
		{"url", func(c *Influx) { c.URL = "http://influx:8086/?db=x" }},
		{"bucket", func(c *Influx) { c.Bucket = "" }},
		{"device_tag", func(c *Influx) { c.DeviceTag = "mac" }},
		{"max_series", func(c *Influx) { c.MaxSeries = 0 }},
		{"precision", func(c *Influx) { c.Precision = "" }},
		{"precision", func(c *Influx) { c.Precision = "m" }},
		{"tls.cert_file", func(c *Influx) { c.TLS.CertFile = "x" }},
	} {
		c := influxAt("http://influx:8086")
		tc.change(c)
		var field *FieldError
		if err := c.Validate(); tc.key == "" && err != nil || tc.key != "" && (!errors.As(err, &field) || field.Key != tc.key) {
			t.Errorf("%+v: got %v, want one about %q", c, err, tc.key)
		}
	}
}

func TestInfluxEndsInTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := &lines{}
	server := httptest.NewServer(in)
	defer server.Close()
	s := open(t, influxAt(server.URL)).(*influx)
	if err := s.DeliverSeries(ctx, testMinutes(2, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzInfluxLine(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text, 1.5, int64(0))
	}
	f.Add("\x00\xff\r", math.Inf(1), int64(1<<62))
	f.Fuzz(func(t *testing.T, text string, score float64, at int64) {
		n := hostileAlert(1, text)
		n.Alert.Score, n.Alert.Time = score, time.Unix(0, at)
		pt, err := newPoints(text, &Influx{DeviceTag: "name", Texts: true, MaxSeries: 100, Precision: "ns"}).notice(&n)
		if math.IsNaN(score) || math.IsInf(score, 0) {
			if err == nil {
				t.Fatalf("score %v is written", score)
			}
			return
		}
		if err != nil {
			if y := n.Alert.Time.Year(); y >= 1678 && y <= 2261 {
				t.Fatal(err)
			}
			return
		}
		line := strings.TrimSuffix(write.PointToLineProtocol(pt, time.Nanosecond), "\n")
		// Outside quotes there is one line and two spaces.
		spaces, quoted := 0, false
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case c == '\\':
				i++
			case c == '"' && spaces == 1: // in a tag it is a letter like any other
				quoted = !quoted
			case !quoted && c == ' ':
				spaces++
			case !quoted && c == '\n':
				t.Fatalf("more than one line: %q", line)
			}
		}
		if spaces != 2 || quoted {
			t.Fatalf("%d parts: %q", spaces+1, line)
		}
	})
}
