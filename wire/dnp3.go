package wire

import "fmt"

// DNP3 is one application message of DNP3 (IEEE 1815-2012), of one frame or of
// several, or a frame of the link layer alone.
type DNP3 struct {
	Source, Destination uint16 // stations
	LinkControl         uint8  // direction, primary, frame count bits, function
	// Application says that an application header follows; the fields below
	// are its.
	Application bool
	AppControl  uint8 // first, final, confirm, unsolicited, sequence
	Function    uint8
	IIN         uint16       // internal indications of a response
	Objects     []DNP3Object // headers, at most 16
	// Complete: every object header was read; others are behind objects of a
	// size that is unknown.
	Complete  bool
	Truncated bool // some of the message was never seen, or it is damaged
}

// DNP3Object is one object header.
type DNP3Object struct {
	Group, Variation, Qualifier uint8
	Start, Stop                 uint32 // of a range
	Count                       uint32
}

// Protocol implements Message.
func (*DNP3) Protocol() string { return "dnp3" }

// The link layer (clause 9): two start bytes, a length that counts from the
// control byte without check sums, blocks of up to 16 bytes with a check sum
// each.
const (
	dnp3Start1     = 0x05
	dnp3Start2     = 0x64
	dnp3Header     = 10
	dnp3Block      = 16
	dnp3MinLength  = 5
	dnp3MaxFrame   = 292
	maxDNP3Data    = 250
	maxDNP3Objects = 16

	dnp3FirstOfMany = 0x40 // transport function: first segment
	dnp3FinalOfMany = 0x80
	dnp3Sequence    = 0x3f
	maxDNP3Fragment = 2048 // of an application message (clause 4.1.1)
	dnp3Response    = 0x81
	dnp3Unsolicited = 0x82
)

var (
	errDNP3Kind = fmt.Errorf("read dnp3 header: %w", ErrNotMine)
	errDNP3Cut  = fmt.Errorf("read dnp3 header: %w", ErrTruncated)
)

// sniffDNP3 recognises the start bytes and the check sum of a header. Where the
// sum of the first is wrong, that of a second one tells.
func sniffDNP3(_ Dir, b []byte) Match {
	m := dnp3Begins(b)
	if m != No || len(b) < dnp3Header || b[0] != dnp3Start1 || b[1] != dnp3Start2 {
		return m
	}
	for i := 2; i < min(len(b), dnp3MaxFrame); i++ {
		switch dnp3Begins(b[i:]) {
		case Yes:
			return Yes
		case Maybe:
			return Maybe
		case No:
		}
	}
	if len(b) < dnp3MaxFrame {
		return Maybe
	}
	return No
}

// dnp3Begins judges one header.
func dnp3Begins(b []byte) Match {
	for i, want := range [...]byte{dnp3Start1, dnp3Start2} {
		if len(b) > i && b[i] != want {
			return No
		}
	}
	if len(b) < dnp3Header {
		return Maybe
	}
	return matchIf(b[2] >= dnp3MinLength && dnp3CRC(b[:8]) == uint16(b[8])|uint16(b[9])<<8)
}

// dnp3CRC is the check sum of annex E: polynomial 0x3d65, reflected, inverted.
func dnp3CRC(b []byte) uint16 {
	const reflected = 0xa6bc
	var crc uint16
	for _, v := range b {
		crc ^= uint16(v)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ reflected
			} else {
				crc >>= 1
			}
		}
	}
	return ^crc
}

func sniffDNP3Datagram(b []byte) bool { return dnp3Begins(b) == Yes }

// dnp3Flow reads the frames of the datagrams between two stations.
type dnp3Flow struct{ dnp3Framing }

func newDNP3Flow() Datagrams { return &dnp3Flow{} }

// Datagram implements Datagrams.
func (f *dnp3Flow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	switch dnp3Begins(b) {
	case Maybe:
		return msgs, errDNP3Cut
	case No:
		return msgs, errDNP3Kind
	case Yes:
	}
	for dnp3Begins(b) == Yes {
		size := dnp3Size(b)
		msgs, _ = f.read(dir, b[:min(size, len(b))], size > len(b), msgs) // it has no errors
		b = b[min(size, len(b)):]
	}
	return msgs, nil
}

// Flush implements Flusher.
func (f *dnp3Flow) Flush(dir Dir, _ []byte, msgs []Message) []Message { return f.ended(dir, msgs) }

// dnp3Framing joins the segments of application messages, of each direction.
type dnp3Framing struct{ parts [2]dnp3Parts }

// dnp3Parts is an application message of which segments are still to come.
type dnp3Parts struct {
	m    *DNP3  // of the first segment; nil if none is waited for
	data []byte // behind the transport byte of the first segment
	next uint8  // sequence number of the next segment
}

// dnp3Stream is a framedStream that says what it retains.
type dnp3Stream struct {
	framedStream
	f dnp3Framing
}

func newDNP3Stream() Stream {
	s := &dnp3Stream{}
	s.framing, s.head = &s.f, dnp3MaxFrame
	return s
}

// Retained implements Retainer.
func (f *dnp3Framing) Retained() int { return cap(f.parts[0].data) + cap(f.parts[1].data) }

// Retained implements Retainer.
func (s *dnp3Stream) Retained() int { return s.f.Retained() }

var (
	_ Retainer = (*dnp3Flow)(nil)
	_ Flusher  = (*dnp3Flow)(nil)
	_ Retainer = (*dnp3Stream)(nil)
)

func (*dnp3Framing) begins(b []byte) Match { return dnp3Begins(b) }

func (*dnp3Framing) size(b []byte) (int, error) {
	switch dnp3Begins(b) {
	case Maybe:
		return 0, nil
	case No:
		return 0, errDNP3Kind
	case Yes:
	}
	return dnp3Size(b), nil
}

func dnp3Size(b []byte) int {
	data := int(b[2]) - dnp3MinLength
	return dnp3Header + data + 2*((data+dnp3Block-1)/dnp3Block)
}

// read reads a frame whose header is in order.
func (f *dnp3Framing) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) < dnp3Header {
		return msgs, nil
	}
	p := &f.parts[dir]
	c := cursor{b: b[3:]}
	control, destination, source := c.u8(), c.le16(), c.le16()
	var room [maxDNP3Data]byte
	data, whole := dnp3Data(b[dnp3Header:], room[:0])
	cut = cut || !whole
	if len(data) > 0 && data[0]&dnp3FirstOfMany == 0 {
		if m := p.m; m == nil || m.Source != source || m.Destination != destination {
			return msgs, nil // its beginning was never seen
		}
		return p.add(data, cut, msgs), nil
	}
	m := &DNP3{LinkControl: control, Destination: destination, Source: source, Truncated: cut}
	if len(data) < 3 {
		return append(msgs, m), nil
	}
	msgs = p.give(true, msgs)
	if data[0]&dnp3FinalOfMany == 0 && !cut {
		*p = dnp3Parts{m: m, data: append(make([]byte, 0, 4*maxDNP3Data), data[1:]...), next: (data[0] + 1) & dnp3Sequence}
		return msgs, nil
	}
	m.application(data[1:])
	return append(msgs, m), nil
}

// dnp3Data appends to data what the blocks of a frame hold, up to one that is
// damaged.
func dnp3Data(blocks, data []byte) (_ []byte, whole bool) {
	for len(blocks) > 0 {
		block := blocks[:min(len(blocks), dnp3Block+2)]
		blocks = blocks[len(block):]
		n := len(block) - 2
		if n <= 0 || len(data)+n > cap(data) {
			continue
		}
		if dnp3CRC(block[:n]) != uint16(block[n])|uint16(block[n+1])<<8 {
			return data, false
		}
		data = append(data, block[:n]...)
	}
	return data, true
}

// add joins a segment, and gives out the message if it is the last or the last
// that can be used.
func (p *dnp3Parts) add(data []byte, cut bool, msgs []Message) []Message {
	if data[0]&dnp3Sequence != p.next {
		return p.give(true, msgs)
	}
	p.next = (p.next + 1) & dnp3Sequence
	more := data[1:min(len(data), 1+maxDNP3Fragment-len(p.data))]
	p.data = append(p.data, more...)
	switch {
	case cut || len(more) < len(data)-1:
		return p.give(true, msgs)
	case data[0]&dnp3FinalOfMany != 0:
		return p.give(false, msgs)
	}
	return msgs
}

// give gives out the message that segments are waited for, if there is one.
func (p *dnp3Parts) give(cut bool, msgs []Message) []Message {
	if p.m == nil {
		return msgs
	}
	m := p.m
	m.Truncated = m.Truncated || cut
	m.application(p.data)
	*p = dnp3Parts{}
	return append(msgs, m)
}

// ended gives out what is left when nothing more can be read.
func (f *dnp3Framing) ended(dir Dir, msgs []Message) []Message { return f.parts[dir].give(true, msgs) }

// FromMaster is the direction bit of the link layer.
func (m *DNP3) FromMaster() bool { return m.LinkControl&0x80 != 0 }

// AppendCommands implements Commander. The unit is the station that is told.
func (m *DNP3) AppendCommands(dst []Command) []Command {
	if !m.Application || m.Function >= dnp3Response || m.Function == 0 {
		return dst
	}
	name, class := dnp3Function(m.Function)
	return append(dst, Command{Protocol: "dnp3", Unit: uint32(m.Destination), Function: uint32(m.Function), Name: name, Class: class})
}

var _ Commander = (*DNP3)(nil)

// FunctionName is the name of the application function, "" if there is none
// or it is unknown.
func (m *DNP3) FunctionName() string {
	if !m.Application {
		return ""
	}
	name, _ := dnp3Function(m.Function)
	return name
}

// Class is what the function does to the outstation.
func (m *DNP3) Class() CommandClass {
	if !m.Application {
		return CommandOther
	}
	_, class := dnp3Function(m.Function)
	return class
}

// dnp3Function names and classes the application functions (clause 4.2.2.5).
func dnp3Function(f uint8) (string, CommandClass) {
	const (
		o = CommandOther
		r = CommandRead
		w = CommandWrite
		c = CommandControl
	)
	table := [...]struct {
		name  string
		class CommandClass
	}{
		{"CONFIRM", o},
		{"READ", r},
		{"WRITE", w},
		{"SELECT", c},
		{"OPERATE", c},
		{"DIRECT_OPERATE", c},
		{"DIRECT_OPERATE_NR", c},
		{"IMMED_FREEZE", w},
		{"IMMED_FREEZE_NR", w},
		{"FREEZE_CLEAR", w},
		{"FREEZE_CLEAR_NR", w},
		{"FREEZE_AT_TIME", w},
		{"FREEZE_AT_TIME_NR", w},
		{"COLD_RESTART", c},
		{"WARM_RESTART", c},
		{"INITIALIZE_DATA", c},
		{"INITIALIZE_APPL", c},
		{"START_APPL", c},
		{"STOP_APPL", c},
		{"SAVE_CONFIG", c},
		{"ENABLE_UNSOLICITED", c},
		{"DISABLE_UNSOLICITED", c},
		{"ASSIGN_CLASS", c},
		{"DELAY_MEASURE", r},
		{"RECORD_CURRENT_TIME", c},
		{"OPEN_FILE", r},
		{"CLOSE_FILE", o},
		{"DELETE_FILE", c},
		{"GET_FILE_INFO", r},
		{"AUTHENTICATE_FILE", o},
		{"ABORT_FILE", o},
		{"ACTIVATE_CONFIG", c},
		{"AUTHENTICATE_REQ", o},
		{"AUTH_REQ_NO_ACK", o},
	}
	switch {
	case int(f) < len(table):
		return table[f].name, table[f].class
	case f == dnp3Response:
		return "RESPONSE", o
	case f == dnp3Unsolicited:
		return "UNSOLICITED_RESPONSE", o
	case f == 0x83:
		return "AUTHENTICATE_RESP", o
	}
	return "", o
}
