package wire

import (
	"encoding/binary"
	"fmt"
)

// ADS is what Beckhoff's TwinCAT controllers speak (Beckhoff TE1000 "ADS/AMS
// specification"): a header of TCP, a header of AMS with both ends and the
// command, and the data of the command.

const (
	amsTCPHeader = 6 // reserved, length of what follows
	amsHeader    = 32
	amsHead      = amsTCPHeader + amsHeader + 4
	maxAMS       = 16 << 20
	amsResponse  = 1 // state flags
	amsADS       = 4

	adsRead      = 2
	adsWrite     = 3
	adsReadWrite = 9

	// Index groups that are about symbols, not about values.
	adsSymbolHandle  = 0xf003
	adsSymbolRelease = 0xf006
	adsSumRead       = 0xf080
)

var errADS = fmt.Errorf("read ads header: %w", ErrNotMine)

type adsParser struct{ memory *memory }

func (shared *memory) newADSStream() Stream {
	return shared.newTelegramStream(adsParser{shared}, amsHead)
}

// sniffADS recognises both headers: two lengths that agree, a command and the
// flags of one.
func sniffADS(_ Dir, b []byte) Match {
	for _, c := range b[:min(len(b), 2)] {
		if c != 0 {
			return No
		}
	}
	if len(b) < amsTCPHeader {
		return Maybe
	}
	size := binary.LittleEndian.Uint32(b[2:])
	if size < amsHeader || size > maxAMS {
		return No
	}
	if len(b) < amsTCPHeader+amsHeader {
		return Maybe
	}
	command, flags := binary.LittleEndian.Uint16(b[22:]), binary.LittleEndian.Uint16(b[24:])
	return matchIf(command > 0 && command <= adsReadWrite && flags&^amsResponse == amsADS &&
		binary.LittleEndian.Uint32(b[26:]) == size-amsHeader)
}

func (adsParser) size(b []byte) (int, error) {
	switch sniffADS(FromClient, b) {
	case No:
		return 0, errADS
	case Maybe:
		return 0, nil
	}
	return amsTCPHeader + int(binary.LittleEndian.Uint32(b[2:])), nil
}

func (p adsParser) read(_ Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	return p.memory.appendTelegram(p, b, msgs), nil
}

// telegram reads a message. Its unit is the port of the controller's end: 851
// is the first runtime of TwinCAT 3, 10000 the system service.
func (adsParser) telegram(b []byte, m *Telegram) bool {
	c := cursor{b: b}
	c.skip(amsTCPHeader + 6)
	target := c.le16()
	c.skip(6)
	source := c.le16()
	command, flags := c.le16(), c.le16()
	c.skip(4)
	status := c.le32()
	c.skip(4)
	if c.short {
		return false
	}
	m.App, m.Response, m.Unit, m.Function = "ads", flags&amsResponse != 0, uint32(target), uint32(command)
	group := uint32(0)
	if m.Response {
		m.Unit, m.Status = uint32(source), status
		if status == 0 && command != 8 && len(c.b) >= 4 {
			m.Status = c.le32() // the result is the first that a response holds
		}
	} else if command == adsRead || command == adsWrite || command == adsReadWrite {
		group = c.le32()
	}
	m.Name, m.Class = adsCommand(command, group)
	return true
}

// adsCommand names and classes a command. One that reads and writes at once
// looks up a symbol or reads several, or else may change anything.
func adsCommand(command uint16, group uint32) (string, CommandClass) {
	switch command {
	case 1:
		return "ReadDeviceInfo", CommandRead
	case adsRead:
		return "Read", CommandRead
	case adsWrite:
		if group == adsSymbolRelease {
			return "Write", CommandOther
		}
		return "Write", CommandWrite
	case 4:
		return "ReadState", CommandRead
	case 5:
		return "WriteControl", CommandControl
	case 6:
		return "AddDeviceNotification", CommandRead
	case 7:
		return "DeleteDeviceNotification", CommandOther
	case 8:
		return "DeviceNotification", CommandOther
	case adsReadWrite:
		if group >= adsSymbolHandle && group < adsSymbolRelease || group == adsSumRead {
			return "ReadWrite", CommandRead
		}
		return "ReadWrite", CommandWrite
	}
	return "", CommandOther
}
