package capture

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// join reads several live sources at once, each by a goroutine of its own.
type join struct {
	members []Source
	free    []chan Batch
	out     chan joined
	readers sync.WaitGroup
	stop    chan struct{}
	once    sync.Once

	table  interfaceTable
	ids    [][]uint16 // by member: its indexes in table
	now    []int64    // by member: everything before has been delivered
	ended  int
	failed error
}

// joined is what one Read of a member gave.
type joined struct {
	member int
	batch  Batch
	err    error
}

var _ Source = (*join)(nil)

func newJoin(members ...Source) *join {
	j := &join{
		members: members, out: make(chan joined), stop: make(chan struct{}),
		ids: make([][]uint16, len(members)), now: make([]int64, len(members)),
	}
	for range members {
		free := make(chan Batch, 2)
		free <- Batch{}
		j.free = append(j.free, free)
	}
	for i := range members {
		j.readers.Go(func() { j.read(i) })
	}
	return j
}

// read hands on what a member gives, until it ends or nobody listens.
func (j *join) read(i int) {
	for {
		var b Batch
		select {
		case b = <-j.free[i]:
		case <-j.stop:
			return
		}
		err := j.members[i].Read(&b)
		select {
		case j.out <- joined{i, b, err}:
		case <-j.stop:
			b.Release()
			return
		}
		if err != nil {
			return
		}
	}
}

// Read implements Source. It ends when all members have ended.
func (j *join) Read(b *Batch) error {
	b.Release()
	for j.failed == nil {
		var got joined
		select {
		case got = <-j.out:
		case <-j.stop:
			return fs.ErrClosed
		}
		// The batch that came is the caller's now, and the caller's old one the
		// next that this member reads into.
		*b, got.batch = got.batch, *b
		if got.err == nil {
			j.free[got.member] <- got.batch
		}
		j.number(b, got.member)
		switch {
		case errors.Is(got.err, io.EOF), errors.Is(got.err, fs.ErrClosed):
			j.now[got.member] = 1<<63 - 1
			if j.ended++; j.ended == len(j.members) {
				j.failed = io.EOF
			}
		case got.err != nil:
			j.failed = got.err
		default:
			j.now[got.member] = max(j.now[got.member], b.Now)
		}
		if b.Now = slices.Min(j.now); len(b.Packets)+len(b.Deltas) > 0 || got.err == nil {
			return j.failed
		}
	}
	return j.failed
}

// number gives the interfaces of a member their numbers here.
func (j *join) number(b *Batch, member int) {
	list := j.members[member].Interfaces()
	for n := len(j.ids[member]); n < len(list); n++ {
		id, err := j.table.add(list[n])
		if err != nil {
			j.failed = err
			return
		}
		j.ids[member] = append(j.ids[member], id)
	}
	for i := range b.Packets {
		b.Packets[i].Iface = j.ids[member][b.Packets[i].Iface]
	}
	for i := range b.Deltas {
		b.Deltas[i].Iface = j.ids[member][b.Deltas[i].Iface]
	}
}

// Interfaces implements Source.
func (j *join) Interfaces() []Interface { return j.table.snapshot() }

// Progress implements Source; the Sniffer asks the members.
func (j *join) Progress() (done, total int64) { return 0, 0 }

// Close implements Source.
func (j *join) Close() error {
	j.wait()
	return nil
}

// wait ends the readers. The members have been closed.
func (j *join) wait() {
	j.once.Do(func() { close(j.stop) })
	j.readers.Wait()
}
