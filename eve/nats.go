package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// natsBody is ours: Suricata does not log NATS.
type natsBody struct {
	Server       *natsPeer    `json:"server,omitempty"`
	Client       *natsPeer    `json:"client,omitempty"`
	AuthRequired bool         `json:"auth_required,omitempty"`
	TLSRequired  bool         `json:"tls_required,omitempty"`
	Publish      *natsSubject `json:"publish,omitempty"`
	Subscribe    *natsSubject `json:"subscribe,omitempty"`
	Error        string       `json:"error,omitempty"`
}

type natsPeer struct {
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	Lang    string `json:"lang,omitempty"`
	Cluster string `json:"cluster,omitempty"`
}

type natsSubject struct {
	From    string `json:"from"` // client or server
	Subject string `json:"subject"`
	Queue   string `json:"queue_group,omitempty"`
}

func (w *Writer) nats(ev *flow.Event, body *natsBody) error {
	w.begin("nats", "nats", &ev.Record, ev.Time)
	w.line.NATS = body
	return w.put()
}

func natsSessionBody(m *wire.NATS) *natsBody {
	return &natsBody{
		Server: natsPeerBody(m.Server), Client: natsPeerBody(m.Client),
		AuthRequired: m.AuthRequired, TLSRequired: m.TLSRequired, Error: m.Error,
	}
}

func natsPeerBody(p *wire.NATSPeer) *natsPeer {
	if p == nil {
		return nil
	}
	return &natsPeer{p.Name, p.Version, p.Lang, p.Cluster}
}

func natsSubjectBody(m *wire.NATSSubject) *natsBody {
	s := &natsSubject{sideName(m.From), m.Subject, m.Queue}
	if m.Subscribe {
		return &natsBody{Subscribe: s}
	}
	return &natsBody{Publish: s}
}
