package notify

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/device"
)

// dashboard is what a test looks at of one of Grafana's.
type dashboard struct {
	UID        string
	Title      string
	Templating struct {
		List []struct{ Name, Type, Query string }
	}
	Panels []struct {
		ID      int
		Title   string
		Type    string
		GridPos struct{ X, Y, W, H int }
		Targets []struct {
			RefID, Query, Expr string
			RawQuery           bool
		}
	}
}

func readDashboard(t *testing.T, name string) *dashboard {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", "grafana", "gatehouse-"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	d := &dashboard{}
	if err := json.Unmarshal(text, d); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}

// TestDashboards holds what Grafana needs: unique ids, panels that do not
// overlap, queries.
func TestDashboards(t *testing.T) {
	for _, name := range []string{"flux", "influxql", "metricsql"} {
		d := readDashboard(t, name)
		if d.UID != "gatehouse-"+name || len(d.Panels) < 10 || d.Templating.List[0].Type != "datasource" {
			t.Errorf("%s: uid %q, %d panels, variables %+v", name, d.UID, len(d.Panels), d.Templating.List)
		}
		taken := map[[2]int]string{}
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
				t.Errorf("%s: panel %d %q: id taken, no title or no query", name, p.ID, p.Title)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: %s overlaps with %s, or is too wide", name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

// vocabulary is all that points are made of.
func vocabulary(t *testing.T) (measurements, tags, fields map[string]bool) {
	t.Helper()
	measurements, tags, fields = map[string]bool{}, map[string]bool{}, map[string]bool{}
	p := newPoints("plant 3", influxAt(""))
	full := hostileAlert(1, "x")
	for _, n := range append(testNotices(t), full) {
		pt, err := p.notice(&n)
		if err != nil {
			t.Fatal(err)
		}
		note(pt.Name(), measurements)
		for _, tag := range pt.TagList() {
			note(tag.Key, tags)
		}
		for _, f := range pt.FieldList() {
			note(f.Key, fields)
		}
	}
	minute := testMinutes(1, 1)[0]
	for _, pt := range []interface {
		Name() string
	}{p.minute(&minute), p.health(testHealth)} {
		note(pt.Name(), measurements)
	}
	for _, f := range append(p.minute(&minute).FieldList(), p.health(testHealth).FieldList()...) {
		note(f.Key, fields)
	}
	return measurements, tags, fields
}

func note(name string, in map[string]bool) { in[name] = true }

// TestFluxNames holds the queries to the names that there are, also where the
// server for TestFluxDashboard is not to be had.
func TestFluxNames(t *testing.T) {
	measurements, tags, fields := vocabulary(t)
	find := func(text, pattern string, known map[string]bool) {
		t.Helper()
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
		for _, m := range found {
			if !known[m[1]] {
				t.Errorf("%s: there is no %q", m[0], m[1])
			}
		}
	}
	for _, p := range readDashboard(t, "flux").Panels {
		for _, q := range p.Targets {
			if !strings.Contains(q.Query, `r._measurement == "gatehouse_`) || strings.Count(q.Query, "(") != strings.Count(q.Query, ")") {
				t.Errorf("%s: %s", p.Title, q.Query)
			}
			find(q.Query, `_measurement == "(\w+)"`, measurements)
			find(q.Query, `_field == "(\w+)"`, fields)
			find(q.Query, `r\.([a-z]\w*)`, tags)
			if set := regexp.MustCompile(`set: \[(.*?)\]`).FindStringSubmatch(q.Query); set != nil {
				find(set[1], `"(\w+)"`, fields)
			}
		}
	}
}

// dashboardData is a day of two devices, alerts and health, and the same time
// in the weeks before.
func dashboardData(t *testing.T, s *influx, end time.Time) {
	t.Helper()
	var minutes []device.Minute
	for week := range 5 {
		for m := range 60 {
			for d := range 2 {
				minutes = append(minutes, device.Minute{
					Time: end.AddDate(0, 0, -7*week).Add(-time.Duration(m+1) * time.Minute), Device: fmt.Sprintf("mac:%012x", d), Group: "cameras",
					BytesIn: 1000, BytesOut: 500, Packets: 3, Flows: 1, Peers: 2, Names: 3, NXDomain: 1,
				})
			}
		}
	}
	if err := s.DeliverSeries(t.Context(), minutes); err != nil {
		t.Fatal(err)
	}
	for m := range 60 {
		h := testHealth
		h.Time, h.Packets, h.Lost = end.Add(-time.Duration(60-m)*time.Minute), uint64(1000*m), uint64(m)
		if err := s.DeliverHealth(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	var notices []alert.Notice
	for i := range 3 {
		n := hostileAlert(i, "tv")
		n.Alert.Time, n.Alert.Revision = end.Add(-time.Duration(i+5)*time.Minute), 1
		again := *n.Alert
		again.Revision = 2
		notices = append(notices, n, alert.Notice{Alert: &again})
	}
	// One after the other: revisions of one alert are one point.
	for i := range notices {
		deliverAll(t, s, notices[i:i+1])
	}
}

// TestFluxDashboard runs every query on InfluxDB.
func TestFluxDashboard(t *testing.T) {
	base := influxDB18(t)
	s := open(t, influxAt(base)).(*influx)
	end := testMinute
	dashboardData(t, s, end)
	// Variables list what there was in the last 30 days.
	recent, health := testMinutes(1, 1), testHealth
	recent[0].Time, health.Time = time.Now().UTC().Truncate(time.Minute), time.Now()
	if err := errors.Join(s.DeliverSeries(t.Context(), recent), s.DeliverHealth(t.Context(), health)); err != nil {
		t.Fatal(err)
	}
	imports := regexp.MustCompile(`(?m)^import .*\n`)
	fill := func(query string) string {
		query = strings.NewReplacer("${bucket}", "gatehouse", "${site:regex}", ".*", "${device:regex}", ".*").Replace(query)
		return fmt.Sprintf("%sv = {timeRangeStart: %s, timeRangeStop: %s, windowPeriod: 10m}\n%s", strings.Join(imports.FindAllString(query, -1), ""),
			end.Add(-time.Hour).Format(time.RFC3339), end.Format(time.RFC3339), imports.ReplaceAllString(query, ""))
	}
	d := readDashboard(t, "flux")
	for _, v := range d.Templating.List {
		if v.Type == "query" && len(flux(t, base, fill(v.Query))) == 0 {
			t.Errorf("variable %s: %s gives nothing", v.Name, v.Query)
		}
	}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			rows := flux(t, base, fill(q.Query))
			var values []string
			for _, r := range rows {
				values = append(values, strings.TrimPrefix(r["_time"]+" "+r["_field"]+" "+r["_value"], "2026-01-05T"))
			}
			slices.Sort(values)
			if len(rows) == 0 {
				t.Errorf("%s: %s gives nothing", p.Title, q.Query)
			}
			var want []string
			switch {
			case p.Title == "Alerts by kind":
				want = []string{"  3"} // however often they changed
			case p.Title == "Most traffic":
				want = []string{"  90000", "  90000"}
			case strings.HasPrefix(p.Title, "Traffic"):
				before := ""
				if strings.Contains(q.Query, "union") {
					before = ", as in the four weeks before" // and at the same times
				}
				for m := 10; m <= 60; m += 10 { // 10 minutes of 2 devices, at their end
					at := end.Add(time.Duration(m-60) * time.Minute).Format("15:04:05Z")
					want = append(want, at+" bytes_in"+before+" 20000", at+" bytes_out"+before+" 10000")
				}
			case p.Title == "Latest alerts":
				if len(rows) != 3 || rows[0]["summary"] != "tv" || rows[0]["score"] != "12.5" || rows[0]["_time"] < rows[1]["_time"] {
					t.Errorf("%s: %v", p.Title, rows)
				}
			}
			if want != nil && !slices.Equal(values, want) {
				t.Errorf("%s: %q, want %q", p.Title, values, want)
			}
		}
	}
}

// flux asks InfluxDB and returns rows by the names of their columns.
func flux(t *testing.T, base, query string) []map[string]string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "dialect": map[string]any{"header": true, "annotations": []string{}}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(base+"/api/v2/query", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", query, resp.StatusCode, answer, err)
	}
	var rows []map[string]string
	// Each header has an empty line before it.
	for table := range strings.SplitSeq(strings.TrimSpace(string(answer)), "\r\n\r\n") {
		lines, err := csv.NewReader(strings.NewReader(table)).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v in %s", query, err, table)
		}
		for i, line := range lines {
			row := make(map[string]string)
			for c, value := range line {
				row[lines[0][c]] = value
			}
			if i > 0 {
				rows = append(rows, row)
			}
			if text, failed := row["error"]; failed && i > 0 {
				t.Fatalf("%s: %s", query, text)
			}
		}
	}
	return rows
}

// TestInfluxQLDashboard runs every query on InfluxDB.
func TestInfluxQLDashboard(t *testing.T) {
	address, ask := influxDB(t)
	s := open(t, influxAt(address)).(*influx)
	end := testMinute
	dashboardData(t, s, end)
	fill := strings.NewReplacer(
		"$timeFilter", fmt.Sprintf("time >= %dms and time < %dms", end.Add(-time.Hour).UnixMilli(), end.UnixMilli()),
		"$__interval", "10m", "$site", ".*", "$device", ".*",
	)
	d := readDashboard(t, "influxql")
	for _, v := range d.Templating.List {
		if v.Type == "query" && len(ask(v.Query)) < 2 {
			t.Errorf("variable %s: %s gives nothing", v.Name, v.Query)
		}
	}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			rows := ask(fill.Replace(q.Query))
			if len(rows) < 2 {
				t.Errorf("%s: %s gives nothing", p.Title, q.Query)
			}
			if p.Title == "Alerts by kind" && fmt.Sprint(rows[1][1]) != "3" {
				t.Errorf("%s: %v, want 3 alerts however often they changed", p.Title, rows)
			}
			if p.Title == "Traffic" && fmt.Sprint(rows[1][1:]) != "[20000 10000]" { // 10 minutes of 2 devices
				t.Errorf("%s: %v", p.Title, rows[1])
			}
		}
	}
}

// TestMetricsQLDashboard runs every query on VictoriaMetrics.
func TestMetricsQLDashboard(t *testing.T) {
	base := victoriaMetrics(t)
	c := influxAt(base)
	c.Texts = false
	s := open(t, c).(*influx)
	end := testMinute
	dashboardData(t, s, end)
	flushMetrics(t, base)
	fill := strings.NewReplacer("$__interval", "10m", "$__rate_interval", "10m", "$__range", "1h", "$site", ".*", "$device", ".*")
	for _, p := range readDashboard(t, "metricsql").Panels {
		for _, q := range p.Targets {
			values := metricsQL(t, base, fill.Replace(q.Expr), end)
			if len(values) == 0 {
				t.Errorf("%s: %s gives nothing", p.Title, q.Expr)
			}
			want := ""
			switch {
			case p.Title == "Alerts by kind":
				want = "3"
			case strings.HasPrefix(p.Title, "Traffic"): // and so it was in the weeks before
				want = "30000"
			case p.Title == "Most traffic":
				want = "90000"
			}
			if want != "" && (len(values) == 0 || values[0] != want) {
				t.Errorf("%s: %v, want %s", p.Title, values, want)
			}
		}
	}
}

// metricsQL asks VictoriaMetrics for values at a time.
func metricsQL(t *testing.T, base, query string, at time.Time) []string {
	t.Helper()
	resp, err := http.PostForm(base+"/api/v1/query", url.Values{"query": {query}, "time": {strconv.FormatInt(at.Unix()-1, 10)}, "step": {"10m"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %v %s", query, err, answer.Error)
	}
	var values []string
	for _, r := range answer.Data.Result {
		values = append(values, fmt.Sprint(r.Value[1]))
	}
	slices.Sort(values)
	return values
}
