package capture

import "testing"

func TestLinkType(t *testing.T) {
	tests := []struct {
		field uint32 // as in a pcap file header
		want  LinkType
		name  string
	}{
		{0, LinkNull, "BSD loopback"},
		{1, LinkEthernet, "Ethernet"},
		{0xf4000001, LinkEthernet, "Ethernet"}, // FCS of 15 * 2 bytes
		{9, LinkPPP, "PPP"},
		{12, LinkRawIP, "raw IP"}, // DLT_RAW
		{14, LinkRawIP, "raw IP"}, // DLT_RAW of OpenBSD
		{50, LinkPPPHDLC, "PPP HDLC"},
		{51, LinkPPPoE, "PPPoE"},
		{101, LinkRawIP, "raw IP"},
		{104, LinkCiscoHDLC, "Cisco HDLC"},
		{105, LinkIEEE80211, "802.11"},
		{108, LinkLoop, "OpenBSD loopback"},
		{113, LinkLinuxSLL, "Linux cooked v1"},
		{127, LinkIEEE80211Radiotap, "802.11 radiotap"},
		{228, LinkIPv4, "raw IPv4"},
		{229, LinkIPv6, "raw IPv6"},
		{276, LinkLinuxSLL2, "Linux cooked v2"},
		{147, 147, "link type 147"},
	}
	for _, tt := range tests {
		if got := linkTypeOf(tt.field); got != tt.want || got.String() != tt.name {
			t.Errorf("linkTypeOf(%#x) = %d %q, want %d %q", tt.field, got, got, tt.want, tt.name)
		}
	}
}
