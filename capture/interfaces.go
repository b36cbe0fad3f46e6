package capture

import (
	"fmt"
	"math"
	"sync"
)

const (
	// maxInterfaces is what Packet.Iface can number.
	maxInterfaces = math.MaxUint16 + 1
	// maxInterfaceName bounds what a hostile file can make us keep. Linux
	// allows 15 bytes (IFNAMSIZ), Windows names (\Device\NPF_{GUID}) need 50.
	maxInterfaceName = 128
)

// interfaceTable is the append-only list behind Source.Interfaces.
type interfaceTable struct {
	mu   sync.Mutex
	list []Interface
}

// add appends i and returns its index.
func (t *interfaceTable) add(i Interface) (uint16, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) == maxInterfaces {
		return 0, fmt.Errorf("%w: more than %d interfaces", ErrDamaged, maxInterfaces)
	}
	i.Name = i.Name[:min(len(i.Name), maxInterfaceName)]
	t.list = append(t.list, i)
	return uint16(len(t.list) - 1), nil
}

// snapshot returns the entries so far. Entries never change, so sharing the
// backing array is safe; the capped slice keeps an append from reaching it.
func (t *interfaceTable) snapshot() []Interface {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list[:len(t.list):len(t.list)]
}
