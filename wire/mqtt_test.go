package wire

import (
	"strings"
	"testing"
)

// mqttBytes puts a fixed header before a body of less than 128 bytes.
func mqttBytes(first int, body ...any) []byte {
	b := join(body...)
	return join(first, len(b), b)
}

func TestMQTTStream(t *testing.T) {
	connect := mqttBytes(0x10,
		0, 4, "MQTT", 4, // 3.1.1
		0xc2,  // user, password, clean session
		0, 60, // keep alive
		0, 4, "cam1",
		0, 5, "admin", 0, 6, "public")
	connectPacket := MQTTPacket{
		Kind: MQTTConnectKind, Length: 31, Reason: -1,
		Connect: &MQTTConnect{
			ProtocolName: "MQTT", Version: 4, ClientID: "cam1", User: "admin", HasUser: true, HasPassword: true,
			CleanSession: true, KeepAlive: 60,
		},
	}
	connAck := func(code int) MQTTPacket {
		return MQTTPacket{Kind: MQTTConnAckKind, From: FromServer, Length: 2, Reason: code}
	}
	exchange := func(p ...MQTTPacket) *MQTT { return &MQTT{p} }
	login := func(o Outcome) *Login {
		return &Login{Service: "mqtt", User: "admin", Mechanism: "password", Outcome: o, Clear: true, Default: true}
	}
	anonymous := mqttBytes(0x10, 0, 6, "MQIsdp", 3, 2, 0, 30, 0, 1, "a")
	anonymousPacket := MQTTPacket{
		Kind: MQTTConnectKind, Length: 15, Reason: -1,
		Connect: &MQTTConnect{ProtocolName: "MQIsdp", Version: 3, ClientID: "a", CleanSession: true, KeepAlive: 30},
	}
	five := mqttBytes(0x10, 0, 4, "MQTT", 5, 2, 0, 0, 0, 0, 1, "a")
	fivePacket := MQTTPacket{
		Kind: MQTTConnectKind, Length: 14, Reason: -1,
		Connect: &MQTTConnect{ProtocolName: "MQTT", Version: 5, ClientID: "a", CleanSession: true},
	}
	ack := func(kind MQTTKind, from Dir, length int, id uint16, reason int) MQTTPacket {
		p := MQTTPacket{Kind: kind, From: from, Length: length, PacketID: id, Reason: reason}
		if kind == MQTTPubRelKind {
			p.QoS = 1 // bits that the standard fixes
		}
		return p
	}
	published := func(from Dir, topic string, qos uint8, id uint16, length int) MQTTPacket {
		return MQTTPacket{Kind: MQTTPublishKind, From: from, QoS: qos, Length: length, PacketID: id, Topic: topic, Reason: -1}
	}
	playAll(t, newMQTTStream, []dialogue{
		{"login accepted", []chunk{{FromClient, connect}, {FromServer, mqttBytes(0x20, 0, 0)}}, []Message{
			exchange(connectPacket, connAck(0)), login(Succeeded),
		}, nil},
		{"login refused", []chunk{{FromClient, connect}, {FromServer, mqttBytes(0x20, 0, 4)}}, []Message{
			exchange(connectPacket, connAck(4)), login(Failed),
		}, nil},
		{"server unavailable says nothing about the login", []chunk{{FromClient, connect}, {FromServer, mqttBytes(0x20, 0, 3)}}, []Message{
			exchange(connectPacket, connAck(3)), login(OutcomeUnknown),
		}, nil},
		{"no answer", []chunk{{FromClient, connect}}, []Message{exchange(connectPacket), login(OutcomeUnknown)}, nil},
		{"anonymous", []chunk{{FromClient, anonymous}, {FromServer, mqttBytes(0x20, 1, 0)}}, []Message{
			exchange(anonymousPacket, MQTTPacket{Kind: MQTTConnAckKind, From: FromServer, Length: 2, SessionPresent: true}),
		}, nil},
		{"anonymous, refused", []chunk{{FromClient, anonymous}, {FromServer, mqttBytes(0x20, 0, 5)}}, []Message{
			exchange(anonymousPacket, connAck(5)),
			&Login{Service: "mqtt", Mechanism: "none", Outcome: Failed},
		}, nil},
		{"5 with properties, a will and an authentication method", []chunk{
			{FromClient, mqttBytes(0x10, 0, 4, "MQTT", 5, 0x2e, 0, 0, // will retained, QoS 1, clean start
				29, 0x11, 0, 0, 0, 9, // session expiry
				0x15, 0, 5, "SCRAM", 0x16, 0, 4, "n,,n", 0x26, 0, 1, "k", 0, 1, "v", // authentication method, data, user property
				0x19, 1, // request response information
				0, 0, // client id, given by the server
				2, 1, 1, // will properties: payload format
				0, 4, "gone", 0, 3, "bye")},
			{FromServer, mqttBytes(0x20, 0, 0x87, 7, 0x1f, 0, 4, "nope")},
		}, []Message{
			exchange(MQTTPacket{
				Kind: MQTTConnectKind, Length: 56, Reason: -1,
				Connect: &MQTTConnect{
					ProtocolName: "MQTT", Version: 5, CleanSession: true, Will: true, WillRetain: true, WillQoS: 1, WillTopic: "gone",
					WillProperties: []MQTTProperty{{ID: 1, Number: 1}},
				},
				Properties: []MQTTProperty{
					{ID: 0x11, Number: 9}, {ID: 0x15, Text: "SCRAM"}, {ID: 0x26, Name: "k", Text: "v"}, {ID: 0x19, Number: 1},
				},
			}, MQTTPacket{
				Kind: MQTTConnAckKind, From: FromServer, Length: 10, Reason: 0x87, Properties: []MQTTProperty{{ID: 0x1f, Text: "nope"}},
			}),
			&Login{Service: "mqtt", Mechanism: "SCRAM", Outcome: Failed},
		}, nil},
		{"once each: topics, pings, acknowledgements", []chunk{
			{FromClient, join(anonymous,
				mqttBytes(0x30, 0, 3, "t/1", "payload"),
				mqttBytes(0x3b, 0, 3, "t/2", 0, 7, "again"), // QoS 1, retain, dup
				mqttBytes(0x30, 0, 3, "t/1", strings.Repeat("x", 100)),
				mqttBytes(0x33, 0, 3, "t/2", 0, 8, "again"),
				mqttBytes(0xc0), mqttBytes(0xc0))},
			{FromServer, join(mqttBytes(0x20, 0, 0), mqttBytes(0x40, 0, 7), mqttBytes(0x40, 0, 8), mqttBytes(0x30, 0, 3, "t/1"), mqttBytes(0xd0))},
		}, []Message{
			exchange(published(FromClient, "t/1", 0, 0, 12)),
			exchange(MQTTPacket{Kind: MQTTPingReqKind, Reason: -1}),
			exchange(anonymousPacket, connAck(0)),
			exchange(
				MQTTPacket{Kind: MQTTPublishKind, QoS: 1, Retain: true, Dup: true, Length: 12, PacketID: 7, Topic: "t/2", Reason: -1},
				ack(MQTTPubAckKind, FromServer, 2, 7, -1)),
			exchange(published(FromServer, "t/1", 0, 0, 5)),
			exchange(MQTTPacket{Kind: MQTTPingRespKind, From: FromServer, Reason: -1}),
		}, nil},
		{"subscription", []chunk{
			{FromClient, join(anonymous, mqttBytes(0x82, 0, 9, 0, 3, "a/#", 1, 0, 1, "b", 0), mqttBytes(0xa2, 0, 10, 0, 1, "b"))},
			{FromServer, join(mqttBytes(0x20, 0, 0), mqttBytes(0x90, 0, 9, 1, 0x80), mqttBytes(0xb0, 0, 10))},
		}, []Message{
			exchange(anonymousPacket, connAck(0)),
			exchange(
				MQTTPacket{Kind: MQTTSubscribeKind, QoS: 1, Length: 12, PacketID: 9, Topics: []MQTTTopic{{"a/#", 1}, {"b", 0}}, Reason: -1},
				MQTTPacket{Kind: MQTTSubAckKind, From: FromServer, Length: 4, PacketID: 9, Codes: []byte{1, 0x80}, Reason: -1}),
			exchange(
				MQTTPacket{Kind: MQTTUnsubscribeKind, QoS: 1, Length: 5, PacketID: 10, Topics: []MQTTTopic{{"b", 0}}, Reason: -1},
				MQTTPacket{Kind: MQTTUnsubAckKind, From: FromServer, Length: 2, PacketID: 10, Reason: -1}),
		}, nil},
		{"5: published both ways with one identifier, QoS 2 and 1", []chunk{
			{FromClient, join(five, mqttBytes(0x34, 0, 1, "t", 0, 7, 3, 0x23, 0, 2, "x"))}, // topic alias
			{FromServer, join(mqttBytes(0x20, 0, 0, 0), mqttBytes(0x32, 0, 1, "u", 0, 7, 0), mqttBytes(0x50, 0, 7))},
			{FromClient, join(mqttBytes(0x62, 0, 7), mqttBytes(0x40, 0, 7, 0x10, 0))}, // no matching subscribers
			{FromServer, mqttBytes(0x70, 0, 7)},
			{FromClient, join(mqttBytes(0x34, 0, 0, 0, 8, 3, 0x23, 0, 2, "x"), mqttBytes(0xe0, 4))},           // by its alias; disconnect with will
			{FromServer, join(mqttBytes(0x50, 0, 8, 0x97, 0), mqttBytes(0xe0, 0x8b, 8, 0x1f, 0, 5, "later"))}, // quota exceeded; shutting down
		}, []Message{
			exchange(fivePacket, MQTTPacket{Kind: MQTTConnAckKind, From: FromServer, Length: 3}),
			exchange(published(FromServer, "u", 1, 7, 6), ack(MQTTPubAckKind, FromClient, 4, 7, 0x10)),
			exchange(
				MQTTPacket{
					Kind: MQTTPublishKind, QoS: 2, Length: 10, PacketID: 7, Topic: "t", Reason: -1,
					Properties: []MQTTProperty{{ID: 0x23, Number: 2}},
				},
				ack(MQTTPubRecKind, FromServer, 2, 7, 0), ack(MQTTPubRelKind, FromClient, 2, 7, 0), ack(MQTTPubCompKind, FromServer, 2, 7, 0)),
			exchange(MQTTPacket{Kind: MQTTDisconnectKind, Length: 1, Reason: 4}),
			exchange(
				MQTTPacket{Kind: MQTTPublishKind, QoS: 2, Length: 9, PacketID: 8, Reason: -1, Properties: []MQTTProperty{{ID: 0x23, Number: 2}}},
				ack(MQTTPubRecKind, FromServer, 4, 8, 0x97)),
			exchange(MQTTPacket{Kind: MQTTDisconnectKind, From: FromServer, Length: 10, Reason: 0x8b, Properties: []MQTTProperty{{ID: 0x1f, Text: "later"}}}),
		}, nil},
		{"5: authenticated again", []chunk{
			{FromClient, join(five, mqttBytes(0xf0, 0x19, 13, 0x15, 0, 5, "SCRAM", 0x16, 0, 2, "pw"))},
			{FromServer, join(mqttBytes(0x20, 0, 0, 0), mqttBytes(0xf0))},
		}, []Message{
			exchange(MQTTPacket{Kind: MQTTAuthKind, Length: 15, Reason: 0x19, Properties: []MQTTProperty{{ID: 0x15, Text: "SCRAM"}}}),
			exchange(fivePacket, MQTTPacket{Kind: MQTTConnAckKind, From: FromServer, Length: 3}),
			&Login{Service: "mqtt", Mechanism: "SCRAM", Outcome: Succeeded},
			exchange(MQTTPacket{Kind: MQTTAuthKind, From: FromServer}),
		}, nil},
		{"5: secrets in user properties", []chunk{
			{FromClient, mqttBytes(0x10, 0, 4, "MQTT", 5, 2, 0, 0, 31, 0x26, 0, 5, "Token", 0, 6, "s3cr3t", 0x26, 0, 4, "site", 0, 6, "plant1", 0, 1, "a")},
			{FromServer, mqttBytes(0x20, 0, 0, 0)},
		}, []Message{
			exchange(MQTTPacket{
				Kind: MQTTConnectKind, Length: 45, Reason: -1, Connect: fivePacket.Connect,
				Properties: []MQTTProperty{{ID: 0x26, Name: "site", Text: "plant1"}},
			}, MQTTPacket{Kind: MQTTConnAckKind, From: FromServer, Length: 3}),
		}, nil},
		{"joined late: the topics of 5 show the version", []chunk{
			{FromClient, mqttBytes(0x82, 0, 9, 0, 0, 3, "a/#", 1)},
			{FromServer, mqttBytes(0x90, 0, 9, 0, 1)},
		}, []Message{exchange(
			MQTTPacket{Kind: MQTTSubscribeKind, QoS: 1, Length: 9, PacketID: 9, Topics: []MQTTTopic{{"a/#", 1}}, Reason: -1},
			MQTTPacket{Kind: MQTTSubAckKind, From: FromServer, Length: 4, PacketID: 9, Codes: []byte{1}, Reason: -1})}, nil},
		{"joined late: nothing tells codes from properties", []chunk{{FromServer, mqttBytes(0x90, 0, 9, 0, 1)}}, []Message{
			exchange(MQTTPacket{Kind: MQTTSubAckKind, From: FromServer, Length: 4, PacketID: 9, Reason: -1}),
		}, nil},
		{"connect cut by the snap length", []chunk{{FromClient, connect[:20]}}, []Message{
			exchange(MQTTPacket{
				Kind: MQTTConnectKind, Length: 31, Truncated: true, Reason: -1,
				Connect: &MQTTConnect{
					ProtocolName: "MQTT", Version: 4, ClientID: "cam1", HasUser: true, HasPassword: true, CleanSession: true, KeepAlive: 60,
				},
			}),
			&Login{Service: "mqtt", Mechanism: "password"},
		}, nil},
		{"reserved type", []chunk{{FromClient, join(anonymous, 0, 0)}}, []Message{exchange(anonymousPacket)}, ErrMalformed},
		{"endless length", []chunk{{FromClient, join(anonymous, 0xc0, 0xff, 0xff, 0xff, 0xff)}}, []Message{exchange(anonymousPacket)}, ErrMalformed},
		{"fields overrun the packet", []chunk{{FromClient, mqttBytes(0x10, 0, 4, "MQTT", 4, 0, 0, 60, 0, 9, "a")}}, nil, ErrMalformed},
		{"topic overruns the packet", []chunk{{FromClient, join(anonymous, mqttBytes(0x30, 0, 9, "t"))}}, []Message{exchange(anonymousPacket)}, ErrMalformed},
		{"properties overrun the packet", []chunk{{FromClient, join(five, mqttBytes(0x30, 0, 1, "t", 9, 1, 0))}}, []Message{exchange(fivePacket)}, ErrMalformed},
		{"an acknowledgement without identifier", []chunk{{FromClient, join(anonymous, mqttBytes(0x40, 1))}}, []Message{exchange(anonymousPacket)}, ErrMalformed},
		{"an error reports the login", []chunk{{FromClient, join(connect, 0, 0)}}, []Message{exchange(connectPacket), login(OutcomeUnknown)}, ErrMalformed},
	})
}

// framed puts what a client sends into a frame of WebSocket, masked.
func framed(opcode byte, payload []byte) []byte {
	mask := []byte{0x1a, 0x2b, 0x3c, 0x4d}
	out := join(0x80|opcode, 0x80|len(payload), mask)
	if len(payload) > 125 {
		out = join(0x80|opcode, 0xfe, len(payload)>>8, len(payload)&0xff, mask)
	}
	for i, c := range payload {
		out = append(out, c^mask[i&3])
	}
	return out
}

func TestMQTTWebSocket(t *testing.T) {
	connect := mqttBytes(0x10, 0, 4, "MQTT", 4, 0xc2, 0, 60, 0, 1, "a", 0, 4, "anna", 0, 6, "S3cret")
	connected := &MQTT{[]MQTTPacket{
		{
			Kind: MQTTConnectKind, Length: 27, Reason: -1,
			Connect: &MQTTConnect{ProtocolName: "MQTT", Version: 4, ClientID: "a", User: "anna", HasUser: true, HasPassword: true, CleanSession: true, KeepAlive: 60},
		},
		{Kind: MQTTConnAckKind, From: FromServer, Length: 2},
	}}
	login := &Login{Service: "mqtt", User: "anna", Mechanism: "password", Outcome: Succeeded, Clear: true}
	published := func(topic string, length int) *MQTT {
		return &MQTT{[]MQTTPacket{{Kind: MQTTPublishKind, Length: length, Topic: topic, Reason: -1}}}
	}
	large := join(0x30, 0xd0, 0x0f, 0, 3, "t/2", make([]byte, 2000-5)) // more than one frame
	playAll(t, newMQTTStream, []dialogue{
		{"packets over frames", []chunk{
			{FromClient, join(framed(2, connect))},
			{FromServer, join(0x82, 1, 0x20, 0x82, 3, 2, 0, 0)}, // a packet in two frames
			{FromClient, join(framed(9, []byte("ping")), framed(2, join(mqttBytes(0x30, 0, 3, "t/1"), large[:100])), framed(0, large[100:]))},
			{FromClient, framed(2, mqttBytes(0x30, 0, 3, "t/3"))},
			{FromServer, join(0x8a, 4, "ping")},
		}, []Message{connected, login, published("t/1", 5), published("t/2", 2000), published("t/3", 5)}, nil},
		{"compressed", []chunk{
			{FromClient, framed(2, connect)}, {FromServer, join(0x82, 4, 0x20, 2, 0, 0)}, {FromClient, join(0xc2, 0x80, 0, 0, 0, 0)},
		}, []Message{connected, login}, ErrDone},
		{"a frame of more than 2 GiB", []chunk{
			{FromClient, framed(2, connect)}, {FromServer, join(0x82, 4, 0x20, 2, 0, 0)}, {FromServer, join(0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0)},
		}, []Message{connected, login}, ErrMalformed},
	})
	checkSniffs(t, sniffMQTTConnection, FromClient, []opening{
		{"", Maybe},
		{string(framed(2, connect)), Yes},
		{string(framed(2, connect[:5])), No},     // cut by its frame: real ones are not
		{string(framed(1, connect)), No},         // text
		{string(framed(2, []byte("hello"))), No}, // of another protocol
		{"\x82\x1d\x10\x1b\x00\x04MQTT\x04\xc2", No},
		{"\x82\xff\x00\x00\x00\x00\x00", Maybe},
		{"\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00", No},
		{string(connect), Yes},
	})
}

// TestMQTTWaitingIsBounded: a client publishes and is never answered.
func TestMQTTWaitingIsBounded(t *testing.T) {
	s := newMQTTStream().(*mqttStream)
	var in []byte
	for i := range 40 {
		in = append(in, mqttBytes(0x32, 0, 1, 'a'+i, 0, i+1)...)
	}
	_, msgs, err := s.Feed(FromClient, in, nil)
	if err != nil || len(msgs) != 40-maxMQTTWaiting || s.Retained() == 0 {
		t.Errorf("%d messages, %d bytes retained, %v", len(msgs), s.Retained(), err)
	}
	if msgs = s.Flush(FromServer, nil, msgs); len(msgs) != 40 || s.Retained() != 0 {
		t.Errorf("flushed: %d messages, %d bytes retained", len(msgs), s.Retained())
	}
}

func TestSniffMQTT(t *testing.T) {
	checkSniffs(t, sniffMQTT, FromClient, []opening{
		{"", Maybe},
		{"\x10\x0d\x00\x04MQTT\x04\x02", Yes},
		{"\x10\x81\x01\x00\x04MQTT\x05\x00", Yes},
		{"\x10\x0f\x00\x06MQIsdp\x03\x02", Yes},
		{"\x10\x0d\x00\x04MQTT\x84\x02", Yes}, // a bridge of Mosquitto
		{"\x10\x0d\x00\x04MQTT\x06\x02", No},  // no such version
		{"\x10\x0d\x00\x04MQTT\x04\x03", No},  // reserved flag
		{"\x10\x0d\x00\x04HTTP", No},
		{"\x10\x05\x00\x04MQTT", No}, // too short for its fields
		{"\x30\x0d\x00\x04MQTT", No},
	})
}

func TestMQTTTopicsAreBounded(t *testing.T) {
	s := newMQTTStream().(*mqttStream)
	s.version = 4
	var in []byte
	for i := range 200 {
		in = append(in, mqttBytes(0x30, 0, 2, i, i/200)...)
	}
	_, msgs, err := s.Feed(FromClient, in, nil)
	if err != nil || len(msgs) != maxMQTTTopics {
		t.Errorf("%d messages, %v; want %d", len(msgs), err, maxMQTTTopics)
	}
}

func FuzzMQTT(f *testing.F) {
	fuzzSeeds(f, 1883)
	f.Add(append([]byte{255}, mqttBytes(0x10, 0, 4, "MQTT", 5, 0xc2, 0, 60, 3, 0x21, 0, 1, 0, 1, "a", 0, 1, "u", 0, 1, "p")...))
	f.Add(join(255, framed(2, mqttBytes(0x10, 0, 4, "MQTT", 4, 2, 0, 60, 0, 1, "a")), framed(2, mqttBytes(0x30, 0, 1, "a"))))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newMQTTStream, b) })
}

func BenchmarkMQTTPublish(b *testing.B) {
	benchmarkMQTT(b, 4, mqttBytes(0x30, 0, 12, "home/sensor1", strings.Repeat("x", 40)))
}

// BenchmarkMQTTAcknowledged is a publication with properties and QoS 1, with
// its acknowledgement and a ping, which have been told.
func BenchmarkMQTTAcknowledged(b *testing.B) {
	benchmarkMQTT(b, 5, join(mqttBytes(0x32, 0, 12, "home/sensor1", 0, 1, 2, 1, 1, strings.Repeat("x", 40)), mqttBytes(0x40, 0, 1), mqttBytes(0xc0)))
}

func benchmarkMQTT(b *testing.B, version uint8, in []byte) {
	b.Helper()
	s := newMQTTStream().(*mqttStream)
	s.version = version
	if _, _, err := s.Feed(FromClient, in, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, msgs, err := s.Feed(FromClient, in, nil); err != nil || len(msgs) != 0 {
			b.Fatal(len(msgs), err)
		}
	}
}
