package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// bitTorrentBody is what shows an end of BitTorrent for what it is. Suricata
// reads the hash table alone, under bittorrent_dht, whose request_type and
// client_version these are.
type bitTorrentBody struct {
	From     string `json:"from"`
	Type     string `json:"type"` // handshake, dht, utp
	InfoHash string `json:"info_hash,omitempty"`
	PeerID   string `json:"peer_id,omitempty"`
	Client   string `json:"client_version,omitempty"`
	Query    string `json:"request_type,omitempty"`
	Reply    bool   `json:"reply,omitempty"`
}

func (w *Writer) bitTorrent(ev *flow.Event, m *wire.BitTorrent) error {
	w.begin("bittorrent", "bittorrent", &ev.Record, ev.Time)
	w.line.BitTorrent = &bitTorrentBody{
		From: sideName(m.From), Type: m.Kind, InfoHash: m.InfoHash, PeerID: m.PeerID,
		Client: m.Client, Query: m.Query, Reply: m.Reply,
	}
	return w.put()
}
