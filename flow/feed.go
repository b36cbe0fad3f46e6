package flow

import (
	"errors"

	"gatehouse/wire"
)

const (
	sniffBudget = 512 // bytes a recogniser may ask for
	maxUpgrades = 3   // protocols following one another on a connection
	// lateBudget is how many bytes of one direction an unknown protocol may
	// take before one that can be read. The dialogue before STARTTLS is below
	// 1 KiB in SMTP, IMAP and POP3.
	lateBudget = 4 << 10
)

// feed gives the parser what it has not consumed and what is new.
func (s *Shard) feed(e *entry, st *stream, dir wire.Dir, part []byte) {
	hf := &st.half[dir]
	if hf.lost {
		if !s.isStream(st.row, dir, part) {
			return
		}
		hf.lost = false
	}
	b := part
	if len(hf.buf) > 0 {
		hf.buf = append(hf.buf, part...)
		b = hf.buf
	}
	known := st.parser != nil
	if !known {
		if !hf.foreign {
			s.sniff(e, st, dir, b)
		}
		if hf.foreign {
			b = part
			s.sniffLate(e, st, dir, part)
		}
		if st.parser == nil {
			if !hf.stopped && !hf.foreign && e.stream != noStream {
				s.streams.keep(hf, b)
			}
			return
		}
	}
	s.run(e, st, dir, b)
	if !known {
		s.feedWaiting(e, st, dir.Other())
		s.feedWaiting(e, st, dir) // answers that waited for what they answer
	}
}

// feedWaiting feeds a direction that had waited for the other to be recognised
// or to be read.
func (s *Shard) feedWaiting(e *entry, st *stream, dir wire.Dir) {
	hf := &st.half[dir]
	if e.stream != noStream && st.parser != nil && !hf.stopped && len(hf.buf) > 0 {
		s.run(e, st, dir, hf.buf)
	}
}

// run calls the parser with all of b and acts on its verdict.
func (s *Shard) run(e *entry, st *stream, dir wire.Dir, b []byte) {
	hf := &st.half[dir]
	n, msgs, err := s.callFeed(st.parser, dir, b)
	n = min(max(n, 0), len(b))
	if len(msgs) > 0 || st.longLived {
		hf.spent = len(b) - n
	}
	s.foundAll(e, st, msgs)
	s.streams.keep(hf, b[n:])
	switch {
	case err == nil:
		if st.skipper != nil && n == len(b) {
			hf.skip = max(0, s.callSkip(st.skipper, dir))
		}
	case errors.Is(err, wire.ErrUpgrade):
		s.upgrade(e, st)
	default:
		if errors.Is(err, wire.ErrDone) {
			s.name(e, st.row)
		} else {
			s.stats.ParseErrors++
		}
		s.release(e)
	}
}

// speak gives a connection its parser.
func (s *Shard) speak(st *stream, row uint8) {
	p := &s.protocols[row-1]
	st.spoken = spoken{parser: p.NewStream(), row: row, longLived: p.LongLived}
	st.skipper, _ = st.parser.(wire.Skipper)
	st.flusher, _ = st.parser.(wire.Flusher)
	st.retainer, _ = st.parser.(wire.Retainer)
	st.reuser, _ = st.parser.(wire.Reuser)
}

// sniff recognises the protocol from the first bytes of a direction. Of a
// direction that nobody recognises only the heads of segments are looked at;
// the other may still tell, as where the server speaks first.
func (s *Shard) sniff(e *entry, st *stream, dir wire.Dir, b []byte) {
	hf, other := &st.half[dir], &st.half[dir.Other()]
	byPort := s.portRow(e)
	v := s.recogniseStream(dir, b, byPort)
	if v.row == 0 && v.maybe && len(b) <= sniffBudget {
		return
	}
	switch {
	case v.row != 0 && v.row == byPort:
		e.unlike = 0
	case v.unlike && e.fromStart(dir) && st.upgrades == 0:
		e.unlike = byPort
	}
	if v.row == 0 {
		hf.foreign, hf.buf = true, nil
		if other.stopped {
			s.release(e)
		}
		return
	}
	if st.upgrades > 0 {
		e.upgrade = s.appNumber(s.protocols[v.row-1].Name)
	}
	s.speak(st, v.row)
	if other.foreign && st.longLived {
		other.foreign, other.lost = false, true // it was joined within a message
	}
}

// portRow is the row of the protocol that is registered for the server's port,
// plus one, or failing that for the client's.
func (s *Shard) portRow(e *entry) uint8 {
	return s.recogniser.tcpRow.of(e.key.port[e.client^1], e.key.port[e.client])
}

// fromStart reports whether the first bytes of a direction are the first that
// were sent.
func (e *entry) fromStart(dir wire.Dir) bool { return e.isnKnown>>(side(dir)^e.client)&1 != 0 }

// sniffLate looks for a protocol that begins with this segment, after another
// that is unknown: TLS after STARTTLS. The other end has then agreed to it and
// goes on in it. A long-lived protocol that was joined within a message goes
// on with its next.
func (s *Shard) sniffLate(e *entry, st *stream, dir wire.Dir, segment []byte) {
	hf, other := &st.half[dir], &st.half[dir.Other()]
	row := s.recogniseLate(segment)
	if byPort := s.portRow(e); row == 0 && byPort != 0 && !e.fromStart(dir) &&
		s.protocols[byPort-1].LongLived && s.isStream(byPort, dir, segment) {
		row = byPort
	}
	if row != 0 {
		s.speak(st, row)
		other.lost = st.longLived && other.foreign
		for _, h := range []*half{hf, other} {
			h.foreign, h.buf, h.spent = false, nil, 0
		}
		hf.spent = len(segment)
		return
	}
	if hf.spent < lateBudget {
		return
	}
	if other.foreign {
		s.release(e)
		return
	}
	s.stop(e, st, dir)
}

// upgrade starts over: what follows in both directions is another protocol.
func (s *Shard) upgrade(e *entry, st *stream) {
	st.spoken = spoken{}
	if st.upgrades++; st.upgrades > maxUpgrades {
		s.release(e)
		return
	}
	for dir := range wire.Dir(2) {
		hf := &st.half[dir]
		hf.skip, hf.spent, hf.lost = 0, len(hf.buf), false
	}
	for dir := range wire.Dir(2) {
		hf := &st.half[dir]
		if b := hf.buf; len(b) > 0 && !hf.stopped && e.stream != noStream {
			hf.buf = nil
			s.feed(e, st, dir, b)
		}
	}
}

// gap gives up a direction because bytes are missing, unless its protocol is
// long-lived.
func (s *Shard) gap(e *entry, st *stream, dir wire.Dir) {
	if st.longLived {
		s.restart(e, st)
		return
	}
	if len(st.half[dir].held) == 0 { // else flush counts it
		s.stats.StreamGaps++
	}
	s.stop(e, st, dir)
}

// restart begins anew with a fresh parser, since the old one will never see
// some bytes: each direction goes on where the head of a message is found.
func (s *Shard) restart(e *entry, st *stream) {
	s.stats.StreamGaps++
	for dir := range wire.Dir(2) {
		hf := &st.half[dir]
		if st.flusher != nil && !hf.stopped {
			s.foundAll(e, st, s.callFlush(st.flusher, dir, hf.buf))
		}
		hf.buf, hf.skip, hf.spent, hf.lost = nil, 0, 0, true
	}
	s.speak(st, st.row)
}

// leap restarts a long-lived connection of which too many segments wait for
// one that was lost: it goes on with the first of them, or with the one at
// sequence number seq if none waits.
func (s *Shard) leap(e *entry, st *stream, dir wire.Dir, seq uint32) {
	hf := &st.half[dir]
	s.restart(e, st)
	hf.next = seq
	if len(hf.held) > 0 && int32(hf.held[0].seq-seq) < 0 {
		hf.next = hf.held[0].seq
	}
	s.drain(e, st, dir)
}

// stop ends a direction. Its parser may make something of what it has.
func (s *Shard) stop(e *entry, st *stream, dir wire.Dir) {
	s.flush(e, st, dir)
	if st.half[dir.Other()].stopped {
		s.release(e)
	}
}

// flush stops a direction and takes what the parser can still make of it.
func (s *Shard) flush(e *entry, st *stream, dir wire.Dir) {
	hf := &st.half[dir]
	if hf.stopped {
		return
	}
	hf.stopped = true
	if len(hf.held) > 0 {
		s.stats.StreamGaps++ // what they waited for never came
	}
	s.flushParser(e, st, dir)
	hf.drop()
}

// flushParser takes what the parser can still make of a direction.
func (s *Shard) flushParser(e *entry, st *stream, dir wire.Dir) {
	if st.flusher == nil {
		return
	}
	hf := &st.half[dir]
	if hf.skip > 0 {
		if u, ok := st.parser.(wire.Unskipper); ok {
			s.callUnskip(u, dir, hf.skip)
		}
	}
	s.foundAll(e, st, s.callFlush(st.flusher, dir, hf.buf))
}

// drop frees the bytes of a direction.
func (hf *half) drop() { hf.buf, hf.held, hf.arena = nil, nil, nil }

// finish ends the parsing of a connection that is over.
func (s *Shard) finish(e *entry) {
	if e.stream == 0 || e.stream == noStream {
		return
	}
	st := s.streams.at(e.stream)
	for dir := range wire.Dir(2) {
		hf := &st.half[dir]
		for st.longLived && len(hf.held) > 0 && !hf.stopped { // what they wait for never came
			s.leap(e, st, dir, hf.held[0].seq)
		}
		if e.stream == noStream {
			return
		}
	}
	s.flush(e, st, wire.FromClient)
	s.flush(e, st, wire.FromServer)
	s.flushTalks(e, st)
	s.release(e)
}

// finishIfIdle ends the parsing of a closed connection unless it waits for
// segments that are late. A reset with a sequence number that its receiver
// would not take for one (RFC 5961 section 3.2) ends nothing: forging it must
// not blind the sensor.
func (s *Shard) finishIfIdle(e *entry, h *Headers, from side) {
	if e.stream == 0 || e.stream == noStream {
		return
	}
	st := s.streams.at(e.stream)
	if len(st.half[0].held)+len(st.half[1].held) > 0 {
		return
	}
	hf := &st.half[e.dir(from)]
	next, known := hf.next, hf.synced && hf.skip == 0
	if !hf.synced && e.isnKnown>>from&1 != 0 {
		next, known = e.isn[from]+1, true
	}
	if e.fin == 3 || (h.Flags&TCPRst != 0 && (!known || wouldReset(h.Seq, next))) {
		s.finish(e)
	}
}

// wouldReset reports whether a reset comes from the sender of a direction of
// which next is the number of the next byte. Systems send that, or the one
// behind their FIN.
func wouldReset(seq, next uint32) bool {
	const slack = 1
	ahead := int32(seq - next)
	return ahead >= -slack && ahead <= slack
}

// release gives the parse state of a flow back for good.
func (s *Shard) release(e *entry) {
	if e.stream != 0 && e.stream != noStream {
		s.streams.release(e.stream)
	}
	e.stream = noStream
}
