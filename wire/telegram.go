package wire

// Telegram is one message of a protocol between controllers, drives or meters
// of which only the header is read: who is asked for what, and whether it was
// refused. What is written or measured is not looked at.
type Telegram struct {
	App      string // row of the table: "fins", "ads" ...
	Response bool
	Function uint32       // what is asked for, as the protocol numbers it
	Name     string       // of the function, "" if it is unknown
	Class    CommandClass // what it does to the device, of a response too
	// Unit is who is meant behind the network address: the node of FINS and
	// SLMP, the port of ADS, the group address of KNX, the identifier of a
	// stream of C37.118; 0 where there is none.
	Unit   uint32
	Status uint32 // why it was refused, 0 if it was not
}

// Protocol implements Message.
func (m *Telegram) Protocol() string { return m.App }

// AppendCommands implements Commander.
func (m *Telegram) AppendCommands(dst []Command) []Command {
	if m.Response {
		return dst
	}
	return append(dst, Command{Protocol: m.App, Unit: m.Unit, Function: m.Function, Name: m.Name, Class: m.Class})
}

// Habit implements Habitual: an order to the device and a refusal count each.
func (m *Telegram) Habit(seed uint64) uint64 {
	if m.Status != 0 || m.Class == CommandControl {
		return 0
	}
	return habit(seed).withTwo(uint64(m.Function)|habitBit(m.Response)<<32, uint64(m.Unit)).withText(m.App).value()
}

var (
	_ Commander = (*Telegram)(nil)
	_ Habitual  = (*Telegram)(nil)
)

// telegrams reads the messages of one protocol.
type telegrams interface {
	// telegram reads one message, of which the end may be missing, into m. It
	// reports false if the message says nothing.
	telegram(b []byte, m *Telegram) bool
}

// telegramStream reads the telegrams of one connection.
type telegramStream struct {
	framedStream
	memory *memory
}

// newTelegramStream makes a stream that looks at head bytes of each message.
func (shared *memory) newTelegramStream(f framing, head int) Stream {
	s := &telegramStream{memory: shared}
	s.framing, s.head = f, head
	return s
}

// Reuse implements Reuser.
func (s *telegramStream) Reuse(m Message) {
	if m, ok := m.(*Telegram); ok {
		s.memory.telegrams.put(m)
	}
}

var _ Reuser = (*telegramStream)(nil)

// appendTelegram reads one message in the memory of another.
func (shared *memory) appendTelegram(p telegrams, b []byte, msgs []Message) []Message {
	m := shared.telegrams.get()
	*m = Telegram{}
	if !p.telegram(b, m) {
		shared.telegrams.put(m)
		return msgs
	}
	return append(msgs, m)
}

// telegramFlow reads the datagrams of one flow, of one message each.
type telegramFlow struct {
	memory    *memory
	telegrams telegrams
	is        func(b []byte) bool // the whole datagram is a message
	notMine   error
}

// Datagram implements Datagrams.
func (f *telegramFlow) Datagram(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	if !f.is(b) {
		return msgs, f.notMine
	}
	return f.memory.appendTelegram(f.telegrams, b, msgs), nil
}
