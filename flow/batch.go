package flow

import "gatehouse/capture"

// lookahead is how many packets Batch decodes before it takes in the first of
// them. A processor core keeps 10 to 20 cache misses in flight; 32 packets
// saturate that, and what is kept of them (8 KiB) leaves room in a 32 KiB
// first-level cache.
const lookahead = 32

// glance is what is known of a packet before its flow is looked up.
type glance struct {
	headers Headers
	key     key
	hash    uint64
	from    side
	reason  Reason
	keyed   bool // key, hash and from are set
}

// read decodes a packet.
func (g *glance) read(p *capture.Packet, seed uint64) {
	h := &g.headers
	g.reason = h.Decode(p)
	if g.keyed = g.reason == Accepted && h.EtherType != etherARP && !h.Fragment.is; g.keyed {
		g.from = g.key.set(h)
		g.hash = g.key.hash(seed)
	}
}

// Packet takes in one frame. now is the time of analysis in nanoseconds since
// the Unix epoch and never decreases; seq is the ordinal of the frame in the
// whole input, from 1 and increasing. p is not kept.
func (s *Shard) Packet(p *capture.Packet, now int64, seq uint64) {
	g := &s.ahead[0]
	g.read(p, s.table.seed)
	s.take(g, p, now, seq)
}

// Batch does what Packet does for every packet in pick, which holds indexes
// into packets and times in increasing order; nil means all. first is the
// ordinal of packets[0]. It is faster than Packet where the table does not
// fit the processor's caches: memory is asked for the flows of many packets
// at once.
func (s *Shard) Batch(packets []capture.Packet, times []int64, first uint64, pick []uint32) {
	n := len(packets)
	if pick != nil {
		n = len(pick)
	}
	index := func(i int) int {
		if pick != nil {
			return int(pick[i])
		}
		return i
	}
	for start := 0; start < n; start += lookahead {
		ahead := s.ahead[:min(lookahead, n-start)]
		for i := range ahead {
			ahead[i].read(&packets[index(start+i)], s.table.seed)
		}
		s.table.touch(ahead)
		for i := range ahead {
			p := index(start + i)
			if s.heads {
				s.takeHead(&ahead[i], &packets[p], times[p], first+uint64(p))
				continue
			}
			s.take(&ahead[i], &packets[p], times[p], first+uint64(p))
		}
	}
}

// take counts a packet that was read and hands it on.
func (s *Shard) take(g *glance, p *capture.Packet, now int64, seq uint64) {
	s.setNow(now)
	s.seq, s.iface = seq, p.Iface
	s.stats.Packets++
	s.stats.Bytes += uint64(max(p.Length, len(p.Data)))
	h := &g.headers
	switch {
	case g.reason == NonIP:
		s.frame(h)
	case g.reason != Accepted:
		s.stats.Refused[g.reason]++
	case h.EtherType == etherARP:
		s.stats.ARP++
		s.arp(h)
	case h.Fragment.is:
		s.stats.Fragments++
		s.fragment(h)
	default:
		s.stats.InFlows++
		if h.Depth > 0 {
			s.stats.Tunnel++
		}
		s.inFlow(h, &g.key, g.hash, g.from, countsOf(h))
	}
}

// touch loads what the look-ups of a batch are going to read: first the index
// slots of all packets, then their entries. The loads of each round do not
// depend on one another, so that the processor waits for all of them together
// instead of once for each. It changes nothing that anyone reads.
func (t *table) touch(batch []glance) {
	if t.count < touchFrom {
		return
	}
	mask := uint32(len(t.slots) - 1)
	var sum uint32
	for i := range batch {
		if g := &batch[i]; g.keyed {
			sum += t.slots[uint32(g.hash>>32)&mask].tag
		}
	}
	for i := range batch {
		g := &batch[i]
		if !g.keyed {
			continue
		}
		tag := uint32(g.hash >> 32)
		j := tag & mask
		for t.slots[j].ref != 0 && t.slots[j].tag != tag {
			j = (j + 1) & mask
		}
		if r := t.slots[j].ref; r != 0 {
			sum += t.at(r).touch()
		}
	}
	t.touched += sum
}

// touch reads one field in each of the two lines that a packet needs.
func (e *entry) touch() uint32 { return uint32(e.vlan) + e.stream }

// touchFrom is the number of flows from which touch pays: fewer entries stay
// in a second-level cache of 512 KiB by themselves.
const touchFrom = 4096
