package wire

import "fmt"

// S7 is one message of S7 communication, the protocol of Siemens SIMATIC
// S7-300 and S7-400 controllers. Siemens has not published it; the format is
// as Wireshark's dissector and several independent implementations agree.
type S7 struct {
	Kind     S7Kind
	Response bool
	Ref      uint16 // number that a response has in common with its request
	// Function is that of jobs and their answers. Of a Userdata message it is
	// 0, and Group and Sub say what it is about.
	Function   uint8
	Group, Sub uint8
	// Items are the variables that are read or written, at most 20, which is
	// all that a message of 240 bytes holds.
	Items []S7Item
	// Service is the program invocation service of a PI service or a stop:
	// "P_PROGRAM" starts and stops, "_INSE" activates a block, "_DELE" deletes
	// it, "_GARB" compresses memory, "_MODU" copies it to flash.
	Service string
	// Block is the file name of an upload or download such as "_0800001P":
	// block type, number, and the file system that it goes to; of _INSE and
	// _DELE the first that is activated or deleted, without the underscore.
	Block string
	// Error is class and code of an answer, 0 if it reports none.
	Error uint16
	// Calling and Called are the transport selectors of the connection; ""
	// if its beginning was not seen.
	Calling, Called string
	Truncated       bool // the end of the message was never seen
}

// S7Kind is the ROSCTR of a message.
type S7Kind uint8

// Kinds of S7 messages.
const (
	S7Job      S7Kind = 1
	S7Ack      S7Kind = 2
	S7AckData  S7Kind = 3
	S7Userdata S7Kind = 7
)

// S7Item is a variable: a number of elements at an address.
type S7Item struct {
	Area    uint8  // 0x81 inputs, 0x82 outputs, 0x83 flags, 0x84 data block, 0x1c counters, 0x1d timers
	DB      uint16 // number of the data block
	Type    uint8  // transport size: 1 bit, 2 byte, 4 word ...
	Count   uint16
	Address uint32 // in bits; of counters and timers, their number
}

// Protocol implements Message.
func (*S7) Protocol() string { return "s7comm" }

// S7 header, functions and groups.
const (
	s7ID       = 0x32
	s7Header   = 10
	maxS7Items = 20
	maxS7Name  = 32

	s7CPUServices     = 0x00
	s7Read            = 0x04
	s7Write           = 0x05
	s7RequestDownload = 0x1a
	s7DownloadBlock   = 0x1b
	s7DownloadEnded   = 0x1c
	s7StartUpload     = 0x1d
	s7Upload          = 0x1e
	s7EndUpload       = 0x1f
	s7PIService       = 0x28
	s7Stop            = 0x29
	s7Setup           = 0xf0

	s7GroupSecurity = 5
	s7Password      = 1
	s7Any           = 0x10 // syntax of an item: area and address
	s7TypeRequest   = 4
	s7UserdataHead  = 7 // head, length, method, group, sub-function
	s7MethodAnswer  = 0x12
)

var errS7 = fmt.Errorf("read s7 header: %w", ErrMalformed)

// sniffS7 recognises a header: protocol, kind, a reserved field of zero.
func sniffS7(b []byte) Match {
	if len(b) < 4 {
		if len(b) > 1 && !knownS7Kind(b[1]) {
			return No
		}
		return Maybe
	}
	return matchIf(knownS7Kind(b[1]) && b[2] == 0 && b[3] == 0)
}

func knownS7Kind(k uint8) bool {
	switch S7Kind(k) {
	case S7Job, S7Ack, S7AckData, S7Userdata:
		return true
	}
	return false
}

// s7Pending is a login that waits for its answer.
type s7Pending struct {
	login *Login
}

// flush gives out a login that was never answered.
func (p *s7Pending) flush(msgs []Message) []Message {
	if p.login == nil {
		return msgs
	}
	msgs = append(msgs, p.login)
	p.login = nil
	return msgs
}

// read reads one message.
func (p *s7Pending) read(b []byte, cut bool, f *cotpFraming, msgs []Message) ([]Message, error) {
	m := f.memory.s7.get()
	room := m.Items[:0]
	*m = S7{} // and no literal with values, see modbusStream.read
	m.Calling, m.Called, m.Items, m.Truncated = f.calling, f.called, room, cut
	c := cursor{b: b}
	c.u8()
	m.Kind = S7Kind(c.u8())
	c.skip(2)
	m.Ref = c.u16()
	params, data := int(c.u16()), int(c.u16())
	if !knownS7Kind(uint8(m.Kind)) || !c.short && !cut && params+data > len(c.b) {
		return msgs, errS7
	}
	if m.Kind == S7Ack || m.Kind == S7AckData {
		m.Response = true
		m.Error = c.u16()
	}
	param := cursor{b: c.upTo(params)}
	if c.short && !cut {
		return msgs, errS7
	}
	least := 1 // the function
	if m.Kind == S7Userdata {
		least = s7UserdataHead
	}
	if len(param.b) < min(least, params) || len(b) < s7Header {
		return msgs, nil // cut before it says what it is about
	}
	body := c.b[:min(data, len(c.b))]
	if m.Kind == S7Userdata {
		m.userdata(&param)
		msgs = append(msgs, m)
		return p.password(m, body, msgs), nil
	}
	m.job(&param)
	return append(msgs, m), nil
}

// job reads the parameters of a job or its answer.
func (m *S7) job(c *cursor) {
	if len(c.b) == 0 {
		return
	}
	m.Function = c.u8()
	if m.Response {
		return
	}
	switch m.Function {
	case s7Read, s7Write:
		for range min(int(c.u8()), maxS7Items) {
			if !m.item(c) {
				break
			}
		}
	case s7RequestDownload, s7StartUpload:
		c.skip(7)
		m.Block = s7Name(c)
	case s7PIService:
		c.skip(7)
		list := cursor{b: c.take(int(c.u16()))} // what the service is applied to
		m.Service = s7Name(c)
		if m.Service == "_INSE" || m.Service == "_DELE" {
			m.Block = s7FirstBlock(&list)
		}
	case s7Stop:
		c.skip(5)
		m.Service = s7Name(c)
	}
	if c.short {
		m.Truncated = true
	}
}

// s7FirstBlock reads a list of blocks: their number, a filler, eight characters
// each.
func s7FirstBlock(c *cursor) string {
	const size = 8
	if n := c.u8(); n == 0 {
		return ""
	}
	c.u8()
	return plainText(c.take(size))
}

// s7Name reads a text behind its length.
func s7Name(c *cursor) string {
	v := c.take(int(c.u8()))
	return plainText(v[:min(len(v), maxS7Name)])
}

// item reads a variable specification. Symbolic and other addresses are passed
// over.
func (m *S7) item(c *cursor) bool {
	kind, n := c.u8(), int(c.u8())
	spec := cursor{b: c.take(n)}
	if c.short || kind != 0x12 {
		return false
	}
	if n%2 == 1 && len(c.b) > 0 && c.b[0] == 0 {
		c.u8() // filled up to an even length
	}
	if spec.u8() != s7Any || n != 10 {
		return true
	}
	m.Items = append(m.Items, S7Item{})
	i := &m.Items[len(m.Items)-1]
	i.Type, i.Count, i.DB, i.Area = spec.u8(), spec.u16(), spec.u16(), spec.u8()
	i.Address = uint32(spec.u8())<<16 | uint32(spec.u16())
	return true
}

// userdata reads the parameters of a Userdata message: a fixed head, the
// method, group and sub-function, a sequence number, and the error code of an
// answer.
func (m *S7) userdata(c *cursor) {
	c.skip(3)
	n := int(c.u8())
	method := c.u8()
	group := c.u8()
	m.Group, m.Sub = group&15, c.u8()
	m.Response = group>>4 != s7TypeRequest // an answer, or sent unasked
	c.u8()
	if method == s7MethodAnswer && n >= 8 {
		c.skip(2)
		m.Error = c.u16()
	}
	if c.short {
		m.Truncated = true
	}
}

// password makes a login of a password and its answer. It crosses in a form
// that needs no key to be read, so it counts as sent in clear.
func (p *s7Pending) password(m *S7, body []byte, msgs []Message) []Message {
	if m.Group != s7GroupSecurity || m.Sub != s7Password {
		return msgs
	}
	if m.Response {
		if p.login == nil {
			return msgs
		}
		p.login.Outcome = Succeeded
		if m.Error != 0 {
			p.login.Outcome = Failed
		}
		return p.flush(msgs)
	}
	msgs = p.flush(msgs)
	p.login = &Login{Service: "s7comm", Mechanism: "password", Clear: true}
	const head, size = 4, 8 // return code, transport size, length; eight characters
	if len(body) != head+size {
		return msgs
	}
	var secret [size]byte
	for i, c := range body[head:] {
		if secret[i] = c ^ 0x55; i >= 2 {
			secret[i] ^= body[head+i-2]
		}
	}
	n := size
	for n > 0 && secret[n-1] == ' ' {
		n--
	}
	p.login.Default = factoryDefault(nil, secret[:n])
	return msgs
}

// Unit is the called transport selector of a controller, whose low byte names
// rack and slot; 0 if it is unknown or of another form.
func (m *S7) Unit() uint32 {
	if len(m.Called) != 4 {
		return 0
	}
	var unit uint32
	for _, c := range []byte(m.Called) {
		if !isHex(c) {
			return 0
		}
		unit = unit<<4 | uint32(hexValue(c))
	}
	return unit
}

// AppendCommands implements Commander. The function of a Userdata message is
// 0x100, its group and its sub-function.
func (m *S7) AppendCommands(dst []Command) []Command {
	if m.Response {
		return dst
	}
	c := Command{Protocol: "s7comm", Unit: m.Unit(), Function: uint32(m.Function)}
	if m.Kind == S7Userdata {
		c.Function = uint32(m.Sub)<<16 | 0x100 | uint32(m.Group)
	}
	c.Name, c.Class = m.name()
	return append(dst, c)
}

var _ Commander = (*S7)(nil)
