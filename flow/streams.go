package flow

// streamPool holds the parse state of the flows that are being parsed:
// a bounded number with a bounded number of waiting bytes. When a bound is
// reached, the connection that was quiet longest is parsed no further.
// Streams are named by index + 1, because table entries are pointer-free.
type streamPool struct {
	maxStreams, maxBytes int

	all            []*stream
	spare          []uint32
	newest, oldest uint32
	bytes          int
	dropped        uint64
	spareBuffers   [][]byte
}

func (p *streamPool) at(i uint32) *stream { return p.all[i-1] }

// acquire returns a fresh stream for a flow.
func (p *streamPool) acquire(s *Shard, r ref) uint32 {
	var i uint32
	switch n := len(p.spare); {
	case n > 0:
		i, p.spare = p.spare[n-1], p.spare[:n-1]
	case len(p.all) < p.maxStreams:
		p.all = append(p.all, &stream{})
		i = uint32(len(p.all))
	default:
		p.drop(s, p.oldest)
		n := len(p.spare)
		i, p.spare = p.spare[n-1], p.spare[:n-1]
	}
	st := p.at(i)
	st.owner = r
	p.pushNewest(i, st)
	return i
}

// use returns a stream and notes that it is in use.
func (p *streamPool) use(i uint32) *stream {
	st := p.at(i)
	if p.newest != i {
		p.unlink(i, st)
		p.pushNewest(i, st)
	}
	return st
}

// settle accounts for the bytes of a stream after it was used, and makes room
// if they are too many.
func (p *streamPool) settle(s *Shard, i uint32) {
	st := p.at(i)
	size := 0
	for d := range st.half {
		size += cap(st.half[d].buf) + 2*cap(st.half[d].arena) // append may leave the old arena in use
	}
	if st.retainer != nil {
		size += s.callRetained(st.retainer)
	}
	for k := range st.talks {
		t := &st.talks[k]
		if t.parser == nil {
			break
		}
		if t.retainer != nil {
			size += s.callRetained(t.retainer)
		}
	}
	if size == st.charge { // of nearly all: nothing waits
		return
	}
	p.bytes += size - st.charge
	st.charge = size
	for p.bytes > p.maxBytes && p.oldest != 0 {
		p.drop(s, p.oldest)
	}
}

// Buffers of at most maxSpareBuffer bytes go from one connection to the next:
// mostly they hold the first segment of a message of two, for a moment.
const (
	maxSpareBuffers = 8
	maxSpareBuffer  = 4 << 10
)

// keep stores the bytes of a direction that were not consumed. b may be part of
// its buffer.
func (p *streamPool) keep(hf *half, b []byte) {
	if len(b) > 0 {
		if hf.buf == nil {
			hf.buf = p.buffer()
		}
		hf.buf = append(hf.buf[:0], b...)
		return
	}
	if hf.buf != nil {
		p.giveBack(hf.buf)
		hf.buf = nil
	}
}

// buffer returns an empty buffer, nil if there is no spare one.
func (p *streamPool) buffer() []byte {
	n := len(p.spareBuffers)
	if n == 0 {
		return nil
	}
	b := p.spareBuffers[n-1]
	p.spareBuffers = p.spareBuffers[:n-1]
	return b[:0]
}

// giveBack takes a buffer that nothing refers to any more.
func (p *streamPool) giveBack(b []byte) {
	if n := cap(b); n > 0 && n <= maxSpareBuffer && len(p.spareBuffers) < maxSpareBuffers {
		p.spareBuffers = append(p.spareBuffers, b)
	}
}

// drop gives up the parsing of a connection for lack of room.
func (p *streamPool) drop(s *Shard, i uint32) {
	p.dropped++
	e := s.table.at(p.at(i).owner)
	e.stream = noStream
	p.release(i)
}

func (p *streamPool) release(i uint32) {
	st := p.at(i)
	p.unlink(i, st)
	p.bytes -= st.charge
	*st = stream{}
	p.spare = append(p.spare, i)
}

func (p *streamPool) pushNewest(i uint32, st *stream) {
	st.prev, st.next = 0, p.newest
	if p.newest != 0 {
		p.at(p.newest).prev = i
	}
	p.newest = i
	if p.oldest == 0 {
		p.oldest = i
	}
}

func (p *streamPool) unlink(i uint32, st *stream) {
	if st.prev != 0 {
		p.at(st.prev).next = st.next
	} else {
		p.newest = st.next
	}
	if st.next != 0 {
		p.at(st.next).prev = st.prev
	} else {
		p.oldest = st.prev
	}
	st.prev, st.next = 0, 0
}
