package main

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"gatehouse/flow"
	"gatehouse/internal/testkit"
)

// TestReplayReportsFlood: a capture of one host's SYNs, more than the table
// takes, is summed up in one line.
func TestReplayReportsFlood(t *testing.T) {
	ether := layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 7}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 5}, EthernetType: layers.EthernetTypeIPv4}
	ip := layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{198, 51, 100, 7}, DstIP: net.IP{192, 168, 1, 5}}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, &ether, &ip, &layers.TCP{DstPort: 80, SYN: true}); err != nil {
		t.Fatal(err)
	}
	const flood, sourcePort = 60_000, 14 + 20
	start := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).UnixNano()
	frames := make([]testkit.Frame, flood)
	for i := range frames {
		data := bytes.Clone(buf.Bytes())
		binary.BigEndian.PutUint16(data[sourcePort:], uint16(i+1))
		frames[i] = testkit.Frame{Time: start + int64(i)*100_000, Data: data, Length: len(data)}
	}
	name := filepath.Join(t.TempDir(), "flood.pcap")
	testkit.WritePcap(t, name, 1, frames)
	var stdout, stderr bytes.Buffer
	// All flows of two hosts meet in one of eight tables: 8,192 places.
	if code := run(t.Context(), []string{"replay", "--workers", "8", name}, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	const want = " half-open flows from 198.51.100.7 (02:00:00:00:00:07) to 192.168.1.5:80, 2026-01-05 12:00:0"
	_, line, found := strings.Cut(stdout.String(), "flood: ")
	if line, _, _ = strings.Cut(line, "\n"); !found || !strings.Contains(line, want) {
		t.Errorf("summary %q\nwant a line with %q", stdout.String(), want)
	}
}

func TestFloodLine(t *testing.T) {
	mac := [6]byte{2, 0, 0, 0, 0, 7}
	source := flow.Flooder{MAC: mac, Addr: netip.MustParseAddr("2001:db8::7"), Flows: 900}
	target := flow.Flooder{Addr: netip.MustParseAddr("192.168.1.5"), Port: 53, Proto: 17, Flows: 600}
	for _, c := range []struct {
		name  string
		flood flow.Flood
		want  string
	}{
		{"nobody stands out", flow.Flood{Flows: 1234}, "flood: 1,234 unanswered flows from many addresses to many targets, 1970-01-01 00:00:00 to 00:00:00 UTC"},
		{
			"random sources behind one device",
			flow.Flood{Flows: 1000, Senders: []flow.Flooder{{MAC: mac, Flows: 1000}}, Targets: []flow.Flooder{target}},
			"flood: 1,000 unanswered flows from many addresses (02:00:00:00:00:07) to 192.168.1.5:53, 1970-01-01 00:00:00 to 00:00:00 UTC",
		},
		{
			"a link without MAC addresses, half is not most",
			flow.Flood{Flows: 1200, Senders: []flow.Flooder{{Flows: 1200}}, Sources: []flow.Flooder{source}, Targets: []flow.Flooder{target}},
			"flood: 1,200 unanswered flows from 2001:db8::7 to many targets, 1970-01-01 00:00:00 to 00:00:00 UTC",
		},
	} {
		if got := floodLine(&c.flood); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
