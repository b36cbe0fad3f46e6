package wire

import (
	"encoding/binary"
	"fmt"
)

// FINS is what Omron controllers speak (Omron W227 "FINS Commands Reference
// Manual"; over TCP, W421 section 7): a header of ten bytes with the way there
// and back, a command of two bytes, and in a response an end code of two.

const (
	finsHeader    = 10
	finsTCPHeader = 16 // "FINS", length of what follows, command, error
	finsTCPData   = 2  // the command that carries a frame
	finsMagic     = "FINS"
	maxFINS       = 2 << 10 // bytes of a frame: 2,012 over Ethernet
	finsResponse  = 0x40
)

var errFINS = fmt.Errorf("read fins header: %w", ErrNotMine)

// finsParser reads frames, over TCP behind their header.
type finsParser struct{ memory *memory }

func (shared *memory) newFINSStream() Stream {
	return shared.newTelegramStream(finsParser{shared}, finsTCPHeader+finsHeader+4)
}

func (shared *memory) newFINSFlow() Datagrams {
	return &telegramFlow{memory: shared, telegrams: finsParser{shared}, is: isFINS, notMine: errFINS}
}

// sniffFINS recognises the header of FINS over TCP: its magic number, a length
// and one of its commands.
func sniffFINS(_ Dir, b []byte) Match {
	if n := min(len(b), len(finsMagic)); string(b[:n]) != finsMagic[:n] {
		return No
	}
	if len(b) < finsTCPHeader {
		return Maybe
	}
	size, command := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	return matchIf(size >= 8 && size <= maxFINS && command <= 6)
}

func (finsParser) size(b []byte) (int, error) {
	switch sniffFINS(FromClient, b) {
	case No:
		return 0, errFINS
	case Maybe:
		return 0, nil
	}
	return 8 + int(binary.BigEndian.Uint32(b[4:])), nil
}

func (p finsParser) read(_ Dir, b []byte, _ bool, msgs []Message) ([]Message, error) {
	if len(b) < finsTCPHeader {
		return msgs, nil
	}
	switch command := binary.BigEndian.Uint32(b[8:]); command {
	case finsTCPData:
		return p.memory.appendTelegram(p, b[finsTCPHeader:], msgs), nil
	case 0, 1: // the client asks for a node number, and is given one
		m := p.memory.telegrams.get()
		*m = Telegram{App: "fins", Response: command == 1, Name: "node address", Status: binary.BigEndian.Uint32(b[12:])}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

func (finsParser) telegram(b []byte, m *Telegram) bool {
	c := cursor{b: b}
	flags := c.u8()
	c.skip(3)
	destination := c.u8()
	c.skip(2)
	source := c.u8()
	c.skip(2)
	command := c.u16()
	m.App, m.Response, m.Unit, m.Function = "fins", flags&finsResponse != 0, uint32(destination), uint32(command)
	if m.Response {
		m.Unit, m.Status = uint32(source), uint32(c.u16())
	}
	m.Name, m.Class = finsCommand(command)
	return !c.short
}

// isFINS judges a datagram at the port of FINS by its header and command.
func isFINS(b []byte) bool {
	const atLeast, responseAtLeast, mostNetworks, mostGateways = finsHeader + 2, finsHeader + 4, 127, 7
	if len(b) < atLeast || len(b) > maxFINS || b[0]&^(finsResponse|1) != 0x80 || b[1] != 0 ||
		b[2] > mostGateways || b[3] > mostNetworks || b[6] > mostNetworks {
		return false
	}
	name, _ := finsCommand(binary.BigEndian.Uint16(b[finsHeader:]))
	return name != "" && (b[0]&finsResponse == 0 || len(b) >= responseAtLeast)
}

// sniffFINSDatagram recognises at any port the requests whose length is fixed:
// the header alone could be the first bytes of RTP.
func sniffFINSDatagram(b []byte) bool {
	const usualGateways = 2
	if !isFINS(b) || b[0]&finsResponse != 0 || b[2] != usualGateways {
		return false
	}
	switch n := len(b) - finsHeader - 2; binary.BigEndian.Uint16(b[finsHeader:]) {
	case 0x0101:
		return n == 6
	case 0x0102:
		return n > 6 && (n == 6+2*int(binary.BigEndian.Uint16(b[16:])) || n == 6+int(binary.BigEndian.Uint16(b[16:])))
	case 0x0601, 0x0701:
		return n == 0
	case 0x0501:
		return n <= 1
	}
	return false
}

// finsCommand names and classes a command (W227 section 5).
func finsCommand(command uint16) (string, CommandClass) {
	switch command {
	case 0x0101:
		return "Memory Area Read", CommandRead
	case 0x0102:
		return "Memory Area Write", CommandWrite
	case 0x0103:
		return "Memory Area Fill", CommandWrite
	case 0x0104:
		return "Multiple Memory Area Read", CommandRead
	case 0x0105:
		return "Memory Area Transfer", CommandWrite
	case 0x0201:
		return "Parameter Area Read", CommandRead
	case 0x0202:
		return "Parameter Area Write", CommandControl
	case 0x0203:
		return "Parameter Area Clear", CommandControl
	case 0x0304:
		return "Program Area Protect", CommandControl
	case 0x0305:
		return "Program Area Protect Clear", CommandControl
	case 0x0306:
		return "Program Area Read", CommandRead
	case 0x0307:
		return "Program Area Write", CommandControl
	case 0x0308:
		return "Program Area Clear", CommandControl
	case 0x0401:
		return "Run", CommandControl
	case 0x0402:
		return "Stop", CommandControl
	case 0x0403:
		return "Reset", CommandControl
	case 0x0501:
		return "Controller Data Read", CommandRead
	case 0x0502:
		return "Connection Data Read", CommandRead
	case 0x0601:
		return "Controller Status Read", CommandRead
	case 0x0602:
		return "Network Status Read", CommandRead
	case 0x0603:
		return "Data Link Status Read", CommandRead
	case 0x0620:
		return "Cycle Time Read", CommandRead
	case 0x0701:
		return "Clock Read", CommandRead
	case 0x0702:
		return "Clock Write", CommandControl
	case 0x0801:
		return "Internode Echo Test", CommandOther
	case 0x0802:
		return "Broadcast Test Results Read", CommandRead
	case 0x0803:
		return "Broadcast Test Data Send", CommandOther
	case 0x0920:
		return "Message Read/Clear", CommandOther
	case 0x0c01:
		return "Access Right Acquire", CommandOther
	case 0x0c02:
		return "Access Right Forced Acquire", CommandControl
	case 0x0c03:
		return "Access Right Release", CommandOther
	}
	return finsFileCommand(command)
}

// finsFileCommand names the commands for errors, files and forced bits.
func finsFileCommand(command uint16) (string, CommandClass) {
	switch command {
	case 0x2101:
		return "Error Clear", CommandControl
	case 0x2102:
		return "Error Log Read", CommandRead
	case 0x2103:
		return "Error Log Clear", CommandControl
	case 0x2201:
		return "File Name Read", CommandRead
	case 0x2202:
		return "Single File Read", CommandRead
	case 0x2203:
		return "Single File Write", CommandWrite
	case 0x2204:
		return "Memory Card Format", CommandControl
	case 0x2205:
		return "File Delete", CommandControl
	case 0x2207:
		return "File Copy", CommandWrite
	case 0x2208:
		return "File Name Change", CommandWrite
	case 0x220a:
		return "Memory Area File Transfer", CommandWrite
	case 0x220b:
		return "Parameter Area File Transfer", CommandControl
	case 0x220c:
		return "Program Area File Transfer", CommandControl
	case 0x2301:
		return "Forced Set/Reset", CommandControl
	case 0x2302:
		return "Forced Set/Reset Cancel", CommandControl
	case 0x230a:
		return "Multiple Forced Status Read", CommandRead
	}
	return "", CommandOther
}
