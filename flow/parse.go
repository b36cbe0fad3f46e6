package flow

import (
	"errors"

	"gatehouse/wire"
)

// parse hands a payload to the parsers.
func (s *Shard) parse(r ref, e *entry, h *Headers, from side) {
	switch h.Proto {
	case protoTCP:
		if e.stream != noStream {
			s.segment(r, e, h, from)
		}
	case protoUDP:
		if e.stream != noStream {
			s.datagram(r, e, h, from)
		}
	default:
		s.ipMessage(e, h)
	}
}

// found keeps a message for the event of the packet at hand. The first one
// names the flow's protocol. It reports false if nobody is to hear of the
// message.
func (s *Shard) found(e *entry, m wire.Message) bool {
	if x, ok := m.(*wire.Expectation); ok {
		s.expect(e, x)
		return false
	}
	if e.app != 0 && s.apps[e.app-1] == m.Protocol() { // nearly always: not looked for among sixty
		s.parsed[e.app-1]++
	} else if app := s.count(m); e.app == 0 {
		e.app = app
	} else if e.upgrade == e.app { // from HTTP/1 to HTTP/2, which one parser reads
		e.upgrade = app
	}
	if s.habits.repeats(e.id, m, s.now) {
		s.stats.Repeats++
		return false
	}
	s.messages = append(s.messages, m)
	return true
}

// foundAll keeps what a call into a parser of st has appended to s.parsedNow,
// and gives the rest back.
func (s *Shard) foundAll(e *entry, st *stream, msgs []wire.Message) {
	if len(msgs) == 0 {
		return
	}
	for i, m := range msgs {
		if !s.found(e, m) && st.reuser != nil {
			st.reuser.Reuse(m)
		}
		msgs[i] = nil
	}
	s.parsedNow = msgs[:0]
}

// name notes that a flow is of a protocol although no message has said so.
func (s *Shard) name(e *entry, row uint8) {
	if e.app == 0 {
		e.app = s.appNumber(s.protocols[row-1].Name)
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

func (s *Shard) callDatagrams(p wire.Datagrams, dir wire.Dir, b []byte) (msgs []wire.Message, err error) {
	defer s.contain(&err)
	return p.Datagram(dir, b, s.parsedNow[:0])
}

func (s *Shard) callFeed(p wire.Stream, dir wire.Dir, b []byte) (n int, msgs []wire.Message, err error) {
	defer s.contain(&err)
	return p.Feed(dir, b, s.parsedNow[:0])
}

func (s *Shard) callFlush(p wire.Flusher, dir wire.Dir, b []byte) (msgs []wire.Message) {
	var err error
	defer s.contain(&err)
	return p.Flush(dir, b, s.parsedNow[:0])
}

func (s *Shard) callSkip(p wire.Skipper, dir wire.Dir) (n int64) {
	var err error
	defer s.contain(&err)
	return p.Skip(dir)
}

// callUnskip says what never came of what was passed over.
func (s *Shard) callUnskip(p wire.Unskipper, dir wire.Dir, left int64) {
	var err error
	defer s.contain(&err)
	p.Unskip(dir, left)
}

func (s *Shard) callRetained(p wire.Retainer) (n int) {
	var err error
	defer s.contain(&err)
	return max(0, p.Retained())
}

// contain turns a panic into an error; it must be deferred.
func (s *Shard) contain(err *error) {
	if recover() != nil {
		s.stats.ParserPanics++
		*err = errPanic
	}
}
