package wire

import (
	"encoding/binary"
	"fmt"
)

var (
	errQUICKind   = fmt.Errorf("read quic packet: %w", ErrNotMine)
	errQUICPacket = fmt.Errorf("read quic packet: %w", ErrMalformed)
	errQUICCut    = fmt.Errorf("read quic packet: %w", ErrTruncated)
	errQUICFrame  = fmt.Errorf("read quic frame: %w", ErrMalformed)
)

// Bounds of the QUIC parser.
const (
	maxQUICID = 20 // bytes of a connection id (RFC 9000 section 17.2)
	// maxQUICHello bounds the handshake in Initial packets. A ClientHello with
	// a post-quantum key share takes some 1,800 bytes.
	maxQUICHello = 16 << 10
	// maxQUICQuiet is after how many packets that say nothing a flow is passed
	// over: the handshake is complete, or was missed.
	maxQUICQuiet = 64
)

// quicFlow follows the handshakes in one UDP flow. Only Initial packets can be
// read, with keys that derive from themselves; they hold the ClientHello and
// the ServerHello.
type quicFlow struct {
	version uint32
	secrets *quicSecrets
	client  Dir // direction of the client's Initial packets
	half    [2]quicHalf
	retried bool // the server sent a Retry: the client's next hello is the first again
	done    bool // a ServerHello was read
	quiet   int
}

// quicHalf is what one end has said in Initial packets; index 0 is the client,
// which need not be the client of the flow.
type quicHalf struct {
	crypto fragments
	read   int  // bytes of it that were parsed
	told   bool // its hello was
}

func newQUICFlow() Datagrams { return &quicFlow{} }

var (
	_ Flusher  = (*quicFlow)(nil)
	_ Retainer = (*quicFlow)(nil)
)

// quicKeyBytes is about what the expanded keys of both ends take.
const quicKeyBytes = 4 << 10

// Retained implements Retainer.
func (q *quicFlow) Retained() int {
	n := cap(q.half[0].crypto.buf) + cap(q.half[1].crypto.buf)
	if q.secrets != nil {
		n += quicKeyBytes
	}
	return n
}

// Datagram implements Datagrams.
func (q *quicFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	if len(b) == 0 {
		return msgs, errQUICKind
	}
	if b[0]&0x80 == 0 {
		return q.short(dir, b, msgs)
	}
	q.quiet++
	for len(b) > 0 && b[0]&0x80 != 0 { // packets may share a datagram (RFC 9000 section 12.2)
		h, err := parseQUICHeader(b)
		if err != nil {
			if m := parseQUICGoogle(b); m != nil {
				return q.google(m, msgs), nil
			}
			if q.secrets != nil { // padding that is not a packet
				break
			}
			return msgs, err
		}
		switch h.kind {
		case quicInitial:
			msgs = q.initial(dir, b, &h, msgs)
		case quicRetry:
			q.retried = true
		}
		b = b[min(h.end, len(b)):]
	}
	if q.done || q.quiet > maxQUICQuiet {
		return q.flushBoth(msgs), ErrDone
	}
	return msgs, nil
}

// short judges what has no long header: packets that are encrypted with the
// keys of the connection, or, from Google before 2018, a packet with a public
// header.
func (q *quicFlow) short(_ Dir, b []byte, msgs []Message) ([]Message, error) {
	if m := parseQUICGoogle(b); m != nil {
		return q.google(m, msgs), nil
	}
	if !q.half[0].told && q.secrets == nil {
		return msgs, errQUICKind
	}
	if q.quiet++; q.quiet > maxQUICQuiet {
		return q.flushBoth(msgs), ErrDone
	}
	return msgs, nil
}

// google takes a client hello of QUIC Crypto. The client sends it again with
// what it has learned of the server; only the first is told.
func (q *quicFlow) google(m *ClientHello, msgs []Message) []Message {
	if !q.half[0].told {
		q.half[0].told, q.quiet = true, 0
		msgs = append(msgs, m)
	}
	return msgs
}

// Flush implements Flusher: it reads a hello as far as it goes.
func (q *quicFlow) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	if dir == FromClient { // once for the flow
		return q.flushBoth(msgs)
	}
	return msgs
}

func (q *quicFlow) flushBoth(msgs []Message) []Message {
	h := &q.half[0]
	if rest := h.crypto.head()[h.read:]; !h.told && len(rest) > handshakeHeaderLen && rest[0] == handshakeClientHello {
		if m := q.hello(rest[handshakeHeaderLen:], true); m != nil {
			msgs = append(msgs, m)
		}
	}
	h.told = true
	return msgs
}

// initial opens one Initial packet and reads its frames.
func (q *quicFlow) initial(dir Dir, b []byte, h *quicHeader, msgs []Message) []Message {
	frames, end, ok := q.open(dir, b, h)
	if !ok {
		return msgs
	}
	q.quiet = 0
	half := &q.half[end]
	closed := false
	_ = eachQUICFrame(frames, func(kind uint64, off int, data []byte) {
		switch kind {
		case quicFrameCrypto:
			half.crypto.add(off, data, maxQUICHello)
		case quicFrameClose:
			if !closed && off >= quicCryptoError && off <= quicCryptoError+255 {
				msgs = append(msgs, &TLSAlert{
					Proto: "quic", From: q.client ^ Dir(end), Fatal: true, Description: uint8(off),
				})
			}
			closed = true
		}
	}) // frames before one that cannot be read have been taken
	return q.read(half, end, msgs)
}

// open removes the protection of a packet. end is 0 if the client sent it.
func (q *quicFlow) open(dir Dir, b []byte, h *quicHeader) (frames []byte, end int, ok bool) {
	if q.secrets != nil && h.version == q.version {
		if dir != q.client {
			frames, ok = q.secrets.server.open(b, h)
			return frames, 1, ok
		}
		// With a missing end any key seems to fit: prefer the one in use as
		// long as the connection id is the server's choice.
		if frames, ok = q.secrets.client.open(b, h); ok && (h.end <= len(b) || plausibleInitial(frames)) {
			return frames, 0, true
		}
	}
	secrets := newQUICSecrets(h.version, h.dcid)
	if secrets == nil {
		return nil, 0, false
	}
	frames, ok = secrets.client.open(b, h)
	if !ok || h.end > len(b) && !plausibleInitial(frames) {
		return nil, 0, false
	}
	// A new connection, or the same one after a Retry or a Version Negotiation.
	told := q.half[0].told && q.retried
	q.secrets, q.version, q.client, q.retried = secrets, h.version, dir, false
	q.half = [2]quicHalf{}
	q.half[0].told = told
	return frames, 0, true
}

// read takes the handshake messages that are complete.
func (q *quicFlow) read(half *quicHalf, end int, msgs []Message) []Message {
	for {
		rest := half.crypto.head()[half.read:]
		if len(rest) < handshakeHeaderLen {
			return msgs
		}
		size := handshakeHeaderLen + handshakeLen(rest)
		if len(rest) < size {
			return msgs
		}
		half.read += size
		body := rest[handshakeHeaderLen:size]
		switch {
		case end == 0 && rest[0] == handshakeClientHello:
			if half.told { // the same again, after a Retry
				continue
			}
			if m := q.hello(body, false); m != nil {
				msgs = append(msgs, m)
			}
			half.told = true
		case end == 1 && rest[0] == handshakeServerHello:
			m, err := parseServerHello(0, body, nil)
			if err != nil {
				return msgs
			}
			m.Proto = "quic"
			q.half[0].told = q.half[0].told && !m.Retry // a second ClientHello follows a HelloRetryRequest
			q.done = !m.Retry
			msgs = append(msgs, m)
		}
	}
}

// hello reads a ClientHello.
func (q *quicFlow) hello(body []byte, cut bool) *ClientHello {
	m := &ClientHello{Proto: "quic", QUICVersion: q.version, Truncated: cut}
	if _, err := m.parse(body, nil); err != nil {
		return nil
	}
	return m
}

// plausibleInitial tells the frames of a ClientHello from noise, where the tag
// that would prove it is missing.
func plausibleInitial(frames []byte) bool {
	hello := false
	_ = eachQUICFrame(frames, func(kind uint64, off int, data []byte) {
		hello = hello || kind == quicFrameCrypto && off == 0 && len(data) >= 6 &&
			data[0] == handshakeClientHello && data[1] == 0 && data[4] == 3 && data[5] == 3
	})
	return hello
}

// sniffQUIC recognises a datagram of QUIC packets with long headers: every one
// of a known version and just as long as it says, or, with the end missing, a
// ClientHello that can be read.
func sniffQUIC(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if parseQUICGoogle(b) != nil {
		return true
	}
	first, version := true, uint32(0)
	if b[0]&0x40 == 0 && (len(b) < 5 || binary.BigEndian.Uint32(b[1:]) != 0) {
		return false // greased by agreement only (RFC 9287), which no first packet is
	}
	for len(b) > 0 && b[0]&0x80 != 0 {
		h, err := parseQUICHeader(b)
		if err != nil || !first && h.version != version {
			return !first
		}
		if h.end > len(b) {
			secrets := newQUICSecrets(h.version, h.dcid)
			if h.kind != quicInitial || secrets == nil {
				return !first
			}
			frames, ok := secrets.client.open(b, &h)
			return ok && plausibleInitial(frames)
		}
		if h.kind == quicRetry && len(b) < 7+len(h.dcid)+len(h.scid)+16 {
			return false
		}
		first, version = false, h.version
		b = b[h.end:]
	}
	return !first
}

// leadsQUIC tells the bytes that a long header or a public header of Google's,
// with a version and a connection id, begins with.
func leadsQUIC(b byte) bool { return b&0x80 != 0 || b&googleHeaderMask == googleHeader }

// QUICVersionName is the EVE spelling of a QUIC version: its number in
// hexadecimal ("1", "6b3343cf", "ff00001d"), of Google's versions the letters
// ("Q046", "T051").
func QUICVersionName(v uint32) string {
	if isQUICGoogle(v) || v == quicT050 || v == quicT051 {
		return string(binary.BigEndian.AppendUint32(nil, v))
	}
	return fmt.Sprintf("%x", v)
}
