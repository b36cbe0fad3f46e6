package wire

// Reuser is a Stream of messages that are mostly repetitions: it builds the
// next one in the memory of one that nobody wants.
type Reuser interface {
	// Reuse gives back a message that Feed has returned and that nothing refers
	// to any more. Who keeps a message does not give it back; nobody has to.
	Reuse(m Message)
}

// maxSpares is how many messages of a kind are kept for the next: more than a
// segment of pipelined requests mostly holds. The largest, of EtherNet/IP, take
// 1.6 KiB each.
const maxSpares = 8

// freeList hands out messages of one kind, first those that were given back,
// with what was in them.
type freeList[M any] struct {
	spare []*M
}

func (l *freeList[M]) get() *M {
	n := len(l.spare)
	if n == 0 {
		return new(M)
	}
	m := l.spare[n-1]
	l.spare = l.spare[:n-1]
	return m
}

func (l *freeList[M]) put(m *M) {
	if len(l.spare) < maxSpares {
		l.spare = append(l.spare, m)
	}
}

// memory is what the parsers of one table share: the messages that they were
// given back, as of a controller's messages 99 in 100 say what the one before
// them did; and what was said again and again and need not be read anew.
type memory struct {
	modbus    freeList[Modbus]
	enip      freeList[ENIP]
	s7        freeList[S7]
	telegrams freeList[Telegram]
	names     interner
	chains    chains
	hellos    fingerprints
}
