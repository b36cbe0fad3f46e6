package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// mqttBody is Suricata's mqtt object, with the packet types that are read.
type mqttBody struct {
	Connect   *mqttConnect   `json:"connect,omitempty"`
	ConnAck   *mqttConnAck   `json:"connack,omitempty"`
	Publish   *mqttPublish   `json:"publish,omitempty"`
	Subscribe *mqttSubscribe `json:"subscribe,omitempty"`
}

type mqttConnect struct {
	ProtocolString  string    `json:"protocol_string"`
	ProtocolVersion uint8     `json:"protocol_version"`
	Flags           mqttFlags `json:"flags"`
	ClientID        string    `json:"client_id"`
	Username        string    `json:"username,omitempty"`
	Will            *mqttWill `json:"will,omitempty"`
	KeepAlive       uint16    `json:"keep_alive"` // seconds
	AuthMethod      string    `json:"authentication_method,omitempty"`
	Truncated       bool      `json:"truncated,omitempty"`
}

type mqttFlags struct {
	Username     bool `json:"username"`
	Password     bool `json:"password"`
	WillRetain   bool `json:"will_retain"`
	Will         bool `json:"will"`
	CleanSession bool `json:"clean_session"`
}

type mqttWill struct {
	Topic string `json:"topic"`
}

type mqttConnAck struct {
	SessionPresent bool  `json:"session_present"`
	ReturnCode     uint8 `json:"return_code"`
}

type mqttPublish struct {
	From   string `json:"from"` // client or server
	QoS    uint8  `json:"qos"`
	Retain bool   `json:"retain"`
	Dup    bool   `json:"dup"`
	Topic  string `json:"topic"`
}

type mqttSubscribe struct {
	MessageID uint16      `json:"message_id"`
	Topics    []mqttTopic `json:"topics"`
	Truncated bool        `json:"truncated,omitempty"`
}

type mqttTopic struct {
	Topic string `json:"topic"`
	QoS   uint8  `json:"qos"`
}

func (w *Writer) mqtt(ev *flow.Event, body *mqttBody) error {
	w.begin("mqtt", "mqtt", &ev.Record, ev.Time)
	w.line.MQTT = body
	return w.put()
}

func mqttConnectBody(m *wire.MQTTConnect) *mqttBody {
	c := &mqttConnect{
		ProtocolString: m.ProtocolName, ProtocolVersion: m.Version, ClientID: m.ClientID, Username: m.User,
		KeepAlive: m.KeepAlive, AuthMethod: m.AuthMethod, Truncated: m.Truncated,
		Flags: mqttFlags{m.HasUser, m.HasPassword, m.WillRetain, m.Will, m.CleanSession},
	}
	if m.Will {
		c.Will = &mqttWill{m.WillTopic}
	}
	return &mqttBody{Connect: c}
}

func mqttSubscribeBody(m *wire.MQTTSubscribe) *mqttBody {
	s := &mqttSubscribe{MessageID: m.PacketID, Topics: make([]mqttTopic, 0, len(m.Topics)), Truncated: m.Truncated}
	for _, t := range m.Topics {
		s.Topics = append(s.Topics, mqttTopic{t.Filter, t.QoS})
	}
	return &mqttBody{Subscribe: s}
}

// sideName names an end of a flow.
func sideName(dir wire.Dir) string {
	if dir == wire.FromServer {
		return "server"
	}
	return "client"
}
