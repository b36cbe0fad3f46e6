package wire

import "strings"

// MQTTProperty is a property of MQTT 5 (section 2.2.2).
type MQTTProperty struct {
	ID     uint8
	Number uint32 // value of one that has a number
	Name   string // of a user property, at most 256 bytes
	Text   string // value of one that has a text or bytes, at most 256 bytes
}

// Identifiers of the properties that are looked at more closely.
const (
	propAuthMethod = 0x15
	propAuthData   = 0x16
	propUser       = 0x26
)

// maxMQTTProperties bounds the properties that are kept of a packet: all that
// there are, and some of the user's own.
const maxMQTTProperties = 32

// mqttProperty returns the text of a property.
func mqttProperty(list []MQTTProperty, id uint8) (text string, ok bool) {
	for i := range list {
		if list[i].ID == id {
			return list[i].Text, true
		}
	}
	return "", false
}

// properties reads the properties of a packet. Authentication data and what a
// user property with the name of a secret holds are not kept. What follows a
// property that is not known cannot be read.
func (r *mqttReader) properties() []MQTTProperty {
	size, n, ok := mqttLength(r.b)
	if !ok || n == 0 {
		r.short, r.b = true, nil
		return nil
	}
	r.take(n)
	if size > len(r.b) {
		defer r.take(size) // more than there is: what follows cannot be read
	}
	p := mqttReader{cursor{b: r.upTo(size)}}
	var list []MQTTProperty
	for len(p.b) > 0 && len(list) < maxMQTTProperties {
		one, known := p.property()
		if p.short || !known {
			break
		}
		if one.ID != propAuthData && (one.ID != propUser || !namesSecret(one.Name)) {
			list = append(list, one)
		}
	}
	return list
}

// property reads one property; known is false if there is none of this
// identifier.
func (r *mqttReader) property() (p MQTTProperty, known bool) {
	p.ID = r.u8()
	switch p.ID {
	case 0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a:
		p.Number = uint32(r.u8())
	case 0x13, 0x21, 0x22, 0x23:
		p.Number = uint32(r.u16())
	case 0x02, 0x11, 0x18, 0x27:
		p.Number = r.u32()
	case 0x0b:
		v, n, _ := mqttLength(r.b)
		r.take(max(n, 1))
		p.Number = uint32(v)
	case propAuthData:
		r.text()
	case 0x03, 0x08, 0x09, 0x12, propAuthMethod, 0x1a, 0x1c, 0x1f:
		p.Text = mqttText(r.text())
	case propUser:
		p.Name = mqttText(r.text())
		p.Text = mqttText(r.text())
	default:
		return p, false
	}
	return p, true
}

// namesSecret tells the names under which people keep what nobody else should
// read.
func namesSecret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range [...]string{"pass", "pwd", "secret", "token", "auth", "credential", "api-key", "apikey", "api_key", "cookie"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
