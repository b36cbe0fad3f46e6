package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// NBDGM is a datagram of the NetBIOS datagram service (RFC 1002 section 4.4)
// unlike those before it on its flow. What Windows says in them of itself is
// read ([MS-BRWS]).
type NBDGM struct {
	Type         uint8 // 0x10 to one, 0x11 to a group, 0x12 to all, 0x13 error, 0x14 to 0x16 to and from a server
	Source       string
	SourceSuffix uint8 // last byte of the name: 0x00 workstation, 0x20 file server ...
	Dest         string
	DestSuffix   uint8
	Addr         netip.Addr // of the sender, as it names it
	Mailslot     string     // that the datagram is for, such as `\MAILSLOT\BROWSE`; at most 64 bytes
	// What a browser announces; Browse is 0 if it is none.
	Browse       uint8  // 1 host, 2 request, 8 election, 12 domain, 15 local master
	Host         string // of a host or domain, at most 16 bytes
	Major, Minor uint8  // version of the system
	Server       uint32 // bits of what it serves as: 1 workstation, 2 server, 4 SQL server, 8 and 16 domain controllers, 512 printer ...
	Comment      string // at most 64 bytes
}

// Protocol implements Message.
func (*NBDGM) Protocol() string { return "nbdgm" }

const (
	nbdgmHeader   = 10
	maxNBDGMText  = 64
	maxNBDGMKinds = 16
	browseSlot    = `\MAILSLOT\BROWSE`
)

var (
	errNBDGMCut  = fmt.Errorf("read nbdgm: %w", ErrTruncated)
	errNBDGMKind = fmt.Errorf("read nbdgm: %w", ErrNotMine)
)

// nbdgmFlow tells each kind of datagram once.
type nbdgmFlow struct{ told []uint64 }

func newNBDGMFlow() Datagrams { return &nbdgmFlow{} }

// leadsNBDGM: the types of datagrams.
func leadsNBDGM(first byte) bool { return first >= 0x10 && first <= 0x16 }

// sniffNBDGM recognises a datagram by its names, which are encoded as nothing
// else is, and its length.
func sniffNBDGM(b []byte) bool {
	_, err := parseNBDGM(b)
	return err == nil && b[0] != 0x13
}

// Datagram implements Datagrams.
func (f *nbdgmFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	m, err := parseNBDGM(b)
	if err != nil {
		return msgs, err
	}
	h := habit(0).with(uint64(dir)).with(uint64(m.Type)<<8 | uint64(m.Browse)).withText(m.Source).withText(m.Dest).withText(m.Host)
	for _, k := range f.told {
		if k == h.value() {
			return msgs, nil
		}
	}
	if len(f.told) == maxNBDGMKinds {
		return msgs, nil
	}
	f.told = append(f.told, h.value())
	return append(msgs, &m), nil
}

// parseNBDGM reads a datagram.
func parseNBDGM(b []byte) (m NBDGM, err error) {
	c := cursor{b: b}
	m.Type = c.u8()
	flags := c.u8()
	c.skip(2) // id
	addr, _ := c.take(4), c.u16()
	if c.short {
		return m, errNBDGMCut
	}
	if !leadsNBDGM(m.Type) || flags > 0x0f {
		return m, errNBDGMKind
	}
	m.Addr = netip.AddrFrom4([4]byte(addr))
	switch m.Type {
	case 0x13:
		if c.u8() < 0x82 || len(c.b) > 0 { // the only error codes are 0x82 to 0x84
			return m, errNBDGMKind
		}
		return m, nil
	case 0x10, 0x11, 0x12:
		size := int(c.u16())
		c.skip(2) // offset
		if c.short || len(c.b) < size {
			return m, errNBDGMCut
		}
		c.b = c.b[:size]
		if m.Source, m.SourceSuffix, err = nbdgmName(&c); err != nil {
			return m, err
		}
	}
	if m.Dest, m.DestSuffix, err = nbdgmName(&c); err != nil {
		return m, err
	}
	m.transaction(c.b)
	return m, nil
}

func nbdgmName(c *cursor) (name string, suffix uint8, err error) {
	name, suffix, ok := netBIOSName(c)
	switch {
	case c.short:
		return "", 0, errNBDGMCut
	case !ok:
		return "", 0, errNBDGMKind
	}
	return name, suffix, nil
}

// transaction reads the name of a mailslot behind an SMB header, and what is
// announced there.
func (m *NBDGM) transaction(b []byte) {
	const transaction, wordsAt, dataAt = 0x25, 32, 24 // [MS-CIFS] 2.2.4.33
	if len(b) < wordsAt+1 || !bytes.HasPrefix(b, []byte("\xffSMB\x25")) || b[4] != transaction {
		return
	}
	words := 2 * int(b[wordsAt])
	rest := b[wordsAt+1:]
	if words < dataAt+2 || len(rest) < words+2 {
		return
	}
	name, _, _ := bytes.Cut(rest[words+2:], []byte{0})
	m.Mailslot = plainText(name[:min(len(name), maxNBDGMText)])
	off := int(binary.LittleEndian.Uint16(rest[dataAt:]))
	if m.Mailslot == browseSlot && off < len(b) {
		m.browse(b[off:])
	}
}

// browse reads an announcement of the browser service ([MS-BRWS] 2.2).
func (m *NBDGM) browse(b []byte) {
	const host, domain, localMaster, nameLen = 1, 12, 15, 16
	c := cursor{b: b}
	m.Browse = c.u8()
	switch m.Browse {
	case host, domain, localMaster:
	default:
		return
	}
	c.skip(1 + 4) // count and period
	name, _, _ := bytes.Cut(c.take(nameLen), []byte{0})
	m.Host, m.Major, m.Minor, m.Server = plainText(name), c.u8(), c.u8(), c.le32()
	c.skip(2 + 2) // version of the browser, signature
	comment, _, _ := bytes.Cut(c.b, []byte{0})
	m.Comment = plainText(comment[:min(len(comment), maxNBDGMText)])
}
