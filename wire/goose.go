package wire

import "fmt"

// GOOSE is one event message of IEC 61850-8-1, directly above Ethernet: a
// publisher repeats its state, faster after a change.
type GOOSE struct {
	AppID      uint16
	Control    string // reference of the control block, at most 129 bytes as the standard allows
	DataSet    string
	ID         string
	TTL        uint32 // milliseconds after which a subscriber takes the publisher for lost
	State      uint32 // stNum: counts changes of state
	Sequence   uint32 // sqNum: counts repetitions since the last change
	Config     uint32 // confRev
	Simulation bool   // test values, which only devices under test act on
	Entries    uint32 // values in the data set
	Truncated  bool   // the end of the message was never seen
}

// Protocol implements Message.
func (*GOOSE) Protocol() string { return "goose" }

const maxReference = 129 // characters of an ObjectReference

var (
	errGOOSECut  = fmt.Errorf("read goose header: %w", ErrTruncated)
	errGOOSEKind = fmt.Errorf("read goose header: %w", ErrNotMine)
	errGOOSE     = fmt.Errorf("read goose: %w", ErrMalformed)
)

// parseGOOSE parses the payload of an Ethernet frame of type 0x88b8.
func (shared *memory) parseGOOSE(b []byte) (Message, error) {
	c := cursor{b: b}
	m := &GOOSE{AppID: c.u16()}
	size := int(c.u16())
	reserved := c.u16()
	c.skip(2)
	if c.short {
		return nil, errGOOSECut
	}
	if size < 8 {
		return nil, errGOOSE
	}
	// Since edition 2 the highest of the reserved bits marks a simulation.
	m.Simulation = reserved&0x8000 != 0
	pdu, _, ok := nextBER(c.b[:min(len(c.b), size-8)])
	if !ok || pdu.class != 1 {
		return nil, errGOOSEKind
	}
	if pdu.tag != 1 { // management
		return nil, errGOOSEKind
	}
	m.Truncated = pdu.cut
	for rest := pdu.content; len(rest) > 0; {
		e, after, ok := nextBER(rest)
		if !ok {
			m.Truncated = true
			break
		}
		m.member(&e, &shared.names)
		rest = after
	}
	return m, nil
}

// member reads one member of IECGoosePdu (IEC 61850-8-1 annex A).
func (m *GOOSE) member(e *ber, names *interner) {
	if e.class != 2 || e.cut {
		return
	}
	text := func() string { return names.plain(e.content[:min(len(e.content), maxReference)]) }
	switch e.tag {
	case 0:
		m.Control = text()
	case 1:
		m.TTL = uint32(e.uint())
	case 2:
		m.DataSet = text()
	case 3:
		m.ID = text()
	case 5:
		m.State = uint32(e.uint())
	case 6:
		m.Sequence = uint32(e.uint())
	case 7:
		m.Simulation = m.Simulation || e.uint() != 0
	case 8:
		m.Config = uint32(e.uint())
	case 10:
		m.Entries = uint32(e.uint())
	}
}

// AppendCommands implements Commander: a state that has just changed makes
// its subscribers act.
func (m *GOOSE) AppendCommands(dst []Command) []Command {
	if m.Sequence != 0 {
		return dst
	}
	return append(dst, Command{Protocol: "goose", Unit: uint32(m.AppID), Name: "state change", Class: CommandControl})
}

var _ Commander = (*GOOSE)(nil)
