package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Live captures from network interfaces through AF_PACKET sockets, each with a
// TPACKET_V3 ring that the kernel fills and Read lends out without a copy.
//
// An interface that goes away is waited for. What a ring still held is
// delivered, the time without it is accounted for, and capture goes on when an
// interface of that name is back, with no action of the caller.
//
// Segments that the hardware or the kernel put together (GRO, TSO) arrive as
// the one large frame that the kernel sees.
//
// Live itself is a Source of all packets. Those of one ring are in order;
// rings (of several interfaces or workers) are interleaved by block, so that
// they are out of order by at most 180 ms.
type Live struct {
	cfg     LiveConfig
	now     func() time.Time
	ports   []*port
	members [][]*tap // by worker, then by interface
	all     *group
	each    []*group // by worker
	table   interfaceTable

	mu      sync.Mutex // guards exclude
	exclude []netip.AddrPort
}

var _ Source = (*Live)(nil)

// OpenLive starts to capture. Its errors are those of cfg.Validate,
// ErrPermission, and ErrNoInterface unless cfg.AwaitInterfaces is set, wrapped
// with what was tried. An interface that is down is waited for.
//
// Read must be called from the network namespace in which the source was
// opened, since it opens interfaces that came back.
func OpenLive(cfg LiveConfig) (*Live, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := allowed(); err != nil {
		return nil, err
	}
	l := &Live{cfg: cfg, now: time.Now, exclude: slices.Clone(cfg.Exclude)}
	for _, name := range cfg.Interfaces {
		l.ports = append(l.ports, &port{name: name})
	}
	var taps []*tap
	for range cfg.Workers {
		var member []*tap
		for _, p := range l.ports {
			member = append(member, &tap{live: l, port: p})
		}
		l.members = append(l.members, member)
		taps = append(taps, member...)
	}
	if err := l.start(taps); err != nil {
		l.Close()
		return nil, fmt.Errorf("open live capture: %w", err)
	}
	return l, nil
}

// allowed finds out at once what an interface that is down or absent would
// only tell when it comes.
func allowed() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return socketError("open live capture", err)
	}
	_ = unix.Close(fd)
	return nil
}

// start makes the readers and opens the rings.
func (l *Live) start(taps []*tap) (err error) {
	if l.all, err = newGroup(l, taps); err != nil {
		return err
	}
	l.each = []*group{l.all}
	if l.cfg.Workers > 1 {
		l.each = nil
		for _, member := range l.members {
			g, err := newGroup(l, member)
			if err != nil {
				return err
			}
			l.each = append(l.each, g)
		}
	}
	l.all.refresh()
	for _, t := range taps {
		if err := t.failure(); err != nil && (!l.cfg.AwaitInterfaces || !errors.Is(err, ErrNoInterface)) {
			return err
		}
	}
	for _, g := range l.each {
		g.follow()
	}
	return nil
}

// Members returns one Source for each worker: its ring of every interface.
// Together they deliver what Read of l itself would: use either l or its
// members, never both. Both directions of a flow are with the same member, as
// far as an interface stays up.
func (l *Live) Members() []Source {
	out := make([]Source, len(l.each))
	for i, g := range l.each {
		out[i] = g
	}
	return out
}

// Exclude replaces the endpoints whose traffic is not captured, see
// LiveConfig.Exclude. It may be called while another goroutine reads. Frames
// that are in a ring already are still delivered.
func (l *Live) Exclude(endpoints []netip.AddrPort) error {
	if err := validateExclude(endpoints); err != nil {
		return err
	}
	l.mu.Lock()
	l.exclude = slices.Clone(endpoints)
	l.mu.Unlock()
	var errs []error
	for _, t := range l.all.taps {
		errs = append(errs, t.refilter())
	}
	return errors.Join(errs...)
}

// program is the filter for a new ring.
func (l *Live) program(link LinkType) ([]bpf.RawInstruction, error) {
	l.mu.Lock()
	exclude := l.exclude
	l.mu.Unlock()
	return assembleFilter(&l.cfg, link, exclude)
}

// Stats returns the accounting of each interface, in the order of
// LiveConfig.Interfaces. It may be called at any time, even after Close.
func (l *Live) Stats() []LiveStats {
	out := make([]LiveStats, len(l.ports))
	now := l.now()
	for i, p := range l.ports {
		out[i].Interface = p.name
		for _, member := range l.members {
			member[i].stats(&out[i], now)
		}
	}
	return out
}

// Read implements Source.
func (l *Live) Read(b *Batch) error { return l.all.Read(b) }

// Interfaces implements Source.
func (l *Live) Interfaces() []Interface { return l.table.snapshot() }

// Progress implements Source. Bytes are those of the frames delivered.
func (l *Live) Progress() (done, total int64) { return l.all.Progress() }

// Close implements Source. It ends the members, too.
func (l *Live) Close() error {
	var errs []error
	for _, g := range append(l.each, l.all) {
		if g != nil {
			errs = append(errs, g.Close())
		}
	}
	return errors.Join(errs...)
}
