package detect

import (
	"net/netip"
	"testing"

	"gatehouse/baseline"
	"gatehouse/flow"
)

// BenchmarkEvent shows events of a known device's HTTPS flow to all detectors.
func BenchmarkEvent(b *testing.B) {
	w := newWorld(b)
	if _, err := w.line("device cam 192.168.1.20"); err != nil {
		b.Fatal(err)
	}
	var history []flow.Event
	for _, line := range []string{
		"0-9 06:00+1h*12 cam > cloud.vista.com=198.51.100.7:443/tcp | tls hello ja4=A | tls server version=1.3 cipher=1301",
	} {
		events, err := w.line(line)
		if err != nil {
			b.Fatal(err)
		}
		history = append(history, events...)
	}
	for i := range history {
		w.event(&history[i])
	}
	flowEvents, err := w.line("10 06:00 cam > cloud.vista.com=198.51.100.7:443/tcp | tls hello ja4=A | tls server version=1.3 cipher=1301")
	if err != nil {
		b.Fatal(err)
	}
	report := func(Finding) {}
	var in Input
	cam := w.devices[netip.MustParseAddr("192.168.1.20")]
	for name, events := range map[string][]flow.Event{
		"flow":   flowEvents,                                                                    // lookup, hello, server hello: 8 events
		"update": {{Kind: flow.Update, Time: flowEvents[4].Time, Record: flowEvents[4].Record}}, // every 30 s
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range events {
					ev := &events[i]
					in = Input{Event: ev, Conn: w.conns.Of(ev), Client: cam, ClientModel: w.models[cam.ID], Scope: baseline.WAN, Names: w.names, Learn: true}
					if ev.Record.Server.Port == 53 {
						in.Scope = baseline.LAN
					}
					for _, d := range w.detectors {
						d.Observe(&in, report)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(events)), "ns/event")
		})
	}
}
