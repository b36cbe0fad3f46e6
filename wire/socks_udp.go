package wire

// socksRelay follows the datagrams between a client and a proxy that relays
// them (RFC 1928 section 7). They say for whom they are, which is not told:
// the flow has a name, and whoever reads it knows where to look.
type socksRelay struct{ seen [2]bool }

func newSocksRelay() Datagrams { return &socksRelay{} }

// Datagram implements Datagrams.
func (r *socksRelay) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	c := cursor{b: b}
	reserved, _ := c.u16(), c.u8() // and the number of a fragment
	_, ok := socksHost(&c)
	c.skip(2)
	if c.short || !ok || reserved != 0 {
		return msgs, errSocksRelay
	}
	if r.seen[dir] = true; r.seen[dir.Other()] {
		return msgs, ErrDone
	}
	return msgs, nil
}
