package capture

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/ebpf"
)

// meter is an interface whose flows the kernel counts, or the wait for it to
// come (back).
type meter struct {
	kernel *Kernel
	name   string

	mu        sync.Mutex // guards what follows
	attached  *ebpf.Attachment
	method    Method
	refused   error    // why the methods before it do not work
	promisc   int      // socket that holds promiscuous mode, -1 without
	indexes   []uint32 // interface indexes that it has had
	id        uint16   // in the table of interfaces, with indexes
	link      LinkType
	absence   absence
	err       error // why it is not attached
	closed    bool
	delivered uint64 // packets in deltas that were handed out
	bytes     uint64 // of their datagrams
	excluded  uint64
	frames    uint64 // frames without IP that were handed out
}

// refresh looks at the interface and follows what has happened to it.
func (m *meter) refresh(fd int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	l, err := lookUp(fd, m.name)
	m.absence.note(err == nil && l.up, m.kernel.now())
	if m.attached != nil && (err != nil || l.index != m.attached.Ifindex()) {
		m.detach()
	}
	m.err = err
	if err == nil && m.attached == nil {
		m.err = m.attach(l)
	}
}

// attach has the kernel count the interface's flows by the first method that
// works.
func (m *meter) attach(l link) error {
	if l.loopback {
		// Every frame is sent there and then received.
		return fmt.Errorf("%w: %s is a loopback", ErrNeedsPackets, l.name)
	}
	m.refused = nil
	for _, way := range []struct {
		via    ebpf.Via
		method Method
	}{{ebpf.TCX, ByTCX}, {ebpf.Clsact, ByClsact}} {
		a, err := m.kernel.attach(m.kernel.collector, l.index, way.via)
		if err == nil {
			return m.settle(l, a, way.method)
		}
		m.refused = errors.Join(m.refused, err)
		if !errors.Is(err, ebpf.ErrNoTCX) && !errors.Is(err, ebpf.ErrNoClsact) {
			break // what another method would meet, too
		}
	}
	return m.refused
}

// settle keeps an attachment.
func (m *meter) settle(l link, a *ebpf.Attachment, method Method) error {
	if m.kernel.cfg.Promiscuous {
		fd, err := holdPromiscuous(l.index)
		if err != nil {
			return errors.Join(err, a.Close())
		}
		m.promisc = fd
	}
	if len(m.indexes) == 0 || m.link != l.linkType() {
		id, err := m.kernel.table.add(Interface{Name: m.name, Link: l.linkType(), Snap: uint32(m.kernel.cfg.SnapLen)})
		if err != nil {
			return errors.Join(err, a.Close())
		}
		m.id, m.link = id, l.linkType()
	}
	m.attached, m.method = a, method
	m.indexes = append(m.indexes, uint32(l.index))
	m.kernel.meterOf[uint32(l.index)] = m
	return nil
}

// detach ends the counting. What has been counted will still be told.
func (m *meter) detach() {
	if m.attached != nil {
		_ = m.attached.Close() // fails where the interface is gone, and the programs with it
		m.attached = nil
	}
	if m.promisc >= 0 {
		_ = unix.Close(m.promisc)
		m.promisc = -1
	}
}

func (m *meter) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.detach()
}

// waiting reports whether the interface has to be looked at without a notice.
func (m *meter) waiting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.attached == nil
}

// count notes what a delta tells.
func (m *meter) count(d *Delta, excluded bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	packets := d.Packets[0] + d.Packets[1]
	if excluded {
		m.excluded += packets
		return
	}
	m.delivered += packets
	m.bytes += d.Bytes[0] + d.Bytes[1]
}

// stats is the account of the interface, with what the kernel says of each of
// the indexes that it has had.
func (m *meter) stats(kernel []ebpf.InterfaceStats, now time.Time) LiveStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := LiveStats{
		Interface: m.name, Method: m.method, Err: m.err,
		Present: m.attached != nil && m.absence.present(),
		Outages: m.absence.count, Outage: m.absence.total(now),
		Delivered: m.delivered, Bytes: m.bytes, Excluded: m.excluded,
	}
	for i := range kernel {
		k := &kernel[i]
		if !slices.Contains(m.indexes, k.Ifindex) {
			continue
		}
		s.Seen += k.Seen
		s.Overflow += k.Full
		s.Race += k.Race
		for r, n := range k.Refused {
			if ebpf.Reason(r) == ebpf.NonIP {
				s.Delivered += n
				s.Hidden += n
				continue
			}
			s.Refused += n
		}
		for c := range k.Heads {
			s.Heads[c].Add(HeadStats{Sent: k.Heads[c], Limited: k.Limited[c], Dropped: k.Dropped[c]})
		}
	}
	s.Hidden -= min(s.Hidden, m.frames)
	if m.kernel.closed.Load() {
		if done := s.Delivered + s.Excluded + s.Overflow + s.Refused + s.Race; s.Seen > done {
			s.Unread = s.Seen - done
		}
	}
	return s
}

// holdPromiscuous takes promiscuous mode for as long as the socket is open, and
// so not beyond the process. The socket receives nothing.
func holdPromiscuous(ifindex int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, socketError("open packet socket", err)
	}
	m := &unix.PacketMreq{Ifindex: int32(ifindex), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, m); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("set promiscuous mode: %w", err)
	}
	return fd, nil
}
