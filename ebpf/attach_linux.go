//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// slotState says which interface the counters of a slot belong to.
type slotState struct {
	ifindex uint32 // 0: never used
	attach  *Attachment
}

// Attachment is a pair of programs at an interface.
type Attachment struct {
	c       *Collector
	ifindex int
	slot    int
	via     Via
	lock    int // socket whose name tells other instances
	detach  []func() error
	once    sync.Once
	err     error
}

// Via says how the programs are attached.
func (a *Attachment) Via() Via { return a.via }

// Ifindex says to which interface.
func (a *Attachment) Ifindex() int { return a.ifindex }

// Attach puts a program at both directions of an interface of the caller's
// network namespace. What an instance that was killed left there is removed
// first. The errors are ErrNoInterface, ErrLink, ErrBusy, ErrTooMany,
// ErrPermission and ErrNoTCX or ErrNoClsact, wrapped with what was tried.
func (c *Collector) Attach(ifindex int, via Via) (*Attachment, error) {
	a, err := c.attach(ifindex, via)
	if err != nil {
		return nil, fmt.Errorf("attach to interface %s by %s: %w", interfaceName(ifindex), via, err)
	}
	return a, nil
}

func (c *Collector) attach(ifindex int, via Via) (_ *Attachment, err error) {
	layer3, err := linkLayer(ifindex)
	if err != nil {
		return nil, err
	}
	lock, err := lockInterface(ifindex)
	if err != nil {
		return nil, err
	}
	a := &Attachment{c: c, ifindex: ifindex, via: via, lock: lock, slot: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if err := removeFilters(ifindex); err != nil {
		return nil, fmt.Errorf("remove what an earlier run left: %w", err)
	}
	if a.slot, err = c.takeSlot(a); err != nil {
		return nil, err
	}
	for _, egress := range []bool{false, true} {
		p, err := c.load(a.slot, egress, layer3)
		if err != nil {
			return nil, err
		}
		err = a.add(p, egress)
		p.Close() // the attachment holds it
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// add attaches the program of one direction.
func (a *Attachment) add(p *ebpf.Program, egress bool) error {
	switch a.via {
	case TCX:
		return a.addTCX(p, egress)
	case Clsact:
		return a.addFilter(p, egress)
	default:
		return fmt.Errorf("no way to attach has the number %d", a.via)
	}
}

// addTCX attaches first on the way in and last on the way out: what is on the
// wire counts, before others drop and after they change it.
func (a *Attachment) addTCX(p *ebpf.Program, egress bool) error {
	opts := link.TCXOptions{Interface: a.ifindex, Program: p, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()}
	if egress {
		opts.Attach, opts.Anchor = ebpf.AttachTCXEgress, link.Tail()
	}
	l, err := link.AttachTCX(opts)
	switch {
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w; this is %s (%w)", ErrNoTCX, release(), err)
	case errors.Is(err, unix.EPERM):
		return permissionError(err)
	case errors.Is(err, unix.ENODEV):
		return ErrNoInterface
	case err != nil:
		return fmt.Errorf("%w (%w)", ErrNoTCX, err)
	}
	a.detach = append(a.detach, l.Close)
	return nil
}

// Close detaches the programs. The counters stay, and so do the flows.
func (a *Attachment) Close() error {
	a.once.Do(func() {
		var errs []error
		for _, f := range a.detach {
			errs = append(errs, f())
		}
		if a.slot >= 0 {
			a.c.freeSlot(a)
		}
		errs = append(errs, unix.Close(a.lock))
		a.err = errors.Join(errs...)
	})
	return a.err
}

// lockInterface takes the name by which instances exclude each other: a socket
// in the abstract namespace, which, like an interface, belongs to a network
// namespace, and which the kernel removes with the process.
func lockInterface(ifindex int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("lock the interface: %w", err)
	}
	name := "@gatehouse/ebpf/" + strconv.Itoa(ifindex)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		_ = unix.Close(fd)
		if errors.Is(err, unix.EADDRINUSE) {
			return -1, fmt.Errorf("%w: stop it first (ss -xlp | grep %s finds it)", ErrBusy, name)
		}
		return -1, fmt.Errorf("lock the interface: %w", err)
	}
	return fd, nil
}

// linkLayer finds out whether frames of an interface have an Ethernet header
// or none. PPP's own is put on behind where programs are.
func linkLayer(ifindex int) (layer3 bool, err error) {
	l, err := netlink.LinkByIndex(ifindex)
	var missing netlink.LinkNotFoundError
	switch {
	case errors.As(err, &missing), errors.Is(err, unix.ENODEV):
		return false, ErrNoInterface
	case err != nil:
		return false, fmt.Errorf("look at the interface: %w", err)
	}
	switch kind := l.Attrs().EncapType; kind {
	case "ether", "loopback":
		return false, nil
	case "none", "ppp", "ipip", "tunnel6", "sit", "gre", "rawip":
		return true, nil
	default:
		return false, fmt.Errorf("%w: it is of type %s", ErrLink, kind)
	}
}

// interfaceName is the name of an interface for messages, or its index.
func interfaceName(ifindex int) string {
	if i, err := net.InterfaceByIndex(ifindex); err == nil {
		return i.Name
	}
	return "#" + strconv.Itoa(ifindex)
}

// takeSlot finds the counters of an interface: its own of an earlier
// attachment, else unused ones.
func (c *Collector) takeSlot(a *Attachment) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	free := -1
	for i := range c.slots {
		s := &c.slots[i]
		switch {
		case s.ifindex == uint32(a.ifindex) && s.attach == nil:
			free = i
		case s.ifindex == 0 && free < 0:
			free = i
		}
	}
	if free < 0 {
		return -1, fmt.Errorf("%w: a collector counts at most %d in its life", ErrTooMany, maxInterface)
	}
	c.slots[free] = slotState{uint32(a.ifindex), a}
	return free, nil
}

func (c *Collector) freeSlot(a *Attachment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots[a.slot].attach = nil
}

// attachments lists those that are not closed.
func (c *Collector) attachments() []*Attachment {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*Attachment
	for i := range c.slots {
		if a := c.slots[i].attach; a != nil {
			out = append(out, a)
		}
	}
	return out
}
