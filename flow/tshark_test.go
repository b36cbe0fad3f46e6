package flow

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatehouse/capture"
	"gatehouse/internal/testkit"
)

// tuple is what tshark and the decoder are compared in.
type tuple struct {
	src, dst     netip.Addr
	proto        string
	sport, dport string
}

// tsharkTuples returns the innermost five-tuple of each TCP and UDP packet as
// tshark reads it, by frame number. Left out are fragments, packets that it
// calls malformed and those whose innermost addresses are quoted by an ICMP
// error.
func tsharkTuples(tb testing.TB, file string) map[int]tuple {
	tb.Helper()
	out := make(map[int]tuple)
	for _, row := range testkit.TShark(tb, file, "(tcp || udp) && !icmp && !icmpv6 && !arp && !_ws.malformed",
		"frame.number", "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
		"tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "ip.frag_offset", "ip.flags.mf", "ipv6.fraghdr.nxt") {
		last := func(field string) string {
			if v := row[field]; len(v) > 0 {
				return v[len(v)-1]
			}
			return ""
		}
		fragmented := func(v string) bool { return v != "0" && v != "False" }
		if slices.ContainsFunc(row["ip.frag_offset"], fragmented) || slices.ContainsFunc(row["ip.flags.mf"], fragmented) ||
			len(row["ipv6.fraghdr.nxt"]) > 0 {
			continue
		}
		layers := ":" + last("frame.protocols") + ":"
		v4, v6 := strings.LastIndex(layers, ":ip:"), strings.LastIndex(layers, ":ipv6:")
		tcp, udp := strings.LastIndex(layers, ":tcp:"), strings.LastIndex(layers, ":udp:")
		var t tuple
		if v4 > v6 {
			t.src, _ = netip.ParseAddr(last("ip.src"))
			t.dst, _ = netip.ParseAddr(last("ip.dst"))
		} else {
			t.src, _ = netip.ParseAddr(last("ipv6.src"))
			t.dst, _ = netip.ParseAddr(last("ipv6.dst"))
		}
		switch {
		case max(tcp, udp) < max(v4, v6):
			continue // the innermost packet is something else
		case tcp > udp:
			t.proto, t.sport, t.dport = "tcp", last("tcp.srcport"), last("tcp.dstport")
		default:
			t.proto, t.sport, t.dport = "udp", last("udp.srcport"), last("udp.dstport")
		}
		number, err := strconv.Atoi(last("frame.number"))
		if err != nil {
			tb.Fatalf("tshark frame number: %v", err)
		}
		out[number] = t
	}
	return out
}

// notFollowed names captures with encapsulations that are not read, or whose
// headers contradict themselves, which tshark reads all the same.
var notFollowed = map[string]string{
	"ajp.pcap":                     "Cisco FabricPath",
	"capwap_data.pcapng":           "CAPWAP",
	"kerberos_fuzz.pcapng":         "TCP data offset below 5",
	"LINKTYPE_IPV4_invalid.pcap":   "IPv6 under the link type of IPv4",
	"LINKTYPE_IPV6_invalid.pcap":   "IPv4 under the link type of IPv6",
	"nsh-over-vxlan-gpe.pcap":      "NSH",
	"nsh.pcap":                     "NSH",
	"of13_ericsson.pcapng":         "frames quoted by OpenFlow",
	"pim-packet-assortment.pcap":   "PIM register",
	"sflow_expanded.pcap":          "headers quoted by sFlow",
	"tcp_header_heapoverflow.pcap": "cut before the TCP flags",
	"wccp_redirect_gre.pcap":       "WCCP",
	"macsec-short-valid.pcap":      "MACsec",
	"macsec-short-longer.pcap":     "MACsec",
	"macsec-short-shorter.pcap":    "MACsec",
}

// TestAgainstTShark compares five-tuples with an independent decoder: all
// captures of encapsulations, and a sample of the rest, since starting tshark
// takes a while.
func TestAgainstTShark(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tshark on many captures: leave out -short")
	}
	const every = 8
	telling := []string{"vxlan", "geneve", "gre", "gtp", "mpls", "ppp", "bigtcp", "v6", "vlan", "qinq", "sll", "wlan", "802", "teredo", "hdlc", "null", "raw", "tunnel"}
	compared := 0
	for i, file := range corpusFiles(t, "hostile", "protocols", "attacks") {
		name := filepath.Base(file)
		isTelling := slices.ContainsFunc(telling, func(s string) bool { return strings.Contains(strings.ToLower(name), s) })
		if (i%every != 0 && !isTelling) || notFollowed[name] != "" {
			continue
		}
		var h Headers
		packets := readAll(t, file)
		if !slices.ContainsFunc(packets, func(p capture.Packet) bool { return h.Decode(&p) != UnknownLink }) {
			continue
		}
		want := tsharkTuples(t, file)
		for i := range packets {
			w, ok := want[i+1]
			if !ok {
				continue
			}
			r := h.Decode(&packets[i])
			if r == UnknownLink || (w.proto == "udp" && w.dport == strconv.Itoa(portVXLANLinux)) {
				continue // tshark takes 8472 for OTV
			}
			compared++
			got := tuple{
				src: netip.AddrFrom16(h.Src).Unmap(), dst: netip.AddrFrom16(h.Dst).Unmap(),
				proto: map[uint8]string{protoTCP: "tcp", protoUDP: "udp"}[h.Proto],
				sport: strconv.Itoa(int(h.SrcPort)), dport: strconv.Itoa(int(h.DstPort)),
			}
			if r != Accepted || got != w {
				t.Errorf("%s packet %d: %v %v:%v %v:%v %v, tshark %v:%v %v:%v %v", name, i+1,
					r, got.src, got.sport, got.dst, got.dport, got.proto, w.src, w.sport, w.dst, w.dport, w.proto)
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d packets compared", compared)
	}
	t.Logf("%d packets compared", compared)
}
