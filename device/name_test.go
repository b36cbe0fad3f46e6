package device

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/wire"
)

func TestSanitize(t *testing.T) {
	tests := []struct{ in, want string }{
		{"lockly-hub-01", "lockly-hub-01"},
		{"Küche Süd", "Küche Süd"},
		{"  two\twords \n", "two words"},
		{"\x1b[31mred\x1b[0m", "[31mred[0m"},      // no escapes: what is left is text
		{"a\x00b\x7fc\u009bd", "abcd"},            // no controls
		{"evil\u202egpj.exe", "evilgpj.exe"},      // no direction override
		{"zero\u200bwidth\ufeff", "zerowidth"},    // no invisible characters
		{"bad\xff\xfeutf8", "badutf8"},            // no invalid encoding
		{"line\u2028separator", "line separator"}, // no hidden line break
		{strings.Repeat("x", 300), strings.Repeat("x", 63)},
		{strings.Repeat("日", 100), strings.Repeat("日", 63)},
		{strings.Repeat("x", 62) + " y", strings.Repeat("x", 62)}, // no blank at the end
		{"\x01\x02", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := Sanitize(tt.in); got != tt.want {
			t.Errorf("Sanitize(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"lockly-hub-01", "\x1b]0;title\x07", "a\u202eb", strings.Repeat("日", 70), "x\xff", " \u3000 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out := Sanitize(in)
		if n := utf8.RuneCountInString(out); n > maxNameRunes || !utf8.ValidString(out) {
			t.Fatalf("%q: %d runes", out, n)
		}
		for _, r := range out {
			if !unicode.IsGraphic(r) || unicode.IsSpace(r) && r != ' ' {
				t.Fatalf("%q holds %U", out, r)
			}
		}
		if strings.TrimSpace(out) != out {
			t.Fatalf("%q has blanks at its ends", out)
		}
		if again := Sanitize(out); again != out {
			t.Fatalf("%q sanitised again is %q", out, again)
		}
		// What is derived from names must hold for any name, too.
		generic(out)
		typeFromWords(out)
		if s := slug(withoutUnit(withoutMAC(out, camMAC))); strings.ContainsFunc(s, unicode.IsControl) {
			t.Fatalf("pattern %q", s)
		}
		for _, label := range splitLabels(in) {
			unescape(label)
		}
		splitService(in)
		reverseAddr(in)
	})
}

func TestBestNameWins(t *testing.T) {
	h := newHome(t, DefaultConfig())
	d := h.flow(cam, end{ip: "192.168.1.9"}).Client
	want := func(name string, source NameSource) {
		t.Helper()
		if d.Name != name || d.NameSource != source {
			t.Errorf("got %q from %s, want %q from %s", d.Name, d.NameSource, name, source)
		}
	}
	want("Texas Instruments ff:2b:1b", ByVendor)
	h.lease(camMAC, cam.ip, "192.168.1.1", "android-1234abcd")
	want("android-1234abcd", ByDHCP) // generic beats no name
	h.mdns(cam, wire.DNSRecord{Name: "Porch.local", Type: typeA, Addr: ip(cam.ip)})
	want("Porch", ByMDNS) // informative beats generic
	h.lease(camMAC, cam.ip, "192.168.1.1", "porch-cam")
	want("porch-cam", ByDHCP)
	h.ack(camMAC, cam.ip, "192.168.1.1", "front-door")
	want("front-door", ByLease)
	h.SetName(d.ID, "Front \x1b[2Jdoor")
	want("Front [2Jdoor", ByOwner)
	h.ack(camMAC, cam.ip, "192.168.1.1", "other")
	want("Front [2Jdoor", ByOwner)
	h.SetName(d.ID, "")
	want("other", ByLease)
	if h.SetName("mac:none", "x") {
		t.Error("named a device that is not there")
	}
}

func TestNamesOfOthersAreNotBelieved(t *testing.T) {
	h := newHome(t, DefaultConfig())
	h.flow(plug, end{ip: "192.168.1.9"})
	h.flow(cam, wan("8.8.8.8", gwMAC))
	h.flow(cam, dns)

	// a sleep proxy answers for the plug
	h.mdns(cam, wire.DNSRecord{Name: "plug.local", Type: typeA, Addr: ip(plug.ip)})
	// the gateway repeats what it heard on another segment
	h.mdns(dns, wire.DNSRecord{Name: "_ipp._tcp.local", Type: typePTR, Target: "Printer._ipp._tcp.local"})
	// a query lists answers known from others
	h.flow(cam, end{ip: "224.0.0.251"}, said(&wire.DNS{Proto: "mdns", Answers: []wire.DNSRecord{{Name: "x.local", Type: typeA, Addr: ip(cam.ip)}}}))
	// a starvation tool asks with a client address that is not its own
	h.flow(end{"0.0.0.0", camMAC}, end{ip: "255.255.255.255"}, said(&wire.DHCPv4{Type: dhcpDiscover, ClientMAC: phoneMAC, Hostname: "forged"}))

	for _, d := range h.All() {
		if len(d.Hostnames) > 0 || len(d.Services) > 0 {
			t.Errorf("%s: names %v, services %v", d.ID, d.Hostnames, d.Services)
		}
	}
	if h.Get(phoneID) != nil {
		t.Error("a forged client address made a device")
	}
}

func TestLLMNRResponse(t *testing.T) {
	h := newHome(t, DefaultConfig())
	// the responder is the server of the flow
	d := h.flow(cam, plug, said(&wire.DNS{Proto: "llmnr", Response: true, Answers: []wire.DNSRecord{
		{Name: "DESKTOP-7", Type: typeA, Addr: ip(plug.ip)},
	}})).Server
	if d.Name != "DESKTOP-7" || d.NameSource != ByLLMNR || d.Type != Computer {
		t.Errorf("got %q from %s, %s", d.Name, d.NameSource, d.Type)
	}
}

func TestServicesNamesAndModels(t *testing.T) {
	h := newHome(t, DefaultConfig())
	d := h.mdns(end{"192.168.1.50", phoneMAC},
		wire.DNSRecord{Name: "_googlecast._tcp.local", Type: typePTR, Target: `Nest\032Mini._googlecast._tcp.local`},
		wire.DNSRecord{Name: `Nest\032Mini._googlecast._tcp.local`, Type: typeTXT, Text: []string{"id=1", "md=Google Nest Mini", "fn=Küche"}},
		wire.DNSRecord{Name: `Nest\032Mini._googlecast._tcp.local`, Type: typeSRV, Target: "5f3e2d.local"},
	).Client
	if d == nil || d.Name != "Küche" || d.NameSource != ByService || d.Model != "Google Nest Mini" || d.Type != Speaker {
		t.Errorf("got %+v", d)
	}
	for i := range 40 {
		h.mdns(end{"192.168.1.50", phoneMAC}, wire.DNSRecord{Name: "_services._dns-sd._udp.local", Type: typePTR, Target: "_s" + string(rune('a'+i%26)) + "._tcp.local"})
	}
	if len(d.Services) != maxServices || !slices.IsSorted(d.Services) {
		t.Errorf("%d services", len(d.Services))
	}
}

func TestTypes(t *testing.T) {
	tests := []struct {
		d        Device
		want     Type
		evidence string
	}{
		{Device{Services: []string{"_http._tcp", "_ipp._tcp"}, Vendor: "Axis"}, Printer, "mDNS _ipp._tcp"},
		{Device{Services: []string{"_raop._tcp"}}, Speaker, "mDNS _raop._tcp"},
		{Device{Services: []string{"_googlecast._tcp"}, Model: "Chromecast"}, TV, "mDNS _googlecast._tcp"},
		{Device{Hostnames: []Hostname{{"Annas-iPhone", ByDHCP}}, Vendor: "Apple"}, Phone, "name iphone"},
		{Device{Hostnames: []Hostname{{"lockly-hub-01", ByLease}}}, Hub, "name hub"},
		{Device{Hostnames: []Hostname{{"FrontDoorbell", ByDHCP}}}, Camera, "name doorbell"},
		{Device{Hostnames: []Hostname{{"escampad", ByDHCP}}}, Unknown, ""}, // no word within a word
		{Device{DHCP: &Fingerprint{Vendor: "MSFT 5.0"}}, Computer, "DHCP vendor class MSFT 5.0"},
		{Device{DHCP: &Fingerprint{Vendor: "android-dhcp-14"}}, Phone, "DHCP vendor class android-dhcp"},
		{Device{Vendor: "Rockwell Automation"}, PLC, "vendor Rockwell Automation"},
		{Device{Vendor: "Espressif"}, Unknown, ""},
		{Device{Gateway: true, Vendor: "Dell"}, Router, "forwards to the WAN"},
	}
	v := New(DefaultConfig())
	for _, tt := range tests {
		v.classify(&tt.d)
		if tt.d.Type != tt.want || tt.d.TypeEvidence != tt.evidence {
			t.Errorf("%+v: got %s by %q", tt.d, tt.d.Type, tt.d.TypeEvidence)
		}
	}
}

func TestGroupPatterns(t *testing.T) {
	tests := []struct{ name, mac, want string }{
		{"F4B85EFF2B1B-mysimplelink", "f4:b8:5e:ff:2b:1b", "mysimplelink"},
		{"ESP-EB59C4", "f4:cf:a2:eb:59:c4", "esp"},
		{"ESP_07AEFB", "5c:cf:7f:07:ae:fb", "esp"},
		{"GainSpanca9152", "20:f8:5e:ca:91:52", "gainspan"},
		{"dch0D60", "90:8d:78:dd:0d:60", "dch"},
		{"DCH-S220", "90:8d:78:dd:0d:60", "dch-s220"}, // a model number stays
		{"DCH-S160", "90:8d:78:dd:0d:60", "dch-s160"},
		{"HS100(EU)", "50:c7:bf:00:fc:a3", "hs100-eu"},
		{"PGH200", "24:6f:28:d9:a7:64", "pgh200"},
		{"blink-cam-01", "00:00:00:00:00:01", "blink-cam"},
		{"camera2", "00:00:00:00:00:01", "camera"},
		{"Printer (3)", "00:00:00:00:00:01", "printer"},
		{"android-1f2e3d4c5b6a7988", "00:00:00:00:00:01", "android"},
		{"meter0012345678", "00:00:00:00:00:01", "meter"},
		{"0012345678", "00:00:00:00:00:01", ""},
	}
	for _, tt := range tests {
		d := &Device{MAC: mustMAC(tt.mac), Hostnames: []Hostname{{tt.name, ByDHCP}}}
		if got := d.pattern(); got != tt.want {
			t.Errorf("pattern of %q is %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestReverseNames(t *testing.T) {
	tests := []struct {
		in, want string
	}{
		{"37.10.10.10.in-addr.arpa", "10.10.10.37"},
		{"0.6.d.0.d.d.e.f.f.f.8.7.d.8.2.9.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa.", "fe80::928d:78ff:fedd:d60"},
		{"10.10.in-addr.arpa", ""},
		{"x.ip6.arpa", ""},
		{strings.Repeat("00", 31) + "0.ip6.arpa", ""}, // right length, no dots
		{"example.com", ""},
	}
	for _, tt := range tests {
		got, ok := reverseAddr(tt.in)
		if ok != (tt.want != "") || ok && got != ip(tt.want) {
			t.Errorf("reverseAddr(%q) = %v, %v", tt.in, got, ok)
		}
	}
}

// TestNameByAddress: a device without any name is called by the address that
// people know it by, in whatever order its addresses are seen.
func TestNameByAddress(t *testing.T) {
	v := New(DefaultConfig())
	now := time.Unix(1e9, 0)
	d := v.create(MAC{2, 0, 0, 0, 0, 7}, netip.MustParseAddr("fe80::7"), 0, now)
	for _, step := range []struct{ seen, want string }{
		{"fe80::8", "fe80::7"},
		{"fd00::7", "fd00::7"},
		{"192.168.1.7", "192.168.1.7"},
		{"192.168.1.9", "192.168.1.7"},
		{"2001:db8::7", "192.168.1.7"},
	} {
		v.bind(d, netip.MustParseAddr(step.seen), 0, now)
		if d.Name != step.want || d.NameSource != ByAddress {
			t.Errorf("after %s: %q by %s, want %q", step.seen, d.Name, d.NameSource, step.want)
		}
	}
	v.unbind(d, netip.MustParseAddr("192.168.1.7"))
	if d.Name != "192.168.1.9" {
		t.Errorf("after its address went: %q", d.Name)
	}
}
