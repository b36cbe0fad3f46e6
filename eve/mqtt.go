package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// mqttBody is Suricata's mqtt object: the packets of an exchange. Payloads and
// what is secret are left out; who sends what is an addition.
type mqttBody struct {
	Connect     *mqttConnect     `json:"connect,omitempty"`
	ConnAck     *mqttConnAck     `json:"connack,omitempty"`
	Publish     *mqttPublish     `json:"publish,omitempty"`
	PubAck      *mqttAck         `json:"puback,omitempty"`
	PubRec      *mqttAck         `json:"pubrec,omitempty"`
	PubRel      *mqttAck         `json:"pubrel,omitempty"`
	PubComp     *mqttAck         `json:"pubcomp,omitempty"`
	Subscribe   *mqttSubscribe   `json:"subscribe,omitempty"`
	SubAck      *mqttSubAck      `json:"suback,omitempty"`
	Unsubscribe *mqttUnsubscribe `json:"unsubscribe,omitempty"`
	UnsubAck    *mqttUnsubAck    `json:"unsuback,omitempty"`
	PingReq     *mqttPing        `json:"pingreq,omitempty"`
	PingResp    *mqttPing        `json:"pingresp,omitempty"`
	Disconnect  *mqttReason      `json:"disconnect,omitempty"`
	Auth        *mqttReason      `json:"auth,omitempty"`
}

// mqttHeader is what all packets have.
type mqttHeader struct {
	QoS        uint8          `json:"qos"`
	Retain     bool           `json:"retain"`
	Dup        bool           `json:"dup"`
	Properties map[string]any `json:"properties,omitempty"`
	Truncated  bool           `json:"truncated,omitempty"`
	Skipped    int            `json:"skipped_length,omitempty"` // bytes
}

type mqttConnect struct {
	mqttHeader
	ProtocolString  string    `json:"protocol_string"`
	ProtocolVersion uint8     `json:"protocol_version"`
	Flags           mqttFlags `json:"flags"`
	ClientID        string    `json:"client_id"`
	Username        string    `json:"username,omitempty"`
	Will            *mqttWill `json:"will,omitempty"`
	KeepAlive       uint16    `json:"keep_alive"` // seconds
}

type mqttFlags struct {
	Username     bool `json:"username"`
	Password     bool `json:"password"`
	WillRetain   bool `json:"will_retain"`
	Will         bool `json:"will"`
	CleanSession bool `json:"clean_session"`
}

type mqttWill struct {
	Topic      string         `json:"topic"`
	QoS        uint8          `json:"qos"`
	Properties map[string]any `json:"properties,omitempty"`
}

type mqttConnAck struct {
	mqttHeader
	SessionPresent bool `json:"session_present"`
	ReturnCode     int  `json:"return_code"`
}

type mqttPublish struct {
	mqttHeader
	From      string `json:"from"` // client or server
	Topic     string `json:"topic"`
	MessageID uint16 `json:"message_id,omitempty"`
}

type mqttAck struct {
	mqttHeader
	MessageID uint16 `json:"message_id"`
	Reason    *int   `json:"reason_code,omitempty"`
}

type mqttSubscribe struct {
	mqttHeader
	MessageID uint16      `json:"message_id"`
	Topics    []mqttTopic `json:"topics"`
}

type mqttTopic struct {
	Topic string `json:"topic"`
	QoS   uint8  `json:"qos"`
}

type mqttSubAck struct {
	mqttHeader
	MessageID uint16 `json:"message_id"`
	Granted   []int  `json:"qos_granted,omitempty"`
}

type mqttUnsubscribe struct {
	mqttHeader
	MessageID uint16   `json:"message_id"`
	Topics    []string `json:"topics"`
}

type mqttUnsubAck struct {
	mqttHeader
	MessageID uint16 `json:"message_id"`
	Reasons   []int  `json:"reason_codes,omitempty"`
}

type mqttPing struct {
	mqttHeader
}

type mqttReason struct {
	mqttHeader
	From   string `json:"from"` // client or server
	Reason *int   `json:"reason_code,omitempty"`
}

func (w *Writer) mqtt(ev *flow.Event, m *wire.MQTT) error {
	body := new(mqttBody)
	for i := range m.Packets {
		body.add(&m.Packets[i])
	}
	w.begin("mqtt", "mqtt", &ev.Record, ev.Time)
	w.line.MQTT = body
	return w.put()
}

// add puts a packet of an exchange into its place.
func (b *mqttBody) add(p *wire.MQTTPacket) {
	head := mqttHeaderOf(p)
	switch p.Kind {
	case wire.MQTTConnectKind:
		b.Connect = mqttConnectOf(head, p.Connect)
	case wire.MQTTConnAckKind:
		b.ConnAck = &mqttConnAck{head, p.SessionPresent, p.Reason}
	case wire.MQTTPublishKind:
		b.Publish = &mqttPublish{head, sideName(p.From), p.Topic, p.PacketID}
	case wire.MQTTPubAckKind:
		b.PubAck = mqttAckOf(head, p)
	case wire.MQTTPubRecKind:
		b.PubRec = mqttAckOf(head, p)
	case wire.MQTTPubRelKind:
		b.PubRel = mqttAckOf(head, p)
	case wire.MQTTPubCompKind:
		b.PubComp = mqttAckOf(head, p)
	case wire.MQTTSubscribeKind:
		s := &mqttSubscribe{head, p.PacketID, make([]mqttTopic, 0, len(p.Topics))}
		for _, t := range p.Topics {
			s.Topics = append(s.Topics, mqttTopic{t.Filter, t.QoS})
		}
		b.Subscribe = s
	case wire.MQTTSubAckKind:
		b.SubAck = &mqttSubAck{head, p.PacketID, mqttCodes(p.Codes)}
	case wire.MQTTUnsubscribeKind:
		u := &mqttUnsubscribe{head, p.PacketID, make([]string, 0, len(p.Topics))}
		for _, t := range p.Topics {
			u.Topics = append(u.Topics, t.Filter)
		}
		b.Unsubscribe = u
	case wire.MQTTUnsubAckKind:
		b.UnsubAck = &mqttUnsubAck{head, p.PacketID, mqttCodes(p.Codes)}
	case wire.MQTTPingReqKind:
		b.PingReq = &mqttPing{head}
	case wire.MQTTPingRespKind:
		b.PingResp = &mqttPing{head}
	case wire.MQTTDisconnectKind:
		b.Disconnect = &mqttReason{head, sideName(p.From), mqttReasonOf(p)}
	case wire.MQTTAuthKind:
		b.Auth = &mqttReason{head, sideName(p.From), mqttReasonOf(p)}
	}
}

func mqttHeaderOf(p *wire.MQTTPacket) mqttHeader {
	// Suricata reads nothing of a packet that announces more (max-msg-length),
	// and says so.
	const longest = 1 << 20
	h := mqttHeader{QoS: p.QoS, Retain: p.Retain, Dup: p.Dup, Properties: mqttProperties(p.Properties), Truncated: p.Truncated}
	if p.Length > longest {
		h.Truncated, h.Skipped = true, 1+3+p.Length // with type and length before it
		if p.Length >= 1<<21 {
			h.Skipped++ // a fourth byte of the length (section 1.5.5)
		}
	}
	return h
}

func mqttConnectOf(head mqttHeader, m *wire.MQTTConnect) *mqttConnect {
	c := &mqttConnect{
		mqttHeader: head, ProtocolString: m.ProtocolName, ProtocolVersion: m.Version, ClientID: m.ClientID, Username: m.User,
		KeepAlive: m.KeepAlive,
		Flags:     mqttFlags{m.HasUser, m.HasPassword, m.WillRetain, m.Will, m.CleanSession},
	}
	if m.Will {
		c.Will = &mqttWill{m.WillTopic, m.WillQoS, mqttProperties(m.WillProperties)}
	}
	return c
}

func mqttAckOf(head mqttHeader, p *wire.MQTTPacket) *mqttAck {
	return &mqttAck{head, p.PacketID, mqttReasonOf(p)}
}

// mqttReasonOf is nil for a packet without reason code.
func mqttReasonOf(p *wire.MQTTPacket) *int {
	if p.Reason < 0 {
		return nil
	}
	return &p.Reason
}

// mqttCodes lists codes as numbers, which bytes would not be in JSON.
func mqttCodes(codes []byte) []int {
	var out []int
	for _, c := range codes {
		out = append(out, int(c))
	}
	return out
}

// mqttProperties maps properties to their values, a user property by the name
// that its user gave it. Of several with one name the last stays, as with
// readers of what Suricata writes.
func mqttProperties(list []wire.MQTTProperty) map[string]any {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]any, len(list))
	for _, p := range list {
		switch name, text := mqttPropertyName(p.ID); {
		case p.Name != "" || name == "":
			m[p.Name] = p.Text
		case text:
			m[name] = p.Text
		default:
			m[name] = p.Number
		}
	}
	return m
}

// mqttPropertyName returns Suricata's name of a property of MQTT 5 (section
// 2.2.2.2), which is that of the standard, and whether its value is a text.
func mqttPropertyName(id uint8) (name string, text bool) {
	switch id {
	case 0x01:
		return "payload_format_indicator", false
	case 0x02:
		return "message_expiry_interval", false
	case 0x03:
		return "content_type", true
	case 0x08:
		return "response_topic", true
	case 0x09:
		return "correlation_data", true
	case 0x0b:
		return "subscription_identifier", false
	case 0x11:
		return "session_expiry_interval", false
	case 0x12:
		return "assigned_client_identifier", true
	case 0x13:
		return "server_keep_alive", false
	case 0x15:
		return "authentication_method", true
	case 0x17:
		return "request_problem_information", false
	case 0x18:
		return "will_delay_interval", false
	case 0x19:
		return "request_response_information", false
	case 0x1a:
		return "response_information", true
	case 0x1c:
		return "server_reference", true
	case 0x1f:
		return "reason_string", true
	case 0x21:
		return "receive_maximum", false
	case 0x22:
		return "topic_alias_maximum", false
	case 0x23:
		return "topic_alias", false
	case 0x24:
		return "maximum_qos", false
	case 0x25:
		return "retain_available", false
	case 0x27:
		return "maximum_packet_size", false
	case 0x28:
		return "wildcard_subscription_available", false
	case 0x29:
		return "subscription_identifier_available", false
	case 0x2a:
		return "shared_subscription_available", false
	}
	return "", true
}

// sideName names an end of a flow.
func sideName(dir wire.Dir) string {
	if dir == wire.FromServer {
		return "server"
	}
	return "client"
}
