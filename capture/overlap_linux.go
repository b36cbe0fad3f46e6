package capture

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// checkOverlap refuses interfaces of which one hands its frames to another: a
// bridge or bond and a port of it, an interface and a VLAN or macvlan on it.
// What passes both would be counted twice. Interfaces that do not exist yet
// are left out.
func checkOverlap(names []string) error {
	index := make(map[int]string, len(names))
	var links []netlink.Link
	for _, name := range names {
		if l, err := netlink.LinkByName(name); err == nil {
			links = append(links, l)
			index[l.Attrs().Index] = name
		}
	}
	for _, l := range links {
		a := l.Attrs()
		if above, ok := index[a.MasterIndex]; ok && a.MasterIndex != 0 {
			return fmt.Errorf("%w: %s is a port of %s; capture from %s alone, or from its ports alone", ErrCountedTwice, a.Name, above, above)
		}
		if below, ok := index[lowerIndex(l)]; ok {
			return fmt.Errorf("%w: what passes %s also passes %s, which it is on; capture from one of them", ErrCountedTwice, a.Name, below)
		}
	}
	return nil
}

// lowerIndex is the interface that carries the frames of another one, 0 if
// there is none. Only these kinds say so: the "link" of a veth is its peer.
func lowerIndex(l netlink.Link) int {
	switch l.(type) {
	case *netlink.Vlan, *netlink.Macvlan, *netlink.Macvtap, *netlink.IPVlan, *netlink.IPVtap:
		return l.Attrs().ParentIndex
	default:
		return 0
	}
}
