// Package wire turns payload bytes into typed messages, one file per protocol.
// It owns the knowledge of wire formats above TCP and UDP (and of ARP) and
// nothing else: parsers are pure functions over byte slices, without I/O,
// logging or clocks.
//
// It promises that no bytes whatsoever make a parser panic, loop or allocate
// in proportion to a length field that it has not bounded. It must not keep a
// reference to the bytes it was given: a Message owns its memory.
package wire

import "errors"

// What a parser may say instead of a message. They are wrapped with context.
var (
	// ErrTruncated: the bytes end before the message does, as far as they go
	// they are in order. With a stream this means "wants more".
	ErrTruncated = errors.New("truncated")
	// ErrMalformed: the bytes claim to be this protocol and contradict it.
	ErrMalformed = errors.New("malformed")
	// ErrNotMine: the bytes are of another protocol.
	ErrNotMine = errors.New("not this protocol")
	// ErrDone: the stream holds nothing more that a parser could read, for
	// instance because it is encrypted from here on.
	ErrDone = errors.New("nothing more to read")
)

// Dir tells the two directions of a conversation apart.
type Dir uint8

// Directions. Which end is the client is the flow table's judgement (SYN
// sender, else first seen): parsers recognise requests and responses by
// content and use Dir only to keep the two directions apart.
const (
	FromClient Dir = 0
	FromServer Dir = 1
)

// Message is one parsed protocol message: *DNS, *ClientHello, *ServerHello,
// *Certificate, *HTTPRequest, *HTTPResponse, *DHCPv4 or *ARP.
type Message interface {
	// Protocol is the name of the protocol in the EVE vocabulary: "dns",
	// "mdns", "llmnr", "tls", "http", "dhcp", "arp".
	Protocol() string
}

// Match is a recogniser's verdict on the first bytes of one direction.
type Match uint8

// Verdicts of Protocol.Sniff.
const (
	No    Match = iota // certainly another protocol
	Maybe              // too few bytes to tell
	Yes                // the bytes look like this protocol
)

// Protocol is one row of the table of protocols that can be read.
type Protocol struct {
	Name     string   // EVE name
	UDPPorts []uint16 // registered server ports over UDP: tried first, never proof
	TCPPorts []uint16 // registered server ports over TCP: tried first, never proof

	// Datagram parses one UDP payload; nil if the protocol has none.
	Datagram func(b []byte) (Message, error)

	// Sniff looks at the first in-order bytes of a TCP direction; nil if the
	// protocol does not run over TCP.
	Sniff func(dir Dir, b []byte) Match
	// NewStream returns a parser for one TCP connection.
	NewStream func() Stream
}

// Stream parses one TCP connection, both directions, in order. It is not safe
// for concurrent use.
type Stream interface {
	// Feed is given the bytes of one direction that it has not consumed yet,
	// in order and without gaps, and appends to msgs what it finds at their
	// head. It returns how many bytes it is done with; the rest will be given
	// again together with what follows. A nil error with n < len(b) means
	// that it wants more. ErrDone means that this stream needs no more
	// feeding in either direction; any other error, that the bytes are not
	// (or no longer) of this protocol.
	Feed(dir Dir, b []byte, msgs []Message) (n int, out []Message, err error)
}
