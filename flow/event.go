// Package flow turns frames into flow events: it decodes layers 2 to 4,
// keeps the flow table, reassembles what must be reassembled within fixed
// bounds, and hands first payloads to the parsers of wire.
//
// It promises no allocation per packet, memory bounded by its Config, and
// events whose content and order depend on the packets alone, not on how they
// were batched or spread over shards. It must not judge: what is normal is
// decided downstream.
package flow

import (
	"bytes"
	"cmp"
	"math"
	"net/netip"
	"time"

	"gatehouse/wire"
)

// EventKind says at which moment of a flow an Event was emitted.
type EventKind uint8

// Moments of a flow.
const (
	Start  EventKind = iota + 1 // first packet
	Update                      // a message was parsed, or UpdateEvery has passed
	End                         // FIN/RST, idle, eviction or end of input
	Frame                       // not a flow: a link-layer message such as ARP
)

// EndReason says why a flow ended; empty unless Kind is End.
type EndReason string

// Reasons for an End event.
const (
	EndClosed  EndReason = "closed"   // FIN both ways or RST
	EndIdle    EndReason = "timeout"  // idle timeout
	EndEvicted EndReason = "evicted"  // table full
	EndInput   EndReason = "shutdown" // end of input or of the program
)

// Endpoint is one end of a flow.
type Endpoint struct {
	Addr netip.Addr
	Port uint16
	MAC  [6]byte // source address of its frames as seen here; zero if the link has none
}

// Initiator says how the client of a flow was told from the server.
type Initiator uint8

// Evidence for who opened a flow, best first.
const (
	BySYN       Initiator = iota // sent the SYN, or received the SYN-ACK
	ByPort                       // joined mid-stream; the other end has a well-known service port, or an ICMP reply type
	ByFirstSeen                  // sent the first packet seen
)

// Record is what is known of one flow. Index 0 of a pair is from the client,
// 1 from the server. Client and Server never change places during a flow.
type Record struct {
	// ID is the same in all events of one flow and differs between flows,
	// also between successive ones of the same five-tuple. It depends on the
	// packets alone. 0 in Frame events.
	ID uint64

	Client, Server Endpoint // ICMP has no ports: 0
	Proto          uint8    // IP protocol number
	VLAN           uint16   // outermost VLAN id seen on either direction, 0 if untagged
	Iface          uint16   // capture interface of the first packet
	Tunnel         bool     // the flow was found inside a tunnel
	Initiator      Initiator
	Midstream      bool  // TCP: joined after the handshake
	ICMPType       uint8 // of the client's message: 8 for a ping even if only the reply was seen
	ICMPCode       uint8
	ICMPID         uint16 // identifier of echo messages

	First, Last int64 // nanoseconds since the Unix epoch
	Packets     [2]uint64
	Bytes       [2]uint64 // bytes of the IP datagram (headers included), as on the wire
	Payload     [2]uint64 // bytes above layer 4, as on the wire
	Flags       [2]uint8  // union of TCP flags

	App string // protocol recognised by content, EVE name, "" if unknown
	// Upgrade is the protocol that both ends agreed to go on in, such as "tls"
	// after STARTTLS or CONNECT, once it was recognised; else "".
	Upgrade string
	// Expected is the protocol that the server's port is registered for, EVE
	// name, if the payload is certainly not of it; else "". App may then be
	// another protocol or unknown.
	Expected string
}

// Duration is the time between first and last packet.
func (r *Record) Duration() time.Duration { return time.Duration(r.Last - r.First) }

// Event is one thing that happened to a flow. Events are values; Messages
// belongs to the event. Messages come with Update and Frame events, and with
// End where the end of a connection completed one.
//
// A flow starts and ends once, in this order. There is one exception: while
// seven eighths of the flow table are taken, a flow of which nothing has come
// yet - no answer, or a TCP handshake that was not completed or was refused -
// is announced only as far as a fixed number of events a second allows. Its
// Start then comes with the packet that changes this, or not at all, and then
// no End either: see Stats.Unannounced and Stats.Flood. So a flood cannot drown
// who reads events. A table that is less full announces every flow.
//
// The Time of a timeout is the moment at which it was due (last packet plus
// timeout), however much later it was noticed. Compare gives the order.
type Event struct {
	Kind     EventKind
	Reason   EndReason
	Time     int64  // nanoseconds since the Unix epoch, packet time
	Seq      uint64 // ordinal of the packet that caused it, from 1; 0 for timeouts, SeqClose at the end of input
	Record   Record
	Messages []wire.Message
	// Missed counts the packets since the last event of this flow whose payload
	// was worth reading and that a kernel which counts for us could not hand
	// out: messages may be missing. 0 where all packets are handed out.
	Missed uint32
}

// SeqClose is the Seq of the End events that Shard.Close emits: they come
// after every packet of their time.
const SeqClose = math.MaxUint64

// Compare orders events by time, then timeouts before packets, packets by
// ordinal and the end of input last. Of what one packet caused, the End of a
// flow that makes room comes before the Start of the one that takes its place,
// and that before its Update; the rest is settled by addresses, ports,
// protocol, VLAN and ID. The order is total and does not depend on how packets
// were spread over shards.
func Compare(a, b *Event) int {
	if c := cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq)); c != 0 {
		return c
	}
	x, y := &a.Record, &b.Record
	return cmp.Or(
		cmp.Compare(a.Kind.rank(), b.Kind.rank()),
		x.Client.compare(&y.Client),
		x.Server.compare(&y.Server),
		cmp.Compare(x.Proto, y.Proto),
		cmp.Compare(x.VLAN, y.VLAN),
		cmp.Compare(x.ID, y.ID),
	)
}

func (k EventKind) rank() int {
	if k == End {
		return 0
	}
	return int(k)
}

func (e *Endpoint) compare(o *Endpoint) int {
	return cmp.Or(e.Addr.Compare(o.Addr), cmp.Compare(e.Port, o.Port), bytes.Compare(e.MAC[:], o.MAC[:]))
}

var kindNames = [...]string{Start: "start", Update: "update", End: "end", Frame: "frame"}

// String names the moment in lower case.
func (k EventKind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}
