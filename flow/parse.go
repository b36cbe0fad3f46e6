package flow

import (
	"errors"

	"gatehouse/wire"
)

// maxMisses is after how many unreadable payloads in a row a UDP flow is no
// longer parsed: media and VPNs run over any port.
const maxMisses = 8

// portTable finds the row of a protocol by its registered port: a row number
// plus one, 0 for none. A plain array: it is asked for every UDP payload.
type portTable [65536]uint8

func (t *portTable) add(ports []uint16, row int) {
	for _, p := range ports {
		if t[p] == 0 {
			t[p] = uint8(row + 1)
		}
	}
}

// of returns the row for a packet's ports; the server's end is most likely
// the destination of the first packet.
func (t *portTable) of(dst, src uint16) uint8 {
	if row := t[dst]; row != 0 {
		return row
	}
	return t[src]
}

// parse hands a payload to the parsers.
func (s *Shard) parse(r ref, e *entry, h *Headers, from side) {
	switch h.Proto {
	case protoTCP:
		if e.stream != noStream {
			s.segment(r, e, h, from)
		}
	case protoUDP:
		if e.stream != noStream {
			s.datagram(e, h)
		}
	default:
		s.ipMessage(e, h)
	}
}

// datagram parses a UDP payload: by port, else by what an earlier payload of
// the flow was recognised as, else by content.
func (s *Shard) datagram(e *entry, h *Headers) {
	row := s.udpRow.of(h.DstPort, h.SrcPort)
	if row == 0 {
		row = e.proto
	}
	whole := len(h.Payload) == h.PayloadLen
	if row == 0 && whole {
		row = s.recognise(h.Payload)
	}
	if row != 0 && len(h.Payload) > 0 {
		m, err := s.callBytes(s.protocols[row-1].Datagram, h.Payload)
		if err == nil && m != nil {
			e.misses = 0
			e.proto = row
			s.found(e, m)
			return
		}
		if !whole && errors.Is(err, wire.ErrTruncated) {
			return // the capture's fault
		}
		s.stats.ParseErrors++
	}
	if e.misses++; e.misses == maxMisses {
		e.stream = noStream
	}
}

// recognise finds a datagram protocol by content alone.
func (s *Shard) recognise(b []byte) uint8 {
	for i := range s.protocols {
		if p := &s.protocols[i]; p.SniffDatagram != nil && p.Datagram != nil && s.callSniffDatagram(p, b) {
			return uint8(i + 1)
		}
	}
	return 0
}

// found keeps a message for the event of the packet at hand. The first one
// names the flow's protocol.
func (s *Shard) found(e *entry, m wire.Message) {
	s.messages = append(s.messages, m)
	if app := s.count(m); e.app == 0 {
		e.app = app
	}
}

// errPanic stands for a recovered panic of a parser.
var errPanic = errors.New("parser panicked")

// The calls into parsers. Each recovers from a panic, which is counted and
// ends the parsing of that payload or connection: a bug in one parser must
// not stop the sensor.

func (s *Shard) callBytes(parse func([]byte) (wire.Message, error), b []byte) (m wire.Message, err error) {
	defer s.contain(&err)
	return parse(b)
}

func (s *Shard) callSniffDatagram(p *wire.Protocol, b []byte) (yes bool) {
	var err error
	defer s.contain(&err)
	return p.SniffDatagram(b)
}

func (s *Shard) callSniff(p *wire.Protocol, dir wire.Dir, b []byte) (m wire.Match) {
	var err error
	defer s.contain(&err)
	return p.Sniff(dir, b)
}

func (s *Shard) callSniffLate(p *wire.Protocol, b []byte) (yes bool) {
	var err error
	defer s.contain(&err)
	return p.SniffLate(b)
}

func (s *Shard) callFeed(p wire.Stream, dir wire.Dir, b []byte) (n int, msgs []wire.Message, err error) {
	defer s.contain(&err)
	return p.Feed(dir, b, nil)
}

func (s *Shard) callFlush(p wire.Flusher, dir wire.Dir, b []byte) (msgs []wire.Message) {
	var err error
	defer s.contain(&err)
	return p.Flush(dir, b, nil)
}

func (s *Shard) callSkip(p wire.Skipper, dir wire.Dir) (n int64) {
	var err error
	defer s.contain(&err)
	return p.Skip(dir)
}

// contain turns a panic into an error; it must be deferred.
func (s *Shard) contain(err *error) {
	if recover() != nil {
		s.stats.ParserPanics++
		*err = errPanic
	}
}
