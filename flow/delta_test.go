package flow

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"gatehouse/capture"
	"gatehouse/wire"
)

// kernel counts packets and hands out heads as a program in the kernel does:
// the reference for what a shard makes of both. Budgets are those of room ebpf.
type kernel struct {
	flows map[kernelKey]*kernelFlow
	order []kernelKey // so that a run is repeatable
	heads []capture.Packet
}

type kernelKey struct {
	addr     [2][16]byte
	port     [2]uint16
	proto    uint8
	v6       bool
	fragment bool
	icmp     [3]uint16 // type, code, identifier as the requester sent them
	from     side      // ICMP: of the requester
	vlan     uint16
}

type kernelFlow struct {
	capture.Delta        // since the last sweep; Flags and Begin since the beginning
	sent          [2]int // heads
	sentBytes     [2]int
}

const (
	budgetSegments  = 16
	budgetBytes     = 10_240
	budgetDatagrams = 8
)

// key describes a packet as the kernel keys it.
func (*kernel) key(h *Headers) (k kernelKey, from side) {
	k = kernelKey{addr: [2][16]byte{h.Src, h.Dst}, proto: h.Proto, v6: h.Version == 6, vlan: h.VLAN}
	switch {
	case h.Fragment.is && !h.Fragment.portsSeen:
		k.fragment = true
	case h.isICMP():
		k.icmp = [3]uint16{uint16(h.ICMPType), uint16(h.ICMPCode), h.ICMPID}
	default:
		k.port = [2]uint16{h.SrcPort, h.DstPort}
	}
	reply := false
	if h.isICMP() && h.isEcho() {
		reply = isReply(h)
		if request, ok := icmpCounterpart(h.Proto, h.ICMPType); ok && reply {
			k.icmp[0] = uint16(request)
		}
	}
	if c := compareAddr(&h.Src, &h.Dst); c > 0 || c == 0 && k.port[0] > k.port[1] {
		k.addr[0], k.addr[1] = k.addr[1], k.addr[0]
		k.port[0], k.port[1] = k.port[1], k.port[0]
		from = 1
	}
	if h.isICMP() && !k.fragment {
		k.from = from
		if reply {
			k.from ^= 1
		}
	}
	return k, from
}

// packet counts a packet, and keeps it if it is worth reading.
func (k *kernel) packet(p *capture.Packet) {
	var h Headers
	if h.Decode(p) != Accepted || h.EtherType == etherARP {
		return
	}
	key, from := k.key(&h)
	f := k.flows[key]
	if f == nil {
		f = &kernelFlow{Delta: capture.Delta{
			Addr: key.addr, Port: key.port, Proto: key.proto, IPv6: key.v6, Fragment: key.fragment,
			VLAN: key.vlan, First: from, Begin: p.Time,
			ICMPType: uint8(key.icmp[0]), ICMPCode: uint8(key.icmp[1]), ICMPID: key.icmp[2],
		}}
		if h.isICMP() {
			f.First = key.from
		}
		k.flows[key] = f
		k.order = append(k.order, key)
	}
	f.MAC[from] = h.SrcMAC
	f.Packets[from]++
	f.Bytes[from] += uint64(h.Length)
	f.Payload[from] += uint64(h.PayloadLen)
	f.Flags[from] |= h.Flags
	f.Last = p.Time
	if k.worth(f, &h, from) {
		k.heads = append(k.heads, *p)
	}
}

// anyPacket are the ports of which any packet may matter, as in room ebpf.
var anyPacket = []uint16{
	21, 500, 1645, 1646, 1812, 1813, 3799, // commands, keys, logins
	53, 67, 68, 546, 547, 5353, 5355, 137, 1900, 3702, // names and leases
	102, 502, 2222, 2404, 4840, 20000, 34964, 44818, 47808, 48898, // machines
}

// worth decides whether a packet is handed out.
func (k *kernel) worth(f *kernelFlow, h *Headers, from side) bool {
	switch {
	case h.Fragment.is, h.Proto != protoTCP && h.Proto != protoUDP:
		return true
	case h.Flags&TCPSyn != 0:
		return true
	case h.PayloadLen == 0:
		return false
	case slices.Contains(anyPacket, h.SrcPort), slices.Contains(anyPacket, h.DstPort):
		return true
	}
	limit := budgetSegments
	if h.Proto == protoUDP {
		limit = budgetDatagrams
	}
	if f.sent[from] >= limit || f.sentBytes[from] >= budgetBytes {
		return false
	}
	f.sent[from]++
	f.sentBytes[from] += h.PayloadLen
	f.HeadsDone[from] = f.sent[from] == limit || f.sentBytes[from] >= budgetBytes
	return true
}

// sweep hands out what was counted since the last time, and forgets flows that
// are over, as room ebpf does.
func (k *kernel) sweep(now int64) (deltas []capture.Delta) {
	k.order = slices.DeleteFunc(k.order, func(key kernelKey) bool {
		f := k.flows[key]
		if f.Packets != [2]uint64{} {
			deltas = append(deltas, f.Delta)
			f.Packets, f.Bytes, f.Payload = [2]uint64{}, [2]uint64{}, [2]uint64{}
		}
		limit := 60 * second
		switch {
		case key.proto != protoTCP:
		case (f.Flags[0]|f.Flags[1])&TCPRst != 0 || f.Flags[0]&f.Flags[1]&TCPFin != 0:
			limit = 5 * second
		default:
			limit = 300 * second
		}
		if now-f.Last < limit {
			return false
		}
		delete(k.flows, key)
		return true
	})
	return deltas
}

// throughKernel runs packets through a kernel and n shards, which see heads at
// most every tenth of a second and deltas every second.
func throughKernel(tb testing.TB, packets []capture.Packet, n int) ([]Event, Stats) {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.MaxFlows = min(cfg.MaxFlows, 16+2*len(packets))
	shards := make([]*Shard, n)
	for i := range shards {
		shards[i] = NewShard(cfg, wire.Table())
	}
	k := &kernel{flows: make(map[kernelKey]*kernelFlow)}
	var now, swept, handed int64
	seq := uint64(1)
	var times []int64
	deliver := func(deltas []capture.Delta) {
		picks := make([][]uint32, n)
		for i := range picks {
			picks[i] = []uint32{}
		}
		times = times[:0]
		for i := range k.heads {
			times = append(times, k.heads[i].Time)
			to := ShardOf(&k.heads[i], n)
			picks[to] = append(picks[to], uint32(i))
		}
		for i, s := range shards {
			s.Heads(k.heads, times, seq, picks[i])
		}
		seq += uint64(len(k.heads))
		k.heads = k.heads[:0]
		for i := range deltas {
			shards[ShardOfDelta(&deltas[i], n)].Delta(&deltas[i], now, seq)
			seq++
		}
		for _, s := range shards {
			s.Advance(now)
		}
	}
	for i := range packets {
		p := packets[i]
		p.Time = max(p.Time, now)
		if i == 0 {
			now, swept = p.Time, p.Time
		}
		for p.Time-swept >= second { // an idle kernel is asked, too
			now = swept + second
			if p.Time-swept > 1000*second && len(k.flows) == 0 {
				now = p.Time
			}
			swept, handed = now, now
			deliver(k.sweep(now))
		}
		if now = p.Time; now-handed >= second/10 {
			deliver(nil)
			handed = now
		}
		k.packet(&p)
	}
	deliver(k.sweep(now))
	var events []Event
	var total Stats
	for _, s := range shards {
		s.Close(now)
		events = append(events, s.Events()...)
		st := s.Stats()
		checkStats(tb, st)
		total.Add(&st)
	}
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	return events, total
}

// countable leaves out what a kernel does not hand out (frames without IP) or
// counts otherwise (what is in a tunnel).
func countable(packets []capture.Packet) []capture.Packet {
	var h Headers
	return slices.DeleteFunc(slices.Clone(packets), func(p capture.Packet) bool {
		return h.Decode(&p) != Accepted || h.EtherType == etherARP || h.Depth > 0
	})
}

// conversations sums up what End events say of each pair of endpoints.
func conversations(events []Event) map[string]*Record {
	out := make(map[string]*Record)
	for i := range events {
		if events[i].Kind != End {
			continue
		}
		r := events[i].Record
		a, b := &r.Client, &r.Server
		if a.compare(b) > 0 { // which one is the client may depend on what was seen first
			a, b = b, a
			for _, p := range []*[2]uint64{&r.Packets, &r.Bytes, &r.Payload} {
				p[0], p[1] = p[1], p[0]
			}
			r.Flags[0], r.Flags[1] = r.Flags[1], r.Flags[0]
		}
		name := fmt.Sprint(a.Addr, a.Port, b.Addr, b.Port, r.Proto, r.ICMPID)
		sum := out[name]
		if sum == nil {
			out[name] = &r
			continue
		}
		for i := range 2 {
			sum.Packets[i] += r.Packets[i]
			sum.Bytes[i] += r.Bytes[i]
			sum.Payload[i] += r.Payload[i]
			sum.Flags[i] |= r.Flags[i]
		}
	}
	return out
}

// TestDeltaParity: given real captures, what a kernel counts and hands out
// gives the flows that all packets give, to the byte.
func TestDeltaParity(t *testing.T) {
	wanted, read := make(map[string]uint64), make(map[string]uint64)
	for _, file := range corpusFiles(t, "protocols", "attacks", "iot-setup", "iot-week") {
		packets := countable(readAll(t, file))
		if len(packets) == 0 {
			continue
		}
		name := filepath.Base(file)
		wantEvents, want := analyse(t, packets, 1, 1000)
		gotEvents, got := throughKernel(t, packets, 1)
		checkEvents(t, gotEvents)
		if got.Packets != want.Packets || got.FragmentsHeld+got.InFlows != want.Packets {
			t.Errorf("%s: %d packets, want %d", name, got.Packets, want.Packets)
		}
		compareConversations(t, name, conversations(wantEvents), conversations(gotEvents))
		two, _ := throughKernel(t, packets, 2)
		if a, b := fingerprint(gotEvents), fingerprint(two); !slices.Equal(a, b) {
			t.Errorf("%s: two shards tell otherwise than one", name)
		}
		for _, c := range want.Messages {
			wanted[c.Protocol] += c.N
			read[c.Protocol] += got.Messages.Of(c.Protocol)
		}
	}
	// Of long connections a kernel hands out the beginning, which tells of
	// protocols only where there are many.
	for protocol, n := range wanted {
		t.Logf("%s: %d of %d messages", protocol, read[protocol], n)
		// Keys are renewed on the flow that carries the tunnel (port 4500), for as
		// long as that lives.
		if n >= 100 && read[protocol]*100 < n*85 && protocol != "ike" {
			t.Errorf("%s: %d of %d messages", protocol, read[protocol], n)
		}
	}
}

func compareConversations(t *testing.T, name string, want, got map[string]*Record) {
	t.Helper()
	for k, w := range want {
		g := got[k]
		if g == nil {
			t.Errorf("%s: no flow %s", name, k)
			continue
		}
		if g.Packets != w.Packets || g.Bytes != w.Bytes || g.Payload != w.Payload || g.Flags != w.Flags {
			t.Errorf("%s: %s: packets %v bytes %v payload %v flags %x,\nwant %v %v %v %x",
				name, k, g.Packets, g.Bytes, g.Payload, g.Flags, w.Packets, w.Bytes, w.Payload, w.Flags)
		}
	}
	for k := range got {
		if want[k] == nil {
			t.Errorf("%s: a flow too much: %s", name, k)
		}
	}
}
