package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"gatehouse/alert"
	"gatehouse/device"
)

// Influx writes points to InfluxDB 2 or 3, or to whatever else takes its v2
// write API: InfluxDB 1.8, VictoriaMetrics, Telegraf. What is written is in
// points.go.
type Influx struct {
	URL       string `yaml:"url"` // of the server, without /api/v2/write
	Token     Secret `yaml:"token"`
	Org       string `yaml:"org"`
	Bucket    string `yaml:"bucket"`
	Gzip      bool   `yaml:"gzip"`
	DeviceTag string `yaml:"device_tag"` // "id", which is unique, or "name", which reads better
	Texts     bool   `yaml:"texts"`      // false leaves out fields that are no numbers
	MaxSeries int    `yaml:"max_series"` // combinations of tags; more are not made
	Precision string `yaml:"precision"`  // of alerts: ns, us, ms or s; minutes have seconds
	TLS       TLS    `yaml:"tls"`
	Proxy     Secret `yaml:"proxy"` // none, a URL with user and password if need be, or environment
}

// Bounds of Influx.MaxSeries. A series costs the server memory for as long as
// it is kept; ten thousand are a thousand devices with a few kinds of alerts.
const (
	defaultMaxSeries = 10_000
	maxMaxSeries     = 1_000_000
)

// precision is how times of alerts are written. Alerts of one moment are told
// apart by what is finer than within.
type precision struct{ unit, within time.Duration }

// precisions are those of the v2 write API. With seconds, of ten alerts of one
// device, kind, severity and minute two are as likely as not to be one point.
var precisions = map[string]precision{
	"ns": {time.Nanosecond, time.Millisecond},
	"us": {time.Microsecond, time.Millisecond},
	"ms": {time.Millisecond, time.Second},
	"s":  {time.Second, time.Minute},
}

// Validate implements Config.
func (c *Influx) Validate() error {
	u, err := checkURL(c.URL)
	switch {
	case err != nil:
		return &FieldError{"url", err}
	case strings.Contains(u.Path, "/write") || u.RawQuery != "":
		return &FieldError{"url", errors.New("is that of the server, such as https://influx.example.net:8086: /api/v2/write is added to it")}
	case c.Bucket == "":
		return &FieldError{"bucket", errors.New("is required: name of the bucket to write to")}
	case c.DeviceTag != "id" && c.DeviceTag != "name":
		return &FieldError{"device_tag", fmt.Errorf("%q is neither id nor name", c.DeviceTag)}
	case precisions[c.Precision].unit == 0:
		return &FieldError{"precision", fmt.Errorf("%q is none: use ns, us, ms or s", c.Precision)}
	case c.MaxSeries < 100 || c.MaxSeries > maxMaxSeries:
		return &FieldError{"max_series", fmt.Errorf("has to be 100 to %d", maxMaxSeries)}
	}
	if _, err := parseProxy(c.Proxy, u); err != nil {
		return &FieldError{"proxy", err}
	}
	return c.TLS.validate()
}

// Open implements Config.
func (c *Influx) Open(o Options) (Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	u, err := checkURL(c.URL)
	if err != nil {
		return nil, err
	}
	d, err := newDialer(c.Proxy, u, nil, &c.TLS)
	if err != nil {
		return nil, err
	}
	client, err := newHTTPClient(&c.TLS, d)
	if err != nil {
		return nil, err
	}
	s := &influx{config: *c, http: client, secrets: append(d.secrets(), c.Token), now: o.Now}
	s.points = newPoints(o.Site, c)
	s.fine = s.connect(s.points.precision.unit)
	s.coarse = s.connect(time.Second)
	return s, nil
}

type influx struct {
	config  Influx
	http    *http.Client
	secrets []Secret
	fine    api.WriteAPIBlocking
	coarse  api.WriteAPIBlocking
	points  *points
	now     func() time.Time
}

func (s *influx) connect(precision time.Duration) api.WriteAPIBlocking {
	options := influxdb2.DefaultOptions().SetPrecision(precision).SetUseGZip(s.config.Gzip).SetApplicationName("gatehouse")
	options.HTTPOptions().SetHTTPDoer(frugal{s.http})
	return influxdb2.NewClientWithOptions(s.config.URL, s.config.Token.Reveal(), options).WriteAPIBlocking(s.config.Org, s.config.Bucket)
}

// frugal bounds answers, of which the library reads as much as there is.
type frugal struct{ client *http.Client }

func (f frugal) Do(req *http.Request) (*http.Response, error) {
	resp, err := f.client.Do(req)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// Deliver implements Sink. The server judges a request as a whole, so one that
// it refuses is sent again point by point.
func (s *influx) Deliver(ctx context.Context, notices []alert.Notice) (int, error) {
	all := make([]*write.Point, 0, len(notices))
	var bad error
	for i := range notices {
		p, err := s.points.notice(&notices[i])
		if err != nil {
			bad = Rejected(fmt.Errorf("write %s as a point: %w", notices[i].Key(), err))
			break
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return 0, bad
	}
	err := s.write(ctx, s.fine, all)
	if errors.Is(err, ErrRejected) && len(all) > 1 {
		for i, p := range all {
			if err := s.write(ctx, s.fine, []*write.Point{p}); err != nil {
				return i, err
			}
		}
		err = nil
	}
	if err != nil {
		return 0, err
	}
	return len(all), bad
}

// maxPoints is how many points go in one request: InfluxDB's advice is 5,000
// lines, and these are short.
const maxPoints = 5000

// DeliverSeries implements SeriesSink. A minute that comes again replaces what
// was written of it.
func (s *influx) DeliverSeries(ctx context.Context, minutes []device.Minute) error {
	batch := make([]*write.Point, 0, min(len(minutes), maxPoints))
	for i := range minutes {
		if p := s.points.minute(&minutes[i]); p != nil {
			batch = append(batch, p)
		}
		if len(batch) == maxPoints || i == len(minutes)-1 && len(batch) > 0 {
			if err := s.write(ctx, s.coarse, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}

// DeliverHealth implements HealthSink.
func (s *influx) DeliverHealth(ctx context.Context, h Health) error {
	return s.write(ctx, s.coarse, []*write.Point{s.points.health(h)})
}

// write sends points and sorts errors as Sink wants them.
func (s *influx) write(ctx context.Context, to api.WriteAPIBlocking, points []*write.Point) error {
	err := to.WritePoint(ctx, points...)
	if err == nil {
		return nil
	}
	var answer *influxhttp.Error
	if errors.As(err, &answer) && answer.StatusCode != 0 {
		resp := &http.Response{StatusCode: answer.StatusCode, Header: answer.Header, Request: &http.Request{}}
		err = answered(resp, []byte(answer.Message), s.now())
	} else {
		err = withoutURL(err)
	}
	return scrub(fmt.Errorf("write to %s: %w", s.config.URL, err), s.secrets...)
}

// Capped implements CappedSink.
func (s *influx) Capped() (series int, points uint64) {
	return len(s.points.seen), uint64(s.points.refused)
}

var (
	_ SeriesSink = (*influx)(nil)
	_ HealthSink = (*influx)(nil)
	_ CappedSink = (*influx)(nil)
)

// Close implements Sink.
func (s *influx) Close() error {
	s.http.CloseIdleConnections()
	return nil
}
