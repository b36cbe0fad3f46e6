package flow

import (
	"bytes"
	"time"
)

const (
	// fragmentTimeout: Linux waits 30 s (net.ipv4.ipfrag_time); RFC 8200 says
	// 60 s, from the arrival of the first fragment in both.
	fragmentTimeout = int64(30 * time.Second)
	fragmentUnit    = 8
	fragmentBlocks  = (maxDatagram + fragmentUnit) / fragmentUnit
)

// fragmentKey says which fragments belong together (RFC 791, RFC 8200).
type fragmentKey struct {
	src, dst [16]byte
	id       uint32
	tunnel   uint32
	proto    uint8 // IPv4 only
	version  uint8
}

// counts are packets and bytes to be added to a flow.
type counts struct {
	packets, bytes, payload uint64
}

func (c *counts) add(o counts) {
	c.packets += o.packets
	c.bytes += o.bytes
	c.payload += o.payload
}

func countsOf(h *Headers) counts { return counts{1, uint64(h.Length), uint64(h.PayloadLen)} }

// datagram is an IP datagram in pieces.
type datagram struct {
	key     fragmentKey
	started int64
	head    Headers // of the fragment that came first, then of the first fragment
	known   bool    // head has the ports: fragments count at once
	held    counts  // of fragments that came before their flow was known
	damaged bool    // bytes are missing that will never come: snapped

	buf    []byte
	total  int // 0 until the last fragment came
	have   int // blocks
	blocks [(fragmentBlocks + 63) / 64]uint64
}

// reassembler puts datagrams together within fixed bounds. Of bytes that
// arrive twice the first copy wins, as in most hosts; differing second copies
// are counted, since they are how a detector is shown other bytes than the
// host.
type reassembler struct {
	maxDatagrams, maxBytes int

	live  []*datagram // oldest first
	spare []*datagram
	bytes int // capacity of all buffers in live

	// Counters, read by Shard.Stats.
	dropped, conflicts, orphans uint64
}

// add takes in a fragment and returns its datagram, nil if the fragment
// contradicts its siblings: the whole datagram is then dropped.
func (f *reassembler) add(h *Headers, now int64) *datagram {
	f.expire(now)
	p := &h.Fragment
	k := fragmentKey{src: h.Src, dst: h.Dst, id: p.id, tunnel: h.Tunnel, version: h.Version}
	if h.Version == 4 {
		k.proto = p.next
	}
	d := f.find(&k)
	if d == nil {
		d = f.start(&k, h, now)
	}
	end := p.offset + p.data.n
	switch {
	case d.total > 0 && (end > d.total || (!p.more && end != d.total)),
		!p.more && end < len(d.buf):
		f.drop(d)
		return nil
	case !p.more:
		d.total = end
	}
	if p.offset == 0 && (p.portsSeen || !d.known) {
		ports := d.known
		d.head = *h
		d.head.Payload, d.head.Fragment.data = nil, span{}
		d.known = ports || p.portsSeen
	}
	if len(p.data.b) < p.data.n {
		f.damage(d)
	}
	if !d.damaged {
		f.store(d, p)
	}
	return d
}

func (f *reassembler) find(k *fragmentKey) *datagram {
	for _, d := range f.live {
		if d.key == *k {
			return d
		}
	}
	return nil
}

func (f *reassembler) start(k *fragmentKey, h *Headers, now int64) *datagram {
	if len(f.live) >= f.maxDatagrams {
		f.drop(f.live[0])
	}
	d := &datagram{}
	if n := len(f.spare); n > 0 {
		d, f.spare = f.spare[n-1], f.spare[:n-1]
	}
	d.key, d.started, d.head = *k, now, *h
	d.head.Payload, d.head.Fragment.data = nil, span{}
	f.live = append(f.live, d)
	return d
}

// store copies the blocks of a piece that are not there yet.
func (f *reassembler) store(d *datagram, p *fragment) {
	data, end := p.data.b, p.offset+p.data.n
	if end > cap(d.buf) {
		size := min(max(end, 2*cap(d.buf), 2048), maxDatagram+1)
		for f.bytes+size-cap(d.buf) > f.maxBytes && f.live[0] != d {
			f.drop(f.live[0])
		}
		if f.bytes+size-cap(d.buf) > f.maxBytes {
			f.damage(d)
			return
		}
		f.bytes += size - cap(d.buf)
		d.buf = append(make([]byte, 0, size), d.buf...)
	}
	if end > len(d.buf) {
		d.buf = d.buf[:end]
	}
	for len(data) > 0 {
		block := p.data.n - len(data) + p.offset
		n := min(fragmentUnit, len(data))
		word, bit := block/fragmentUnit/64, uint64(1)<<(block/fragmentUnit%64)
		if d.blocks[word]&bit == 0 {
			d.blocks[word] |= bit
			d.have++
			copy(d.buf[block:], data[:n])
		} else if !bytes.Equal(d.buf[block:block+n], data[:n]) {
			f.conflicts++
		}
		data = data[n:]
	}
}

// complete reports whether all bytes are there.
func (d *datagram) complete() bool {
	return d.total > 0 && !d.damaged && d.have == (d.total+fragmentUnit-1)/fragmentUnit
}

// damage notes that a datagram can never be complete. It stays, without its
// bytes, because its ports are still needed for the fragments to come.
func (f *reassembler) damage(d *datagram) {
	d.damaged = true
	f.bytes -= cap(d.buf)
	d.buf = nil
}

// drop gives up a datagram that will not become complete.
func (f *reassembler) drop(d *datagram) {
	f.dropped++
	f.orphans += d.held.packets
	f.take(d)
	f.release(d)
}

// take removes a datagram from those in flight; the caller owns it until it
// calls release.
func (f *reassembler) take(d *datagram) {
	for i, other := range f.live {
		if other == d {
			f.live = append(f.live[:i], f.live[i+1:]...)
			f.bytes -= cap(d.buf)
			return
		}
	}
}

func (f *reassembler) release(d *datagram) {
	*d = datagram{}
	f.spare = append(f.spare, d)
}

// expire drops the datagrams that have waited too long. Their age counts from
// the first fragment, so which ones are due depends on packet time only.
func (f *reassembler) expire(now int64) {
	for len(f.live) > 0 && now-f.live[0].started >= fragmentTimeout {
		f.drop(f.live[0])
	}
}

// fragment takes in a fragment: what it adds to its flow, and what becomes
// readable once its datagram is complete.
func (s *Shard) fragment(h *Headers) {
	n := countsOf(h)
	if h.Fragment.alone {
		s.stats.InFlows++
		s.packet(h, n)
		return
	}
	if s.heads {
		n = s.pieceCounts(h)
	}
	d := s.frags.add(h, s.now)
	switch {
	case d == nil:
		s.stats.Refused[BadFragment]++
		return
	case d.known:
		n.add(d.held)
		d.held = counts{}
		s.stats.InFlows += n.packets
		if h.Fragment.offset == 0 {
			s.packet(h, n)
		} else {
			later := d.head
			later.Flags = 0
			s.packet(&later, n)
		}
	default:
		d.held.add(n)
	}
	if d.complete() {
		s.frags.take(d)
		s.reassembled(d)
		s.frags.release(d)
	}
}

// reassembled reads a datagram that is complete. Its fragments have been
// counted, or are in d.held if only the whole shows their flow.
func (s *Shard) reassembled(d *datagram) {
	s.stats.Reassembled++
	h := d.head
	switch r := h.resume(d.head.Fragment.next, d.buf[:d.total]); {
	case r != Accepted:
		s.stats.Refused[r] += d.held.packets
	case h.EtherType == etherARP:
		s.stats.InFlows += d.held.packets
		s.arp(&h)
	case h.Fragment.is: // inside a tunnel; it accounts for one frame itself
		s.stats.InFlows += d.held.packets - 1
		s.fragment(&h)
	case h.Depth > d.head.Depth: // one packet, in however many pieces its tunnel carried it
		s.stats.InFlows += d.held.packets
		s.stats.Tunnel += d.held.packets
		s.packet(&h, countsOf(&h))
	default:
		s.stats.InFlows += d.held.packets
		s.packet(&h, d.held)
	}
}
