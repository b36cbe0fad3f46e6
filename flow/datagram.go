package flow

import (
	"errors"

	"gatehouse/wire"
)

const (
	// maxMisses is after how many unreadable payloads in a row a UDP flow is
	// no longer parsed: media and VPNs run over any port.
	maxMisses = 8
	// maxTalks is how many parsers a UDP flow may have. WebRTC runs STUN, DTLS
	// and RTP over one five-tuple (RFC 7983).
	maxTalks = 3
)

// talk is a parser of the datagrams of one flow.
type talk struct {
	parser   wire.Datagrams // nil: none
	retainer wire.Retainer  // nil if it is none
	row      uint8
	done     bool // it needs no more datagrams
}

// datagram parses a UDP payload: by what the flow has been recognised as, by
// port, or by content.
func (s *Shard) datagram(r ref, e *entry, h *Headers, from side) {
	whole := len(h.Payload) == h.PayloadLen
	switch err := s.readDatagram(r, e, h, from, whole); {
	case err == nil:
		e.misses = 0
		return
	case errors.Is(err, wire.ErrDone):
		s.release(e)
		return
	case !whole && errors.Is(err, wire.ErrTruncated):
		return // the capture's fault
	case !errors.Is(err, errUnknown):
		s.stats.ParseErrors++
	}
	if e.misses++; e.misses == maxMisses {
		s.finish(e)
		e.stream = noStream
	}
}

// errUnknown is the verdict on a payload that no protocol wants.
var errUnknown = errors.New("unknown protocol")

// readDatagram hands a payload to the parser that it belongs to.
func (s *Shard) readDatagram(r ref, e *entry, h *Headers, from side, whole bool) error {
	if len(h.Payload) == 0 {
		return errUnknown
	}
	own, err := s.continueTalks(e, h, from)
	if own {
		return err
	}
	if e.stream == 0 && e.misses == 0 {
		if x, ok := s.announced(e); ok && x.row != 0 && s.beginsAs(r, e, x.row, h, from) {
			return nil
		}
	}
	byPort := s.recogniser.udpRow.of(h.DstPort, h.SrcPort)
	row := byPort
	if row == 0 {
		row = e.proto
	}
	if row != 0 && s.startsTalk(row, h.Payload, row == byPort) {
		return s.beginTalk(r, e, row, h, from)
	}
	if row != 0 && s.protocols[row-1].Datagram != nil {
		m, parseErr := s.callBytes(s.protocols[row-1].Datagram, h.Payload)
		if parseErr == nil && m != nil {
			e.proto, e.unlike = row, 0
			s.found(e, m)
			return nil
		}
		if whole && row == byPort && e.app == 0 && !errors.Is(parseErr, wire.ErrTruncated) {
			e.unlike = byPort
		}
		err = parseErr
	}
	if !whole || (row != 0 && byPort == 0) {
		return orUnknown(err)
	}
	other := s.recogniseDatagram(h.Payload, row)
	switch {
	case other == 0:
		return orUnknown(err)
	case byPort != 0 && e.app == 0:
		e.unlike = byPort
	}
	if s.protocols[other-1].NewDatagrams != nil {
		return s.beginTalk(r, e, other, h, from)
	}
	m, err := s.callBytes(s.protocols[other-1].Datagram, h.Payload)
	if err == nil && m != nil {
		if byPort == 0 {
			e.proto = other
		}
		s.found(e, m)
	}
	return err
}

func orUnknown(err error) error {
	if err == nil {
		return errUnknown
	}
	return err
}

// startsTalk reports whether a payload begins a flow of a protocol with state.
// Its registered port is no proof if its content can tell.
func (s *Shard) startsTalk(row uint8, b []byte, byPort bool) bool {
	p := &s.protocols[row-1]
	switch {
	case p.NewDatagrams == nil:
		return false
	case byPort && p.SniffAtPort != nil:
		return s.callIs(p.SniffAtPort, b)
	}
	return p.SniffDatagram == nil || s.isDatagram(row, b)
}

// continueTalks hands a payload to the parsers of the flow, until one takes it
// for its own.
func (s *Shard) continueTalks(e *entry, h *Headers, from side) (own bool, err error) {
	if e.stream == 0 {
		return false, nil
	}
	i := e.stream
	st := s.streams.use(i)
	for k := range st.talks {
		t := &st.talks[k]
		if t.parser == nil {
			break
		}
		if err = s.tell(e, st, t, h, from); !errors.Is(err, wire.ErrNotMine) {
			s.streams.settle(s, i)
			return true, err
		}
	}
	s.streams.settle(s, i)
	return false, err
}

// beginTalk makes a parser for a flow and hands it the payload at hand.
func (s *Shard) beginTalk(r ref, e *entry, row uint8, h *Headers, from side) error {
	if e.stream == 0 {
		e.stream = s.streams.acquire(s, r)
	}
	i := e.stream
	st := s.streams.use(i)
	for k := range st.talks {
		t := &st.talks[k]
		if t.parser != nil && t.row != row {
			continue
		}
		if t.parser == nil {
			*t = talk{parser: s.protocols[row-1].NewDatagrams(), row: row}
			t.retainer, _ = t.parser.(wire.Retainer)
		}
		err := s.tell(e, st, t, h, from)
		s.streams.settle(s, i)
		return err
	}
	return errUnknown
}

// beginsAs reports whether the first payload of a flow is of the protocol that
// another flow has announced.
func (s *Shard) beginsAs(r ref, e *entry, row uint8, h *Headers, from side) bool {
	if s.protocols[row-1].NewDatagrams == nil {
		return false
	}
	switch err := s.beginTalk(r, e, row, h, from); {
	case err == nil:
		return true
	case errors.Is(err, wire.ErrDone):
		s.release(e)
		return true
	}
	if e.stream != noStream {
		s.streams.release(e.stream)
		e.stream = 0
	}
	return false
}

// tell gives one payload to one parser. ErrDone is passed on once all parsers
// of the flow are done.
func (s *Shard) tell(e *entry, st *stream, t *talk, h *Headers, from side) error {
	if t.done {
		return wire.ErrNotMine
	}
	msgs, err := s.callDatagrams(t.parser, e.dir(from), h.Payload)
	s.foundAll(e, st, msgs)
	if err == nil || errors.Is(err, wire.ErrDone) {
		s.name(e, t.row)
		if byPort := s.recogniser.udpRow.of(h.DstPort, h.SrcPort); byPort == t.row {
			e.unlike = 0
		}
	}
	if !errors.Is(err, wire.ErrDone) {
		return err
	}
	t.done = true
	for k := range st.talks {
		if other := &st.talks[k]; other.parser != nil && !other.done {
			return nil
		}
	}
	return err
}

// flushTalks takes what the parsers of a UDP flow can still make of unfinished
// messages.
func (s *Shard) flushTalks(e *entry, st *stream) {
	for k := range st.talks {
		f, ok := st.talks[k].parser.(wire.Flusher)
		if !ok || st.talks[k].done {
			continue
		}
		for dir := range wire.Dir(2) {
			s.foundAll(e, st, s.callFlush(f, dir, nil))
		}
	}
}
