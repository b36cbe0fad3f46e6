package ebpf

import "time"

// Via says by what a program is attached to an interface.
type Via uint8

// Ways to attach.
const (
	// TCX is a link (Linux 6.6): it goes away with the process, and lives
	// beside the programs of others.
	TCX Via = iota + 1
	// Clsact is a direct-action filter of the clsact queueing discipline. It
	// stays when the process is killed; the next Attach removes it.
	Clsact
)

// String names the way as users know it.
func (v Via) String() string {
	switch v {
	case TCX:
		return "tcx"
	case Clsact:
		return "clsact"
	default:
		return "unknown"
	}
}

// KeyFlags are properties of a FlowKey.
type KeyFlags uint8

// Flags of a key; as in parse.h.
const (
	// KeyIPv6 marks IPv6: a packet of it may carry v4-mapped addresses.
	KeyIPv6 KeyFlags = 1 << iota
	// KeyFragment marks fragments that do not tell their ports, which are all
	// but the first of a datagram. Ports are 0.
	KeyFragment
	// KeyHigherSent marks ICMP of which the message, or the request, was sent
	// by Addr[1].
	KeyHigherSent
)

// FlowKey identifies a flow at an interface, the same in both directions.
type FlowKey struct {
	Addr    [2][16]byte // lower first, as bytes; IPv4 is v4-mapped
	Port    [2]uint16   // TCP, UDP, SCTP: of the respective end. ICMP: see ICMP
	Proto   uint8       // IP protocol number behind all extension headers
	Flags   KeyFlags
	VLAN    uint16 // outermost id that is not 0, 0 if untagged
	Ifindex uint32
}

// ICMP says which messages the flow consists of: echo requests with an
// identifier and their replies, or messages of one type and code from one side.
// side is who sent them, or the requests: the index in Addr. It is false for
// other protocols, and for fragments.
func (k *FlowKey) ICMP() (typ, code uint8, id uint16, side int, ok bool) {
	v6 := k.Flags&KeyIPv6 != 0
	if k.Flags&KeyFragment != 0 || (v6 && k.Proto != 58) || (!v6 && k.Proto != 1) {
		return 0, 0, 0, 0, false
	}
	if k.Flags&KeyHigherSent != 0 {
		side = 1
	}
	return uint8(k.Port[0] >> 8), uint8(k.Port[0]), k.Port[1], side, true
}

// Removal says why a flow was taken out of the kernel's table.
type Removal uint8

// Reasons to remove a flow.
const (
	Kept        Removal = iota // it is still there
	GoneClosed                 // closed both ways or reset, and silent since
	GoneIdle                   // silent for its timeout
	GoneForRoom                // silent for a shorter time, while the table was nearly full
)

// Delta is what was added to a flow since it was last reported. Index 0 of a
// pair is what Key.Addr[0] sent.
type Delta struct {
	Key FlowKey
	// Incarnation differs between successive flows of the same key.
	Incarnation uint64
	New         bool    // the first delta of this incarnation
	Removed     Removal // the last one, if not Kept

	Packets [2]uint64 // as on the wire: segments that offload has put together count each
	Bytes   [2]uint64 // of their IP datagrams, headers included
	Payload [2]uint64 // bytes above layer 4

	// The following are of the flow as a whole.
	First, Last int64      // nanoseconds since the Unix epoch; Last to within a tick of the kernel, up to 10 ms
	FirstSide   uint8      // who sent the first packet
	Flags       [2]uint8   // union of TCP flags
	MAC         [2][6]byte // source address of the first frame; zero if there was none, or no link header
	InnerVLAN   uint16     // of the first packet, behind Key.VLAN
	Heads       [2]uint16  // payloads that went up within the budget
	HeadsLost   [2]uint16  // payloads that should have and did not: rate or ring; saturates
	HeadsDone   [2]bool    // no more go up: the budget is spent
	Always      bool       // all payload goes up, because of the port
}

// Head is a packet that was sent up. It is counted elsewhere: in the delta of
// its flow, or as NonIP.
type Head struct {
	Time     int64 // nanoseconds since the Unix epoch
	Ifindex  uint32
	Class    Class
	Egress   bool   // on its way out of the interface
	Layer3   bool   // Data begins with the IP header
	Segments int    // packets of the wire that it stands for
	Length   int    // of the frame, without the tag that was taken off
	VLAN     uint16 // tag that the kernel took off the frame, as capture.Packet has it
	TPID     uint16 // its EtherType, 0 if none was taken off
	Data     []byte // first bytes of the frame, at most 12,256; valid until the next ReadHead
}

// Swept is what a sweep found.
type Swept struct {
	Flows    int // in the kernel's table, after it
	Capacity int
	Reported int // deltas
	Removed  int
	// Implausible counts counters that went back, which none ever should.
	Implausible int
	// Next is when to sweep again: the sooner, the fuller the table is.
	Next time.Duration
}

// Overflow counts the packets of flows that found the table full.
type Overflow struct{ Packets, Bytes uint64 }

// Indexes of InterfaceStats.Overflow.
const (
	OverflowTCP = iota
	OverflowUDP
	OverflowICMP
	OverflowOther
)

// Indexes of directions.
const (
	Ingress = iota
	Egress
)

// InterfaceStats counts the packets of an interface since the Collector was
// opened, over all times that it was attached to. Every packet seen is in
// exactly one of Counted, Full, Race and Refused.
type InterfaceStats struct {
	Ifindex  uint32
	Attached bool

	Seen    uint64
	Counted uint64             // added to a flow
	Full    uint64             // the table was full; see Overflow
	Race    uint64             // the flow was removed in the same moment
	Refused [numReasons]uint64 // by Reason

	Overflow [2][4]Overflow // by direction and protocol: what Full counts

	Heads   [numClasses]uint64 // sent up, by Class
	Limited [numClasses]uint64 // not sent up: rate
	Dropped [numClasses]uint64 // not sent up: the ring was full
}

// Account is where every packet seen has gone.
type Account struct {
	Seen     uint64 // by the program, at its beginning
	Reported uint64 // in deltas
	Full     uint64
	NonIP    uint64
	Faulty   uint64 // refused for all reasons but NonIP
	Race     uint64
}

// Unattributed is the number of packets seen that are nowhere else. It is 0
// when a sweep has followed the last packet; meanwhile it is what waits in the
// kernel's table.
func (a *Account) Unattributed() int64 {
	return int64(a.Seen - a.Reported - a.Full - a.NonIP - a.Faulty - a.Race)
}
