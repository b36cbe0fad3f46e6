package flow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket/layers"

	"gatehouse/capture"
	"gatehouse/wire"
)

func newTestShard(tb testing.TB, change func(*Config)) *Shard {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.MaxFlows = 4096
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		tb.Fatal(err)
	}
	return NewShard(cfg, wire.Table())
}

// at is a frame with its time in seconds.
type at struct {
	sec    float64
	packet *capture.Packet
}

// play feeds frames, then closes the shard, and returns the sorted events.
func play(s *Shard, frames ...at) []Event {
	var now int64
	for i, f := range frames {
		now = int64(f.sec * 1e9)
		s.Packet(f.packet, now, uint64(i+1))
	}
	s.Close(now)
	events := slices.Clone(s.Events())
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	return events
}

func TestDNSExchangeIsOneFlow(t *testing.T) {
	client, server := hostAt("192.168.1.20", 40000), hostAt("192.168.1.1", 53)
	query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"
	answer := "\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01" +
		"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x5d\xb8\xd8\x22"
	s := newTestShard(t, nil)
	events := play(s,
		at{1, udpFrame(t, client, server, query)},
		at{1.01, udpFrame(t, server, client, answer)})
	var kinds []EventKind
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	if want := []EventKind{Start, Update, Update, End}; !slices.Equal(kinds, want) {
		t.Fatalf("events %v, want %v", kinds, want)
	}
	r := events[3].Record
	if r.App != "dns" || r.Client.Addr != client.addr || r.Server.Port != 53 || r.Packets != [2]uint64{1, 1} {
		t.Errorf("record %+v", r)
	}
	if m, ok := events[2].Messages[0].(*wire.DNS); !ok || !m.Response || len(m.Answers) != 1 {
		t.Errorf("answer not parsed: %+v", events[2].Messages)
	}
}

func checkEventsUnsorted(tb testing.TB, s *Shard) {
	tb.Helper()
	events := slices.Clone(s.Events())
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	checkEvents(tb, events)
}

// outline renders events as "kind seconds reason packets" for short tables.
func outline(events []Event) []string {
	var out []string
	for _, e := range events {
		s := fmt.Sprintf("%v %g", e.Kind, float64(e.Time)/1e9)
		if e.Kind == End {
			s += fmt.Sprintf(" %s %d", e.Reason, e.Record.Packets[0]+e.Record.Packets[1])
		}
		out = append(out, s)
	}
	return out
}

var (
	tcpClient = hostAt("10.0.0.9", 50000)
	tcpServer = hostAt("10.0.0.5", 8765)
)

// TestExpiry: given frames at these seconds, these events follow, whether the
// shard was told of the time in between or not.
func TestExpiry(t *testing.T) {
	up := func(sec float64, flags uint8, seq uint32) at {
		return at{sec, tcpFrame(t, tcpClient, tcpServer, flags, seq, 0, "")}
	}
	down := func(sec float64, flags uint8) at {
		return at{sec, tcpFrame(t, tcpServer, tcpClient, flags, 900, 0, "")}
	}
	handshake := []at{up(0, TCPSyn, 1), down(0, TCPSyn|TCPAck), up(0, TCPAck, 2)}
	udp := func(sec float64) at { return at{sec, udpFrame(t, tcpClient, tcpServer, "")} }
	other := at{1000, udpFrame(t, hostAt("10.9.9.9", 1), hostAt("10.9.9.8", 2), "")} // tells the time
	for _, c := range []struct {
		name   string
		frames []at
		want   []string
	}{
		{"syn without answer", []at{up(0, TCPSyn, 1), up(3, TCPSyn, 1)}, []string{"start 0", "end 63 timeout 2"}},
		{"established", handshake, []string{"start 0", "end 300 timeout 3"}},
		{"established, a frame at the deadline starts anew", append(handshake[:3:3], up(300, TCPAck, 2)), []string{"start 0", "end 300 timeout 3", "start 300", "end 600 timeout 1"}},
		{"just before the deadline", append(handshake[:3:3], up(299, TCPAck, 2)), []string{"start 0", "update 299", "end 599 timeout 4"}},
		{"reset", append(handshake[:3:3], down(10, TCPRst)), []string{"start 0", "end 15 closed 4"}},
		{"fin both ways and the last ack", append(handshake[:3:3], up(10, TCPFin|TCPAck, 2), down(11, TCPFin|TCPAck), up(12, TCPAck, 3)), []string{"start 0", "end 17 closed 6"}},
		{"fin one way", append(handshake[:3:3], up(10, TCPFin|TCPAck, 2)), []string{"start 0", "end 310 timeout 4"}},
		{"reuse of a closed five-tuple", append(handshake[:3:3], down(10, TCPRst), up(11, TCPSyn, 77)), []string{"start 0", "end 11 closed 4", "start 11", "end 71 timeout 1"}},
		{"retransmitted syn on a refused port", []at{up(0, TCPSyn, 1), down(0, TCPRst|TCPAck), up(1, TCPSyn, 1)}, []string{"start 0", "end 6 closed 3"}},
		{"reuse after a minute of silence", append(handshake[:3:3], up(60, TCPSyn, 77)), []string{"start 0", "end 60 timeout 3", "start 60", "end 120 timeout 1"}},
		{"another syn in a live connection", append(handshake[:3:3], up(20, TCPSyn, 77)), []string{"start 0", "end 320 timeout 4"}},
		{"handshake on a five-tuple joined mid-stream", []at{up(0, TCPAck, 9), down(1, TCPAck), up(2, TCPSyn, 77)}, []string{"start 0", "end 2 timeout 2", "start 2", "end 62 timeout 1"}},
		{"bare reset", []at{down(0, TCPRst)}, []string{"start 0", "end 5 closed 1"}},
		{"bare fin", []at{down(0, TCPFin|TCPAck)}, []string{"start 0", "end 60 timeout 1"}},
		{"udp", []at{udp(0), udp(20), udp(31), udp(59)}, []string{"start 0", "update 31", "end 119 timeout 4"}},
		{"udp twice", []at{udp(0), udp(60)}, []string{"start 0", "end 60 timeout 1", "start 60", "end 120 timeout 1"}},
	} {
		for _, every := range []float64{0, 0.05, 7} {
			s := newTestShard(t, nil)
			told := 0.0
			for i, f := range append(slices.Clone(c.frames), other) {
				for ; every > 0 && told+every < f.sec; told += every {
					s.Advance(int64(told * 1e9))
				}
				s.Packet(f.packet, int64(f.sec*1e9), uint64(i+1))
			}
			s.Close(int64(other.sec * 1e9))
			events := slices.DeleteFunc(slices.Clone(s.Events()), func(e Event) bool { return e.Time >= 1000*second })
			slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
			if got := outline(events); !slices.Equal(got, c.want) {
				t.Errorf("%s, told every %g s: %q, want %q", c.name, every, got, c.want)
			}
		}
	}
}

// TestAdvanceIsComplete: after Advance, nothing that was due is left.
func TestAdvanceIsComplete(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	s := newTestShard(t, nil)
	now := int64(1_700_000_000) * second
	for i := range 3000 {
		now += random.Int64N([]int64{second / 5, second / 1000, 1000}[i/100%3])
		if random.IntN(50) == 0 {
			now += random.Int64N(2000 * second)
		}
		from := hostAt("10.0.0.9", uint16(1000+random.IntN(500)))
		s.Packet(udpFrame(t, from, tcpServer, ""), now, uint64(i+1))
		if random.IntN(3) == 0 {
			s.Advance(now)
			s.table.each(func(r ref) {
				if d := s.table.deadline(s.table.at(r)); d <= now {
					t.Fatalf("flow due at %d is left at %d", d, now)
				}
			})
		}
	}
}

func TestInitiator(t *testing.T) {
	a, b := hostAt("10.0.0.1", 50000), hostAt("10.0.0.2", 443)
	high, low := hostAt("10.0.0.1", 9999), hostAt("10.0.0.2", 1000)
	for _, c := range []struct {
		name      string
		first     *capture.Packet
		client    host
		initiator Initiator
		midstream bool
	}{
		{"syn", tcpFrame(t, b, a, TCPSyn, 1, 0, ""), b, BySYN, false},
		{"syn-ack", tcpFrame(t, a, b, TCPSyn|TCPAck, 1, 0, ""), b, BySYN, false},
		{"from the service", tcpFrame(t, b, a, TCPAck, 1, 0, ""), a, ByPort, true},
		{"to the service", tcpFrame(t, a, b, TCPAck, 1, 0, ""), a, ByPort, true},
		{"the lower port is no service", tcpFrame(t, high, low, TCPAck, 1, 0, ""), high, ByFirstSeen, true},
		{"nor seen from the other side", tcpFrame(t, low, high, TCPAck, 1, 0, ""), low, ByFirstSeen, true},
		{"both ends are services", udpFrame(t, hostAt("10.0.0.3", 5353), hostAt("10.0.0.2", 5353), ""), hostAt("10.0.0.3", 5353), ByFirstSeen, false},
		{"dhcp offer", udpFrame(t, hostAt("10.0.0.1", 67), hostAt("10.0.0.7", 68), ""), hostAt("10.0.0.7", 68), ByPort, false},
	} {
		s := newTestShard(t, nil)
		events := play(s, at{1, c.first})
		r := events[0].Record
		if r.Client.Addr != c.client.addr || r.Client.Port != c.client.port || r.Initiator != c.initiator || r.Midstream != c.midstream {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// TestInitiatorIsRemembered: a connection that was silent beyond its timeout
// goes on with the ends it had.
func TestInitiatorIsRemembered(t *testing.T) {
	up := func(flags uint8) *capture.Packet { return tcpFrame(t, tcpClient, tcpServer, flags, 1, 1, "") }
	down := func(flags uint8) *capture.Packet { return tcpFrame(t, tcpServer, tcpClient, flags, 1, 1, "") }
	s := newTestShard(t, nil)
	events := play(s, at{0, up(TCPSyn)}, at{0, down(TCPSyn | TCPAck)}, at{0, up(TCPAck)}, at{3600, down(TCPAck)})
	last := events[len(events)-1].Record
	if len(events) != 4 || last.Client.Addr != tcpClient.addr || last.Initiator != BySYN || !last.Midstream {
		t.Errorf("%d events, %+v", len(events), last)
	}
}

func TestVLANs(t *testing.T) {
	there := tcpFrame(t, tcpClient, tcpServer, TCPAck, 1, 1, "")
	back := tcpFrame(t, tcpServer, tcpClient, TCPAck, 1, 1, "")
	for _, c := range []struct {
		name   string
		frames []*capture.Packet
		want   []string // VLAN:packets of the flows
	}{
		{"return direction tagged", []*capture.Packet{there, tagged(back, 5), there, tagged(back, 5)}, []string{"5:4"}},
		{"forward direction tagged", []*capture.Packet{tagged(there, 5), back}, []string{"5:2"}},
		{"same addresses in two VLANs", []*capture.Packet{tagged(there, 5), tagged(there, 7), tagged(back, 7)}, []string{"5:1", "7:2"}},
		{"untagged goes to the oldest", []*capture.Packet{tagged(there, 7), tagged(there, 5), back}, []string{"5:1", "7:2"}},
	} {
		s := newTestShard(t, nil)
		var frames []at
		for i, p := range c.frames {
			frames = append(frames, at{float64(i + 1), p})
		}
		var got []string
		for _, e := range play(s, frames...) {
			if e.Kind == End {
				got = append(got, fmt.Sprintf("%d:%d", e.Record.VLAN, e.Record.Packets[0]+e.Record.Packets[1]))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func icmpFrame(tb testing.TB, from, to host, icmpType, code uint8, id uint16) *capture.Packet {
	icmp := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(icmpType, code), Id: id}
	return ethernetPacket(frameOf(tb, append(ipLayers(from, to, layers.IPProtocolICMPv4), icmp)...))
}

func TestICMP(t *testing.T) {
	a, b := hostAt("10.0.0.1", 0), hostAt("10.0.0.2", 0)
	s := newTestShard(t, nil)
	events := play(s,
		at{1, icmpFrame(t, a, b, 8, 0, 77)},
		at{1, icmpFrame(t, b, a, 0, 0, 77)}, // the same ping
		at{1, icmpFrame(t, a, b, 8, 0, 78)}, // another one
		at{1, icmpFrame(t, b, a, 0, 0, 99)}, // a reply whose request was not seen: a is the client
		at{1, icmpFrame(t, a, b, 3, 1, 0)},  // unreachable, and
		at{1, icmpFrame(t, b, a, 3, 1, 0)})  // the opposite direction is no reply
	var got []string
	for _, e := range events {
		if e.Kind == End {
			r := e.Record
			got = append(got, fmt.Sprintf("%v type %d id %d packets %v", r.Client.Addr, r.ICMPType, r.ICMPID, r.Packets))
		}
	}
	slices.Sort(got)
	want := []string{
		"10.0.0.1 type 3 id 0 packets [1 0]",
		"10.0.0.1 type 8 id 77 packets [1 1]",
		"10.0.0.1 type 8 id 78 packets [1 0]",
		"10.0.0.1 type 8 id 99 packets [0 1]",
		"10.0.0.2 type 3 id 0 packets [1 0]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestFlood: given a table at capacity, a flood of single packets neither
// grows it nor pushes out a conversation.
func TestFlood(t *testing.T) {
	const capacity, flood = 1000, 50_000
	s := newTestShard(t, func(c *Config) { c.MaxFlows = capacity })
	up := tcpFrame(t, tcpClient, tcpServer, TCPAck, 1, 1, "")
	down := tcpFrame(t, tcpServer, tcpClient, TCPAck, 1, 1, "")
	s.Packet(up, second, 1)
	s.Packet(down, second, 2)
	syn := tcpFrame(t, hostAt("10.1.0.1", 1), tcpServer, TCPSyn, 1, 0, "")
	for i := range flood {
		binary.BigEndian.PutUint32(syn.Data[ethernetHeader+12:], 0x0b000000+uint32(i))
		s.Packet(syn, second+int64(i), uint64(i+3))
		s.Reset()
		if s.table.count > capacity {
			t.Fatalf("%d flows in a table of %d", s.table.count, capacity)
		}
	}
	s.Packet(down, 2*second, flood+3)
	s.Close(2 * second)
	var kept *Record
	for _, e := range s.Events() {
		if e.Record.Client.Addr == tcpClient.addr {
			kept = &e.Record
		}
	}
	if kept == nil || kept.Packets != [2]uint64{1, 2} {
		t.Errorf("the conversation was evicted: %+v", kept)
	}
	if st := s.Stats(); st.Evicted != flood+1-capacity || st.Flows != flood+1 {
		t.Errorf("evicted %d of %d flows", st.Evicted, st.Flows)
	}
	if len(s.table.slots) > 4*capacity || s.table.made > capacity {
		t.Errorf("%d slots, %d entries", len(s.table.slots), s.table.made)
	}
}

// TestTable compares the table with a map over random insertions, look-ups
// and removals.
func TestTable(t *testing.T) {
	table := newTable(10_000, 7, [numClasses]int64{classUDP: second})
	have := map[key]ref{}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		k := key{proto: protoUDP, port: [2]uint16{uint16(random.IntN(3000)), 1}}
		hash := k.hash(table.seed) >> 40 << 40 // few distinct tags: long probe chains
		r, over := table.find(&k, hash, 0, 0)
		if r != have[k] || over {
			t.Fatalf("found %d, want %d", r, have[k])
		}
		switch {
		case r == 0:
			r = table.insert(&k, hash, 0)
			e := table.at(r)
			e.class, e.id = classUDP, 1
			table.link(r, e)
			have[k] = r
		case random.IntN(2) == 0:
			table.remove(r)
			delete(have, k)
		}
	}
	if table.count != len(have) {
		t.Errorf("count %d, want %d", table.count, len(have))
	}
}

// TestTimes: clocks at the edges of what nanoseconds can say.
func TestTimes(t *testing.T) {
	for _, now := range []int64{math.MinInt64 + 10, -5 * second, 0, 1, math.MaxInt64 - 1} {
		s := newTestShard(t, nil)
		p := udpFrame(t, tcpClient, tcpServer, "x")
		s.Packet(p, now, 1)
		s.Packet(p, now-10, 2) // a step back is held
		s.Advance(now)
		s.Close(now)
		if n := len(s.Events()); n != 2 {
			t.Errorf("at %d: %d events: %v", now, n, outline(s.Events()))
		}
	}
}

func TestConfig(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.MaxFlows = 0 },
		func(c *Config) { c.UDP = 0 },
		func(c *Config) { c.UpdateEvery = -time.Second },
		func(c *Config) { c.MaxStreams = 0 },
		func(c *Config) { c.Established = 1000 * time.Hour },
	} {
		c := DefaultConfig()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestARP(t *testing.T) {
	frame := ethernetPacket(unhex(t, "ff ff ff ff ff ff  02 00 00 00 00 0a  08 06"+
		"00 01 08 00 06 04 00 01  02 00 00 00 00 0a  0a 00 00 01  00 00 00 00 00 00  0a 00 00 02"))
	s := newTestShard(t, nil)
	events := play(s, at{1, tagged(frame, 3)})
	if len(events) != 1 || events[0].Kind != Frame || events[0].Record.Client.MAC != macA || events[0].Record.VLAN != 3 {
		t.Fatalf("%+v", events)
	}
	if m, ok := events[0].Messages[0].(*wire.ARP); !ok || m.SenderIP != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("%+v", events[0].Messages)
	}
}

// TestCompareIsTotal: no two different events of a busy input compare equal,
// and reversing the arguments reverses the verdict.
func TestCompareIsTotal(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	s := newTestShard(t, func(c *Config) { c.MaxFlows = 64 })
	for i := range 2000 {
		from, to := hostAt("10.0.0.9", uint16(random.IntN(200))), tcpServer
		if random.IntN(2) == 0 {
			from, to = to, from
		}
		flags := []uint8{TCPSyn, TCPAck, TCPRst, TCPFin | TCPAck}[random.IntN(4)]
		s.Packet(tcpFrame(t, from, to, flags, random.Uint32(), 0, ""), second*int64(i/10), uint64(i+1))
	}
	s.Close(200 * second)
	events := slices.Clone(s.Events())
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	checkEvents(t, events)
	for i := 1; i < len(events); i++ {
		if Compare(&events[i-1], &events[i]) >= 0 || Compare(&events[i], &events[i-1]) <= 0 {
			t.Fatalf("not ordered:\n%+v\n%+v", events[i-1], events[i])
		}
	}
}
