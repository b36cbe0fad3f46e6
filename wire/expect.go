package wire

// Expectation is a Message that is no event: a parser's word that another flow
// between the same two hosts will follow, of which the bytes alone do not tell
// what it is. The flow table keeps it until that flow comes.
type Expectation struct {
	App      string  // row of the table that reads the flow; of no matter with a Message
	Over     uint8   // IP protocol number of the flow
	Listener Dir     // whose port is known, seen from the flow that announces it
	Port     uint16  // that port; 0: the one that this end has here
	Message  Message // what the flow is, told with its first payload and read no further; nil: App reads it
}

// Protocol implements Message.
func (m *Expectation) Protocol() string { return m.App }

// IP protocol numbers that flows are expected over.
const (
	overTCP = 6
	overUDP = 17
)
