package flow

import (
	"encoding/json"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/testkit"
	"gatehouse/wire"
)

// TestJA4ThroughReassembly finds, for every TLS-over-TCP row of FoxIO's
// expected values, a flow with these ends, this SNI and this fingerprint.
func TestJA4ThroughReassembly(t *testing.T) {
	raw, err := os.ReadFile(testkit.Corpus(t, "protocols", "ja4-expected.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ Pcap, Src, Srcport, Dst, Dstport, SNI, JA4 string }
	rows := map[string][]row{}
	for line := range strings.Lines(string(raw)) {
		var r row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(r.JA4, "t") {
			rows[r.Pcap] = append(rows[r.Pcap], r)
		}
	}
	checked := 0
	for pcap, want := range rows {
		events, _ := analyse(t, readAll(t, testkit.Corpus(t, "protocols", "ja4", pcap)), 1, 100)
		have := map[row]bool{}
		for _, e := range events {
			for _, m := range e.Messages {
				hello, ok := m.(*wire.ClientHello)
				if !ok {
					continue
				}
				c, s := e.Record.Client, e.Record.Server
				have[row{
					pcap, c.Addr.String(), strconv.Itoa(int(c.Port)), s.Addr.String(), strconv.Itoa(int(s.Port)),
					hello.SNI, hello.JA4,
				}] = true
			}
		}
		for _, r := range want {
			r.Src, r.Dst = netip.MustParseAddr(r.Src).String(), netip.MustParseAddr(r.Dst).String()
			r.SNI = strings.ToLower(r.SNI)
			checked++
			if !have[r] {
				t.Errorf("%+v not found among %d", r, len(have))
				for h := range have {
					if h.Srcport == r.Srcport {
						t.Logf("but %+v", h)
					}
				}
			}
		}
	}
	if checked == 0 {
		t.Error("no rows")
	}
	t.Logf("%d rows", checked)
}

// TestNamesAgainstTShark compares the counts of HTTP requests and TLS client
// hellos with those that tshark reassembles.
func TestNamesAgainstTShark(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tshark on many captures: leave out -short")
	}
	var got, want struct{ requests, hellos int }
	const every = 12 // starting tshark takes a while
	for i, file := range corpusFiles(t, "iot-setup") {
		if i%every != 0 {
			continue
		}
		events, _ := analyse(t, readAll(t, file), 2, 100)
		for _, e := range events {
			for _, m := range e.Messages {
				switch m.(type) {
				case *wire.HTTPRequest:
					if e.Record.Proto == protoTCP {
						got.requests++
					}
				case *wire.ClientHello:
					got.hellos++
				}
			}
		}
		for _, row := range testkit.TShark(t, file, "tcp && (http.request || tls.handshake.type == 1)", "http.request.method", "tls.handshake.type") {
			want.requests += len(row["http.request.method"])
			for _, kind := range row["tls.handshake.type"] {
				if kind == "1" {
					want.hellos++
				}
			}
		}
	}
	if want.requests == 0 || want.hellos == 0 {
		t.Errorf("nothing to compare: %+v", want)
	}
	if got != want {
		t.Errorf("got %+v, tshark %+v", got, want)
	}
}
