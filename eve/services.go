package eve

import (
	"fmt"

	"gatehouse/flow"
	"gatehouse/wire"
)

// serviceBodies are the objects of the services that people and devices log in
// to, or run beside them.
type serviceBodies struct {
	MQTT  *mqttBody  `json:"mqtt,omitempty"`
	SMB   *smbBody   `json:"smb,omitempty"`
	Login *loginBody `json:"login,omitempty"`
}

// service writes one message of a service.
func (w *Writer) service(ev *flow.Event, m wire.Message) error {
	switch m := m.(type) {
	case *wire.Login:
		return w.login(ev, m)
	case *wire.MQTTConnect:
		return w.mqtt(ev, mqttConnectBody(m))
	case *wire.MQTTConnAck:
		return w.mqtt(ev, &mqttBody{ConnAck: &mqttConnAck{m.SessionPresent, m.ReturnCode}})
	case *wire.MQTTPublish:
		return w.mqtt(ev, &mqttBody{Publish: &mqttPublish{sideName(m.From), m.QoS, m.Retain, m.Dup, m.Topic}})
	case *wire.MQTTSubscribe:
		return w.mqtt(ev, mqttSubscribeBody(m))
	case *wire.SMB:
		return w.smb(ev, m)
	default:
		return fmt.Errorf("write event: no vocabulary for %T", m)
	}
}
