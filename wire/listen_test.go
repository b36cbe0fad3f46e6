package wire

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// The harness in this file is a small stand-in for package flow, which may not
// be imported here: it decodes with gopacket, puts TCP segments in order,
// recognises by content and feeds.

// heard is one message with the flow that it came from.
type heard struct {
	src, dst         string // address of the sender and receiver
	srcPort, dstPort uint16
	at               time.Time // of a datagram, or of the first segment of its connection
	msg              Message
}

// readCapture calls f for every TCP and UDP payload of a capture. It reports
// false for a file of another kind.
func readCapture(tb testing.TB, path string, f func(p transport)) bool {
	tb.Helper()
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	in := bufio.NewReader(file)
	read, err := packetReader(in)
	if err != nil {
		return false // some files of the corpus are not captures of a known kind
	}
	for {
		data, link, at, err := read()
		if err != nil {
			return true
		}
		if p, ok := decodeTransport(data, link); ok {
			p.at = at
			f(p)
		}
	}
}

func packetReader(in *bufio.Reader) (func() ([]byte, layers.LinkType, time.Time, error), error) {
	magic, err := in.Peek(4)
	if err != nil {
		return nil, err
	}
	if string(magic) == "\x0a\x0d\x0d\x0a" {
		r, err := pcapgo.NewNgReader(in, pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			return nil, err
		}
		return func() ([]byte, layers.LinkType, time.Time, error) {
			data, ci, err := r.ReadPacketData()
			if err != nil {
				return nil, 0, time.Time{}, err
			}
			iface, err := r.Interface(ci.InterfaceIndex)
			return data, iface.LinkType, ci.Timestamp, err
		}, nil
	}
	r, err := pcapgo.NewReader(in)
	if err != nil {
		return nil, err
	}
	return func() ([]byte, layers.LinkType, time.Time, error) {
		data, ci, err := r.ReadPacketData()
		return data, r.LinkType(), ci.Timestamp, err
	}, nil
}

// transport is one TCP segment or UDP datagram.
type transport struct {
	src, dst         string
	srcPort, dstPort uint16
	at               time.Time
	udp              bool
	seq              uint32
	syn              bool
	payload          []byte
	cut              bool // the payload is shorter than the headers say
}

// decodeTransport returns the innermost TCP or UDP layer of a frame.
// gopacket's decoders may panic on hostile bytes; such a frame is passed over.
func decodeTransport(data []byte, link layers.LinkType) (t transport, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if link == layers.LinkTypeIPv4 { // gopacket knows the number, yet does not decode it
		link = layers.LinkTypeRaw
	}
	p := gopacket.NewPacket(data, link, gopacket.DecodeOptions{NoCopy: true})
	have := -1 // bytes of the IP payload that the innermost header announces
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			t.src, t.dst, have = l.SrcIP.String(), l.DstIP.String(), int(l.Length)-4*int(l.IHL)
		case *layers.IPv6:
			t.src, t.dst, have = l.SrcIP.String(), l.DstIP.String(), int(l.Length)
		case *layers.TCP:
			t.udp, ok = false, true
			t.srcPort, t.dstPort, t.seq, t.syn = uint16(l.SrcPort), uint16(l.DstPort), l.Seq, l.SYN
			t.payload = l.Payload
			t.cut = have > len(l.Contents)+len(l.Payload)
		case *layers.UDP:
			t.udp, ok = true, true
			t.srcPort, t.dstPort, t.payload = uint16(l.SrcPort), uint16(l.DstPort), l.Payload
		}
	}
	return t, ok
}

// listener turns transport payloads into messages.
type listener struct {
	tb    testing.TB
	table []Protocol
	conns map[string]*conn
	flows map[string]*udpFlow // by both ends, either way round
	named []*udpFlow
	order []*conn
	heard []heard
}

// udpFlow is the parser of one UDP flow; ends are as seen by its first packet.
type udpFlow struct {
	ends   [2]transport
	parser Datagrams
}

// conn is one TCP connection; index 0 is the end that sent first.
type conn struct {
	ends   [2]transport
	sides  [2]side
	stream Stream
	dead   bool
}

// side is one direction of a connection.
type side struct {
	next    uint32
	started bool
	lost    bool
	skip    int64
	ahead   map[uint32][]byte
	pending []byte
}

func listen(tb testing.TB, path string) ([]heard, bool) {
	tb.Helper()
	l := &listener{tb: tb, table: Table(), conns: map[string]*conn{}, flows: map[string]*udpFlow{}}
	ok := readCapture(tb, path, func(p transport) {
		if p.udp {
			l.datagram(p)
		} else {
			l.segment(p)
		}
	})
	for _, c := range l.order {
		for dir := range c.sides {
			l.flush(c, Dir(dir))
		}
	}
	for _, f := range l.named {
		if fl, ok := f.parser.(Flusher); ok {
			for _, dir := range []Dir{FromClient, FromServer} {
				for _, m := range fl.Flush(dir, nil, nil) {
					l.note(f.ends[dir], m)
				}
			}
		}
	}
	return l.heard, ok
}

func (l *listener) datagram(p transport) {
	if l.flowDatagram(p) {
		return
	}
	for _, row := range l.table {
		if row.Datagram == nil {
			continue
		}
		byPort := slices.Contains(row.UDPPorts, p.srcPort) || slices.Contains(row.UDPPorts, p.dstPort)
		if !byPort && (row.SniffDatagram == nil || !row.SniffDatagram(p.payload)) {
			continue
		}
		if m, err := row.Datagram(p.payload); err == nil {
			l.note(p, m)
			return
		}
	}
}

// flowDatagram hands a datagram to the parser of its flow.
func (l *listener) flowDatagram(p transport) bool {
	l.tb.Helper()
	dir := FromClient
	f := l.flows[fmt.Sprint(p.src, p.srcPort, p.dst, p.dstPort)]
	if f == nil {
		dir = FromServer
		f = l.flows[fmt.Sprint(p.dst, p.dstPort, p.src, p.srcPort)]
	}
	if f == nil {
		i := slices.IndexFunc(l.table, func(row Protocol) bool {
			return row.NewDatagrams != nil && row.SniffDatagram != nil && row.SniffDatagram(p.payload)
		})
		if i < 0 {
			return false
		}
		dir = FromClient
		f = &udpFlow{[2]transport{p, {src: p.dst, dst: p.src, srcPort: p.dstPort, dstPort: p.srcPort, at: p.at}}, l.table[i].NewDatagrams()}
		l.flows[fmt.Sprint(p.src, p.srcPort, p.dst, p.dstPort)] = f
		l.named = append(l.named, f)
	}
	msgs, _ := f.parser.Datagram(dir, p.payload, nil)
	for _, m := range msgs {
		l.note(f.ends[dir], m)
	}
	return true
}

func (l *listener) note(p transport, m Message) {
	l.heard = append(l.heard, heard{p.src, p.dst, p.srcPort, p.dstPort, p.at, m})
}

func (l *listener) segment(p transport) {
	key := fmt.Sprint(p.src, p.srcPort, p.dst, p.dstPort)
	back := fmt.Sprint(p.dst, p.dstPort, p.src, p.srcPort)
	dir := FromClient
	c := l.conns[key]
	if c == nil {
		if c = l.conns[back]; c != nil {
			dir = FromServer
		}
	}
	// A SYN with another sequence number is a new connection on old ports.
	if c == nil || p.syn && dir == FromClient && c.sides[0].started && c.sides[0].next != p.seq+1 && len(p.payload) == 0 {
		c = &conn{}
		c.ends = [2]transport{p, {src: p.dst, dst: p.src, srcPort: p.dstPort, dstPort: p.srcPort, at: p.at}}
		l.conns[key] = c
		l.order = append(l.order, c)
		dir = FromClient
	}
	s := &c.sides[dir]
	seq := p.seq
	if p.syn {
		seq++
		s.next, s.started = seq, true
	}
	if len(p.payload) == 0 || c.dead || s.lost {
		return
	}
	if !s.started {
		s.next, s.started = seq, true
	}
	s.insert(seq, p.payload)
	if p.cut {
		s.lost = true
	}
	l.feed(c, dir)
}

// insert puts a segment in order; what is ahead waits.
func (s *side) insert(seq uint32, b []byte) {
	if s.ahead == nil {
		s.ahead = map[uint32][]byte{}
	}
	if old, ok := s.ahead[seq]; !ok || len(b) > len(old) {
		s.ahead[seq] = slices.Clone(b)
	}
	for moved := true; moved; {
		moved = false
		for at, data := range s.ahead {
			gap := int32(at - s.next)
			if gap > 0 {
				continue
			}
			delete(s.ahead, at)
			if over := -int(gap); over < len(data) {
				data = data[over:]
				s.next += uint32(len(data))
				skipped := min(s.skip, int64(len(data)))
				s.skip -= skipped
				s.pending = append(s.pending, data[skipped:]...)
				moved = true
			}
		}
	}
}

func (l *listener) feed(c *conn, dir Dir) {
	s := &c.sides[dir]
	for len(s.pending) > 0 && !c.dead {
		if c.stream == nil && !l.recognise(c, dir) {
			return
		}
		n, msgs, err := c.stream.Feed(dir, s.pending, nil)
		for _, m := range msgs {
			l.note(c.ends[dir], m)
		}
		if n < 0 || n > len(s.pending) {
			l.tb.Fatalf("Feed consumed %d of %d bytes", n, len(s.pending))
		}
		s.pending = s.pending[n:]
		switch {
		case errors.Is(err, ErrUpgrade):
			c.stream = nil
			l.feed(c, dir.Other())
			continue
		case err != nil:
			c.dead = true
		}
		if sk, ok := c.stream.(Skipper); ok && len(s.pending) == 0 {
			s.skip = sk.Skip(dir)
		}
		return
	}
}

func (l *listener) recognise(c *conn, dir Dir) bool {
	maybe := false
	for _, row := range l.table {
		if row.Sniff == nil {
			continue
		}
		switch row.Sniff(dir, c.sides[dir].pending) {
		case Yes:
			c.stream = row.NewStream()
			return true
		case Maybe:
			maybe = true
		}
	}
	c.dead = !maybe
	return false
}

func (l *listener) flush(c *conn, dir Dir) {
	if fl, ok := c.stream.(Flusher); ok && !c.dead {
		for _, m := range fl.Flush(dir, c.sides[dir].pending, nil) {
			l.note(c.ends[dir], m)
		}
	}
}
