package wire

// CommandClass is what a command of an industrial protocol may do to the
// device that it is sent to.
type CommandClass uint8

// Classes of commands, the less harmless the higher.
const (
	CommandOther   CommandClass = iota // upkeep of the connection, or of unknown effect
	CommandRead                        // values, state or identification are asked for
	CommandWrite                       // values are set
	CommandControl                     // how the device runs is changed: start, stop, restart, programs, configuration, time, outputs switched
)

// String names the class in lower case: "read", "write", "control", "other".
func (c CommandClass) String() string {
	switch c {
	case CommandRead:
		return "read"
	case CommandWrite:
		return "write"
	case CommandControl:
		return "control"
	default:
		return "other"
	}
}

// Command is one order to a device in the terms that all industrial protocols
// share: a client asks a unit for a function. It is comparable, and so are the
// commands of two devices.
type Command struct {
	Protocol string // as Message.Protocol
	// Unit is who is meant behind the network address: the unit identifier of
	// Modbus, the station of DNP3 and IEC 60870-5-104, the called TSAP of S7,
	// the class of a CIP object; 0 where the protocol has none.
	Unit uint32
	// Function is the protocol's number for what is asked. Where functions
	// have sub-functions the function is in the low 8 bits and the
	// sub-function above them.
	Function uint32
	Name     string // of the function, a constant; "" if it has none
	Class    CommandClass
}

// Commander is a Message of an industrial protocol that may hold commands.
type Commander interface {
	Message
	// AppendCommands appends the commands of the message to dst, none if it is
	// a response.
	AppendCommands(dst []Command) []Command
}
