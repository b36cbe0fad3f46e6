package flow

import (
	"net/netip"
	"slices"

	"gatehouse/wire"
)

// packet counts a packet in its flow and hands its payload to the parsers. n
// is what to count: more than one packet where fragments had to wait, none
// where they have been counted and only the payload is new.
func (s *Shard) packet(h *Headers, n counts) {
	var k key
	from := k.set(h)
	s.inFlow(h, &k, k.hash(s.table.seed), from, n)
}

// inFlow is packet with the key at hand.
func (s *Shard) inFlow(h *Headers, k *key, hash uint64, from side, n counts) {
	r := s.lookup(k, hash, h, from)
	if r == 0 {
		r = s.open(k, hash, h, from)
	}
	e := s.table.at(r)
	if s.heads {
		n = s.headNews(r, h, from, n)
	}
	s.update(r, e, h, from, n)
	if e.event == unannounced && !s.quiet(e) {
		s.announce(e)
	}
	if h.PayloadLen > 0 && !h.Fragment.is && h.Flags&TCPRst == 0 { // what a RST carries is not stream data
		s.parse(r, e, h, from)
	}
	if e.class == classClosed {
		s.finishIfIdle(e, h, from)
	}
	if e.event == unannounced {
		if len(s.messages) == 0 {
			return
		}
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

// lookup returns the flow of a packet, after ending those that the packet
// shows to be over.
func (s *Shard) lookup(k *key, hash uint64, h *Headers, from side) ref {
	for {
		r, over := s.table.find(k, hash, h.VLAN, s.now)
		switch {
		case r == 0:
			return 0
		case over:
			s.timeout(r)
		case h.Proto == protoTCP && s.reopens(s.table.at(r), h, from):
			reason := EndIdle
			if s.table.at(r).class == classClosed {
				reason = EndClosed
			}
			s.end(r, reason, s.now, s.seq)
		default:
			return r
		}
	}
}

// reopens reports whether a SYN starts a new connection on the five-tuple of
// one that is closed, closing, silent for as long as a handshake may be, or was
// joined mid-stream, when any handshake is a later one. A SYN with the same
// initial sequence number is a retransmission.
func (s *Shard) reopens(e *entry, h *Headers, from side) bool {
	if h.Flags&(TCPSyn|TCPRst) != TCPSyn {
		return false
	}
	if e.midstream && e.isnKnown == 0 {
		return true
	}
	if h.Flags&TCPAck != 0 || (e.isnKnown>>from&1 != 0 && e.isn[from] == h.Seq) {
		return false
	}
	return e.class == classClosed || e.fin != 0 || s.now-e.last >= int64(s.cfg.HalfOpen)
}

// open adds a flow for a packet, making room if there is none.
func (s *Shard) open(k *key, hash uint64, h *Headers, from side) ref {
	t := s.table
	if t.full() {
		t.advance(s.now, s.expire)
	}
	if t.full() {
		s.stats.Evicted++
		s.end(t.victim(), EndEvicted, s.now, s.seq)
	}
	r := t.insert(k, hash, h.VLAN)
	e := t.at(r)
	e.iface, e.first, e.last, e.event = s.iface, s.now, s.now, unannounced
	e.id = max(1, mix(k.hash(0)^seedShard, s.seq^seedAddr))
	e.class = firstClass(h)
	e.midstream = h.Proto == protoTCP && h.Flags&TCPSyn == 0
	s.orient(e, h, from)
	if h.isICMP() {
		e.icmpType, e.icmpCode = h.ICMPType, h.ICMPCode
		if request, ok := icmpCounterpart(h.Proto, h.ICMPType); ok && e.client != from {
			e.icmpType = request
		}
	}
	t.link(r, e)
	s.stats.Flows++
	if s.ledger != nil {
		s.ledger.open(r, k, h.VLAN)
	}
	return r
}

// firstClass classes a flow by its first packet.
func firstClass(h *Headers) class {
	switch h.Proto {
	case protoTCP:
		switch {
		case h.Flags&TCPRst != 0:
			return classClosed
		case h.Flags&(TCPSyn|TCPFin|TCPAck) == TCPAck: // joined mid-stream
			return classEstablished
		default:
			return classOpening
		}
	case protoUDP:
		return classUDP
	case protoICMP, protoICMPv6:
		return classICMP
	default:
		return classOther
	}
}

// update counts a packet. It allocates nothing.
func (s *Shard) update(r ref, e *entry, h *Headers, from side, n counts) {
	if e.packets[from] == 0 {
		e.mac[from] = h.SrcMAC
	}
	if h.VLAN != e.vlan && e.vlan == 0 {
		s.table.tagWith(e, h.VLAN)
	}
	e.last = s.now
	e.packets[from] += n.packets
	e.bytes[from] += n.bytes
	e.payload[from] += n.payload
	if h.Proto == protoTCP {
		e.flags[from] |= h.Flags
		s.step(r, e, h, from)
	}
}

// step follows the TCP state as far as timeouts need it.
func (s *Shard) step(r ref, e *entry, h *Headers, from side) {
	const interesting = TCPSyn | TCPFin | TCPRst
	if h.Flags&interesting == 0 {
		if e.class == classOpening && h.Flags&TCPAck != 0 && e.packets[0] > 0 && e.packets[1] > 0 {
			e.class = classEstablished // the later deadline is found when the wheel comes round
		}
		return
	}
	if h.Flags&TCPSyn != 0 && e.isnKnown>>from&1 == 0 {
		e.isn[from] = h.Seq
		e.isnKnown |= 1 << from
	}
	if h.Flags&TCPFin != 0 {
		e.fin |= 1 << from
	}
	if e.class != classClosed && (h.Flags&TCPRst != 0 || e.fin == 3) {
		e.class = classClosed
		s.table.relink(r, e)
	}
}

// timeout ends a flow whose deadline has passed, as of its deadline.
func (s *Shard) timeout(r ref) {
	e := s.table.at(r)
	reason := EndIdle
	if e.class == classClosed {
		reason = EndClosed
	}
	s.end(r, reason, s.table.deadline(e), 0)
}

// end removes a flow. What its parser can make of unfinished messages comes
// with the event.
func (s *Shard) end(r ref, reason EndReason, at int64, seq uint64) {
	e := s.table.at(r)
	found := s.messages
	s.messages = nil
	s.finish(e)
	s.remember(e)
	if e.event == unannounced {
		s.stats.Unannounced++
		s.stats.MessagesUnannounced += uint64(len(s.messages))
	} else {
		ev := s.event(e)
		ev.Kind, ev.Reason, ev.Time, ev.Seq, ev.Messages = End, reason, at, seq, s.messages
	}
	if e.futile() && (e.event == unannounced || reason == EndEvicted) {
		s.giveUp(e)
	}
	s.messages = found
	if s.ledger != nil {
		s.ledger.close(r, e)
	}
	s.table.remove(r)
}

// emit reports a flow together with the messages of the packet at hand.
func (s *Shard) emit(kind EventKind, e *entry) {
	e.event = s.now
	ev := s.event(e)
	ev.Kind, ev.Time, ev.Seq = kind, s.now, s.seq
	if len(s.messages) > 0 {
		ev.Messages = s.carve(s.messages)
		clear(s.messages)
		s.messages = s.messages[:0]
	}
	e.missed = 0
}

// event adds an event of a flow.
func (s *Shard) event(e *entry) *Event {
	s.events = append(s.events, Event{})
	ev := &s.events[len(s.events)-1]
	ev.Missed = e.missed
	s.record(&ev.Record, e)
	return ev
}

// messagesAtOnce is how many places for messages are allocated together: most
// events have one message, and an allocation each was 7 % of all.
const messagesAtOnce = 64

// carve returns a copy of messages for an event. A run of them is freed when
// the last of its events is.
func (s *Shard) carve(messages []wire.Message) []wire.Message {
	n := len(messages)
	if n > len(s.places) {
		if n > messagesAtOnce/4 {
			return slices.Clone(messages)
		}
		s.places = make([]wire.Message, messagesAtOnce)
	}
	out := s.places[:n:n]
	s.places = s.places[n:]
	copy(out, messages)
	return out
}

// record describes a flow from its client's point of view. r is zero. It is
// filled field by field, since a literal would be put together elsewhere first:
// copying it from there in wide words right after it was written in narrow ones
// makes the processor wait.
func (s *Shard) record(r *Record, e *entry) {
	c := e.client & 1
	v := c ^ 1
	r.ID = e.id
	e.endpoint(&r.Client, c)
	e.endpoint(&r.Server, v)
	r.Proto, r.VLAN, r.Iface, r.Tunnel = e.key.proto, e.vlan, e.iface, e.key.tunnel != 0
	r.Initiator, r.Midstream = e.initiator, e.midstream
	r.ICMPType, r.ICMPCode, r.ICMPID = e.icmpType, e.icmpCode, e.key.id
	r.First, r.Last = e.first, e.last
	r.Packets[0], r.Packets[1] = e.packets[c], e.packets[v]
	r.Bytes[0], r.Bytes[1] = e.bytes[c], e.bytes[v]
	r.Payload[0], r.Payload[1] = e.payload[c], e.payload[v]
	r.Flags[0], r.Flags[1] = e.flags[c], e.flags[v]
	if e.app != 0 {
		r.App = s.apps[e.app-1]
	}
	if e.upgrade != 0 {
		r.Upgrade = s.apps[e.upgrade-1]
	}
	if e.unlike != 0 {
		r.Expected = s.protocols[e.unlike-1].Name
	}
}

// endpoint describes one side of a flow.
func (e *entry) endpoint(p *Endpoint, i side) {
	p.Addr = netip.AddrFrom16(e.key.addr[i])
	if e.key.kind&keyIPv6 == 0 {
		p.Addr = p.Addr.Unmap()
	}
	p.MAC = e.mac[i]
	p.Port = e.portOf(i)
}

// portOf is the port of one side, 0 for ICMP.
func (e *entry) portOf(i side) uint16 {
	if e.class == classICMP {
		return 0
	}
	return e.key.port[i]
}

// count notes a parsed message and returns the number of its protocol name.
func (s *Shard) count(m wire.Message) uint8 {
	i := s.appNumber(m.Protocol())
	if i != 0 {
		s.parsed[i-1]++
	}
	return i
}

// appNumber returns the index of a protocol's name plus one, 0 if there are
// too many names.
func (s *Shard) appNumber(name string) uint8 {
	i := slices.Index(s.apps, name)
	if i < 0 {
		if len(s.apps) == 255 {
			return 0
		}
		i = len(s.apps)
		s.apps = append(s.apps, name)
		s.parsed = append(s.parsed, 0)
	}
	return uint8(i + 1)
}
