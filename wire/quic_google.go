package wire

import (
	"bytes"
	"encoding/binary"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// googleQ025 to googleQ046 are Google's versions with a handshake of its own,
// QUIC Crypto, in clear; "Q025" of 2015 is the oldest that was seen.
const (
	googleQ025 = 0x51303235
	googleQ034 = 0x51303334 // the first without private flags
	googleQ046 = 0x51303436
)

func isQUICGoogle(v uint32) bool {
	ones := v & 0xff
	return v >= googleQ025 && v <= googleQ046 && ones >= '0' && ones <= '9'
}

// Sizes in Google's packets (QUIC Wire Layout Specification, 2016, and
// draft-ietf-quic-invariants for Q044 to Q046).
const (
	googleHashLen = 12 // checksum that stands for the tag while there is no key
	googleIDLen   = 8
	maxGoogleTags = 128 // Chrome sends some 25
)

// Flags of the public header: a version (1), no reset (2), a connection id (8).
const (
	googleHeaderMask = 0x0b
	googleHeader     = 0x09
)

// parseQUICGoogle reads a packet with a client hello of QUIC Crypto ("CHLO").
// It returns nil for anything else.
func parseQUICGoogle(b []byte) *ClientHello {
	version, frames := googleFrames(b)
	if frames == nil {
		return nil
	}
	hello := googleCrypto(frames)
	if len(hello) < 8 || string(hello[:4]) != "CHLO" {
		return nil
	}
	m := &ClientHello{Proto: "quic", QUICVersion: version}
	count := int(binary.LittleEndian.Uint16(hello[4:]))
	tags := hello[8:]
	if count == 0 || count > maxGoogleTags || len(tags) < 8*count {
		return nil
	}
	values, from := tags[8*count:], 0
	var scratch [5 * maxGoogleTags]byte
	cyu := scratch[:0]
	for i := range count {
		tag := tags[8*i:]
		to := int(binary.LittleEndian.Uint32(tag[4:]))
		if to < from || to > len(values) {
			m.Truncated = true
			break
		}
		cyu = append(append(cyu, bytes.TrimRight(tag[:4], "\x00")...), '-')
		switch value := values[from:to]; string(tag[:4]) {
		case "SNI\x00":
			if len(value) <= maxDNSName {
				m.SNI = strings.ToLower(plainText(value))
			}
		case "UAID":
			m.UserAgent = plainText(value[:min(len(value), maxHTTPField)])
		}
		from = to
	}
	if !m.Truncated {
		m.CYU = string(byte(version>>8)) + string(byte(version)) + "," + plainText(bytes.TrimRight(cyu, "-"))
	}
	return m
}

// googleFrames returns the frames of a packet of which the header names one of
// Google's versions, nil if it does not.
func googleFrames(b []byte) (version uint32, frames []byte) {
	s := cryptobyte.String(b)
	var flags, ids uint8
	if !s.ReadUint8(&flags) {
		return 0, nil
	}
	var number int       // bytes of the packet number
	if flags&0x80 != 0 { // Q044 to Q046
		if !s.ReadUint32(&version) || !s.ReadUint8(&ids) ||
			ids != 0x50 || !s.Skip(googleIDLen) { // 8 bytes of destination id, no source id
			return 0, nil
		}
		number = 4
	} else { // Q034 to Q043
		if flags&googleHeaderMask != googleHeader ||
			!s.Skip(googleIDLen) || !s.ReadUint32(&version) {
			return 0, nil
		}
		number = [...]int{1, 2, 4, 6}[flags>>4&3]
	}
	if version < googleQ034 {
		number++ // private flags
	}
	if !isQUICGoogle(version) || !s.Skip(number+googleHashLen) {
		return 0, nil
	}
	return version, s
}

// googleCrypto returns the data of the frame of stream 1, on which the
// handshake takes place.
func googleCrypto(s cryptobyte.String) []byte {
	s = bytes.TrimLeft(s, "\x00") // PADDING frames
	var kind, stream uint8
	if !s.ReadUint8(&kind) || kind&0x80 == 0 {
		return nil
	}
	offset := int(kind >> 2 & 7)
	if offset > 0 {
		offset++
	}
	if kind&3 != 0 || !s.ReadUint8(&stream) || stream != 1 || !s.Skip(offset) {
		return nil
	}
	if kind&0x20 != 0 && !s.Skip(2) { // the length; padding may follow
		return nil
	}
	return s
}

// quicUserAgent finds the parameter in which Google's clients name themselves
// among transport parameters (RFC 9000 section 18; before draft 27 their
// numbers and lengths had 16 bits), "" if it is absent.
func quicUserAgent(version uint32, data cryptobyte.String) string {
	const googleUserAgent = 0x3129
	if version>>8 == quicDraft>>8 && version < quicDraft+27 || version == quicMVFST22 || version == quicT050 {
		var list cryptobyte.String
		var id uint16
		var value cryptobyte.String
		if !data.ReadUint16LengthPrefixed(&list) {
			return ""
		}
		for list.ReadUint16(&id) && list.ReadUint16LengthPrefixed(&value) {
			if id == googleUserAgent {
				return plainText(value[:min(len(value), maxHTTPField)])
			}
		}
		return ""
	}
	for {
		id, ok1 := readQUICInt(&data)
		size, ok2 := readQUICInt(&data)
		if !ok1 || !ok2 || size > uint64(len(data)) {
			return ""
		}
		if id == googleUserAgent {
			return plainText(data[:min(size, maxHTTPField)])
		}
		data = data[size:]
	}
}
