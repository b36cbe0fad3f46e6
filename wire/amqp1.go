package wire

import "encoding/binary"

// AMQP 1.0 (OASIS amqp-core-v1.0, ISO/IEC 19464): part 1 types, part 2
// transport, part 5 security.

// Codes of performatives (sections 2.7 and 5.3.3).
const (
	amqp1Open          = 0x10
	amqp1Close         = 0x18
	amqp1SASLInit      = 0x41
	amqp1SASLResponse  = 0x43
	amqp1SASLOutcome   = 0x44
	amqp1OpenProps     = 9 // place of the properties in open
	amqp1TypeAMQP      = 0
	amqp1TypeSASL      = 1
	maxAMQP1Properties = 64
)

// amqp1Size reads the length of a frame (section 2.3.1): at least its header.
func amqp1Size(b []byte) (int, error) {
	if len(b) < 8 {
		return 0, nil
	}
	size := binary.BigEndian.Uint32(b)
	if size < 8 || size > maxAMQPFrame || b[4] < 2 || uint32(b[4])*4 > size || b[5] > amqp1TypeSASL {
		return 0, errAMQPFrame
	}
	return int(size), nil
}

// frame1 reads a frame of 1.0.
func (s *amqpFraming) frame1(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) < 8 || len(b) <= int(b[4])*4 {
		return msgs, nil // a heartbeat, or cut
	}
	c := amqp1Reader{cursor{b: b[int(b[4])*4:]}}
	code, ok := c.performative()
	if !ok {
		return msgs, cutOr(cut, errAMQPFrame)
	}
	fields := c.list()
	if b[5] == amqp1TypeSASL {
		return s.sasl1(dir, code, &fields, msgs), nil
	}
	switch code {
	case amqp1Open:
		msgs = s.open1(dir, &fields, msgs)
	case amqp1Close:
		if s.begun {
			s.session.Condition = fields.condition()
		}
		return s.tell(msgs), nil
	}
	return msgs, nil
}

// sasl1 follows the login.
func (s *amqpFraming) sasl1(dir Dir, code uint64, fields *amqp1Reader, msgs []Message) []Message {
	switch code {
	case amqp1SASLInit:
		s.begin(dir)
		mechanism := fields.bytes()
		if len(mechanism) == 0 {
			return msgs
		}
		s.sasl.begin("amqp", mechanism)
		l := s.sasl.login
		if response := fields.bytes(); response != nil {
			s.sasl.read(response)
		}
		return s.attempt.begin(dir, l, msgs)
	case amqp1SASLResponse:
		if response := fields.bytes(); response != nil && s.attempt.login != nil {
			s.sasl.read(response)
		}
	case amqp1SASLOutcome:
		kind, v := fields.value()
		if kind != 0x50 || len(v) != 1 || dir == s.attempt.from {
			return msgs
		}
		switch v[0] {
		case 0:
			return s.attempt.end(Succeeded, msgs)
		case 1: // auth; 2 to 4 are failures of the server
			return s.tell(s.attempt.end(Failed, msgs))
		default:
			return s.tell(s.attempt.end(OutcomeUnknown, msgs))
		}
	}
	return msgs
}

// open1 notes how an end names itself, and reports the session when both have.
func (s *amqpFraming) open1(dir Dir, fields *amqp1Reader, msgs []Message) []Message {
	if s.told || s.opened[dir] {
		return msgs
	}
	s.opened[dir] = true
	peer := &s.session.Client
	if dir != s.client {
		peer = &s.session.Server
	}
	peer.Container = text(fields.bytes(), maxAMQPText)
	if host := fields.bytes(); dir == s.client {
		s.session.VirtualHost = text(host, maxAMQPText)
	}
	for range amqp1OpenProps - 2 {
		fields.value()
	}
	properties := fields.list()
	for range maxAMQP1Properties {
		name, value := properties.bytes(), properties.bytes()
		if properties.short {
			break
		}
		peer.set(name, value)
	}
	if s.opened[FromClient] && s.opened[FromServer] {
		return s.tell(msgs)
	}
	return msgs
}

// amqp1Reader reads values one by one (section 1.2).
type amqp1Reader struct{ cursor }

// performative reads the descriptor of a described value: a number.
func (r *amqp1Reader) performative() (code uint64, ok bool) {
	if r.u8() != 0 {
		return 0, false
	}
	switch kind, v := r.value(); {
	case kind == 0x53 && len(v) == 1: // smallulong
		return uint64(v[0]), true
	case kind == 0x80 && len(v) == 8: // ulong
		return binary.BigEndian.Uint64(v), true
	case kind == 0xa3 || kind == 0xb3 || kind == 0x44: // a symbol, which nobody sends, or zero
		return 0, true
	}
	return 0, false
}

// value reads a value; kind is its format code, 0 if there is none. Of a
// described value the description is passed over, and of an unfinished list or
// map as much is returned as there is.
func (r *amqp1Reader) value() (kind byte, v []byte) {
	if kind = r.u8(); kind == 0 && !r.short {
		r.value1(r.u8())
		kind = r.u8()
	}
	return kind, r.value1(kind)
}

// value1 reads what follows a format code: its upper half tells the width.
func (r *amqp1Reader) value1(kind byte) []byte {
	switch kind >> 4 {
	case 0x4:
		return nil
	case 0x5:
		return r.take(1)
	case 0x6:
		return r.take(2)
	case 0x7:
		return r.take(4)
	case 0x8:
		return r.take(8)
	case 0x9:
		return r.take(16)
	case 0xa:
		return r.take(int(r.u8()))
	case 0xb:
		return r.take(int(r.u32()))
	case 0xc, 0xe:
		return r.upTo(int(r.u8()))
	case 0xd, 0xf:
		return r.upTo(int(r.u32()))
	}
	r.b, r.short = nil, true
	return nil
}

// bytes reads a string, a symbol or binary data; nil if the value is another.
func (r *amqp1Reader) bytes() []byte {
	kind, v := r.value()
	if kind>>4 != 0xa && kind>>4 != 0xb {
		return nil
	}
	return v
}

// list reads a list or a map, and returns what it holds, without the count: how
// far that can be read is told by the reader's end.
func (r *amqp1Reader) list() amqp1Reader {
	kind, v := r.value()
	c := amqp1Reader{cursor{b: v}}
	switch kind >> 4 {
	case 0xc:
		c.u8()
	case 0xd:
		c.u32()
	default:
		return amqp1Reader{}
	}
	return c
}

// condition reads the error in a close (section 2.8.14): the first of its fields.
func (r *amqp1Reader) condition() string {
	e := r.list()
	return text(e.bytes(), maxAMQPText)
}
