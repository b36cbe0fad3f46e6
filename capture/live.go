package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Reasons why a live source cannot be opened, to be matched with errors.Is.
var (
	ErrNoInterface = errors.New("no such network interface")
	ErrPermission  = errors.New("not allowed to capture: CAP_NET_RAW is needed (setcap cap_net_raw+ep gatehouse, or run as root)")
	ErrNotLinux    = errors.New("live capture works on Linux only")
)

// Bounds of a live configuration.
const (
	maxInterfaceNameLive = 15      // bytes, IFNAMSIZ - 1
	maxWorkers           = 64      // rings an interface
	minRing              = 2 << 20 // bytes: four blocks for the batches under way, four for the kernel
	maxRing              = 1 << 30
	minSnap              = 64 // bytes: Ethernet, two VLAN tags and IPv6
	maxExclude           = 64 // endpoints; each takes up to 40 of the 4,096 instructions of a filter
)

// LiveConfig says what is captured from which interfaces.
type LiveConfig struct {
	// Interfaces names them, each once. Their order is that of their indexes
	// in Packet.Iface, as far as they exist when the source is opened.
	Interfaces []string
	// Workers is how many rings each interface has, 1 to 64. The kernel
	// spreads frames over them by a hash of addresses and ports, the same for
	// both directions. With several workers the kernel reassembles IPv4
	// fragments first, so that they stay with their flow: datagrams that lack a
	// piece are not seen. IPv6 fragments are spread by address alone.
	Workers int
	// RingBytes is the memory of each ring, 2 MiB to 1 GiB, rounded down to
	// whole blocks of 256 KiB. What arrives while it is full is dropped and
	// counted.
	RingBytes int
	// SnapLen is how many bytes of a frame are kept, at least 64, 0 for all.
	SnapLen int
	// Promiscuous asks for frames that are not addressed to this machine. It
	// ends with the source.
	Promiscuous bool
	// HardwareTime asks for time stamps of the network hardware. They are by
	// the clock of that hardware: something like phc2sys must keep it. Where
	// an interface does not offer them the kernel's stamps are used, as they
	// are without this; LiveStats.HardwareTime tells which.
	HardwareTime bool
	// Filter says which frames are captured.
	Filter Filter
	// Exclude lists endpoints whose traffic is not captured, such as the sinks
	// that this machine reports to; port 0 stands for all ports. At most 64.
	// Later fragments have no ports, and are captured.
	Exclude []netip.AddrPort
	// AwaitInterfaces lets the source open while an interface does not exist,
	// and capture from it when it comes.
	AwaitInterfaces bool
}

// DefaultLiveConfig captures whole frames from the named interfaces,
// promiscuously, into one ring of 8 MiB for each: at 500,000 small packets a
// second that is room for about 100 ms without reading.
func DefaultLiveConfig(interfaces ...string) LiveConfig {
	return LiveConfig{
		Interfaces:  interfaces,
		Workers:     1,
		RingBytes:   8 << 20,
		Promiscuous: true,
	}
}

// Validate reports the first thing in c that cannot work.
func (c *LiveConfig) Validate() error {
	if len(c.Interfaces) == 0 {
		return errors.New("live capture: no interface named")
	}
	for i, name := range c.Interfaces {
		switch {
		case name == "" || len(name) > maxInterfaceNameLive || strings.ContainsAny(name, "/ \t\n\x00"):
			return fmt.Errorf("live capture: %q cannot be the name of an interface", name)
		case slices.Contains(c.Interfaces[:i], name):
			return fmt.Errorf("live capture: interface %s is named twice", name)
		}
	}
	switch {
	case c.Workers < 1 || c.Workers > maxWorkers:
		return fmt.Errorf("live capture: %d workers, must be 1 to %d", c.Workers, maxWorkers)
	case c.RingBytes < minRing || c.RingBytes > maxRing:
		return fmt.Errorf("live capture: ring of %d bytes, must be %d to %d", c.RingBytes, minRing, maxRing)
	case c.SnapLen != 0 && c.SnapLen < minSnap:
		return fmt.Errorf("live capture: snap length of %d bytes, must be at least %d, or 0 for whole frames", c.SnapLen, minSnap)
	case c.SnapLen > wholeFrame:
		return fmt.Errorf("live capture: snap length of %d bytes, must be at most %d", c.SnapLen, wholeFrame)
	}
	return validateExclude(c.Exclude)
}

func validateExclude(endpoints []netip.AddrPort) error {
	if len(endpoints) > maxExclude {
		return fmt.Errorf("live capture: %d excluded endpoints, at most %d", len(endpoints), maxExclude)
	}
	for _, e := range endpoints {
		if !e.Addr().IsValid() {
			return errors.New("live capture: an excluded endpoint has no address")
		}
	}
	return nil
}

// LiveStats accounts for the frames of one interface since the source was
// opened. Every frame that passed the filter is in Seen, and
//
//	Seen = Delivered + RingFull + Malformed + Unread + what waits in the rings
//
// where at most the frames of the last 120 ms wait when the reader keeps up. Of
// an interface whose flows the kernel counts
//
//	Seen = Delivered + Excluded + Overflow + Refused + Race + Unread + what waits in the kernel
//
// where what came since the last second waits.
type LiveStats struct {
	Interface    string
	Method       Method // how it is captured from; "" before it is
	Present      bool   // the interface exists, is up and is captured from
	HardwareTime bool   // packets carry time stamps of the hardware
	Err          error  // why it is not captured from, nil if it is or is merely down

	Seen      uint64 // frames that passed the filter
	Delivered uint64 // frames handed out by Read, or counted in deltas that were, or without IP
	Bytes     uint64 // length on the wire of those; of deltas that of the IP datagrams
	RingFull  uint64 // frames dropped by the kernel because no block of the ring was free
	Freezes   uint64 // times that a ring became full
	Malformed uint64 // frames lost in blocks that made no sense
	Unread    uint64 // frames left in a ring when it was closed

	// Outages counts the times that the interface went down or away, Outage is
	// how long that was in all. Frames of that time are not seen by anyone.
	Outages uint64
	Outage  time.Duration

	// Of an interface whose flows the kernel counts.
	Excluded uint64 // frames of LiveConfig.Exclude
	Overflow uint64 // frames of flows for which the kernel's table had no room
	Refused  uint64 // frames that the kernel could not read
	Race     uint64 // frames of flows that were forgotten in the same moment
	Hidden   uint64 // frames without IP, of those delivered, that were not handed out
	// Heads are the packets that the kernel handed out for their content, or
	// should have, by ebpf.Class.
	Heads [HeadClasses]HeadStats
}

// HeadClasses is more than the greatest ebpf.Class.
const HeadClasses = 16

// HeadStats counts the packets of one class whose content is worth reading.
type HeadStats struct {
	Sent    uint64 // handed out
	Limited uint64 // not handed out: more came than the class is allowed
	Dropped uint64 // not handed out: the ring was full
}

// Add adds up.
func (s *HeadStats) Add(o HeadStats) {
	s.Sent += o.Sent
	s.Limited += o.Limited
	s.Dropped += o.Dropped
}

// Lost is the number of packets whose content was not handed out.
func (s *HeadStats) Lost() uint64 { return s.Limited + s.Dropped }

// Lost is the number of frames that passed the filter and were not, and will
// not be, delivered.
func (s *LiveStats) Lost() uint64 { return s.RingFull + s.Malformed + s.Unread + s.Overflow + s.Race }
