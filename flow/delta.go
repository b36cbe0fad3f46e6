package flow

import (
	"gatehouse/capture"
)

// A kernel that counts packets hands out few of them: heads, whose payload is
// worth reading. Both describe the same packets, so a flow has either been
// counted by its heads (the first packets, at once) or by its deltas (all
// packets, up to capture.DeltaLag later). Of each counter the larger of the two
// sums is right at any time: neither counts what was not there, and at the end
// the deltas have everything.

// balance is how far the heads of a flow are ahead of its deltas, by side. It
// is negative where deltas have counted more, which is the rule.
type balance struct {
	packets, bytes, payload [2]int64
	lost                    [2]uint16 // HeadsLost that was told of
}

// due reports whether deltas have yet to come for what was counted.
func (b *balance) due() bool {
	for i := range side(2) {
		if b.packets[i] > 0 || b.bytes[i] > 0 || b.payload[i] > 0 {
			return true
		}
	}
	return false
}

// head enters a packet that was handed out, and returns what of it is news.
func (b *balance) head(from side, n counts) counts {
	return counts{ahead(&b.packets[from], n.packets), ahead(&b.bytes[from], n.bytes), ahead(&b.payload[from], n.payload)}
}

// delta enters what the kernel counted, and returns what of it is news.
func (b *balance) delta(from side, n counts) counts {
	return counts{behind(&b.packets[from], n.packets), behind(&b.bytes[from], n.bytes), behind(&b.payload[from], n.payload)}
}

// ahead and behind keep max(heads, deltas) growing: given heads - deltas, they
// add n to one of the sums and return by how much the larger one grew.
func ahead(lead *int64, n uint64) uint64 {
	before := max(*lead, 0)
	*lead += int64(n)
	return uint64(max(*lead, 0) - before)
}

func behind(lead *int64, n uint64) uint64 {
	before := max(*lead, 0)
	*lead -= int64(n)
	return uint64(int64(n) + max(*lead, 0) - before)
}

const (
	// maxDebts bounds the balances that outlive their flow, and maxPieces the
	// flows whose later fragments can be told: beyond that the oldest half of
	// the time goes first. Both are rare: a flow that ends between a packet and
	// its delta, and datagrams beyond the size of a frame.
	maxDebts  = 4096
	maxPieces = 1024
)

// ledger is what a shard keeps beside the flow table when a kernel counts.
type ledger struct {
	balances [][]balance // by ref, in chunks as the table's entries
	debts    map[debtor]balance
	pieces   map[hostPair]key
}

// debtor names a flow that has ended.
type debtor struct {
	key  key
	vlan uint16
}

// hostPair names what later fragments show of their flow.
type hostPair struct {
	addr        [2][16]byte
	proto, kind uint8
}

func pairOfKey(k *key) hostPair { return hostPair{k.addr, k.proto, k.kind & keyIPv6} }

// of returns the balance of a flow.
func (l *ledger) of(r ref) *balance {
	i := uint32(r - 1)
	for int(i>>chunkBits) >= len(l.balances) {
		l.balances = append(l.balances, make([]balance, chunkSize))
	}
	return &l.balances[i>>chunkBits][i&(chunkSize-1)]
}

// open takes up what an earlier flow with this key left.
func (l *ledger) open(r ref, k *key, vlan uint16) {
	if debt, ok := l.debts[debtor{*k, vlan}]; ok {
		*l.of(r) = debt
		delete(l.debts, debtor{*k, vlan})
	}
}

// close forgets the balance of a flow that ends. Where deltas are due they will
// find another flow with this key, or none.
func (l *ledger) close(r ref, e *entry) {
	b := l.of(r)
	if b.due() {
		if len(l.debts) >= maxDebts {
			clear(l.debts)
		}
		for i := range side(2) { // what deltas have counted more is settled
			b.packets[i], b.bytes[i], b.payload[i] = max(b.packets[i], 0), max(b.bytes[i], 0), max(b.payload[i], 0)
		}
		l.debts[debtor{e.key, e.vlan}] = *b
	}
	*b = balance{}
}

// keepBooks makes the ledger when the first head or delta comes. From then on
// flows may be silent for longer, since a delta tells late that they were not.
func (s *Shard) keepBooks() {
	if s.ledger != nil {
		return
	}
	s.ledger = &ledger{debts: make(map[debtor]balance), pieces: make(map[hostPair]key)}
	for c := range s.table.timeout {
		if class(c) != classClosed {
			s.table.timeout[c] += capture.DeltaLag
		}
	}
}

// Heads does what Batch does for a batch of heads: IP packets that come with
// deltas, too. Their payload is parsed, and they are counted as far as no delta
// has counted them.
func (s *Shard) Heads(packets []capture.Packet, times []int64, first uint64, pick []uint32) {
	s.keepBooks()
	s.heads = true
	s.Batch(packets, times, first, pick)
	s.heads = false
}

// takeHead is take for a head. In the statistics of frames it has no part.
func (s *Shard) takeHead(g *glance, p *capture.Packet, now int64, seq uint64) {
	st := &s.stats
	if g.reason != Accepted || g.headers.EtherType == etherARP {
		s.take(g, p, now, seq)
		return
	}
	packets, bytes, inFlows, tunnel, fragments, bad := st.Packets, st.Bytes, st.InFlows, st.Tunnel, st.Fragments, st.Refused[BadFragment]
	s.take(g, p, now, seq)
	st.Packets, st.Bytes, st.InFlows, st.Tunnel, st.Fragments, st.Refused[BadFragment] = packets, bytes, inFlows, tunnel, fragments, bad
	st.Heads++
}

// headNews is what of a head is to be added to its flow. The kernel counts a
// tunnel as a whole: what is inside is counted by the heads that show it.
func (s *Shard) headNews(r ref, h *Headers, from side, n counts) counts {
	if h.Depth > 0 {
		return n
	}
	return s.ledger.of(r).head(from, n)
}

// pieceCounts is what a fragment that is a head adds to its flow: later ones
// are counted without ports, see capture.Delta.
func (s *Shard) pieceCounts(h *Headers) counts {
	if !h.Fragment.portsSeen {
		return counts{}
	}
	s.notePiece(h)
	return countsOf(h)
}

// notePiece remembers the flow of a datagram in pieces.
func (s *Shard) notePiece(h *Headers) {
	var k key
	k.set(h)
	l := s.ledger
	if len(l.pieces) >= maxPieces {
		clear(l.pieces)
	}
	l.pieces[pairOfKey(&k)] = k
}

// Delta takes in what the kernel counted of a flow. now and seq are as for
// Packet; Record.First and Last are those of the delta.
func (s *Shard) Delta(d *capture.Delta, now int64, seq uint64) {
	s.keepBooks()
	s.setNow(now)
	s.seq, s.iface = seq, d.Iface
	packets := d.Packets[0] + d.Packets[1]
	s.stats.Packets += packets
	s.stats.Bytes += d.Bytes[0] + d.Bytes[1]
	h, first := headersOf(d)
	var k key
	// The sides of a key are those of a delta, but for two ports of one host.
	swapped := k.set(&h) != first
	if d.Fragment {
		s.stats.Fragments += packets
		whole, ok := s.ledger.pieces[pairOfKey(&k)]
		if !ok && h.needsSiblings(h.Proto) {
			s.stats.FragmentsHeld += packets
			return
		}
		if ok {
			k = whole
		}
	}
	s.stats.InFlows += packets
	if swapped {
		first ^= 1
	}
	s.merge(d, &h, &k, first, swapped)
}

// headersOf describes the packet with which the flow of a delta began, as far
// as that is known, and tells which end sent it.
func headersOf(d *capture.Delta) (h Headers, first side) {
	first = d.First & 1
	h = Headers{
		VLAN: d.VLAN, EtherType: etherIPv4, Version: 4, Proto: d.Proto,
		SrcMAC: d.MAC[first], DstMAC: d.MAC[first^1],
		Src: d.Addr[first], Dst: d.Addr[first^1],
		SrcPort: d.Port[first], DstPort: d.Port[first^1],
		ICMPType: d.ICMPType, ICMPCode: d.ICMPCode, ICMPID: d.ICMPID,
	}
	if d.IPv6 {
		h.EtherType, h.Version = etherIPv6, 6
	}
	if d.Proto == protoTCP {
		h.Flags = firstFlags(d, first)
	}
	return h, first
}

// firstFlags guesses the flags of the first packet from those of all. A
// direction that has a SYN began with it, unless the flow was joined late, when
// no direction has one: of a flow that lasts for hours at most one does.
func firstFlags(d *capture.Delta, first side) uint8 {
	const answer = TCPSyn | TCPAck
	mine, other := d.Flags[first], d.Flags[first^1]
	switch {
	case mine&TCPSyn == 0:
		return mine & (TCPAck | TCPFin | TCPRst)
	case mine&answer == answer && other&TCPSyn == 0 && d.Packets[first^1] > 0:
		return answer // the SYN was sent before anyone counted
	default:
		return TCPSyn
	}
}

// merge adds a delta to its flow.
func (s *Shard) merge(d *capture.Delta, h *Headers, k *key, first side, swapped bool) {
	hash := k.hash(s.table.seed)
	r := s.current(k, hash, h.VLAN)
	if r == 0 {
		if s.settles(d, k, swapped) {
			return
		}
		r = s.openDelta(d, h, k, hash, first)
	}
	e := s.table.at(r)
	if h.VLAN != e.vlan && e.vlan == 0 {
		s.table.tagWith(e, h.VLAN)
	}
	b := s.ledger.of(r)
	for i := range side(2) {
		from := i
		if swapped {
			from ^= 1
		}
		s.addDelta(e, b, d, i, from)
	}
	e.last = max(e.last, min(d.Last, s.now))
	if e.key.proto == protoTCP {
		e.stepDelta()
	}
	// Not overdue: what ends, ends after it was told of.
	e.last = max(e.last, s.now-s.table.timeout[e.class]+1)
	s.table.relink(r, e)
	if e.key.proto == protoTCP {
		if e.fin == 3 { // of a reset, nobody knows whether its receiver took it for one
			s.finishIfIdle(e, h, first)
		}
		if swapped {
			s.endHeads(e, d.HeadsDone[1], d.HeadsDone[0])
		} else {
			s.endHeads(e, d.HeadsDone[0], d.HeadsDone[1])
		}
	}
	s.report(e)
}

// report tells of a flow that has changed by a delta.
func (s *Shard) report(e *entry) {
	if e.event == unannounced {
		if s.quiet(e) {
			s.hush()
			return
		}
		s.announce(e)
	}
	if len(s.messages) > 0 || s.now-e.event >= int64(s.cfg.UpdateEvery) {
		s.emit(Update, e)
	}
}

// current returns the flow with this key that is not over.
func (s *Shard) current(k *key, hash uint64, vlan uint16) ref {
	for {
		r, over := s.table.find(k, hash, vlan, s.now)
		if !over {
			return r
		}
		s.timeout(r)
	}
}

// settles reports whether a delta without a flow tells only of packets that a
// flow which has ended was counted with. What it tells beyond that opens one.
func (s *Shard) settles(d *capture.Delta, k *key, swapped bool) bool {
	who := debtor{*k, d.VLAN}
	debt, ok := s.ledger.debts[who]
	if !ok {
		return d.Packets == [2]uint64{} // the kernel forgets a flow that we forgot before
	}
	for i := range side(2) {
		from := i
		if swapped {
			from ^= 1
		}
		if int64(d.Packets[i]) > debt.packets[from] {
			return false
		}
	}
	for i := range side(2) {
		from := i
		if swapped {
			from ^= 1
		}
		debt.delta(from, counts{d.Packets[i], d.Bytes[i], d.Payload[i]})
	}
	delete(s.ledger.debts, who)
	if debt.due() {
		s.ledger.debts[who] = debt
	}
	return true
}

// openDelta adds a flow of which no head came.
func (s *Shard) openDelta(d *capture.Delta, h *Headers, k *key, hash uint64, first side) ref {
	r := s.open(k, hash, h, first)
	e := s.table.at(r)
	e.first, e.last = min(d.Begin, s.now), min(d.Last, s.now)
	if e.key.proto == protoTCP {
		e.midstream = (d.Flags[0]|d.Flags[1])&TCPSyn == 0
	}
	return r
}

// addDelta adds side i of a delta to side from of a flow.
func (s *Shard) addDelta(e *entry, b *balance, d *capture.Delta, i, from side) {
	if e.packets[from] == 0 && d.Packets[i] > 0 {
		e.mac[from] = d.MAC[i]
	}
	n := b.delta(from, counts{d.Packets[i], d.Bytes[i], d.Payload[i]})
	e.packets[from] += n.packets
	e.bytes[from] += n.bytes
	e.payload[from] += n.payload
	if e.key.proto == protoTCP {
		e.flags[from] |= d.Flags[i]
	}
	lost := d.HeadsLost[i]
	if lost < b.lost[from] { // the kernel had forgotten the flow
		b.lost[from] = 0
	}
	missed := uint32(lost - b.lost[from])
	b.lost[from] = lost
	e.missed += missed
	s.stats.HeadsLost += uint64(missed)
}

// stepDelta follows the TCP state by what flags were seen at all.
func (e *entry) stepDelta() {
	client := e.client & 1
	for i := range side(2) {
		if e.flags[i]&TCPFin != 0 {
			e.fin |= 1 << i
		}
	}
	switch {
	case e.class == classClosed:
	case (e.flags[0]|e.flags[1])&TCPRst != 0 || e.fin == 3:
		e.class = classClosed
	case e.class == classOpening && e.answered() && e.flags[client]&TCPAck != 0:
		e.class = classEstablished
	}
}

// endHeads ends the parsing of directions of which no more heads come. What the
// parser has is all that it will get, and nothing is lost by that.
func (s *Shard) endHeads(e *entry, lower, higher bool) {
	for i, done := range [2]bool{lower, higher} {
		if !done || e.stream == 0 || e.stream == noStream {
			continue
		}
		if st := s.streams.at(e.stream); !st.half[e.dir(side(i))].stopped {
			s.stop(e, st, e.dir(side(i)))
		}
	}
}
