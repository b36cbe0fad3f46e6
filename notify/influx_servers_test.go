package notify

import (
	"encoding/json"
	"fmt"
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

	"gatehouse/alert"
	"gatehouse/internal/testkit"
)

// startInfluxDB starts a server of InfluxDB 1.x with an empty database and
// returns its address.
func startInfluxDB(t *testing.T, program string) string {
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
flux-enabled = true
`, freePort(t), filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, program, "-config", config)
	awaitPort(t, port)
	base := "http://127.0.0.1:" + port
	influxQL(t, base, "CREATE DATABASE gatehouse")
	return base
}

// influxDB18 is InfluxDB 1.8.10, the last that is Go alone. It speaks the v2
// API and Flux.
func influxDB18(t *testing.T) string {
	t.Helper()
	return startInfluxDB(t, testkit.NeedGoTool(t, "github.com/influxdata/influxdb/cmd/influxd@v1.8.10"))
}

// influxDB starts InfluxDB 1.6 and a proxy that maps the v2 write API to its
// own, and returns the address of the proxy and a way to ask.
func influxDB(t *testing.T) (string, func(query string) [][]any) {
	t.Helper()
	base := startInfluxDB(t, "influxd")
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		in := r.In.URL.Query()
		precision := map[string]string{"ns": "n", "s": "s"}[in.Get("precision")]
		if r.In.URL.Path != "/api/v2/write" || in.Get("org") != "home" || precision == "" {
			t.Errorf("unexpected request to %s", r.In.URL)
		}
		r.Out.URL = &url.URL{
			Scheme: "http", Host: strings.TrimPrefix(base, "http://"), Path: "/write",
			RawQuery: url.Values{"db": {in.Get("bucket")}, "precision": {precision}}.Encode(),
		}
		r.Out.Header.Del("Authorization") // 1.6 does not know tokens
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL, func(query string) [][]any { return influxQL(t, base, query) }
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
	t.Run("1.6 behind a proxy", func(t *testing.T) {
		address, ask := influxDB(t)
		readsBack(t, address, ask)
	})
	t.Run("1.8 by its v2 API", func(t *testing.T) {
		address := influxDB18(t)
		readsBack(t, address, func(query string) [][]any { return influxQL(t, address, query) })
	})
}

func readsBack(t *testing.T, address string, ask func(query string) [][]any) {
	t.Helper()
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
