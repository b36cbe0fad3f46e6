package flow

import "gatehouse/wire"

// recogniser tells protocols apart by content: which rows of the table need to
// be asked about given bytes. Rows are named by their number plus one, and kept
// in the order of the table.
type recogniser struct {
	udpRow, tcpRow portTable

	streams   [2]byFirst // those that do not rule out the first byte, by direction
	datagrams byFirst
	late      []uint8 // with SniffLate
}

// byFirst holds the rows that a first byte leaves: of 31, four or five of a
// stream for most bytes and up to twelve for letters; one or two of a datagram.
// It is filled as bytes come up, since asking every row about every byte would
// take 1 ms a shard.
type byFirst struct {
	known [256]bool
	rows  [256][]uint8
}

// portTable finds the row of a protocol by its registered port: a row number
// plus one, 0 for none. A plain array: it is asked for every UDP payload.
type portTable [65536]uint8

func (t *portTable) add(ports []uint16, row int) {
	for _, p := range ports {
		if t[p] == 0 {
			t[p] = uint8(row + 1)
		}
	}
}

// of returns the row for a packet's ports; the server's end is most likely
// the destination of the first packet.
func (t *portTable) of(dst, src uint16) uint8 {
	if row := t[dst]; row != 0 {
		return row
	}
	return t[src]
}

// learn fills the tables that do not depend on bytes.
func (s *Shard) learn() {
	g := &s.recogniser
	for i := range s.protocols {
		p := &s.protocols[i]
		if p.Datagram != nil || p.NewDatagrams != nil {
			g.udpRow.add(p.UDPPorts, i)
		}
		if p.NewStream != nil && p.Sniff != nil {
			g.tcpRow.add(p.TCPPorts, i)
			if p.SniffLate != nil {
				g.late = append(g.late, uint8(i+1))
			}
		}
	}
}

// streamRows returns the rows that may say Yes to a stream with this first
// byte. They are asked themselves: one that says No to a byte says No to all
// that begins with it.
func (s *Shard) streamRows(dir wire.Dir, first byte) []uint8 {
	f := &s.recogniser.streams[dir]
	if !f.known[first] {
		f.known[first] = true
		for i := range s.protocols {
			p := &s.protocols[i]
			if p.NewStream != nil && p.Sniff != nil && s.callSniff(p, dir, []byte{first}) != wire.No {
				f.rows[first] = append(f.rows[first], uint8(i+1))
			}
		}
	}
	return f.rows[first]
}

// datagramRows does so for datagrams.
func (s *Shard) datagramRows(first byte) []uint8 {
	f := &s.recogniser.datagrams
	if !f.known[first] {
		f.known[first] = true
		for i := range s.protocols {
			if p := &s.protocols[i]; p.SniffDatagram != nil && (p.LeadByte == nil || p.LeadByte(first)) {
				f.rows[first] = append(f.rows[first], uint8(i+1))
			}
		}
	}
	return f.rows[first]
}

// verdict is what the rows say of the first bytes of a stream.
type verdict struct {
	row    uint8 // the one that says Yes, plus one; 0 if none does
	maybe  bool  // more bytes may tell
	unlike bool  // the row of the port says No
}

// recogniseStream asks about the first bytes of a direction, the row that is
// registered for the port first.
func (s *Shard) recogniseStream(dir wire.Dir, b []byte, byPort uint8) (v verdict) {
	var err error
	defer s.contain(&err)
	if byPort != 0 {
		switch s.protocols[byPort-1].Sniff(dir, b) {
		case wire.Yes:
			return verdict{row: byPort}
		case wire.Maybe:
			v.maybe = true
		case wire.No:
			v.unlike = true
		}
	}
	for _, row := range s.streamRows(dir, b[0]) {
		if row == byPort {
			continue
		}
		switch s.protocols[row-1].Sniff(dir, b) {
		case wire.Yes:
			v.row = row
			return v
		case wire.Maybe:
			v.maybe = true
		case wire.No:
		}
	}
	return v
}

// recogniseLate finds a protocol that begins with a segment in the middle of a
// connection.
func (s *Shard) recogniseLate(segment []byte) (row uint8) {
	var err error
	defer s.contain(&err)
	for _, row := range s.recogniser.late {
		if s.protocols[row-1].SniffLate(segment) {
			return row
		}
	}
	return 0
}

// recogniseDatagram finds a protocol by a whole datagram; not is a row that
// need not be asked.
func (s *Shard) recogniseDatagram(b []byte, not uint8) (row uint8) {
	var err error
	defer s.contain(&err)
	for _, row := range s.datagramRows(b[0]) {
		if row != not && s.protocols[row-1].SniffDatagram(b) {
			return row
		}
	}
	return 0
}

// isDatagram asks one row.
func (s *Shard) isDatagram(row uint8, b []byte) bool {
	return s.callIs(s.protocols[row-1].SniffDatagram, b)
}

func (s *Shard) callIs(sniff func([]byte) bool, b []byte) (yes bool) {
	var err error
	defer s.contain(&err)
	return sniff(b)
}

// isStream asks one row whether a stream may begin or go on with b.
func (s *Shard) isStream(row uint8, dir wire.Dir, b []byte) bool {
	return s.callSniff(&s.protocols[row-1], dir, b) == wire.Yes
}

func (s *Shard) callSniff(p *wire.Protocol, dir wire.Dir, b []byte) (m wire.Match) {
	var err error
	defer s.contain(&err)
	return p.Sniff(dir, b)
}
