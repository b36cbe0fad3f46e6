package wire

import (
	"golang.org/x/crypto/cryptobyte"
)

type quicType uint8

// Types of long header packets as numbered by RFC 9000 section 17.2.
const (
	quicInitial quicType = iota
	quicZeroRTT
	quicHandshake
	quicRetry
	quicNegotiation // version 0: Version Negotiation
)

// quicHeader is a long header.
type quicHeader struct {
	version    uint32
	kind       quicType
	dcid, scid []byte
	number     int // offset of the packet number
	end        int // offset of the end of the packet, which may be missing
}

// parseQUICHeader reads a long header of a known version (RFC 9000 section
// 17.2, RFC 8999 for Version Negotiation). The connection ids alias b.
func parseQUICHeader(b []byte) (quicHeader, error) {
	var h quicHeader
	s := cryptobyte.String(b)
	var first uint8
	var dcid, scid cryptobyte.String
	if !s.ReadUint8(&first) || !s.ReadUint32(&h.version) {
		return h, errQUICCut
	}
	negotiation := h.version == 0
	if first&0x80 == 0 || !negotiation && quicSalt(h.version) == "" {
		return h, errQUICKind
	}
	if !s.ReadUint8LengthPrefixed(&dcid) || !s.ReadUint8LengthPrefixed(&scid) {
		return h, errQUICCut
	}
	if len(dcid) > maxQUICID || len(scid) > maxQUICID {
		return h, errQUICKind
	}
	h.dcid, h.scid = dcid, scid
	h.end = len(b)
	if negotiation {
		h.kind = quicNegotiation
		if !knownQUICVersions(s) {
			return h, errQUICKind
		}
		return h, nil
	}
	h.kind = quicType(first >> 4 & 3)
	if h.version == quicV2 { // RFC 9369 section 3.2
		h.kind = (h.kind - 1) & 3
	}
	if h.kind == quicRetry {
		return h, nil
	}
	if h.kind == quicInitial {
		size, ok := readQUICInt(&s)
		if !ok || uint64(len(s)) < size {
			return h, errQUICCut
		}
		s = s[size:] // the token
	}
	size, ok := readQUICInt(&s)
	if !ok {
		return h, errQUICCut
	}
	if size < 20 || size > 1<<16 { // a packet number and a sample (RFC 9001 section 5.4.2)
		return h, errQUICPacket
	}
	h.number = len(b) - len(s)
	h.end = h.number + int(size)
	return h, nil
}

// knownQUICVersions tells the list of a Version Negotiation packet: whole
// numbers, one of which is known.
func knownQUICVersions(s cryptobyte.String) bool {
	known := false
	if len(s) == 0 || len(s)%4 != 0 {
		return false
	}
	var v uint32
	for s.ReadUint32(&v) {
		known = known || !isQUICGrease(v) && (quicSalt(v) != "" || isQUICGoogle(v))
	}
	return known
}

// readQUICInt reads a variable-length integer (RFC 9000 section 16).
func readQUICInt(s *cryptobyte.String) (uint64, bool) {
	if len(*s) == 0 {
		return 0, false
	}
	var b []byte
	if !s.ReadBytes(&b, 1<<((*s)[0]>>6)) {
		return 0, false
	}
	v := uint64(b[0] & 0x3f)
	for _, c := range b[1:] {
		v = v<<8 | uint64(c)
	}
	return v, true
}

// Frames that occur in Initial packets (RFC 9000 section 12.4). The error
// codes from quicCryptoError on are TLS alerts (RFC 9001 section 4.8).
const (
	quicFramePadding = 0x00
	quicFramePing    = 0x01
	quicFrameACK     = 0x02
	quicFrameACKECN  = 0x03
	quicFrameCrypto  = 0x06
	quicFrameGoogle  = 0x08 // CRYPTO in Q050, T050 and T051; does not occur here in QUIC
	quicFrameClose   = 0x1c

	quicCryptoError = 0x100
)

// eachQUICFrame calls f for every CRYPTO frame, with its offset and data, and
// for every CONNECTION_CLOSE frame, with its error code. The data of a last
// frame whose end is missing is what there is of it.
func eachQUICFrame(b []byte, f func(kind uint64, off int, data []byte)) error {
	const most = 1 << 30
	for s := cryptobyte.String(b); len(s) > 0; {
		if s[0] == quicFramePadding { // most of a first packet
			s = s[1:]
			continue
		}
		kind, ok := readQUICInt(&s)
		if !ok {
			return errQUICFrame
		}
		switch kind {
		case quicFramePadding, quicFramePing: // padding may be sent in more than one byte
		case quicFrameACK, quicFrameACKECN:
			if !skipQUICACK(&s, kind == quicFrameACKECN) {
				return errQUICFrame
			}
		case quicFrameCrypto, quicFrameGoogle:
			off, ok1 := readQUICInt(&s)
			size, ok2 := readQUICInt(&s)
			if !ok1 || !ok2 || off > most {
				return errQUICFrame
			}
			n := int(min(size, uint64(len(s))))
			f(quicFrameCrypto, int(off), s[:n])
			s = s[n:]
		case quicFrameClose:
			code, ok := readQUICInt(&s)
			if !ok || code > most {
				return errQUICFrame
			}
			f(kind, int(code), nil)
			return nil // what follows it says no more
		default:
			return errQUICFrame
		}
	}
	return nil
}

// skipQUICACK passes over an ACK frame (RFC 9000 section 19.3).
func skipQUICACK(s *cryptobyte.String, ecn bool) bool {
	var ranges uint64
	for field := range 4 { // largest, delay, ranges, first range
		v, ok := readQUICInt(s)
		if !ok {
			return false
		}
		if field == 2 {
			ranges = v
		}
	}
	left := 2 * ranges
	if ecn {
		left += 3
	}
	if ranges > 1<<20 {
		return false
	}
	for ; left > 0; left-- {
		if _, ok := readQUICInt(s); !ok {
			return false
		}
	}
	return true
}
