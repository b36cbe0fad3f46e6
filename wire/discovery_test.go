package wire

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// parseCase is a message and what is to be read of it.
type parseCase struct {
	name string
	in   []byte
	want Message
	err  error
}

func testParse(t *testing.T, parse func([]byte) (Message, error), cases []parseCase) {
	t.Helper()
	for _, c := range cases {
		got, err := parse(c.in)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.err)
		}
		if diff := cmp.Diff(c.want, got, equateAddrs, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// lldpTLV is an element of LLDP.
func lldpTLV(kind int, value ...any) []byte {
	v := join(value...)
	return join(kind<<1|len(v)>>8, len(v), v)
}

var lldpFrame = join(
	lldpTLV(1, 4, 2, 0, 0, 0, 0, 7), lldpTLV(2, 5, "eth0"), lldpTLV(3, 0, 120),
	lldpTLV(4, "uplink"), lldpTLV(5, "switch1"), lldpTLV(6, "SwitchOS 1.2"), lldpTLV(7, 0, 0x14, 0, 4),
	lldpTLV(8, 5, 1, 192, 0, 2, 7, 2, 0, 0, 0, 1, 0),
	lldpTLV(127, 0, 0x12, 0xbb, 10, "S-100"), lldpTLV(127, 0, 0, 0x5e, 1, "https://a.example/mud"), lldpTLV(127, 0, 0x80, 0xc2, 1, 0, 9),
	lldpTLV(0))

func TestParseLLDP(t *testing.T) {
	full := &Neighbor{
		Proto: "lldp", Chassis: "02:00:00:00:00:07", Port: "eth0", TTL: 120, PortText: "uplink", Name: "switch1",
		Description: "SwitchOS 1.2", Capabilities: 4, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.7")},
		Model: "S-100", MUD: "https://a.example/mud", VLAN: 9,
	}
	testParse(t, parseLLDP, []parseCase{
		{"switch", lldpFrame, full, nil},
		{"padded", join(lldpFrame, make([]byte, 9)), full, nil},
		{"cut in a name", lldpFrame[:18], &Neighbor{Proto: "lldp", Chassis: "02:00:00:00:00:07", Port: "eth0", Truncated: true}, nil},
		{"network addresses", join(lldpTLV(1, 5, 1, 10, 1, 0, 7), lldpTLV(2, 4, 2, linkLocal), lldpTLV(3, 0, 30), 0, 0), &Neighbor{Proto: "lldp", Chassis: "10.1.0.7", Port: "fe80::1", TTL: 30}, nil},
		{"an address of no known family", join(lldpTLV(1, 5, 9, "abcd"), lldpTLV(3, 0, 30), 0, 0), &Neighbor{Proto: "lldp", Chassis: "abcd", TTL: 30}, nil},
		{"no chassis", lldpTLV(2, 5, "eth0"), nil, ErrMalformed},
		{"empty", nil, nil, ErrTruncated},
	})
}

func TestParseCDP(t *testing.T) {
	element := func(kind int, value ...any) []byte {
		v := join(value...)
		return join(0, kind, 0, 4+len(v), v)
	}
	head := join(0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 2, 180, 0, 0)
	frame := join(head, element(1, "router1"), element(2, 0, 0, 0, 1, 1, 1, 0xcc, 0, 4, 192, 0, 2, 1), element(3, "Gi0/1"),
		element(4, 0, 0, 0, 1), element(5, "IOS 15"), element(6, "C1841"), element(10, 0, 7))
	testParse(t, parseCDP, []parseCase{
		{"router", frame, &Neighbor{
			Proto: "cdp", Chassis: "router1", Name: "router1", Port: "Gi0/1", TTL: 180, Description: "IOS 15", Model: "C1841",
			Capabilities: 1, VLAN: 7, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")},
		}, nil},
		{"cut", frame[:18], &Neighbor{Proto: "cdp", Chassis: "ro", Name: "ro", TTL: 180, Truncated: true}, nil},
		{"spanning tree", join(0x42, 0x42, 3, make([]byte, 30)), nil, ErrNotMine},
		{"header alone", head[:10], nil, ErrTruncated},
		{"version 9", join(head[:8], 9, 1, 0, 0), nil, ErrNotMine},
	})
}

func TestParseEAPOL(t *testing.T) {
	identity := join(1, 0, 0, 10, 2, 1, 0, 10, 1, "alice")
	testParse(t, parseEAPOL, []parseCase{
		{"start", join(2, 1, 0, 0), &EAPOL{Version: 2, Type: 1}, nil},
		{"identity, padded", join(identity, make([]byte, 30)), &EAPOL{Version: 1, Code: 2, Method: 1, Identity: "alice"}, nil},
		{"success", join(1, 0, 0, 4, 3, 1, 0, 4), &EAPOL{Version: 1, Code: 3}, nil},
		{"key", join(1, 3, 0, 2, 0, 0), &EAPOL{Version: 1, Type: 3}, nil},
		{"key agreement of MACsec", join(3, 5, 0, 4, 1, 1, 1, 1), &EAPOL{Version: 3, Type: 5}, nil},
		{"type 9", join(3, 9, 0, 0), nil, ErrNotMine},
		{"cut in the identity", identity[:11], &EAPOL{Version: 1, Code: 2, Method: 1, Identity: "al", Truncated: true}, nil},
		{"version 9", join(9, 1, 0, 0), nil, ErrNotMine},
		{"empty", nil, nil, ErrTruncated},
	})
}

func TestParseICMP4(t *testing.T) {
	addr := netip.MustParseAddr
	quoted := join(0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 7, 192, 0, 2, 1, 0xc0, 0, 0, 53, 0, 40, 0, 0)
	unreachable := join(3, 3, 0, 0, 0, 0, 0, 0, quoted)
	fragment := join(3, 1, 0, 0, 0, 0, 0, 0, quoted)
	fragment[8+7] = 9
	testParse(t, parseICMP4, []parseCase{
		{"port unreachable", unreachable, &ICMPError{Type: 3, Code: 3, Proto: 17, Src: addr("192.0.2.7"), Dst: addr("192.0.2.1"), SrcPort: 49152, DstPort: 53}, nil},
		{"redirect", join(5, 1, 0, 0, 192, 0, 2, 254, quoted), &ICMPError{
			Type: 5, Code: 1, Gateway: addr("192.0.2.254"), Proto: 17, Src: addr("192.0.2.7"), Dst: addr("192.0.2.1"), SrcPort: 49152, DstPort: 53,
		}, nil},
		{"too big", join(3, 4, 0, 0, 0, 0, 5, 0xdc)[:8], &ICMPError{Type: 3, Code: 4, MTU: 1500, Truncated: true}, nil},
		{"about a later fragment", fragment, &ICMPError{Type: 3, Code: 1, Proto: 17, Src: addr("192.0.2.7"), Dst: addr("192.0.2.1")}, nil},
		{"ports cut", unreachable[:29], &ICMPError{Type: 3, Code: 3, Proto: 17, Src: addr("192.0.2.7"), Dst: addr("192.0.2.1"), Truncated: true}, nil},
		{"echo", join(8, 0, 0, 0, 0, 1, 0, 1), nil, ErrNotMine},
		{"empty", nil, nil, ErrTruncated},
		{"header cut", unreachable[:7], nil, ErrTruncated},
	})
}

var (
	linkLocal = join(0xfe, 0x80, make([]byte, 13), 1)
	routerAd  = join(134, 0, 0, 0, 64, 0x40, 7, 8, make([]byte, 8),
		1, 1, 2, 0, 0, 0, 0, 1, // source link-layer address
		5, 1, 0, 0, 0, 0, 5, 0xdc, // MTU
		3, 4, 64, 0xc0, make([]byte, 12), 0x20, 1, 0x0d, 0xb8, make([]byte, 12), // prefix
		25, 3, 0, 0, 0, 0, 2, 88, linkLocal, // DNS server
		31, 2, 0, 0, 0, 0, 2, 88, 3, "lan", 0, 0, 0, 0)
)

func TestParseICMP6(t *testing.T) {
	addr := netip.MustParseAddr
	head6 := func(next int) []byte { return join(0x60, 0, 0, 0, 0, 20, next, 64, linkLocal, linkLocal) }
	tcp := join(head6(6), 0x30, 0x39, 1, 0xbb)
	solicitation := join(135, 0, 0, 0, 0, 0, 0, 0, linkLocal, 1, 1, 2, 0, 0, 0, 0, 9)
	testParse(t, parseICMP6, []parseCase{
		{"too big", join(2, 0, 0, 0, 0, 0, 5, 0, tcp), &ICMPError{
			V6: true, Type: 2, MTU: 1280, Proto: 6, Src: addr("fe80::1"), Dst: addr("fe80::1"), SrcPort: 12345, DstPort: 443,
		}, nil},
		{"expired behind extension headers", join(3, 0, 0, 0, 0, 0, 0, 0, head6(0), 60, 0, make([]byte, 6), 51, 0, make([]byte, 6), 44, 4, make([]byte, 22), 17, 0, 0, 1, 0, 0, 0, 7, 0x0f, 0xa0, 0, 53), &ICMPError{
			V6: true, Type: 3, Proto: 17, Src: addr("fe80::1"), Dst: addr("fe80::1"), SrcPort: 4000, DstPort: 53,
		}, nil},
		{"a fragment behind the first", join(3, 0, 0, 0, 0, 0, 0, 0, head6(44), 6, 0, 5, 0xa8, 0, 0, 0, 7, "data"), &ICMPError{
			V6: true, Type: 3, Proto: 6, Src: addr("fe80::1"), Dst: addr("fe80::1"),
		}, nil},
		{"cut in an extension header", join(3, 0, 0, 0, 0, 0, 0, 0, head6(43), 6, 9, 0, 0), &ICMPError{
			V6: true, Type: 3, Proto: 43, Src: addr("fe80::1"), Dst: addr("fe80::1"), Truncated: true,
		}, nil},
		{"router advertisement", routerAd, &NDP{
			Type: 134, HopLimit: 64, OtherInfo: true, Lifetime: 1800, SourceMAC: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1500,
			Prefixes: []netip.Prefix{netip.MustParsePrefix("2001:db8::/64")}, DNS: []netip.Addr{addr("fe80::1")}, Search: []string{"lan"},
		}, nil},
		{"neighbor solicitation", solicitation, &NDP{Type: 135, Target: addr("fe80::1"), SourceMAC: [6]byte{2, 0, 0, 0, 0, 9}}, nil},
		{"neighbor advertisement", join(136, 0, 0, 0, 0xe0, 0, 0, 0, linkLocal, 2, 1, 2, 0, 0, 0, 0, 9), &NDP{
			Type: 136, Target: addr("fe80::1"), Router: true, Solicited: true, Override: true, TargetMAC: [6]byte{2, 0, 0, 0, 0, 9},
		}, nil},
		{"router solicitation", join(133, 0, 0, 0, 0, 0, 0, 0), &NDP{Type: 133}, nil},
		{"redirect", join(137, 0, 0, 0, 0, 0, 0, 0, linkLocal, linkLocal), &NDP{Type: 137, Target: addr("fe80::1"), Destination: addr("fe80::1")}, nil},
		{"option of length 0", join(133, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0), &NDP{Type: 133}, nil},
		{"cut in an option", solicitation[:28], &NDP{Type: 135, Target: addr("fe80::1"), Truncated: true}, nil},
		{"cut in the target", solicitation[:20], nil, ErrTruncated},
		{"listener report", join(143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, linkLocal), &Membership{
			Proto: "mld", Kind: "report", Version: 2, Groups: []MembershipGroup{{addr("fe80::1"), 4, 0}},
		}, nil},
		{"general query", join(130, 0, 0, 0, 0, 0, 0, 0, make([]byte, 16)), &Membership{Proto: "mld", Kind: "query", Version: 1}, nil},
		{"echo", join(128, 0, 0, 0), nil, ErrNotMine},
		{"empty", nil, nil, ErrTruncated},
	})
}

func TestParseIGMP(t *testing.T) {
	group := MembershipGroup{Addr: netip.MustParseAddr("239.255.255.250")}
	joined := group
	joined.Mode = 4
	blocked := group
	blocked.Mode, blocked.Sources = 6, 1
	testParse(t, parseIGMP, []parseCase{
		{"general query, version 1", join(0x11, 0, 0, 0, 0, 0, 0, 0), &Membership{Proto: "igmp", Kind: "query", Version: 1}, nil},
		{"query, version 3", join(0x11, 100, 0, 0, 239, 255, 255, 250, 2, 125, 0, 0), &Membership{Proto: "igmp", Kind: "query", Version: 3, Groups: []MembershipGroup{group}}, nil},
		{"report", join(0x16, 0, 0, 0, 239, 255, 255, 250), &Membership{Proto: "igmp", Kind: "report", Version: 2, Groups: []MembershipGroup{group}}, nil},
		{"leave", join(0x17, 0, 0, 0, 239, 255, 255, 250), &Membership{Proto: "igmp", Kind: "leave", Version: 2, Groups: []MembershipGroup{group}}, nil},
		{
			"report, version 3", join(0x22, 0, 0, 0, 0, 0, 0, 2, 6, 0, 0, 1, 239, 255, 255, 250, 192, 0, 2, 1, 4, 0, 0, 0, 239, 255, 255, 250),
			&Membership{Proto: "igmp", Kind: "report", Version: 3, Groups: []MembershipGroup{blocked, joined}}, nil,
		},
		{"cut in the second record", join(0x22, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 239, 255, 255, 250, 4), &Membership{
			Proto: "igmp", Kind: "report", Version: 3, Groups: []MembershipGroup{joined}, Truncated: true,
		}, nil},
		{"DVMRP", join(0x13, 1, 0, 0, 0, 0, 0, 0), nil, ErrNotMine},
		{"short", join(0x16, 0, 0, 0), nil, ErrTruncated},
	})
}

func FuzzLinkDiscovery(f *testing.F) {
	for _, b := range [][]byte{lldpFrame, routerAd, join(1, 0, 0, 10, 2, 1, 0, 10, 1, "alice"), join(0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 239, 1, 1, 1)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func([]byte) (Message, error){parseLLDP, parseCDP, parseEAPOL, parseICMP4, parseICMP6, parseIGMP} {
			m, err := parse(b)
			checkError(t, m, err)
		}
		if m, err := parseCDP(join(0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, b)); err != nil {
			checkError(t, m, err)
		}
	})
}

func BenchmarkLLDP(b *testing.B)                { benchDatagram(b, lldpFrame, parseLLDP) }
func BenchmarkRouterAdvertisement(b *testing.B) { benchDatagram(b, routerAd, parseICMP6) }
