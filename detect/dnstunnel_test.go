package detect

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"gatehouse/device"
	"gatehouse/flow"
	"gatehouse/wire"
)

// u names and b bytes below one domain: (1+u/8)^-3 (1+b/400)^-1.5.
func TestTunnelP(t *testing.T) {
	for _, tt := range []struct {
		got, want float64
		what      string
	}{
		{DomainTunnelP(0, 0), 1, "nothing is no surprise"},
		{DomainTunnelP(8, 0), 1. / 8, "8 names: 2^-3"},
		{DomainTunnelP(8, 1200), 1. / 64, "and 1,200 bytes: 4^-1.5 more"},
		{DomainTunnelP(100, 0), math.Pow(13.5, -3), "RITA's 100 subdomains"},
		{DeviceTunnelP(15, 3600), 1. / 64, "the same for 15 names and 3,600 bytes of a device"},
	} {
		if math.Abs(tt.got-tt.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", tt.what, tt.got, tt.want)
		}
	}
}

// A flood of names costs a device's hour a fixed amount, does not push out what
// looks like a tunnel, and is forgotten an hour later.
func TestTunnelHoursAreBounded(t *testing.T) {
	d := newTunnels()
	var found []Finding
	in := &Input{Event: &flow.Event{Kind: flow.Update, Time: epoch.UnixNano()}, Client: &device.Device{ID: "d", Name: "d"}, Names: NewNames()}
	ask := func(name string) {
		in.Event.Messages = []wire.Message{query(name, 16)}
		d.Observe(in, func(f Finding) { found = append(found, f) })
	}
	for i := range maxTunnelDomains {
		ask(fmt.Sprintf("www.shop%d.com", i))
	}
	for i := range 20 {
		ask(noise(i, 50, "0123456789abcdef") + ".tunnel.example.com")
	}
	for i := range 20000 {
		ask(fmt.Sprintf("www.%s.com", noise(i, 14, "abcdefghij")))
	}
	h := d.devices["d"]
	total := 0
	for _, o := range h.domains {
		total += len(o.names)
	}
	if len(h.domains) > maxTunnelDomains || h.names > maxTunnelNames || h.names != total {
		t.Errorf("%d domains, %d names counted as %d", len(h.domains), total, h.names)
	}
	before := len(found)
	ask(noise(99, 50, "0123456789abcdef") + ".tunnel.example.com")
	if len(found) == before || found[before].Subject != "example.com" || !strings.Contains(found[before].Summary, " 21 different") {
		t.Errorf("the tunnel was pushed out by browsing: %+v", found[before:])
	}
	for i := range 3000 {
		ask(noise(100+i, 50, "0123456789abcdef") + ".tunnel.example.com")
	}
	if h.names != maxTunnelNames || len(h.domains) != 1 {
		t.Errorf("a tunnel of 3,000 names takes %d places in %d domains, want %d in 1", h.names, len(h.domains), maxTunnelNames)
	}
	d.Tick(in.Now()+int64(tunnelWindow)+1, nil)
	if len(d.devices) != 0 {
		t.Errorf("%d hours are kept after they are over", len(d.devices))
	}
}
