package capture

// Delta is what the kernel counted of one flow since it was last asked. It
// stands for packets that were not handed out; those of them that were, because
// their payload is worth reading, came before it in a Batch of heads and must
// not be counted twice. Pairs are indexed by the sending end: 0 is the one with
// the lower address.
type Delta struct {
	Addr  [2][16]byte // lower first; IPv4 is v4-mapped
	Port  [2]uint16   // TCP, UDP and SCTP, else 0
	Proto uint8       // IP protocol number behind all extension headers
	IPv6  bool
	// Fragment marks fragments other than the first, which have no ports: all
	// that these two addresses exchange with this protocol are one Delta.
	Fragment bool

	// ICMP: type and code as sent by the end First, and the identifier of echo
	// messages. The reply to a request is counted with it where both are echo
	// messages.
	ICMPType, ICMPCode uint8
	ICMPID             uint16

	VLAN  uint16 // outermost VLAN id, 0 if untagged
	Iface uint16 // index into Source.Interfaces
	First uint8  // the end that sent the first packet, or the ICMP request

	MAC     [2][6]byte // source address of its frames; zero if it has not sent or the link has none
	Packets [2]uint64  // as on the wire: each segment of what the hardware cuts or puts together
	Bytes   [2]uint64  // bytes of the IP datagrams, headers included
	Payload [2]uint64  // bytes above layer 4
	Flags   [2]uint8   // TCP flags, union since Begin

	// Time of the first packet since the kernel knows the flow, and of the
	// latest, in nanoseconds since the Unix epoch. Begin stays the same until
	// the kernel forgets the flow; both are exact to 10 ms.
	Begin, Last int64

	// HeadsLost counts the packets of each direction since Begin that were
	// worth reading and were not handed out for want of room. HeadsDone says
	// that no more packets of a direction will be handed out.
	HeadsLost [2]uint16
	HeadsDone [2]bool
}

// DeltaLag bounds how long after a packet the Delta that counts it is handed
// out, in nanoseconds: a kernel is asked once a second, and what was handed out
// of packets goes first.
const DeltaLag = int64(3e9)
