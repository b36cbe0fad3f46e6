package wire

import (
	"encoding/binary"
	"fmt"
)

// HART-IP carries the commands of HART to transmitters and valves (FieldComm
// Group TS20085): a header of eight bytes, and in a pass-through message the
// frame of the bus (TS20081).

const (
	hartHeader      = 8
	hartPassThrough = 3
	hartHead        = 32
	hartNAK         = 15
	maxHART         = 1 << 10
)

var errHART = fmt.Errorf("read hart-ip header: %w", ErrNotMine)

type hartParser struct{ memory *memory }

func (shared *memory) newHARTStream() Stream {
	return shared.newTelegramStream(hartParser{shared}, hartHead)
}

func (shared *memory) newHARTFlow() Datagrams {
	return &telegramFlow{memory: shared, telegrams: hartParser{shared}, is: isHART, notMine: errHART}
}

// hartBegins judges a header: version, type, what it is about and a length.
func hartBegins(b []byte) bool {
	size := int(binary.BigEndian.Uint16(b[6:]))
	return (b[0] == 1 || b[0] == 2) && (b[1] <= 3 || b[1] == hartNAK) && b[2] <= 5 && size >= hartHeader && size <= maxHART
}

// sniffHART recognises the messages that a connection begins with: a session
// is opened, its five bytes are there, and the timer is one of at most a day.
func sniffHART(_ Dir, b []byte) Match {
	for i, most := range [...]byte{2, 1, 0} {
		if len(b) > i && b[i] > most {
			return No
		}
	}
	const session, day = hartHeader + 5, 86400000 // milliseconds
	switch {
	case len(b) > 0 && b[0] == 0:
		return No
	case len(b) < session:
		return Maybe
	}
	return matchIf(binary.BigEndian.Uint16(b[6:]) == session && b[8] <= 1 && binary.BigEndian.Uint32(b[9:]) <= day)
}

// isHART judges a datagram at the port of HART-IP.
func isHART(b []byte) bool {
	return len(b) >= hartHeader && hartBegins(b) && int(binary.BigEndian.Uint16(b[6:])) == len(b)
}

// sniffHARTDatagram recognises at any port the opening of a session.
func sniffHARTDatagram(b []byte) bool { return isHART(b) && sniffHART(FromClient, b) == Yes }

func (hartParser) size(b []byte) (int, error) {
	if len(b) < hartHeader {
		return 0, nil
	}
	if !hartBegins(b) {
		return 0, errHART
	}
	return int(binary.BigEndian.Uint16(b[6:])), nil
}

func (p hartParser) read(_ Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	return p.memory.appendTelegram(p, b, msgs), nil
}

func (hartParser) telegram(b []byte, m *Telegram) bool {
	c := cursor{b: b}
	c.u8()
	kind, id, status := c.u8(), c.u8(), c.u8()
	c.skip(4)
	if c.short {
		return false
	}
	m.App, m.Response, m.Function, m.Status = "hart_ip", kind != 0, uint32(id), uint32(status)
	switch id {
	case 0:
		m.Name = "session initiate"
	case 1:
		m.Name = "session close"
	case 2:
		m.Name = "keep alive"
	case hartPassThrough:
		m.Name = "pass-through"
		m.hart(&c)
	case 4:
		m.Name = "direct"
	case 5:
		m.Name = "read audit log"
		m.Class = CommandRead
	}
	return true
}

// hart reads the frame of the bus: what its command does takes the place of
// the message that carries it.
func (m *Telegram) hart(c *cursor) {
	delimiter := c.u8()
	address := 1
	if delimiter&0x80 != 0 {
		address = 5
	}
	c.skip(address + int(delimiter>>5&3)) // and expansion bytes
	command := c.u8()
	if c.short {
		return
	}
	m.Function |= uint32(command) << 8
	switch command {
	case 0, 1, 2, 3, 7, 8, 9, 11, 12, 13, 14, 15, 16, 20, 21, 33, 48:
		m.Class = CommandRead
	case 6, 17, 18, 19, 22, 34, 35, 36, 37, 43, 44, 45, 46:
		m.Class = CommandWrite
	case 38, 40, 41, 42, 71: // configuration flag, fixed current, self test, reset, lock
		m.Class = CommandControl
	}
}
