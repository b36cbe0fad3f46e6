//go:build !386 && !arm && !mips && !mipsle

package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	// sweepBatch is how many flows one system call reads. It has to be more
	// than the longest chain of the kernel's hash table.
	sweepBatch = 1024
	// sweepEvery is the time between sweeps of a table that has room.
	sweepEvery = time.Second

	tcpFIN, tcpRST = 0x01, 0x04
	protoTCP       = 6
)

// sweeper reads the table of flows and remembers what it has reported. All its
// memory is used again by the next sweep.
type sweeper struct {
	flows    *ebpf.Map
	cfg      Config
	capacity int

	keys   []kernelFlowKey
	values []kernelFlowRecord
	index  map[kernelFlowKey]int32 // of known
	known  []known                 // the first is no flow, but comes before the first
	spare  []int32                 // of known, not in use
	prev   int32                   // the flow that was read last, of known
	idle   []doomed
	last   int // flows in the table after the sweep before
	delta  Delta
}

// known is what has been reported of a flow.
type known struct {
	key kernelFlowKey // of interface 0 if not in use
	// next is the flow that came after this one in the last sweep. Since the
	// kernel's table does not change its order, but for flows that come and go,
	// it nearly always is the next one again, and need not be looked for.
	next                    int32
	incarnation             uint64
	packets, bytes, payload [2]uint64
}

// doomed is a flow to be removed.
type doomed struct {
	key kernelFlowKey
	why Removal
}

// reported adds up what a collector has reported.
type reported struct{ packets uint64 }

func (s *sweeper) init(flows *ebpf.Map, cfg Config) {
	s.flows, s.cfg, s.capacity = flows, cfg, cfg.Flows
	s.keys = make([]kernelFlowKey, sweepBatch)
	s.values = make([]kernelFlowRecord, sweepBatch)
	s.index = make(map[kernelFlowKey]int32)
	s.known = make([]known, 1)
}

// Sweep reads the table of flows and calls f for each that has changed since
// the last sweep. Flows that have been silent for long are removed from the
// table, and reported a last time. The Delta is valid during the call, which
// must not call Sweep.
func (c *Collector) Sweep(f func(*Delta)) (Swept, error) {
	now := c.clock.read()
	s := &c.sweep
	out := Swept{Capacity: s.capacity}
	var packets uint64
	report := func(d *Delta) {
		out.Reported++
		packets += d.Packets[0] + d.Packets[1]
		f(d)
	}
	err := s.run(&c.clock, now, &out, report)
	c.mu.Lock()
	c.total.packets += packets
	c.mu.Unlock()
	if err != nil {
		return out, fmt.Errorf("sweep flows: %w", err)
	}
	return out, nil
}

// run reads the table once, and a second time if it turns out so full that
// more flows have to go than the occupancy before suggested.
func (s *sweeper) run(c *clock, now uint64, out *Swept, report func(*Delta)) error {
	limit := s.limit(s.last)
	for {
		if err := s.pass(c, now, limit, out, report); err != nil {
			return err
		}
		s.last = out.Flows
		stricter := s.limit(out.Flows + out.Removed)
		if stricter >= limit {
			break
		}
		limit = stricter
	}
	out.Next = sweepEvery
	if s.limit(s.last) < time.Minute {
		out.Next = sweepEvery / 4
	}
	return nil
}

// limit is how long any flow may be silent when the table holds n: the fuller,
// the shorter.
func (s *sweeper) limit(n int) time.Duration {
	switch {
	case n >= s.capacity:
		return 2 * time.Second
	case n >= s.capacity*9/10:
		return 10 * time.Second
	case n >= s.capacity*3/4:
		return time.Minute
	default:
		return time.Duration(1<<63 - 1)
	}
}

// pass reads all flows, reports those that have changed and removes those that
// are due.
func (s *sweeper) pass(c *clock, now uint64, limit time.Duration, out *Swept, report func(*Delta)) error {
	var cursor ebpf.MapBatchCursor
	s.idle = s.idle[:0]
	s.prev = 0
	out.Flows = 0
	for {
		n, err := s.flows.BatchLookup(&cursor, s.keys, s.values, nil)
		for i := range n {
			k, v := &s.keys[i], &s.values[i]
			out.Flows++
			if why := s.due(k, v, now, limit); why != Kept {
				s.idle = append(s.idle, doomed{*k, why})
				continue
			}
			if s.difference(c, k, v, Kept, out) {
				report(&s.delta)
			}
		}
		switch {
		case errors.Is(err, ebpf.ErrKeyNotExist):
			return s.remove(c, out, report)
		case errors.Is(err, unix.ENOSPC) && len(s.keys) < s.capacity:
			// The cursor has not moved: the same bucket is read again.
			s.keys = make([]kernelFlowKey, 2*len(s.keys))
			s.values = make([]kernelFlowRecord, 2*len(s.values))
		case err != nil:
			return err
		}
	}
}

// due says whether a flow is to be removed.
func (s *sweeper) due(k *kernelFlowKey, v *kernelFlowRecord, now uint64, limit time.Duration) Removal {
	silent := time.Duration(now - min(now, v.LastNs))
	timeout := s.cfg.Timeouts.Other
	if k.Proto == protoTCP && KeyFlags(k.Flags)&KeyFragment == 0 {
		timeout = s.cfg.Timeouts.TCP
		a, b := v.Side[0].TcpFlags, v.Side[1].TcpFlags
		if ((a&b)&tcpFIN != 0 || (a|b)&tcpRST != 0) && silent >= min(s.cfg.Timeouts.Closed, limit) {
			return GoneClosed
		}
	}
	switch {
	case silent >= timeout:
		return GoneIdle
	case silent >= limit:
		return GoneForRoom
	default:
		return Kept
	}
}

// remove takes flows out of the table, one by one and together with their last
// counters: whatever has been added since they were read is in there.
func (s *sweeper) remove(c *clock, out *Swept, report func(*Delta)) error {
	for i := range s.idle {
		d := &s.idle[i]
		v := &s.values[0]
		err := s.flows.LookupAndDelete(&d.key, v)
		if errors.Is(err, ebpf.ErrKeyNotExist) { // by somebody's hand
			s.forget(&d.key)
			continue
		}
		if err != nil {
			return fmt.Errorf("remove a flow: %w", err)
		}
		out.Flows--
		out.Removed++
		s.difference(c, &d.key, v, d.why, out)
		report(&s.delta)
		s.forget(&d.key)
	}
	return nil
}

// recall returns what has been reported of a flow, which is made if need be.
func (s *sweeper) recall(k *kernelFlowKey) *known {
	if i := s.known[s.prev].next; i != 0 && s.known[i].key == *k {
		s.prev = i
		return &s.known[i]
	}
	i, ok := s.index[*k]
	if !ok {
		if n := len(s.spare); n > 0 {
			i, s.spare = s.spare[n-1], s.spare[:n-1]
		} else {
			i = int32(len(s.known))
			s.known = append(s.known, known{})
		}
		s.known[i] = known{key: *k}
		s.index[*k] = i
	}
	s.known[s.prev].next = i
	s.prev = i
	return &s.known[i]
}

// forget gives up what has been reported of a flow that is gone.
func (s *sweeper) forget(k *kernelFlowKey) {
	i, ok := s.index[*k]
	if !ok {
		return
	}
	s.known[i] = known{}
	s.spare = append(s.spare, i)
	delete(s.index, *k)
	s.prev = 0
}

// difference writes into s.delta what has been added to a flow. It is false if
// there is nothing to tell.
func (s *sweeper) difference(c *clock, k *kernelFlowKey, v *kernelFlowRecord, why Removal, out *Swept) bool {
	was := s.recall(k)
	if was.incarnation != v.FirstNs {
		*was = known{key: was.key, next: was.next, incarnation: v.FirstNs}
	}
	fresh := was.packets == [2]uint64{}
	d := &s.delta
	changed := false
	for i := range v.Side {
		side := &v.Side[i]
		d.Packets[i] = advance(&was.packets[i], side.Packets, out)
		d.Bytes[i] = advance(&was.bytes[i], side.Bytes, out)
		d.Payload[i] = advance(&was.payload[i], side.Payload, out)
		changed = changed || d.Packets[i] != 0
	}
	if !changed && why == Kept {
		return false // nothing came, or the program is about to add the first packet
	}
	d.describe(k, v)
	s.budgets(d, v)
	d.New, d.Removed = fresh, why
	d.First, d.Last = c.unix(v.FirstNs), c.unix(max(v.FirstNs, v.LastNs))
	return true
}

// advance moves a counter on and returns by how much.
func advance(was *uint64, now uint64, out *Swept) uint64 {
	if now < *was {
		out.Implausible++
		return 0
	}
	d := now - *was
	*was = now
	return d
}

// describe copies what is known of a flow as a whole.
func (d *Delta) describe(k *kernelFlowKey, v *kernelFlowRecord) {
	d.Key = FlowKey{
		Addr:    k.Addr,
		Port:    [2]uint16{networkOrder(k.Port[0]), networkOrder(k.Port[1])},
		Proto:   k.Proto,
		Flags:   KeyFlags(k.Flags),
		VLAN:    k.Vlan,
		Ifindex: k.Ifindex,
	}
	d.Incarnation = v.FirstNs
	d.FirstSide, d.InnerVLAN = v.FirstSide, v.InnerVlan
	for i := range v.Side {
		s := &v.Side[i]
		d.Flags[i], d.MAC[i] = s.TcpFlags, s.Mac
	}
}

// budgets says what of a flow's payloads has gone up, and whether more will.
func (s *sweeper) budgets(d *Delta, v *kernelFlowRecord) {
	tcp := d.Key.Proto == protoTCP && d.Key.Flags&KeyFragment == 0
	d.Always = v.Class != 0
	for i := range v.Side {
		side := &v.Side[i]
		d.Heads[i], d.HeadsLost[i] = side.Heads, side.HeadsLost
		if tcp {
			d.HeadsDone[i] = int(side.Heads) >= s.cfg.HeadSegments || int(side.HeadBytes) >= s.cfg.HeadBytes
		} else {
			d.HeadsDone[i] = int(side.Heads) >= s.cfg.HeadDatagrams
		}
		d.HeadsDone[i] = d.HeadsDone[i] && !d.Always
	}
}

// networkOrder reads a number that lies in memory in network byte order.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], v)
	return binary.BigEndian.Uint16(b[:])
}
