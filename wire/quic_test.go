package wire

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/quic"

	"gatehouse/internal/testkit"
)

// packetPipe is one end of a path for datagrams in memory, which records what
// was sent.
type packetPipe struct {
	net.PacketConn
	dir  Dir
	log  *packetLog
	once sync.Once
}

type packetLog struct {
	mu     sync.Mutex
	sent   []chunk
	queue  [2]chan []byte // written by dir
	closed [2]chan struct{}
	flight chan struct{} // closed when the client has sent its ClientHello, in two datagrams
}

func newPacketLog() *packetLog {
	l := &packetLog{flight: make(chan struct{})}
	for i := range l.queue {
		l.queue[i], l.closed[i] = make(chan []byte, 1024), make(chan struct{})
	}
	return l
}

func pipeAddr(d Dir) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(d) + 1}), 443)
}

func (p *packetPipe) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(pipeAddr(p.dir)) }

func (p *packetPipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	b = slices.Clone(b)
	p.log.mu.Lock()
	p.log.sent = append(p.log.sent, chunk{p.dir, b})
	if p.dir == FromClient && len(p.log.sent) == 2 {
		close(p.log.flight)
	}
	p.log.mu.Unlock()
	select {
	case p.log.queue[p.dir] <- b:
	default: // a full path drops, as paths do
	}
	return len(b), nil
}

func (p *packetPipe) ReadFrom(b []byte) (int, net.Addr, error) {
	if p.dir == FromServer { // so that it answers the whole of it, however slow the machine is
		select {
		case <-p.log.flight:
		case <-p.log.closed[p.dir]:
			return 0, nil, net.ErrClosed
		}
	}
	select {
	case got := <-p.log.queue[p.dir.Other()]:
		return copy(b, got), net.UDPAddrFromAddrPort(pipeAddr(p.dir.Other())), nil
	case <-p.log.closed[p.dir]:
		return 0, nil, net.ErrClosed
	}
}

func (p *packetPipe) Close() error {
	p.once.Do(func() { close(p.log.closed[p.dir]) })
	return nil
}

// quicHandshakeOf lets Go's own QUIC client and server shake hands and returns
// what crossed.
func quicHandshakeOf(tb testing.TB, retry bool) []chunk {
	tb.Helper()
	client, server, _ := tlsPair(tb, tls.VersionTLS13)
	client.MinVersion = tls.VersionTLS13
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	log := newPacketLog()
	listener, err := quic.NewEndpoint(&packetPipe{dir: FromServer, log: log}, &quic.Config{TLSConfig: server, RequireAddressValidation: retry})
	if err != nil {
		tb.Fatal(err)
	}
	dialer, err := quic.NewEndpoint(&packetPipe{dir: FromClient, log: log}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := dialer.Dial(ctx, "udp", pipeAddr(FromServer).String(), &quic.Config{TLSConfig: client})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := listener.Accept(ctx); err != nil {
		tb.Fatal(err)
	}
	conn.Abort(nil)
	for _, e := range []*quic.Endpoint{dialer, listener} {
		if err := e.Close(ctx); err != nil {
			tb.Fatal(err)
		}
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	return slices.Clone(log.sent)
}

// playDatagrams feeds a recorded flow until the parser has had enough, and
// flushes it.
func playDatagrams(tb testing.TB, d Datagrams, chunks []chunk) (msgs []Message, err error) {
	tb.Helper()
	for _, c := range chunks {
		if msgs, err = d.Datagram(c.dir, c.b, msgs); errors.Is(err, ErrDone) {
			break
		}
	}
	if f, ok := d.(Flusher); ok {
		msgs = f.Flush(FromServer, nil, f.Flush(FromClient, nil, msgs))
	}
	return msgs, err
}

// TestQUICHandshake reads a handshake of Go's own QUIC, of which the
// ClientHello takes two datagrams.
func TestQUICHandshake(t *testing.T) {
	for _, tt := range []struct {
		name  string
		retry bool
	}{{"at once", false}, {"after a Retry", true}} {
		t.Run(tt.name, func(t *testing.T) {
			chunks := quicHandshakeOf(t, tt.retry)
			msgs, err := playDatagrams(t, newQUICFlow(), chunks)
			if !errors.Is(err, ErrDone) {
				t.Errorf("got error %v after the ServerHello, want %v", err, ErrDone)
			}
			if len(msgs) != 2 {
				t.Fatalf("got %d messages, want a ClientHello and a ServerHello: %+v", len(msgs), msgs)
			}
			hello, ok := msgs[0].(*ClientHello)
			if !ok {
				t.Fatalf("got %T first", msgs[0])
			}
			if hello.SNI != "device.example" || hello.QUICVersion != quicV1 || hello.Protocol() != "quic" ||
				!slices.Equal(hello.ALPN, []string{"h2", "mqtt"}) || !strings.HasPrefix(hello.JA4, "q13d03") || hello.Truncated {
				t.Errorf("got hello %+v", hello)
			}
			server, ok := msgs[1].(*ServerHello)
			if !ok || server.Version != versionTLS13 || CipherClass(server.Cipher) != ClassTLS13 || server.Protocol() != "quic" {
				t.Errorf("got %+v", msgs[1])
			}
			for i, c := range chunks {
				if c.b[0]&0x80 != 0 && !sniffQUIC(c.b) {
					t.Errorf("datagram %d with a long header was not recognised", i)
				}
			}
		})
	}
}

// firstFlight are the datagrams that the client sends before it is answered.
func firstFlight(tb testing.TB) []chunk {
	tb.Helper()
	chunks := quicHandshakeOf(tb, false)
	n := slices.IndexFunc(chunks, func(c chunk) bool { return c.dir == FromServer })
	if n < 2 {
		tb.Fatalf("the ClientHello takes %d datagrams, want 2 at least", n)
	}
	return chunks[:n]
}

func TestQUICFirstFlight(t *testing.T) {
	flight := firstFlight(t)
	cut := func(n int) []chunk { return []chunk{{FromClient, flight[0].b[:n]}} }
	turned := slices.Clone(flight)
	slices.Reverse(turned)
	damaged := slices.Clone(flight[0].b)
	damaged[len(damaged)-1] ^= 1
	for _, tt := range []struct {
		name      string
		in        []chunk
		sni       bool
		truncated bool
		none      bool
	}{
		{name: "whole", in: flight, sni: true},
		{name: "reversed", in: turned, sni: true},
		{name: "every datagram twice", in: slices.Concat(flight, flight), sni: true},
		{name: "joined at the answer", in: []chunk{{FromServer, flight[0].b}, {FromServer, flight[1].b}}, sni: true},
		{name: "the second lost", in: flight[:1], sni: true, truncated: true}, // Go puts the name first
		{name: "the first lost", in: flight[1:], none: true},
		{name: "cut at 200 bytes", in: cut(200), sni: true, truncated: true},
		{name: "cut before the sample", in: cut(20), none: true},
		{name: "damaged", in: []chunk{{FromClient, damaged}}, none: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msgs, _ := playDatagrams(t, newQUICFlow(), tt.in)
			if tt.none {
				if len(msgs) > 0 {
					t.Errorf("got %+v", msgs)
				}
				return
			}
			if len(msgs) != 1 {
				t.Fatalf("got %d messages: %+v", len(msgs), msgs)
			}
			m := msgs[0].(*ClientHello)
			if m.Truncated != tt.truncated || (m.JA4 == "") != tt.truncated || tt.sni != (m.SNI == "device.example") {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// TestQUICKeys holds the derivation against appendix A of RFC 9001 and RFC
// 9369. Keys show in what they make of a block of zeros.
func TestQUICKeys(t *testing.T) {
	dcid := unhex(t, "8394c8f03e515708")
	for _, tt := range []struct {
		version     uint32
		key, iv, hp string
		server      bool
	}{
		{quicV1, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2", false},
		{quicV1, "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314", true},
		{quicV2, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9", false},
		{quicV2, "82db637861d55e1d011f19ea71d5d2a7", "dd13c276499c0249d3310652", "edf6d05c83121201b436e16877593c3a", true},
	} {
		s := newQUICSecrets(tt.version, dcid)
		k := &s.client
		if tt.server {
			k = &s.server
		}
		for _, c := range []struct {
			name, key string
			encrypt   func(dst, src []byte)
		}{{"key", tt.key, k.block.Encrypt}, {"hp", tt.hp, k.header.Encrypt}} {
			block, err := aes.NewCipher(unhex(t, c.key))
			if err != nil {
				t.Fatal(err)
			}
			var got, want [aes.BlockSize]byte
			c.encrypt(got[:], got[:])
			if block.Encrypt(want[:], want[:]); got != want {
				t.Errorf("version %x: wrong %s", tt.version, c.name)
			}
		}
		if got := hex.EncodeToString(k.iv[:]); got != tt.iv {
			t.Errorf("version %x: iv %s, want %s", tt.version, got, tt.iv)
		}
	}
	if newQUICSecrets(3, dcid) != nil {
		t.Error("got keys for a version that is not known")
	}
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// sealInitial protects frames as a client does (RFC 9001 section 5), with a
// packet number of one byte.
func sealInitial(tb testing.TB, version uint32, dcid, frames []byte) []byte {
	tb.Helper()
	s := newQUICSecrets(version, dcid)
	first := byte(0xc0)
	if version == quicV2 {
		first = 0xd0
	}
	size := 1 + len(frames) + s.client.aead.Overhead()
	b := join(first, binary.BigEndian.AppendUint32(nil, version), len(dcid), dcid, 0, 0, 0x40|size>>8, size, 0)
	number := len(b) - 1
	b = s.client.aead.Seal(b, s.client.iv[:], frames, b)
	var mask [aes.BlockSize]byte
	s.client.header.Encrypt(mask[:], b[number+4:number+4+aes.BlockSize])
	b[0] ^= mask[0] & 0x0f
	b[number] ^= mask[1]
	return b
}

// helloMessage is a ClientHello for "a" without a record.
func helloMessage() []byte {
	return join(
		1, 0, 0, 53, // client hello, length
		3, 3, make([]byte, 32), // TLS 1.2, random
		0,                // no session id
		0, 2, 0x13, 0x01, // one cipher suite
		1, 0, // no compression
		0, 10, // extensions
		0, 0, 0, 6, 0, 4, 0, 0, 1, "a", // server_name
	)
}

// TestQUICFrames: what the frames of one Initial packet give, in both versions.
func TestQUICFrames(t *testing.T) {
	hello := helloMessage()
	half := len(hello) / 2
	crypto := func(off, to int) []byte {
		return join(6, 0x40|off>>8, off, 0x40|(to-off)>>8, to-off, hello[off:to])
	}
	all := crypto(0, len(hello))
	pad := make([]byte, 40)
	for _, tt := range []struct {
		name   string
		frames []byte
		hello  bool
		alert  bool
	}{
		{"crypto", join(all, pad), true, false},
		{"padding, ping, then crypto", join(pad, 1, all), true, false},
		{"two halves, the second first", join(crypto(half, len(hello)), 1, crypto(0, half), pad), true, false},
		{"ack", join(2, 5, 1, 1, 0, 0, 0, all), true, false},
		{"ack with ECN", join(3, 5, 1, 0, 0, 1, 2, 3, all), true, false},
		{"eight-byte type", join(0xc0, 0, 0, 0, 0, 0, 0, 6, all[1:]), true, false},
		{"closed by an alert", join(0x1c, 0x41, 0x28, 6, 0, pad), false, true},
		{"closed otherwise", join(0x1c, 0x0a, 6, 0, pad), false, false},
		{"a frame that Initial packets do not have", join(0x08, 1, 2, pad, 0x1e, all), false, false},
		{"a hole", join(crypto(half, len(hello)), pad), false, false},
		{"an offset of 2^62-1", join(6, bytes.Repeat([]byte{255}, 8), 1, 1, pad), false, false},
		{"too many ACK ranges", join(2, 5, 1, 0xbf, 255, 255, 255, 0, all), false, false},
		{"a frame cut short", join(pad, 6, 0x40), false, false},
	} {
		for _, version := range []uint32{quicV1, quicV2, quicDraft + 29} {
			b := sealInitial(t, version, []byte("original"), tt.frames)
			msgs, err := newQUICFlow().Datagram(FromClient, b, nil)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			hello, alert := false, false
			for _, m := range msgs {
				switch m := m.(type) {
				case *ClientHello:
					hello = m.QUICVersion == version && m.SNI == "a"
				case *TLSAlert:
					alert = m.Fatal && m.Description == 40 && m.Protocol() == "quic"
				}
			}
			if hello != tt.hello || alert != tt.alert {
				t.Errorf("%s, version %x: got %+v", tt.name, version, msgs)
			}
		}
	}
}

func TestSniffQUIC(t *testing.T) {
	initial := sealInitial(t, quicV1, []byte("original"), join(make([]byte, 40), 6, 0, 4, 1, 0, 0, 0))
	negotiation := join(0x80, 0, 0, 0, 0, 4, "abcd", 4, "efgh", 0x1a, 0x2a, 0x3a, 0x4a, 0, 0, 0, 1)
	for _, tt := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"empty", nil, false},
		{"initial", initial, true},
		{"two packets", join(initial, initial), true},
		{"initial and padding", join(initial, make([]byte, 30)), true},
		{"unknown version", join(0xc0, 9, 9, 9, 9, initial[5:]), false},
		{"no fixed bit", join(initial[0]&^0x40, initial[1:]), false},
		{"connection id of 21 bytes", join(0xc0, 0, 0, 0, 1, 21, make([]byte, 60)), false},
		{"length too small", join(0xc0, 0, 0, 0, 1, 0, 0, 0, 4, make([]byte, 60)), false},
		{"cut, and no ClientHello", initial[:len(initial)-1], false},
		{"version negotiation", negotiation, true},
		{"version negotiation without a known version", negotiation[:len(negotiation)-4], false},
		{"version negotiation with half a version", negotiation[:len(negotiation)-1], false},
		{"short header", join(0x40, make([]byte, 60)), false},
		{"STUN", join(0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, make([]byte, 12)), false},
		{"RTP", join(0x80, 0, 0, 0, 0, 4, make([]byte, 60)), false},
	} {
		if got := sniffQUIC(tt.in); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// googleHello is a client hello of QUIC Crypto behind a header of its version.
func googleHello(head []byte) []byte {
	return join(head, make([]byte, googleHashLen), 0xa0, 1, 0, 51, // stream 1
		"CHLO", 2, 0, 0, 0, "SNI\x00", 11, 0, 0, 0, "UAID", 18, 0, 0, 0, "Cam.Example", "dev/1.0")
}

func TestQUICGoogle(t *testing.T) {
	for name, head := range map[string][]byte{
		"Q025": join(0x0d, "connect.", "Q025", 1),    // private flags stand before the frame
		"Q035": join(0x09, "connect.", "Q035", 1),    // packet number of 1 byte
		"Q043": join(0x19, "connect.", "Q043", 0, 1), // of 2 bytes
		"Q046": join(0xc3, "Q046", 0x50, "connect.", 0, 0, 0, 1),
	} {
		b := googleHello(head)
		if name == "Q025" {
			b = slices.Insert(b, len(head)+googleHashLen, 0)
		}
		msgs, err := playDatagrams(t, newQUICFlow(), []chunk{{FromClient, b}, {FromClient, b}})
		if err != nil || len(msgs) != 1 || !sniffQUIC(b) {
			t.Errorf("%s: got %+v, %v", name, msgs, err)
			continue
		}
		m := msgs[0].(*ClientHello)
		if m.SNI != "cam.example" || m.UserAgent != "dev/1.0" || QUICVersionName(m.QUICVersion) != name || m.Truncated ||
			m.CYU != name[2:]+",SNI-UAID" {
			t.Errorf("%s: got %+v", name, m)
		}
		if msgs, _ := playDatagrams(t, newQUICFlow(), []chunk{{FromClient, b[:len(b)-8]}}); len(msgs) != 1 || !msgs[0].(*ClientHello).Truncated {
			t.Errorf("%s without its end: got %+v", name, msgs)
		}
	}
	for name, b := range map[string][]byte{
		"another version": googleHello(join(0x09, "connect.", "Q024", 1)),
		"a reset":         googleHello(join(0x0b, "connect.", "Q035", 1)),
		"no id":           googleHello(join(0x01, "Q035", 1)),
	} {
		if parseQUICGoogle(b) != nil {
			t.Errorf("%s was read", name)
		}
	}
}

// TestQUICUserAgent: the parameter in both encodings.
func TestQUICUserAgent(t *testing.T) {
	for _, tt := range []struct {
		version uint32
		in      []byte
		want    string
	}{
		{quicV1, join(1, 2, 0x40, 1, 0x71, 0x29, 3, "a/1"), "a/1"}, // 0x3129 as two bytes: 0x7129
		{quicV1, join(1, 2, 0x40, 1), ""},
		{quicV1, join(0x71, 0x29, 9, "a/1"), ""},
		{quicDraft + 23, join(0, 13, 0, 1, 0, 2, 0, 0, 0x31, 0x29, 0, 3, "a/1"), "a/1"},
		{quicDraft + 23, join(0, 13, 0, 1), ""},
	} {
		if got := quicUserAgent(tt.version, tt.in); got != tt.want {
			t.Errorf("version %x: got %q, want %q", tt.version, got, tt.want)
		}
	}
}

// TestQUICQuiet: a flow that says nothing any more is passed over in the end.
func TestQUICQuiet(t *testing.T) {
	q := newQUICFlow()
	if _, err := q.Datagram(FromClient, firstFlight(t)[0].b, nil); err != nil {
		t.Fatal(err)
	}
	short := join(0x40, make([]byte, 60))
	for range maxQUICQuiet {
		if msgs, err := q.Datagram(FromServer, short, nil); err != nil || len(msgs) > 0 {
			t.Fatalf("got %v, %v", msgs, err)
		}
	}
	msgs, err := q.Datagram(FromServer, short, nil)
	if !errors.Is(err, ErrDone) || len(msgs) != 1 || !msgs[0].(*ClientHello).Truncated {
		t.Errorf("got %+v, %v", msgs, err)
	}
}

func TestQUICVersionName(t *testing.T) {
	for v, want := range map[uint32]string{
		quicV1: "1", quicV2: "6b3343cf", quicDraft + 29: "ff00001d", googleQ046: "Q046", quicT051: "T051", 0: "0",
	} {
		if got := QUICVersionName(v); got != want {
			t.Errorf("%#x: got %s, want %s", v, got, want)
		}
	}
}

func FuzzQUIC(f *testing.F) {
	for _, c := range firstFlight(f) {
		f.Add(c.b)
	}
	f.Add(googleHello(join(0x09, "connect.", "Q035", 1)))
	f.Add(sealInitial(f, quicV2, []byte("id"), join(2, 5, 1, 1, 0, 0, 0, 6, 0, 4, 1, 0, 0, 0)))
	f.Add(join(0x80, 0, 0, 0, 0, 4, "abcd", 4, "efgh", 0, 0, 0, 1))
	for _, path := range testkit.CorpusSeeds(f, "hostile/quic*") {
		if info, err := os.Stat(path); err == nil && info.Size() < 64<<10 {
			readCapture(f, path, func(p transport) {
				if p.udp {
					f.Add(p.payload)
				}
			})
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q := &quicFlow{}
		for _, dir := range []Dir{FromClient, FromServer, FromClient} {
			msgs, err := q.Datagram(dir, b, nil)
			if err == nil || errors.Is(err, ErrDone) {
				continue
			}
			if len(msgs) > 0 {
				t.Errorf("got messages with %v", err)
			}
			checkError(t, nil, err)
		}
		q.Flush(FromClient, nil, nil)
		for _, h := range q.half {
			if cap(h.crypto.buf) > 2*maxQUICHello || len(h.crypto.have) > maxSpans {
				t.Errorf("%d bytes and %d islands kept", cap(h.crypto.buf), len(h.crypto.have))
			}
		}
	})
}

// FuzzQUICFrames reaches behind the protection.
func FuzzQUICFrames(f *testing.F) {
	f.Add(join(6, 0, 4, 1, 0, 0, 0), true)
	f.Add(join(3, 5, 1, 0, 0, 1, 2, 3, 0x1c, 0x41, 0x28), false)
	f.Fuzz(func(t *testing.T, frames []byte, v2 bool) {
		if len(frames) < 20 || len(frames) > 1200 {
			return
		}
		version := uint32(quicV1)
		if v2 {
			version = quicV2
		}
		q := newQUICFlow()
		b := sealInitial(t, version, []byte("original"), frames)
		if _, err := q.Datagram(FromClient, b, nil); err != nil && !errors.Is(err, ErrDone) {
			t.Errorf("an intact packet: %v", err)
		}
		q.(Flusher).Flush(FromClient, nil, nil)
	})
}

// BenchmarkQUICHello is a ClientHello in two datagrams, from the derivation of
// the keys on.
func BenchmarkQUICHello(b *testing.B) {
	flight := firstFlight(b)
	b.ReportAllocs()
	for b.Loop() {
		q := newQUICFlow()
		var msgs []Message
		for _, c := range flight {
			msgs, _ = q.Datagram(c.dir, c.b, msgs)
		}
		if len(msgs) != 1 {
			b.Fatal(msgs)
		}
	}
}

func BenchmarkSniffQUIC(b *testing.B) {
	hello := firstFlight(b)[0].b
	other := bytes.Repeat([]byte{0x9e, 0x37}, 600)
	for name, in := range map[string][]byte{"initial": hello, "other": other} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sniffQUIC(in)
			}
		})
	}
}
