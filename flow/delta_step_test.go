package flow

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/gopacket/layers"

	"gatehouse/capture"
)

// deltaOf is what a kernel counted of a conversation: packets of 100 bytes, 50
// of them payload, from each end.
func deltaOf(from, to host, proto uint8, sent, received uint64, flags [2]uint8, begin, last float64) *capture.Delta {
	d := &capture.Delta{
		Proto: proto, Begin: int64(begin * 1e9), Last: int64(last * 1e9),
		Addr: [2][16]byte{from.addr.As16(), to.addr.As16()}, Port: [2]uint16{from.port, to.port},
		MAC: [2][6]byte{from.mac, to.mac}, Packets: [2]uint64{sent, received}, Flags: flags,
	}
	for i, n := range d.Packets {
		d.Bytes[i], d.Payload[i] = 100*n, 50*n
	}
	if compareAddr(&d.Addr[0], &d.Addr[1]) > 0 {
		d.First = 1
		slices.Reverse(d.Addr[:])
		slices.Reverse(d.Port[:])
		slices.Reverse(d.MAC[:])
		slices.Reverse(d.Packets[:])
		slices.Reverse(d.Bytes[:])
		slices.Reverse(d.Payload[:])
		slices.Reverse(d.Flags[:])
	}
	return d
}

// step is a head or a delta with its time in seconds.
type step struct {
	sec   float64
	head  *capture.Packet
	delta *capture.Delta
}

// follow feeds heads and deltas, then lets 1,000 s pass, and returns the sorted
// events.
func follow(s *Shard, steps ...step) []Event {
	var now int64
	for i, st := range steps {
		now = int64(st.sec * 1e9)
		s.Advance(now)
		if st.head != nil {
			s.Heads([]capture.Packet{*st.head}, []int64{now}, uint64(i+1), nil)
		} else {
			s.Delta(st.delta, now, uint64(i+1))
		}
	}
	s.Advance(now + 1000*second)
	s.Close(now + 1000*second)
	events := slices.Clone(s.Events())
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	return events
}

// TestDeltaEvents: given heads and deltas at these seconds, these events
// follow.
func TestDeltaEvents(t *testing.T) {
	const syn, ack, fin, rst = TCPSyn, TCPAck, TCPFin, TCPRst
	head := func(sec float64, flags uint8, payload string) step {
		return step{sec, tcpFrame(t, tcpClient, tcpServer, flags, 1, 0, payload), nil}
	}
	tcp := func(sec float64, sent, received uint64, flags [2]uint8, last float64) step {
		return step{sec, nil, deltaOf(tcpClient, tcpServer, protoTCP, sent, received, flags, 0, last)}
	}
	udp := func(sec float64, n uint64, last float64) step {
		return step{sec, nil, deltaOf(tcpClient, tcpServer, protoUDP, n, 0, [2]uint8{}, 0, last)}
	}
	both := [2]uint8{syn | ack, syn | ack}
	for _, c := range []struct {
		name  string
		steps []step
		want  []string // a timeout comes up to capture.DeltaLag later than from packets
	}{
		{"head, then its delta", []step{head(1, syn, ""), tcp(2, 1, 0, [2]uint8{syn, 0}, 1)}, []string{"start 1", "end 64 timeout 1"}},
		{"delta before the head", []step{tcp(1, 1, 0, [2]uint8{syn, 0}, 1), head(1.5, syn, "")}, []string{"start 1", "end 64.5 timeout 1"}},
		{"delta alone", []step{tcp(2, 7, 5, both, 1.5)}, []string{"start 2", "end 304.5 timeout 12"}},
		{"more heads than deltas", []step{head(1, syn, ""), head(1.1, ack, "x"), tcp(2, 1, 0, [2]uint8{syn, 0}, 1)}, []string{"start 1", "end 64.1 timeout 2"}},
		{"established, told every half minute", []step{tcp(1, 2, 2, both, 1), tcp(20, 1, 1, both, 20), tcp(40, 1, 1, both, 40)}, []string{"start 1", "update 40", "end 343 timeout 8"}},
		{"fin both ways", []step{head(1, syn, ""), tcp(2, 4, 3, [2]uint8{syn | ack | fin, syn | ack | fin}, 1.5)}, []string{"start 1", "end 6.5 closed 7"}},
		{"reset", []step{tcp(2, 1, 1, [2]uint8{syn, rst | ack}, 1.5)}, []string{"start 2", "end 6.5 closed 2"}},
		{"closed for longer than the timeout when told of", []step{tcp(20, 1, 1, [2]uint8{syn, rst | ack}, 1)}, []string{"start 20", "end 20 closed 2"}},
		{"udp, idle", []step{udp(1, 3, 1), udp(50, 2, 49.5)}, []string{"start 1", "update 50", "end 112.5 timeout 5"}},
		{"a kernel that forgets is no flow", []step{udp(1, 3, 1), udp(200, 0, 1)}, []string{"start 1", "end 64 timeout 3"}},
		{"the end of the old connection comes in one delta with the new one", []step{
			tcp(1, 3, 3, both, 1), head(1.2, fin|ack, ""),
			{1.3, tcpFrame(t, tcpServer, tcpClient, fin|ack, 9, 0, ""), nil},
			head(1.4, syn, ""), tcp(2, 2, 1, both, 1.4),
		}, []string{"start 1", "end 1.4 closed 6", "start 1.4", "end 304.4 timeout 3"}},
	} {
		s := newTestShard(t, nil)
		events := follow(s, c.steps...)
		checkEvents(t, events)
		got := outline(events)
		for i := range got { // one nanosecond after the start of what is over already
			got[i] = cutNano(got[i])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// cutNano takes the nanosecond off "end 20.000000001 closed 2".
func cutNano(s string) string {
	const nano = ".000000001"
	for i := 0; i+len(nano) <= len(s); i++ {
		if s[i:i+len(nano)] == nano {
			return s[:i] + s[i+len(nano):]
		}
	}
	return s
}

// TestBalance: given the packets of a flow as heads and as deltas in any order
// that can be, the counter never exceeds what was sent, never falls, and is
// exact at the end.
func TestBalance(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 1000 {
		var b balance
		var counter, sent, heads, deltas uint64
		for range 50 {
			switch random.IntN(3) {
			case 0:
				sent += uint64(random.IntN(5))
			case 1:
				if n := random.Uint64N(sent - heads + 1); n > 0 {
					heads += n
					counter += b.head(1, counts{packets: n}).packets
				}
			default:
				n := random.Uint64N(sent - deltas + 1)
				deltas += n
				counter += b.delta(1, counts{packets: n}).packets
			}
			if counter != max(heads, deltas) || counter > sent {
				t.Fatalf("%d counted of %d: %d in heads, %d in deltas", counter, sent, heads, deltas)
			}
		}
		counter += b.delta(1, counts{packets: sent - deltas}).packets
		if counter != sent || b.due() {
			t.Fatalf("%d counted of %d, %+v", counter, sent, b)
		}
	}
}

// TestHeadsDone: given the first half of a request, and then word that no more
// is handed out, the parser is asked for what it has, and nothing counts as
// lost.
func TestHeadsDone(t *testing.T) {
	s := newTestShard(t, nil)
	request := "POST /upload HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\nxx"
	steps := []step{
		{1, tcpFrame(t, tcpClient, tcpServer, TCPSyn, 9, 0, ""), nil},
		{1, tcpFrame(t, tcpClient, tcpServer, TCPAck, 10, 0, request), nil},
	}
	d := deltaOf(tcpClient, tcpServer, protoTCP, 80, 40, [2]uint8{TCPSyn | TCPAck, TCPSyn | TCPAck}, 1, 2)
	d.HeadsDone = [2]bool{true, true}
	events := follow(s, append(steps, step{2, nil, d})...)
	if last := events[len(events)-1].Record; last.App != "http" || last.Packets != [2]uint64{80, 40} {
		t.Errorf("%+v", last)
	}
	if st := s.Stats(); st.StreamGaps != 0 || st.HeadsLost != 0 || st.Heads != 2 || st.Packets != 120 {
		t.Errorf("%+v", st)
	}
	if used := len(s.streams.all) - len(s.streams.spare); used != 0 {
		t.Errorf("%d streams still in use", used)
	}
}

// TestMissed: what could not be handed out is told with the next event, once.
func TestMissed(t *testing.T) {
	s := newTestShard(t, nil)
	at := func(sec float64, lost uint16) step {
		d := deltaOf(tcpClient, tcpServer, protoUDP, 1, 0, [2]uint8{}, 1, sec)
		d.HeadsLost = [2]uint16{0, lost}
		return step{sec, nil, d}
	}
	var missed []uint32
	for _, e := range follow(s, at(1, 3), at(2, 3), at(40, 7), at(41, 2)) { // the last began anew
		missed = append(missed, e.Missed)
	}
	if want := []uint32{3, 4, 2}; !slices.Equal(missed, want) {
		t.Errorf("missed %v, want %v", missed, want)
	}
	if n := s.Stats().HeadsLost; n != 9 {
		t.Errorf("%d lost in all, want 9", n)
	}
}

// TestPieces: fragments that a kernel counts without ports belong to the flow
// whose first fragments were handed out; without these they are of no flow.
func TestPieces(t *testing.T) {
	client, server := hostAt("10.0.0.9", 5000), hostAt("10.0.0.5", 5001)
	pieces := deltaOf(hostAt("10.0.0.9", 0), hostAt("10.0.0.5", 0), protoUDP, 4, 0, [2]uint8{}, 1, 2)
	pieces.Fragment = true
	whole := deltaOf(client, server, protoUDP, 2, 0, [2]uint8{}, 1, 2)

	s := newTestShard(t, nil)
	first := udpFrame(t, client, server, "12345678") // 8 bytes of header and 8 of payload
	first.Data[ethernetHeader+6] |= 0x20             // more fragments
	events := follow(s, step{1, first, nil}, step{2, nil, whole}, step{2, nil, pieces})
	if last := events[len(events)-1].Record; len(events) != 2 || last.Packets[0] != 6 || last.Bytes[0] != 600 {
		t.Errorf("%d events, %+v", len(events), last)
	}
	checkStats(t, s.Stats())

	s = newTestShard(t, nil)
	if events := follow(s, step{2, nil, pieces}); len(events) != 0 {
		t.Errorf("%+v", events)
	}
	if st := s.Stats(); st.FragmentsHeld != 4 || st.Packets != 4 {
		t.Errorf("%+v", st)
	}
	checkStats(t, s.Stats())
}

// TestTunnelHeads: the kernel counts a tunnel as a whole; what its first
// packets show of the inside is a flow of its own, counted by them.
func TestTunnelHeads(t *testing.T) {
	outer := ipLayers(tcpClient, tcpServer, layers.IPProtocolIPv4)
	inner := ipLayers(hostAt("10.8.0.1", 0), hostAt("10.8.0.2", 0), layers.IPProtocolUDP)[1:]
	inner = append(inner, &layers.UDP{SrcPort: 1, DstPort: 2})
	s := newTestShard(t, nil)
	events := follow(s,
		step{1, ethernetPacket(frameOf(t, append(outer, inner...)...)), nil},
		step{2, nil, deltaOf(hostAt("10.0.0.9", 0), hostAt("10.0.0.5", 0), protoIPv4, 9, 0, [2]uint8{}, 1, 2)})
	var got []uint64
	for _, e := range events {
		if e.Kind == End {
			got = append(got, e.Record.Packets[0])
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, []uint64{1, 9}) {
		t.Errorf("packets %v, want 1 inside and 9 outside", got)
	}
	if s.Stats().Packets != 9 || len(s.ledger.debts) != 0 {
		t.Errorf("%+v, debts %v", s.Stats(), s.ledger.debts)
	}
}

// TestDeltaDoesNotAllocate: a delta of a known flow costs no memory, as a
// packet does not.
func TestDeltaDoesNotAllocate(t *testing.T) {
	s := newTestShard(t, nil)
	d := deltaOf(tcpClient, tcpServer, protoUDP, 1, 1, [2]uint8{}, 1, 1)
	s.Delta(d, second, 1)
	s.Reset()
	if n := testing.AllocsPerRun(1000, func() { s.Delta(d, second, 1) }); n != 0 {
		t.Errorf("%v allocations a delta", n)
	}
}

func BenchmarkDelta(b *testing.B) {
	s := newTestShard(b, func(c *Config) { c.MaxFlows = 1 << 16 })
	var deltas []*capture.Delta
	for i := range 50_000 {
		client := hostAt("10.0.0.9", uint16(1024+i))
		d := deltaOf(client, tcpServer, protoUDP, 1, 1, [2]uint8{}, 1, 1)
		s.Delta(d, second, uint64(i+1))
		deltas = append(deltas, d)
	}
	s.Reset()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Delta(deltas[i%len(deltas)], second, 1)
	}
}

// FuzzDelta: a kernel is trusted not to lie, but no delta may break the books.
func FuzzDelta(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint8(6), uint8(0), int64(1e9), int64(2e9), uint8(0x12), uint8(0x11))
	f.Add(uint64(0), uint64(0), uint8(1), uint8(3), int64(-5), int64(1<<62), uint8(0xff), uint8(4))
	f.Fuzz(func(t *testing.T, sent, received uint64, proto, bits uint8, begin, last int64, fore, back uint8) {
		s := newTestShard(t, nil)
		d := deltaOf(tcpClient, tcpServer, proto, sent>>8, received>>8, [2]uint8{fore, back}, 0, 0)
		d.Begin, d.Last, d.First = begin, last, bits>>2
		d.IPv6, d.Fragment, d.HeadsDone = bits&1 != 0, bits&2 != 0, [2]bool{bits&4 != 0, bits&8 != 0}
		d.ICMPType, d.ICMPID, d.VLAN = fore, uint16(last), uint16(bits)
		head := tcpFrame(t, tcpClient, tcpServer, fore, 1, 1, "GET / HTTP/1.1\r\n\r\n")
		events := follow(s, step{1, head, nil}, step{2, nil, d}, step{2, head, nil}, step{300, nil, d})
		checkEvents(t, events)
		checkStats(t, s.Stats())
	})
}
