package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// amqpBody is ours: Suricata does not log AMQP.
type amqpBody struct {
	Version     string       `json:"version,omitempty"`
	Client      *amqpPeer    `json:"client,omitempty"`
	Server      *amqpPeer    `json:"server,omitempty"`
	VirtualHost string       `json:"virtual_host,omitempty"`
	ReplyCode   int          `json:"reply_code,omitempty"`
	Condition   string       `json:"condition,omitempty"`
	Publish     *amqpPublish `json:"publish,omitempty"`
}

type amqpPeer struct {
	Product   string `json:"product,omitempty"`
	Version   string `json:"version,omitempty"`
	Platform  string `json:"platform,omitempty"`
	Container string `json:"container_id,omitempty"`
}

type amqpPublish struct {
	From       string `json:"from"` // client or server
	Exchange   string `json:"exchange"`
	RoutingKey string `json:"routing_key"`
}

func (w *Writer) amqp(ev *flow.Event, body *amqpBody) error {
	w.begin("amqp", "amqp", &ev.Record, ev.Time)
	w.line.AMQP = body
	return w.put()
}

func amqpSessionBody(m *wire.AMQP) *amqpBody {
	return &amqpBody{
		Version: m.Version, Client: amqpPeerBody(m.Client), Server: amqpPeerBody(m.Server),
		VirtualHost: m.VirtualHost, ReplyCode: m.Code, Condition: m.Condition,
	}
}

// amqpPeerBody is nil for an end that did not name itself.
func amqpPeerBody(p wire.AMQPPeer) *amqpPeer {
	if p == (wire.AMQPPeer{}) {
		return nil
	}
	return &amqpPeer{p.Product, p.Version, p.Platform, p.Container}
}
