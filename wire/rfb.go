package wire

import (
	"encoding/binary"
	"fmt"
)

// RFB is the opening of a VNC connection (RFC 6143 section 7), as far as it
// got.
type RFB struct {
	ServerMajor, ServerMinor int // 3.8 mostly; 0 if it was not seen
	ClientMajor, ClientMinor int
	Offered                  []uint8 // security types of the server, at most 32
	Security                 uint8   // the one that was taken: 1 is none, 2 a password; 0 if none was
	Result                   Outcome
	Reason                   string // of a refusal, at most 255 bytes
	Entered                  bool   // the client asked for the screen
	Shared                   bool   // and lets others stay connected
	Width, Height            uint16 // of the screen, once it is shown
	Pixels                   RFBPixels
	Name                     string // of the desktop, at most 255 bytes
}

// RFBPixels is the pixel format that the server prefers (section 7.4).
type RFBPixels struct {
	Bits, Depth                     uint8 // of a pixel; of its colour
	BigEndian, TrueColor            bool
	RedMax, GreenMax, BlueMax       uint16
	RedShift, GreenShift, BlueShift uint8
}

// Protocol implements Message.
func (*RFB) Protocol() string { return "rfb" }

const (
	rfbVersion      = "RFB 003.008\n"
	rfbNone         = 1 // security types (section 7.1.2)
	rfbPassword     = 2
	rfbChallengeLen = 16
	maxRFBOffered   = 32
	maxRFBText      = 255
	rfbInitLen      = 24 // of ServerInit, before the name
	maxRFBResult    = 2  // "failed, too many attempts", of TightVNC
)

var errRFBKind = fmt.Errorf("read rfb version: %w", ErrNotMine)

type rfbPhase uint8

const (
	rfbHello     rfbPhase = iota
	rfbSecurity           // server: its types; client: its choice
	rfbChallenge          // server: the challenge; client: the answer
	rfbResult
	rfbReason
	rfbInit
	rfbOver
)

// rfbStream follows the opening.
type rfbStream struct {
	m     RFB
	phase [2]rfbPhase
	told  bool
	login attempt
}

func newRFBStream() Stream { return &rfbStream{} }

var _ Flusher = (*rfbStream)(nil)

// sniffRFB recognises the version with which both ends begin.
func sniffRFB(_ Dir, b []byte) Match {
	for i, c := range b[:min(len(b), len(rfbVersion))] {
		if digit := isDigit(rfbVersion[i]); digit && !isDigit(c) || !digit && c != rfbVersion[i] {
			return No
		}
	}
	if len(b) < len(rfbVersion) {
		return Maybe
	}
	return Yes
}

// Feed implements Stream.
func (s *rfbStream) Feed(dir Dir, b []byte, msgs []Message) (int, []Message, error) {
	n := 0
	for n < len(b) && s.phase[dir] != rfbOver {
		var used int
		var err error
		if s.phase[dir] == rfbHello {
			used, err = s.version(dir, b[n:])
		} else if dir == FromServer {
			used, msgs = s.server(b[n:], msgs)
		} else {
			used, msgs = s.client(b[n:], msgs)
		}
		n += used
		if err != nil {
			return n, msgs, err
		}
		if used == 0 {
			break
		}
	}
	if s.phase[FromServer] == rfbOver {
		return len(b), s.tell(msgs), ErrDone
	}
	if s.phase[dir] == rfbOver {
		n = len(b)
	}
	return n, msgs, nil
}

// Flush implements Flusher: it tells how far the opening got.
func (s *rfbStream) Flush(dir Dir, _ []byte, msgs []Message) []Message {
	s.phase[dir] = rfbOver
	msgs = s.login.flush(dir, msgs)
	if s.phase[dir.Other()] == rfbOver || dir == FromServer {
		return s.tell(msgs)
	}
	return msgs
}

func (s *rfbStream) tell(msgs []Message) []Message {
	if s.told || s.m.ServerMajor == 0 && s.m.ClientMajor == 0 {
		return msgs
	}
	s.told = true
	m := s.m
	return append(msgs, &m)
}

// version reads "RFB 003.008\n".
func (s *rfbStream) version(dir Dir, b []byte) (int, error) {
	switch sniffRFB(dir, b) {
	case No:
		return 0, errRFBKind
	case Maybe:
		return 0, nil
	}
	number := func(b []byte) int { return int(b[0]-'0')*100 + int(b[1]-'0')*10 + int(b[2]-'0') }
	major, minor := number(b[4:]), number(b[8:])
	if dir == FromServer {
		s.m.ServerMajor, s.m.ServerMinor = major, minor
	} else {
		s.m.ClientMajor, s.m.ClientMinor = major, minor
	}
	s.phase[dir] = rfbSecurity
	return len(rfbVersion), nil
}

// old reports whether the server alone chooses the security type, as before
// version 3.7. Which version is spoken is the client's decision, up to that of
// the server: one that refuses names 3.3 and goes on without an answer.
func (s *rfbStream) old() bool {
	return s.m.ClientMajor == 3 && s.m.ClientMinor < 7 || s.m.ServerMajor == 3 && s.m.ServerMinor < 7
}

// server reads the next part of what the server says.
func (s *rfbStream) server(b []byte, msgs []Message) (int, []Message) {
	phase := &s.phase[FromServer]
	switch *phase {
	case rfbSecurity:
		return s.offer(b), msgs
	case rfbChallenge:
		switch {
		case s.m.Security == rfbNone && (s.m.ClientMinor < 8 || s.old()):
			*phase = rfbInit // no result
			return s.server(b, msgs)
		case s.m.Security == rfbNone:
			*phase = rfbResult
			return s.server(b, msgs)
		case s.m.Security != rfbPassword:
			*phase = rfbOver // a handshake of its own, mostly with TLS
			return 0, msgs
		case len(b) < rfbChallengeLen:
			return 0, msgs
		}
		*phase = rfbResult
		return rfbChallengeLen, msgs
	case rfbResult:
		return s.result(b, msgs)
	case rfbReason:
		n := s.text(&s.m.Reason, b)
		return n, msgs
	case rfbInit:
		if len(b) < rfbInitLen {
			return 0, msgs
		}
		n := s.text(&s.m.Name, b[rfbInitLen-4:])
		if n == 0 {
			return 0, msgs
		}
		s.m.Width, s.m.Height = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		s.m.Pixels = rfbPixels(b[4:])
		return rfbInitLen - 4 + n, msgs
	}
	return 0, msgs
}

// offer reads the security types. None at all is a refusal.
func (s *rfbStream) offer(b []byte) int {
	phase := &s.phase[FromServer]
	if s.old() {
		if len(b) < 4 {
			return 0
		}
		s.m.Security = uint8(min(binary.BigEndian.Uint32(b), 255))
		s.skipChoice()
		if s.m.Security == 0 {
			s.m.Result, *phase = Failed, rfbReason
			return 4
		}
		s.m.Offered = []uint8{s.m.Security}
		*phase = rfbChallenge
		return 4
	}
	count := int(b[0])
	if count == 0 && s.m.ClientMajor == 0 {
		*phase = rfbOver // a refusal or, for a client of version 3.3 that was not seen, one type
		return 0
	}
	if len(b) < 1+count {
		return 0
	}
	s.m.Offered = append([]uint8(nil), b[1:1+min(count, maxRFBOffered)]...)
	*phase = rfbChallenge
	if count == 0 {
		s.m.Result, *phase = Failed, rfbReason
	}
	return 1 + count
}

// skipChoice lets a client of an old version go on without a choice.
func (s *rfbStream) skipChoice() {
	if s.phase[FromClient] == rfbSecurity {
		s.phase[FromClient] = rfbChallenge
	}
}

// result reads the outcome.
func (s *rfbStream) result(b []byte, msgs []Message) (int, []Message) {
	if len(b) < 4 {
		return 0, msgs
	}
	phase := &s.phase[FromServer]
	result := binary.BigEndian.Uint32(b)
	if s.m.Security == rfbNone && result > maxRFBResult {
		*phase = rfbInit // x11vnc tells clients of version 3.889, which are Apple's, no result
		return s.server(b, msgs)
	}
	if result == 0 {
		s.m.Result, *phase = Succeeded, rfbInit
	} else {
		s.m.Result, *phase = Failed, rfbOver
		if s.m.ClientMinor >= 8 && !s.old() {
			*phase = rfbReason
		}
	}
	return 4, s.login.end(s.m.Result, msgs)
}

// rfbPixels reads the 13 bytes that matter of the 16 of a pixel format.
func rfbPixels(b []byte) RFBPixels {
	return RFBPixels{
		Bits: b[0], Depth: b[1], BigEndian: b[2] != 0, TrueColor: b[3] != 0,
		RedMax: binary.BigEndian.Uint16(b[4:]), GreenMax: binary.BigEndian.Uint16(b[6:]), BlueMax: binary.BigEndian.Uint16(b[8:]),
		RedShift: b[10], GreenShift: b[11], BlueShift: b[12],
	}
}

// text reads a string with its length before it, which ends what is of
// interest. It returns 0 if it is incomplete.
func (s *rfbStream) text(to *string, b []byte) int {
	if len(b) < 4 {
		return 0
	}
	size := int(min(binary.BigEndian.Uint32(b), maxRFBText))
	if len(b) < 4+size {
		return 0
	}
	*to = plainText(b[4 : 4+size])
	s.phase[FromServer] = rfbOver
	return 4 + size
}

// client reads the next part of what the client says.
func (s *rfbStream) client(b []byte, msgs []Message) (int, []Message) {
	phase := &s.phase[FromClient]
	switch {
	case *phase == rfbSecurity && s.old():
		if s.phase[FromServer] < rfbChallenge {
			return 0, msgs // the server chooses
		}
		*phase = rfbChallenge
		return s.client(b, msgs)
	case *phase == rfbSecurity:
		s.m.Security, *phase = b[0], rfbChallenge
		return 1, msgs
	case *phase == rfbInit || s.m.Security == rfbNone:
		s.m.Entered, s.m.Shared, *phase = true, b[0] != 0, rfbOver
		return 1, msgs
	case s.m.Security != rfbPassword:
		*phase = rfbOver
		return len(b), msgs
	case len(b) < rfbChallengeLen:
		return 0, msgs
	}
	*phase = rfbInit
	return rfbChallengeLen, s.login.begin(FromClient, &Login{Service: "rfb", Mechanism: "VNC"}, msgs)
}
