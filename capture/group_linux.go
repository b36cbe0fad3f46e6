package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxIdle is how long Read waits for frames before it reports that none came.
// Four times a second is often enough for timeouts of seconds, and costs an
// idle gateway nothing.
const maxIdle = 250 * time.Millisecond

// group is the Source of the taps that one reader looks after: those of one
// worker on all interfaces, or all there are. It starts no goroutine: Read
// waits for frames, for changes of the interfaces and for Close alike.
type group struct {
	live    *Live
	taps    []*tap
	epoll   int
	wake    int // eventfd, written by Close
	watch   int // rtnetlink
	watched map[int32]*ring
	events  []unix.EpollEvent
	skew    int64 // clock of the hardware's stamps minus ours, when last seen
	looked  time.Time
	closed  atomic.Bool
	reading sync.Mutex // held by Read, and by Close to wait for it
	freed   bool
}

var _ Source = (*group)(nil)

func newGroup(l *Live, taps []*tap) (*group, error) {
	g := &group{
		live: l, taps: taps, epoll: -1, wake: -1, watch: -1,
		watched: make(map[int32]*ring), events: make([]unix.EpollEvent, 16),
	}
	var err error
	if g.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		err = fmt.Errorf("open epoll: %w", err)
	}
	if err == nil {
		if g.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
			err = fmt.Errorf("open eventfd: %w", err)
		}
	}
	if err == nil {
		g.watch, err = watchLinks()
	}
	for _, fd := range []int{g.wake, g.watch} {
		if err == nil {
			err = g.listen(fd, unix.EPOLLIN)
		}
	}
	if err != nil {
		g.free()
		return nil, err
	}
	return g, nil
}

func (g *group) listen(fd int, events uint32) error {
	err := unix.EpollCtl(g.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	if err != nil {
		return fmt.Errorf("wait for events: %w", err)
	}
	return nil
}

// Read implements Source.
func (g *group) Read(b *Batch) error {
	b.reset(0)
	g.reading.Lock()
	defer g.reading.Unlock()
	begin := g.live.now()
	for {
		if g.closed.Load() {
			return fs.ErrClosed
		}
		// The time first: what is captured from here on is later than that.
		now := g.live.now()
		if err := g.look(now); err != nil {
			return err
		}
		if g.fill(b) {
			g.stamp(b, now)
			return nil
		}
		left := maxIdle - now.Sub(begin)
		if left <= 0 {
			b.Now = now.Add(-ringLag).UnixNano() + g.skew
			return nil
		}
		if err := g.wait(left); err != nil {
			return err
		}
	}
}

// look sees to the interfaces four times a second, even if one of them has so
// many frames that Read never waits. A ring that could not be made is tried
// again.
func (g *group) look(now time.Time) error {
	if now.Sub(g.looked) < maxIdle {
		return nil
	}
	g.looked = now
	if g.waiting() {
		g.refresh()
	}
	return g.wait(0)
}

// stamp sets b.Now after packets: of several rings one may still have frames
// from before these, so nothing is promised beyond the first of them, or what
// an idle Read would.
func (g *group) stamp(b *Batch, now time.Time) {
	first, last := b.Packets[0].Time, b.Packets[len(b.Packets)-1].Time
	if g.live.cfg.HardwareTime {
		g.skew = last - now.UnixNano()
	}
	b.Now = min(first, now.Add(-ringLag).UnixNano()+g.skew)
}

// fill lends b the block that begins first of those that are ready. So the
// order of packets of different rings is wrong by less than a block lasts.
func (g *group) fill(b *Batch) bool {
	for {
		var best *ring
		var proto Packet
		var earliest int64
		for _, t := range g.taps {
			t.mu.Lock()
			for _, c := range [2]struct {
				ring  *ring
				proto *Packet
			}{{t.draining, &t.old}, {t.current, &t.proto}} {
				if c.ring == nil {
					continue
				}
				if first, ok := c.ring.ready(); ok && (best == nil || first < earliest) {
					best, proto, earliest = c.ring, *c.proto, first
				}
			}
			t.mu.Unlock()
		}
		if best == nil {
			return false
		}
		if best.take(b, proto); len(b.Packets) > 0 {
			return true
		}
		b.Release()
	}
}

// wait returns when there may be something to do.
func (g *group) wait(timeout time.Duration) error {
	ms := int((timeout + time.Millisecond - 1) / time.Millisecond)
	n, err := unix.EpollWait(g.epoll, g.events, ms)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for packets: %w", err)
	}
	changed := false
	for _, e := range g.events[:n] {
		switch {
		case e.Fd == int32(g.watch):
			drain(g.watch)
			changed = true
		case e.Events&^uint32(unix.EPOLLIN) != 0: // ENETDOWN; asking clears it
			_, _ = unix.GetsockoptInt(int(e.Fd), unix.SOL_SOCKET, unix.SO_ERROR)
			changed = true
		}
	}
	if changed {
		g.refresh()
	}
	return nil
}

func (g *group) waiting() bool {
	for _, t := range g.taps {
		if t.waiting() {
			return true
		}
	}
	return false
}

// refresh follows changes of the interfaces.
func (g *group) refresh() {
	changed := false
	for _, t := range g.taps {
		changed = t.refresh(g.watch) || changed
	}
	if changed {
		g.follow()
	}
}

// follow makes the set of rings that are waited for that of the taps. A ring
// with a lent block polls as readable without pause; only the edge tells that
// a block was added.
func (g *group) follow() {
	present := make(map[int32]*ring, len(g.taps))
	for _, t := range g.taps {
		t.mu.Lock()
		for _, r := range []*ring{t.draining, t.current} {
			if r != nil {
				present[int32(r.fd)] = r
			}
		}
		t.mu.Unlock()
	}
	for fd, r := range g.watched {
		if present[fd] != r {
			delete(g.watched, fd)
		}
	}
	for fd, r := range present {
		if g.watched[fd] == r {
			continue
		}
		// Without memory for this the ring is looked at 4 times a second.
		if err := g.listen(int(fd), unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLET); err == nil {
			g.watched[fd] = r
		}
	}
}

// Interfaces implements Source.
func (g *group) Interfaces() []Interface { return g.live.Interfaces() }

// Progress implements Source.
func (g *group) Progress() (done, total int64) {
	var s LiveStats
	for _, t := range g.taps {
		t.stats(&s, g.live.now())
	}
	return int64(s.Bytes), 0
}

// Close implements Source. It ends a Read that waits, and returns when it has
// ended. What was not read is lost, and counted.
func (g *group) Close() error {
	if !g.closed.Swap(true) {
		one := [8]byte{7: 1} // any number but 0 wakes, in any byte order
		_, _ = unix.Write(g.wake, one[:])
	}
	g.reading.Lock()
	defer g.reading.Unlock()
	for _, t := range g.taps {
		t.close()
	}
	g.free()
	return nil
}

// free closes the file descriptors.
func (g *group) free() {
	if g.freed {
		return
	}
	g.freed = true
	for _, fd := range []int{g.epoll, g.wake, g.watch} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
