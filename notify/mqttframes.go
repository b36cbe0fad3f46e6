package notify

import (
	"fmt"
	"net"
)

// boundedPackets is a connection to a broker that ends where a packet is
// longer than we have said that we take. The library would make room for all
// of it, up to 256 MiB, as soon as it has read the length.
type boundedPackets struct {
	net.Conn
	limit  int
	left   int // bytes of the packet that are to come
	header int // bytes of its fixed header that were read: type, then length
	length int
}

// Read implements io.Reader. Within a fixed header it reads byte by byte.
func (b *boundedPackets) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.left > 0 {
		n, err := b.Conn.Read(p[:min(len(p), b.left)])
		b.left -= n
		return n, err
	}
	n, err := b.Conn.Read(p[:1])
	if n == 0 {
		return n, err
	}
	if b.header == 0 {
		b.header, b.length = 1, 0
		return n, err
	}
	// MQTT 5, section 1.5.5: seven bits a byte, the least first; the eighth says
	// that another byte follows.
	b.length |= int(p[0]&0x7f) << (7 * (b.header - 1))
	b.header++
	if p[0]&0x80 != 0 && b.header <= 4 {
		return n, err
	}
	if b.length > b.limit || p[0]&0x80 != 0 {
		return 0, fmt.Errorf("the broker sends a packet of %d bytes, more than %d", b.length, b.limit)
	}
	b.header, b.left = 0, b.length
	return n, err
}
