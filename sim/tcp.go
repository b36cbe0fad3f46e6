package sim

import (
	"encoding/binary"
	"time"

	"github.com/google/gopacket/layers"
)

// tcpStack is how an operating system opens TCP connections.
type tcpStack struct {
	window     uint16
	options    func(now instant) []layers.TCPOption // of the SYN
	timestamps bool                                 // RFC 7323 on every segment
	plain      bool                                 // knows neither window scaling nor SACK
}

func opt(kind layers.TCPOptionKind, data ...byte) layers.TCPOption {
	return layers.TCPOption{OptionType: kind, OptionData: data}
}

var (
	tcpNop  = layers.TCPOption{OptionType: layers.TCPOptionKindNop}
	tcpMSS  = opt(layers.TCPOptionKindMSS, 0x05, 0xb4) // 1,460
	tcpSACK = opt(layers.TCPOptionKindSACKPermitted)
)

func tcpTime(now instant, echo uint32) layers.TCPOption {
	b := binary.BigEndian.AppendUint32(nil, tick(now))
	return opt(layers.TCPOptionKindTimestamps, binary.BigEndian.AppendUint32(b, echo)...)
}

// tick is the millisecond clock of RFC 7323 timestamps.
func tick(now instant) uint32 { return uint32(uint64(now) / uint64(time.Millisecond)) }

// The option orders are those of p0f's fingerprints for these systems.
var (
	linuxStack = &tcpStack{64240, func(now instant) []layers.TCPOption {
		return []layers.TCPOption{tcpMSS, tcpSACK, tcpTime(now, 0), tcpNop, opt(layers.TCPOptionKindWindowScale, 7)}
	}, true, false}
	appleStack = &tcpStack{65535, func(now instant) []layers.TCPOption {
		return []layers.TCPOption{tcpMSS, tcpNop, opt(layers.TCPOptionKindWindowScale, 6), tcpNop, tcpNop, tcpTime(now, 0), tcpSACK}
	}, true, false}
	windowsStack = &tcpStack{64240, func(instant) []layers.TCPOption {
		return []layers.TCPOption{tcpMSS, tcpNop, opt(layers.TCPOptionKindWindowScale, 8), tcpNop, tcpNop, tcpSACK}
	}, false, false}
	lwipStack = &tcpStack{5744, func(instant) []layers.TCPOption {
		return []layers.TCPOption{tcpMSS}
	}, false, true}
)

// mss is the payload that both ends put into one segment; with timestamps 12
// bytes less.
const mss = 1460

// offload is how many bytes of a bulk transfer one captured frame stands for:
// 31 segments joined by receive offload, which is what captures taken on a
// gateway's own interfaces show.
const offload = 31 * 1448

// Directions, as indexes: who sends.
const (
	client = 0
	server = 1
)

// conn is one TCP connection as it crosses the gateway. Its clock moves on with
// what is sent; the owner may move it further.
type conn struct {
	net   *cable
	rnd   *stream
	end   [2]*peer
	port  [2]uint16
	seq   [2]uint32 // next to be sent
	seen  [2]uint32 // last timestamp clock value of this end
	win   [2]uint16
	stack *tcpStack
	t     instant
	turn  int  // who sent last
	odd   bool // one segment waits for its acknowledgement
	dead  bool // reset, closed or never opened
}

// open performs the three-way handshake; the connection is dead if nobody
// answered.
func (c *conn) open() {
	c.win = [2]uint16{c.stack.window, 65160}
	c.seq = [2]uint32{uint32(c.rnd.src.Uint64()), uint32(c.rnd.src.Uint64())}
	options := c.stack.options(c.t)
	c.seen[client] = tick(c.t)
	if c.unanswered() {
		// RFC 6298: the SYN again after 1, 2 and 4 seconds.
		wait := time.Second
		for range 4 {
			c.net.segment(c.t, c.end[client], c.end[server], c.port[client], c.port[server],
				segment{flags: syn, seq: c.seq[client], window: c.win[client], options: options})
			c.t = c.t.add(wait)
			wait *= 2
		}
		c.dead = true
		return
	}
	c.net.segment(c.t, c.end[client], c.end[server], c.port[client], c.port[server],
		segment{flags: syn, seq: c.seq[client], window: c.win[client], options: options})
	c.seq[client]++
	c.pass(client)
	answer := []layers.TCPOption{tcpMSS, tcpNop, tcpNop, tcpSACK, tcpNop, opt(layers.TCPOptionKindWindowScale, 7)}
	switch { // a server answers only what was offered
	case c.stack.timestamps:
		answer = []layers.TCPOption{tcpMSS, tcpSACK, tcpTime(c.t, c.seen[client]), tcpNop, opt(layers.TCPOptionKindWindowScale, 7)}
	case c.stack.plain:
		answer = []layers.TCPOption{tcpMSS}
	}
	c.seen[server] = tick(c.t)
	c.net.segment(c.t, c.end[server], c.end[client], c.port[server], c.port[client],
		segment{flags: syn | ack, seq: c.seq[server], ack: c.seq[client], window: c.win[server], options: answer})
	c.seq[server]++
	c.pass(server)
	if !c.stack.plain {
		c.win = [2]uint16{502, 509} // scaled from here on
	}
	c.emit(client, c.t, segment{flags: ack})
	c.t = c.t.add(c.rnd.span(30*time.Microsecond, 600*time.Microsecond))
	c.turn = client
}

// refuse is an open that the server answers with a reset.
func (c *conn) refuse() {
	c.seq[client] = uint32(c.rnd.src.Uint64())
	c.net.segment(c.t, c.end[client], c.end[server], c.port[client], c.port[server],
		segment{flags: syn, seq: c.seq[client], window: c.stack.window, options: c.stack.options(c.t)})
	c.pass(client)
	c.net.segment(c.t, c.end[server], c.end[client], c.port[server], c.port[client],
		segment{flags: rst | ack, ack: c.seq[client] + 1})
	c.dead = true
}

// unanswered reports whether the other end cannot be reached at this moment.
func (c *conn) unanswered() bool { return c.end[server].wan && c.net.dead(c.t) }

// pass lets the time go by that it takes from a frame of one end to the
// reaction of the other.
func (c *conn) pass(from int) {
	other := c.end[1-from]
	c.t = c.t.add(2*other.far + c.rnd.span(40*time.Microsecond, 900*time.Microsecond))
}

// emit captures one segment with the current sequence numbers.
func (c *conn) emit(from int, when instant, s segment) {
	if c.end[server].wan && c.net.dead(when) {
		return
	}
	if s.seq == 0 {
		s.seq = c.seq[from]
	}
	s.ack, s.window = c.seq[1-from], c.win[from]
	if c.stack.timestamps {
		c.seen[from] = max(c.seen[from], tick(when))
		s.options = []layers.TCPOption{tcpNop, tcpNop, tcpTime(when, c.seen[1-from])}
	}
	c.net.segment(when, c.end[from], c.end[1-from], c.port[from], c.port[1-from], s)
}

// send carries payload from one end to the other, segment by segment.
func (c *conn) send(from int, payload []byte) {
	if c.lost(from, payload) {
		return
	}
	c.begin(from)
	size := mss
	if c.stack.timestamps {
		size -= 12
	}
	for len(payload) > 0 {
		part := payload[:min(size, len(payload))]
		payload = payload[len(part):]
		flags := uint8(ack)
		if len(payload) == 0 {
			flags |= psh
		}
		c.emit(from, c.t, segment{flags: flags, payload: part})
		if c.rnd.chance(2) { // measured loss on home Wi-Fi after link-layer retries is some per mille
			again := c.t.add(c.rnd.span(210*time.Millisecond, 400*time.Millisecond))
			c.emit(from, again, segment{flags: flags, seq: c.seq[from], payload: part})
		}
		c.seq[from] += uint32(len(part))
		c.acknowledge(from)
		c.t = c.t.add(c.rnd.span(12*time.Microsecond, 180*time.Microsecond))
	}
}

// bulk carries n bytes that nobody will look at, in frames joined by offload.
// A non-zero record type makes them look like TLS records.
func (c *conn) bulk(from, n int, record byte) {
	if c.lost(from, nil) {
		return
	}
	c.begin(from)
	if record != 0 && n%offload < 64 {
		n += 64 // the last frame must hold a whole record
	}
	for n > 0 {
		part := min(n, offload)
		n -= part
		head := c.rnd.bytes(min(part, 48))
		if record != 0 {
			head[0], head[1], head[2] = record, 3, 3
			binary.BigEndian.PutUint16(head[3:], uint16(min(part-5, 1<<14+17)))
		}
		c.emit(from, c.t, segment{flags: ack, payload: head, virtual: part})
		c.seq[from] += uint32(part)
		c.odd = true
		c.acknowledge(from)
		c.t = c.t.add(c.rnd.span(6*time.Millisecond, 22*time.Millisecond))
	}
}

// begin turns the conversation round if the other end spoke last.
func (c *conn) begin(from int) {
	if c.turn != from {
		c.pass(c.turn)
		c.turn = from
		c.odd = false // acknowledged together with the data
	}
}

// acknowledge has every second segment acknowledged (RFC 9293 section 3.8.6.3).
func (c *conn) acknowledge(from int) {
	if c.odd = !c.odd; c.odd {
		return
	}
	c.emit(1-from, c.t.add(2*c.end[1-from].far+c.rnd.span(30*time.Microsecond, 400*time.Microsecond)), segment{flags: ack})
}

// lost handles data sent into a dead line: retransmissions with doubling
// timeouts (RFC 6298), then the client gives up.
func (c *conn) lost(from int, payload []byte) bool {
	if c.dead {
		return true
	}
	if !c.unanswered() {
		return false
	}
	c.dead = true
	if from == server {
		return true
	}
	wait := 400 * time.Millisecond
	part := payload[:min(len(payload), mss-12)]
	for range 5 {
		s := segment{flags: ack | psh, seq: c.seq[client], ack: c.seq[server], window: c.win[client], payload: part}
		if c.stack.timestamps {
			s.options = []layers.TCPOption{tcpNop, tcpNop, tcpTime(c.t, c.seen[server])}
		}
		c.net.segment(c.t, c.end[client], c.end[server], c.port[client], c.port[server], s)
		c.t = c.t.add(wait)
		wait *= 2
	}
	return true
}

// settle sends the delayed acknowledgement that nobody's data will carry.
func (c *conn) settle() {
	if c.dead || !c.odd {
		return
	}
	c.odd = false
	c.t = c.t.add(2*c.end[1-c.turn].far + c.rnd.span(10*time.Millisecond, 40*time.Millisecond))
	c.emit(1-c.turn, c.t, segment{flags: ack})
}

// close ends the connection in order, from the given end.
func (c *conn) close(from int) {
	if c.dead {
		return
	}
	c.settle()
	c.dead = true
	c.emit(from, c.t, segment{flags: fin | ack})
	c.seq[from]++
	c.pass(from)
	c.emit(1-from, c.t, segment{flags: fin | ack})
	c.seq[1-from]++
	c.pass(1 - from)
	c.emit(from, c.t, segment{flags: ack})
}

// reset ends the connection abruptly, from the given end.
func (c *conn) reset(from int) {
	if c.dead {
		return
	}
	c.settle()
	c.dead = true
	c.emit(from, c.t, segment{flags: rst | ack})
}
