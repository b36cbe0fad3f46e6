package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// secureBodies are the objects of protocols that encrypt, and of those that
// lead there.
type secureBodies struct {
	QUIC       *quicBody       `json:"quic,omitempty"`
	SSH        *sshBody        `json:"ssh,omitempty"`
	RDP        *rdpBody        `json:"rdp,omitempty"`
	RFB        *rfbBody        `json:"rfb,omitempty"`
	WireGuard  *wireGuardBody  `json:"wireguard,omitempty"`
	OpenVPN    *openVPNBody    `json:"openvpn,omitempty"`
	IKE        *ikeBody        `json:"ike,omitempty"`
	STUN       *stunBody       `json:"stun,omitempty"`
	BitTorrent *bitTorrentBody `json:"bittorrent,omitempty"`
	DHT        *dhtBody        `json:"bittorrent_dht,omitempty"`
}

// secure writes one message of such a protocol.
func (w *Writer) secure(ev *flow.Event, m wire.Message) error {
	switch m := m.(type) {
	case *wire.SSH:
		return w.ssh(ev, m)
	case *wire.RDP:
		return w.rdp(ev, m)
	case *wire.RDPConnect:
		return w.rdpConnect(ev, m)
	case *wire.RFB:
		return w.rfb(ev, m)
	case *wire.WireGuard:
		return w.wireGuard(ev, m)
	case *wire.OpenVPN:
		return w.openVPN(ev, m)
	case *wire.IKE:
		return w.ike(ev, m)
	case *wire.STUN:
		return w.stun(ev, m)
	case *wire.BitTorrent:
		return w.bitTorrent(ev, m)
	case *wire.DHT:
		return w.dht(ev, m)
	default:
		return w.industrial(ev, m)
	}
}
