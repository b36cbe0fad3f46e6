package wire

import (
	"strings"
	"testing"
)

// mqttPacket puts a fixed header before a body of less than 128 bytes.
func mqttPacket(first int, body ...any) []byte {
	b := join(body...)
	return join(first, len(b), b)
}

func TestMQTTStream(t *testing.T) {
	connect := mqttPacket(0x10,
		0, 4, "MQTT", 4, // 3.1.1
		0xc2,  // user, password, clean session
		0, 60, // keep alive
		0, 4, "cam1",
		0, 5, "admin", 0, 6, "public")
	parsed := &MQTTConnect{
		ProtocolName: "MQTT", Version: 4, ClientID: "cam1", User: "admin", HasUser: true, HasPassword: true,
		CleanSession: true, KeepAlive: 60,
	}
	login := func(o Outcome) *Login {
		return &Login{Service: "mqtt", User: "admin", Mechanism: "password", Outcome: o, Clear: true, Default: true}
	}
	anonymous := mqttPacket(0x10, 0, 6, "MQIsdp", 3, 2, 0, 30, 0, 1, "a")
	anonymousParsed := &MQTTConnect{ProtocolName: "MQIsdp", Version: 3, ClientID: "a", CleanSession: true, KeepAlive: 30}
	playAll(t, newMQTTStream, []dialogue{
		{"login accepted", []chunk{{FromClient, connect}, {FromServer, mqttPacket(0x20, 0, 0)}}, []Message{
			parsed, &MQTTConnAck{}, login(Succeeded),
		}, nil},
		{"login refused", []chunk{{FromClient, connect}, {FromServer, mqttPacket(0x20, 0, 4)}}, []Message{
			parsed, &MQTTConnAck{ReturnCode: 4}, login(Failed),
		}, nil},
		{"server unavailable says nothing about the login", []chunk{{FromClient, connect}, {FromServer, mqttPacket(0x20, 0, 3)}}, []Message{
			parsed, &MQTTConnAck{ReturnCode: 3}, login(OutcomeUnknown),
		}, nil},
		{"no answer", []chunk{{FromClient, connect}}, []Message{parsed, login(OutcomeUnknown)}, nil},
		{"anonymous", []chunk{{FromClient, anonymous}, {FromServer, mqttPacket(0x20, 1, 0)}}, []Message{
			anonymousParsed, &MQTTConnAck{SessionPresent: true},
		}, nil},
		{"anonymous, refused", []chunk{{FromClient, anonymous}, {FromServer, mqttPacket(0x20, 0, 5)}}, []Message{
			anonymousParsed,
			&MQTTConnAck{ReturnCode: 5},
			&Login{Service: "mqtt", Mechanism: "none", Outcome: Failed},
		}, nil},
		{"5 with properties, a will and an authentication method", []chunk{
			{FromClient, mqttPacket(0x10, 0, 4, "MQTT", 5, 0x2e, 0, 0, // will retained, QoS 1, clean start
				22, 0x11, 0, 0, 0, 9, // session expiry
				0x15, 0, 5, "SCRAM", 0x26, 0, 1, "k", 0, 1, "v", // authentication method, user property; two bytes left:
				0x19, 1, // request response information
				0, 0, // client id, given by the server
				2, 1, 1, // will properties: payload format
				0, 4, "gone", 0, 3, "bye")},
			{FromServer, mqttPacket(0x20, 0, 0x87, 0)},
		}, []Message{
			&MQTTConnect{
				ProtocolName: "MQTT", Version: 5, CleanSession: true, Will: true, WillRetain: true, WillTopic: "gone",
				AuthMethod: "SCRAM",
			},
			&MQTTConnAck{ReturnCode: 0x87},
			&Login{Service: "mqtt", Mechanism: "SCRAM", Outcome: Failed},
		}, nil},
		{"topics once each, payloads passed over", []chunk{
			{FromClient, join(anonymous,
				mqttPacket(0x30, 0, 3, "t/1", "payload"),
				mqttPacket(0x3b, 0, 3, "t/2", 0, 7, "again"), // QoS 1, retain, dup
				mqttPacket(0x30, 0, 3, "t/1", strings.Repeat("x", 100)),
				mqttPacket(0xc0))},
			{FromServer, join(mqttPacket(0x20, 0, 0), mqttPacket(0x30, 0, 3, "t/1"), mqttPacket(0xd0))},
		}, []Message{
			anonymousParsed,
			&MQTTPublish{Topic: "t/1"},
			&MQTTPublish{Topic: "t/2", QoS: 1, Retain: true, Dup: true},
			&MQTTConnAck{},
			&MQTTPublish{From: FromServer, Topic: "t/1"},
		}, nil},
		{"subscription", []chunk{{FromClient, join(anonymous, mqttPacket(0x82, 0, 9, 0, 3, "a/#", 1, 0, 1, "b", 0))}}, []Message{
			anonymousParsed,
			&MQTTSubscribe{PacketID: 9, Topics: []MQTTTopic{{"a/#", 1}, {"b", 0}}},
		}, nil},
		{"connect cut by the snap length", []chunk{{FromClient, connect[:20]}}, []Message{
			&MQTTConnect{
				ProtocolName: "MQTT", Version: 4, ClientID: "cam1", HasUser: true, HasPassword: true, CleanSession: true,
				KeepAlive: 60, Truncated: true,
			},
			&Login{Service: "mqtt", Mechanism: "password"},
		}, nil},
		{"reserved type", []chunk{{FromClient, join(anonymous, 0, 0)}}, []Message{anonymousParsed}, ErrMalformed},
		{"endless length", []chunk{{FromClient, join(anonymous, 0xc0, 0xff, 0xff, 0xff, 0xff)}}, []Message{anonymousParsed}, ErrMalformed},
		{"fields overrun the packet", []chunk{{FromClient, mqttPacket(0x10, 0, 4, "MQTT", 4, 0, 0, 60, 0, 9, "a")}}, nil, ErrMalformed},
		{"topic overruns the packet", []chunk{{FromClient, join(anonymous, mqttPacket(0x30, 0, 9, "t"))}}, []Message{anonymousParsed}, ErrMalformed},
		{"an error reports the login", []chunk{{FromClient, join(connect, 0, 0)}}, []Message{parsed, login(OutcomeUnknown)}, ErrMalformed},
	})
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
		in = append(in, mqttPacket(0x30, 0, 2, i, i/200)...)
	}
	_, msgs, err := s.Feed(FromClient, in, nil)
	if err != nil || len(msgs) != maxMQTTTopics {
		t.Errorf("%d messages, %v; want %d", len(msgs), err, maxMQTTTopics)
	}
}

func FuzzMQTT(f *testing.F) {
	fuzzSeeds(f, 1883)
	f.Add(append([]byte{255}, mqttPacket(0x10, 0, 4, "MQTT", 5, 0xc2, 0, 60, 3, 0x21, 0, 1, 0, 1, "a", 0, 1, "u", 0, 1, "p")...))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, newMQTTStream, b) })
}

func BenchmarkMQTTPublish(b *testing.B) {
	in := mqttPacket(0x30, 0, 12, "home/sensor1", strings.Repeat("x", 40))
	s := newMQTTStream().(*mqttStream)
	s.version = 4
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
