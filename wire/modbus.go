package wire

import (
	"encoding/binary"
	"fmt"
)

// Modbus is one request or response of Modbus/TCP (MODBUS Application Protocol
// Specification V1.1b3, MODBUS Messaging on TCP/IP Implementation Guide V1.0b).
type Modbus struct {
	Response    bool
	Transaction uint16
	Unit        uint8
	Function    uint8 // without the bit that marks an exception
	Exception   uint8 // exception code of a response, 0 if it is none
	// Sub is the sub-function of diagnostics (8), the type of an encapsulated
	// interface (43) or the function of Schneider's UMAS (90).
	Sub         uint16
	Read, Write ModbusRange
	// Values are what a request writes: registers, coils as 0 and 1, or, of the
	// response too, the AND and OR masks of function 22; at most 125, the most registers that
	// a request holds. Of more than 125 coils the first are kept.
	Values []uint16
	// Objects are those of a Read Device Identification response.
	Objects   []ModbusObject
	Truncated bool // the end of the message was never seen
}

// ModbusRange is a run of registers or coils; Quantity 0 means that the
// message names none.
type ModbusRange struct{ Address, Quantity uint16 }

// ModbusObject is one object of a device identification: 0 vendor, 1 product
// code, 2 revision, 3 vendor URL, 4 product, 5 model, 6 application.
type ModbusObject struct {
	ID    uint8
	Value string
}

// Protocol implements Message.
func (*Modbus) Protocol() string { return "modbus" }

// Bounds of Modbus/TCP: a header of 7 bytes in front of a PDU of at most 253,
// of which the header's length counts the unit too. Controllers of Schneider
// Electric send one byte more.
const (
	modbusHeader     = 7
	maxModbusLength  = 255
	maxModbusValues  = 125
	maxModbusObjects = 16
)

// Function codes whose bytes are looked into.
const (
	modbusReadCoils     = 1
	modbusReadDiscrete  = 2
	modbusReadHolding   = 3
	modbusReadInput     = 4
	modbusWriteCoil     = 5
	modbusWriteRegister = 6
	modbusExcStatus     = 7
	modbusDiagnostics   = 8
	modbusEventCounter  = 11
	modbusEventLog      = 12
	modbusWriteCoils    = 15
	modbusWriteRegs     = 16
	modbusServerID      = 17
	modbusReadFile      = 20
	modbusWriteFile     = 21
	modbusMaskWrite     = 22
	modbusReadWriteRegs = 23
	modbusReadFIFO      = 24
	modbusMEI           = 43
	modbusUMAS          = 90 // Schneider Electric's, of its programming software
	modbusException     = 0x80

	meiDeviceID = 14
	umasOK      = 0xfe
	umasError   = 0xfd
)

var (
	errModbusKind   = fmt.Errorf("read modbus header: %w", ErrNotMine)
	errModbusLength = fmt.Errorf("read modbus header: length out of range: %w", ErrMalformed)
)

// modbusStream reads the messages of one connection.
type modbusStream struct {
	framedStream
	memory *memory
	turned bool // the flow table has taken the server for the client
	sure   bool // of turned
}

var _ Reuser = (*modbusStream)(nil)

func (m *memory) newModbusStream() Stream {
	s := &modbusStream{memory: m}
	s.framing, s.head = s, 6+maxModbusLength
	return s
}

// Reuse implements Reuser.
func (s *modbusStream) Reuse(m Message) {
	if m, ok := m.(*Modbus); ok {
		s.memory.modbus.put(m)
	}
}

func (*modbusStream) begins(b []byte) Match { return sniffModbus(FromClient, b) }

func (*modbusStream) size(b []byte) (int, error) {
	if len(b) < 6 {
		return 0, nil
	}
	if b[2] != 0 || b[3] != 0 {
		return 0, errModbusKind
	}
	n := int(b[4])<<8 | int(b[5])
	if n < 2 || n > maxModbusLength {
		return 0, errModbusLength
	}
	return 6 + n, nil
}

func (s *modbusStream) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) <= modbusHeader {
		return msgs, nil
	}
	pdu, n := b[modbusHeader:], int(b[5])-1
	if !s.sure {
		response, sure := modbusIsResponse(pdu, n)
		s.turned, s.sure = sure && response != (dir == FromServer), sure
	}
	m := s.memory.modbus.get()
	// Not one literal: it would be put together elsewhere byte by byte and
	// copied, which takes longer than all the rest.
	*m = Modbus{}
	m.Transaction, m.Unit, m.Function = binary.BigEndian.Uint16(b), b[6], pdu[0]
	m.Response, m.Truncated = (dir == FromServer) != s.turned, cut
	c := cursor{b: pdu[1:]}
	switch {
	case m.Function&modbusException != 0:
		m.Function &^= modbusException
		m.Exception = c.u8()
		m.Response = true
	case m.Response:
		m.readResponse(&c)
	default:
		m.readRequest(&c)
	}
	return append(msgs, m), nil
}

// modbusIsResponse tells a response from a request where the length leaves no
// doubt.
func modbusIsResponse(pdu []byte, n int) (response, sure bool) {
	switch f := pdu[0]; {
	case f&modbusException != 0:
		return true, true
	case f >= modbusReadCoils && f <= modbusReadInput && n != 5:
		return true, true
	case f == modbusReadHolding || f == modbusReadInput:
		return false, true // a response has an even number of bytes
	case f == modbusWriteCoils || f == modbusWriteRegs:
		return n == 5, true
	case f == modbusServerID:
		return n > 1, true
	}
	return false, false
}

func (m *Modbus) readRequest(c *cursor) {
	switch m.Function {
	case modbusReadCoils, modbusReadDiscrete, modbusReadHolding, modbusReadInput:
		m.Read = modbusRange(c)
	case modbusWriteCoil, modbusWriteRegister:
		m.Write = ModbusRange{c.u16(), 1}
		m.Values = registers(c, 1)
		if m.Function == modbusWriteCoil && len(m.Values) == 1 {
			m.Values[0] = min(m.Values[0], 1) // on is 0xff00
		}
	case modbusWriteCoils:
		m.Write = modbusRange(c)
		m.Values = coils(c, m.Write.Quantity)
	case modbusWriteRegs:
		m.Write = modbusRange(c)
		c.u8()
		m.Values = registers(c, m.Write.Quantity)
	case modbusMaskWrite:
		m.Write = ModbusRange{c.u16(), 1}
		m.Values = registers(c, 2)
	case modbusReadWriteRegs:
		m.Read, m.Write = modbusRange(c), modbusRange(c)
		c.u8()
		m.Values = registers(c, m.Write.Quantity)
	case modbusReadFIFO:
		m.Read = ModbusRange{c.u16(), 1}
	case modbusDiagnostics:
		m.Sub = c.u16()
	case modbusMEI:
		m.Sub = uint16(c.u8())
	case modbusUMAS:
		c.u8() // number of the reservation
		m.Sub = uint16(c.u8())
	}
	if c.short {
		m.Read, m.Write = m.Read.whole(c), m.Write.whole(c)
		m.Truncated = true
	}
}

// whole drops a range that the message was too short for.
func (r ModbusRange) whole(c *cursor) ModbusRange {
	if c.short && r.Quantity == 0 {
		return ModbusRange{}
	}
	return r
}

func (m *Modbus) readResponse(c *cursor) {
	switch m.Function {
	case modbusWriteCoil, modbusWriteRegister:
		m.Write = ModbusRange{c.u16(), 1}
	case modbusWriteCoils, modbusWriteRegs:
		m.Write = modbusRange(c)
	case modbusMaskWrite:
		m.Write = ModbusRange{c.u16(), 1}
		m.Values = registers(c, 2)
	case modbusDiagnostics:
		m.Sub = c.u16()
	case modbusMEI:
		m.Sub = uint16(c.u8())
		if m.Sub == meiDeviceID {
			m.identification(c)
		}
	case modbusUMAS:
		c.u8()
		m.Sub = uint16(c.u8())
	}
	if c.short {
		m.Write = m.Write.whole(c)
		m.Truncated = true
	}
}

// identification reads the objects of a Read Device Identification response
// (section 6.21): code, conformity, more follows, next object, their number.
func (m *Modbus) identification(c *cursor) {
	c.skip(4)
	for range min(int(c.u8()), maxModbusObjects) {
		id, n := c.u8(), int(c.u8())
		v := c.take(n)
		if c.short {
			return
		}
		m.Objects = append(m.Objects, ModbusObject{id, plainText(v)})
	}
}

func modbusRange(c *cursor) ModbusRange { return ModbusRange{c.u16(), c.u16()} }

// registers reads up to n values; nil if not all of them are there.
func registers(c *cursor, n uint16) []uint16 {
	if n == 0 || n > maxModbusValues || len(c.b) < 2*int(n) {
		c.short = c.short || n > 0
		return nil
	}
	v := make([]uint16, n)
	for i := range v {
		v[i] = c.u16()
	}
	return v
}

// coils reads the byte count and the bits behind it.
func coils(c *cursor, n uint16) []uint16 {
	bits := c.take(int(c.u8()))
	if n == 0 || 8*len(bits) < int(n) {
		c.short = true
		return nil
	}
	v := make([]uint16, min(n, maxModbusValues))
	for i := range v {
		v[i] = uint16(bits[i/8] >> (i % 8) & 1)
	}
	return v
}

// Habit implements Habitual: a poll is one whatever was read, a write one
// whatever was written. Exceptions and identifications count each.
func (m *Modbus) Habit(seed uint64) uint64 {
	if m.Exception != 0 || len(m.Objects) > 0 || m.Truncated {
		return 0
	}
	return habit(seed).withTwo(habitBit(m.Response)|uint64(m.Unit)<<8|uint64(m.Function)<<16|uint64(m.Sub)<<32,
		uint64(m.Read.Address)|uint64(m.Read.Quantity)<<16|uint64(m.Write.Address)<<32|uint64(m.Write.Quantity)<<48).value()
}

// AppendCommands implements Commander.
func (m *Modbus) AppendCommands(dst []Command) []Command {
	if m.Response {
		return dst
	}
	name, class := modbusFunction(m.Function, m.Sub)
	return append(dst, Command{
		Protocol: "modbus", Unit: uint32(m.Unit), Function: uint32(m.Function) | uint32(m.Sub)<<8,
		Name: name, Class: class,
	})
}

var _ Commander = (*Modbus)(nil)
