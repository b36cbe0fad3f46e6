package sim

import (
	"encoding/binary"
	"time"
)

// quicPath is one QUIC connection (RFC 9000). Its Initial packets are real;
// what follows is protected by keys that only the ends would have and is
// random here.
type quicPath struct {
	p        *program
	to       *peer
	port     uint16
	original []byte // connection id from which the Initial keys derive
	ids      [2][]byte
}

// quic is an HTTP/3 exchange with a host.
func (p *program) quic(now instant, host string, down int) {
	addrs, t := p.lookup(now, host)
	if len(addrs) == 0 {
		return
	}
	s := p.w.inet.site(host)
	q := quicPath{
		p: p, to: p.w.inet.peer(addrs[0], s.far), port: p.port(), original: p.rnd.bytes(8),
		ids: [2][]byte{{}, p.rnd.bytes(8)},
	}
	t = p.resolveLink(t, &p.w.gate)
	hello, answer, err := q.greetings(host)
	if err != nil {
		p.w.lan.check(err)
		return
	}
	first, err := q.initial(client, q.original, 0, cryptoFrame(hello))
	p.w.lan.check(err)
	q.send(client, t, first)
	if p.w.lan.dead(t) {
		q.send(client, t.add(time.Second), first)
		q.send(client, t.add(3*time.Second), first)
		return
	}
	t = q.turn(t, q.to)
	ackFirst := []byte{2, 0, 0, 0, 0} // ACK of packet 0 (RFC 9000 section 19.3)
	reply, err := q.initial(server, q.ids[client], 0, append(ackFirst, cryptoFrame(answer)...))
	p.w.lan.check(err)
	q.send(server, t, reply)
	q.send(server, t.add(90*time.Microsecond), q.handshake(server, 1200))
	t = q.turn(t, &p.peer)
	last, err := q.initial(client, q.ids[server], 1, ackFirst)
	p.w.lan.check(err)
	q.send(client, t, last)
	q.send(client, t.add(60*time.Microsecond), q.handshake(client, 90))
	t = t.add(120 * time.Microsecond)
	q.send(client, t, q.short(server, p.rnd.between(120, 600)))
	q.download(t, down)
}

// download carries the answer in datagrams joined by offload.
func (q *quicPath) download(t instant, down int) {
	t = q.turn(t, q.to)
	for down > 0 {
		n := max(min(down, offload), 64)
		down -= n
		q.p.w.lan.clippedDatagram(t, q.to, &q.p.peer, 443, q.port, q.short(client, 64), n)
		if q.p.rnd.chance(500) {
			q.send(client, t.add(2*q.p.far+q.p.rnd.span(200*time.Microsecond, 3*time.Millisecond)), q.short(server, q.p.rnd.between(33, 42)))
		}
		t = t.add(q.p.rnd.span(4*time.Millisecond, 20*time.Millisecond))
	}
}

func (q *quicPath) turn(t instant, who *peer) instant {
	return t.add(2*who.far + q.p.rnd.span(200*time.Microsecond, 6*time.Millisecond))
}

func (q *quicPath) send(from int, t instant, b []byte) {
	if from == client {
		q.p.w.lan.datagram(t, &q.p.peer, q.to, q.port, 443, b)
		return
	}
	q.p.w.lan.datagram(t, q.to, &q.p.peer, 443, q.port, b)
}

// greetings are the ClientHello and ServerHello messages of the connection.
func (q *quicPath) greetings(host string) (hello, answer []byte, err error) {
	style := quicStyle(q.p.tls)
	ch, err := style.hello(q.p.rnd, host, nil)
	if err != nil {
		return nil, nil, err
	}
	f, err := ch.answer(q.p.rnd, serverSide{version: tls13, cipher: style.ciphers[0]})
	if err != nil {
		return nil, nil, err
	}
	n := int(binary.BigEndian.Uint16(f.server[3:]))
	return ch.record[5:], f.server[5 : 5+n], nil
}

// handshake builds a Handshake packet that fills size bytes.
func (q *quicPath) handshake(from, size int) []byte {
	b := q.longHeader(0xe0|byte(q.p.rnd.n(16)), q.ids[1-from], q.ids[from])
	rest := size - len(b) - 2
	b = binary.BigEndian.AppendUint16(b, 0x4000|uint16(rest))
	return append(b, q.p.rnd.bytes(rest)...)
}

// longHeader is the start of a long-header packet of version 1 (RFC 9000
// section 17.2).
func (q *quicPath) longHeader(first byte, dcid, scid []byte) []byte {
	b := append([]byte{first, 0, 0, 0, 1, byte(len(dcid))}, dcid...)
	return append(append(b, byte(len(scid))), scid...)
}

// short builds a short-header packet of n bytes.
func (q *quicPath) short(to, n int) []byte {
	b := q.p.rnd.bytes(n)
	b[0] = 0x40 | b[0]&0x3f
	copy(b[1:], q.ids[to])
	return b
}
