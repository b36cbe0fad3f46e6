package flow

import (
	"encoding/binary"
	"testing"

	"gatehouse/capture"
	"gatehouse/wire"
)

// fragmentsOf cuts the IP payload of an unfragmented Ethernet frame at the
// given offsets, multiples of 8.
func fragmentsOf(p *capture.Packet, id uint16, cuts ...int) []*capture.Packet {
	const size = ethernetHeader + ipv4Header
	head, body := p.Data[:size], p.Data[size:]
	var out []*capture.Packet
	for i, start := range append([]int{0}, cuts...) {
		end := len(body)
		if i < len(cuts) {
			end = cuts[i]
		}
		out = append(out, fragmentOf(head, id, start, body[start:end], end < len(body)))
	}
	return out
}

// fragmentOf builds one IPv4 fragment from the headers of the whole.
func fragmentOf(head []byte, id uint16, offset int, data []byte, more bool) *capture.Packet {
	b := append([]byte(nil), head...)
	b = append(b, data...)
	ip := b[ethernetHeader:]
	binary.BigEndian.PutUint16(ip[2:], uint16(ipv4Header+len(data)))
	binary.BigEndian.PutUint16(ip[4:], id)
	field := uint16(offset / 8)
	if more {
		field |= ipv4More
	}
	binary.BigEndian.PutUint16(ip[6:], field)
	return ethernetPacket(b)
}

// dnsQuery is a query for the address of a name with three labels, long
// enough to be cut into pieces.
const dnsQuery = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x10fragmented-query\x07example\x03com\x00\x00\x01\x00\x01"

func TestFragments(t *testing.T) {
	client, server := hostAt("10.0.0.1", 40000), hostAt("10.0.0.2", 53)
	whole := udpFrame(t, client, server, dnsQuery)
	parts := fragmentsOf(whole, 1, 8, 16, 32)
	tiny := fragmentsOf(tcpFrame(t, client, server, TCPSyn, 1, 0, ""), 2, 8)
	evil := fragmentOf(whole.Data[:34], 1, 8, []byte("\xff\xff\xff\xff\xff\xff\xff\xff"), true)
	overlapping := []*capture.Packet{parts[0], parts[1], evil, parts[2], parts[3]}

	for _, c := range []struct {
		name      string
		frames    []*capture.Packet
		messages  int
		packets   uint64 // of the flow with ports
		held      uint64
		conflicts uint64
		refused   uint64
	}{
		{"in order", parts, 1, 4, 0, 0, 0},
		{"reversed", []*capture.Packet{parts[3], parts[2], parts[1], parts[0]}, 1, 4, 0, 0, 0},
		{"one twice", []*capture.Packet{parts[0], parts[1], parts[1], parts[2], parts[3]}, 1, 5, 0, 0, 0},
		{"one missing", []*capture.Packet{parts[0], parts[1], parts[3]}, 0, 3, 0, 0, 0},
		{"first missing", []*capture.Packet{parts[1], parts[2], parts[3]}, 0, 0, 3, 0, 0},
		{"first copy wins", overlapping, 1, 5, 0, 1, 0},
		{"teardrop: beyond the end", []*capture.Packet{parts[3], fragmentOf(whole.Data[:34], 1, 64, make([]byte, 8), true)}, 0, 0, 1, 0, 1},
		{"two different ends", []*capture.Packet{parts[3], fragmentOf(whole.Data[:34], 1, 8, make([]byte, 8), false)}, 0, 0, 1, 0, 1},
		{"tiny first fragment", tiny, 0, 2, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestShard(t, nil)
			var frames []at
			for i, p := range c.frames {
				frames = append(frames, at{1 + float64(i)/100, p})
			}
			events := play(s, frames...)
			st := s.Stats()
			checkStats(t, st)
			checkEvents(t, events)
			messages, packets := 0, uint64(0)
			for _, e := range events {
				messages += len(e.Messages)
				if e.Kind == End && e.Record.Server.Port == server.port {
					packets = e.Record.Packets[0]
				}
			}
			if messages != c.messages || packets != c.packets || st.FragmentsHeld != c.held ||
				st.FragmentConflicts != c.conflicts || st.Refused[BadFragment] != c.refused {
				t.Errorf("messages %d, packets %d, %+v", messages, packets, st)
			}
		})
	}
}

// TestFragmentsCountOnce: a datagram in pieces counts as its pieces, and the
// bytes are those that crossed the wire.
func TestFragmentsCountOnce(t *testing.T) {
	whole := udpFrame(t, hostAt("10.0.0.1", 40000), hostAt("10.0.0.2", 53), dnsQuery)
	s := newTestShard(t, nil)
	bytes := uint64(0)
	for i, p := range fragmentsOf(whole, 9, 24, 40) {
		s.Packet(p, second, uint64(i+1))
		bytes += uint64(len(p.Data) - ethernetHeader)
	}
	s.Close(second)
	events := s.Events()
	r := events[len(events)-1].Record
	if r.Packets[0] != 3 || r.Bytes[0] != bytes || r.Payload[0] != uint64(len(dnsQuery)) || r.App != "dns" {
		t.Errorf("record %+v, want %d bytes", r, bytes)
	}
}

func TestFragmentBounds(t *testing.T) {
	whole := udpFrame(t, hostAt("10.0.0.1", 40000), hostAt("10.0.0.2", 53), dnsQuery)
	s := newTestShard(t, func(c *Config) { c.MaxDatagrams = 8; c.MaxFragments = 1 << 16 })
	for id := range 1000 {
		// The last piece at a far offset asks for the largest buffer.
		s.Packet(fragmentOf(whole.Data[:34], uint16(id), 60000, make([]byte, 1000), true), second, uint64(id+1))
		if len(s.frags.live) > 8 || s.frags.bytes > 1<<16 {
			t.Fatalf("%d datagrams, %d bytes", len(s.frags.live), s.frags.bytes)
		}
	}
	checkStatsBeforeClose(t, s)
}

func checkStatsBeforeClose(t *testing.T, s *Shard) {
	t.Helper()
	st := s.Stats()
	st.Active = 0
	checkStats(t, st)
}

// TestFragmentTimeout: pieces 30 s apart do not belong together, whenever the
// shard was told the time.
func TestFragmentTimeout(t *testing.T) {
	parts := fragmentsOf(udpFrame(t, hostAt("10.0.0.1", 40000), hostAt("10.0.0.2", 53), dnsQuery), 1, 16)
	for _, c := range []struct {
		later float64
		want  uint64
	}{{29.9, 1}, {30, 0}} {
		s := newTestShard(t, nil)
		play(s, at{1, parts[0]}, at{1 + c.later, parts[1]})
		if got := s.Stats().Reassembled; got != c.want {
			t.Errorf("after %v s: %d reassembled, want %d", c.later, got, c.want)
		}
	}
}

// TestFragmentedTunnel: the packet inside a fragmented tunnel is found, counts
// once, and does not count as its carrier too.
func TestFragmentedTunnel(t *testing.T) {
	carrier := ethernetPacket(unhex(t, macs+"08 00"+within(t, 17, 4789, "08 00 00 00 00 00 2a 00"+macs+"08 00"+udp4)))
	s := newTestShard(t, nil)
	events := play(s, at{1, fragmentsOf(carrier, 7, 24)[0]}, at{1, fragmentsOf(carrier, 7, 24)[1]})
	if len(events) != 2 || events[1].Record.Client.Port != 1000 || !events[1].Record.Tunnel || events[1].Record.Packets[0] != 1 {
		t.Errorf("events %+v", events)
	}
	checkStats(t, s.Stats())
}

// TestIPv6Fragments reads a DNS query in two IPv6 fragments.
func TestIPv6Fragments(t *testing.T) {
	whole := udpFrame(t, hostAt("fd00::1", 40000), hostAt("fd00::2", 53), dnsQuery)
	const size = ethernetHeader + ipv6Header
	body := whole.Data[size:]
	piece := func(offset, end int) *capture.Packet {
		b := append([]byte(nil), whole.Data[:size]...)
		b[ethernetHeader+6] = protoFragment
		binary.BigEndian.PutUint16(b[ethernetHeader+4:], uint16(8+end-offset))
		field := uint16(offset)
		if end < len(body) {
			field |= 1
		}
		b = append(b, protoUDP, 0, byte(field>>8), byte(field), 0, 0, 0, 42)
		return ethernetPacket(append(b, body[offset:end]...))
	}
	s := newTestShard(t, nil)
	events := play(s, at{1, piece(24, len(body))}, at{1, piece(0, 24)})
	last := events[len(events)-1].Record
	if last.App != "dns" || last.Packets[0] != 2 {
		t.Errorf("record %+v", last)
	}
	if m, ok := events[1].Messages[0].(*wire.DNS); !ok || m.Questions[0].Name != "fragmented-query.example.com" {
		t.Errorf("message %+v", events[1].Messages)
	}
}

func FuzzFragments(f *testing.F) {
	// Each step: id, offset in units, length, flags (more, snapped, reversed direction).
	f.Add([]byte{1, 0, 2, 1, 1, 2, 2, 0})
	f.Add([]byte{1, 2, 2, 0, 1, 0, 2, 1})
	f.Add([]byte{1, 0, 4, 1, 1, 1, 4, 1, 1, 3, 9, 0})
	whole := udpFrame(f, hostAt("10.0.0.1", 40000), hostAt("10.0.0.2", 53), dnsQuery)
	f.Fuzz(func(t *testing.T, steps []byte) {
		s := newTestShard(t, func(c *Config) { c.MaxDatagrams = 4; c.MaxFragments = 1 << 16 })
		seq := uint64(0)
		for ; len(steps) >= 4; steps = steps[4:] {
			seq++
			data := make([]byte, int(steps[2])*4)
			copy(data, whole.Data[min(34+int(steps[1])*8, len(whole.Data)):])
			p := fragmentOf(whole.Data[:34], uint16(steps[0]%6), int(steps[1])*8, data, steps[3]&1 != 0)
			if steps[3]&2 != 0 {
				p.Data = p.Data[:max(34, len(p.Data)-5)]
			}
			s.Packet(p, second+int64(steps[3])*second*int64(seq)/8, seq)
			if len(s.frags.live) > 4 || s.frags.bytes > 1<<16 || s.frags.bytes < 0 {
				t.Fatalf("%d datagrams, %d bytes", len(s.frags.live), s.frags.bytes)
			}
		}
		s.Close(1000 * second)
		checkStats(t, s.Stats())
		checkEventsUnsorted(t, s)
	})
}
