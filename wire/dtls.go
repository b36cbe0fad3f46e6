package wire

import (
	"encoding/binary"
	"fmt"
)

const (
	dtlsRecordLen    = 13 // header of a record (RFC 6347 section 4.1)
	dtlsHandshakeLen = 12 // header of a handshake message (section 4.2.2)

	versionDTLSBad = 0x0100 // OpenSSL's before the standard, still in AnyConnect
	versionDTLS10  = 0xfeff
	versionDTLS12  = 0xfefd
	versionDTLS13  = 0xfefc

	handshakeVerifyRequest = 3
	recordACK              = 26 // RFC 9147 section 7
	// maxDTLSHello bounds a ClientHello or ServerHello.
	maxDTLSHello = 16 << 10
	// maxDTLSQuiet is after how many datagrams without a handshake in clear a
	// flow is passed over.
	maxDTLSQuiet = 64
)

var (
	errDTLSKind = fmt.Errorf("read dtls record: %w", ErrNotMine)
	errDTLSCut  = fmt.Errorf("read dtls record: %w", ErrTruncated)
)

// dtlsFlow follows the handshake of DTLS 1.0 to 1.3 (RFC 4347, RFC 6347, RFC
// 9147) in one UDP flow.
type dtlsFlow struct {
	half      [2]dtlsHalf
	memory    *memory
	sessionID []byte       // of the last ClientHello
	hello     *ClientHello // the last one, to know it again
	quiet     int
}

// dtlsHalf is one direction.
type dtlsHalf struct {
	role    tlsRole
	opaque  bool   // encrypted records were seen
	next    int    // message_seq from which on messages are new
	kind    uint8  // type of the message that is put together, 0 for none
	seq     int    // its message_seq
	size    int    // and length
	version uint16 // of its first record
	parts   fragments
}

func (m *memory) newDTLSFlow() Datagrams { return &dtlsFlow{memory: m} }

var (
	_ Flusher  = (*dtlsFlow)(nil)
	_ Retainer = (*dtlsFlow)(nil)
)

// Datagram implements Datagrams.
func (d *dtlsFlow) Datagram(dir Dir, b []byte, msgs []Message) ([]Message, error) {
	d.quiet++
	b = withoutCAPWAP(b)
	if len(b) == 0 {
		return msgs, errDTLSKind
	}
	for first := true; len(b) > 0; first = false {
		r, err := parseDTLSRecord(b)
		if err != nil {
			if first {
				return msgs, err
			}
			break // encrypted records of DTLS 1.3 follow the hello, and padding may
		}
		msgs = d.record(dir, &r, msgs)
		b = b[min(dtlsRecordLen+r.size, len(b)):]
	}
	if d.quiet > maxDTLSQuiet {
		return d.Flush(FromServer, nil, d.Flush(FromClient, nil, msgs)), ErrDone
	}
	return msgs, nil
}

// Flush implements Flusher: it reads a hello or a chain as far as it goes.
func (d *dtlsFlow) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	h := &d.half[dir]
	if head := h.parts.head(); h.kind != 0 && len(head) > 0 {
		msgs = d.message(dir, head, true, msgs)
	}
	h.reset()
	return msgs
}

// Retained implements Retainer.
func (d *dtlsFlow) Retained() int { return cap(d.half[0].parts.buf) + cap(d.half[1].parts.buf) }

func (h *dtlsHalf) reset() { h.kind, h.parts = 0, fragments{} }

// withoutCAPWAP takes off the header with which wireless access points and
// their controllers announce DTLS (RFC 5415 section 4.2): version 0, type 1,
// and three reserved bytes.
func withoutCAPWAP(b []byte) []byte {
	const header = "\x01\x00\x00\x00"
	if len(b) > len(header) && string(b[:len(header)]) == header {
		return b[len(header):]
	}
	return b
}

// dtlsRecord is one record.
type dtlsRecord struct {
	kind    uint8
	version uint16
	epoch   uint16
	size    int    // of the body as announced
	body    []byte // as far as it is there
}

// parseDTLSRecord reads the record at the head of b. The body aliases b.
func parseDTLSRecord(b []byte) (dtlsRecord, error) {
	if b[0] < recordCCS || b[0] > recordACK {
		return dtlsRecord{}, errDTLSKind
	}
	if len(b) < dtlsRecordLen {
		return dtlsRecord{}, errDTLSCut
	}
	r := dtlsRecord{
		kind:    b[0],
		version: binary.BigEndian.Uint16(b[1:]),
		epoch:   binary.BigEndian.Uint16(b[3:]),
		size:    int(binary.BigEndian.Uint16(b[11:])),
	}
	if !isDTLSVersion(r.version) || r.size == 0 || r.size > maxRecordLen {
		return dtlsRecord{}, errDTLSKind
	}
	r.body = b[dtlsRecordLen:min(len(b), dtlsRecordLen+r.size)]
	return r, nil
}

func isDTLSVersion(v uint16) bool {
	return v == versionDTLS10 || v == versionDTLS12 || v == versionDTLS13 || v == versionDTLSBad
}

// record reads one record.
func (d *dtlsFlow) record(dir Dir, r *dtlsRecord, msgs []Message) []Message {
	h := &d.half[dir]
	if r.epoch > 0 {
		h.opaque = true
		return msgs
	}
	switch r.kind {
	case recordAlert:
		if len(r.body) == 2 && r.size == 2 && (r.body[0] == 1 || r.body[0] == 2) {
			d.quiet = 0
			msgs = append(msgs, &TLSAlert{Proto: "dtls", From: dir, Fatal: r.body[0] == 2, Description: r.body[1]})
		}
	case recordHandshake:
		for b := r.body; len(b) >= dtlsHandshakeLen; {
			d.quiet = 0
			m := parseDTLSFragment(b)
			msgs = d.fragment(dir, r.version, m, msgs)
			b = b[dtlsHandshakeLen+len(m.body):]
		}
	}
	return msgs
}

// dtlsFragment is a part of a handshake message.
type dtlsFragment struct {
	kind      uint8
	size      int // of the whole message
	seq       int // message_seq
	off, want int // fragment_offset, fragment_length
	body      []byte
}

// parseDTLSFragment reads what begins with a handshake header. The body
// aliases b and may end before it should.
func parseDTLSFragment(b []byte) dtlsFragment {
	m := dtlsFragment{
		kind: b[0],
		size: handshakeLen(b),
		seq:  int(binary.BigEndian.Uint16(b[4:])),
		off:  int(b[6])<<16 | int(b[7])<<8 | int(b[8]),
		want: int(b[9])<<16 | int(b[10])<<8 | int(b[11]),
	}
	b = b[dtlsHandshakeLen:]
	m.body = b[:min(len(b), m.want)]
	return m
}

// fragment adds a part to the message that it belongs to.
func (d *dtlsFlow) fragment(dir Dir, version uint16, m dtlsFragment, msgs []Message) []Message {
	if m.off+m.want > m.size || m.size > maxHandshakeKept || !interesting(m.kind) ||
		m.kind != handshakeCertificate && m.size > maxDTLSHello {
		return msgs
	}
	h := &d.half[dir]
	if m.kind == handshakeClientHello && m.seq == 0 && h.next > 0 && (h.opaque || d.half[dir.Other()].role == roleServer) {
		d.half, d.hello = [2]dtlsHalf{}, nil // another session on the same ports
	}
	if m.seq < h.next {
		return msgs // sent again
	}
	if h.kind != m.kind || h.seq != m.seq || h.size != m.size {
		if h.kind != 0 && m.seq < h.seq {
			return msgs
		}
		msgs = d.Flush(dir, nil, msgs) // an earlier one that was not completed
		h.kind, h.seq, h.size, h.version = m.kind, m.seq, m.size, version
	}
	h.parts.add(m.off, m.body, m.size)
	if head := h.parts.head(); len(head) == m.size {
		msgs = d.message(dir, head, false, msgs)
		h.next = m.seq + 1
		h.reset()
	}
	return msgs
}

// message reads the body of a handshake message; cut says that its end is
// missing.
func (d *dtlsFlow) message(dir Dir, body []byte, cut bool, msgs []Message) []Message {
	h := &d.half[dir]
	switch h.kind {
	case handshakeClientHello:
		m := &ClientHello{Proto: "dtls", RecordVersion: h.version, Truncated: cut}
		sessionID, err := m.parse(body, &d.memory.hellos)
		if err != nil {
			return msgs
		}
		h.role = roleClient
		d.sessionID = append(d.sessionID[:0], sessionID...)
		if d.hello != nil && d.hello.SNI == m.SNI && d.hello.JA4 == m.JA4 {
			return msgs // the same with the cookie of a HelloVerifyRequest
		}
		d.hello = m
		return append(msgs, m)
	case handshakeServerHello:
		m, err := parseServerHello(h.version, body, d.sessionID)
		if err != nil {
			return msgs
		}
		h.role, m.Proto = roleServer, "dtls"
		return append(msgs, m)
	case handshakeCertificate:
		fromClient := h.role == roleClient || h.role == roleUnknown && dir == FromClient
		if m := d.memory.chains.parseCertificate(body, fromClient, cut); m != nil {
			m.Proto = "dtls"
			return append(msgs, m)
		}
	}
	return msgs
}

// sniffDTLS recognises a datagram that consists of DTLS records: each as long
// as it says, the first a handshake message that is consistent, an alert, or
// one of an encrypted epoch.
func sniffDTLS(b []byte) bool {
	b = withoutCAPWAP(b)
	if len(b) < dtlsRecordLen+2 {
		return false
	}
	for first := true; len(b) > 0; first = false {
		r, err := parseDTLSRecord(b)
		if err != nil {
			// Only encrypted records of DTLS 1.3, whose headers begin with the
			// bits 001 (RFC 9147 section 4), may follow.
			return !first && b[0]>>5 == 1
		}
		whole := len(r.body) == r.size
		if first && !plausibleDTLS(&r, whole) || !first && !whole {
			return false
		}
		if !whole {
			return true
		}
		b = b[dtlsRecordLen+r.size:]
	}
	return true
}

// leadsDTLS tells the bytes that a record or the header of CAPWAP begins with.
func leadsDTLS(b byte) bool { return b == 1 || b >= recordCCS && b <= recordACK }

// plausibleDTLS judges the first record of a datagram.
func plausibleDTLS(r *dtlsRecord, whole bool) bool {
	if r.epoch > 0 {
		return whole && r.epoch < 16 && r.size >= 16 && (r.kind == recordData || r.kind == recordHandshake || r.kind == recordAlert)
	}
	switch r.kind {
	case recordCCS:
		return whole && (r.size == 1 || r.version == versionDTLSBad && r.size == 3) && r.body[0] == 1
	case recordAlert:
		return whole && r.size == 2 && (r.body[0] == 1 || r.body[0] == 2)
	case recordHandshake:
		if len(r.body) < dtlsHandshakeLen {
			return false
		}
		m := parseDTLSFragment(r.body)
		return m.kind <= maxHandshakeType && m.off+m.want <= m.size && dtlsHandshakeLen+m.want <= r.size &&
			m.size <= maxHandshakeKept && (whole || m.kind == handshakeClientHello || m.kind == handshakeServerHello) &&
			plausibleDTLSHello(&m)
	}
	return false
}

// plausibleDTLSHello checks the version at the head of a hello.
func plausibleDTLSHello(m *dtlsFragment) bool {
	switch m.kind {
	case handshakeClientHello, handshakeServerHello, handshakeVerifyRequest:
		return m.off > 0 || len(m.body) >= 2 && isDTLSVersion(binary.BigEndian.Uint16(m.body))
	}
	return true
}
