package capture

import (
	"container/heap"
	"errors"
	"io"
	"io/fs"
	"math"
	"sync"
	"sync/atomic"
)

// merged is the Source of several inputs.
type merged struct {
	streams streamHeap // those with packets left
	all     []*stream
	stdin   io.Reader
	block   int
	table   interfaceTable
	total   int64 // bytes, 0 if the size of an input is unknown
	spare   []Batch
	errs    []error // of the inputs that were damaged
	end     error   // what Read returns once there are no packets left

	mu     sync.Mutex // guards closed, and stream.src against Close
	closed bool
}

var _ Source = (*merged)(nil)

// stream is one input of a merged source.
type stream struct {
	name  string
	order int // position on the command line
	size  int64
	done  atomic.Int64
	src   *reader // nil while the input is closed and its time not yet come
	time  int64   // of the next packet; while there is no packet, not later than that
	batch Batch
	next  int      // index of the next packet in batch
	ids   []uint16 // interface of src -> interface of the merged source
}

// streamHeap orders streams by the time of their next packet.
type streamHeap []*stream

func (h streamHeap) Len() int           { return len(h) }
func (h streamHeap) Less(i, j int) bool { return h[i].before(h[j]) }
func (h streamHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *streamHeap) Push(x any)        { *h = append(*h, x.(*stream)) }

func (h *streamHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}

func (s *stream) before(t *stream) bool {
	return s.time < t.time || s.time == t.time && s.order < t.order
}

// openMerged opens all inputs. Regular files are closed again once their first
// packet is known, until it is due.
func openMerged(names []string, stdin io.Reader, block int) (*merged, error) {
	m := &merged{stdin: stdin, block: block}
	var failed []error
	var scratch Batch
	sizeKnown := true
	for i, name := range names {
		s := &stream{name: name, order: i, time: math.MinInt64}
		m.all = append(m.all, s)
		if err := m.admit(s, &scratch); err != nil {
			failed = append(failed, err)
		}
		sizeKnown = sizeKnown && s.size > 0
		m.total += s.size
	}
	if failed != nil {
		m.Close()
		return nil, errors.Join(failed...)
	}
	if !sizeKnown {
		m.total = 0
	}
	heap.Init(&m.streams)
	return m, nil
}

// admit opens the input of s, finds the time of its first packet and adds s
// to the heap. The first packet of a pipe is not waited for: s.time stays a
// lower bound, so that the pipe is read before anything else.
func (m *merged) admit(s *stream, scratch *Batch) error {
	src, err := openReader(s.name, m.stdin, m.block, &s.done)
	if err != nil {
		return err
	}
	if !src.in.regular {
		s.src = src
		m.streams = append(m.streams, s)
		return nil
	}
	defer src.Close()
	s.size = src.in.size
	switch err := src.Read(scratch); err {
	case nil:
		s.done.Store(0) // all of it will be read again
		s.time = scratch.Packets[0].Time
		m.streams = append(m.streams, s)
	case io.EOF:
		s.done.Store(s.size)
	default:
		s.done.Store(s.size)
		m.errs = append(m.errs, err)
	}
	return nil
}

// Read implements Source. Packets and errors come in different calls.
func (m *merged) Read(b *Batch) error {
	b.reset(max(m.block, maxPacket))
	if m.isClosed() {
		return fs.ErrClosed
	}
	for len(m.streams) > 0 {
		s := m.streams[0]
		if s.next == len(s.batch.Packets) {
			if len(b.Packets) > 0 {
				return nil // refilling may wait for a pipe
			}
			m.refill(s)
			continue
		}
		full := !m.copyRun(b, s)
		heap.Fix(&m.streams, 0)
		if full {
			return nil
		}
	}
	if len(b.Packets) > 0 {
		return nil
	}
	if m.end == nil {
		m.end = m.verdict()
	}
	return m.end
}

// verdict says how the merge ended: io.EOF only if every input was read to
// its end.
func (m *merged) verdict() error {
	switch {
	case m.isClosed():
		return fs.ErrClosed
	case len(m.errs) == 0:
		return io.EOF
	case len(m.errs) == 1:
		return m.errs[0]
	default:
		return errors.Join(m.errs...)
	}
}

// copyRun copies packets of s, the first in the heap, until those of another
// stream are due or there are none left. It reports false if b is full.
func (m *merged) copyRun(b *Batch, s *stream) bool {
	next := m.second()
	for s.next < len(s.batch.Packets) {
		p := s.batch.Packets[s.next]
		s.time = p.Time
		if next != nil && next.before(s) {
			return true
		}
		p.Iface = s.ids[p.Iface]
		if !b.add(&p) {
			return false
		}
		s.next++
	}
	return true
}

// second returns the stream that is due after the first, or nil.
func (m *merged) second() *stream {
	switch {
	case len(m.streams) < 2:
		return nil
	case len(m.streams) == 2 || m.streams[1].before(m.streams[2]):
		return m.streams[1]
	default:
		return m.streams[2]
	}
}

// refill reads the next batch of s, the first in the heap, and moves s to
// where it belongs; at its end, s is removed.
func (m *merged) refill(s *stream) {
	err := m.read(s)
	if err == nil {
		s.time = s.batch.Packets[0].Time
		heap.Fix(&m.streams, 0)
		return
	}
	if err != io.EOF {
		m.errs = append(m.errs, err)
	}
	s.done.Store(max(s.size, s.done.Load())) // what is behind the damage will not come
	if s.src != nil {
		s.src.Close()
		m.spare = append(m.spare, s.batch)
	}
	heap.Pop(&m.streams)
}

// read opens s if necessary, reads the next batch, and lists the interfaces
// that came with it.
func (m *merged) read(s *stream) error {
	if s.src == nil {
		if err := m.reopen(s); err != nil {
			return err
		}
	}
	if last := len(m.spare) - 1; last >= 0 && s.batch.buf == nil {
		s.batch = m.spare[last]
		m.spare = m.spare[:last]
	}
	s.next = 0
	err := s.src.Read(&s.batch)
	for _, i := range s.src.Interfaces()[len(s.ids):] {
		id, addErr := m.table.add(i)
		if addErr != nil {
			return addErr
		}
		s.ids = append(s.ids, id)
	}
	return err
}

// reopen opens the file of s, whose time has come.
func (m *merged) reopen(s *stream) error {
	src, err := openReader(s.name, m.stdin, m.block, &s.done)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		src.Close()
		return fs.ErrClosed
	}
	s.src = src
	return nil
}

// Interfaces implements Source.
func (m *merged) Interfaces() []Interface { return m.table.snapshot() }

// Progress implements Source.
func (m *merged) Progress() (done, total int64) {
	for _, s := range m.all {
		done += s.done.Load()
	}
	return done, m.total
}

// Close implements Source. It ends a Read that waits for a named pipe.
func (m *merged) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	var errs []error
	for _, s := range m.all {
		if s.src != nil {
			errs = append(errs, s.src.Close())
		}
	}
	return errors.Join(errs...)
}

func (m *merged) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}
