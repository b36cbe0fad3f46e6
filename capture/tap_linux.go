package capture

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/bpf"
)

// port is an interface that a live source captures from, by name.
type port struct {
	name string

	mu     sync.Mutex // guards what follows
	fanout int        // group of the sockets on the interface, see joinFanout
	joined int        // index of the interface that the group is on, 0 before the first
	listed bool
	link   LinkType // with listed: as last entered into the table of interfaces
	id     uint16   // with listed: the index there
}

// join adds r to the group of the rings on its interface. An interface that
// came back has another index, and gets a new group.
func (p *port) join(r *ring) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.joined != r.ifindex {
		p.fanout = newFanout
	}
	id, err := joinFanout(r.fd, p.fanout)
	if err != nil {
		p.joined = 0 // its last member may be gone, and its number taken by another program
		return err
	}
	p.fanout, p.joined = id, r.ifindex
	return nil
}

// list returns the index of the port in the table of interfaces. One that
// comes back with another link type gets a new entry.
func (p *port) list(table *interfaceTable, link LinkType, snap int) (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listed && p.link == link {
		return p.id, nil
	}
	id, err := table.add(Interface{Name: p.name, Link: link, Snap: uint32(snap)})
	if err != nil {
		return 0, err
	}
	p.listed, p.link, p.id = true, link, id
	return id, nil
}

// tap is one worker's share of one interface: a ring, or the wait for the
// interface to come (back).
type tap struct {
	live *Live
	port *port

	mu       sync.Mutex // guards what follows
	current  *ring      // nil while there is none
	draining *ring      // of an interface that is gone; still has frames
	proto    Packet     // what is the same for all packets of current
	old      Packet     // the same for draining
	gone     ringCount  // of rings that are closed
	absence  absence
	err      error // why there is no ring
	closed   bool
}

// refresh looks at the interface and follows what has happened to it. It
// reports whether the rings of t changed.
func (t *tap) refresh(fd int) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	l, err := lookUp(fd, t.port.name)
	now := t.live.now()
	t.absence.note(err == nil && l.up, now)
	if t.current != nil && (err != nil || l.index != t.current.ifindex) {
		t.retire(t.draining)
		t.draining, t.old = t.current, t.proto
		t.draining.drainTo = now.Add(ringLag)
		t.current, changed = nil, true
	}
	if t.draining != nil && now.After(t.draining.drainTo) {
		t.retire(t.draining)
		t.draining, changed = nil, true
	}
	t.err = err
	// A socket on an interface that is down cannot join a group before Linux
	// 6.13, and has nothing to capture.
	if err == nil && l.up && t.current == nil {
		t.err = t.open(l)
		changed = changed || t.err == nil
	}
	return changed
}

// absence keeps the account of an interface's outages.
type absence struct {
	since time.Time // of the outage under way, else zero
	count uint64
	sum   time.Duration
}

func (a *absence) note(up bool, now time.Time) {
	switch {
	case !up && a.since.IsZero():
		a.since = now
		a.count++
	case up && !a.since.IsZero():
		a.sum += now.Sub(a.since)
		a.since = time.Time{}
	}
}

// present reports whether there is no outage.
func (a *absence) present() bool { return a.since.IsZero() }

// total is the time of all outages, of the one under way up to now.
func (a *absence) total(now time.Time) time.Duration {
	if a.since.IsZero() {
		return a.sum
	}
	return a.sum + now.Sub(a.since)
}

// retire closes a ring and keeps its numbers.
func (t *tap) retire(r *ring) {
	if r == nil {
		return
	}
	r.close()
	t.gone.add(r.counts())
}

// open makes a ring on the interface.
func (t *tap) open(l link) error {
	cfg := &t.live.cfg
	program, err := t.live.program(l.linkType())
	if err != nil {
		return err
	}
	r, err := openRing(l, cfg)
	if err != nil {
		return err
	}
	id, err := t.port.list(&t.live.table, l.linkType(), cfg.SnapLen)
	if err == nil && cfg.Workers > 1 {
		err = t.port.join(r)
	}
	if err == nil {
		err = setFilter(r.fd, program)
	}
	if err != nil {
		r.close()
		return err
	}
	t.current, t.proto = r, Packet{Link: l.linkType(), Iface: id}
	return nil
}

// refilter gives the ring the filter of now. A ring that is not there yet gets
// it when it is made.
func (t *tap) refilter() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		return nil
	}
	program, err := t.live.program(t.proto.Link)
	if err != nil {
		return err
	}
	return setFilter(t.current.fd, program)
}

// waiting reports whether something is due without a notice from the kernel.
func (t *tap) waiting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current == nil || t.draining != nil
}

// failure says why there is no ring, nil if there is one or will be.
func (t *tap) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// stats adds the accounting of t to s.
func (t *tap) stats(s *LiveStats, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.gone
	for _, r := range []*ring{t.current, t.draining} {
		if r != nil {
			c.add(r.counts())
		}
	}
	s.Seen += c.seen
	s.Delivered += c.delivered
	s.Bytes += c.bytes
	s.RingFull += c.full
	s.Freezes += c.freezes
	s.Malformed += c.malformed
	s.Unread += c.unread
	s.Outages, s.Outage = max(s.Outages, t.absence.count), max(s.Outage, t.absence.total(now))
	if t.current != nil {
		s.Method = ByRing
		s.Present = t.absence.present()
		s.HardwareTime = t.current.hardware
	}
	if s.Err == nil {
		s.Err = t.err
	}
}

func (t *tap) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	t.retire(t.draining)
	t.retire(t.current)
	t.draining, t.current = nil, nil
}

// assembleFilter is the program that a socket gets.
func assembleFilter(cfg *LiveConfig, link LinkType, exclude []netip.AddrPort) ([]bpf.RawInstruction, error) {
	snap := cfg.SnapLen
	if snap == 0 {
		snap = wholeFrame
	}
	program, err := cfg.Filter.program(link, snap, exclude)
	if err != nil {
		return nil, err
	}
	return bpf.Assemble(program)
}
