package wire

import (
	"encoding/binary"
	"fmt"
)

// MQTT 3.1, 3.1.1 (OASIS mqtt-v3.1.1) and 5 (OASIS mqtt-v5.0). Section numbers
// are those of 5.

// MQTT is an exchange: a packet together with those that answer it (a CONNECT
// and its CONNACK, a PUBLISH and its PUBACK, or its PUBREC, PUBREL and
// PUBCOMP), or a packet that stands alone.
//
// What repeats on a connection is told once: of the packets that publish, the
// first of an end with a topic, quality of service and retain flag; of pings,
// acknowledgements of what was told before, and disconnections, the first of
// an end with a reason.
type MQTT struct {
	Packets []MQTTPacket // in the order in which they were sent: at least one, at most one of a kind
}

// Protocol implements Message.
func (*MQTT) Protocol() string { return "mqtt" }

// MQTTKind is a packet type (section 2.1.2).
type MQTTKind uint8

// Packet types.
const (
	MQTTConnectKind     MQTTKind = 1
	MQTTConnAckKind     MQTTKind = 2
	MQTTPublishKind     MQTTKind = 3
	MQTTPubAckKind      MQTTKind = 4
	MQTTPubRecKind      MQTTKind = 5
	MQTTPubRelKind      MQTTKind = 6
	MQTTPubCompKind     MQTTKind = 7
	MQTTSubscribeKind   MQTTKind = 8
	MQTTSubAckKind      MQTTKind = 9
	MQTTUnsubscribeKind MQTTKind = 10
	MQTTUnsubAckKind    MQTTKind = 11
	MQTTPingReqKind     MQTTKind = 12
	MQTTPingRespKind    MQTTKind = 13
	MQTTDisconnectKind  MQTTKind = 14
	MQTTAuthKind        MQTTKind = 15
)

// MQTTPacket is one control packet. Payloads are passed over, passwords and
// authentication data never kept.
type MQTTPacket struct {
	Kind      MQTTKind
	From      Dir
	QoS       uint8 // bits 1 and 2 of the first byte: 0 to 2, 1 where the standard fixes it
	Retain    bool
	Dup       bool
	Length    int  // that the packet announces behind its fixed header, bytes; at most 268,435,455
	Truncated bool // its end was never seen, or was not looked at; what is here was

	PacketID       uint16       // 0: none
	Topic          string       // of a PUBLISH, at most 256 bytes; "" with a topic alias of 5
	Topics         []MQTTTopic  // of a SUBSCRIBE or UNSUBSCRIBE, at most 64
	Reason         int          // reason code (section 2.4) or return code of a CONNACK, 0 to 255; -1: none, as in most of 3
	Codes          []byte       // of a SUBACK or UNSUBACK, one for each topic; at most 64
	SessionPresent bool         // of a CONNACK
	Connect        *MQTTConnect // of a CONNECT
	Properties     []MQTTProperty
}

// MQTTConnect is what a CONNECT packet says of the client (section 3.1).
type MQTTConnect struct {
	ProtocolName   string // as sent: "MQTT", or "MQIsdp" in 3.1
	Version        uint8  // 3: 3.1, 4: 3.1.1, 5
	ClientID       string // at most 256 bytes; may be empty
	User           string // at most 256 bytes
	HasUser        bool
	HasPassword    bool
	CleanSession   bool
	Will           bool
	WillRetain     bool
	WillQoS        uint8  // 0 to 2
	WillTopic      string // at most 256 bytes
	WillProperties []MQTTProperty
	KeepAlive      uint16 // seconds, 0: never
}

// MQTTTopic is a topic filter of a subscription.
type MQTTTopic struct {
	Filter string // at most 256 bytes
	QoS    uint8  // highest that the client wants, 0 to 2; 0 in an UNSUBSCRIBE
}

const (
	// maxMQTTPacket bounds the packets that are read whole; larger ones are
	// read as far as this. A CONNECT holds five strings of at most 64 KiB, of
	// which real ones use some hundred bytes; a SUBSCRIBE a list of them.
	maxMQTTPacket = 8 << 10
	maxMQTTText   = 256
	// maxMQTTTopics bounds the topics that are told apart on a connection. A
	// device publishes to a few; a hub's bridge may use thousands.
	maxMQTTTopics = 64
)

var (
	errMQTTLength = fmt.Errorf("read mqtt remaining length: more than four bytes: %w", ErrMalformed)
	errMQTTType   = fmt.Errorf("read mqtt packet: reserved type: %w", ErrMalformed)
	errMQTTFields = fmt.Errorf("read mqtt packet: fields overrun it: %w", ErrMalformed)
)

// mqttStream reads the packets of one connection.
type mqttStream struct {
	framedStream
	mqttExchanges
	version uint8 // of the CONNECT, or as packets show it; 0 if not known
	attempt attempt
	topics  [2]topicSet // that were published
	told    topicSet    // packets that repeat
	begun   bool
	frames  *mqttFrames // of WebSocket, nil if packets come without
}

var (
	_ Flusher  = (*mqttStream)(nil)
	_ Skipper  = (*mqttStream)(nil)
	_ Retainer = (*mqttStream)(nil)
)

func newMQTTStream() Stream {
	s := &mqttStream{}
	s.framing, s.parted = s, s
	return s
}

// Feed implements Stream.
func (s *mqttStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	if !s.begun && len(b) > 0 {
		switch sniffMQTTConnection(dir, b) {
		case Yes:
			if b[0] == frameBinary {
				s.frames = new(mqttFrames)
			}
		case Maybe:
			if b[0] == frameBinary {
				return 0, msgs, nil
			}
		case No:
		}
		s.begun = true
	}
	if s.frames != nil {
		return s.feedFrames(dir, b, msgs)
	}
	return s.framedStream.Feed(dir, b, msgs)
}

// Skip implements Skipper.
func (s *mqttStream) Skip(dir Dir) int64 {
	if s.frames != nil {
		return 0 // heads of frames stand between
	}
	return s.framedStream.Skip(dir)
}

// Flush implements Flusher.
func (s *mqttStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if s.frames != nil {
		b = s.frames[dir].inner
	}
	return s.framedStream.Flush(dir, b, msgs)
}

// Retained implements Retainer.
func (s *mqttStream) Retained() int {
	n := s.held
	if s.frames != nil {
		n += cap(s.frames[0].inner) + cap(s.frames[1].inner)
	}
	return n
}

// sniffMQTTConnection recognises a CONNECT packet, alone or in the frame of a
// WebSocket.
func sniffMQTTConnection(dir Dir, b []byte) Match {
	if len(b) > 0 && b[0] == frameBinary {
		return sniffMQTTFrame(b)
	}
	return sniffMQTT(dir, b)
}

// sniffMQTT recognises a CONNECT packet by its fixed header, the name of the
// protocol and the version behind it.
func sniffMQTT(_ Dir, b []byte) Match {
	if len(b) == 0 {
		return Maybe
	}
	if b[0] != byte(MQTTConnectKind)<<4 {
		return No
	}
	size, n, ok := mqttLength(b[1:])
	if !ok {
		return No
	}
	if n == 0 {
		return Maybe
	}
	if size < 10 {
		return No
	}
	b = b[1+n:]
	for _, name := range [...]string{"\x00\x04MQTT", "\x00\x06MQIsdp"} {
		have := min(len(b), len(name))
		if string(b[:have]) != name[:have] {
			continue
		}
		if len(b) < len(name)+2 {
			return Maybe
		}
		version, flags := b[len(name)]&0x7f, b[len(name)+1] // the high bit marks a bridge
		if version < 3 || version > 5 || flags&1 != 0 {
			return No
		}
		return Yes
	}
	return No
}

// mqttLength reads a remaining length (section 1.5.5): n is 0 if its end is
// not there yet, ok is false if it has none.
func mqttLength(b []byte) (size, n int, ok bool) {
	for i, c := range b[:min(len(b), 4)] {
		size |= int(c&0x7f) << (7 * i)
		if c < 0x80 {
			return size, i + 1, true
		}
	}
	return 0, 0, len(b) < 4
}

// ended implements ender.
func (s *mqttStream) ended(dir Dir, msgs []Message) []Message {
	return s.attempt.flush(dir, s.unanswered(dir, msgs))
}

func (s *mqttStream) size(b []byte) (int, error) {
	kind := MQTTKind(b[0] >> 4)
	if kind == 0 || kind == MQTTAuthKind && s.version != 0 && s.version < 5 {
		return 0, errMQTTType
	}
	size, n, ok := mqttLength(b[1:])
	switch {
	case !ok:
		return 0, errMQTTLength
	case n == 0:
		return 0, nil
	}
	return 1 + n + size, nil
}

// part implements parted: packets that are read as a whole, and what stands
// before the payload of what is published.
func (s *mqttStream) part(b []byte, size int) (int, error) {
	_, n, _ := mqttLength(b[1:])
	head := 1 + n
	if MQTTKind(b[0]>>4) != MQTTPublishKind {
		return min(size, head+maxMQTTPacket), nil
	}
	if size < head+2 {
		return 0, errMQTTFields
	}
	if len(b) < head+2 {
		return 0, nil
	}
	head += 2 + int(binary.BigEndian.Uint16(b[head:]))
	if b[0]>>1&3 > 0 {
		head += 2
	}
	if head > size || b[0]>>1&3 == 3 {
		return 0, errMQTTFields
	}
	if s.version < 5 || head == size || head > maxMQTTPacket {
		return min(head, maxMQTTPacket), nil
	}
	if len(b) <= head {
		return head + 1, nil
	}
	properties, n, ok := mqttLength(b[head:])
	if !ok || head+n+properties > size {
		return 0, errMQTTFields
	}
	if n == 0 {
		return len(b) + 1, nil
	}
	return min(head+n+properties, maxMQTTPacket), nil
}

func (s *mqttStream) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	size, n, _ := mqttLength(b[1:])
	r := mqttReader{cursor{b: b[1+n:]}}
	switch kind := MQTTKind(b[0] >> 4); kind {
	case MQTTPublishKind:
		return s.publish(dir, b[0], size, &r, msgs), nil
	case MQTTPingReqKind, MQTTPingRespKind:
		return s.alone(dir, b[0], size, -1, &r, msgs), nil
	case MQTTPubAckKind, MQTTPubRecKind, MQTTPubRelKind, MQTTPubCompKind:
		return s.acknowledge(dir, b[0], size, &r, cut, msgs)
	case MQTTDisconnectKind, MQTTAuthKind:
		return s.leave(dir, b[0], size, &r, cut, msgs)
	}
	p := mqttPacket(dir, b[0], size)
	p.Truncated = cut
	return s.whole(p, &r, msgs)
}

// mqttPacket begins a packet with what its fixed header says.
func mqttPacket(dir Dir, first byte, size int) MQTTPacket {
	return MQTTPacket{
		Kind: MQTTKind(first >> 4), From: dir, QoS: first >> 1 & 3, Retain: first&1 != 0, Dup: first&8 != 0,
		Length: size, Reason: -1,
	}
}

// publish reads what stands before the payload, if all of it is there and has
// not been told yet.
func (s *mqttStream) publish(dir Dir, first byte, size int, r *mqttReader, msgs []Message) []Message {
	const flags = 7 // quality of service and retain, not dup
	topic := r.take(min(int(r.u16()), maxMQTTPacket))
	if r.short || !s.topics[dir].add(topic, first&flags) {
		return msgs
	}
	p := mqttPacket(dir, first, size)
	p.Topic = mqttText(topic)
	if p.QoS > 0 {
		p.PacketID = r.u16()
	}
	if s.version == 5 {
		p.Properties = r.properties()
	}
	if p.PacketID == 0 {
		return append(msgs, &MQTT{Packets: []MQTTPacket{p}})
	}
	return s.begin(p, msgs)
}

// alone reports a packet that belongs to no exchange, the first of its kind.
// Its properties are still to be read.
func (s *mqttStream) alone(dir Dir, first byte, size, reason int, r *mqttReader, msgs []Message) []Message {
	if !s.told.add(nil, first>>4, byte(dir), byte(reason)) {
		return msgs
	}
	p := mqttPacket(dir, first, size)
	p.Reason = reason
	if len(r.b) > 0 {
		p.Properties = r.properties()
	}
	return append(msgs, &MQTT{Packets: []MQTTPacket{p}})
}
