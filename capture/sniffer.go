package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
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
