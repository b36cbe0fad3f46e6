package wire

import (
	"encoding/hex"
	"fmt"
	"math"
)

// COTP is a connection of the ISO transport protocol over TCP (RFC 1006, RFC
// 905) on which nothing was said that could be read: refused, scanned, or a
// protocol that is unknown. It comes when the connection ends.
type COTP struct {
	// Calling and Called are the transport selectors of both ends, as text if
	// they are printable, else in hexadecimal; at most 32 bytes each.
	Calling, Called string
	Confirmed       bool // the called end accepted the connection
}

// Protocol implements Message.
func (*COTP) Protocol() string { return "cotp" }

// TPKT and COTP headers.
const (
	tpktHeader  = 4
	tpktVersion = 3
	// minTPKT is a TPKT header, COTP's length and the two bytes of the
	// shortest TPDU.
	minTPKT = 7

	cotpConnect    = 0xe0
	cotpConfirm    = 0xd0
	cotpData       = 0xf0
	cotpEOT        = 0x80
	cotpFixed      = 7 // length, code, two references, class
	cotpCalling    = 0xc1
	cotpCalled     = 0xc2
	maxTSAP        = 32
	cotpHead       = 4 << 10
	maxCOTPPending = 1 << 10
)

var (
	errTPKT  = fmt.Errorf("read tpkt header: %w", ErrMalformed)
	errCOTP  = fmt.Errorf("read cotp header: %w", ErrMalformed)
	errUpper = fmt.Errorf("read cotp data: neither S7 nor MMS: %w", ErrNotMine)
)

// sniffCOTP recognises a connection request or confirmation whose parameters
// are well-formed and name a transport selector, or data that begin as S7,
// S7-plus or MMS do. RDP and H.323 run over TPKT too: the requests of RDP have
// no selectors, and H.323 no COTP.
func sniffCOTP(_ Dir, b []byte) Match {
	for i, want := range []byte{tpktVersion, 0} {
		if len(b) > i && b[i] != want {
			return No
		}
	}
	if len(b) < tpktHeader+2 {
		return Maybe
	}
	size, li := int(b[2])<<8|int(b[3]), int(b[4])
	if size < minTPKT || li < 2 || tpktHeader+1+li > size {
		return No
	}
	switch b[5] {
	case cotpConnect, cotpConfirm:
		if tpktHeader+1+li != size || li < cotpFixed-1 {
			return No
		}
		if len(b) < size {
			return plausibleCOTP(b[tpktHeader:])
		}
		_, _, ok := tsaps(b[tpktHeader+cotpFixed : size])
		return matchIf(ok)
	case cotpData:
		if li != 2 {
			return No
		}
		return sniffCOTPData(b[min(len(b), minTPKT):], size-minTPKT)
	}
	return No
}

// plausibleCOTP judges a connection request that is not complete by its first
// parameter.
func plausibleCOTP(b []byte) Match {
	if len(b) > cotpFixed && !cotpParameter(b[cotpFixed]) {
		return No
	}
	return Maybe
}

// sniffCOTPData judges n bytes of data, of which the first are there.
func sniffCOTPData(b []byte, n int) Match {
	switch {
	case len(b) == 0:
		return Maybe
	case b[0] == s7ID && n >= s7Header:
		return sniffS7(b)
	case b[0] == s7PlusID && n >= s7PlusHeader:
		return sniffS7Plus(b, n)
	case b[0] == spduGiveTokens:
		for i, want := range []byte{spduGiveTokens, 0, spduDataTransfer, 0, presentationUserData} {
			if len(b) <= i {
				return Maybe
			}
			if b[i] != want {
				return No
			}
		}
		return Yes
	}
	return No
}

// cotpParameter reports whether a code is one of a parameter of a connection
// request (RFC 905 section 13.3.4).
func cotpParameter(code byte) bool {
	return code >= 0x85 && code <= 0x8b || code >= 0xc0 && code <= 0xc7
}

// tsaps reads the parameters of a connection request. It reports false if they
// are not well-formed, or name no selector.
func tsaps(b []byte) (calling, called string, ok bool) {
	for len(b) > 0 {
		if len(b) < 2 || len(b) < 2+int(b[1]) || !cotpParameter(b[0]) {
			return "", "", false
		}
		v := b[2 : 2+int(b[1])]
		switch b[0] {
		case cotpCalling:
			calling, ok = tsapText(v), true
		case cotpCalled:
			called, ok = tsapText(v), true
		}
		b = b[2+int(b[1]):]
	}
	return calling, called, ok
}

func tsapText(b []byte) string {
	b = b[:min(len(b), maxTSAP)]
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return hex.EncodeToString(b)
		}
	}
	return string(b)
}

// cotpStream reads one connection and hands its data to the protocol above.
type cotpStream struct {
	framedStream
	f    cotpFraming
	dead [2]bool // the direction contradicted itself
}

// cotpFraming is the state of a connection.
type cotpFraming struct {
	calling, called string
	requested       bool // a connection request was seen
	confirmed       bool
	spoken          bool      // something above COTP was read
	pending         [2][]byte // data whose end is still to come
	cut             [2]bool   // of pending: more than its bound
	s7              s7Pending // passwords that wait for their answer
	memory          *memory
}

func (m *memory) newCOTPStream() Stream {
	s := &cotpStream{f: cotpFraming{memory: m}}
	s.framing, s.head = &s.f, cotpHead
	return s
}

// Feed implements Stream. Where one end contradicts the protocol, the other is
// still read: a broken controller must not hide what it is told.
func (s *cotpStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	if s.dead[dir] {
		return len(b), msgs, nil
	}
	n, msgs, err := s.framedStream.Feed(dir, b, msgs)
	if err == nil || s.dead[dir.Other()] || !s.f.spoken && !s.f.requested {
		return n, msgs, err
	}
	s.dead[dir] = true
	return len(b), msgs, nil
}

// Skip implements Skipper.
func (s *cotpStream) Skip(dir Dir) int64 {
	if s.dead[dir] {
		return math.MaxInt64
	}
	return s.framedStream.Skip(dir)
}

// Flush implements Flusher.
func (s *cotpStream) Flush(dir Dir, b []byte, msgs []Message) []Message {
	if !s.dead[dir] {
		msgs = s.framedStream.Flush(dir, b, msgs)
	}
	msgs = s.f.s7.flush(msgs)
	if s.f.requested && !s.f.spoken {
		s.f.spoken = true
		msgs = append(msgs, &COTP{Calling: s.f.calling, Called: s.f.called, Confirmed: s.f.confirmed})
	}
	return msgs
}

// Reuse implements Reuser.
func (s *cotpStream) Reuse(m Message) {
	if m, ok := m.(*S7); ok {
		s.f.memory.s7.put(m)
	}
}

// Retained implements Retainer.
func (s *cotpStream) Retained() int { return cap(s.f.pending[0]) + cap(s.f.pending[1]) }

var (
	_ Flusher  = (*cotpStream)(nil)
	_ Skipper  = (*cotpStream)(nil)
	_ Retainer = (*cotpStream)(nil)
	_ Reuser   = (*cotpStream)(nil)
)

func (*cotpFraming) size(b []byte) (int, error) {
	if b[0] != tpktVersion || len(b) > 1 && b[1] != 0 {
		return 0, errTPKT
	}
	if len(b) < tpktHeader {
		return 0, nil
	}
	n := int(b[2])<<8 | int(b[3])
	if n < minTPKT {
		return 0, errTPKT
	}
	return n, nil
}

func (f *cotpFraming) read(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) < minTPKT {
		return msgs, nil // a cut header
	}
	li := int(b[4])
	if li < 2 || tpktHeader+1+li > len(b) && !cut {
		return msgs, errCOTP
	}
	switch b[5] & 0xf0 {
	case cotpConnect, cotpConfirm:
		f.connect(b, li)
	case cotpData:
		return f.data(dir, b[min(tpktHeader+1+li, len(b)):], cut, b[6]&cotpEOT != 0, msgs)
	}
	return msgs, nil // disconnect, error, expedited data
}

func (f *cotpFraming) connect(b []byte, li int) {
	end := tpktHeader + 1 + li
	if li < cotpFixed-1 || end > len(b) {
		return
	}
	calling, called, _ := tsaps(b[tpktHeader+cotpFixed : end])
	f.requested = true
	if b[5]&0xf0 == cotpConfirm {
		f.confirmed = true
	}
	if f.calling == "" {
		f.calling = calling
	}
	if f.called == "" {
		f.called = called
	}
}

// data joins the parts of a message; one longer than maxCOTPPending is read as
// far as that.
func (f *cotpFraming) data(dir Dir, b []byte, cut, end bool, msgs []Message) ([]Message, error) {
	p := f.pending[dir]
	if len(p) == 0 && (end || cut) {
		return f.upper(dir, b, cut && !end || cut, msgs)
	}
	room := max(maxCOTPPending-len(p), 0)
	f.cut[dir] = f.cut[dir] || cut || len(b) > room
	p = append(p, b[:min(len(b), room)]...)
	f.pending[dir] = p
	if !end && !cut {
		return msgs, nil
	}
	cut, f.cut[dir], f.pending[dir] = f.cut[dir], false, nil
	return f.upper(dir, p, cut, msgs)
}

// upper hands one message to the protocol that it begins as.
func (f *cotpFraming) upper(dir Dir, b []byte, cut bool, msgs []Message) ([]Message, error) {
	if len(b) == 0 {
		return msgs, nil
	}
	before := len(msgs)
	var err error
	switch b[0] {
	case s7ID:
		msgs, err = f.s7.read(b, cut, f, msgs)
	case s7PlusID:
		msgs, err = readS7Plus(b, cut, f, msgs)
	default:
		msgs, err = readMMS(dir, b, cut, f, msgs)
	}
	f.spoken = f.spoken || len(msgs) > before
	return msgs, err
}
