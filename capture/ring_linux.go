package capture

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// ringBlock is the unit in which the kernel hands over frames: a multiple
	// of every page size Linux has, large enough for the largest frame (64 KiB
	// of segments that the hardware will cut) and small enough that the few
	// blocks that batches hold are a small part of a ring.
	ringBlock = 256 << 10
	// retireAfter is when the kernel hands over a block that is not full. Half
	// of that would not be noticed by anyone, and would double the wake-ups of
	// an idle gateway.
	retireAfter = 60 * time.Millisecond
	// ringLag bounds how long a frame is in the ring before Read can see it.
	// The kernel's timer lets a block that was opened since it last fired live
	// for another period; the third is for a late timer.
	ringLag = 3 * retireAfter
	// frameUnit only has to divide the block and hold a header: TPACKET_V3
	// packs frames of any size.
	frameUnit = 2048
)

// ring is a packet socket with its TPACKET_V3 ring. A block belongs to the
// kernel, is ready, or is lent to a Batch, in this order and in turn.
type ring struct {
	fd       int
	ifindex  int
	hardware bool // time stamps of the hardware were granted
	promisc  bool
	drainTo  time.Time // when to close a ring whose interface is gone, zero before

	mu     sync.Mutex // guards what follows
	mem    []byte
	next   int    // block to be ready next
	lent   []bool // by block
	out    int    // blocks that are lent
	closed bool
	count  ringCount
}

// ringCount is the accounting of one ring, see LiveStats.
type ringCount struct {
	seen, delivered, bytes, full, freezes, malformed, unread uint64
}

func (c *ringCount) add(o ringCount) {
	c.seen += o.seen
	c.delivered += o.delivered
	c.bytes += o.bytes
	c.full += o.full
	c.freezes += o.freezes
	c.malformed += o.malformed
	c.unread += o.unread
}

// status is the word through which kernel and user pass a block to each other.
func (r *ring) status(block int) *uint32 {
	return (*uint32)(unsafe.Pointer(&r.mem[block*ringBlock+blockStatusAt]))
}

// ready returns the time of the first frame of the next block, if the kernel
// has handed it over. A block that is still lent looks like one.
func (r *ring) ready() (first int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.lent[r.next] || atomic.LoadUint32(r.status(r.next))&unix.TP_STATUS_USER == 0 {
		return 0, false
	}
	return nativeTime(r.mem[r.next*ringBlock+blockTimeAt:]), true
}

// take lends the next block, which is ready, to b. Each packet gets what proto
// says about all. Damage is counted: it can only come from a broken kernel.
func (r *ring) take(b *Batch, proto Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	block := r.mem[r.next*ringBlock : (r.next+1)*ringBlock]
	packets, lost, _ := parseBlock(block, proto, b.Packets[:0])
	b.Packets, b.owner, b.block = packets, r, r.next
	for i := range packets {
		r.count.bytes += uint64(packets[i].Length)
	}
	r.count.delivered += uint64(len(packets))
	r.count.malformed += uint64(lost)
	r.lent[r.next] = true
	r.out++
	if r.next = (r.next + 1) % len(r.lent); r.next == 0 {
		r.poll() // long before the kernel's 32 bits are full
	}
}

// giveBack implements lender: the block is the kernel's again.
func (r *ring) giveBack(block int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	atomic.StoreUint32(r.status(block), unix.TP_STATUS_KERNEL)
	r.lent[block] = false
	r.out--
	if r.closed && r.out == 0 {
		r.unmap()
	}
}

// counts returns the accounting so far. The kernel's numbers start again from
// 0 whenever they are read.
func (r *ring) counts() ringCount {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.poll()
	return r.count
}

func (r *ring) poll() {
	if r.closed {
		return
	}
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return // cannot happen on an open socket; the numbers come with the next call
	}
	r.count.seen += uint64(s.Packets)
	r.count.full += uint64(s.Drops)
	r.count.freezes += uint64(s.Freeze_q_cnt)
}

// close ends the capture. The memory stays as long as blocks are lent, and a
// mapped ring keeps its socket alive: so what the socket does to others has to
// be undone here, and its filter drops everything from now on.
func (r *ring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	_ = setFilter(r.fd, dropAll()) // a live socket takes any valid program
	if r.promisc {
		_ = r.membership(unix.PACKET_DROP_MEMBERSHIP) // fails if the interface is gone, and the mode with it
	}
	r.poll()
	r.closed = true
	c := &r.count
	if done := c.delivered + c.malformed + c.full; c.seen > done {
		c.unread = c.seen - done
	}
	_ = unix.Close(r.fd)
	if r.out == 0 {
		r.unmap()
	}
}

func (r *ring) unmap() {
	_ = unix.Munmap(r.mem) // fails only for memory that is not a mapping
	r.mem = nil
}

// openRing opens a socket on a link, which drops everything until open lets
// the frames in: before it has joined its group it would see those of others.
func openRing(l link, cfg *LiveConfig) (_ *ring, err error) {
	kind := unix.SOCK_RAW
	if l.cooked() {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, socketError("open packet socket", err)
	}
	r := &ring{fd: fd, ifindex: l.index}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
			if r.mem != nil {
				r.unmap()
			}
		}
	}()
	if err := setFilter(fd, dropAll()); err != nil {
		return nil, err
	}
	if cfg.HardwareTime {
		r.hardware = stampByHardware(fd, l.name)
	}
	if err := r.mapMemory(cfg.RingBytes / ringBlock); err != nil {
		return nil, err
	}
	if l.loopback { // where every frame is sent and then received
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
			return nil, fmt.Errorf("ignore sent frames: %w", err)
		}
	}
	if cfg.Promiscuous && !l.loopback {
		if err := r.membership(unix.PACKET_ADD_MEMBERSHIP); err != nil {
			return nil, fmt.Errorf("set promiscuous mode: %w", err)
		}
		r.promisc = true
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: l.index}); err != nil {
		return nil, fmt.Errorf("bind packet socket: %w", err)
	}
	return r, nil
}

// membership takes or gives up promiscuous mode. The kernel counts those who
// want it.
func (r *ring) membership(option int) error {
	m := &unix.PacketMreq{Ifindex: int32(r.ifindex), Type: unix.PACKET_MR_PROMISC}
	return unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, option, m)
}

// mapMemory makes the ring.
func (r *ring) mapMemory(blocks int) error {
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("set TPACKET_V3: %w", err)
	}
	req := &unix.TpacketReq3{
		Block_size:     ringBlock,
		Block_nr:       uint32(blocks),
		Frame_size:     frameUnit,
		Frame_nr:       uint32(blocks * (ringBlock / frameUnit)),
		Retire_blk_tov: uint32(retireAfter / time.Millisecond),
	}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, req); err != nil {
		return fmt.Errorf("make ring of %d MiB: %w", blocks*ringBlock>>20, err)
	}
	mem, err := unix.Mmap(r.fd, 0, blocks*ringBlock, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map ring of %d MiB: %w", blocks*ringBlock>>20, err)
	}
	r.mem, r.lent = mem, make([]bool, blocks)
	return nil
}

// dropAll is a filter that lets nothing pass.
func dropAll() []bpf.RawInstruction {
	ret, err := bpf.RetConstant{Val: 0}.Assemble()
	if err != nil {
		panic(err) // a constant program
	}
	return []bpf.RawInstruction{ret}
}
