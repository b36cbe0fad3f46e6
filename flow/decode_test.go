package flow

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"gatehouse/capture"
)

// unhex reads bytes written with spaces, line breaks and # comments.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		tb.Fatalf("test bytes: %v", err)
	}
	return b
}

// Building blocks of the tables below.
const (
	macs = "02 00 00 00 00 0b  02 00 00 00 00 0a " // destination b, source a

	// UDP 10.0.0.1:1000 -> 10.0.0.2:2000, "hi"
	udp4 = `45 00 00 1e  00 01 00 00  40 11 00 00  0a 00 00 01  0a 00 00 02
	        03 e8 07 d0  00 0a 00 00  68 69 `
	// UDP [fd00::1]:1000 -> [fd00::2]:2000, "hi"
	udp6 = `60 00 00 00  00 0a 11 40  fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01
	        fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02
	        03 e8 07 d0  00 0a 00 00  68 69 `
	inner4 = "10.0.0.1:1000>10.0.0.2:2000"
	inner6 = "[fd00::1]:1000>[fd00::2]:2000"

	// Outer IPv4 192.0.2.1 -> 192.0.2.2; total length and protocol are filled in.
	outer = `45 00 LLLL  00 01 00 00  40 PP 00 00  c0 00 02 01  c0 00 02 02 `
	// Outer UDP from 192.0.2.1:54321; destination port and length are filled in.
	outerUDP = `d4 31 DDDD  UUUU 00 00 `
)

// within puts hex bytes into an outer IPv4 packet, or into one with UDP if
// port is not 0.
func within(tb testing.TB, proto byte, port uint16, payload string) string {
	tb.Helper()
	u16 := func(v int) string { return hex.EncodeToString([]byte{byte(v >> 8), byte(v)}) }
	n := len(unhex(tb, payload))
	if port != 0 {
		n += 8
		payload = strings.NewReplacer("DDDD", u16(int(port)), "UUUU", u16(n)).Replace(outerUDP) + payload
	}
	return strings.NewReplacer("LLLL", u16(20+n), "PP", hex.EncodeToString([]byte{proto})).Replace(outer) + payload
}

// describe renders the five-tuple that a Headers holds.
func describe(h *Headers) string {
	a, b := netip.AddrFrom16(h.Src), netip.AddrFrom16(h.Dst)
	if h.Version == 4 {
		a, b = a.Unmap(), b.Unmap()
	}
	return netip.AddrPortFrom(a, h.SrcPort).String() + ">" + netip.AddrPortFrom(b, h.DstPort).String()
}

func TestDecodeLinks(t *testing.T) {
	radiotap := "00 00 09 00  02 00 00 00  10 " // flags present: FCS at the end
	wifi := "08 01 00 00  01 01 01 01 01 01  02 00 00 00 00 0a  02 00 00 00 00 0b  10 00 "
	snap := "aa aa 03  00 00 00  08 00 "
	for _, c := range []struct {
		name  string
		link  capture.LinkType
		bytes string
		want  string
		vlan  uint16
	}{
		{"ethernet", capture.LinkEthernet, macs + "08 00" + udp4, inner4, 0},
		{"ethernet with padding", capture.LinkEthernet, macs + "08 00" + udp4 + "00 00 00 00 00 00 00 00", inner4, 0},
		{"ethernet IPv6", capture.LinkEthernet, macs + "86 dd" + udp6, inner6, 0},
		{"802.1Q", capture.LinkEthernet, macs + "81 00 60 05  08 00" + udp4, inner4, 5},
		{"priority tag is no VLAN", capture.LinkEthernet, macs + "81 00 e0 00  08 00" + udp4, inner4, 0},
		{"802.1ad", capture.LinkEthernet, macs + "88 a8 00 09  81 00 00 05  08 00" + udp4, inner4, 9},
		{"802.1Q in 0x9100", capture.LinkEthernet, macs + "91 00 00 07  81 00 00 05  08 00" + udp4, inner4, 7},
		{"802.3 SNAP", capture.LinkEthernet, macs + "00 26" + snap + udp4, inner4, 0},
		{"802.3 SNAP in a VLAN", capture.LinkEthernet, macs + "81 00 00 03  00 26" + snap + udp4, inner4, 3},
		{"802.3 IP SAP", capture.LinkEthernet, macs + "00 21 06 06 03" + udp4, inner4, 0},
		{"MPLS", capture.LinkEthernet, macs + "88 47  00 01 00 40  00 02 01 40" + udp4, inner4, 0},
		{"MPLS IPv6", capture.LinkEthernet, macs + "88 47  00 02 01 40" + udp6, inner6, 0},
		{"MPLS pseudowire", capture.LinkEthernet, macs + "88 47  00 02 01 40  00 00 00 00" + macs + "08 00" + udp4, inner4, 0},
		{"MPLS pseudowire without control word", capture.LinkEthernet, macs + "88 47  00 02 01 40" + macs + "08 00" + udp4, inner4, 0},
		{"PPPoE session", capture.LinkEthernet, macs + "88 64  11 00 00 01 00 20  00 21" + udp4, inner4, 0},
		{"PPPoE IPv6", capture.LinkEthernet, macs + "88 64  11 00 00 01 00 34  00 57" + udp6, inner6, 0},
		{"PPPoE in a VLAN", capture.LinkEthernet, macs + "81 00 00 04  88 64  11 00 00 01 00 20  00 21" + udp4, inner4, 4},
		{"SLL", capture.LinkLinuxSLL, "00 00  00 01  00 06  02 00 00 00 00 0a 00 00  08 00" + udp4, inner4, 0},
		{"SLL with VLAN", capture.LinkLinuxSLL, "00 00  00 01  00 06  02 00 00 00 00 0a 00 00  81 00  00 06 08 00" + udp4, inner4, 6},
		{"SLL2", capture.LinkLinuxSLL2, "86 dd 00 00  00 00 00 02  00 01  00 06  02 00 00 00 00 0a 00 00" + udp6, inner6, 0},
		{"raw IPv4", capture.LinkRawIP, udp4, inner4, 0},
		{"raw IPv6", capture.LinkRawIP, udp6, inner6, 0},
		{"DLT_RAW 12", 12, udp4, inner4, 0},
		{"DLT_RAW 14", 14, udp6, inner6, 0},
		{"LINKTYPE_IPV4", capture.LinkIPv4, udp4, inner4, 0},
		{"LINKTYPE_IPV6", capture.LinkIPv6, udp6, inner6, 0},
		{"null little endian", capture.LinkNull, "02 00 00 00" + udp4, inner4, 0},
		{"null big endian", capture.LinkNull, "00 00 00 02" + udp4, inner4, 0},
		{"null IPv6 of Linux", capture.LinkNull, "0a 00 00 00" + udp6, inner6, 0},
		{"null IPv6 of OpenBSD", capture.LinkNull, "18 00 00 00" + udp6, inner6, 0},
		{"null IPv6 of FreeBSD", capture.LinkNull, "1c 00 00 00" + udp6, inner6, 0},
		{"null IPv6 of Darwin", capture.LinkNull, "00 00 00 1e" + udp6, inner6, 0},
		{"loop", capture.LinkLoop, "00 00 00 02" + udp4, inner4, 0},
		{"PPP with address and control", capture.LinkPPP, "ff 03 00 21" + udp4, inner4, 0},
		{"PPP without", capture.LinkPPP, "00 57" + udp6, inner6, 0},
		{"PPP compressed protocol", capture.LinkPPP, "21" + udp4, inner4, 0},
		{"PPP HDLC", capture.LinkPPPHDLC, "ff 03 21" + udp4, inner4, 0},
		{"Cisco HDLC as PPP HDLC", capture.LinkPPPHDLC, "0f 00 08 00" + udp4, inner4, 0},
		{"PPPoE link type", capture.LinkPPPoE, "11 00 00 01 00 20  00 21" + udp4, inner4, 0},
		{"Cisco HDLC", capture.LinkCiscoHDLC, "8f 00 86 dd" + udp6, inner6, 0},
		{"802.11 to DS", capture.LinkIEEE80211, wifi + snap + udp4, inner4, 0},
		{"802.11 from DS", capture.LinkIEEE80211, "08 02 00 00  02 00 00 00 00 0b  01 01 01 01 01 01  02 00 00 00 00 0a  10 00" + snap + udp4, inner4, 0},
		{"802.11 ad hoc", capture.LinkIEEE80211, "08 00 00 00  02 00 00 00 00 0b  02 00 00 00 00 0a  01 01 01 01 01 01  10 00" + snap + udp4, inner4, 0},
		{"802.11 WDS", capture.LinkIEEE80211, "08 03 00 00  01 01 01 01 01 01  01 01 01 01 01 02  02 00 00 00 00 0b  10 00  02 00 00 00 00 0a" + snap + udp4, inner4, 0},
		{"802.11 QoS", capture.LinkIEEE80211, "88 01" + wifi[6:] + "00 00" + snap + udp4, inner4, 0},
		{"802.11 QoS with HT control", capture.LinkIEEE80211, "88 81" + wifi[6:] + "00 00  00 00 00 00" + snap + udp4, inner4, 0},
		{"802.11 A-MSDU", capture.LinkIEEE80211, "88 01" + wifi[6:] + "80 00" + macs + "00 26" + snap + udp4 + "00 00" + macs, inner4, 0},
		{"radiotap with FCS", capture.LinkIEEE80211Radiotap, radiotap + wifi + snap + udp4 + "de ad be ef", inner4, 0},
		{
			"radiotap with timestamp, two bitmaps and padding", capture.LinkIEEE80211Radiotap,
			"00 00 1c 00  03 00 00 80  00 00 00 00  00 00 00 00" + // version, length, present with extension, extension, alignment
				"00 00 00 00 00 00 00 00  20 00 00 00" + // TSFT, flags: padded header
				"88 01" + wifi[6:] + "00 00  00 00" + snap + udp4, inner4, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.bytes)
			p := &capture.Packet{Data: b, Length: len(b), Link: c.link}
			var h Headers
			if r := h.Decode(p); r != Accepted {
				t.Fatalf("refused: %v", r)
			}
			if got := describe(&h); got != c.want || h.VLAN != c.vlan || string(h.Payload) != "hi" {
				t.Errorf("%s, VLAN %d, payload %q; want %s, VLAN %d", got, h.VLAN, h.Payload, c.want, c.vlan)
			}
			if strings.Contains(c.name, "802.") && (h.SrcMAC != macA || h.DstMAC != macB) {
				t.Errorf("MAC %x > %x", h.SrcMAC, h.DstMAC)
			}
			// Every link layer leads to the same shard.
			plain := ethernetPacket(unhex(t, macs+"08 00"+udp4))
			if h.Version == 6 {
				plain = ethernetPacket(unhex(t, macs+"86 dd"+udp6))
			}
			for _, n := range []int{1, 2, 8, 100} {
				if got, want := ShardOf(p, n), ShardOf(plain, n); got != want || got >= n {
					t.Errorf("shard %d of %d, want %d", got, n, want)
				}
			}
			// Cut anywhere it is refused or still the same flow, never another.
			for cut := range b {
				short := *p
				short.Data = b[:cut]
				if r := h.Decode(&short); r == Accepted && describe(&h) != c.want {
					t.Errorf("cut at %d: %s", cut, describe(&h))
				}
			}
		})
	}
}

func TestDecodeTunnels(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes string // an IPv4 packet
		want  string
		depth uint8
	}{
		{"IP in IP", within(t, 4, 0, udp4), inner4, 1},
		{"6in4", within(t, 41, 0, udp6), inner6, 1},
		{"GRE", within(t, 47, 0, "00 00 08 00"+udp4), inner4, 1},
		{"GRE with checksum, key, sequence", within(t, 47, 0, "b0 00 86 dd  00 00 00 00  00 00 00 01  00 00 00 02"+udp6), inner6, 1},
		{"GRE bridging", within(t, 47, 0, "20 00 65 58  00 00 01 00"+macs+"08 00"+udp4), inner4, 1},
		{"PPTP", within(t, 47, 0, "30 01 88 0b  00 22 00 01  00 00 00 05  ff 03 00 21"+udp4), inner4, 1},
		{"PPTP with acknowledgement", within(t, 47, 0, "30 81 88 0b  00 20 00 01  00 00 00 05  00 00 00 04  00 21"+udp4), inner4, 1},
		{"ERSPAN I", within(t, 47, 0, "00 00 88 be"+macs+"08 00"+udp4), inner4, 1},
		{"ERSPAN II", within(t, 47, 0, "10 00 88 be  00 00 00 01  10 01 00 00 00 00 00 00"+macs+"08 00"+udp4), inner4, 1},
		{"ERSPAN III", within(t, 47, 0, "10 00 22 eb  00 00 00 01  20 01 00 00 00 00 00 00 00 00 00 00"+macs+"08 00"+udp4), inner4, 1},
		{"EtherIP", within(t, 97, 0, "30 00"+macs+"08 00"+udp4), inner4, 1},
		{"MPLS in IP", within(t, 137, 0, "00 02 01 40"+udp4), inner4, 1},
		{"MPLS in UDP", within(t, 17, 6635, "00 02 01 40"+udp6), inner6, 1},
		{"VXLAN", within(t, 17, 4789, "08 00 00 00  00 00 2a 00"+macs+"08 00"+udp4), inner4, 1},
		{"VXLAN of old Linux, inner VLAN", within(t, 17, 8472, "08 00 00 00  00 00 2a 00"+macs+"81 00 00 05 08 00"+udp4), inner4, 1},
		{"VXLAN-GPE", within(t, 17, 4790, "0c 00 00 02  00 00 2a 00"+udp6), inner6, 1},
		{"Geneve bridging", within(t, 17, 6081, "00 00 65 58  00 00 2a 00"+macs+"08 00"+udp4), inner4, 1},
		{"Geneve with option", within(t, 17, 6081, "01 00 08 00  00 00 2a 00  00 00 00 00"+udp4), inner4, 1},
		{"GTP-U", within(t, 17, 2152, "30 ff 00 1e  00 00 00 01"+udp4), inner4, 1},
		{"GTP-U with extension", within(t, 17, 2152, "34 ff 00 26  00 00 00 01  00 00 00 85  01 10 01 00"+udp4), inner4, 1},
		{"L2TP", within(t, 17, 1701, "00 02 00 01 00 02  ff 03 00 21"+udp4), inner4, 1},
		{"L2TP with length, sequence and padding", within(t, 17, 1701, "4a 02 00 46 00 01 00 02  00 01 00 00  00 02 00 00  ff 03 00 57"+udp6), inner6, 1},
		{"four tunnels", within(t, 4, 0, within(t, 4, 0, within(t, 4, 0, within(t, 4, 0, udp4)))), inner4, 4},
		{"a fifth counts as what carries it", within(t, 4, 0, within(t, 4, 0, within(t, 4, 0, within(t, 4, 0, within(t, 4, 0, udp4))))), "192.0.2.1:0>192.0.2.2:0", 4},

		// What is no tunnel is the outer flow.
		{"GRE of IS-IS", within(t, 47, 0, "00 00 00 fe  83 1b"), "192.0.2.1:0>192.0.2.2:0", 0},
		{"GRE with routing", within(t, 47, 0, "40 00 08 00  00 00 00 00"+udp4), "192.0.2.1:0>192.0.2.2:0", 0},
		{"VXLAN without VNI", within(t, 17, 4789, "00 00 00 00  00 00 2a 00"+macs+"08 00"+udp4), "192.0.2.1:54321>192.0.2.2:4789", 0},
		{"VXLAN cut in its Ethernet header", within(t, 17, 4789, "08 00 00 00  00 00 2a 00"+macs), "192.0.2.1:54321>192.0.2.2:4789", 0},
		{"GTP-U echo", within(t, 17, 2152, "32 01 00 04  00 00 00 00  00 01 00 00"), "192.0.2.1:54321>192.0.2.2:2152", 0},
		{"port 3544 without Teredo addresses", within(t, 17, 3544, udp6), "192.0.2.1:54321>192.0.2.2:3544", 0},
		{"L2TP control", within(t, 17, 1701, "c8 02 00 0c  00 00 00 00  00 00 00 00"), "192.0.2.1:54321>192.0.2.2:1701", 0},
		{"L2TP with LCP", within(t, 17, 1701, "00 02 00 01 00 02  ff 03 c0 21  01 01 00 04"), "192.0.2.1:54321>192.0.2.2:1701", 0},
		{"L2TP with padding beyond the packet", within(t, 17, 1701, "02 02 00 01 00 02  ff ff"+udp4), "192.0.2.1:54321>192.0.2.2:1701", 0},
		{"Geneve options beyond the packet", within(t, 17, 6081, "3f 00 08 00  00 00 2a 00"+udp4), "192.0.2.1:54321>192.0.2.2:6081", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.bytes)
			var h Headers
			if r := h.Decode(&capture.Packet{Data: b, Length: len(b), Link: capture.LinkRawIP}); r != Accepted {
				t.Fatalf("refused: %v", r)
			}
			if got := describe(&h); got != c.want || h.Depth != c.depth {
				t.Errorf("%s at depth %d, want %s at %d", got, h.Depth, c.want, c.depth)
			}
			if (h.Tunnel != 0) != (c.depth > 0) {
				t.Errorf("tunnel discriminator %d at depth %d", h.Tunnel, c.depth)
			}
		})
	}
}

func TestDecodeTeredo(t *testing.T) {
	// UDP [2001::1]:1000 -> [fd00::2]:2000 behind authentication and origin.
	packet := strings.Replace(udp6, "fd 00", "20 01", 1)
	auth, origin := "00 01 00 00  00 00 00 00 00 00 00 00  00", "00 00  00 00  00 00 00 00"
	for name, b := range map[string]string{
		"bare": packet, "origin": origin + packet, "authenticated": auth + packet, "both": auth + origin + packet,
	} {
		raw := unhex(t, within(t, 17, 3544, b))
		var h Headers
		h.Decode(&capture.Packet{Data: raw, Length: len(raw), Link: capture.LinkRawIP})
		if got := describe(&h); got != "[2001::1]:1000>[fd00::2]:2000" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestDecodeIPv6Extensions(t *testing.T) {
	head := func(next, length string) string {
		return "60 00 00 00 " + length + next + " 40  fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01  fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 "
	}
	udp := "03 e8 07 d0  00 0a 00 00  68 69"
	option := func(next string) string { return next + " 00 01 04 00 00 00 00 " }
	for _, c := range []struct {
		name  string
		bytes string
		want  Reason
	}{
		{"hop-by-hop", head("00", "00 12") + option("11") + udp, Accepted},
		{"all kinds", head("00", "00 36") + option("3c") + option("2b") + option("2c") +
			"33 00 00 00 00 00 00 07 " + // atomic fragment
			"11 01 00 00 00 00 00 01 00 00 00 02 " + udp, Accepted},
		{"authentication header", head("33", "00 16") + "11 01 00 00  00 00 00 01  00 00 00 02" + udp, Accepted},
		{"eight", head("00", "00 4a") + strings.Repeat(option("3c"), 7) + option("11") + udp, Accepted},
		{"nine", head("00", "00 52") + strings.Repeat(option("3c"), 8) + option("11") + udp, TooManyHeaders},
		{"longer than the packet", head("00", "00 12") + "11 09 01 04 00 00 00 00" + udp, BadExtension},
		{"jumbogram", head("00", "00 00") + "11 00 c2 04 00 00 00 12" + udp + strings.Repeat("00", 60), Accepted},
	} {
		b := unhex(t, c.bytes)
		var h Headers
		r := h.Decode(&capture.Packet{Data: b, Length: len(b), Link: capture.LinkRawIP})
		if r != c.want || (r == Accepted && (describe(&h) != inner6 || string(h.Payload) != "hi")) {
			t.Errorf("%s: %v %s %q, want %v", c.name, r, describe(&h), h.Payload, c.want)
		}
	}
}

func TestDecodeRefusals(t *testing.T) {
	tcp := "03 e8 07 d0  00 00 00 01  00 00 00 02  50 10 00 00  00 00 00 00"
	ip := func(rest string) string { return within(t, 6, 0, rest) }
	for _, c := range []struct {
		name  string
		link  capture.LinkType
		bytes string
		want  Reason
	}{
		{"empty", capture.LinkEthernet, "", TruncatedLink},
		{"unknown link type", 147, udp4, UnknownLink},
		{"spanning tree", capture.LinkEthernet, macs + "00 26 42 42 03 00 00", NonIP},
		{"LLDP", capture.LinkEthernet, macs + "88 cc 02 07", NonIP},
		{"PPPoE discovery", capture.LinkEthernet, macs + "88 63 11 09 00 00 00 00", NonIP},
		{"nine tags", capture.LinkEthernet, macs + strings.Repeat("81 00 00 01", 9) + "08 00" + udp4, TooManyTags},
		{"endless labels", capture.LinkEthernet, macs + "88 47" + strings.Repeat("00 01 00 40", 20), TooManyTags},
		{"protected 802.11", capture.LinkIEEE80211, "08 41 00 00" + strings.Repeat("00", 40), Encrypted},
		{"beacon", capture.LinkIEEE80211, "80 00 00 00" + strings.Repeat("00", 40), NonIP},
		{"radiotap longer than the frame", capture.LinkIEEE80211Radiotap, "00 00 ff 00 00 00 00 00", TruncatedLink},
		{"radiotap of 4 bytes", capture.LinkIEEE80211Radiotap, "00 00 04 00 00 00 00 00", BadLink},
		{"radiotap bad checksum", capture.LinkIEEE80211Radiotap, "00 00 09 00 02 00 00 00 40 08 00", BadFCS},
		{"IPv4 says version 6", capture.LinkIPv4, udp6, BadVersion},
		{"raw version 0", capture.LinkRawIP, "00 11", BadVersion},
		{"IHL 4", capture.LinkRawIP, "44" + udp4[2:], BadHeaderLength},
		{"IHL beyond the packet", capture.LinkRawIP, "4f" + udp4[2:], BadLength},
		{"total length below the header", capture.LinkRawIP, "45 00 00 13" + udp4[12:], BadLength},
		{"half an IP header", capture.LinkRawIP, udp4[:31], TruncatedNetwork},
		{"TCP", capture.LinkRawIP, ip(tcp), Accepted},
		{"TCP data offset 4", capture.LinkRawIP, ip(strings.Replace(tcp, "50 10", "40 10", 1)), BadHeaderLength},
		{"TCP options beyond the packet", capture.LinkRawIP, ip(strings.Replace(tcp, "50 10", "f0 10", 1)), BadHeaderLength},
		{"TCP of 12 bytes", capture.LinkRawIP, ip(tcp[:38]), TruncatedTransport},
		{"UDP length 7", capture.LinkRawIP, strings.Replace(udp4, "00 0a 00 00  68", "00 07 00 00  68", 1), BadLength},
		{"UDP of 4 bytes", capture.LinkRawIP, within(t, 17, 0, "03 e8 07 d0"), TruncatedTransport},
		{"ping of death", capture.LinkRawIP, "45 00 00 1c  00 01 1f ff  40 11 00 00  0a 00 00 01  0a 00 00 02  00 00 00 00 00 00 00 00", BadFragment},
		{"fragment of 7 bytes with more to come", capture.LinkRawIP, "45 00 00 1b  00 01 20 00  40 11 00 00  0a 00 00 01  0a 00 00 02  00 00 00 00 00 00 00", BadFragment},
	} {
		b := unhex(t, c.bytes)
		var h Headers
		if r := h.Decode(&capture.Packet{Data: b, Length: len(b), Link: c.link}); r != c.want {
			t.Errorf("%s: %v, want %v", c.name, r, c.want)
		}
	}
	for r := range numReasons {
		if r.String() == "unknown" {
			t.Errorf("reason %d has no name", r)
		}
	}
}

// TestDecodeSnapped: a packet cut behind its TCP header counts what crossed
// the wire.
func TestDecodeSnapped(t *testing.T) {
	p := tcpFrame(t, hostAt("10.0.0.1", 1), hostAt("10.0.0.2", 2), TCPAck|TCPPsh, 7, 8, strings.Repeat("x", 500))
	p.Data = p.Data[:54]
	var h Headers
	if r := h.Decode(p); r != Accepted || h.Length != 540 || h.PayloadLen != 500 || len(h.Payload) != 0 {
		t.Errorf("%v: length %d, payload %d of %d", r, h.Length, len(h.Payload), h.PayloadLen)
	}
}

// TestDecodeZeroLength: segmentation offload leaves total length 0.
func TestDecodeZeroLength(t *testing.T) {
	p := tcpFrame(t, hostAt("10.0.0.1", 1), hostAt("10.0.0.2", 2), TCPAck, 7, 8, strings.Repeat("x", 500))
	p.Data[16], p.Data[17] = 0, 0
	var h Headers
	if r := h.Decode(p); r != Accepted || h.Length != 540 || len(h.Payload) != 500 {
		t.Errorf("%v: length %d, payload %d", r, h.Length, len(h.Payload))
	}
}
