package eve

import (
	"io"
	"net/netip"
	"testing"

	"gatehouse/flow"
	"gatehouse/wire"
)

// BenchmarkWrite measures one line of each kind.
func BenchmarkWrite(b *testing.B) {
	address := netip.MustParseAddr("203.0.113.80")
	end := event(1, 1e18)
	end.Kind, end.Reason = flow.End, flow.EndClosed
	for _, c := range []struct {
		name   string
		events []*flow.Event
	}{
		{"flow", []*flow.Event{end}},
		{"dns", []*flow.Event{event(1, 1e18, &wire.DNS{
			Proto: "dns", Response: true, Flags: 0x8180,
			Questions: []wire.DNSQuestion{{Name: "cloud.example", Type: 1, Class: 1}},
			Answers:   []wire.DNSRecord{{Name: "cloud.example", Type: 1, TTL: 60, Addr: address}},
		})}},
		{"tls", []*flow.Event{
			event(1, 1e18, &wire.ClientHello{
				SNI: "cloud.example", ALPN: []string{"h2", "http/1.1"},
				JA3: "27727f0c062e0d1efe41edfb1e0c0c92", JA4: "t13d0203h2_b6f57f3be927_b9a491fefe05",
			}),
			event(1, 1e18, &wire.ServerHello{Version: tls13, Cipher: 0x1301}),
		}},
		{"http", []*flow.Event{
			event(1, 1e18, &wire.HTTPRequest{Method: "GET", Target: "/status?id=42", Version: "HTTP/1.1", Host: "cloud.example", UserAgent: "cam/1.0"}),
			event(1, 1e18, &wire.HTTPResponse{Status: 200, Version: "HTTP/1.1", ContentType: "application/json", Length: 120, Waiting: 1}),
		}},
		{"arp", []*flow.Event{event(0, 1e18, &wire.ARP{Op: 1, SenderIP: address, TargetIP: address})}},
		{"start, no line", []*flow.Event{{Kind: flow.Start}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := NewWriter(io.Discard)
			b.ReportAllocs()
			for b.Loop() {
				for _, ev := range c.events {
					if err := w.Write(ev); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
