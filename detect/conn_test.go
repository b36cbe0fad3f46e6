package detect

import (
	"testing"

	"gatehouse/baseline"
	"gatehouse/flow"
	"gatehouse/wire"
)

func TestConns(t *testing.T) {
	start := flow.Event{Kind: flow.Start, Record: flow.Record{ID: 7}}
	for _, tt := range []struct {
		name     string
		messages []wire.Message
		want     string
	}{
		{"SNI", []wire.Message{&wire.ClientHello{SNI: "Cloud.example.com"}}, "cloud.example.com"},
		{"the first name counts", []wire.Message{&wire.ClientHello{SNI: "a.example"}, &wire.HTTPRequest{Host: "b.example"}}, "a.example"},
		{"Host with a port", []wire.Message{&wire.HTTPRequest{Method: "GET", Host: "Cam.example:8080"}}, "cam.example"},
		{"Host is an address", []wire.Message{&wire.HTTPRequest{Method: "GET", Host: "192.0.2.1:80"}}, ""},
		{"Host is an IPv6 address", []wire.Message{&wire.HTTPRequest{Method: "GET", Host: "[2001:db8::1]:8080"}}, ""},
		{"a proxy is not what it connects to", []wire.Message{&wire.HTTPRequest{Method: "CONNECT", Host: "b.example:443"}}, ""},
		{"hostile", []wire.Message{&wire.HTTPRequest{Method: "GET", Host: "a\x1b]0;pwned\a.example"}}, ""},
		{"no SNI", []wire.Message{&wire.ClientHello{}}, ""},
	} {
		c := NewConns()
		first := c.Of(&start)
		conn := c.Of(&flow.Event{Kind: flow.Update, Record: start.Record, Messages: tt.messages})
		if conn != first || conn.Name != tt.want || conn.Spoken != (tt.want != "") {
			t.Errorf("%s: %+v, want name %q in the memory of the flow", tt.name, conn, tt.want)
		}
		if end := c.Of(&flow.Event{Kind: flow.End, Record: start.Record}); end != first || len(c.m) != 0 {
			t.Errorf("%s: the End must see the memory and forget it; %d are left", tt.name, len(c.m))
		}
	}
	if conn := NewConns().Of(&flow.Event{Kind: flow.Frame}); conn != nil {
		t.Errorf("a frame has a memory: %+v", conn)
	}
}

func TestConnProxied(t *testing.T) {
	socks := func(command uint8, host string, reply uint8) *wire.Socks {
		return &wire.Socks{Version: 5, Command: command, Host: host, Port: 8443, Answered: true, Reply: reply}
	}
	for _, tt := range []struct {
		name    string
		message wire.Message
		want    baseline.Endpoint
	}{
		{"SOCKS, a name", socks(1, "Shop.example", 0), baseline.Endpoint{Name: "shop.example", Port: 8443}},
		{"SOCKS, an address", socks(1, "2001:db8::1", 0), baseline.Endpoint{Name: "2001:db8::1", Port: 8443}},
		{"SOCKS, refused", socks(1, "shop.example", 5), baseline.Endpoint{}},
		{"SOCKS, to be called", socks(2, "shop.example", 0), baseline.Endpoint{}},
		{"SOCKS, hostile", socks(1, "a\x1b]0;pwned\a", 0), baseline.Endpoint{}},
		{"CONNECT", &wire.HTTPRequest{Method: "CONNECT", Target: "shop.example:443"}, baseline.Endpoint{Name: "shop.example", Port: 443}},
		{"CONNECT, IPv6", &wire.HTTPRequest{Method: "CONNECT", Target: "[2001:db8::1]:443"}, baseline.Endpoint{Name: "2001:db8::1", Port: 443}},
		{"CONNECT without a port", &wire.HTTPRequest{Method: "CONNECT", Target: "shop.example"}, baseline.Endpoint{}},
		{"CONNECT, port out of range", &wire.HTTPRequest{Method: "CONNECT", Target: "shop.example:65536"}, baseline.Endpoint{}},
		{"no proxy", &wire.HTTPRequest{Method: "GET", Target: "shop.example:443"}, baseline.Endpoint{}},
	} {
		conn := NewConns().Of(&flow.Event{Kind: flow.Update, Record: flow.Record{ID: 7}, Messages: []wire.Message{tt.message}})
		if conn.Proxied != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, conn.Proxied, tt.want)
		}
	}
}

func TestConnsAreBounded(t *testing.T) {
	c := NewConns()
	for id := range uint64(2 * maxConns) {
		if c.Of(&flow.Event{Kind: flow.Start, Record: flow.Record{ID: id + 1}}) == nil {
			t.Fatal("a flow has no memory at all")
		}
	}
	if len(c.m) != maxConns {
		t.Errorf("%d flows are remembered, want %d", len(c.m), maxConns)
	}
}
