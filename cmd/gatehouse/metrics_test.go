package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/alert"
	"gatehouse/ebpf"
	"gatehouse/flow"
	"gatehouse/notify"
	"gatehouse/pipeline"
	"gatehouse/store"
)

func TestMetrics(t *testing.T) {
	m := newMetrics()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	stop, err := m.serve(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	if got := scrape(t, addr); strings.Contains(got, "gatehouse_") {
		t.Errorf("figures before there are any:\n%s", got)
	}
	losses := pipeline.Losses{Seen: 1000, RingFull: 100, StreamGaps: 3}
	losses.Heads[ebpf.ClassDNS].Sent = 5
	m.status.Store(&pipeline.Summary{
		Flow:   flow.Stats{Packets: 900, Flows: 12, Active: 7},
		Losses: losses,
		Counts: alert.Counts{Alerts: 2},
	})
	got := scrape(t, addr)
	for _, want := range []string{
		"gatehouse_packets_total 900\n",
		"gatehouse_flows_active 7\n",
		"gatehouse_alerts_total 2\n",
		"gatehouse_visibility_ratio 0.9\n",
		`gatehouse_lost_total{reason="ring_full"} 100` + "\n",
		`gatehouse_lost_total{reason="stream_gap"} 3` + "\n",
		`gatehouse_lost_total{reason="refused"} 0` + "\n",
		`gatehouse_lost_total{reason="flow_table_full"} 0` + "\n",
		`gatehouse_heads_total{class="dns",outcome="read"} 5` + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	// A store that fails, and sinks of their own.
	m.status.Store(&pipeline.Summary{Store: pipeline.StoreHealth{
		Failing: time.Unix(1, 0), Unstored: 3, Dropped: 4, Wear: store.Wear{Bytes: 5, Syncs: 6},
	}})
	m.courier.Store(notify.NewCourier(nil, nil, []notify.Delivery{{Name: "siem"}}, slog.New(slog.DiscardHandler)))
	got = scrape(t, addr)
	for _, want := range []string{
		"gatehouse_store_failing 1\n",
		"gatehouse_store_unstored 3\n",
		"gatehouse_store_dropped_total 4\n",
		"gatehouse_store_written_bytes_total 5\n",
		"gatehouse_store_syncs_total 6\n",
		`gatehouse_sink_delivered_total{sink="siem"} 0` + "\n",
		`gatehouse_sink_failing{sink="siem"} 0` + "\n",
		`gatehouse_sink_series_made{sink="siem"} 0` + "\n",
		`gatehouse_sink_series_refused_total{sink="siem"} 0` + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if _, err := m.serve(t.Context(), addr); err == nil {
		t.Error("an address that is taken was served again")
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func scrape(t *testing.T, addr string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	return string(body)
}
