package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// secureBodies are the objects of protocols that encrypt, and of those that
// lead there.
type secureBodies struct {
	QUIC *quicBody `json:"quic,omitempty"`
	SSH  *sshBody  `json:"ssh,omitempty"`
}

// secure writes one message of such a protocol.
func (w *Writer) secure(ev *flow.Event, m wire.Message) error {
	switch m := m.(type) {
	case *wire.SSH:
		return w.ssh(ev, m)
	default:
		return w.industrial(ev, m)
	}
}
