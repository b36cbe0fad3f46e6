package device

import (
	"net/netip"
	"testing"

	"gatehouse/wire"
)

func TestScope(t *testing.T) {
	prefixes := func(s ...string) []netip.Prefix {
		var out []netip.Prefix
		for _, p := range s {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	none := Config{MaxDevices: 10}
	listed := Config{MaxDevices: 10, Local: prefixes("10.0.0.0/8", "203.0.113.0/24")}
	tests := []struct {
		cfg  Config
		addr string
		want Scope
	}{
		{none, "", Unspecified},
		{none, "0.0.0.0", Unspecified},
		{none, "::", Unspecified},
		{none, "10.1.2.3", LAN},
		{none, "172.16.0.1", LAN},
		{none, "172.31.255.254", LAN},
		{none, "172.32.0.1", WAN},
		{none, "172.15.0.1", WAN},
		{none, "192.168.7.1", LAN},
		{none, "192.169.7.1", WAN},
		{none, "100.64.0.1", LAN},
		{none, "100.127.0.1", LAN},
		{none, "100.128.0.1", WAN},
		{none, "169.254.3.4", LAN},
		{none, "169.254.255.255", Broadcast},
		{none, "8.8.8.8", WAN},
		{none, "::ffff:10.1.2.3", LAN},
		{none, "fe80::1", LAN},
		{none, "fd12::1", LAN},
		{none, "fc12::1", LAN},
		{none, "2001:db8::1", WAN},
		{none, "ff02::1", Multicast},
		{none, "224.0.0.251", Multicast},
		{none, "239.255.255.250", Multicast},
		{none, "240.0.0.1", WAN},
		{none, "255.255.255.255", Broadcast},
		{none, "192.168.1.255", Broadcast},
		{none, "8.8.8.255", WAN},
		{none, "127.0.0.1", Loopback},
		{none, "::1", Loopback},
		{listed, "10.1.2.3", LAN},
		{listed, "203.0.113.9", LAN},
		{listed, "192.168.1.1", WAN}, // only what is listed
		{listed, "fd12::1", WAN},
		{listed, "fe80::1", LAN}, // never leaves a link
	}
	for _, tt := range tests {
		if got := New(tt.cfg).Scope(ip(tt.addr)); got != tt.want {
			t.Errorf("%s with %v: got %v, want %v", tt.addr, tt.cfg.Local, got, tt.want)
		}
	}
}

func TestScopeLearnsFromDHCP(t *testing.T) {
	tests := []struct {
		name   string
		yours  string
		mask   int
		addr   string
		before Scope
		after  Scope
	}{
		{"a segment of public addresses", "203.0.113.10", 26, "203.0.113.20", WAN, LAN},
		{"beside it", "203.0.113.10", 26, "203.0.113.70", WAN, WAN},
		{"its broadcast address", "203.0.113.10", 26, "203.0.113.63", WAN, Broadcast},
		{"a host that ends in 255", "10.0.0.7", 16, "10.0.1.255", Broadcast, LAN},
		{"a mask that would make the Internet ours", "8.1.2.3", 1, "8.8.8.8", WAN, WAN},
		{"a mask that would make a big part of it ours", "8.1.2.3", 8, "8.8.8.8", WAN, WAN},
		{"no mask", "203.0.113.10", -1, "203.0.113.20", WAN, WAN},
		{"a host route", "203.0.113.10", 32, "203.0.113.20", WAN, WAN},
		{"a mask out of range", "203.0.113.10", 77, "203.0.113.20", WAN, WAN},
	}
	for _, tt := range tests {
		h := newHome(t, DefaultConfig())
		if got := h.Scope(ip(tt.addr)); got != tt.before {
			t.Errorf("%s: before: %v, want %v", tt.name, got, tt.before)
		}
		h.flow(end{ip: tt.yours}, end{"10.0.0.1", gwMAC}, said(&wire.DHCPv4{
			Type: dhcpACK, Reply: true, ClientMAC: camMAC, YourIP: ip(tt.yours), Mask: tt.mask,
		}))
		if got := h.Scope(ip(tt.addr)); got != tt.after {
			t.Errorf("%s: after: %v, want %v", tt.name, got, tt.after)
		}
	}
	h := newHome(t, DefaultConfig())
	for i := range 3 * maxPrefixes {
		h.learnPrefix(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 24))
	}
	if len(h.prefixes) != maxPrefixes {
		t.Errorf("%d prefixes", len(h.prefixes))
	}
}

func TestValidate(t *testing.T) {
	for _, cfg := range []Config{{}, {MaxDevices: -1}, {MaxDevices: 1, Local: []netip.Prefix{{}}}} {
		if cfg.Validate() == nil {
			t.Errorf("%+v passed", cfg)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}
