package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// ENIP is one EtherNet/IP encapsulation message with the CIP requests or
// responses in it (ODVA, The CIP Networks Library, volumes 1 and 2). Cyclic
// input and output over UDP is another row, see cip_io.go.
type ENIP struct {
	Response bool
	Command  uint16
	Status   uint32
	Session  uint32
	CIP      []CIP         // with those inside a Multiple Service Packet, at most 32
	Identity *ENIPIdentity // of a ListIdentity response, else nil
	// Truncated: the end of the message was never seen, or it is longer than
	// what is looked at.
	Truncated bool
}

// CIP is one request or response of the Common Industrial Protocol.
type CIP struct {
	Service  uint8 // without the bit that marks a response
	Response bool
	Status   uint8 // general status of a response
	// Class, Instance and Attribute are what the path of a request names; the
	// flags say which of them it does. Symbol is a tag instead, at most 64
	// bytes.
	Class, Instance, Attribute          uint32
	HasClass, HasInstance, HasAttribute bool
	Symbol                              string
	// PCCC is the command of a Rockwell PCCC message and its function in the
	// high byte; 0 if it is none.
	PCCC uint16
}

// ENIPIdentity is what a device says of itself.
type ENIPIdentity struct {
	Vendor, Type, Product uint16
	Major, Minor          uint8
	Serial                uint32
	Name                  string
}

// Protocol implements Message.
func (*ENIP) Protocol() string { return "enip" }

// Encapsulation commands, items and CIP services that are looked into.
const (
	enipHeader         = 24
	enipListServices   = 0x04
	enipListIdentity   = 0x63
	enipListInterfaces = 0x64
	enipRegister       = 0x65
	enipUnregister     = 0x66
	enipRRData         = 0x6f
	enipUnitData       = 0x70
	enipHead           = 2 << 10
	maxENIPItems       = 8
	maxCIP             = 32
	maxCIPDepth        = 3 // unconnected send, multiple service packet, service

	itemIdentity    = 0x0c
	itemConnected   = 0xb1
	itemUnconnected = 0xb2

	cipMultiple        = 0x0a
	cipExecutePCCC     = 0x4b
	cipUnconnectedSend = 0x52
	classRouter        = 0x02
	classConnection    = 0x06
	classPCCC          = 0x67
	maxSymbol          = 64
)

var (
	errENIPKind = fmt.Errorf("read enip header: %w", ErrNotMine)
	errENIPCut  = fmt.Errorf("read enip header: %w", ErrTruncated)
)

// sniffENIP recognises a header with the reserved options at zero, and the
// fixed fields of the commands that open a connection or carry data.
func sniffENIP(_ Dir, b []byte) Match {
	if len(b) < 2 {
		return Maybe
	}
	command := uint16(b[0]) | uint16(b[1])<<8
	switch command {
	case enipListServices, enipListIdentity, enipListInterfaces, enipRegister, enipRRData, enipUnitData:
	default:
		return No
	}
	if len(b) < enipHeader {
		return Maybe
	}
	c := cursor{b: b[2:]}
	size, session, status := int(c.le16()), c.le32(), c.le32()
	c.skip(8)
	if options := c.le32(); options != 0 || !knownENIPStatus(status) {
		return No
	}
	if next := enipHeader + size; len(b) > next+1 && sniffENIP(FromClient, b[next:next+2]) == No {
		return No // another message follows, or nothing
	}
	switch command {
	case enipRegister:
		if size != 4 || len(c.b) >= 4 && c.le32() != 1 { // version 1, no options
			return No
		}
		return Yes
	case enipRRData, enipUnitData:
		if size < 16 && status == 0 || session == 0 || size == 0 {
			return No
		}
		if len(c.b) < 8 {
			return Maybe
		}
		handle := c.le32()
		c.skip(2)
		items := c.le16()
		return matchIf(handle == 0 && items >= 2 && items <= maxENIPItems)
	}
	return matchIf(session == 0 && size <= 1<<10)
}

// knownENIPStatus accepts the status codes that are assigned (volume 2, table
// 2-3.3).
func knownENIPStatus(s uint32) bool {
	switch s {
	case 0, 1, 2, 3, 0x64, 0x65, 0x69:
		return true
	}
	return false
}

// enipStream reads the messages of one connection.
type enipStream struct {
	framedStream
	memory *memory
}

var _ Reuser = (*enipStream)(nil)

func (m *memory) newENIPStream() Stream {
	s := &enipStream{memory: m}
	s.framing, s.head = s, enipHead
	return s
}

// Reuse implements Reuser.
func (s *enipStream) Reuse(m Message) {
	if m, ok := m.(*ENIP); ok {
		s.memory.enip.put(m)
	}
}

func (*enipStream) begins(b []byte) Match { return sniffENIP(FromClient, b) }

func (*enipStream) size(b []byte) (int, error) {
	if len(b) < enipHeader {
		return 0, nil
	}
	if b[1] != 0 || b[0] > 0x75 {
		return 0, errENIPKind
	}
	return enipHeader + int(b[2]) + int(b[3])<<8, nil
}

func (s *enipStream) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) < enipHeader {
		return msgs, nil
	}
	m := s.memory.enip.get()
	m.parse(b, dir == FromServer, cut, &s.memory.names)
	return append(msgs, m), nil
}

// sniffENIPDatagram recognises what is sent over UDP: lists of services and
// identities.
func sniffENIPDatagram(b []byte) bool {
	if len(b) < enipHeader || len(b) != enipHeader+int(b[2])+int(b[3])<<8 || b[1] != 0 {
		return false
	}
	switch b[0] {
	case enipListServices, enipListIdentity, enipListInterfaces:
		return sniffENIP(FromClient, b) == Yes
	}
	return false
}

func parseENIPDatagram(b []byte) (Message, error) {
	if len(b) < enipHeader {
		return nil, errENIPCut
	}
	size := enipHeader + int(b[2]) + int(b[3])<<8
	if sniffENIP(FromClient, b) != Yes || len(b) > size {
		return nil, errENIPKind
	}
	m := new(ENIP)
	m.parse(b[:min(size, len(b))], size > enipHeader, size > len(b), nil)
	return m, nil
}

// parse reads a message of which the header is there, in the memory of another.
func (m *ENIP) parse(b []byte, response, cut bool, names *interner) {
	room := m.CIP[:0]
	*m = ENIP{} // and no literal with values, see modbusStream.read
	m.Response, m.CIP, m.Truncated = response, room, cut
	m.Command = binary.LittleEndian.Uint16(b)
	m.Session, m.Status = binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	c := cursor{b: b[enipHeader:]}
	switch m.Command {
	case enipRRData, enipUnitData:
		c.skip(6) // interface handle, timeout
		m.items(&c, names)
	case enipListIdentity:
		m.items(&c, names)
	}
	if len(m.CIP) > 0 {
		m.Response = m.CIP[0].Response
	}
}

// items walks the Common Packet Format.
func (m *ENIP) items(c *cursor, names *interner) {
	if len(c.b) == 0 {
		return
	}
	for range min(int(c.le16()), maxENIPItems) {
		kind, n := c.le16(), int(c.le16())
		item := cursor{b: c.upTo(n)}
		switch kind {
		case itemConnected:
			item.skip(2) // sequence count
			m.cip(item.b, 0, names)
		case itemUnconnected:
			m.cip(item.b, 0, names)
		case itemIdentity:
			m.identity(&item)
		}
		if c.short {
			m.Truncated = true
			return
		}
	}
}

// identity reads the item of a ListIdentity response: protocol version, socket
// address, then the attributes of the identity object.
func (m *ENIP) identity(c *cursor) {
	c.skip(2 + 16)
	id := &ENIPIdentity{Vendor: c.le16(), Type: c.le16(), Product: c.le16(), Major: c.u8(), Minor: c.u8()}
	c.skip(2)
	id.Serial = c.le32()
	id.Name = plainText(c.take(int(c.u8())))
	if !c.short {
		m.Identity = id
	}
}

// cip reads one CIP message and those in it.
func (m *ENIP) cip(b []byte, depth int, names *interner) {
	if len(b) < 2 || len(m.CIP) == maxCIP || depth == maxCIPDepth {
		return
	}
	m.CIP = append(m.CIP, CIP{})
	r := &m.CIP[len(m.CIP)-1] // until the next is appended
	r.Service, r.Response = b[0]&^0x80, b[0]&0x80 != 0
	var data []byte
	if r.Response {
		data = r.head(b)
	} else {
		path := b[2:min(2+2*int(b[1]), len(b))]
		r.path(path, names)
		data = b[2+len(path):]
	}
	switch {
	case r.Service == cipMultiple && (r.Response || r.Class == classRouter):
		m.multiple(data, depth, names)
	case r.Service == cipUnconnectedSend && !r.Response && r.Class == classConnection:
		c := cursor{b: data}
		c.skip(2) // priority, ticks
		n := int(c.le16())
		m.cip(c.upTo(n), depth+1, names)
	case r.Service == cipExecutePCCC && (r.Response || r.Class == classPCCC):
		r.pccc(&cursor{b: data})
	}
}

// head reads the head of a response behind its service: a reserved byte, the
// general status, words of additional status behind their number. It returns
// what follows.
func (r *CIP) head(b []byte) []byte {
	if len(b) < 3 {
		return nil
	}
	r.Status = b[2]
	if len(b) < 4 {
		return nil
	}
	return b[min(4+2*int(b[3]), len(b)):]
}

// multiple reads the messages within a Multiple Service Packet: their number
// and where each begins, counted from the number.
func (m *ENIP) multiple(all []byte, depth int, names *interner) {
	c := cursor{b: all}
	n := int(c.le16())
	m.CIP = slices.Grow(m.CIP, min(n, len(all)/2, maxCIP-len(m.CIP)))
	for range min(n, maxCIP) {
		at := int(c.le16())
		if c.short || at < 2+2*n || at >= len(all) {
			return
		}
		m.cip(all[at:], depth+1, names)
	}
}

// pccc reads the command of a PCCC message behind the requestor's identifier.
func (r *CIP) pccc(c *cursor) {
	n := int(c.u8())
	if n == 0 {
		return
	}
	c.skip(n - 1)
	command := c.u8()
	c.skip(3) // status, transaction
	if command &^= 0x40; r.Response {
		if !c.short {
			r.PCCC = uint16(command)
		}
		return
	}
	if function := c.u8(); !c.short {
		r.PCCC = uint16(function)<<8 | uint16(command)
	}
}

// path reads the segments of a request's path (volume 1, appendix C-1): logical
// ones of 8, 16 and 32 bits, and symbols.
func (r *CIP) path(b []byte, names *interner) {
	const symbol = 0x91
	c := cursor{b: b}
	for len(c.b) > 0 && !c.short {
		kind := c.u8()
		if kind == symbol {
			n := int(c.u8())
			v := c.take(n)
			if r.Symbol == "" {
				r.Symbol = names.plain(v[:min(len(v), maxSymbol)])
			}
			c.skip(n & 1)
			continue
		}
		if kind>>5 != 1 { // ports, electronic keys and data end what can be read
			return
		}
		var value uint32
		switch kind & 3 {
		case 0:
			value = uint32(c.u8())
		case 1:
			c.u8()
			value = uint32(c.le16())
		case 2:
			c.u8()
			value = c.le32()
		default:
			return
		}
		if c.short {
			return
		}
		switch kind >> 2 & 7 {
		case 0:
			r.Class, r.HasClass = value, true
		case 1:
			r.Instance, r.HasInstance = value, true
		case 4:
			r.Attribute, r.HasAttribute = value, true
		}
	}
}

// AppendCommands implements Commander: one command for each CIP request that
// is not only a wrapper of others.
func (m *ENIP) AppendCommands(dst []Command) []Command {
	if len(m.CIP) == 0 && !m.Response {
		return append(dst, Command{Protocol: "enip", Function: uint32(m.Command) << 8, Name: ENIPCommandName(m.Command)})
	}
	for i := range m.CIP {
		r := &m.CIP[i]
		if r.Response || r.wrapper() {
			continue
		}
		c := Command{Protocol: "enip", Unit: r.Class, Function: uint32(r.Service) | uint32(r.PCCC)<<8}
		c.Name, c.Class = r.name()
		dst = append(dst, c)
	}
	return dst
}

// wrapper reports whether a request only carries others.
func (r *CIP) wrapper() bool {
	return r.Service == cipMultiple || r.Service == cipUnconnectedSend && r.Class == classConnection
}

var _ Commander = (*ENIP)(nil)
