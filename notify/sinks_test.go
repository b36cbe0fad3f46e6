package notify

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/detect"
)

// testNotices are the golden alert and incident of the alert room, and a
// digest.
func testNotices(t testing.TB) []alert.Notice {
	t.Helper()
	out := make([]alert.Notice, 3)
	for i, path := range []string{"../alert/testdata/alert.json", "../alert/testdata/incident.json"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if i == 0 {
			out[i].Alert = &alert.Alert{}
			v = out[i].Alert
		} else {
			out[i].Incident = &alert.Incident{}
			v = out[i].Incident
		}
		if err := json.Unmarshal(text, v); err != nil {
			t.Fatal(err)
		}
		out[i].Seq = int64(i + 1)
	}
	out[2].Digest = &alert.Digest{
		ID: "d-1", From: out[0].Time(), To: out[0].Time(), Alerts: 2, Severity: detect.Low, Counts: map[detect.Severity]int{detect.Low: 2},
		Kinds: map[detect.Kind]int{detect.DNSSpike: 2}, Devices: []string{"tv"}, Examples: []string{"tv did it."}, Summary: "2 alerts.",
	}
	return out
}

func testOptions() Options {
	return Options{Name: "test", Site: "plant 3", Version: "1.2.3", Now: time.Now}
}

// open opens a sink or fails the test.
func open(t testing.TB, c Config) Sink {
	t.Helper()
	s, err := c.Open(testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func deliverAll(t *testing.T, s Sink, notices []alert.Notice) {
	t.Helper()
	if n, err := s.Deliver(t.Context(), notices); n != len(notices) || err != nil {
		t.Fatalf("delivered %d of %d: %v", n, len(notices), err)
	}
}

// inbox is a server that keeps what it gets.
type inbox struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (b *inbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests, b.bodies = append(b.requests, r), append(b.bodies, string(body))
}
