package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"gatehouse/ebpf"
)

// Sniffer captures from interfaces, from each by the best method that works
// there: see Choice. No interface is captured from by two.
type Sniffer struct {
	cfg    LiveConfig
	kernel *Kernel // nil without interfaces of its own, as live
	live   *Live
	used   []Used
	join   *join // of both; nil with one of them
	ended  atomic.Bool
}

var _ Source = (*Sniffer)(nil)

// OpenSniffer starts to capture by the methods that choice allows. Its errors
// are those of OpenKernel for OnlyBPF, and of OpenLive otherwise,
// ErrCountedTwice where frames of one of the interfaces pass another, and
// ebpf.ErrBusy where another instance counts, but for OnlyRing.
//
// As with OpenLive, Read must be called from the same network namespace.
func OpenSniffer(cfg LiveConfig, choice Choice) (*Sniffer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := checkOverlap(cfg.Interfaces); err != nil {
		return nil, fmt.Errorf("open live capture: %w", err)
	}
	s := &Sniffer{cfg: cfg}
	refused := make(map[string]error)
	switch choice {
	case OnlyBPF:
		k, err := OpenKernel(cfg)
		if err != nil {
			return nil, err
		}
		s.kernel = k
	case Auto:
		refused = s.tryKernel()
		for _, err := range refused {
			if errors.Is(err, ebpf.ErrBusy) { // two instances would alert twice
				s.Close()
				return nil, err
			}
		}
	}
	if err := s.openRest(refused); err != nil {
		s.Close()
		return nil, err
	}
	if s.kernel != nil && s.live != nil {
		s.join = newJoin(s.kernel, s.live)
	}
	return s, nil
}

// tryKernel counts flows in the kernel wherever that works, and says why not
// elsewhere.
func (s *Sniffer) tryKernel() (refused map[string]error) {
	k, refused, err := openKernel(s.cfg)
	switch {
	case err != nil:
		refused = make(map[string]error)
		for _, name := range s.cfg.Interfaces {
			refused[name] = err
		}
	case len(refused) == len(s.cfg.Interfaces):
		k.Close()
	default:
		s.kernel = k
	}
	return refused
}

// openRest opens rings for the interfaces that the kernel does not count.
func (s *Sniffer) openRest(refused map[string]error) error {
	rest := s.cfg
	rest.Interfaces = nil
	byKernel := make(map[string]Used)
	if s.kernel != nil {
		for _, u := range s.kernel.Used() {
			byKernel[u.Interface] = u
		}
	}
	for _, name := range s.cfg.Interfaces {
		u, ok := byKernel[name]
		if !ok {
			u = Used{Interface: name, Method: ByRing, Refused: refused[name]}
			rest.Interfaces = append(rest.Interfaces, name)
		}
		s.used = append(s.used, u)
	}
	if len(rest.Interfaces) == 0 {
		return nil
	}
	var err error
	s.live, err = OpenLive(rest)
	return err
}

// Used says how each interface is captured from, in the order of
// LiveConfig.Interfaces.
func (s *Sniffer) Used() []Used { return s.used }

// Stats returns the accounting of each interface, in the order of
// LiveConfig.Interfaces. It may be called at any time, even after Close.
func (s *Sniffer) Stats() []LiveStats {
	var all []LiveStats
	if s.kernel != nil {
		all = s.kernel.Stats()
	}
	if s.live != nil {
		all = append(all, s.live.Stats()...)
	}
	slices.SortStableFunc(all, func(a, b LiveStats) int {
		return slices.Index(s.cfg.Interfaces, a.Interface) - slices.Index(s.cfg.Interfaces, b.Interface)
	})
	return all
}

// Exclude replaces the endpoints whose traffic is not captured, see
// LiveConfig.Exclude.
func (s *Sniffer) Exclude(endpoints []netip.AddrPort) error {
	var errs []error
	if s.kernel != nil {
		errs = append(errs, s.kernel.Exclude(endpoints))
	}
	if s.live != nil {
		errs = append(errs, s.live.Exclude(endpoints))
	}
	return errors.Join(errs...)
}

// Stop ends the capture. Read then returns what the kernel has counted until
// now, and io.EOF after it; rings end at once.
func (s *Sniffer) Stop() {
	s.ended.Store(true)
	if s.live != nil {
		s.live.Close()
	}
	if s.kernel != nil {
		s.kernel.Stop()
	}
}

// source is what Read reads.
func (s *Sniffer) source() Source {
	switch {
	case s.join != nil:
		return s.join
	case s.kernel != nil:
		return s.kernel
	default:
		return s.live
	}
}

// Read implements Source.
func (s *Sniffer) Read(b *Batch) error {
	err := s.source().Read(b)
	if s.ended.Load() && s.kernel == nil && errors.Is(err, fs.ErrClosed) {
		return io.EOF
	}
	return err
}

// Interfaces implements Source.
func (s *Sniffer) Interfaces() []Interface { return s.source().Interfaces() }

// Progress implements Source. Bytes are those of LiveStats.
func (s *Sniffer) Progress() (done, total int64) {
	for _, src := range s.members() {
		n, _ := src.Progress()
		done += n
	}
	return done, 0
}

func (s *Sniffer) members() (out []Source) {
	if s.kernel != nil {
		out = append(out, s.kernel)
	}
	if s.live != nil {
		out = append(out, s.live)
	}
	return out
}

// Close implements Source.
func (s *Sniffer) Close() error {
	var errs []error
	for _, src := range s.members() {
		errs = append(errs, src.Close())
	}
	if s.join != nil {
		s.join.wait()
	}
	return errors.Join(errs...)
}

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
	for i := range members {
		j.free = append(j.free, make(chan Batch, 2))
		j.free[i] <- Batch{}
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
