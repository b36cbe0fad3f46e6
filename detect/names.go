package detect

import (
	"net/netip"

	"gatehouse/wire"
)

const (
	// maxNames bounds the remembered answers. A home asks for a few thousand
	// names a day.
	maxNames = 16384
	// maxAnswerAddrs bounds what one answer adds: public resolvers and content
	// networks give 16 addresses at most, a hostile server thousands.
	maxAnswerAddrs = 16
)

// Names remembers which name a device asked for when it got an address.
// Devices hold on to addresses for longer than the time to live says, so
// entries are kept until their place is needed; the one that was added first
// goes first, and comes back with the next answer.
type Names struct {
	byDevice map[nameKey]string
	latest   map[netip.Addr]string // device that was the last to add an address
	order    []nameKey             // ring of keys in byDevice, oldest at next
	next     int
	words    words
}

type nameKey struct {
	device string
	addr   netip.Addr
}

// NewNames returns an empty memory.
func NewNames() *Names {
	return &Names{byDevice: make(map[nameKey]string), latest: make(map[netip.Addr]string), words: make(words)}
}

// Learn notes the addresses in an answer that a device got.
func (n *Names) Learn(device string, m *wire.DNS) {
	if !m.Response || len(m.Questions) == 0 || m.Proto != "dns" {
		return
	}
	name := n.words.of(m.Questions[0].Name).host
	if name == "" {
		return
	}
	left := maxAnswerAddrs
	for i := range m.Answers {
		if a := m.Answers[i].Addr; a.IsValid() && left > 0 {
			n.put(nameKey{device, a.Unmap()}, name)
			left--
		}
	}
}

func (n *Names) put(key nameKey, name string) {
	_, known := n.byDevice[key]
	n.byDevice[key] = name
	if known {
		return
	}
	n.latest[key.addr] = key.device
	if len(n.order) < maxNames {
		n.order = append(n.order, key)
		return
	}
	old := n.order[n.next]
	delete(n.byDevice, old)
	// Whoever was last to add an address is last to lose it: nobody else is left.
	if n.latest[old.addr] == old.device {
		delete(n.latest, old.addr)
	}
	n.order[n.next] = key
	n.next = (n.next + 1) % maxNames
}

// Lookup returns the name under which a device knows an address, else the one
// under which another device does, else "".
func (n *Names) Lookup(device string, addr netip.Addr) string {
	addr = addr.Unmap()
	if name, ok := n.byDevice[nameKey{device, addr}]; ok {
		return name
	}
	if other, ok := n.latest[addr]; ok {
		return n.byDevice[nameKey{other, addr}]
	}
	return ""
}

// Forget drops what a device asked for.
func (n *Names) Forget(device string) {
	entries := n.Entries()
	*n = *NewNames()
	for _, e := range entries {
		if e.Device != device {
			n.put(nameKey{e.Device, e.Addr}, e.Name)
		}
	}
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
		out = append(out, NameEntry{k.device, k.addr, n.byDevice[k]})
	}
	return out
}

// Restore replaces what is remembered. Entries without an address or a name
// are left out.
func (n *Names) Restore(entries []NameEntry) {
	*n = *NewNames()
	for _, e := range entries {
		if name := hostname(e.Name); name != "" && e.Addr.IsValid() {
			n.put(nameKey{e.Device, e.Addr.Unmap()}, name)
		}
	}
}
