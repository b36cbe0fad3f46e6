package wire

import "fmt"

// IEC104 is one application data unit of IEC 60870-5-104, or a frame that
// controls the connection.
type IEC104 struct {
	// Control is the function of an unnumbered frame: 0x07 and 0x0b start data
	// transfer, 0x13 and 0x23 stop it, 0x43 and 0x83 test the connection (act,
	// con); 0x01 is an acknowledgement, of which a connection has one at most,
	// as the first that was seen of it. 0 for a data unit, which the fields
	// below describe.
	Control   uint8
	Type      uint8 // type identification
	Cause     uint8 // cause of transmission
	Negative  bool  // refused
	Test      bool
	Origin    uint8  // originator address
	Station   uint16 // common address
	Address   uint32 // information object address of the first object
	Count     uint8  // objects
	Sequence  bool   // the objects have successive addresses
	Truncated bool   // the end of the unit was never seen
}

// Protocol implements Message.
func (*IEC104) Protocol() string { return "iec104" }

// APCI: start byte, length of what follows, four control bytes (IEC
// 60870-5-104 clause 5.1).
const (
	iec104Start       = 0x68
	iec104Header      = 6
	maxIEC104Length   = 253
	iec104Acknowledge = 0x01
	iec104ASDU        = 6 // type, qualifier, cause and originator, common address
)

var errIEC104 = fmt.Errorf("read iec 104 header: %w", ErrNotMine)

// sniffIEC104 recognises an unnumbered frame, an acknowledgement, or a data
// unit whose type and cause are assigned.
func sniffIEC104(_ Dir, b []byte) Match {
	if len(b) > 0 && b[0] != iec104Start || len(b) > 1 && (b[1] < 4 || b[1] > maxIEC104Length) {
		return No
	}
	if len(b) < iec104Header {
		return Maybe
	}
	switch {
	case b[2]&3 == 3:
		return matchIf(b[1] == 4 && iec104Unnumbered(b[2]) && b[3]|b[4]|b[5] == 0)
	case b[2]&1 == 0:
		return sniffASDU(b)
	}
	return matchIf(b[1] == 4 && b[2] == iec104Acknowledge && b[3] == 0 && b[4]&1 == 0)
}

// sniffASDU judges an information frame.
func sniffASDU(b []byte) Match {
	if int(b[1]) < 4+iec104ASDU+3 || b[4]&1 != 0 {
		return No
	}
	if b[2]|b[3]|b[4] == 0 && b[5] != 0 {
		return No // reads like Modbus, and would have received 128 frames before the first one sent
	}
	if len(b) < iec104Header+iec104ASDU {
		return Maybe
	}
	if plainASCII(b[:iec104Header+iec104ASDU]) {
		return No // a line of text
	}
	kind, qualifier, cause := b[6], b[7], b[8]&0x3f
	name, _ := iec104Type(kind)
	return matchIf(name != "" && qualifier&0x7f != 0 && cause != 0 && cause <= 47 && (b[10]|b[11] != 0) &&
		iec104Fits(kind, qualifier, int(b[1])-4-iec104ASDU))
}

const iec104ReadCommand = 102 // C_RD_NA_1: an address alone

// iec104Fits reports whether objects of a type fill n bytes: as many as the
// qualifier says, each with an address of three bytes, or in a sequence with
// one for all.
func iec104Fits(kind, qualifier uint8, n int) bool {
	const address, sequence = 3, 0x80
	// Bytes of an element (IEC 60870-5-101 section 7.3), by type; of files it
	// depends on what is in them.
	sizes := [...]uint8{
		1: 1, 2: 4, 3: 1, 4: 4, 5: 2, 6: 5, 7: 5, 8: 8, 9: 3, 10: 6, 11: 3, 12: 6, 13: 5, 14: 8, 15: 5, 16: 8,
		17: 6, 18: 7, 19: 7, 20: 5, 21: 2, 30: 8, 31: 8, 32: 9, 33: 12, 34: 10, 35: 10, 36: 12, 37: 12, 38: 10, 39: 11, 40: 11,
		45: 1, 46: 1, 47: 1, 48: 3, 49: 3, 50: 5, 51: 4, 58: 8, 59: 8, 60: 8, 61: 10, 62: 10, 63: 12, 64: 11,
		70: 1, 100: 1, 101: 1, 103: 7, 104: 2, 105: 1, 106: 2, 107: 9, 110: 3, 111: 3, 112: 5, 113: 1,
	}
	size, count := 0, int(qualifier&^sequence)
	if int(kind) < len(sizes) {
		size = int(sizes[kind])
	}
	switch {
	case size == 0 && kind != iec104ReadCommand:
		return true
	case qualifier&sequence != 0:
		return n == address+count*size
	}
	return n == count*(address+size)
}

func iec104Unnumbered(c byte) bool {
	switch c {
	case 0x07, 0x0b, 0x13, 0x23, 0x43, 0x83:
		return true
	}
	return false
}

// iec104Framing is the state of a connection.
type iec104Framing struct{ told bool }

func newIEC104Stream() Stream {
	return &framedStream{framing: &iec104Framing{}, head: 2 + maxIEC104Length}
}

func (*iec104Framing) begins(b []byte) Match { return sniffIEC104(FromClient, b) }

func (*iec104Framing) size(b []byte) (int, error) {
	if b[0] != iec104Start || len(b) > 1 && (b[1] < 4 || b[1] > maxIEC104Length) {
		return 0, errIEC104
	}
	if len(b) < 2 {
		return 0, nil
	}
	return 2 + int(b[1]), nil
}

// read reads one frame. Acknowledgements say nothing but that there is a
// connection.
func (f *iec104Framing) read(_ Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) < iec104Header {
		return msgs, nil
	}
	if b[2]&1 != 0 {
		if iec104Unnumbered(b[2]) || b[2] == iec104Acknowledge && !f.told {
			msgs = append(msgs, &IEC104{Control: b[2]})
		}
		f.told = true
		return msgs, nil
	}
	f.told = true
	c := cursor{b: b[iec104Header:]}
	m := &IEC104{Type: c.u8(), Truncated: cut}
	qualifier, cause := c.u8(), c.u8()
	m.Origin, m.Station = c.u8(), c.le16()
	if c.short {
		return msgs, nil
	}
	m.Sequence, m.Count = qualifier&0x80 != 0, qualifier&0x7f
	m.Cause, m.Negative, m.Test = cause&0x3f, cause&0x40 != 0, cause&0x80 != 0
	if m.Count > 0 {
		m.Address = c.le24()
		m.Truncated = m.Truncated || c.short
	}
	return append(msgs, m), nil
}

// Causes of transmission that make a data unit an order.
const (
	causeRequest      = 5
	causeActivation   = 6
	causeDeactivation = 8
)

// AppendCommands implements Commander.
func (m *IEC104) AppendCommands(dst []Command) []Command {
	name, class := iec104Type(m.Type)
	if m.Control != 0 || class == CommandOther {
		return dst
	}
	switch m.Cause {
	case causeRequest, causeActivation, causeDeactivation:
		return append(dst, Command{Protocol: "iec104", Unit: uint32(m.Station), Function: uint32(m.Type), Name: name, Class: class})
	}
	return dst
}

var _ Commander = (*IEC104)(nil)

// TypeName is the label of the type identification in IEC 60870-5-101 and -104
// such as "C_SC_NA_1" (single command); "" if it is not assigned.
func (m *IEC104) TypeName() string {
	name, _ := iec104Type(m.Type)
	return name
}

// Class is what a unit of this type does to the station.
func (m *IEC104) Class() CommandClass {
	_, class := iec104Type(m.Type)
	return class
}

// transfer reports whether data transfer is started or stopped.
func (m *IEC104) transfer() bool {
	switch m.Control {
	case 0x07, 0x0b, 0x13, 0x23:
		return true
	}
	return false
}

// ControlName names the function of an unnumbered frame, "" for a data unit.
func (m *IEC104) ControlName() string {
	switch m.Control {
	case 0x07:
		return "STARTDT act"
	case 0x0b:
		return "STARTDT con"
	case 0x13:
		return "STOPDT act"
	case 0x23:
		return "STOPDT con"
	case 0x43:
		return "TESTFR act"
	case 0x83:
		return "TESTFR con"
	case iec104Acknowledge:
		return "S"
	}
	return ""
}

// iec104Type labels and classes the types that IEC 60870-5-104 selects (clause
// 6): process and system information in monitor direction, then commands.
func iec104Type(t uint8) (string, CommandClass) {
	switch {
	case t == 0 || t > 127:
		return "", CommandOther
	case t < 45:
		return iec104Monitor(t), CommandOther
	}
	switch t {
	case 45:
		return "C_SC_NA_1", CommandControl
	case 46:
		return "C_DC_NA_1", CommandControl
	case 47:
		return "C_RC_NA_1", CommandControl
	case 48:
		return "C_SE_NA_1", CommandWrite
	case 49:
		return "C_SE_NB_1", CommandWrite
	case 50:
		return "C_SE_NC_1", CommandWrite
	case 51:
		return "C_BO_NA_1", CommandWrite
	case 58:
		return "C_SC_TA_1", CommandControl
	case 59:
		return "C_DC_TA_1", CommandControl
	case 60:
		return "C_RC_TA_1", CommandControl
	case 61:
		return "C_SE_TA_1", CommandWrite
	case 62:
		return "C_SE_TB_1", CommandWrite
	case 63:
		return "C_SE_TC_1", CommandWrite
	case 64:
		return "C_BO_TA_1", CommandWrite
	case 70:
		return "M_EI_NA_1", CommandOther
	case 100:
		return "C_IC_NA_1", CommandRead
	case 101:
		return "C_CI_NA_1", CommandRead
	case 102:
		return "C_RD_NA_1", CommandRead
	case 103:
		return "C_CS_NA_1", CommandControl
	case 104:
		return "C_TS_NA_1", CommandOther
	case 105:
		return "C_RP_NA_1", CommandControl
	case 106:
		return "C_CD_NA_1", CommandOther
	case 107:
		return "C_TS_TA_1", CommandOther
	case 110:
		return "P_ME_NA_1", CommandWrite
	case 111:
		return "P_ME_NB_1", CommandWrite
	case 112:
		return "P_ME_NC_1", CommandWrite
	case 113:
		return "P_AC_NA_1", CommandWrite
	case 120:
		return "F_FR_NA_1", CommandOther
	case 121:
		return "F_SR_NA_1", CommandOther
	case 122:
		return "F_SC_NA_1", CommandControl
	case 123:
		return "F_LS_NA_1", CommandOther
	case 124:
		return "F_AF_NA_1", CommandOther
	case 125:
		return "F_SG_NA_1", CommandOther
	case 126:
		return "F_DR_TA_1", CommandOther
	case 127:
		return "F_SC_NB_1", CommandRead
	}
	return "", CommandOther
}

func iec104Monitor(t uint8) string {
	names := [...]string{
		1: "M_SP_NA_1", 2: "M_SP_TA_1", 3: "M_DP_NA_1", 4: "M_DP_TA_1", 5: "M_ST_NA_1", 6: "M_ST_TA_1",
		7: "M_BO_NA_1", 8: "M_BO_TA_1", 9: "M_ME_NA_1", 10: "M_ME_TA_1", 11: "M_ME_NB_1", 12: "M_ME_TB_1",
		13: "M_ME_NC_1", 14: "M_ME_TC_1", 15: "M_IT_NA_1", 16: "M_IT_TA_1", 17: "M_EP_TA_1", 18: "M_EP_TB_1",
		19: "M_EP_TC_1", 20: "M_PS_NA_1", 21: "M_ME_ND_1", 30: "M_SP_TB_1", 31: "M_DP_TB_1", 32: "M_ST_TB_1",
		33: "M_BO_TB_1", 34: "M_ME_TD_1", 35: "M_ME_TE_1", 36: "M_ME_TF_1", 37: "M_IT_TB_1", 38: "M_EP_TD_1",
		39: "M_EP_TE_1", 40: "M_EP_TF_1",
	}
	if int(t) < len(names) {
		return names[t]
	}
	return ""
}
