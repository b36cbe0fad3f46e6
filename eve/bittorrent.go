package eve

import (
	"net/netip"

	"gatehouse/flow"
	"gatehouse/wire"
)

// bitTorrentBody is what shows an end of BitTorrent for what it is.
type bitTorrentBody struct {
	From     string `json:"from"`
	Type     string `json:"type"` // handshake, utp, tracker, local_search
	InfoHash string `json:"info_hash,omitempty"`
	PeerID   string `json:"peer_id,omitempty"`
}

func (w *Writer) bitTorrent(ev *flow.Event, m *wire.BitTorrent) error {
	w.begin("bittorrent", "bittorrent", &ev.Record, ev.Time)
	w.line.BitTorrent = &bitTorrentBody{From: sideName(m.From), Type: m.Kind, InfoHash: m.InfoHash, PeerID: m.PeerID}
	return w.put()
}

// dhtBody is Suricata's bittorrent_dht object.
type dhtBody struct {
	Transaction string       `json:"transaction_id"`
	Client      string       `json:"client_version,omitempty"`
	Query       string       `json:"request_type,omitempty"`
	Request     *dhtRequest  `json:"request,omitempty"`
	Response    *dhtResponse `json:"response,omitempty"`
	Error       *dhtError    `json:"error,omitempty"`
	From        string       `json:"from"`
}

type dhtRequest struct {
	ID       string `json:"id,omitempty"`
	Target   string `json:"target,omitempty"`
	InfoHash string `json:"info_hash,omitempty"`
	Port     uint16 `json:"port,omitempty"`
	Token    string `json:"token,omitempty"`
}

type dhtResponse struct {
	ID     string    `json:"id,omitempty"`
	Nodes  []dhtPeer `json:"nodes,omitempty"`
	Nodes6 []dhtPeer `json:"nodes6,omitempty"`
	Peers  []dhtPeer `json:"values,omitempty"`
	Token  string    `json:"token,omitempty"`
}

type dhtPeer struct {
	ID   string     `json:"id,omitempty"`
	IP   netip.Addr `json:"ip"`
	Port uint16     `json:"port"`
}

type dhtError struct {
	Code int    `json:"num"`
	Text string `json:"msg,omitempty"`
}

func (w *Writer) dht(ev *flow.Event, m *wire.DHT) error {
	w.begin("bittorrent_dht", "bittorrent-dht", &ev.Record, ev.Time)
	body := &dhtBody{Transaction: m.Transaction, Client: m.Client, Query: m.Query, From: sideName(m.From)}
	switch {
	case m.Error != 0:
		body.Error = &dhtError{m.Error, m.ErrorText}
	case m.Reply:
		r := &dhtResponse{ID: m.ID, Nodes: dhtNodes(m.Nodes), Nodes6: dhtNodes(m.Nodes6), Token: m.Token}
		for _, p := range m.Peers {
			r.Peers = append(r.Peers, dhtPeer{IP: p.Addr(), Port: p.Port()})
		}
		body.Response = r
	default:
		body.Request = &dhtRequest{m.ID, m.Target, m.InfoHash, m.Port, m.Token}
	}
	w.line.DHT = body
	return w.put()
}

func dhtNodes(nodes []wire.DHTNode) []dhtPeer {
	var out []dhtPeer
	for _, n := range nodes {
		out = append(out, dhtPeer{n.ID, n.Addr.Addr(), n.Addr.Port()})
	}
	return out
}
