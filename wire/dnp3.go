package wire

import "fmt"

// DNP3 is one frame of DNP3 (IEEE 1815-2012) with the beginning of an
// application message, or of the link layer alone.
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
	// Complete: every object header was read; others are in the frames that
	// follow, or behind objects of a size that is unknown.
	Complete  bool
	Truncated bool // the end of the frame was never seen
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
	dnp3Response    = 0x81
	dnp3Unsolicited = 0x82
)

var (
	errDNP3Kind = fmt.Errorf("read dnp3 header: %w", ErrNotMine)
	// errDNP3Segment: in order, and nothing to say.
	errDNP3Segment = fmt.Errorf("read dnp3: not the first segment of a message: %w", ErrTruncated)
	errDNP3Cut     = fmt.Errorf("read dnp3 header: %w", ErrTruncated)
)

// sniffDNP3 recognises the start bytes and the check sum of a header.
func sniffDNP3(_ Dir, b []byte) Match {
	for i, want := range []byte{dnp3Start1, dnp3Start2} {
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

func sniffDNP3Datagram(b []byte) bool { return sniffDNP3(FromClient, b) == Yes }

func parseDNP3Datagram(b []byte) (Message, error) {
	switch sniffDNP3(FromClient, b) {
	case Maybe:
		return nil, errDNP3Cut
	case No:
		return nil, errDNP3Kind
	case Yes:
	}
	size := dnp3Size(b)
	m := parseDNP3(b[:min(size, len(b))], size > len(b))
	if m == nil {
		return nil, errDNP3Segment
	}
	return m, nil
}

type dnp3Framing struct{}

func newDNP3Stream() Stream { return &framedStream{framing: dnp3Framing{}, head: dnp3MaxFrame} }

func (dnp3Framing) size(b []byte) (int, error) {
	switch sniffDNP3(FromClient, b) {
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

func (dnp3Framing) read(_ Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) < dnp3Header {
		return msgs, nil
	}
	if m := parseDNP3(b, cut); m != nil {
		msgs = append(msgs, m)
	}
	return msgs, nil
}

// parseDNP3 reads a frame whose header is in order. Segments of an application
// message but the first carry data alone: of those it returns nil.
func parseDNP3(b []byte, cut bool) *DNP3 {
	c := cursor{b: b[3:]}
	m := &DNP3{LinkControl: c.u8(), Destination: c.le16(), Source: c.le16(), Truncated: cut}
	var room [maxDNP3Data]byte
	data := room[:0]
	for blocks := b[dnp3Header:]; len(blocks) > 0; {
		block := blocks[:min(len(blocks), dnp3Block+2)]
		blocks = blocks[len(block):]
		if n := len(block) - 2; n > 0 && len(data)+n <= len(room) {
			if dnp3CRC(block[:n]) != uint16(block[n])|uint16(block[n+1])<<8 {
				m.Truncated = true
				break
			}
			data = append(data, block[:n]...)
		}
	}
	if len(data) > 0 && data[0]&dnp3FirstOfMany == 0 {
		return nil
	}
	if len(data) >= 3 {
		m.application(data)
	}
	return m
}

// application reads the message behind the transport byte.
func (m *DNP3) application(data []byte) {
	last := data[0]&dnp3FinalOfMany != 0
	c := cursor{b: data[1:]}
	m.Application, m.AppControl, m.Function = true, c.u8(), c.u8()
	if m.Function >= dnp3Response {
		m.IIN = c.u16()
		if c.short {
			m.Truncated = true
			return
		}
	}
	for len(c.b) > 0 && len(m.Objects) < maxDNP3Objects {
		if !m.object(&c) {
			return
		}
	}
	m.Complete = last && len(c.b) == 0 && !m.Truncated
}

// object reads an object header and passes over its data (clause 4.2.2.7).
func (m *DNP3) object(c *cursor) bool {
	o := DNP3Object{Group: c.u8(), Variation: c.u8(), Qualifier: c.u8()}
	switch o.Qualifier & 15 {
	case 0, 3:
		o.Start, o.Stop = uint32(c.u8()), uint32(c.u8())
	case 1, 4:
		o.Start, o.Stop = uint32(c.le16()), uint32(c.le16())
	case 2, 5:
		o.Start, o.Stop = c.le32(), c.le32()
	case 6: // all
	case 7, 11:
		o.Count = uint32(c.u8())
	case 8:
		o.Count = uint32(c.le16())
	case 9:
		o.Count = c.le32()
	default: // no range that is known: how it goes on cannot be told
		if !c.short {
			m.Objects = append(m.Objects, o)
		}
		return false
	}
	if c.short {
		return false
	}
	if o.Qualifier&15 <= 5 && o.Stop >= o.Start {
		o.Count = o.Stop - o.Start + 1
	}
	m.Objects = append(m.Objects, o)
	return m.skipData(c, &o)
}

// skipData passes over the points of an object header. It reports false where
// their size is unknown.
func (m *DNP3) skipData(c *cursor, o *DNP3Object) bool {
	if !m.carriesData(o) || o.Count == 0 {
		return true
	}
	prefix := [...]int{0, 1, 2, 4, -1, -1, -1, -1}[o.Qualifier>>4&7]
	bits := dnp3PointBits(o.Group, o.Variation)
	if prefix < 0 || bits < 0 || o.Count > 8*maxDNP3Data {
		return false
	}
	n := int(o.Count) * prefix
	if bits < 8 {
		n += (int(o.Count)*bits + 7) / 8
	} else {
		n += int(o.Count) * bits / 8
	}
	c.skip(n)
	return !c.short
}

// carriesData tells headers that are followed by points: those of responses
// and of requests that set something. A read names points by their index.
func (m *DNP3) carriesData(o *DNP3Object) bool {
	switch m.Function {
	case 2, 3, 4, 5, 6, dnp3Response, dnp3Unsolicited:
		return o.Group != 60
	}
	return o.Group == 50 || o.Group == 51
}

// dnp3PointBits is the size of a point of an object in bits, -1 if it is not
// known here (annex A).
func dnp3PointBits(group, variation uint8) int {
	key := uint16(group)<<8 | uint16(variation)
	switch key {
	case 0x0101, 0x0a01, 0x5001: // binary inputs and outputs, indications, packed
		return 1
	case 0x0301:
		return 2
	case 0x0102, 0x0201, 0x0302, 0x0401, 0x0a02, 0x0b01, 0x0d01:
		return 8
	case 0x0203, 0x0403:
		return 8 + 16
	case 0x0202, 0x0402, 0x0b02, 0x0d02:
		return 8 + 48
	case 0x0c01, 0x0c02: // control relay output block, pattern control block
		return 11 * 8
	case 0x1405, 0x1407, 0x1509, 0x150b, 0x1e03, 0x1f05, 0x2202, 0x2203: // without flags
		return 32
	case 0x1406, 0x1408, 0x150a, 0x150c, 0x1e04, 0x1f06, 0x2201:
		return 16
	case 0x1401, 0x1403, 0x1501, 0x1503, 0x1601, 0x1603, 0x1701, 0x1703, 0x1e01, 0x1e05, 0x1f01, 0x1f07, // with flags
		0x2001, 0x2005, 0x2101, 0x2105, 0x2801, 0x2803, 0x2901, 0x2903, 0x2a01, 0x2a05, 0x2b01, 0x2b05:
		return 8 + 32
	case 0x1402, 0x1404, 0x1502, 0x1504, 0x1602, 0x1604, 0x1702, 0x1704, 0x1e02, 0x1f02,
		0x2002, 0x2102, 0x2802, 0x2902, 0x2a02, 0x2b02:
		return 8 + 16
	case 0x1e06, 0x1f08, 0x2006, 0x2106, 0x2804, 0x2904, 0x2a06, 0x2b06:
		return 8 + 64
	case 0x1505, 0x1507, 0x1605, 0x1607, 0x1705, 0x1707, 0x1f03, // with flags and time
		0x2003, 0x2007, 0x2103, 0x2107, 0x2a03, 0x2a07, 0x2b03, 0x2b07:
		return 8 + 32 + 48
	case 0x1506, 0x1508, 0x1606, 0x1608, 0x1706, 0x1708, 0x1f04, 0x2004, 0x2104, 0x2a04, 0x2b04:
		return 8 + 16 + 48
	case 0x2008, 0x2108, 0x2a08, 0x2b08:
		return 8 + 64 + 48
	case 0x3201, 0x3301, 0x3302, 0x3203:
		return 48
	case 0x3202:
		return 48 + 32
	case 0x3204:
		return 48 + 32 + 8
	case 0x3401, 0x3402:
		return 16
	}
	return -1
}

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
