package eve

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/testkit"
)

// TestJA4 holds the fingerprints of the log against FoxIO's own, for every
// hello over TCP in their captures.
func TestJA4(t *testing.T) {
	list, err := os.ReadFile(testkit.Corpus(t, "protocols", "ja4-expected.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]map[string]bool) // by capture: "address port address port sni ja4"
	rows := 0
	for text := range strings.Lines(string(list)) {
		var row struct{ PCAP, Src, SrcPort, Dst, DstPort, SNI, JA4 string }
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(row.JA4, "t") {
			continue // QUIC, DTLS
		}
		rows++
		if found[row.PCAP] == nil {
			found[row.PCAP] = ja4Values(t, row.PCAP)
		}
		key := fmt.Sprint(row.Src, " ", row.SrcPort, " ", row.Dst, " ", row.DstPort, " ", row.SNI, " ", row.JA4)
		if !found[row.PCAP][key] {
			t.Errorf("%s: no tls event for %s", row.PCAP, key)
		}
	}
	if rows < 80 {
		t.Errorf("%d rows over TCP, expected 82", rows)
	}
}

// ja4Values returns the fingerprints that the log holds of one capture.
func ja4Values(tb testing.TB, capture string) map[string]bool {
	tb.Helper()
	path := testkit.Corpus(tb, "protocols", "ja4", filepath.Base(capture))
	events, err := eventsOf(tb, path)
	if err != nil {
		tb.Fatal(err)
	}
	out := make(map[string]bool)
	for _, l := range linesOf(tb, logOf(tb, events)) {
		if l.TLS != nil && l.TLS.JA4 != "" {
			out[fmt.Sprint(l.SrcIP, " ", l.SrcPort, " ", l.DestIP, " ", l.DestPort, " ", l.TLS.SNI, " ", l.TLS.JA4)] = true
		}
	}
	return out
}
