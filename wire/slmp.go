package wire

import (
	"encoding/binary"
	"fmt"
)

// SLMP is what Mitsubishi's MELSEC controllers speak (CLPA "SLMP specification";
// MC protocol, frames 3E and 4E, binary): the way to a station, a length, a
// command of two bytes, or the end code of a response.

const (
	slmpRoute   = 5 // network, station, module (two bytes), multidrop station
	slmpRequest = 0x50
	slmpAnswer  = 0xd0
	slmp4E      = 0x04 // a serial number follows the first two bytes
	slmpHead    = 32
	slmpOwnCPU  = 0x03ff
	maxSLMP     = 4 << 10
)

var errSLMP = fmt.Errorf("read slmp header: %w", ErrNotMine)

// slmpParser reads messages; an answer does not say what it is about.
type slmpParser struct{ memory *memory }

func (shared *memory) newSLMPStream() Stream {
	return shared.newTelegramStream(slmpParser{shared}, slmpHead)
}

func (shared *memory) newSLMPFlow() Datagrams {
	return &telegramFlow{memory: shared, telegrams: slmpParser{shared}, is: isSLMP, notMine: errSLMP}
}

// slmpAt returns where the route begins, 0 if b begins no message.
func slmpAt(b []byte) int {
	switch {
	case b[0] != slmpRequest && b[0] != slmpAnswer && b[0] != slmpRequest|slmp4E && b[0] != slmpAnswer|slmp4E:
		return 0
	case len(b) > 1 && b[1] != 0:
		return 0
	case b[0]&slmp4E != 0:
		return 6
	}
	return 2
}

// slmpSize returns the length of a message of which the header is there.
func slmpSize(b []byte, at int) int {
	return at + slmpRoute + 2 + int(binary.LittleEndian.Uint16(b[at+slmpRoute:]))
}

// sniffSLMP recognises a request: the module that it is for, a length and a
// command that is assigned.
func sniffSLMP(_ Dir, b []byte) Match {
	if len(b) == 0 {
		return Maybe
	}
	at := slmpAt(b)
	if at == 0 || b[0]&0x80 != 0 {
		return No
	}
	const command = slmpRoute + 4 // behind the length and how long the controller may wait
	if len(b) < at+command+2 {
		if len(b) >= at+slmpRoute && !slmpModule(b[at:]) {
			return No
		}
		return Maybe
	}
	if at == 6 && (b[4] != 0 || b[5] != 0) || !slmpModule(b[at:]) {
		return No
	}
	size := slmpSize(b, at) - at - slmpRoute - 2
	name, _ := slmpCommand(binary.LittleEndian.Uint16(b[at+command:]))
	return matchIf(size >= 6 && size <= maxSLMP && name != "")
}

// slmpModule knows the modules that a request may be for: the controller
// itself, one of several, or one at the end of a line.
func slmpModule(route []byte) bool {
	module := binary.LittleEndian.Uint16(route[2:])
	return module == slmpOwnCPU || module >= 0x03d0 && module <= 0x03e3 || module <= 0x01ff && route[4] != 0
}

func isSLMP(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	at := slmpAt(b)
	if at == 0 || len(b) < at+slmpRoute+4 || slmpSize(b, at) != len(b) || !slmpModule(b[at:]) {
		return false
	}
	return b[0]&0x80 != 0 || sniffSLMP(FromClient, b) == Yes
}

// sniffSLMPDatagram recognises requests, of which the command is known.
func sniffSLMPDatagram(b []byte) bool { return isSLMP(b) && b[0]&0x80 == 0 }

func (slmpParser) size(b []byte) (int, error) {
	at := slmpAt(b)
	if at == 0 {
		return 0, errSLMP
	}
	if len(b) < at+slmpRoute+2 {
		return 0, nil
	}
	if size := slmpSize(b, at); size >= at+slmpRoute+4 && size <= maxSLMP+at+slmpRoute+2 {
		return size, nil
	}
	return 0, errSLMP
}

func (p slmpParser) read(_ Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	return p.memory.appendTelegram(p, b, msgs), nil
}

func (slmpParser) telegram(b []byte, m *Telegram) bool {
	c := cursor{b: b}
	c.skip(slmpAt(b) + 1)
	station := c.u8()
	c.skip(5) // module, multidrop station, length
	m.App, m.Unit = "slmp", uint32(station)
	if b[0]&0x80 != 0 {
		m.Response, m.Name, m.Status = true, "response", uint32(c.le16())
		return !c.short
	}
	c.skip(2) // how long the controller may wait
	command := c.le16()
	m.Function = uint32(command)
	m.Name, m.Class = slmpCommand(command)
	return !c.short
}

// slmpCommand names and classes the commands (SLMP specification, table of
// commands).
func slmpCommand(command uint16) (string, CommandClass) {
	switch command {
	case 0x0101:
		return "Read Type Name", CommandRead
	case 0x0401:
		return "Read Device", CommandRead
	case 0x0403:
		return "Read Random", CommandRead
	case 0x0406:
		return "Read Block", CommandRead
	case 0x0601:
		return "Read Intelligent Module", CommandRead
	case 0x0613:
		return "Read Buffer Memory", CommandRead
	case 0x0619:
		return "Self Test", CommandOther
	case 0x0801:
		return "Entry Monitor Device", CommandRead
	case 0x0802:
		return "Execute Monitor", CommandRead
	case 0x0e30:
		return "Node Search", CommandRead
	case 0x0e31:
		return "Set IP Address", CommandControl
	case 0x1001:
		return "Remote Run", CommandControl
	case 0x1002:
		return "Remote Stop", CommandControl
	case 0x1003:
		return "Remote Pause", CommandControl
	case 0x1005:
		return "Remote Latch Clear", CommandControl
	case 0x1006:
		return "Remote Reset", CommandControl
	case 0x1401:
		return "Write Device", CommandWrite
	case 0x1402:
		return "Write Random", CommandWrite
	case 0x1406:
		return "Write Block", CommandWrite
	case 0x1601:
		return "Write Intelligent Module", CommandWrite
	case 0x1613:
		return "Write Buffer Memory", CommandWrite
	case 0x1617:
		return "Clear Error", CommandControl
	case 0x1630:
		return "Remote Password Unlock", CommandOther
	case 0x1631:
		return "Remote Password Lock", CommandOther
	case 0x1810:
		return "Read Directory", CommandRead
	case 0x1820:
		return "New File", CommandControl
	case 0x1822:
		return "Delete File", CommandControl
	case 0x1827:
		return "Open File", CommandOther
	case 0x1828:
		return "Read File", CommandRead
	case 0x1829:
		return "Write File", CommandControl
	case 0x182a:
		return "Close File", CommandOther
	}
	return "", CommandOther
}
