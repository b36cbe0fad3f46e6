package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// TLS record types (RFC 8446 section 5.1) and handshake types (section 4).
const (
	recordCCS       = 20
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23

	handshakeHelloRequest = 0
	handshakeClientHello  = 1
	handshakeServerHello  = 2
	handshakeCertificate  = 11
	// maxHandshakeType is certificate_status_request's successor key_update;
	// a higher number in clear means that the bytes are not in clear.
	maxHandshakeType = 24
)

const (
	recordHeaderLen    = 5
	handshakeHeaderLen = 4
	// maxRecordLen: 2^14 bytes and the expansion that TLS 1.2 allows
	// (RFC 5246 section 6.2.3).
	maxRecordLen = 1<<14 + 2048
	// maxHandshakeKept bounds what is copied of one message that is spread
	// over several records. Chains of four certificates take some 6 KiB.
	maxHandshakeKept = 64 << 10
)

var (
	errTLSKind      = fmt.Errorf("read tls record: %w", ErrNotMine)
	errTLSRecord    = fmt.Errorf("read tls record: %w", ErrMalformed)
	errTLSMidstream = fmt.Errorf("read tls handshake: joined after the hello: %w", ErrNotMine)
)

// tlsStream follows one TLS connection until both directions are encrypted.
type tlsStream struct {
	half      [2]tlsHalf
	sessionID []byte // legacy_session_id of the last ClientHello, at most 32 bytes
	memory    *memory
	known     bool // a hello or an alert has been read: this is TLS
}

// tlsHalf is one direction.
type tlsHalf struct {
	role    tlsRole
	changed bool   // ChangeCipherSpec was seen
	opaque  bool   // nothing more to read in this direction
	pending []byte // head of a handshake message that continues in the next record
	skip    int    // bytes of an uninteresting handshake message still to come
}

type tlsRole uint8

const (
	roleUnknown tlsRole = iota
	roleClient
	roleServer
)

func (m *memory) newTLSStream() Stream { return &tlsStream{memory: m} }

var (
	_ Flusher  = (*tlsStream)(nil)
	_ Retainer = (*tlsStream)(nil)
	_ Skipper  = (*tlsStream)(nil)
)

// Retained implements Retainer.
func (s *tlsStream) Retained() int { return cap(s.half[0].pending) + cap(s.half[1].pending) }

// Feed implements Stream.
func (s *tlsStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for !s.half[dir].opaque {
		used, out, err := s.record(dir, b[n:], msgs)
		n, msgs = n+used, out
		if err != nil {
			return n, msgs, err
		}
		if used == 0 && !s.half[dir].opaque {
			return n, msgs, nil
		}
	}
	s.half[dir].pending = nil
	if s.half[dir.Other()].opaque {
		return len(b), msgs, ErrDone
	}
	return len(b), msgs, nil
}

// Skip implements Skipper: what is encrypted need not be fed.
func (s *tlsStream) Skip(dir Dir) int64 {
	if s.half[dir].opaque {
		return math.MaxInt64
	}
	return 0
}

// Flush implements Flusher: it reads a hello or a chain as far as it goes.
func (s *tlsStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	h := &s.half[dir]
	if h.opaque {
		return msgs
	}
	if len(b) > recordHeaderLen && b[0] == recordHandshake && !h.changed {
		part := b[recordHeaderLen:]
		part = part[:min(len(part), int(binary.BigEndian.Uint16(b[3:])))]
		// An error only means that nothing more can be read; this is the end
		// of the direction in any case.
		msgs, _ = s.handshake(dir, binary.BigEndian.Uint16(b[1:]), part, msgs)
	}
	if len(h.pending) > handshakeHeaderLen {
		msgs, _ = s.message(dir, binary.BigEndian.Uint16(h.pending[4:6]), h.pending, true, msgs)
	}
	h.opaque, h.pending = true, nil
	return msgs
}

// record consumes one record from the head of b, 0 bytes if it is incomplete.
func (s *tlsStream) record(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	h := &s.half[dir]
	if len(b) == 0 {
		return 0, msgs, nil
	}
	if h.role == roleUnknown && b[0]&0x80 != 0 {
		return s.sslv2(dir, b, msgs)
	}
	if !plausibleRecord(b) {
		if s.known {
			return 0, msgs, errTLSRecord
		}
		return 0, msgs, errTLSKind
	}
	if len(b) < recordHeaderLen {
		return 0, msgs, nil
	}
	if b[0] == recordData {
		h.opaque = true
		return 0, msgs, s.midstream()
	}
	end := recordHeaderLen + int(binary.BigEndian.Uint16(b[3:]))
	if len(b) < end {
		return 0, msgs, nil
	}
	version, body := binary.BigEndian.Uint16(b[1:]), b[recordHeaderLen:end]
	var err error
	switch b[0] {
	case recordCCS:
		h.changed = true
		err = s.midstream()
	case recordAlert:
		msgs = s.alert(dir, body, msgs)
	case recordHandshake:
		msgs, err = s.handshake(dir, version, body, msgs)
	}
	return end, msgs, err
}

// midstream is the verdict on a record that cannot be the first of a
// connection.
func (s *tlsStream) midstream() error {
	if !s.known {
		return errTLSMidstream
	}
	return nil
}

// plausibleRecord checks as much of a record header as there is.
func plausibleRecord(b []byte) bool {
	if b[0] < recordCCS || b[0] > recordData {
		return false
	}
	if len(b) >= 2 && b[1] != 3 || len(b) >= 3 && b[2] > 4 {
		return false
	}
	if len(b) < recordHeaderLen {
		return true
	}
	size := int(binary.BigEndian.Uint16(b[3:]))
	switch b[0] {
	case recordCCS:
		return size == 1
	case recordData:
		return size <= maxRecordLen
	}
	return size > 0 && size <= maxRecordLen
}

// alert reads an alert record, which is in clear when it is two bytes long
// and of a known level; the rest of the direction is over after a fatal one.
func (s *tlsStream) alert(dir Dir, body []byte, msgs []Message) []Message {
	h := &s.half[dir]
	if len(body) != 2 || h.changed || body[0] < 1 || body[0] > 2 {
		h.opaque = true
		return msgs
	}
	s.known = true
	fatal := body[0] == 2
	h.opaque = fatal
	return append(msgs, &TLSAlert{From: dir, Fatal: fatal, Description: body[1]})
}

// handshake reads the handshake messages in one record. A message that lies
// within the record is parsed in place; only one that is spread over several
// is copied.
func (s *tlsStream) handshake(dir Dir, version uint16, frag []byte, msgs []Message) ([]Message, error) {
	h := &s.half[dir]
	if h.changed && len(h.pending) == 0 && !clearHello(frag) {
		h.opaque = true
		return msgs, s.midstream()
	}
	for len(frag) > 0 && !h.opaque {
		if h.skip > 0 {
			n := min(h.skip, len(frag))
			h.skip -= n
			frag = frag[n:]
			continue
		}
		if len(h.pending) == 0 && len(frag) >= handshakeHeaderLen {
			end := handshakeHeaderLen + handshakeLen(frag)
			if end <= len(frag) {
				var err error
				if msgs, err = s.message(dir, version, frag[:end], false, msgs); err != nil {
					return msgs, err
				}
				frag = frag[end:]
				continue
			}
		}
		var err error
		if frag, msgs, err = s.gather(dir, version, frag, msgs); err != nil {
			return msgs, err
		}
	}
	return msgs, nil
}

// gather moves bytes of frag into the pending message: first its header, then,
// if it is of interest, its body. It returns the rest of frag.
func (s *tlsStream) gather(dir Dir, version uint16, frag []byte, msgs []Message) ([]byte, []Message, error) {
	h := &s.half[dir]
	if len(h.pending) < handshakeHeaderLen {
		n := min(handshakeHeaderLen-len(h.pending), len(frag))
		h.pending, frag = append(h.pending, frag[:n]...), frag[n:]
		if len(h.pending) < handshakeHeaderLen {
			return frag, msgs, nil
		}
		if err := s.checkType(dir, h.pending[0]); err != nil || h.opaque {
			return frag, msgs, err
		}
		if !interesting(h.pending[0]) {
			h.skip = handshakeLen(h.pending)
			h.pending = h.pending[:0]
			return frag, msgs, nil
		}
	}
	total := handshakeHeaderLen + handshakeLen(h.pending)
	n := min(min(total, maxHandshakeKept)-len(h.pending), len(frag))
	h.pending, frag = append(h.pending, frag[:n]...), frag[n:]
	if len(h.pending) < min(total, maxHandshakeKept) {
		return frag, msgs, nil
	}
	msgs, err := s.message(dir, version, h.pending, total > maxHandshakeKept, msgs)
	h.skip = total - len(h.pending)
	h.pending = h.pending[:0]
	return frag, msgs, err
}

// clearHello tells a hello that follows ChangeCipherSpec in clear, as happens
// around a HelloRetryRequest (RFC 8446 appendix D.4), from an encrypted
// message.
func clearHello(b []byte) bool {
	return len(b) >= 6 && (b[0] == handshakeClientHello || b[0] == handshakeServerHello) &&
		b[1] == 0 && b[4] == 3 && b[5] <= 4
}

func handshakeLen(b []byte) int { return int(b[1])<<16 | int(b[2])<<8 | int(b[3]) }

func interesting(kind byte) bool {
	return kind == handshakeClientHello || kind == handshakeServerHello || kind == handshakeCertificate
}

// checkType judges the type of the next message. An unknown type means that
// the bytes are encrypted; a type other than a hello at the beginning, that
// the beginning was missed.
func (s *tlsStream) checkType(dir Dir, kind byte) error {
	h := &s.half[dir]
	if kind > maxHandshakeType {
		h.opaque = true
		return s.midstream()
	}
	if h.role == roleUnknown && kind > handshakeServerHello {
		return s.midstream()
	}
	return nil
}

// message parses one handshake message with its header; cut says that its end
// is missing.
func (s *tlsStream) message(dir Dir, version uint16, b []byte, cut bool, msgs []Message) ([]Message, error) {
	h := &s.half[dir]
	if err := s.checkType(dir, b[0]); err != nil || h.opaque {
		return msgs, err
	}
	body := b[handshakeHeaderLen:]
	switch b[0] {
	case handshakeClientHello:
		m := &ClientHello{RecordVersion: version, Truncated: cut}
		sessionID, err := m.parse(body, &s.memory.hellos)
		if err != nil {
			return msgs, s.refuse(err)
		}
		h.role, s.known = roleClient, true
		s.sessionID = append(s.sessionID[:0], sessionID...)
		return append(msgs, m), nil
	case handshakeServerHello:
		m, err := parseServerHello(version, body, s.sessionID)
		if err != nil {
			return msgs, s.refuse(err)
		}
		h.role, s.known = roleServer, true
		return append(msgs, m), nil
	case handshakeCertificate:
		fromClient := h.role == roleClient || h.role == roleUnknown && dir == FromClient
		if m := s.memory.chains.parseCertificate(body, fromClient, cut); m != nil {
			return append(msgs, m), nil
		}
	}
	return msgs, nil
}

// refuse says "not mine" where nothing has yet shown that this is TLS.
func (s *tlsStream) refuse(err error) error {
	if !s.known {
		return errTLSKind
	}
	return err
}
