package flow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"unsafe"

	"gatehouse/capture"
	"gatehouse/internal/testkit"
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

// traffic is what a capture buffer holds: frames of established TCP flows, one
// behind the other in memory, of `flows` flows in the given order. The
// conversation of each flow goes both ways.
func traffic(tb testing.TB, flows, packets int, random bool) []capture.Packet {
	tb.Helper()
	up := tcpFrame(tb, hostAt("10.0.0.2", 1024), hostAt("93.184.216.34", 443), TCPAck, 1, 1, "")
	down := tcpFrame(tb, hostAt("93.184.216.34", 443), hostAt("10.0.0.2", 1024), TCPAck, 1, 1, "")
	order := rand.New(rand.NewPCG(1, uint64(flows)))
	size := len(up.Data)
	buf := make([]byte, 0, packets*size)
	out := make([]capture.Packet, packets)
	for i := range out {
		f, back := i/2%flows, i&1 == 1
		if random {
			f, back = order.IntN(flows), order.IntN(2) == 1
		}
		addr, port := uint32(0x0a000000+f/60000+2), uint16(1024+f%60000)
		from := len(buf)
		frame, client := up.Data, ethernetHeader+12
		if back {
			frame, client = down.Data, ethernetHeader+16
		}
		buf = append(buf, frame...)
		b := buf[from : from+size]
		binary.BigEndian.PutUint32(b[client:], addr)
		binary.BigEndian.PutUint16(b[ethernetHeader+ipv4Header+(client-ethernetHeader-12)/2:], port)
		out[i] = capture.Packet{Data: b, Length: size, Link: capture.LinkEthernet}
	}
	return out
}

// BenchmarkShard is decoding and flow update of packets of known flows, one at
// a time and in batches.
func BenchmarkShard(b *testing.B) {
	for _, flows := range []int{1_000, 50_000, 400_000, 1_000_000} {
		for _, order := range []string{"ordered", "random"} {
			packets := traffic(b, flows, max(1<<17, 2*flows), order == "random")
			s := newTestShard(b, func(c *Config) { c.MaxFlows = 2 * flows })
			for i := range packets {
				s.Packet(&packets[i], second, uint64(i+1))
			}
			s.Reset()
			name := fmt.Sprintf("%dk/%s", flows/1000, order)
			b.Run(name+"/packet", func(b *testing.B) {
				b.ReportAllocs()
				for i, n := 0, 0; n < b.N; n++ {
					s.Packet(&packets[i], second, 1)
					if i++; i == len(packets) {
						i = 0
					}
				}
			})
			b.Run(name+"/batch", func(b *testing.B) {
				times := make([]int64, 512)
				b.ReportAllocs()
				for i, n := 0, 0; n < b.N; n += len(times) {
					s.Batch(packets[i:i+len(times)], times, 1, nil)
					if i += len(times); i+len(times) > len(packets) {
						i = 0
					}
				}
			})
		}
	}
}

// BenchmarkFile is all that happens to a packet of a capture file on its way
// into its flow: reading, decoding, look-up and update.
func BenchmarkFile(b *testing.B) {
	for _, flows := range []int{1_000, 50_000} {
		packets := traffic(b, flows, 1<<20, true)
		frames := make([]testkit.Frame, len(packets))
		for i := range packets {
			frames[i] = testkit.Frame{Time: second + int64(i), Data: packets[i].Data, Length: packets[i].Length}
		}
		name := filepath.Join(b.TempDir(), "file.pcap")
		testkit.WritePcap(b, name, uint32(capture.LinkEthernet), frames)
		b.Run(fmt.Sprintf("%dk/random", flows/1000), func(b *testing.B) {
			s := newTestShard(b, func(c *Config) { c.MaxFlows = 2 * flows })
			var batch capture.Batch
			var times []int64
			var src capture.Source
			b.ReportAllocs()
			for n := 0; n < b.N; n += len(batch.Packets) {
				if src == nil {
					var err error
					if src, err = capture.Open([]string{name}); err != nil {
						b.Fatal(err)
					}
				}
				switch err := src.Read(&batch); {
				case errors.Is(err, io.EOF):
					_ = src.Close()
					src = nil
				case err != nil:
					b.Fatal(err)
				}
				times = times[:0]
				for i := range batch.Packets {
					times = append(times, batch.Packets[i].Time)
				}
				s.Batch(batch.Packets, times, 1, nil)
				s.Reset()
			}
			if src != nil {
				_ = src.Close()
			}
		})
	}
}

// BenchmarkOpenClose is the life of a flow of one packet: opened, reported,
// expired, reported; in a table with room, and in one under pressure.
func BenchmarkOpenClose(b *testing.B) {
	for _, c := range []struct {
		name            string
		capacity, alive int
	}{
		{"room", 1 << 18, 100_000},
		{"pressed", 1 << 20, 1_000_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			syn := tcpFrame(b, tcpClient, tcpServer, TCPSyn, 1, 0, "")
			s := newTestShard(b, func(cfg *Config) { cfg.MaxFlows = c.capacity })
			step := int64(s.cfg.HalfOpen) / int64(c.alive)
			open := func(i int) {
				binary.BigEndian.PutUint32(syn.Data[ethernetHeader+12:], uint32(mix(uint64(i)^seedAddr, seedPorts)))
				s.Packet(syn, second+int64(i)*step, uint64(i+1))
				if i%512 == 0 {
					s.Advance(second + int64(i)*step)
					s.Reset()
				}
			}
			for i := range c.alive {
				open(i)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				open(c.alive + i)
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
	times := make([]int64, len(packets))
	batch := func() {
		s.Batch(packets, times, uint64(i), nil)
		s.Reset()
	}
	batch()
	if n := testing.AllocsPerRun(100, batch); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
	var e entry
	if size, counters, rest := unsafe.Sizeof(e), unsafe.Offsetof(e.packets), unsafe.Offsetof(e.first); size != 192 || counters != 64 || rest != 128 {
		t.Errorf("an entry takes %d bytes, counters from %d to %d: not three cache lines", size, counters, rest)
	}
	if n := testing.AllocsPerRun(1000, func() { ShardOf(&packets[0], 8) }); n != 0 {
		t.Errorf("ShardOf: %v allocations", n)
	}
}

// BenchmarkFlood is a SYN from a random address to a table that is full: one
// flow is evicted for it, and both are mostly not told of.
func BenchmarkFlood(b *testing.B) {
	for _, capacity := range []int{1 << 16, 1 << 20} {
		b.Run(fmt.Sprintf("%dk", capacity>>10), func(b *testing.B) {
			s := newTestShard(b, func(c *Config) { c.MaxFlows = capacity })
			a := newAttacker(b, tcpServer)
			send := func(n int) {
				p, times := a.batch(min(n, len(a.times)), second+int64(a.n)*10_000)
				s.Batch(p, times, a.n, nil)
				s.Reset()
			}
			for range 2 * capacity / len(a.times) {
				send(len(a.times))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += len(a.times) {
				send(len(a.times))
			}
		})
	}
}
