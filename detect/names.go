package detect

import (
	"net/netip"
	"strings"

	"gatehouse/wire"
)

// maxNames bounds the remembered answers; the oldest answer goes first. A home
// asks for a few thousand names a day.
const maxNames = 16384

// Names remembers which name a device asked for when it got an address.
// Devices hold on to addresses for longer than the time to live says, so
// entries are kept until their place is needed.
type Names struct {
	byDevice map[nameKey]string
	any      map[netip.Addr]string // asked for by whatever device
	order    []nameKey             // ring of keys in byDevice, oldest at next
	next     int
}

type nameKey struct {
	Device string     `json:"d"`
	Addr   netip.Addr `json:"a"`
}

// NewNames returns an empty memory.
func NewNames() *Names {
	return &Names{byDevice: make(map[nameKey]string), any: make(map[netip.Addr]string)}
}

// Learn notes the addresses in an answer that a device got.
func (n *Names) Learn(device string, m *wire.DNS) {
	if !m.Response || len(m.Questions) == 0 || m.Proto != "dns" {
		return
	}
	name := strings.ToLower(m.Questions[0].Name)
	for i := range m.Answers {
		if a := m.Answers[i].Addr; a.IsValid() {
			n.put(nameKey{device, a.Unmap()}, name)
		}
	}
}

func (n *Names) put(key nameKey, name string) {
	_, known := n.byDevice[key]
	n.byDevice[key] = name
	n.any[key.Addr] = name
	if known {
		return
	}
	if len(n.order) < maxNames {
		n.order = append(n.order, key)
		return
	}
	old := n.order[n.next]
	delete(n.byDevice, old)
	delete(n.any, old.Addr)
	n.order[n.next] = key
	n.next = (n.next + 1) % maxNames
}

// Lookup returns the name under which a device knows an address, else one
// under which another device does, else "".
func (n *Names) Lookup(device string, addr netip.Addr) string {
	addr = addr.Unmap()
	if name, ok := n.byDevice[nameKey{device, addr}]; ok {
		return name
	}
	return n.any[addr]
}

// NameEntry is one remembered answer.
type NameEntry struct {
	Device string     `json:"d"`
	Addr   netip.Addr `json:"a"`
	Name   string     `json:"n"`
}

// Entries returns what is remembered, oldest first.
func (n *Names) Entries() []NameEntry {
	out := make([]NameEntry, 0, len(n.order))
	for i := range n.order {
		k := n.order[(n.next+i)%len(n.order)]
		out = append(out, NameEntry{k.Device, k.Addr, n.byDevice[k]})
	}
	return out
}

// Restore replaces what is remembered.
func (n *Names) Restore(entries []NameEntry) {
	*n = *NewNames()
	for _, e := range entries {
		n.put(nameKey{e.Device, e.Addr}, e.Name)
	}
}
