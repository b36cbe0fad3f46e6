package wire

import "slices"

// maxMQTTWaiting bounds the exchanges of a connection that wait for an answer:
// the packets in flight that a client has by default in Mosquitto's and Eclipse
// Paho's libraries are 20, of which mostly one or two are worth telling.
const maxMQTTWaiting = 16

// mqttExchanges brings together the packets of an exchange.
type mqttExchanges struct {
	waiting []mqttWaiting // oldest first
	held    int           // bytes of theirs, roughly
}

type mqttWaiting struct {
	*MQTT
	size int
}

// begin notes a packet that an answer belongs to. Without room, the exchange
// that has waited longest is told as it is.
func (e *mqttExchanges) begin(p MQTTPacket, msgs []Message) []Message {
	if len(e.waiting) == maxMQTTWaiting {
		msgs = e.take(0, msgs)
	}
	e.waiting = append(e.waiting, mqttWaiting{&MQTT{Packets: []MQTTPacket{p}}, p.size()})
	e.held += p.size()
	return msgs
}

// end adds an answer to its exchange, which is told if the answer is its last;
// one without an exchange is told alone.
func (e *mqttExchanges) end(p MQTTPacket, msgs []Message) []Message {
	i := e.find(p.Kind, p.From, p.PacketID)
	if i < 0 {
		return append(msgs, &MQTT{Packets: []MQTTPacket{p}})
	}
	w := &e.waiting[i]
	w.Packets = append(w.Packets, p)
	switch p.Kind {
	case MQTTPubRelKind:
		return msgs
	case MQTTPubRecKind:
		if p.Reason < 0x80 { // otherwise refused, and nothing follows
			return msgs
		}
	}
	return e.take(i, msgs)
}

// waits reports whether an exchange waits for this answer.
func (e *mqttExchanges) waits(kind MQTTKind, from Dir, id uint16) bool {
	return e.find(kind, from, id) >= 0
}

// find returns the index of the exchange that a packet answers, -1 if there is
// none.
func (e *mqttExchanges) find(kind MQTTKind, from Dir, id uint16) int {
	asked, asker := MQTTPublishKind, from.Other()
	switch kind {
	case MQTTConnAckKind:
		asked = MQTTConnectKind
	case MQTTSubAckKind:
		asked = MQTTSubscribeKind
	case MQTTUnsubAckKind:
		asked = MQTTUnsubscribeKind
	case MQTTPubRelKind: // from who has published
		asker = from
	}
	return slices.IndexFunc(e.waiting, func(w mqttWaiting) bool {
		first := &w.Packets[0]
		return first.Kind == asked && first.From == asker && first.PacketID == id && w.Packets[len(w.Packets)-1].Kind != kind
	})
}

// take tells the exchange at i.
func (e *mqttExchanges) take(i int, msgs []Message) []Message {
	w := e.waiting[i]
	e.held -= w.size
	e.waiting = slices.Delete(e.waiting, i, i+1)
	return append(msgs, w.MQTT)
}

// unanswered tells the exchanges that dir, of which nothing more will be read,
// would have answered.
func (e *mqttExchanges) unanswered(dir Dir, msgs []Message) []Message {
	for i := 0; i < len(e.waiting); {
		if e.waiting[i].Packets[0].From == dir {
			i++
			continue
		}
		msgs = e.take(i, msgs)
	}
	return msgs
}

// size is about how many bytes a packet takes.
func (p *MQTTPacket) size() int {
	const packet, property, topic = 256, 40, 24
	n := packet + len(p.Topic) + len(p.Properties)*property + len(p.Topics)*topic
	for i := range p.Properties {
		n += len(p.Properties[i].Name) + len(p.Properties[i].Text)
	}
	for i := range p.Topics {
		n += len(p.Topics[i].Filter)
	}
	if c := p.Connect; c != nil {
		n += packet + len(c.ProtocolName) + len(c.ClientID) + len(c.User) + len(c.WillTopic) + len(c.WillProperties)*property
		for i := range c.WillProperties {
			n += len(c.WillProperties[i].Name) + len(c.WillProperties[i].Text)
		}
	}
	return n
}
