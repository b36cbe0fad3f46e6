package eve

import (
	"gatehouse/flow"
	"gatehouse/wire"
)

// sshBody is Suricata's ssh object; comments and what was agreed on are
// additions.
type sshBody struct {
	Client  *sshEnd `json:"client,omitempty"`
	Server  *sshEnd `json:"server,omitempty"`
	KEX     string  `json:"kex,omitempty"`
	HostKey string  `json:"host_key,omitempty"`
	Cipher  string  `json:"cipher,omitempty"`
	MAC     string  `json:"mac,omitempty"`
}

type sshEnd struct {
	Version  string `json:"proto_version"`
	Software string `json:"software_version"`
	Comments string `json:"comments,omitempty"`
	HASSH    *hassh `json:"hassh,omitempty"`
}

type hassh struct {
	Hash   string `json:"hash"`
	String string `json:"string"`
}

func (w *Writer) ssh(ev *flow.Event, m *wire.SSH) error {
	w.begin("ssh", "ssh", &ev.Record, ev.Time)
	w.line.SSH = &sshBody{
		Client: sshEndOf(&m.Client), Server: sshEndOf(&m.Server),
		KEX: m.KEX, HostKey: m.HostKey, Cipher: m.Cipher, MAC: m.MAC,
	}
	return w.put()
}

// sshEndOf returns nil for an end that said nothing.
func sshEndOf(m *wire.SSHEnd) *sshEnd {
	if m.Version == "" {
		return nil
	}
	e := &sshEnd{Version: m.Version, Software: m.Software, Comments: m.Comments}
	if m.HASSH != "" {
		e.HASSH = &hassh{m.HASSH, m.HASSHText}
	}
	return e
}
