package flow

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/capture"
)

// mixture is traffic of every kind that Batch treats differently: many flows
// that open, close and expire, ARP, what is refused, and what reads a payload.
func mixture(tb testing.TB, packets int) ([]capture.Packet, []int64) {
	tb.Helper()
	random := rand.New(rand.NewPCG(7, 8))
	arp := ethernetPacket(unhex(tb, "ff ff ff ff ff ff  02 00 00 00 00 0a  08 06"+
		"00 01 08 00 06 04 00 01  02 00 00 00 00 0a  0a 00 00 01  00 00 00 00 00 00  0a 00 00 02"))
	get := tcpFrame(tb, tcpClient, tcpServer, TCPAck, 1, 1, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	broken := ethernetPacket(arp.Data[:20])
	var out []capture.Packet
	var times []int64
	now := second
	for range packets {
		now += random.Int64N(second / 100)
		p := *arp
		switch n := random.IntN(100); {
		case n == 0:
		case n == 1:
			p = *broken
		case n < 5:
			p = *get
		default:
			flags := []uint8{TCPSyn, TCPSyn | TCPAck, TCPAck, TCPFin | TCPAck, TCPRst}[random.IntN(5)]
			p = *tcpFrame(tb, hostAt("10.0.0.9", 7), tcpServer, flags, 1, 1, "")
			// Few of them come back often, many are seen once or twice.
			port := uint16(1 + random.IntN(50))
			if n >= 50 {
				port = uint16(100 + random.IntN(60000))
			}
			binary.BigEndian.PutUint16(p.Data[ethernetHeader+ipv4Header:], port)
		}
		out, times = append(out, p), append(times, now)
	}
	return out, times
}

// TestBatchIsPacketByPacket: given the same frames, batches of any size give
// the events and counters of frames taken in one by one, also where flows are
// evicted or the table is large enough for touch.
func TestBatchIsPacketByPacket(t *testing.T) {
	packets, times := mixture(t, 30_000)
	for _, c := range []struct {
		name     string
		capacity int
		large    bool
	}{
		{"room for all", 20_000, true},
		{"evicting", 5000, true},
		{"small", 100, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(feed func(s *Shard, from, to int), size int) ([]Event, Stats) {
				s := newTestShard(t, func(cfg *Config) { cfg.MaxFlows = c.capacity })
				most := 0
				for from := 0; from < len(packets); from += size {
					feed(s, from, min(from+size, len(packets)))
					most = max(most, s.table.count)
				}
				if (most >= touchFrom) != c.large {
					t.Fatalf("%d flows: the test does not test what it should", most)
				}
				s.Close(times[len(times)-1])
				events := slices.Clone(s.Events())
				slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
				return events, s.Stats()
			}
			want, wantStats := run(func(s *Shard, from, to int) {
				for i := from; i < to; i++ {
					s.Packet(&packets[i], times[i], uint64(i+1))
				}
			}, 512)
			for _, size := range []int{1, lookahead, 512, 1000} {
				got, stats := run(func(s *Shard, from, to int) {
					s.Batch(packets[from:to], times[from:to], uint64(from+1), nil)
				}, size)
				if !slices.Equal(fingerprint(got), fingerprint(want)) {
					t.Errorf("batches of %d: %d events, one by one %d", size, len(got), len(want))
				}
				if d := cmp.Diff(wantStats, stats, cmpopts.EquateComparable(netip.Addr{})); d != "" {
					t.Errorf("batches of %d: %s", size, d)
				}
			}
		})
	}
}

// TestBatchPick: two shards that share a batch take in what one does.
func TestBatchPick(t *testing.T) {
	packets, times := mixture(t, 2000)
	var even, odd []uint32
	for i := range packets {
		if i%2 == 0 {
			even = append(even, uint32(i))
		} else {
			odd = append(odd, uint32(i))
		}
	}
	for _, pick := range [][]uint32{even, odd, {}} {
		a, b := newTestShard(t, nil), newTestShard(t, nil)
		a.Batch(packets, times, 5, pick)
		for _, i := range pick {
			b.Packet(&packets[i], times[i], 5+uint64(i))
		}
		if !slices.Equal(fingerprint(a.Events()), fingerprint(b.Events())) {
			t.Errorf("%d picked: events differ", len(pick))
		}
		if n := a.Stats().Packets; n != uint64(len(pick)) {
			t.Errorf("%d packets, want %d", n, len(pick))
		}
	}
}
