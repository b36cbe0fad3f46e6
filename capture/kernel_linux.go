package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/ebpf"
)

const (
	// headWait is how long heads may lie in the ring: the kernel wakes a reader
	// only when many do.
	headWait = 50 * time.Millisecond
	// headBatch and deltaBatch bound a Batch: about 0.5 and 0.7 MiB.
	headBatch  = 512
	deltaBatch = 4096
	headBytes  = 512 << 10
	// headRoom is the largest head there can be.
	headRoom = 12 << 10
)

// Kernel lets the kernel count the flows of interfaces, and reads the counters
// and the packets that are worth reading. A packet costs a fraction of what it
// costs to hand it out, and none is lost for want of time: see Delta.
//
// An interface that goes away is waited for, as by Live. There is no goroutine:
// Read asks the kernel once a second.
type Kernel struct {
	cfg       LiveConfig
	now       func() time.Time
	collector *ebpf.Collector
	attach    attacher
	meters    []*meter
	meterOf   map[uint32]*meter // by interface index; Read's own
	table     interfaceTable
	watch     int // rtnetlink

	reading sync.Mutex // held by Read, and by Close to wait for it
	closed  atomic.Bool
	stopped atomic.Bool
	looked  time.Time

	head     ebpf.Head
	deltas   []Delta // of the last sweep
	next     int     // of those, the first that was not handed out
	draining bool    // heads from before the last sweep go first
	swept    time.Time
	due      time.Time // for the next sweep
	final    bool      // the last sweep was done

	mu      sync.Mutex // guards what follows
	exclude []netip.AddrPort
	last    []ebpf.InterfaceStats // when it was closed
}

var _ Source = (*Kernel)(nil)

// OpenKernel starts to count. Its errors are those of cfg.Validate, of
// ebpf.Open and Attach, ErrNeedsPackets, and ErrNoInterface unless
// cfg.AwaitInterfaces is set, wrapped with what was tried; errors of single
// interfaces are joined. cfg.Workers has no meaning here.
//
// Read must be called from the network namespace in which the source was
// opened, since it attaches to interfaces that came back.
func OpenKernel(cfg LiveConfig) (*Kernel, error) {
	k, refused, err := openKernel(cfg)
	if err != nil {
		return nil, err
	}
	for _, name := range cfg.Interfaces {
		err = errors.Join(err, refused[name])
	}
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("count flows in the kernel: %w", err)
	}
	return k, nil
}

// openKernel opens a source without the interfaces that refuse.
func openKernel(cfg LiveConfig) (_ *Kernel, refused map[string]error, err error) {
	return openKernelBy(cfg, (*ebpf.Collector).Attach)
}

// attacher is ebpf.Collector.Attach, or what a test puts in its place.
type attacher func(c *ebpf.Collector, ifindex int, via ebpf.Via) (*ebpf.Attachment, error)

func openKernelBy(cfg LiveConfig, attach attacher) (_ *Kernel, refused map[string]error, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	switch {
	case cfg.Filter.String() != "":
		return nil, nil, fmt.Errorf("count flows in the kernel: %w: a filter is set", ErrNeedsPackets)
	case cfg.HardwareTime:
		return nil, nil, fmt.Errorf("count flows in the kernel: %w: time stamps of the hardware are asked for", ErrNeedsPackets)
	}
	bpf := ebpf.DefaultConfig()
	for bpf.RingBytes = minKernelRing; bpf.RingBytes*2 <= min(cfg.RingBytes, maxKernelRing); {
		bpf.RingBytes *= 2
	}
	collector, err := ebpf.Open(bpf)
	if err != nil {
		return nil, nil, err
	}
	k := &Kernel{
		cfg: cfg, now: time.Now, collector: collector, attach: attach, watch: -1,
		meterOf: make(map[uint32]*meter), exclude: slices.Clone(cfg.Exclude),
	}
	if k.watch, err = watchLinks(); err != nil {
		k.Close()
		return nil, nil, fmt.Errorf("count flows in the kernel: %w", err)
	}
	refused = make(map[string]error)
	for _, name := range cfg.Interfaces {
		m := &meter{kernel: k, name: name, promisc: -1}
		if m.refresh(k.watch); m.err != nil && (!cfg.AwaitInterfaces || !errors.Is(m.err, ErrNoInterface)) {
			refused[name] = m.err
			m.close()
			continue
		}
		k.meters = append(k.meters, m)
	}
	k.due = k.now().Add(time.Second)
	return k, refused, nil
}

// A ring of heads is a power of two in this range.
const (
	minKernelRing = 64 << 10
	maxKernelRing = 64 << 20
)

// Read implements Source. Batches hold heads, and the deltas up to them.
func (k *Kernel) Read(b *Batch) error {
	b.reset(headBytes)
	k.reading.Lock()
	defer k.reading.Unlock()
	begin := k.now()
	for {
		if k.closed.Load() {
			return fs.ErrClosed
		}
		now := k.now()
		k.look(now)
		if err := k.sweep(now); err != nil {
			return err
		}
		until := now.Add(headWait)
		if k.draining {
			until = now // what is in the ring, and no more
		} else if k.due.Before(until) {
			until = k.due
		}
		if err := k.readHeads(b, until); err != nil {
			return err
		}
		if !k.draining {
			k.handOut(b)
		}
		switch {
		case len(b.Packets)+len(b.Deltas) > 0:
			b.Heads, b.Now = true, now.UnixNano()
			return nil
		case k.final && !k.draining:
			return io.EOF
		case k.now().Sub(begin) >= maxIdle:
			b.Now = now.UnixNano()
			return nil
		}
	}
}

// look follows changes of the interfaces, four times a second.
func (k *Kernel) look(now time.Time) {
	if now.Sub(k.looked) < maxIdle || k.stopped.Load() {
		return
	}
	k.looked = now
	ready := []unix.PollFd{{Fd: int32(k.watch), Events: unix.POLLIN}}
	if n, err := unix.Poll(ready, 0); err == nil && n > 0 {
		drain(k.watch)
	} else if !slices.ContainsFunc(k.meters, (*meter).waiting) {
		return
	}
	for _, m := range k.meters {
		m.refresh(k.watch)
	}
}

// sweep asks the kernel what it counted, if it is time to.
func (k *Kernel) sweep(now time.Time) error {
	if k.draining || k.next < len(k.deltas) || k.final {
		return nil // the last one has not been handed out
	}
	stopping := k.stopped.Load()
	early := false
	select {
	case <-k.collector.Early():
		early = true
	default:
	}
	if now.Before(k.due) && !early && !stopping {
		return nil
	}
	k.mu.Lock()
	exclude := k.exclude
	k.mu.Unlock()
	k.deltas, k.next = k.deltas[:0], 0
	swept, err := k.collector.Sweep(func(d *ebpf.Delta) { k.enter(d, exclude) })
	if err != nil {
		return fmt.Errorf("ask the kernel for its flows: %w", err)
	}
	k.swept = k.now()
	k.due = k.swept.Add(swept.Next)
	k.draining, k.final = true, stopping
	return nil
}

// enter takes a delta from the kernel.
func (k *Kernel) enter(d *ebpf.Delta, exclude []netip.AddrPort) {
	m := k.meterOf[d.Key.Ifindex]
	if m == nil {
		return // of an interface that was never attached to
	}
	out := Delta{
		Addr: d.Key.Addr, Port: d.Key.Port, Proto: d.Key.Proto,
		IPv6: d.Key.Flags&ebpf.KeyIPv6 != 0, Fragment: d.Key.Flags&ebpf.KeyFragment != 0,
		VLAN: d.Key.VLAN, Iface: m.id, First: d.FirstSide,
		MAC: d.MAC, Packets: d.Packets, Bytes: d.Bytes, Payload: d.Payload, Flags: d.Flags,
		Begin: d.First, Last: d.Last, HeadsLost: d.HeadsLost, HeadsDone: d.HeadsDone,
	}
	if typ, code, id, side, ok := d.Key.ICMP(); ok {
		out.ICMPType, out.ICMPCode, out.ICMPID, out.First = typ, code, id, uint8(side)
		out.Port = [2]uint16{}
	}
	excluded := len(exclude) > 0 && excludes(exclude, out.ends())
	m.count(&out, excluded)
	if !excluded {
		k.deltas = append(k.deltas, out)
	}
}

// handOut gives b deltas that were not handed out.
func (k *Kernel) handOut(b *Batch) {
	n := min(len(k.deltas)-k.next, deltaBatch)
	b.Deltas = append(b.Deltas, k.deltas[k.next:k.next+n]...)
	if k.next += n; k.next == len(k.deltas) && cap(k.deltas) > 4*deltaBatch {
		k.deltas, k.next = nil, 0 // what a flood took is not kept
	}
}

// readHeads copies heads into b until it is full or it is time. It ends
// draining when those from before the last sweep have been read.
func (k *Kernel) readHeads(b *Batch, until time.Time) error {
	k.mu.Lock()
	exclude := k.exclude
	k.mu.Unlock()
	k.collector.SetDeadline(until)
	h := &k.head
	for len(b.Packets) < headBatch && cap(b.buf)-len(b.buf) >= headRoom {
		err := k.collector.ReadHead(h)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			k.draining = false
			return nil
		}
		if err != nil {
			return fmt.Errorf("read packets from the kernel: %w", err)
		}
		m := k.meterOf[h.Ifindex]
		if m == nil {
			continue
		}
		p := Packet{
			Data: h.Data, Time: h.Time, Length: max(h.Length, len(h.Data)),
			Link: LinkEthernet, Iface: m.id, VLAN: h.VLAN, TPID: h.TPID,
		}
		if h.Layer3 {
			p.Link = LinkRawIP
		}
		ends, ip := endsOf(p.Data, p.Link)
		if ip && len(exclude) > 0 && excludes(exclude, ends) {
			continue
		}
		if !ip && h.Class <= ebpf.ClassLinkOther {
			m.mu.Lock()
			m.frames++
			m.mu.Unlock()
		}
		if k.cfg.SnapLen > 0 {
			p.Data = p.Data[:min(len(p.Data), k.cfg.SnapLen)]
		}
		b.add(&p)
		if k.draining && h.Time > k.swept.UnixNano() {
			k.draining = false
			return nil
		}
	}
	return nil
}

// Stop ends the counting. Read then hands out what was counted until now, and
// io.EOF after it.
func (k *Kernel) Stop() {
	for _, m := range k.meters {
		m.close()
	}
	k.stopped.Store(true)
}

// Exclude replaces the endpoints whose traffic is not handed out, see
// LiveConfig.Exclude. It may be called while another goroutine reads.
func (k *Kernel) Exclude(endpoints []netip.AddrPort) error {
	if err := validateExclude(endpoints); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.exclude = slices.Clone(endpoints)
	return nil
}

// Stats returns the accounting of each interface that is counted. It may be
// called at any time, even after Close.
func (k *Kernel) Stats() []LiveStats {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed.Load() {
		if s, err := k.collector.Stats(); err == nil {
			k.last = s
		}
	}
	out := make([]LiveStats, len(k.meters))
	now := k.now()
	for i, m := range k.meters {
		out[i] = m.stats(k.last, now)
	}
	return out
}

// Used says how each interface is captured from.
func (k *Kernel) Used() []Used {
	out := make([]Used, len(k.meters))
	for i, m := range k.meters {
		m.mu.Lock()
		out[i] = Used{Interface: m.name, Method: m.method, Refused: m.refused}
		m.mu.Unlock()
	}
	return out
}

// Interfaces implements Source.
func (k *Kernel) Interfaces() []Interface { return k.table.snapshot() }

// Progress implements Source. Bytes are those of the IP datagrams counted.
func (k *Kernel) Progress() (done, total int64) {
	for _, m := range k.meters {
		m.mu.Lock()
		done += int64(m.bytes)
		m.mu.Unlock()
	}
	return done, 0
}

// Close implements Source. What was counted since the last Read is lost, and
// accounted for as Unread; Stop and reading to the end avoids that.
func (k *Kernel) Close() error {
	k.Stop()
	k.Stats() // while the kernel can be asked
	if k.closed.Swap(true) {
		return nil
	}
	k.reading.Lock() // Read returns within headWait
	defer k.reading.Unlock()
	if k.watch >= 0 {
		_ = unix.Close(k.watch)
	}
	return k.collector.Close()
}
