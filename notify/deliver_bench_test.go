package notify

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"gatehouse/alert"
)

// BenchmarkDeliver measures each sink with batches of 100 alerts to a server on
// this machine that takes everything: the most that a sink could do after an
// outage. One operation is one alert.
func BenchmarkDeliver(b *testing.B) {
	take := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer take.Close()
	syslogAddr, received := swallow(b, nil, false)
	go func() {
		for range received {
			continue
		}
	}()
	for name, c := range map[string]Config{
		"webhook":  webhookTo(take.URL),
		"influxdb": influxAt(take.URL),
		"syslog":   syslogTo(syslogAddr, "tcp"),
		"file":     &File{Path: filepath.Join(b.TempDir(), "eve.json"), Format: "eve"},
	} {
		b.Run(name, func(b *testing.B) {
			sink := open(b, c)
			batch := make([]alert.Notice, 100)
			for i := range batch {
				batch[i] = testNotices(b)[0]
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%len(batch) != 0 {
					continue
				}
				if _, err := sink.Deliver(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
