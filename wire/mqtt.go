package wire

import (
	"encoding/binary"
	"fmt"
)

// MQTT 3.1, 3.1.1 (OASIS mqtt-v3.1.1) and 5 (OASIS mqtt-v5.0). Section numbers
// are those of 5.

// MQTTConnect is a CONNECT packet (section 3.1).
type MQTTConnect struct {
	ProtocolName string // as sent: "MQTT", or "MQIsdp" in 3.1
	Version      uint8  // 3: 3.1, 4: 3.1.1, 5
	ClientID     string // at most 256 bytes; may be empty
	User         string // at most 256 bytes
	HasUser      bool
	HasPassword  bool
	CleanSession bool
	Will         bool
	WillRetain   bool
	WillTopic    string // at most 256 bytes
	KeepAlive    uint16 // seconds, 0: never
	AuthMethod   string // property of 5, "" if absent
	Truncated    bool   // the end of the packet was never seen
}

// Protocol implements Message.
func (*MQTTConnect) Protocol() string { return "mqtt" }

// MQTTConnAck is a CONNACK packet (section 3.2).
type MQTTConnAck struct {
	ReturnCode     uint8 // 0 accepted; up to 5 in MQTT 3, from 0x80 in 5
	SessionPresent bool
}

// Protocol implements Message.
func (*MQTTConnAck) Protocol() string { return "mqtt" }

// MQTTPublish is the first PUBLISH packet (section 3.3) with this topic, of
// this end on this connection. Payloads are passed over.
type MQTTPublish struct {
	From   Dir
	Topic  string // at most 256 bytes
	QoS    uint8  // 0 to 2
	Retain bool
	Dup    bool
}

// Protocol implements Message.
func (*MQTTPublish) Protocol() string { return "mqtt" }

// MQTTSubscribe is a SUBSCRIBE packet (section 3.8).
type MQTTSubscribe struct {
	PacketID  uint16
	Topics    []MQTTTopic // at most 64
	Truncated bool        // the end of the packet was never seen, or had more topics
}

// MQTTTopic is a topic filter of a subscription.
type MQTTTopic struct {
	Filter string // at most 256 bytes
	QoS    uint8  // highest that the client wants
}

// Protocol implements Message.
func (*MQTTSubscribe) Protocol() string { return "mqtt" }

// Packet types (section 2.1.2).
const (
	mqttConnect   = 1
	mqttConnAck   = 2
	mqttPublish   = 3
	mqttSubscribe = 8
	mqttAuth      = 15
)

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
	version uint8 // of the CONNECT, 0 if none was seen
	attempt attempt
	topics  [2]topicSet
}

func newMQTTStream() Stream {
	s := &mqttStream{}
	s.framing, s.parted = s, s
	return s
}

// sniffMQTT recognises a CONNECT packet by its fixed header, the name of the
// protocol and the version behind it.
func sniffMQTT(_ Dir, b []byte) Match {
	if len(b) == 0 {
		return Maybe
	}
	if b[0] != mqttConnect<<4 {
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
func (s *mqttStream) ended(dir Dir, msgs []Message) []Message { return s.attempt.flush(dir, msgs) }

func (s *mqttStream) size(b []byte) (int, error) {
	kind := b[0] >> 4
	if kind == 0 || kind == mqttAuth && s.version != 0 && s.version < 5 {
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

// part implements parted: packets that are read as a whole, the topic of what
// is published, and of others no more than that they are there.
func (s *mqttStream) part(b []byte, size int) (int, error) {
	_, n, _ := mqttLength(b[1:])
	head := 1 + n
	switch b[0] >> 4 {
	case mqttPublish:
		if size < head+2 {
			return 0, errMQTTFields
		}
		if len(b) < head+2 {
			return 0, nil
		}
		topic := int(binary.BigEndian.Uint16(b[head:]))
		if head+2+topic > size || b[0]>>1&3 == 3 {
			return 0, errMQTTFields
		}
		return head + 2 + min(topic, maxMQTTPacket), nil
	case mqttConnect, mqttConnAck, mqttSubscribe:
		return min(size, head+maxMQTTPacket), nil
	}
	return head, nil
}

func (s *mqttStream) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	_, n, _ := mqttLength(b[1:])
	body := b[1+n:]
	if b[0]>>4 == mqttPublish {
		return s.publish(dir, b[0], body, msgs), nil
	}
	return s.whole(dir, b[0], body, cut, msgs)
}

// publish reads the topic that body begins with, if all of it is there.
func (s *mqttStream) publish(dir Dir, first byte, body []byte, msgs []Message) []Message {
	c := cursor{b: body}
	topic := c.take(min(int(c.u16()), maxMQTTPacket))
	if len(topic) == 0 || !s.topics[dir].add(topic) { // an empty one stands for an alias of 5
		return msgs
	}
	return append(msgs, &MQTTPublish{
		From: dir, Topic: mqttText(topic), QoS: first >> 1 & 3, Retain: first&1 != 0, Dup: first&8 != 0,
	})
}

// whole reads a packet that is complete, or cut.
func (s *mqttStream) whole(dir Dir, first byte, body []byte, cut bool, msgs []Message) ([]Message, error) {
	r := mqttReader{cursor{b: body}}
	switch first >> 4 {
	case mqttConnect:
		m, password := r.connect()
		if m == nil || r.short && !cut {
			return msgs, errMQTTFields
		}
		m.Truncated = r.short
		s.version = m.Version
		if m.HasUser || m.HasPassword || m.AuthMethod != "" {
			return s.attempt.begin(dir, m.login(password), append(msgs, m)), nil
		}
		return append(msgs, m), nil
	case mqttConnAck:
		flags, code := r.u8(), r.u8()
		if r.short {
			return msgs, cutOr(cut, errMQTTFields)
		}
		msgs = append(msgs, &MQTTConnAck{ReturnCode: code, SessionPresent: flags&1 != 0})
		if s.attempt.login == nil && mqttDenied(code) {
			msgs = s.attempt.begin(dir.Other(), &Login{Service: "mqtt", Mechanism: "none"}, msgs)
		}
		return s.attempt.end(mqttOutcome(code), msgs), nil
	case mqttSubscribe:
		m := r.subscribe(s.version)
		if len(m.Topics) == 0 {
			return msgs, cutOr(cut, errMQTTFields)
		}
		m.Truncated = m.Truncated || cut
		return append(msgs, m), nil
	}
	return msgs, nil
}

// cutOr is no error for a packet that was cut, for which running out of bytes
// is normal.
func cutOr(cut bool, err error) error {
	if cut {
		return nil
	}
	return err
}

// mqttDenied tells the codes that are about who logs in: 4 and 5 in MQTT 3
// (section 3.2.2.3 of 3.1.1); bad user or password, not authorized, banned and
// bad authentication method in 5 (section 3.2.2.2).
func mqttDenied(code uint8) bool {
	switch code {
	case 4, 5, 0x86, 0x87, 0x8a, 0x8c:
		return true
	}
	return false
}

func mqttOutcome(code uint8) Outcome {
	switch {
	case code == 0:
		return Succeeded
	case mqttDenied(code):
		return Failed
	default:
		return OutcomeUnknown // refused for another reason
	}
}

func (m *MQTTConnect) login(password []byte) *Login {
	l := &Login{Service: "mqtt", User: m.User, Mechanism: "password", Clear: m.HasPassword && password != nil}
	switch {
	case m.AuthMethod != "":
		l.Mechanism = m.AuthMethod
	case !m.HasPassword:
		l.Mechanism = "none"
	}
	l.Default = l.Clear && factoryDefault([]byte(m.User), password)
	return l
}

// mqttReader reads the fields of a packet.
type mqttReader struct{ cursor }

// text returns a string with its length before it, nil if it is not all there.
func (r *mqttReader) text() []byte { return r.take(int(r.u16())) }

func mqttText(b []byte) string { return string(b[:min(len(b), maxMQTTText)]) }

// connect reads a CONNECT packet (section 3.1.2), nil without version. The
// password is part of the packet.
func (r *mqttReader) connect() (m *MQTTConnect, password []byte) {
	name := r.text()
	version, flags := r.u8(), r.u8()
	if r.short || version&0x7f < 3 || version&0x7f > 5 {
		return nil, nil
	}
	m = &MQTTConnect{
		ProtocolName: mqttText(name), Version: version & 0x7f, KeepAlive: r.u16(),
		HasUser: flags&0x80 != 0, HasPassword: flags&0x40 != 0,
		WillRetain: flags&0x20 != 0, Will: flags&4 != 0, CleanSession: flags&2 != 0,
	}
	if m.Version == 5 {
		m.AuthMethod = r.properties()
	}
	m.ClientID = mqttText(r.text())
	if m.Will {
		if m.Version == 5 {
			r.properties()
		}
		m.WillTopic = mqttText(r.text())
		r.text() // the message
	}
	if m.HasUser {
		m.User = userText(r.text())
	}
	if m.HasPassword {
		password = r.text()
	}
	return m, password
}

// properties passes over the properties of MQTT 5 (section 2.2.2) and returns
// the authentication method among them.
func (r *mqttReader) properties() (method string) {
	size, n, ok := mqttLength(r.b)
	if !ok || n == 0 {
		r.short, r.b = true, nil
		return ""
	}
	r.take(n)
	p := mqttReader{cursor{b: r.take(size)}}
	for len(p.b) > 0 && !p.short {
		switch p.u8() {
		case 0x15:
			method = mqttText(p.text())
		case 0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a:
			p.take(1)
		case 0x13, 0x21, 0x22, 0x23:
			p.take(2)
		case 0x02, 0x11, 0x18, 0x27:
			p.take(4)
		case 0x0b:
			_, n, _ := mqttLength(p.b)
			p.take(max(n, 1))
		case 0x03, 0x08, 0x09, 0x12, 0x16, 0x1a, 0x1c, 0x1f:
			p.text()
		case 0x26:
			p.text()
			p.text()
		default:
			return method
		}
	}
	return method
}

func (r *mqttReader) subscribe(version uint8) *MQTTSubscribe {
	m := &MQTTSubscribe{PacketID: r.u16()}
	if version == 5 {
		r.properties()
	}
	for len(r.b) > 0 {
		filter, options := r.text(), r.u8()
		if r.short || len(m.Topics) == maxMQTTTopics {
			m.Truncated = true
			break
		}
		m.Topics = append(m.Topics, MQTTTopic{mqttText(filter), options & 3})
	}
	return m
}
