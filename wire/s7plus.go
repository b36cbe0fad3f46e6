package wire

import "fmt"

// S7Plus is one message of S7comm-plus, the protocol of Siemens S7-1200 and
// S7-1500 controllers, as far as it crosses in clear: function and sequence.
// Siemens has not published it; the format is as several independent analyses
// agree. Messages within TLS (from TIA Portal V17 on) are not seen.
type S7Plus struct {
	Version  uint8 // 1 connects, 2 and 3 carry data, 3 with a message authentication code
	Opcode   uint8 // 0x31 request, 0x32 response, 0x33 notification
	Function uint16
	Sequence uint16
	// Calling and Called are the transport selectors of the connection, such
	// as "SIMATIC-ROOT-HMI"; "" if its beginning was not seen.
	Calling, Called string
	Truncated       bool // the end of the message was never seen
}

// Protocol implements Message.
func (*S7Plus) Protocol() string { return "s7comm_plus" }

const (
	s7PlusID           = 0x72
	s7PlusHeader       = 4
	s7PlusRequest      = 0x31
	s7PlusResponse     = 0x32
	s7PlusNotification = 0x33
	s7PlusSigned       = 3    // version whose messages begin with a code
	s7PlusCode         = 0x20 // and its length
	s7PlusEvents       = 0xfe // version of system events: keep-alives
)

var errS7Plus = fmt.Errorf("read s7-plus header: %w", ErrMalformed)

// sniffS7Plus recognises a header and the opcode behind it. n bytes of data
// are announced.
func sniffS7Plus(b []byte, n int) Match {
	if len(b) < s7PlusHeader {
		if len(b) > 1 && !knownS7PlusVersion(b[1]) {
			return No
		}
		return Maybe
	}
	size := int(b[2])<<8 | int(b[3])
	if !knownS7PlusVersion(b[1]) || s7PlusHeader+size > n {
		return No
	}
	if b[1] == s7PlusEvents {
		return matchIf(size > 0)
	}
	at := s7PlusHeader
	if b[1] == s7PlusSigned {
		at += 1 + s7PlusCode
	}
	if len(b) < at+3 {
		if len(b) > s7PlusHeader && b[1] == s7PlusSigned && b[s7PlusHeader] != s7PlusCode {
			return No
		}
		return Maybe
	}
	return matchIf(b[at] >= s7PlusRequest && b[at] <= s7PlusNotification && b[at+1] == 0 && b[at+2] == 0)
}

func knownS7PlusVersion(v uint8) bool { return v >= 1 && v <= s7PlusSigned || v == s7PlusEvents }

// readS7Plus reads one message. The further parts of one that was divided, and
// keep-alives, say nothing.
func readS7Plus(b []byte, cut bool, f *cotpFraming, msgs []Message) ([]Message, error) {
	c := cursor{b: b}
	c.u8()
	m := &S7Plus{Version: c.u8(), Calling: f.calling, Called: f.called, Truncated: cut}
	size := int(c.u16())
	if !knownS7PlusVersion(m.Version) || size > len(c.b) && !cut {
		return msgs, errS7Plus
	}
	if m.Version == s7PlusSigned {
		c.skip(int(c.u8()))
	}
	m.Opcode = c.u8()
	reserved := c.u16()
	if m.Version == s7PlusEvents || m.Opcode < s7PlusRequest || m.Opcode > s7PlusNotification || reserved != 0 {
		return msgs, nil
	}
	if m.Opcode != s7PlusNotification {
		m.Function = c.u16()
		c.skip(2)
		m.Sequence = c.u16()
	}
	if c.short {
		return msgs, nil
	}
	return append(msgs, m), nil
}

// Response reports whether the controller sent the message.
func (m *S7Plus) Response() bool { return m.Opcode != s7PlusRequest }

// FunctionName is the name of the function, "" if it is unknown.
func (m *S7Plus) FunctionName() string {
	name, _ := m.name()
	return name
}

// Class is what the function does to the controller, for a response too.
func (m *S7Plus) Class() CommandClass {
	_, class := m.name()
	return class
}

func (m *S7Plus) name() (string, CommandClass) {
	switch m.Function {
	case 0x04bb:
		return "Explore", CommandRead
	case 0x04ca:
		return "CreateObject", CommandOther // also opens a session
	case 0x04d4:
		return "DeleteObject", CommandOther // also closes one
	case 0x04f2:
		return "SetVariable", CommandWrite
	case 0x04fc:
		return "GetVariable", CommandRead
	case 0x0506:
		return "AddLink", CommandWrite
	case 0x051a:
		return "RemoveLink", CommandWrite
	case 0x0524:
		return "GetLink", CommandRead
	case 0x0542:
		return "SetMultiVariables", CommandWrite
	case 0x054c:
		return "GetMultiVariables", CommandRead
	case 0x0556:
		return "BeginSequence", CommandOther
	case 0x0560:
		return "EndSequence", CommandOther
	case 0x056b:
		return "Invoke", CommandControl
	case 0x057c:
		return "SetVarSubStreamed", CommandWrite
	case 0x0586:
		return "GetVarSubStreamed", CommandRead
	case 0x0590:
		return "GetVariablesAddress", CommandRead
	case 0x059a:
		return "Abort", CommandOther
	case 0x05a9:
		return "Error", CommandOther
	case 0x05b3:
		return "InitSsl", CommandOther
	}
	return "", CommandOther
}

// AppendCommands implements Commander.
func (m *S7Plus) AppendCommands(dst []Command) []Command {
	if m.Response() {
		return dst
	}
	name, class := m.name()
	return append(dst, Command{Protocol: "s7comm_plus", Function: uint32(m.Function), Name: name, Class: class})
}

var _ Commander = (*S7Plus)(nil)
