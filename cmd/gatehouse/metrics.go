package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gatehouse/capture"
	"gatehouse/ebpf"
	"gatehouse/notify"
	"gatehouse/pipeline"
)

// metrics serves what a run has seen and lost in the Prometheus text format.
type metrics struct {
	status  atomic.Pointer[pipeline.Summary]
	courier live
	series  []series
	sinks   []sinkSeries
}

// series is one metric and how to read it.
type series struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string // values, nil if it has none
	value  func(*pipeline.Summary) float64
}

// newMetrics lists all metrics. Losses are one metric with a reason each, so
// that "is anything lost?" is one question.
func newMetrics() *metrics {
	m := &metrics{}
	counter := func(name, help string, value func(*pipeline.Summary) uint64) {
		m.series = append(m.series, series{
			desc: prometheus.NewDesc("gatehouse_"+name, help, nil, nil), kind: prometheus.CounterValue,
			value: func(s *pipeline.Summary) float64 { return float64(value(s)) },
		})
	}
	counter("packets_total", "Frames that were decoded or refused.", func(s *pipeline.Summary) uint64 { return s.Flow.Packets })
	counter("flows_total", "Flows that were started.", func(s *pipeline.Summary) uint64 { return s.Flow.Flows })
	counter("alerts_total", "Alerts that were raised.", func(s *pipeline.Summary) uint64 { return s.Counts.Alerts })
	counter("observations_total", "Observations below the alert budget.", func(s *pipeline.Summary) uint64 { return s.Counts.Observations })
	counter("parser_panics_total", "Parser failures that were survived; expected to stay 0.", func(s *pipeline.Summary) uint64 { return s.Flow.ParserPanics })
	counter("interface_outages_total", "Times that an interface went down or away.", func(s *pipeline.Summary) uint64 { return s.Losses.Outages })
	counter("time_repaired_total", "Packets whose time was implausible and replaced.", func(s *pipeline.Summary) uint64 { return s.Repaired })

	counter("store_written_bytes_total", "Bytes written to the state, database and log.", func(s *pipeline.Summary) uint64 { return s.Store.Wear.Bytes })
	counter("store_syncs_total", "Forced writes (fsync) of the state.", func(s *pipeline.Summary) uint64 { return s.Store.Wear.Syncs })
	counter("store_dropped_total", "Alerts, incidents and observations that a failing store could not take in time.", func(s *pipeline.Summary) uint64 { return s.Store.Dropped })

	lost := prometheus.NewDesc("gatehouse_lost_total", "What was on the wire and is not in the flows, or not in full, by reason.", []string{"reason"}, nil)
	for _, l := range []struct {
		reason string
		value  func(*pipeline.Losses) uint64
	}{
		{"ring_full", func(l *pipeline.Losses) uint64 { return l.RingFull }},
		{"flow_table_full", func(l *pipeline.Losses) uint64 { return l.Overflow }},
		{"flow_forgotten", func(l *pipeline.Losses) uint64 { return l.Race }},
		{"damaged", func(l *pipeline.Losses) uint64 { return l.Damaged }},
		{"unread", func(l *pipeline.Losses) uint64 { return l.Unread }},
		{"refused", func(l *pipeline.Losses) uint64 { return l.Refused }},
		{"flow_evicted", func(l *pipeline.Losses) uint64 { return l.FlowsEvicted }},
		{"datagram_dropped", func(l *pipeline.Losses) uint64 { return l.DatagramsDropped }},
		{"stream_gap", func(l *pipeline.Losses) uint64 { return l.StreamGaps }},
		{"stream_dropped", func(l *pipeline.Losses) uint64 { return l.StreamsDropped }},
	} {
		m.series = append(m.series, series{
			desc: lost, kind: prometheus.CounterValue, labels: []string{l.reason},
			value: func(s *pipeline.Summary) float64 { return float64(l.value(&s.Losses)) },
		})
	}
	m.addHeads()
	m.series = append(m.series,
		series{
			desc: prometheus.NewDesc("gatehouse_flows_active", "Flows in the table.", nil, nil), kind: prometheus.GaugeValue,
			value: func(s *pipeline.Summary) float64 { return float64(s.Flow.Active) },
		},
		series{
			desc: prometheus.NewDesc("gatehouse_visibility_ratio", "Share of the frames that ended up in flows, 0 to 1.", nil, nil), kind: prometheus.GaugeValue,
			value: func(s *pipeline.Summary) float64 { return s.Losses.Visibility() },
		},
		series{
			desc: prometheus.NewDesc("gatehouse_store_failing", "1 if nothing can be stored (disk full, read-only file system), else 0.", nil, nil), kind: prometheus.GaugeValue,
			value: func(s *pipeline.Summary) float64 { return flag(!s.Store.Failing.IsZero()) },
		},
		series{
			desc: prometheus.NewDesc("gatehouse_store_unstored", "Alerts and incidents that wait for a failing store.", nil, nil), kind: prometheus.GaugeValue,
			value: func(s *pipeline.Summary) float64 { return float64(s.Store.Unstored) },
		})
	m.sinks = newSinkSeries()
	return m
}

// sinkSeries is one metric of each sink.
type sinkSeries struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*notify.Status) float64
}

func newSinkSeries() []sinkSeries {
	metric := func(name, help string, kind prometheus.ValueType, value func(*notify.Status) float64) sinkSeries {
		return sinkSeries{prometheus.NewDesc("gatehouse_sink_"+name, help, []string{"sink"}, nil), kind, value}
	}
	counter, gauge := prometheus.CounterValue, prometheus.GaugeValue
	return []sinkSeries{
		metric("delivered_total", "Notices that the sink has taken, one by one or in digests.", counter, func(s *notify.Status) float64 { return float64(s.Delivered) }),
		metric("failures_total", "Attempts that failed.", counter, func(s *notify.Status) float64 { return float64(s.Failures) }),
		metric("dead_total", "Notices that were given up.", counter, func(s *notify.Status) float64 { return float64(s.Dead) }),
		metric("series_total", "Minutes of devices that the sink has taken.", counter, func(s *notify.Status) float64 { return float64(s.Series) }),
		metric("series_refused_total", "Points that were left out, or put under another device, because of max_series.", counter, func(s *notify.Status) float64 { return float64(s.SeriesRefused) }),
		metric("series_made", "Series that were made in the database, at most max_series.", gauge, func(s *notify.Status) float64 { return float64(s.SeriesMade) }),
		metric("held", "Notices that wait for another attempt or the end of quiet hours.", gauge, func(s *notify.Status) float64 { return float64(s.Held) }),
		metric("failing", "1 if the last attempt failed, else 0.", gauge, func(s *notify.Status) float64 { return flag(!s.Failing.IsZero()) }),
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// addHeads adds, for each class of packets that the kernel hands out for their
// content, how many it did and why not the others.
func (m *metrics) addHeads() {
	heads := prometheus.NewDesc("gatehouse_heads_total", "Packets worth reading, of interfaces whose flows the kernel counts, by class and what became of them.", []string{"class", "outcome"}, nil)
	for _, class := range ebpf.Classes() {
		for _, o := range []struct {
			outcome string
			value   func(capture.HeadStats) uint64
		}{
			{"read", func(h capture.HeadStats) uint64 { return h.Sent }},
			{"limited", func(h capture.HeadStats) uint64 { return h.Limited }},
			{"ring_full", func(h capture.HeadStats) uint64 { return h.Dropped }},
		} {
			m.series = append(m.series, series{
				desc: heads, kind: prometheus.CounterValue, labels: []string{class.String(), o.outcome},
				value: func(s *pipeline.Summary) float64 { return float64(o.value(s.Losses.Heads[class])) },
			})
		}
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for i := range m.series {
		ch <- m.series[i].desc
	}
	for i := range m.sinks {
		ch <- m.sinks[i].desc
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	if c := m.courier.Load(); c != nil {
		for _, st := range c.Status() {
			for i := range m.sinks {
				x := &m.sinks[i]
				ch <- prometheus.MustNewConstMetric(x.desc, x.kind, x.value(&st), st.Name)
			}
		}
	}
	s := m.status.Load()
	if s == nil {
		return
	}
	for i := range m.series {
		x := &m.series[i]
		ch <- prometheus.MustNewConstMetric(x.desc, x.kind, x.value(s), x.labels...)
	}
}

// serve answers on an address until stop is called.
func (m *metrics) serve(ctx context.Context, addr string) (stop func() error, err error) {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(m); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	return func() error {
		closeErr := server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return closeErr
	}, nil
}
