package wire

import (
	"encoding/binary"
	"fmt"
)

// C37.118 carries the measurements of phasor measurement units (IEEE
// C37.118.2-2011). A frame has a synchronization word, its size, the number of
// its stream, a time, and a check sum in the end.

const (
	c37Sync     = 0xaa
	c37Header   = 14
	c37MinFrame = c37Header + 2
	c37Command  = 4
	c37Head     = c37Header + 2
)

var errC37 = fmt.Errorf("read c37.118 header: %w", ErrNotMine)

// c37Parser tells of commands, configurations and headers, and of the first
// data frame: they come up to 120 times a second.
type c37Parser struct {
	memory *memory
	data   bool // a data frame has been told
}

func (shared *memory) newC37Stream() Stream {
	return shared.newTelegramStream(&c37Parser{memory: shared}, c37Head)
}

func (shared *memory) newC37Flow() Datagrams {
	return &telegramFlow{memory: shared, telegrams: &c37Parser{memory: shared}, is: isC37, notMine: errC37}
}

// c37Begins judges a header: type and version, and a size that the type allows.
func c37Begins(b []byte) Match {
	if b[0] != c37Sync {
		return No
	}
	if len(b) < 4 {
		return Maybe
	}
	kind, version, size := b[1]>>4, b[1]&15, int(b[2])<<8|int(b[3])
	if kind > 5 || version == 0 || version > 3 || size < c37MinFrame || kind == c37Command && size < c37MinFrame+2 {
		return No
	}
	return Yes
}

// sniffC37 recognises a frame with its check sum. What is longer than may be
// asked for is not.
func sniffC37(_ Dir, b []byte) Match {
	const sniffed = 512
	if len(b) == 0 {
		return Maybe
	}
	if m := c37Begins(b); m != Yes {
		return m
	}
	size := int(b[2])<<8 | int(b[3])
	switch {
	case size > sniffed:
		return No
	case len(b) < size:
		return Maybe
	}
	return matchIf(c37CRC(b[:size-2]) == binary.BigEndian.Uint16(b[size-2:]))
}

func isC37(b []byte) bool {
	return len(b) >= c37MinFrame && c37Begins(b) == Yes && int(b[2])<<8|int(b[3]) == len(b) &&
		c37CRC(b[:len(b)-2]) == binary.BigEndian.Uint16(b[len(b)-2:])
}

// c37CRC is the check sum of annex B: CRC-CCITT that begins with ones.
func c37CRC(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, v := range b {
		t := crc>>8 ^ uint16(v)
		t ^= t >> 4
		crc = crc<<8 ^ t<<12 ^ t<<5 ^ t
	}
	return crc
}

func (*c37Parser) size(b []byte) (int, error) {
	switch c37Begins(b) {
	case No:
		return 0, errC37
	case Maybe:
		return 0, nil
	}
	return int(b[2])<<8 | int(b[3]), nil
}

func (p *c37Parser) read(_ Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	if len(b) > 1 && b[1]>>4 == 0 && p.data {
		return msgs, nil
	}
	return p.memory.appendTelegram(p, b, msgs), nil
}

func (p *c37Parser) telegram(b []byte, m *Telegram) bool {
	c := cursor{b: b}
	c.u8()
	kind := c.u8() >> 4
	c.skip(2)
	unit := c.u16()
	c.skip(8)
	if c.short || kind == 0 && p.data {
		return false
	}
	p.data = p.data || kind == 0
	m.App, m.Response, m.Unit, m.Function = "c37118", true, uint32(unit), uint32(kind)
	m.Class = CommandRead
	switch kind {
	case 0:
		m.Name = "data"
	case 1:
		m.Name = "header"
	case 2:
		m.Name = "configuration 1"
	case 3:
		m.Name = "configuration 2"
	case 5:
		m.Name = "configuration 3"
	case c37Command:
		command := c.u16()
		m.Response, m.Function = false, c37Command|uint32(command)<<8
		m.Name, m.Class = c37CommandName(command)
		return !c.short
	}
	return true
}

// c37CommandName names the commands of table 15.
func c37CommandName(command uint16) (string, CommandClass) {
	switch command {
	case 1:
		return "turn off transmission", CommandControl
	case 2:
		return "turn on transmission", CommandControl
	case 3:
		return "send header", CommandRead
	case 4:
		return "send configuration 1", CommandRead
	case 5:
		return "send configuration 2", CommandRead
	case 6:
		return "send configuration 3", CommandRead
	}
	return "command", CommandOther
}
