package notify

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	return &Influx{URL: url, Token: NewSecret("tokensecret"), Org: "home", Bucket: "gatehouse", Gzip: true, DeviceTag: "id", Texts: true, MaxSeries: 1000}
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

// influxDB starts InfluxDB 1.6 and a proxy that maps the v2 write API to its
// own, and returns the address of the proxy and a way to ask.
func influxDB(t *testing.T) (string, func(query string) [][]any) {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	config := filepath.Join(dir, "influxdb.conf")
	text := fmt.Sprintf(`reporting-disabled = true
bind-address = "127.0.0.1:%s"
[meta]
dir = %q
[data]
dir = %q
wal-dir = %q
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:%s"
`, freePort(t), filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, "influxd", "-config", config)
	awaitPort(t, port)
	base := "http://127.0.0.1:" + port
	ask := func(query string) [][]any { return influxQL(t, base, query) }
	ask("CREATE DATABASE gatehouse")
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		in := r.In.URL.Query()
		precision := map[string]string{"ns": "n", "s": "s"}[in.Get("precision")]
		if r.In.URL.Path != "/api/v2/write" || in.Get("org") != "home" || precision == "" {
			t.Errorf("unexpected request to %s", r.In.URL)
		}
		r.Out.URL = &url.URL{
			Scheme: "http", Host: "127.0.0.1:" + port, Path: "/write",
			RawQuery: url.Values{"db": {in.Get("bucket")}, "precision": {precision}}.Encode(),
		}
		r.Out.Header.Del("Authorization") // 1.6 does not know tokens
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL, ask
}

// influxQL asks InfluxDB 1.x, and returns rows with the names of columns as the
// first.
func influxQL(t *testing.T, base, query string) [][]any {
	t.Helper()
	resp, err := http.PostForm(base+"/query", url.Values{"db": {"gatehouse"}, "q": {query}, "epoch": {"ns"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Results []struct {
			Error  string
			Series []struct {
				Columns []any
				Values  [][]any
			}
		}
		Error string
	}
	d := json.NewDecoder(resp.Body)
	d.UseNumber()
	if err := d.Decode(&answer); err != nil || answer.Error != "" {
		t.Fatalf("%s: %v %s", query, err, answer.Error)
	}
	var rows [][]any
	for _, r := range answer.Results {
		if r.Error != "" {
			t.Fatalf("%s: %s", query, r.Error)
		}
		for _, s := range r.Series {
			rows = append(append(rows, s.Columns), s.Values...)
		}
	}
	return rows
}

// TestInfluxDBReadsBack holds that every tag and field arrives and reads back
// as it was, texts too.
func TestInfluxDBReadsBack(t *testing.T) {
	address, ask := influxDB(t)
	s := open(t, influxAt(address)).(*influx)
	notices := testNotices(t)
	for i, text := range hostileTexts {
		notices = append(notices, hostileAlert(i, text))
	}
	deliverAll(t, s, notices)
	deliverAll(t, s, notices[:1]) // again: the same point
	if err := s.DeliverSeries(t.Context(), testMinutes(50, 130)); err != nil {
		t.Fatal(err)
	}
	if err := s.DeliverHealth(t.Context(), testHealth); err != nil {
		t.Fatal(err)
	}
	want := map[string][]map[string]any{}
	for i := range notices {
		p, err := s.points.notice(&notices[i])
		if err != nil {
			t.Fatal(err)
		}
		row := map[string]any{"time": json.Number(strconv.FormatInt(p.Time().UnixNano(), 10))}
		for _, tag := range p.TagList() {
			row[tag.Key] = tag.Value
		}
		for _, f := range p.FieldList() {
			row[f.Key] = f.Value
		}
		want[p.Name()] = append(want[p.Name()], row)
	}
	for measurement, rows := range want {
		got := ask("SELECT * FROM " + measurement)
		if len(got)-1 != len(rows) {
			t.Fatalf("%s: %d points, want %d", measurement, len(got)-1, len(rows))
		}
		for _, row := range rows {
			i := slices.IndexFunc(got, func(r []any) bool { return r[0] == row["time"] })
			if i < 0 {
				t.Errorf("%s: no point at %v", measurement, row["time"])
				continue
			}
			for c, name := range got[0] {
				w, ok := row[name.(string)]
				if g := got[i][c]; !ok && g != nil || ok && fmt.Sprint(w) != fmt.Sprint(g) {
					t.Errorf("%s of %v: %s reads %q, want %q", measurement, row["id"], name, g, w)
				}
				delete(row, name.(string))
			}
			if len(row) > 0 {
				t.Errorf("%s: missing %v", measurement, row)
			}
		}
	}
	if got := ask("SELECT sum(bytes_in), count(device_name) FROM gatehouse_device"); fmt.Sprint(got[1][1:]) != "[159669250 6500]" {
		// sum over d < 50 and m < 130 of 1000 d + m = 130·1000·1225 + 50·8385
		t.Errorf("minutes sum up to %v", got[1])
	}
	if got := ask("SELECT problem, lost, series_limit FROM gatehouse_sensor"); fmt.Sprint(got[1][1:]) != "["+testHealth.Problems[0]+" 12 1000]" {
		t.Errorf("health reads %v", got[1])
	}
	// A later revision takes the place of the earlier, and keeps what it says.
	again := *notices[0].Alert
	again.Revision, again.Count, again.State = 2, 9, alert.Closed
	deliverAll(t, s, []alert.Notice{{Alert: &again}})
	if got := ask("SELECT revision, count, state FROM gatehouse_alert WHERE id = '" + again.ID + "'"); len(got) != 2 || fmt.Sprint(got[1][1:]) != "[2 9 closed]" {
		t.Errorf("after a second revision: %v", got)
	}
}

// victoriaMetrics starts one and returns its address.
func victoriaMetrics(t *testing.T) string {
	t.Helper()
	port := freePort(t)
	startServer(t, "victoria-metrics", "-storageDataPath", t.TempDir(), "-httpListenAddr", "127.0.0.1:"+port, "-retentionPeriod", "100y")
	awaitPort(t, port)
	return "http://127.0.0.1:" + port
}

// flushMetrics makes VictoriaMetrics show what it has taken.
func flushMetrics(t *testing.T, base string) {
	t.Helper()
	resp, err := http.Get(base + "/internal/force_flush")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// TestInfluxSeries holds the number of series that VictoriaMetrics makes of our
// points, and that all samples arrive.
func TestInfluxSeries(t *testing.T) {
	base := victoriaMetrics(t)
	c := influxAt(base)
	c.MaxSeries, c.Texts = 100, false
	s := open(t, c).(*influx)
	notices := testNotices(t)
	for i := range 20 {
		n := hostileAlert(i, "dev"+strconv.Itoa(i))
		notices = append(notices, n)
	}
	deliverAll(t, s, notices) // 21 series of alerts
	if err := s.DeliverSeries(t.Context(), testMinutes(200, 10)); err != nil {
		t.Fatal(err)
	}
	late := hostileAlert(99, "late")
	deliverAll(t, s, []alert.Notice{late})
	if err := s.DeliverHealth(t.Context(), testHealth); err != nil {
		t.Fatal(err)
	}
	get := func(path string, v any) {
		t.Helper()
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
			t.Fatal(err)
		}
	}
	flushMetrics(t, base)
	var found struct{ Data []map[string]string }
	const all = "start=2026-01-01T00:00:00Z&end=2026-02-01T00:00:00Z&match[]="
	for match, want := range map[string]int{
		`gatehouse_device_bytes_in`: 79, // what alerts have left of 100
		`gatehouse_alert_score`:     22, // one of them of "other"
		`gatehouse_sensor_lost`:     1,
		// Without texts there are as many as there are fields with numbers.
		`{__name__=~"gatehouse_device_.*"}`:   79 * 7,
		`{__name__=~"gatehouse_sensor_.*"}`:   11,
		`{__name__=~"gatehouse_incident_.*"}`: 4,
	} {
		if get("/api/v1/series?"+all+url.QueryEscape(match), &found); len(found.Data) != want {
			t.Errorf("%s has %d series, want %d", match, len(found.Data), want)
		}
		for _, labels := range found.Data {
			for name := range labels {
				if !slices.Contains([]string{"__name__", "db", "site", "group", "device", "kind", "severity"}, name) {
					t.Errorf("%s has the label %s", match, name)
				}
			}
		}
	}
	var value struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	for query, want := range map[string]string{
		`sum(sum_over_time(gatehouse_device_flows[1d]))`:                    strconv.Itoa(79 * 10 * 4),
		`count(gatehouse_alert_score{device="other"})`:                      "1",
		`sum(last_over_time(gatehouse_sensor_series_refused[1d]))`:          strconv.Itoa((200-79)*10 + 1),
		`max(last_over_time(gatehouse_sensor_series[1d]))`:                  "100",
		`count(count_over_time(gatehouse_alert_count{site="plant 3"}[1d]))`: "22",
	} {
		if get("/api/v1/query?time=2026-01-05T12:30:00Z&step=1d&query="+url.QueryEscape(query), &value); len(value.Data.Result) != 1 || value.Data.Result[0].Value[1] != want {
			t.Errorf("%s gives %v, want %s", query, value.Data.Result, want)
		}
	}
}

// TestInfluxAlertsOfOneMoment: two alerts that differ in nothing but their
// subject must not overwrite each other.
func TestInfluxAlertsOfOneMoment(t *testing.T) {
	p := newPoints("", influxAt(""))
	times := map[int64]string{}
	for i := range 30 {
		n := hostileAlert(0, "x")
		n.Alert.ID = fmt.Sprintf("a-%012x", i*7919)
		pt, err := p.notice(&n)
		if err != nil {
			t.Fatal(err)
		}
		at := pt.Time()
		if other, taken := times[at.UnixNano()]; taken {
			t.Errorf("%s and %s are one point", n.Alert.ID, other)
		}
		if d := at.Sub(n.Alert.Time); d <= -time.Millisecond || d >= time.Millisecond {
			t.Errorf("%s is %v off", n.Alert.ID, d)
		}
		times[at.UnixNano()] = n.Alert.ID
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
		pt, err := newPoints(text, &Influx{DeviceTag: "name", Texts: true, MaxSeries: 100}).notice(&n)
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
