package wire

// mqttReader reads the fields of a packet.
type mqttReader struct{ cursor }

// text returns a string with its length before it, nil if it is not all there.
func (r *mqttReader) text() []byte { return r.take(int(r.u16())) }

func mqttText(b []byte) string { return string(b[:min(len(b), maxMQTTText)]) }

// whole reads a packet of a kind that always tells something.
func (s *mqttStream) whole(p MQTTPacket, r *mqttReader, msgs []Message) ([]Message, error) {
	switch p.Kind {
	case MQTTConnectKind:
		return s.connect(p, r, msgs)
	case MQTTConnAckKind:
		return s.connAck(p, r, msgs)
	case MQTTSubscribeKind, MQTTUnsubscribeKind:
		if s.topicList(&p, r); len(p.Topics) == 0 {
			return msgs, cutOr(p.Truncated, errMQTTFields)
		}
		return s.begin(p, msgs), nil
	case MQTTSubAckKind, MQTTUnsubAckKind:
		if s.codes(&p, r); p.PacketID == 0 {
			return msgs, cutOr(p.Truncated, errMQTTFields)
		}
		return s.end(p, msgs), nil
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

// connect reads a CONNECT packet, and what it says of who logs in.
func (s *mqttStream) connect(p MQTTPacket, r *mqttReader, msgs []Message) ([]Message, error) {
	password := r.connect(&p)
	if p.Connect == nil || r.short && !p.Truncated {
		return msgs, errMQTTFields
	}
	p.Truncated = r.short
	m := p.Connect
	s.version = m.Version
	msgs = s.begin(p, msgs)
	method, _ := mqttProperty(p.Properties, propAuthMethod)
	if !m.HasUser && !m.HasPassword && method == "" {
		return msgs, nil
	}
	l := &Login{Service: "mqtt", User: m.User, Mechanism: "password", Clear: m.HasPassword && password != nil}
	switch {
	case method != "":
		l.Mechanism = method
	case !m.HasPassword:
		l.Mechanism = "none"
	}
	l.Default = l.Clear && factoryDefault([]byte(m.User), password)
	return s.attempt.begin(p.From, l, msgs), nil
}

// connect reads the fields of a CONNECT packet (section 3.1.2), none without
// version. The password is part of the packet.
func (r *mqttReader) connect(p *MQTTPacket) (password []byte) {
	name := r.text()
	version, flags := r.u8(), r.u8()
	if r.short || version&0x7f < 3 || version&0x7f > 5 {
		return nil
	}
	m := &MQTTConnect{
		ProtocolName: mqttText(name), Version: version & 0x7f, KeepAlive: r.u16(),
		HasUser: flags&0x80 != 0, HasPassword: flags&0x40 != 0,
		WillRetain: flags&0x20 != 0, WillQoS: flags >> 3 & 3, Will: flags&4 != 0, CleanSession: flags&2 != 0,
	}
	p.Connect = m
	if m.Version == 5 {
		p.Properties = r.properties()
	}
	m.ClientID = mqttText(r.text())
	if m.Will {
		if m.Version == 5 {
			m.WillProperties = r.properties()
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
	return password
}

// connAck reads a CONNACK packet (section 3.2), which ends a login.
func (s *mqttStream) connAck(p MQTTPacket, r *mqttReader, msgs []Message) ([]Message, error) {
	flags, code := r.u8(), r.u8()
	if r.short {
		return msgs, cutOr(p.Truncated, errMQTTFields)
	}
	if len(r.b) > 0 { // a server that does not speak 5 answers without
		p.Properties = r.properties()
	}
	p.SessionPresent, p.Reason = flags&1 != 0, int(code)
	msgs = s.end(p, msgs)
	if s.attempt.login == nil && mqttDenied(code) {
		msgs = s.attempt.begin(p.From.Other(), &Login{Service: "mqtt", Mechanism: "none"}, msgs)
	}
	return s.attempt.end(mqttOutcome(code), msgs), nil
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

// topicList reads a SUBSCRIBE (section 3.8) or UNSUBSCRIBE (section 3.10). A
// connection that was joined late may be of 3 or of 5, where properties stand
// before the topics; read the wrong way, neither is in order, as a topic has
// at least one byte.
func (s *mqttStream) topicList(p *MQTTPacket, r *mqttReader) {
	p.PacketID = r.u16()
	if s.version == 0 {
		asThree, rest := *p, *r
		if ok := rest.topics(&asThree); ok {
			*p = asThree
			return
		}
	}
	if s.version == 0 || s.version == 5 {
		p.Properties = r.properties()
	}
	if ok := r.topics(p); ok && s.version == 0 {
		s.version = 5
	}
}

// topics reads a list of topics and reports whether it is in order.
func (r *mqttReader) topics(p *MQTTPacket) bool {
	for len(r.b) > 0 {
		filter, options := r.text(), uint8(0)
		if p.Kind == MQTTSubscribeKind {
			options = r.u8()
		}
		if r.short || len(filter) == 0 || len(p.Topics) == maxMQTTTopics {
			full := len(p.Topics) == maxMQTTTopics
			ok := full || r.short && p.Truncated
			p.Truncated = true
			return ok
		}
		p.Topics = append(p.Topics, MQTTTopic{mqttText(filter), options & 3})
	}
	return len(p.Topics) > 0
}

// codes reads a SUBACK (section 3.9) or UNSUBACK (section 3.11).
func (s *mqttStream) codes(p *MQTTPacket, r *mqttReader) {
	p.PacketID = r.u16()
	if s.version == 5 {
		p.Properties = r.properties()
	}
	if s.version == 0 && len(r.b) > 1 {
		return // codes alone, or properties and codes: there is no telling
	}
	if n := min(len(r.b), maxMQTTTopics); n > 0 {
		p.Codes = append([]byte(nil), r.b[:n]...)
	}
}

// acknowledge reads a PUBACK, PUBREC, PUBREL or PUBCOMP packet (sections 3.4
// to 3.7): in 3 an identifier, in 5 a reason code and properties behind it
// unless they are those of success.
func (s *mqttStream) acknowledge(dir Dir, first byte, size int, r *mqttReader, cut bool, msgs []Message) ([]Message, error) {
	id := r.u16()
	if r.short {
		return msgs, cutOr(cut, errMQTTFields)
	}
	reason := -1
	switch {
	case size > 2 && len(r.b) == 0:
		return msgs, nil
	case size > 2 && s.is5():
		reason = int(r.u8())
	case s.version == 5:
		reason = 0
	}
	kind := MQTTKind(first >> 4)
	unlike := s.told.add(nil, byte(kind), byte(dir), byte(reason))
	if !unlike && !s.waits(kind, dir, id) {
		return msgs, nil
	}
	p := mqttPacket(dir, first, size)
	p.PacketID, p.Reason, p.Truncated = id, reason, cut
	if reason >= 0 && len(r.b) > 0 {
		p.Properties = r.properties()
	}
	return s.end(p, msgs), nil
}

// is5 reports whether this is version 5, which a connection that was joined
// late shows by a packet with a reason code.
func (s *mqttStream) is5() bool {
	if s.version == 0 {
		s.version = 5
	}
	return s.version == 5
}

// leave reads a DISCONNECT (section 3.14) or AUTH packet (section 3.15): in 5 a
// reason code and properties, unless they are those of success.
func (s *mqttStream) leave(dir Dir, first byte, size int, r *mqttReader, cut bool, msgs []Message) ([]Message, error) {
	kind, reason := MQTTKind(first>>4), -1
	switch {
	case size > 0 && len(r.b) == 0:
		return msgs, cutOr(cut, errMQTTFields)
	case size > 0 && s.is5():
		reason = int(r.u8())
	case s.version == 5:
		reason = 0
	}
	properties := *r
	msgs = s.alone(dir, first, size, reason, r, msgs)
	const again, success = 0x19, 0
	switch {
	case kind == MQTTAuthKind && reason == again:
		method, _ := mqttProperty(properties.properties(), propAuthMethod)
		msgs = s.attempt.begin(dir, &Login{Service: "mqtt", Mechanism: method}, msgs)
	case s.attempt.login == nil || s.attempt.from == dir:
	case kind == MQTTAuthKind && reason == success:
		msgs = s.attempt.end(Succeeded, msgs)
	case kind == MQTTDisconnectKind && reason > 0:
		msgs = s.attempt.end(mqttOutcome(byte(reason)), msgs)
	}
	return msgs, nil
}
