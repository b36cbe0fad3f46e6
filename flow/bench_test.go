package flow

import (
	"encoding/binary"
	"fmt"
	"testing"
	"unsafe"

	"gatehouse/capture"
)

// conversation builds frames of many established TCP flows in both
// directions, interleaved, headers only but with payload on the wire: what a
// busy gateway sees most.
func conversation(tb testing.TB, flows int) []capture.Packet {
	tb.Helper()
	var out []capture.Packet
	client, server := hostAt("10.0.0.2", 0), hostAt("93.184.216.34", 443)
	for i := range flows {
		client.port = uint16(1024 + i%60000)
		up := tcpFrame(tb, client, server, TCPAck, 1, 1, "")
		down := tcpFrame(tb, server, client, TCPAck, 1, 1, "")
		for _, p := range []*capture.Packet{up, down} {
			a := p.Data[ethernetHeader+12 : ethernetHeader+20]
			own := a[:4]
			if p == down {
				own = a[4:]
			}
			binary.BigEndian.PutUint32(own, 0x0a000000|uint32(i/60000+2))
			out = append(out, *p)
		}
	}
	return out
}

func BenchmarkDecode(b *testing.B) {
	for name, p := range map[string]*capture.Packet{
		"tcp4":  tcpFrame(b, hostAt("10.0.0.2", 1234), hostAt("10.0.0.3", 443), TCPAck, 1, 1, "hello"),
		"udp6":  udpFrame(b, hostAt("fd00::2", 1234), hostAt("fd00::3", 53), "hello"),
		"vlan4": tagged(tcpFrame(b, hostAt("10.0.0.2", 1234), hostAt("10.0.0.3", 443), TCPAck, 1, 1, "hello"), 7),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var h Headers
			for b.Loop() {
				if h.Decode(p) != Accepted {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkShardPacket(b *testing.B) {
	for _, flows := range []int{1_000, 50_000} {
		b.Run(fmt.Sprintf("flows=%d", flows), func(b *testing.B) {
			packets := conversation(b, flows)
			s := newTestShard(b, func(c *Config) { c.MaxFlows = 2 * flows })
			for i := range packets {
				s.Packet(&packets[i], second, uint64(i+1))
			}
			s.Reset()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				s.Packet(&packets[i%len(packets)], second+int64(i), uint64(i))
			}
		})
	}
}

func BenchmarkShardOf(b *testing.B) {
	p := tcpFrame(b, hostAt("10.0.0.2", 1234), hostAt("10.0.0.3", 443), TCPAck, 1, 1, "hello")
	b.ReportAllocs()
	for b.Loop() {
		if ShardOf(p, 4) < 0 {
			b.Fatal("negative")
		}
	}
}

// TestPacketDoesNotAllocate holds the promise of the package comment.
func TestPacketDoesNotAllocate(t *testing.T) {
	packets := conversation(t, 100)
	packets = append(packets, *udpFrame(t, hostAt("10.0.0.9", 5000), hostAt("10.0.0.8", 5001), "xyz"))
	s := newTestShard(t, nil)
	i := 0
	step := func() {
		s.Packet(&packets[i%len(packets)], second+int64(i), uint64(i+1))
		i++
	}
	for range 3 * len(packets) {
		step()
	}
	s.Reset()
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if size := unsafe.Sizeof(entry{}); size > 192 {
		t.Errorf("an entry takes %d bytes: more than three cache lines", size)
	}
	if n := testing.AllocsPerRun(1000, func() { ShardOf(&packets[0], 8) }); n != 0 {
		t.Errorf("ShardOf: %v allocations", n)
	}
}
