//go:build !386 && !arm && !mips && !mipsle

package ebpf

import "fmt"

// Stats returns the counters of every interface that has been attached to, in
// the order of their first attachment.
func (c *Collector) Stats() ([]InterfaceStats, error) {
	c.mu.Lock()
	slots := c.slots
	c.mu.Unlock()
	var out []InterfaceStats
	var perCPU []kernelCounterSet
	for i := range slots {
		if slots[i].ifindex == 0 {
			break
		}
		if err := c.maps[kernelMapCounters].Lookup(uint32(i), &perCPU); err != nil {
			return nil, fmt.Errorf("read counters of interface %s: %w", interfaceName(int(slots[i].ifindex)), err)
		}
		s := InterfaceStats{Ifindex: slots[i].ifindex, Attached: slots[i].attach != nil}
		for j := range perCPU {
			s.add(&perCPU[j])
		}
		out = append(out, s)
	}
	return out, nil
}

// add adds the counters of a CPU.
func (s *InterfaceStats) add(k *kernelCounterSet) {
	s.Seen += k.Seen
	s.Counted += k.Counted
	s.Full += k.Full
	s.Race += k.Race
	for i := range s.Refused {
		s.Refused[i] += k.Refused[i]
	}
	for i := range s.Heads {
		s.Heads[i] += k.Heads[i]
		s.Limited[i] += k.Limited[i]
		s.Dropped[i] += k.Dropped[i]
	}
	for dir := range s.Overflow {
		for i := range s.Overflow[dir] {
			s.Overflow[dir][i].Packets += k.Overflow[dir][i].Packets
			s.Overflow[dir][i].Bytes += k.Overflow[dir][i].Bytes
		}
	}
}

// Account says where every packet seen has gone.
func (c *Collector) Account() (Account, error) {
	stats, err := c.Stats()
	if err != nil {
		return Account{}, err
	}
	c.mu.Lock()
	a := Account{Reported: c.total.packets}
	c.mu.Unlock()
	for i := range stats {
		s := &stats[i]
		a.Seen += s.Seen
		a.Full += s.Full
		a.Race += s.Race
		a.NonIP += s.Refused[NonIP]
		for r := NonIP + 1; r < numReasons; r++ {
			a.Faulty += s.Refused[r]
		}
	}
	return a, nil
}
