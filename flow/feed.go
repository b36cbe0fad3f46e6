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
	b := part
	if len(hf.buf) > 0 {
		hf.buf = append(hf.buf, part...)
		b = hf.buf
	}
	if st.parser == nil {
		if !hf.foreign {
			s.sniff(e, st, dir, b)
		}
		if hf.foreign {
			b = part
			s.sniffLate(e, st, dir, part)
		}
		if st.parser == nil {
			if !hf.stopped && !hf.foreign && e.stream != noStream {
				hf.keep(b)
			}
			return
		}
		defer s.feedOther(e, st, dir.Other())
	}
	s.run(e, st, dir, b)
}

// feedOther feeds the direction that had waited for the other to be recognised.
func (s *Shard) feedOther(e *entry, st *stream, dir wire.Dir) {
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
	for _, m := range msgs {
		s.found(e, m)
	}
	if len(msgs) > 0 {
		hf.spent = len(b) - n
	}
	hf.keep(b[n:])
	switch {
	case err == nil:
		if sk, ok := st.parser.(wire.Skipper); ok && n == len(b) {
			hf.skip = max(0, s.callSkip(sk, dir))
		}
	case errors.Is(err, wire.ErrUpgrade):
		s.upgrade(e, st)
	default:
		if !errors.Is(err, wire.ErrDone) {
			s.stats.ParseErrors++
		}
		s.release(e)
	}
}

// keep stores the bytes that were not consumed. b may be part of hf.buf.
func (hf *half) keep(b []byte) {
	if len(b) == 0 {
		hf.buf = nil
		return
	}
	hf.buf = append(hf.buf[:0], b...)
}

// sniff recognises the protocol from the first bytes of a direction, rows
// registered for the port first. Of a direction that nobody recognises only
// the heads of segments are looked at; the other may still tell, as where the
// server speaks first.
func (s *Shard) sniff(e *entry, st *stream, dir wire.Dir, b []byte) {
	maybe := false
	byPort := s.tcpRow.of(e.key.port[e.client^1], e.key.port[e.client])
	for i := range len(s.protocols) + 1 {
		row := i // byPort first, then all others in the order of the table
		if i == 0 {
			row = int(byPort)
		} else if i == int(byPort) {
			continue
		}
		if row == 0 {
			continue
		}
		p := &s.protocols[row-1]
		if p.Sniff == nil || p.NewStream == nil {
			continue
		}
		switch s.callSniff(p, dir, b) {
		case wire.Yes:
			st.parser = p.NewStream()
			return
		case wire.Maybe:
			maybe = true
		}
	}
	if maybe && len(b) <= sniffBudget {
		return
	}
	hf := &st.half[dir]
	hf.foreign = true
	hf.buf = nil
	if st.half[dir.Other()].stopped {
		s.release(e)
	}
}

// sniffLate looks for a protocol that begins with this segment, after another
// that is unknown: TLS after STARTTLS. The other end has then agreed to it and
// goes on in it.
func (s *Shard) sniffLate(e *entry, st *stream, dir wire.Dir, segment []byte) {
	hf, other := &st.half[dir], &st.half[dir.Other()]
	for i := range s.protocols {
		p := &s.protocols[i]
		if p.SniffLate == nil || p.NewStream == nil || !s.callSniffLate(p, segment) {
			continue
		}
		st.parser = p.NewStream()
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
	st.parser = nil
	if st.upgrades++; st.upgrades > maxUpgrades {
		s.release(e)
		return
	}
	for dir := range wire.Dir(2) {
		hf := &st.half[dir]
		hf.skip, hf.spent = 0, len(hf.buf)
	}
	for dir := range wire.Dir(2) {
		hf := &st.half[dir]
		if b := hf.buf; len(b) > 0 && !hf.stopped && e.stream != noStream {
			hf.buf = nil
			s.feed(e, st, dir, b)
		}
	}
}

// gap gives up a direction because bytes are missing.
func (s *Shard) gap(e *entry, st *stream, dir wire.Dir) {
	if len(st.half[dir].held) == 0 { // else flush counts it
		s.stats.StreamGaps++
	}
	s.stop(e, st, dir)
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
	if f, ok := st.parser.(wire.Flusher); ok {
		for _, m := range s.callFlush(f, dir, hf.buf) {
			s.found(e, m)
		}
	}
	hf.drop()
}

// drop frees the bytes of a direction.
func (hf *half) drop() { hf.buf, hf.held, hf.arena = nil, nil, nil }

// finish ends the parsing of a connection that is over.
func (s *Shard) finish(e *entry) {
	if e.stream == 0 || e.stream == noStream {
		return
	}
	st := s.streams.at(e.stream)
	s.flush(e, st, wire.FromClient)
	s.flush(e, st, wire.FromServer)
	s.release(e)
}

// finishIfIdle ends the parsing of a closed connection unless it waits for
// segments that are late.
func (s *Shard) finishIfIdle(e *entry) {
	if e.stream == 0 || e.stream == noStream {
		return
	}
	if st := s.streams.at(e.stream); len(st.half[0].held)+len(st.half[1].held) == 0 {
		s.finish(e)
	}
}

// release gives the parse state of a flow back for good.
func (s *Shard) release(e *entry) {
	if e.stream != 0 && e.stream != noStream {
		s.streams.release(e.stream)
	}
	e.stream = noStream
}
